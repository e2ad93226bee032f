"""CPU of a peer for each call at a given rate."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks import load, sipp
from benchmarks.record import record
from benchmarks.stage import Stage, stage

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.outcome import Outcome
    from benchmarks.place import Place
    from benchmarks.results import Kind, Run
    from benchmarks.subject import Subject
    from benchmarks.work import Generator, Work

MEASURE: dict[Generator, Callable[[Stage, Work], Outcome]] = {"sipp": sipp.measure, "load": load.measure}


def cost(subject: Subject, work: Work, place: Place, *, generator: Generator, kind: Kind = "cost") -> Run:
    """Measure once. SIPp first looks at the work of the peer; our own generator does so in every call."""
    with stage(subject, place) as up:
        if generator == "sipp":
            sipp.prove(up, work)
        return record(up, work, MEASURE[generator](up, work), generator=generator, kind=kind)
