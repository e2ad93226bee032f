"""From runs to figures: medians with their spread, of runs that may be used."""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmarks.subject import Subject

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from benchmarks.results import Kind, Run, Verdict

VALUES: dict[str, Callable[[Run], float | None]] = {
    "cpu": lambda run: run.proxy_us,
    "rate": lambda run: float(run.rate),
    "invite_p50": lambda run: None if run.invite_us is None else run.invite_us.p50,
    "invite_p99": lambda run: None if run.invite_us is None else run.invite_us.p99,
    "bytes": lambda run: run.call_bytes,
}
"""What a figure can be of."""


UNKNOWN = "not measured"


@dataclass(frozen=True, slots=True)
class Key:
    """Which runs a figure is of, and what of them."""

    kind: Kind
    subject: str
    value: str = "cpu"
    rate: int | None = None
    state: str = ""
    generator: str | None = None

    def takes(self, run: Run) -> bool:
        """Is *run* one of them?"""
        subject = Subject(run.peer, run.level, run.transport)  # type: ignore[arg-type]  # was one when it was written
        return (
            (run.kind, str(subject), run.state) == (self.kind, self.subject, self.state)
            and self.rate in (None, run.rate)
            and self.generator in (None, run.generator)
        )


@dataclass(frozen=True, slots=True)
class Figure:
    """A median and what the runs were between."""

    median: float
    low: float
    high: float
    runs: int
    verdict: Verdict = "good"
    """`disturbed` when no run was undisturbed; `generator` when the peer might do more than the generator."""


def figure(runs: Iterable[Run], key: Key) -> Figure | None:
    """Return the figure, or nothing: of failed runs there is none, of disturbed ones only where there are no better."""
    taken = [run for run in runs if key.takes(run)]
    order: tuple[Verdict, ...] = ("good", "generator", "disturbed") if key.kind == "limit" else ("good", "disturbed")
    for verdict in order:
        values = [VALUES[key.value](run) for run in taken if run.verdict == verdict]
        known = [value for value in values if value is not None]
        if known:
            return Figure(statistics.median(known), min(known), max(known), len(known), verdict)
    return None


def problem(runs: Iterable[Run], key: Key) -> str:
    """Say why there is no figure."""
    taken = [run for run in runs if key.takes(run)]
    if not taken:
        return UNKNOWN
    missing = next((run.problem for run in taken if run.verdict == "missing"), None)
    if missing is not None:
        return "not installed" if "not installed" in missing or "not built" in missing else missing
    if all(run.verdict == "generator" for run in taken):
        return "generator's limit"
    return "calls failed"
