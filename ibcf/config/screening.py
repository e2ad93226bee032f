"""Section `agreements[].screening`: what may stand in a message that crosses (SC-01 to SC-19, TS 24.229 §5.10.6)."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from ibcf.config.header_rules import FORBIDDEN
from ibcf.config.match import MimeType
from ibcf.config.section import Section
from ibcf.config.values import OneOrMany, Token, Unique

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
    """Types that may cross beside application/sdp and multipart/mixed, related, alternative; all when left out (SC-12)."""
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


class Screening(Section):
    """What may stand in a message; what is not mentioned passes. ACK, BYE and responses are never refused."""

    headers: HeaderScreening = Field(default_factory=HeaderScreening)
    """Names of headers."""
    bodies: BodyScreening = Field(default_factory=BodyScreening)
    """Types and sizes of bodies."""
