"""From found servers to the priorities and weights of targets (RFC 2782, RFC 7984; LOC-09, LOC-10, LOC-12).

The core knows one order: lower priority first, a weighted draw among equals. So everything that RFC 3263 ranks becomes
a priority: the NAPTR record, then the priority of the SRV record, then the address family. That the other family of a
server is tried before the next server, once an address failed, is the core's part: targets carry a number of theirs.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Final

from ibcf.routing.location import FAMILY_OF_VERSION, Family, Target

if TYPE_CHECKING:
    from collections.abc import Iterable
    from ipaddress import IPv4Address, IPv6Address

    from ibcf.routing.transports import Transport

TARGETS_MAX: Final = 32
"""Of one result; Timer B leaves time for a handful."""
WEIGHT_MAX: Final = 65_535


@dataclass(frozen=True, slots=True)
class Server:
    """One SRV record, or the host itself where there is none, with its addresses."""

    name: str
    port: int
    transport: Transport
    rank: int
    """Position of its NAPTR record, or of its transport."""
    priority: int
    weight: int
    addresses: tuple[IPv4Address | IPv6Address, ...]


@dataclass(frozen=True, slots=True)
class _Share:
    """The addresses of one family of one server: they share its weight."""

    key: tuple[int, int, int]
    number: int
    server: Server
    addresses: tuple[IPv4Address | IPv6Address, ...]


def ranked(servers: Iterable[Server], families: tuple[Family, ...]) -> tuple[Target, ...]:
    """Return the targets that *servers* come to, at most `TARGETS_MAX`, each address, port and transport once.

    Addresses of one server stand in a fixed order, so that the same records in another order (DNS servers turn them
    round) are the same targets.
    """
    shares = sorted(_shares(servers, families), key=lambda share: share.key)
    targets: list[Target] = []
    seen: set[tuple[IPv4Address | IPv6Address, int, Transport]] = set()
    priority = 0
    for _, equals in groupby(shares, key=lambda share: share.key):
        before = len(targets)
        for share, weight in _weighted(list(equals)):
            for address in share.addresses:
                place = (address, share.server.port, share.server.transport)
                if place not in seen:
                    seen.add(place)
                    targets.append(Target(share.server.name, *place, priority, weight, share.number))
        priority += len(targets) > before
    return tuple(targets[:TARGETS_MAX])


def _shares(servers: Iterable[Server], families: tuple[Family, ...]) -> Iterable[_Share]:
    for number, server in enumerate(servers):
        for position, family in enumerate(families):
            addresses = {one for one in server.addresses if FAMILY_OF_VERSION[one.version] == family}
            if addresses:
                key = (server.rank, server.priority, position)
                yield _Share(key, number, server, tuple(sorted(addresses, key=int)))


def _weighted(shares: list[_Share]) -> list[tuple[_Share, int]]:
    """Give each address its part of the weight of its server: two addresses must not double it.

    All weights are first made larger alike, so that the parts are whole numbers, and smaller again where they do not
    fit; none but 0 becomes 0, which means "hardly ever" (RFC 2782).
    """
    parts = math.lcm(*(len(share.addresses) for share in shares))
    exact = [share.server.weight * parts // len(share.addresses) for share in shares]
    highest = max(exact)
    if highest > WEIGHT_MAX:
        exact = [max(weight * WEIGHT_MAX // highest, min(weight, 1)) for weight in exact]
    return list(zip(shares, exact, strict=True))
