"""Reads the clocks before and after a run: CPU of everyone who takes part, and of the machine."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmarks.accounting import Usage, busy_us, usage

if TYPE_CHECKING:
    from benchmarks.children import Child

PACE_S = 0.05
QUIET_CORES = 0.12
"""Less than this of others is a quiet machine: they would cost a call some microseconds of cache."""
QUIET_LOOK_S = 1.5


@dataclass(frozen=True)
class Reading:
    """All clocks at one moment."""

    time_s: float
    busy_us: float
    own_us: float
    """Of the rig itself."""
    usages: dict[str, Usage]


class Meter:
    """Watches children by name."""

    def __init__(self, **watched: Child | None) -> None:
        """Watch those that there are."""
        self._watched: dict[str, Child] = {}
        self._last: dict[str, Usage] = {}
        self.watch(**watched)

    def watch(self, **watched: Child | None) -> None:
        """Watch more of them."""
        self._watched |= {name: child for name, child in watched.items() if child is not None}

    def read(self) -> Reading:
        """Read all clocks; of a child that has ended, what was read last."""
        for name, child in self._watched.items():
            now = usage(child.pid)
            if now.threads:
                self._last[name] = now
        return Reading(time.monotonic(), busy_us(), time.process_time() * 1e6, dict(self._last))

    def until_end(self, child: Child, *, deadline_s: float) -> Reading:
        """Read again and again until *child* has ended or its time is over, and return the last reading."""
        end = time.monotonic() + deadline_s
        while child.code is None and time.monotonic() < end:
            self.read()
            time.sleep(PACE_S)
        return self.read()


@dataclass(frozen=True)
class Spent:
    """What was used between two readings."""

    seconds: float
    usages: dict[str, Usage]
    others_cpu: float

    @classmethod
    def between(cls, before: Reading, after: Reading) -> Spent:
        """Subtract."""
        nothing = Usage({})
        usages = {name: now.since(before.usages.get(name, nothing)) for name, now in after.usages.items()}
        seconds = after.time_s - before.time_s
        ours = sum(used.total_us for used in usages.values()) + after.own_us - before.own_us
        others = (after.busy_us - before.busy_us - ours) / 1e6 / seconds
        return cls(seconds, usages, round(others, 3))


def wait_quiet(deadline_s: float) -> bool:
    """Wait until others leave the machine alone; tell whether they did."""
    end = time.monotonic() + deadline_s
    while True:
        before, begun = busy_us(), time.monotonic()
        time.sleep(QUIET_LOOK_S)
        if (busy_us() - before) / 1e6 / (time.monotonic() - begun) < QUIET_CORES:
            return True
        if time.monotonic() > end:
            return False
