"""Section `locator`: where the servers of a domain are looked up (RFC 3263)."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Literal

from pydantic import Field, ValidationInfo, field_validator

from ibcf.config.section import Section
from ibcf.config.values import Address, Duration, OneOrMany, Unique, Within, written

_Ttl = Within(timedelta(0), timedelta(days=7))


class Locator(Section):
    """The DNS servers for next hops, and how long what they say is used."""

    servers: Annotated[tuple[Address, ...], Field(min_length=1, max_length=16), Unique, OneOrMany]
    """DNS servers, tried in order."""
    timeout: Annotated[Duration, Within(timedelta(milliseconds=10), timedelta(minutes=1))] = timedelta(milliseconds=500)
    """How long one server may take."""
    tries: Annotated[int, Field(ge=1, le=10)] = 2
    """How often each server is asked."""
    deadline: Annotated[Duration, Within(timedelta(milliseconds=10), timedelta(minutes=1))] = timedelta(seconds=2)
    """How long the whole location may take; what is known by then is used."""
    ttl_min: Annotated[Duration, _Ttl] = timedelta(seconds=5)
    """How long an answer is used at least, whatever its TTL."""
    ttl_max: Annotated[Duration, _Ttl] = timedelta(hours=1)
    """How long an answer is used at most."""
    negative_ttl: Annotated[Duration, _Ttl] = timedelta(seconds=30)
    """How long a "no" is kept."""
    stale_max: Annotated[Duration, Within(timedelta(0), timedelta(days=30))] = timedelta(days=1)
    """How long the last good answer serves while DNS fails (RFC 8767)."""
    names_max: Annotated[int, Field(ge=1, le=1_000_000)] = 10_000
    """Last good answers kept for destinations that calls asked for."""
    families: Annotated[tuple[Literal["ipv4", "ipv6"], ...], Field(min_length=1), Unique, OneOrMany] = ("ipv6", "ipv4")
    """Address families, the preferred one first (RFC 7984); those that a peer's listeners lack are passed over."""

    @field_validator("deadline")
    @classmethod
    def check_deadline(cls, value: timedelta, info: ValidationInfo) -> timedelta:
        """Refuse a deadline before the first server could answer."""
        return _not_below(value, "timeout", info)

    @field_validator("ttl_max")
    @classmethod
    def check_ttl_max(cls, value: timedelta, info: ValidationInfo) -> timedelta:
        """Refuse bounds the wrong way round."""
        return _not_below(value, "ttl_min", info)


def _not_below(value: timedelta, name: str, info: ValidationInfo) -> timedelta:
    lower: timedelta | None = info.data.get(name)
    if lower is not None and value < lower:
        raise ValueError(f"must not be below {name}, {written(lower)} (got {written(value)})")
    return value
