"""Section `agreements`: what the two operators agreed on (TS 29.165 Annex C)."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Literal, Self

from pydantic import ConfigDict, Field, JsonValue, model_validator

from ibcf.config.screening import Screening
from ibcf.config.section import Section
from ibcf.config.values import (
    Duration,
    Grammar,
    Id,
    Method,
    OneOrMany,
    Size,
    SizeBytes,
    Token,
    Unique,
    Within,
    written,
)

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


class SessionTimer(Section):
    """Length of sessions, as a proxy sees to it (RFC 4028 §8): long enough for both ends, short enough for us."""

    expires_max: Annotated[Duration, Within(timedelta(seconds=90), timedelta(days=1))] = timedelta(minutes=30)
    """A longer Session-Expires is lowered to it; asked for where there is none."""
    expires_min: Annotated[Duration, Within(timedelta(seconds=90), timedelta(days=1))] = timedelta(seconds=90)
    """Our Min-SE: a shorter Session-Expires gets 422, or is raised when the caller does not know the timer."""

    @model_validator(mode="after")
    def check_order(self) -> Self:
        """Refuse a longest interval below the shortest, and parts of seconds, which no header can say."""
        if self.expires_max < self.expires_min:
            longest, shortest = written(self.expires_max), written(self.expires_min)
            raise ValueError(f"expires_max must not be below expires_min, {shortest} (got {longest})")
        for name in ("expires_max", "expires_min"):
            value: timedelta = getattr(self, name)
            if value % timedelta(seconds=1):
                raise ValueError(f"{name} must be whole seconds (got {written(value)})")
        return self


def _may_be_taken_over(schema: dict[str, JsonValue]) -> None:
    """Say in the schema that what is required may come from the agreement that this one extends."""
    schema["required"] = ["id"]
    schema["anyOf"] = [{"required": ["extends"]}, {"required": ["trusted", "methods"]}]


class Agreement(Section):
    """What the two operators agreed on; what it does not mention passes unchanged."""

    model_config = ConfigDict(json_schema_extra=_may_be_taken_over)

    id: Id
    """Stable name for peers."""
    extends: Id | None = None
    """Another agreement: what this one does not say is as there; mappings are completed, lists replaced."""
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
    overload_control: Literal["loss"] | None = None
    """May each ask the other for so many percent fewer requests, in Via (RFC 7339)? Not unless set."""
    charging: AgreementCharging = Field(default_factory=AgreementCharging)
    """P-Charging-Vector towards the peer."""
    header_rules: AgreementHeaderRules = Field(default_factory=AgreementHeaderRules)
    """Edits of headers."""
    reason_header: bool = False
    """May our reason stand in a Reason header of responses to this peer, and what another peer said behind it?"""
    warning_header: bool = False
    """May it stand in a Warning header (RFC 3261 §20.43)?"""
    session_timer: SessionTimer | None = None
    """Bounds for the length of sessions (RFC 4028); left to the user agents unless set."""
    screening: Screening | None = None
    """What may stand in a message; everything unless set."""
    resource_priority: Annotated[tuple[Token, ...], Unique, OneOrMany] = ()
    """Values of Resource-Priority (RFC 4412) or namespaces, `ets.0`, `wps`, with which requests pass every limit."""

    @model_validator(mode="after")
    def check_trust(self) -> Self:
        """Refuse to believe a network about priority that is believed about nothing."""
        if self.resource_priority and not self.trusted:
            raise ValueError("resource_priority needs trusted: true")
        return self
