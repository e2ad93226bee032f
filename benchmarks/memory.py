"""What a call takes of memory while it rings and while it is up, with as many of them as the work has."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, cast

from benchmarks import kamailio
from benchmarks.accounting import memory_kib
from benchmarks.errors import RigError
from benchmarks.load import LoadRun
from benchmarks.record import record
from benchmarks.stage import stage

if TYPE_CHECKING:
    from benchmarks.place import Place
    from benchmarks.results import Run
    from benchmarks.stage import Stage
    from benchmarks.subject import Subject
    from benchmarks.work import Scenario, Work


SETTLED_S = 40.0
"""Transactions of answered calls stay for 32 s: from here on as many end as begin, and what grows are the calls."""
HOLD_MS = 3_000
START_SLACK_S = 30.0
PAUSE_S = 1.0
MEMORY_DEADLINE_S = 400.0


def memory(subject: Subject, work: Work, place: Place, *, state: str) -> Run:
    """Put up a wall of calls, and return the record with the bytes of each."""
    wall = replace(work, scenario=cast("Scenario", state), warm_s=0.0, hold_ms=HOLD_MS)
    with stage(subject, place) as up:
        if up.proxy is None:
            raise RigError(f"{subject} has no process of its own to look at")
        time.sleep(PAUSE_S)
        running = LoadRun(up, wall)
        with running.child:
            before = running.wait_for("measuring", deadline_s=START_SLACK_S)
            settling_s = SETTLED_S if state == "answered" else 0.0
            time.sleep(settling_s)
            passed_s = time.monotonic() - before.time_s
            first = used_kib(up)
            running.wait_for("wall", deadline_s=work.seconds + START_SLACK_S)
            time.sleep(PAUSE_S)
            last, share = used_kib(up), memory_kib(up.proxy.pid)
            outcome = running.finish(before, deadline_s=MEMORY_DEADLINE_S)
        between = work.calls - round(work.rate * passed_s) if settling_s else work.calls
        if between < work.calls // 10:
            raise RigError(f"too few calls for {state}: the first {SETTLED_S:g} s do not count")
        run = record(up, wall, outcome, generator="load", kind="memory")
        # a wall has no rate to keep: only failed calls spoil it
        run.verdict = "failed" if run.failed or run.ok < run.calls else "good"
        run.state, run.in_progress, run.memory_kib = state, work.calls, share
        run.call_bytes = round((last - first) * 1024 / between, 1)
        return run


def used_kib(up: Stage) -> int:
    """Return the memory in use: that of Kamailio it says itself, since what it took once it never gives back."""
    if up.proxy is None:
        return 0
    if up.subject.peer.startswith("kamailio"):
        shared = kamailio.shared_kib(up.place)
        if shared is not None:
            return shared
    return memory_kib(up.proxy.pid)
