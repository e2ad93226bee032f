"""The proxy under test with all that it needs around it, up for as long as a block lasts."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmarks.children import Child
from benchmarks.levels import NUMBERS
from benchmarks.name_server import name_server
from benchmarks.peers import Peer, peer_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.launch import Launch
    from benchmarks.place import Place
    from benchmarks.subject import Subject

START_S = 30


@dataclass(frozen=True)
class Stage:
    """What is running."""

    subject: Subject
    place: Place
    peer: Peer
    proxy: Child | None
    dns: Child | None

    @property
    def target(self) -> str:
        """Where the caller sends to."""
        return self.place.callee if self.proxy is None else self.place.proxy


@contextlib.contextmanager
def stage(subject: Subject, place: Place, *, launch: Launch | None = None) -> Iterator[Stage]:
    """Start the peer of *subject*, by another *launch* than its own where one is given, and wait until it serves."""
    peer = peer_of(subject)
    with contextlib.ExitStack() as ends:
        dns = ends.enter_context(name_server(place)) if subject.level == NUMBERS else None
        proxy = None
        start = launch or (None if peer.launch is None else peer.launch(place, subject))
        if start is not None:
            proxy = Child(
                start.command,
                folder=place.folder,
                name=subject.peer,
                cpus=place.cores.proxy,
                environment=start.environment,
            )
            ends.enter_context(proxy)
            child, is_ready = proxy, start.is_ready
            proxy.wait_for(lambda: is_ready(child), deadline_s=START_S, what=f"{subject} is ready")
        yield Stage(subject, place, peer, proxy, dns)
