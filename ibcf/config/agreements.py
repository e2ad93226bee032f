"""Section `agreements`: what the two operators agreed on (TS 29.165 Annex C)."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from ibcf.config.section import Section
from ibcf.config.values import Grammar, Id, Method, OneOrMany, Size, SizeBytes, Token, Unique, Within

Ioi = Annotated[
    str,
    Grammar(
        r'[^\x00-\x20\x7f"\\](?:[^\x00-\x1f\x7f"\\]*[^\x00-\x20\x7f"\\])?', "the name of an operator, without quotes"
    ),
]
Sized = Annotated[SizeBytes, Within(Size(0), Size(65_536))]


class AgreementCharging(Section):
    """P-Charging-Vector towards the peer (TS 24.229 §4.5.4)."""

    orig_ioi: Ioi | None = None
    """Written as `orig-ioi` into requests sent to the peer."""
    term_ioi: Ioi | None = None
    """Written as `term-ioi` into responses sent to the peer."""
    removed_parameters: Annotated[tuple[Token, ...], Unique, OneOrMany] = ()
    """Parameters taken out of what is sent to the peer."""


class AgreementHeaderRules(Section):
    """Ids of rule sets, in the order in which they run."""

    received: Annotated[tuple[Id, ...], Unique, OneOrMany] = ()
    """For messages received from the peer."""
    sent: Annotated[tuple[Id, ...], Unique, OneOrMany] = ()
    """For messages sent to the peer."""


class Agreement(Section):
    """What the two operators agreed on; what it does not mention passes unchanged."""

    id: Id
    """Stable name for peers."""
    trusted: bool
    """Is the other network in our trust domain (RFC 3325)?"""
    methods: Annotated[tuple[Method, ...], Field(min_length=1), Unique, OneOrMany]
    """Methods that may come from the peer."""
    option_tags: Annotated[tuple[Token, ...], Unique, OneOrMany] = ()
    """Option tags that the peer may put into Proxy-Require."""
    body_size_max: Sized | None = None
    """Longest body."""
    header_size_max: Annotated[SizeBytes, Within(Size(256), Size(65_536))] | None = None
    """Longest start line and headers together."""
    datagram_size_max: Annotated[SizeBytes, Within(Size(512), Size(65_536))] | Literal["unlimited"] = Size(1_300)
    """A longer request goes by TCP instead of UDP, if the peer has a tcp listener (RFC 3261 §18.1.1)."""
    connection_reuse: bool = False
    """May requests to the peer leave on connections that it opened (RFC 5923)?"""
    charging: AgreementCharging = Field(default_factory=AgreementCharging)
    """P-Charging-Vector towards the peer."""
    header_rules: AgreementHeaderRules = Field(default_factory=AgreementHeaderRules)
    """Edits of headers."""
    reason_header: bool = False
    """May our reason stand in a Reason header of responses to this peer?"""
