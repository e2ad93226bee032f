"""What `python -m benchmarks all` measures, as a table: which part, which peers, which work, how often."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

from benchmarks.called_numbers import COUNT
from benchmarks.memory import SETTLED_S
from benchmarks.subject import Subject
from benchmarks.targets import (
    EMPTY,
    FULL,
    GROWTH_RATE,
    NUMBER_RATES,
    POLICY,
    RATES,
    STREAM_RATE,
    TRANSIT_RATES,
    generator_at,
)
from benchmarks.work import WARM_S, Generator, Scenario, Work
from benchmarks.workers import STATES

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

Part = Literal["limit", "cost", "streams", "transit", "memory", "growth", "storms", "profile", "workers"]
PARTS: tuple[Part, ...] = get_args(Part)

ONCE: tuple[Part, ...] = ("limit", "memory", "storms", "profile", "workers")
"""Not repeated, and first: whoever ends a bench early loses repetitions. The limits before all: that of the generator
alone tells what the others are worth."""

RELAYS = ("forwarder", "kamailio:L1", "ibcf:L1")
BORDERS = ("kamailio:L2", "ibcf:L2")
NUMBERS = ("kamailio:L3", "kamailio-cache:L3", "ibcf:L3")
LIMITS = {
    "direct": 5_000,
    "forwarder": 5_000,
    "kamailio:L3": 1_200,
    "kamailio-cache:L3": 1_500,
    "ibcf:L1": 5_000,
    "ibcf:L3": 5_000,
}
"""Where the search begins."""
STREAMS = (
    "ibcf:L1",
    "ibcf:L1:tcp",
    "ibcf:L1:tls",
    "kamailio:L1",
    "kamailio:L1:tcp",
    "kamailio:L1:tls",
)
PROFILED = ("forwarder", "ibcf:L1", "ibcf:L2", "ibcf:L3")
LIMIT_WARM_S = 2.0
MEMORY_RATE = 1_000
WALL_SHARE = 0.8
"""Of a wall, so much may pass before its calls count; a small one is therefore put up more slowly."""
REPEAT = 3


@dataclass(frozen=True, slots=True)
class Task:
    """One measurement."""

    part: Part
    subject: Subject
    work: Work
    generator: Generator = "load"
    state: str = ""
    calls: int = 0
    """In progress meanwhile."""

    @property
    def expected_s(self) -> float:
        """About how long it takes, for the progress bar."""
        searches = 9 if self.part == "limit" else 1
        walls = 2 * SETTLED_S if self.state == FULL else 0.0
        return searches * (self.work.warm_s + self.work.seconds + 2) + walls + 3


@dataclass(frozen=True, slots=True)
class Size:
    """How much of everything."""

    seconds: float
    repeat: int
    rates: tuple[int, ...]
    number_rates: tuple[int, ...]
    limits: Sequence[str]
    limit_seconds: float
    calls: int
    """In progress, for memory and growth."""
    parts: tuple[Part, ...] = PARTS
    warm_s: float = WARM_S


WHOLE = Size(8.0, REPEAT, RATES, NUMBER_RATES, tuple(LIMITS), 4.0, 100_000)
QUICK = Size(
    5.0,
    1,
    RATES[:2],
    NUMBER_RATES,
    ("direct", "kamailio:L3", "ibcf:L3"),
    3.0,
    20_000,
    parts=("limit", "cost", "streams", "transit", "memory", "profile", "workers"),
    warm_s=3.0,
)


def plan(size: Size, parts: Sequence[Part] = ()) -> list[Task]:
    """Return all measurements in their order; what is compared between peers is repeated, in turns."""
    parts = parts or size.parts
    turns = [task for part in parts if part not in ONCE for task in tasks(part, size)]
    return [task for part in ONCE if part in parts for task in tasks(part, size)] + turns * size.repeat


def tasks(part: Part, size: Size) -> list[Task]:
    """Return what is measured for one part."""
    return _TASKS[part](size)


def _limits(size: Size) -> list[Task]:
    return [
        Task("limit", Subject.parse(name), Work(LIMITS[name], size.limit_seconds, warm_s=LIMIT_WARM_S))
        for name in size.limits
    ]


def _costs(size: Size) -> list[Task]:
    pairs = [(rate, name) for rate in size.rates for name in RELAYS + BORDERS]
    pairs += [(rate, name) for rate in size.number_rates for name in NUMBERS]
    return [
        Task("cost", Subject.parse(name), Work(rate, size.seconds, warm_s=size.warm_s), generator_at(rate))
        for rate, name in pairs
    ]


def _streams(size: Size) -> list[Task]:
    return [
        Task("streams", Subject.parse(name), Work(STREAM_RATE, size.seconds, warm_s=size.warm_s)) for name in STREAMS
    ]


def _transits(size: Size) -> list[Task]:
    # every number is called once before, so that what is measured comes from the cache
    return [
        Task("transit", Subject.parse(name), Work(rate, size.seconds, warm_s=max(size.warm_s, COUNT / rate + 1)))
        for rate in TRANSIT_RATES
        for name in ("forwarder", *NUMBERS)
    ]


def _memories(size: Size) -> list[Task]:
    rate = min(MEMORY_RATE, round(size.calls / SETTLED_S * WALL_SHARE))
    wall = Work(rate, size.calls / rate)
    return [
        Task("memory", Subject.parse(name), wall, state=state) for name in BORDERS for state in ("ringing", "answered")
    ]


def _growths(size: Size) -> list[Task]:
    ours, work = Subject.parse("ibcf:L2"), Work(GROWTH_RATE, size.seconds)
    return [Task("growth", ours, work, state=state, calls=size.calls) for state in (EMPTY, FULL, POLICY)]


def _storms(size: Size) -> list[Task]:
    storms: tuple[Scenario, ...] = ("register", "message")
    return [
        Task("storms", Subject.parse(name), Work(STREAM_RATE, size.seconds, scenario=storm), "sipp")
        for storm in storms
        for name in BORDERS
    ]


def _profiles(size: Size) -> list[Task]:
    work = Work(STREAM_RATE, size.seconds, warm_s=size.warm_s)
    return [Task("profile", Subject.parse(name), work, "sipp") for name in PROFILED]


def _workers(size: Size) -> list[Task]:
    ours, work = Subject.parse("ibcf:L2"), Work(0, size.seconds)
    return [Task("workers", ours, work, state=state) for state in STATES]


_TASKS: dict[Part, Callable[[Size], list[Task]]] = {
    "limit": _limits,
    "cost": _costs,
    "streams": _streams,
    "transit": _transits,
    "memory": _memories,
    "growth": _growths,
    "storms": _storms,
    "profile": _profiles,
    "workers": _workers,
}
