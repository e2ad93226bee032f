"""The highest rate at which every call goes well, with the peer on one core."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import msgspec

from benchmarks import load
from benchmarks.record import record
from benchmarks.stage import stage

if TYPE_CHECKING:
    from collections.abc import Callable

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
    refused: Run | None = None
    asked = Search(work.rate)
    while not asked.is_over:
        # what was too much is still being repeated for half a minute: a peer that failed is started anew
        with stage(subject, place) as up:
            is_clean = True
            while is_clean and not asked.is_over:
                step = replace(work, rate=asked.rate)
                run = record(up, step, load.measure(up, step), generator="load", kind="step", direct_limit=direct_limit)
                tell(run)
                is_clean = run.verdict in ("good", "disturbed")
                asked.take(was_good=is_clean)
                if not is_clean:
                    refused = run
                elif best is None or step.rate > best.rate:
                    best = run
    if best is None:
        return None
    # where the next rate failed for the generator's sake, or none failed at all, the peer might do more
    limited = refused is None or refused.verdict == "generator"
    return msgspec.structs.replace(best, kind="limit", verdict="generator" if limited else best.verdict)
