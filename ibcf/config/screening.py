"""Section `agreements[].screening`: what may stand in a message that crosses (SC-01 to SC-19, TS 24.229 §5.10.6)."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from ibcf.config.header_rules import FORBIDDEN
from ibcf.config.match import MimeType
from ibcf.config.section import Section
from ibcf.config.values import Cidr, OneOrMany, Token, Unique

Act = Literal["pass", "remove", "refuse"]

_REGISTRATION = "a registration would lose its way (SC-03)"
_FIXED = {
    **FORBIDDEN,
    "path": _REGISTRATION,
    "service-route": _REGISTRATION,
    "contact": "dialogs need it (RFC 3261 §8.1.1.8)",
    "m": "dialogs need it (RFC 3261 §8.1.1.8)",
    "content-type": "it goes with the body: see bodies",
    "c": "it goes with the body: see bodies",
}


def _check_header(name: str) -> str:
    if reason := _FIXED.get(name.lower()):
        raise ValueError(f"{name} cannot be screened: {reason}")
    return name


ScreenedHeader = Annotated[Token, AfterValidator(_check_header)]


class HeaderScreening(Section):
    """Headers of what comes from the peer; those that are removed or not allowed do not go to it either (SC-06)."""

    allow: Annotated[tuple[Token, ...], Unique, OneOrMany] | None = None
    """Names that may stand beside those that SIP needs; all when left out (SC-17)."""
    otherwise: Literal["remove", "refuse"] = "remove"
    """What becomes of names that `allow` does not have."""
    remove: Annotated[tuple[ScreenedHeader, ...], Unique, OneOrMany] = ()
    """Names that are taken out."""
    refuse: Annotated[tuple[ScreenedHeader, ...], Unique, OneOrMany] = ()
    """Names for which a request gets 403."""
    lookalikes: Act = "pass"
    """What becomes of names that look like a known one: P_Asserted_Identity, Fr0m (SEC-12)."""
    repeated: Act = "pass"
    """What becomes of the second of a header that stands once; compact and long form are the same (SEC-12)."""

    @model_validator(mode="after")
    def check_otherwise(self) -> Self:
        """Refuse a word about others where all are allowed."""
        if self.allow is None and "otherwise" in self.model_fields_set:
            raise ValueError("otherwise needs allow: without it every header is allowed")
        return self


class BodyScreening(Section):
    """Bodies of what comes from the peer, and the parts of a multipart (RFC 5621)."""

    allow: Annotated[tuple[MimeType, ...], Unique, OneOrMany] | None = None
    """Types beside application/sdp and multipart/mixed, related, alternative; all may cross if left out (SC-12)."""
    otherwise: Literal["by_handling", "remove", "refuse"] = "by_handling"
    """What becomes of other types: as Content-Disposition says, 415 when required and removed when optional (SC-13)."""
    oversized: Literal["refuse", "remove"] = "refuse"
    """What becomes of a body longer than `body_size_max` (SC-09)."""

    @model_validator(mode="after")
    def check_otherwise(self) -> Self:
        """Refuse a word about others where all are allowed."""
        if self.allow is None and "otherwise" in self.model_fields_set:
            raise ValueError("otherwise needs allow: without it every type is allowed")
        return self


class AddressScreening(Section):
    """Addresses that are not reached from everywhere: private, loopback, link-local, multicast ones (SEC-27)."""

    sdp: Literal["pass", "refuse"] = "pass"
    """Of media in session descriptions: 488; a connection of 0.0.0.0 or :: is a call on hold."""
    contact: Literal["pass", "refuse"] = "pass"
    """In Contact: 403."""
    allowed: Annotated[tuple[Cidr, ...], Unique, OneOrMany] = ()
    """Networks that pass all the same."""
    escaped_headers: Literal["pass", "refuse"] = "pass"
    """Headers in the URIs of Contact and Refer-To: 403 (SEC-29, SEC-31)."""


class OptionScreening(Section):
    """Option tags: in Require 420 with Unsupported, in Supported taken out (SC-18)."""

    allow: Annotated[tuple[Token, ...], Unique, OneOrMany] | None = None
    """Tags that may cross; all when left out."""
    refuse: Annotated[tuple[Token, ...], Unique, OneOrMany] = ()
    """Tags that may not."""


class NumberScreening(Section):
    """Forms of telephone numbers: of tel URIs, and of SIP URIs with user=phone (RFC 3966)."""

    called: Literal["pass", "valid", "global"] = "pass"
    """Of the Request-URI: global numbers, with `valid` also local ones that have phone-context; else 484."""
    calling: Literal["pass", "valid", "global"] = "pass"
    """Of From and P-Asserted-Identity: the same, else 400."""


class Screening(Section):
    """What may stand in a message; what is not mentioned passes. ACK, BYE and responses are never refused."""

    headers: HeaderScreening = Field(default_factory=HeaderScreening)
    """Names of headers."""
    bodies: BodyScreening = Field(default_factory=BodyScreening)
    """Types and sizes of bodies."""
    addresses: AddressScreening = Field(default_factory=AddressScreening)
    """Addresses in session descriptions and Contact."""
    options: OptionScreening = Field(default_factory=OptionScreening)
    """Option tags of Require and Supported; those of Proxy-Require are the agreement's `option_tags`."""
    numbers: NumberScreening = Field(default_factory=NumberScreening)
    """Forms of the numbers that are called and that call."""
    identity: Act = "pass"
    """What becomes of a malformed P-Asserted-Identity, Identity, History-Info or P-Charging-Vector."""
