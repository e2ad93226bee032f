"""The highest rate at which every call goes well, with the peer on one core."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import msgspec

from benchmarks import load
from benchmarks.record import record
from benchmarks.stage import stage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from benchmarks.place import Place
    from benchmarks.results import Run
    from benchmarks.subject import Subject
    from benchmarks.work import Work

FACTOR = 1.3
"""From one rate to the next as long as all goes well."""
NEAR = 1.04
"""The search ends when it is known so well."""
RATE_MAX = 60_000
GIVEN_UP = 8
"""Where nothing goes well at an eighth of the first rate, the rate is not what is wrong."""


@dataclass
class Search:
    """Goes up by a factor until a rate fails twice, then halves the interval: rates in, verdicts back."""

    rate: int
    good: int = 0
    bad: int = 0
    _again: bool = False
    _first: int = field(init=False)

    def __post_init__(self) -> None:
        """Remember where it began."""
        self._first = self.rate

    @property
    def is_over(self) -> bool:
        """Is it known well enough?"""
        if self.good == 0 and self.bad > 0:
            return self.bad * GIVEN_UP <= self._first
        return self.rate > RATE_MAX or (self.bad > 0 and self.bad <= self.good * NEAR)

    def take(self, *, was_good: bool) -> None:
        """Choose the next rate; one bad run may be bad luck, so it is tried again."""
        if was_good:
            self.good, self._again = self.rate, False
        elif not self._again:
            self._again = True
            return
        else:
            self.bad, self._again = self.rate, False
        middle = (self.good + self.bad) // 2
        self.rate = round(self.rate * FACTOR) if self.bad == 0 else max(middle, 1)


def search(
    subject: Subject, work: Work, place: Place, *, direct_limit: int | None, tell: Callable[[Run], None]
) -> Run | None:
    """Return the run at the highest clean rate, from that of *work* upwards; *tell* hears of every step."""
    best: Run | None = None
    seen: Run | None = None
    with stage(subject, place) as up:
        for rate, asked in _rates(work.rate):
            step = replace(work, rate=rate)
            outcome = load.measure(up, step)
            seen = record(up, step, outcome, generator="load", kind="step", direct_limit=direct_limit)
            tell(seen)
            asked.take(was_good=seen.verdict in ("good", "disturbed"))
            if seen.verdict in ("good", "disturbed") and (best is None or rate > best.rate):
                best = seen
    if best is None:
        return None
    # when the last that was tried above the best failed for the generator's sake, the peer might do more
    limited = seen is not None and seen.verdict == "generator"
    return msgspec.structs.replace(best, kind="limit", verdict="generator" if limited else best.verdict)


def _rates(start: int) -> Iterator[tuple[int, Search]]:
    asked = Search(start)
    while not asked.is_over:
        yield asked.rate, asked
