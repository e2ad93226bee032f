"""Peers kept located, on a clock that only the test moves."""

import asyncio
import heapq
from collections.abc import Mapping
from ipaddress import ip_address
from itertools import count

import pytest

from ibcf.dns.records import Class
from ibcf.routing.location import Destination, Located, Preferences, Target
from ibcf.routing.watch import Change, State, Watch
from ibcf.routing.watcher import LOCATIONS_MAX, PeerDomain, Watcher

ANY = Preferences()
GONE = Located("not_found", Class.NXDOMAIN, ttl_ms=30_000)


def at(last: int, *, ttl_s: int = 60) -> Located:
    """Return a good answer with one address."""
    target = Target("s", ip_address(f"192.0.2.{last}"), 5060, "udp", 0, 1)
    return Located("found", Class.FOUND, (target,), ttl_s * 1000)


def domain(peer: str, host: str = "") -> PeerDomain:
    """Return a peer under a domain of its own."""
    return PeerDomain(peer, Destination(host or f"{peer}.example"), ANY)


async def settle() -> None:
    """Let everything run that can run without time passing."""
    for _ in range(20):
        await asyncio.sleep(0)


class World:
    """A clock, DNS and a core for the watcher."""

    def __init__(self) -> None:
        """Begin at nought, with DNS that knows nothing."""
        self.now = 0.0
        self.answers: dict[str, Located] = {}
        self.slow: set[str] = set()
        self.asked: list[tuple[float, str]] = []
        self.core: dict[str, list[str]] = {}
        self.pushes: list[set[str]] = []
        self.gate: asyncio.Event | None = None
        self.told: list[tuple[str, State]] = []
        self._numbers = count()
        self._sleepers: list[tuple[float, int, asyncio.Event]] = []
        self.watcher = Watcher(
            self._locate,
            self._push,
            self._observe,
            clock=lambda: self.now,
            sleep=self._sleep,
            chance=lambda: 0.0,
        )

    async def _locate(self, destination: Destination, preferences: Preferences) -> Located:
        self.asked.append((self.now, destination.host))
        if destination.host in self.slow:
            await asyncio.Event().wait()
        return self.answers.get(destination.host, GONE)

    async def _push(self, sets: Mapping[str, tuple[Target, ...]]) -> None:
        self.pushes.append(set(sets))
        if self.gate is not None:
            await self.gate.wait()
        for peer, targets in sets.items():
            self.core[peer] = [str(target.address) for target in targets]

    def _observe(self, domain: PeerDomain, watch: Watch, located: Located, change: Change) -> None:
        if change.is_told:
            self.told.append((domain.peer, watch.state))

    async def _sleep(self, seconds: float) -> None:
        event = asyncio.Event()
        heapq.heappush(self._sleepers, (self.now + seconds, next(self._numbers), event))
        await event.wait()

    def watch(self, *domains: PeerDomain) -> None:
        """Watch these peers."""
        self.watcher.watch(domains, stale_max_s=1000)

    async def until(self, moment: float) -> None:
        """Let time pass."""
        await settle()
        while self._sleepers and self._sleepers[0][0] <= moment:
            self.now, _, event = heapq.heappop(self._sleepers)
            event.set()
            await settle()
        self.now = moment


@pytest.fixture
async def world() -> World:
    """A world in which nothing is watched yet."""
    return World()


async def test_a_peer_is_asked_for_again_at_its_ttl_and_moves(world: World) -> None:
    """The core has the address from the first answer on, and the new one after the TTL; no sooner, no more often."""
    world.answers["b.example"] = at(1)
    world.watch(domain("b"))
    await world.until(59)
    assert world.core == {"b": ["192.0.2.1"]}
    world.answers["b.example"] = at(2, ttl_s=10)
    await world.until(61)
    assert world.core == {"b": ["192.0.2.2"]}
    await world.until(85)
    assert [moment for moment, _ in world.asked] == [0, 60, 70, 80]
    assert (world.pushes, world.told) == ([{"b"}, {"b"}], [("b", State.LOCATED)] * 2)
    await world.watcher.close()


async def test_targets_survive_a_failure_of_dns(world: World) -> None:
    """While DNS fails the core keeps what it has; after the bound it has nothing; back is back."""
    world.answers["b.example"] = at(1)
    world.watch(domain("b"))
    await world.until(1)
    world.answers["b.example"] = Located("failed", Class.TIMEOUT, ttl_ms=1000)
    await world.until(999)
    assert (world.core, world.told[-1]) == ({"b": ["192.0.2.1"]}, ("b", State.KEEPING))
    await world.until(1100)
    assert (world.core, world.told[-1]) == ({"b": []}, ("b", State.LOST))
    world.answers["b.example"] = at(3)
    await world.until(1140)
    assert world.core == {"b": ["192.0.2.3"]}
    assert [state for _, state in world.told] == [State.LOCATED, State.KEEPING, State.LOST, State.LOCATED]
    await world.watcher.close()


async def test_a_slow_domain_keeps_nobody_waiting(world: World) -> None:
    """DNS that is silent for one peer delays no other; waiting for the first answers has a bound."""
    world.slow = {"slow.example"}
    world.answers["b.example"] = at(1)
    world.watch(domain("slow"), domain("b"))
    await world.watcher.first_answers(0.01)
    assert world.core == {"b": ["192.0.2.1"]}
    first = world.watcher.of("slow")
    assert first is not None
    assert first.state is State.LOCATING
    await world.watcher.close()


async def test_first_answers_are_in_the_core(world: World) -> None:
    """When the first answers are there, the core has them, the bad ones too."""
    world.answers["b.example"] = at(1)
    world.watch(domain("b"), domain("gone"))
    await world.watcher.first_answers(5)
    assert world.core == {"b": ["192.0.2.1"], "gone": []}
    assert len(world.pushes) <= 2
    await world.watcher.first_answers(5)
    await world.watcher.close()
    await world.watcher.first_answers(5)


async def test_a_reload_keeps_what_did_not_change(world: World) -> None:
    """A peer that stays is not asked for again; one that is new or has another domain is; one that went is not."""
    for name in "abcd":
        world.answers[f"{name}.example"] = at(ord(name) - 96)
    world.watch(domain("a"), domain("b"), domain("c"))
    await world.until(1)
    world.watch(domain("a"), domain("b", "d.example"), domain("d"))
    await world.until(2)
    assert world.core == {"a": ["192.0.2.1"], "b": ["192.0.2.4"], "c": ["192.0.2.3"], "d": ["192.0.2.4"]}
    assert world.watcher.of("c") is None
    await world.until(100)
    asked = [host for _, host in world.asked]
    assert (asked.count("a.example"), asked.count("b.example"), asked.count("c.example")) == (2, 1, 1)
    await world.watcher.close()


async def test_few_peers_are_asked_for_at_once(world: World) -> None:
    """A start with many peers asks for some at a time, and comes to all of them."""
    world.slow = {f"p{number}.example" for number in range(LOCATIONS_MAX)}
    world.watcher.watch([domain(f"p{number}") for number in range(100)], stale_max_s=1)
    await settle()
    assert len(world.asked) == LOCATIONS_MAX
    world.watcher.watch([domain(f"p{number}") for number in range(LOCATIONS_MAX, 100)], stale_max_s=1)
    await world.watcher.first_answers(5)
    assert len(world.core) == 100 - LOCATIONS_MAX
    await world.watcher.close()


async def test_sets_cross_in_order_and_together(world: World) -> None:
    """While one push is under way further sets wait and cross in one, the newest of each peer."""
    world.gate = asyncio.Event()
    world.answers = {f"{name}.example": at(1) for name in "abc"}
    world.watch(domain("a"), domain("b"), domain("c"))
    await world.until(1)
    before = len(world.pushes)
    world.watch(domain("b", "a.example"), domain("c"))
    world.answers["a.example"] = at(9)
    await world.until(2)
    assert len(world.pushes) == before, "one at a time"
    world.gate.set()
    await world.until(3)
    assert world.core["b"] == ["192.0.2.9"]
    await world.watcher.close()


async def test_a_core_that_refuses_a_set_ends_no_watch(world: World) -> None:
    """A push that fails is logged, and the next answer is pushed as ever."""

    async def refuse(sets: Mapping[str, tuple[Target, ...]]) -> None:
        raise RuntimeError("a worker did not carry it out")

    push, world.watcher.push = world.watcher.push, refuse
    world.answers["b.example"] = at(1)
    world.watch(domain("b"))
    await world.until(1)
    world.watcher.push = push
    world.answers["b.example"] = at(2)
    await world.until(61)
    assert world.core == {"b": ["192.0.2.2"]}
    await world.watcher.close()
