"""From runs to figures: medians with their spread, of runs that may be used."""

from __future__ import annotations

import datetime as dt
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
    moments: tuple[tuple[float, float], ...] = ()
    """Each run: its time in seconds since 1970, and its value."""


def figure(runs: Iterable[Run], key: Key) -> Figure | None:
    """Return the figure, or nothing: of failed runs there is none, of disturbed ones only where there are no better."""
    taken = [run for run in runs if key.takes(run)]
    order: tuple[Verdict, ...] = ("good", "generator", "disturbed") if key.kind == "limit" else ("good", "disturbed")
    for verdict in order:
        values = [(_second(run), VALUES[key.value](run)) for run in taken if run.verdict == verdict]
        moments = tuple((second, value) for second, value in values if value is not None)
        known = [value for _, value in moments]
        if known:
            return Figure(statistics.median(known), min(known), max(known), len(known), verdict, moments)
    return None


def quotient(ours: Figure, other: Figure) -> float | None:
    """Divide each run of *ours* by the run of *other* that is nearest in time, and return the median.

    What slows a machine down for some minutes slows both then, so it is in no quotient; it is in a median of each.
    """
    quotients = []
    for second, value in ours.moments:
        _, nearest = min(other.moments, key=lambda moment: abs(moment[0] - second))
        if not nearest:
            return None
        quotients.append(value / nearest)
    return statistics.median(quotients)


def _second(run: Run) -> float:
    return dt.datetime.fromisoformat(run.at).timestamp() if run.at else 0.0


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
