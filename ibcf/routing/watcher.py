"""Keeps the peers located that are given as a domain: one task a peer, asking when the answer before is over.

The core gets the targets whenever they are others than before. What it has stays in use meanwhile, so no call ever
waits for this.
"""

from __future__ import annotations

import asyncio
import random
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Protocol

import structlog

from ibcf.routing.watch import Change, Watch

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping

    from ibcf.routing.location import Destination, Located, Preferences, Target

LOCATIONS_MAX: Final = 32
"""Peers asked for at once: a start with thousands must not use up the time of each search with waiting."""


@dataclass(frozen=True, slots=True)
class PeerDomain:
    """A peer, and where it is to be looked for."""

    peer: str
    destination: Destination
    preferences: Preferences


class Locate(Protocol):
    """Finds the servers of a destination; raises nothing."""

    def __call__(self, destination: Destination, preferences: Preferences) -> Awaitable[Located]:
        """Return where it is."""
        ...


class Push(Protocol):
    """Hands targets to the core."""

    def __call__(self, sets: Mapping[str, tuple[Target, ...]]) -> Awaitable[None]:
        """Tell where the peers of *sets* are."""
        ...


class WatchObserver(Protocol):
    """Is told what became of each location of a peer: for log and metrics."""

    def __call__(self, domain: PeerDomain, watch: Watch, located: Located, change: Change) -> None:
        """Take note."""
        ...


@dataclass(slots=True, eq=False)
class _Watched:
    domain: PeerDomain
    watch: Watch
    first: asyncio.Event = field(default_factory=asyncio.Event)
    """Was there any answer?"""
    task: asyncio.Task[None] | None = None


@dataclass(slots=True)
class Watcher:
    """Watches peers."""

    locate: Locate
    push: Push
    observe: WatchObserver
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    chance: Callable[[], float] = random.random
    _peers: dict[str, _Watched] = field(default_factory=dict)
    _waiting: dict[str, tuple[Target, ...]] = field(default_factory=dict)
    """Sets that the core does not have yet, the newest of each peer."""
    _slots: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(LOCATIONS_MAX))
    _pusher: asyncio.Task[None] | None = None
    """A task of its own, so that sets cross in order even when the watch that gave one ends meanwhile."""

    def watch(self, domains: Iterable[PeerDomain], *, stale_max_s: float) -> None:
        """Watch these peers from now on, and no others; one that is watched already goes on as it is.

        What was known of each stays in use for *stale_max_s* while DNS fails.
        """
        wanted = {domain.peer: domain for domain in domains}
        for peer, watched in list(self._peers.items()):
            if wanted.get(peer) != watched.domain:
                del self._peers[peer]
                self._waiting.pop(peer, None)
                if watched.task is not None:
                    watched.task.cancel()
        for peer, domain in wanted.items():
            if peer in self._peers:
                self._peers[peer].watch.stale_max_s = stale_max_s
            else:
                watched = _Watched(domain, Watch(stale_max_s))
                self._peers[peer] = watched
                watched.task = asyncio.create_task(self._keep_located(watched), name=f"watch {peer}")

    def of(self, peer: str) -> Watch | None:
        """Return what is known of *peer*, if it is watched."""
        watched = self._peers.get(peer)
        return None if watched is None else watched.watch

    async def first_answers(self, timeout_s: float) -> None:
        """Return when there was an answer for every peer, of whatever kind, or after so long."""
        waits = [asyncio.create_task(watched.first.wait()) for watched in self._peers.values()]
        if waits:
            _, late = await asyncio.wait(waits, timeout=timeout_s)
            for task in late:
                task.cancel()

    async def close(self) -> None:
        """Stop watching."""
        tasks = [watched.task for watched in self._peers.values() if watched.task is not None]
        self._peers = {}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._pusher is not None:
            await self._pusher

    async def _keep_located(self, watched: _Watched) -> None:
        while True:
            domain = watched.domain
            async with self._slots:
                located = await self.locate(domain.destination, domain.preferences)
            change = watched.watch.take(located, now=self.clock(), chance=self.chance())
            self.observe(domain, watched.watch, located, change)
            if change.is_pushed:
                self._waiting[domain.peer] = watched.watch.targets
                if self._pusher is None:
                    self._pusher = asyncio.create_task(self._push_waiting(), name="push targets")
                await asyncio.shield(self._pusher)
            watched.first.set()
            await self.sleep(change.wait_s)

    async def _push_waiting(self) -> None:
        """Push what waits until nothing does; many that become known together cross together."""
        while self._waiting:
            sets, self._waiting = self._waiting, {}
            try:
                await self.push(sets)
            except Exception:  # noqa: BLE001 - the watch of all peers must not end with one push
                structlog.get_logger().exception("watch.defect", peers=sorted(sets))
        self._pusher = None
