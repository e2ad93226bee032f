"""What DNS said, as plain values: records, or the class that says why there are none.

Pure. Who asked, and of whom, is not known here; so DNS servers, a zone file and a test answer with the same words.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final, Generic, TypeVar

if TYPE_CHECKING:
    from ipaddress import IPv4Address, IPv6Address


class Class(StrEnum):
    """Outcome classes, kept apart in logs, counters and routing (ENUM-46)."""

    FOUND = "FOUND"
    NXDOMAIN = "NXDOMAIN"
    NODATA = "NODATA"
    NO_USABLE_RECORD = "NO_USABLE_RECORD"
    SERVFAIL = "SERVFAIL"
    REFUSED = "REFUSED"
    UNREACHABLE = "UNREACHABLE"
    TIMEOUT = "TIMEOUT"
    BAD_RESPONSE = "BAD_RESPONSE"
    LOOP = "LOOP"
    ZONE_MISSING = "ZONE_MISSING"
    ZONE_INVALID = "ZONE_INVALID"
    NOT_E164 = "NOT_E164"
    UNKNOWN_SERVICE = "UNKNOWN_SERVICE"
    INTERNAL = "INTERNAL"


_NOT_FOUND: Final = (Class.NXDOMAIN, Class.NODATA, Class.NO_USABLE_RECORD)
"""Authoritative: routing goes on to "no IMS route" (ENUM-47). From the least to the most that was there."""


def is_not_found(class_: Class) -> bool:
    """Tell whether *class_* is an authoritative no; all else but `FOUND` means that nobody knows."""
    return class_ in _NOT_FOUND


@dataclass(frozen=True, slots=True)
class Naptr:
    """One record, as it was on the wire (a zone file's backslashes are undone)."""

    order: int
    preference: int
    flags: str
    service: str
    regexp: str
    replacement: str
    """Without the final dot; empty for the root."""
    ttl_s: int = 0

    def __str__(self) -> str:
        """Write it as in a zone file, but for the doubled backslashes."""
        fields = " ".join(f'"{text}"' for text in (self.flags, self.service, self.regexp))
        return f"{self.order} {self.preference} {fields} {self.replacement}."


@dataclass(frozen=True, slots=True)
class Srv:
    """A server of a service (RFC 2782)."""

    priority: int
    weight: int
    port: int
    target: str
    """Without the final dot; empty for the root, which means that the service is not there."""
    ttl_s: int = 0

    def __str__(self) -> str:
        """Write it as in a zone file."""
        return f"{self.priority} {self.weight} {self.port} {self.target}."


@dataclass(frozen=True, slots=True)
class Host:
    """An A or AAAA record."""

    name: str
    """Whose address it is, lower case, without the final dot."""
    address: IPv4Address | IPv6Address
    ttl_s: int = 0

    def __str__(self) -> str:
        """Return the address."""
        return str(self.address)


R_co = TypeVar("R_co", Naptr, Srv, Host, covariant=True)


@dataclass(frozen=True, slots=True)
class RecordSet(Generic[R_co]):
    """What DNS said about one name: records, or why there are none."""

    class_: Class
    records: tuple[R_co, ...] = ()
    detail: str = ""
    additional: tuple[Host, ...] = ()
    """Addresses that the server added unasked (RFC 2782: those of the targets)."""
