"""Carries a plan out: in turns, undisturbed if it can be, every run on record whatever came of it."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks import results
from benchmarks.cost import cost
from benchmarks.errors import MissingError, RigError
from benchmarks.growth import growth
from benchmarks.limit import search
from benchmarks.memory import memory
from benchmarks.meter import wait_quiet
from benchmarks.place import Place
from benchmarks.profile import profile
from benchmarks.results import Kind, Run
from benchmarks.workers import workers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from benchmarks.plan import Part, Task

QUIET_WAIT_S = 20.0

KINDS: dict[Part, Kind] = {
    "limit": "limit",
    "cost": "cost",
    "streams": "cost",
    "transit": "transit",
    "memory": "memory",
    "growth": "growth",
    "storms": "storm",
    "profile": "profile",
    "workers": "workers",
}
"""What the runs of a part are called in the results."""


class Suite:
    """Measures and keeps the results."""

    def __init__(
        self,
        out: Path,
        *,
        tell: Callable[[Run], None],
        keep: Path | None = None,
        quiet_wait_s: float = QUIET_WAIT_S,
    ) -> None:
        """Append to *out*; *tell* hears of each run; the work folders stay in *keep* if it is given."""
        self._out = out
        self._tell = tell
        self._keep = keep
        self._quiet_wait_s = quiet_wait_s
        self._count = 0
        self.direct_limit: int | None = None
        """What the generator makes alone, once that is known."""

    def carry_out(self, tasks: Iterable[Task], *, done: Callable[[Task], None]) -> None:
        """Measure all of *tasks*."""
        for task in tasks:
            self._once(task)
            done(task)

    def _once(self, task: Task) -> None:
        try:
            run = self._measure(task)
            if run.verdict == "disturbed":
                self._write(run)
                run = self._measure(task)
        except MissingError as error:
            run = self._nothing(task, "missing", str(error))
        except RigError as error:
            run = self._nothing(task, "failed", str(error))
        self._write(run)
        if task.part == "limit" and task.subject.peer == "direct" and run.verdict != "failed":
            self.direct_limit = run.rate

    def _measure(self, task: Task) -> Run:
        wait_quiet(self._quiet_wait_s)
        with tempfile.TemporaryDirectory(prefix="ibcf-bench-") as temporary:
            folder = Path(temporary)
            if self._keep is not None:
                self._count += 1
                folder = (self._keep / f"{self._count:03d}-{task.part}-{task.subject}".replace(":", "-")).absolute()
                folder.mkdir(parents=True, exist_ok=True)
            return self._measure_in(Place(folder), task)

    def _measure_in(self, place: Place, task: Task) -> Run:
        match task.part:
            case "limit":
                found = search(task.subject, task.work, place, direct_limit=self.direct_limit, tell=self._write)
                return found or self._nothing(task, "failed", f"not even {task.work.rate}/s went well")
            case "memory":
                return memory(task.subject, task.work, place, state=task.state)
            case "growth":
                return growth(task.subject, task.work, place, state=task.state, calls=task.calls)
            case "workers":
                return workers(task.subject, task.state)
            case "profile":
                return profile(task.subject, task.work, place)
            case _:
                return cost(task.subject, task.work, place, generator=task.generator, kind=KINDS[task.part])

    def _write(self, run: Run) -> None:
        results.append(self._out, run)
        self._tell(run)

    def _nothing(self, task: Task, verdict: results.Verdict, problem: str) -> Run:
        return Run(
            kind=KINDS[task.part],
            peer=task.subject.peer,
            level=task.subject.level,
            transport=task.subject.transport,
            generator=task.generator,
            scenario=task.work.scenario,
            rate=task.work.rate,
            at=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            state=task.state,
            verdict=verdict,
            problem=problem,
        )
