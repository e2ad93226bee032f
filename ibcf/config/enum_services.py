"""Section `enum`: where numbers are looked up (RFC 6116)."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Self

from pydantic import ConfigDict, Field, ValidationInfo, field_validator, model_validator

from ibcf.config.section import Section, exactly_one, one_of_schema
from ibcf.config.values import (
    Address,
    Domain,
    Duration,
    EnumServiceType,
    FilePath,
    Id,
    OneOrMany,
    Unique,
    Within,
    written,
)


class EnumService(Section):
    """A place to look numbers up: DNS servers, or a zone file."""

    model_config = ConfigDict(json_schema_extra=one_of_schema("servers", "zone_file"))

    id: Id
    """Stable name for routes."""
    apexes: Annotated[tuple[Domain, ...], Field(min_length=1), Unique, OneOrMany]
    """Domains under which the digits are looked up, in order: e164.arpa, e164enum.net."""
    services: Annotated[tuple[EnumServiceType, ...], Field(min_length=1), Unique, OneOrMany] = ("sip",)
    """Enumservices that are of use; which of them goes first, the records say (RFC 6116 §3.4)."""
    servers: Annotated[tuple[Address, ...], Field(min_length=1), Unique, OneOrMany] | None = None
    """DNS servers, tried in order."""
    zone_file: FilePath | None = None
    """A master file (RFC 1035) that is used instead of DNS; relative to this configuration file. One that is not there
    is no fault: look-ups fail until it comes, and everything else goes on."""
    timeout: Annotated[Duration, Within(timedelta(milliseconds=10), timedelta(minutes=1))] = timedelta(milliseconds=500)
    """How long one server may take."""
    deadline: Annotated[Duration, Within(timedelta(milliseconds=10), timedelta(minutes=1))] = timedelta(seconds=2)
    """How long the whole resolution may take; then it counts as failed."""
    negative_ttl: Annotated[Duration, Within(timedelta(0), timedelta(days=1))] = timedelta(seconds=60)
    """How long a "no" is kept at most."""
    ttl_max: Annotated[Duration, Within(timedelta(0), timedelta(days=7))] = timedelta(days=1)
    """How long an answer is kept at most."""
    digits_min: Annotated[int, Field(ge=1, le=15)] = 7
    """Numbers with fewer digits are never asked for."""
    candidates_max: Annotated[int, Field(ge=1, le=16)] = 3
    """How many URIs of one answer may be tried one after the other."""

    @field_validator("deadline")
    @classmethod
    def check_deadline(cls, value: timedelta, info: ValidationInfo) -> timedelta:
        """Refuse a deadline before the first server could answer."""
        timeout: timedelta | None = info.data.get("timeout")
        if timeout is not None and value < timeout:
            raise ValueError(f"must not be below timeout, {written(timeout)} (got {written(value)})")
        return value

    @model_validator(mode="after")
    def check_one(self) -> Self:
        """Refuse two places to look, or none."""
        exactly_one(self, "servers", "zone_file")
        return self
