"""What is looked for, what is asked on the way, and what is found. Plain values, shared by all of `ibcf.routing`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from ibcf.dns.records import Class, Host, Naptr, RecordSet, Srv
from ibcf.routing.transports import TRANSPORTS, Transport

if TYPE_CHECKING:
    from ipaddress import IPv4Address, IPv6Address

Kind = Literal["NAPTR", "SRV", "A", "AAAA"]
Family = Literal["ipv4", "ipv6"]
Outcome = Literal["found", "not_found", "failed"]
VERSION_OF_FAMILY: Final[dict[Family, int]] = {"ipv4": 4, "ipv6": 6}
FAMILY_OF_VERSION: Final = {version: family for family, version in VERSION_OF_FAMILY.items()}
Answer = RecordSet[Naptr] | RecordSet[Srv] | RecordSet[Host]


@dataclass(frozen=True, slots=True)
class Destination:
    """The parts of a SIP URI that say where its servers are (RFC 3263 §4)."""

    host: str
    """`maddr` if the URI has it, else its host; a name, or an address (IPv6 in brackets or without)."""
    port: int | None = None
    transport: Transport | None = None
    sips: bool = False

    def __str__(self) -> str:
        """Write it as a URI."""
        port = "" if self.port is None else f":{self.port}"
        transport = "" if self.transport is None else f";transport={self.transport}"
        return f"{'sips' if self.sips else 'sip'}:{self.host}{port}{transport}"


@dataclass(frozen=True, slots=True)
class Preferences:
    """What we can speak to the servers, the best first."""

    transports: tuple[Transport, ...] = TRANSPORTS
    families: tuple[Family, ...] = ("ipv4", "ipv6")


@dataclass(frozen=True, slots=True)
class Query:
    """One question to DNS."""

    kind: Kind
    name: str


@dataclass(frozen=True, slots=True)
class Target:
    """Where a request may be sent: lower priority first, among equals by weight (RFC 2782)."""

    name: str
    """The server whose address it is."""
    address: IPv4Address | IPv6Address
    port: int
    transport: Transport
    priority: int
    weight: int
    server: int = 0
    """The number of the server in the result: one with addresses of both families is tried by both (RFC 7984)."""

    @property
    def place(self) -> str:
        """Return address and port: `192.0.2.1:5060`."""
        return f"[{self.address}]:{self.port}" if self.address.version == 6 else f"{self.address}:{self.port}"

    def __str__(self) -> str:
        """Write it as `udp 192.0.2.1:5060`."""
        return f"{self.transport} {self.place}"


@dataclass(frozen=True, slots=True)
class Judgement:
    """What became of one record, for `ibcf locate`."""

    record: str
    skipped: str = ""
    """Why it was not used; empty if it was."""


@dataclass(frozen=True, slots=True)
class Step:
    """One query and its answer, for `ibcf locate`."""

    query: Query
    class_: Class
    detail: str = ""
    judgements: tuple[Judgement, ...] = ()


@dataclass(frozen=True, slots=True)
class Located:
    """The result: all targets in the order of their priority, or why there are none."""

    outcome: Outcome
    class_: Class
    targets: tuple[Target, ...] = ()
    ttl_ms: int = 0
    """How long it may be used."""
    is_partial: bool = False
    """Did a query fail on the way? Then there may be more servers than these, and it is worth asking again soon."""
    is_uncertain: bool = False
    """Was it a NAPTR or SRV query that failed? Then other servers than these might have come first."""
    is_stale: bool = False
    """Is it the last good answer, used beyond its time because DNS fails (RFC 8767)?"""
    steps: tuple[Step, ...] = ()
    detail: str = ""
