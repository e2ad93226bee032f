"""The peers of the comparison, as a table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmarks import border, forwarder, kamailio
from benchmarks.errors import RigError

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.launch import Launch
    from benchmarks.place import Place
    from benchmarks.subject import Subject


@dataclass(frozen=True)
class Peer:
    """One kind of proxy."""

    title: str
    launch: Callable[[Place, Subject], Launch] | None
    """Nothing is started for the generator alone."""
    levels: tuple[int, ...] = (1,)
    transports: tuple[str, ...] = ("udp",)
    record_routes: int = 0
    """Values that it writes into Record-Route: the border has a listener for each side (RFC 5658)."""
    masks_call_id: bool = False
    """Does it hide the Call-ID at level 3?"""

    @property
    def is_proxy(self) -> bool:
        """Does it read what it forwards?"""
        return self.record_routes > 0


PEERS: dict[str, Peer] = {
    "direct": Peer("the generator alone", None, transports=("udp", "tcp", "tls")),
    "forwarder": Peer("bare UDP forwarder", forwarder.launch),
    "kamailio": Peer(
        "Kamailio", kamailio.launch, (1, 2, 3), ("udp", "tcp", "tls"), record_routes=1, masks_call_id=True
    ),
    "kamailio-cache": Peer("Kamailio, ENUM cached", kamailio.launch_cached, (3,), record_routes=1, masks_call_id=True),
    "ibcf": Peer("ibcf", border.launch, (1, 2, 3), ("udp", "tcp", "tls"), record_routes=2),
}


def peer_of(subject: Subject) -> Peer:
    """Return the row of a subject.

    Raises:
        RigError: there is no such peer, or it does not do that.
    """
    peer = PEERS.get(subject.peer)
    if peer is None:
        raise RigError(f'no peer "{subject.peer}" (known: {", ".join(PEERS)})')
    if subject.level not in peer.levels:
        raise RigError(f"{subject.peer} has no level {subject.level} (it has {', '.join(map(str, peer.levels))})")
    if subject.transport not in peer.transports:
        raise RigError(f"{subject.peer} does not speak {subject.transport} (it speaks {', '.join(peer.transports)})")
    return peer
