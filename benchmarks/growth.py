"""Whether a call costs more when a thousand peers and ten thousand rules are there, or a hundred thousand calls.

The configuration is that of level 2 with more in it. A second pair of networks puts up the wall of calls, so that the
pair that is measured does the same as ever.
"""

from __future__ import annotations

import copy
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from benchmarks import border, load
from benchmarks.load import LoadRun
from benchmarks.place import SECOND_CALLEE, SECOND_CALLER
from benchmarks.record import record
from benchmarks.stage import stage
from benchmarks.targets import EMPTY, FULL, POLICY

if TYPE_CHECKING:
    from benchmarks.border import Document
    from benchmarks.place import Place
    from benchmarks.results import Run
    from benchmarks.stage import Stage
    from benchmarks.subject import Subject
    from benchmarks.work import Work

PEERS = 1_000
RULES = 10_000
WALL_RATE = 2_000
WALL_SLACK_S = 60.0
SETTLE_S = 35.0
"""The transactions of the wall's INVITEs are over after 32 s: what is left are calls."""
STATES = (EMPTY, FULL, POLICY)


def second_pair(document: Document, place: Place) -> Document:
    """Add another caller and another called side, which have their own way through the border."""
    for peer, suffix, address, port in (
        (document["peers"][0], "caller", SECOND_CALLER, place.caller_port),
        (document["peers"][1], "callee", SECOND_CALLEE, place.callee_port),
    ):
        other = copy.deepcopy(peer)
        other |= {"id": f"second_{suffix}", "sources": [f"{address}/32"]}
        other["targets"][0]["address"] = f"{address}:{port}"
        document["peers"].append(other)
    document["routes"].insert(
        -1, {"id": "second", "match": {"peer": "second_caller"}, "to": [{"peer": "second_callee"}]}
    )
    return document


def policy(document: Document, *, peers: int = PEERS, rules: int = RULES) -> Document:
    """Add peers, and rules before the one that routes: half for numbers, half for domains, none for ours."""
    model = document["peers"][1]
    for at in range(peers):
        other = copy.deepcopy(model)
        address = f"10.{at >> 16 & 255}.{at >> 8 & 255}.{at & 255}"
        other |= {"id": f"operator_{at}", "sources": [f"{address}/32"]}
        other["targets"][0]["address"] = f"{address}:5060"
        document["peers"].append(other)
    last = document["routes"].pop()
    for at in range(rules):
        match = {"number_prefix": f"+8{at:06d}"} if at % 2 else {"domain": f"*.n{at}.example"}
        document["routes"].append({"id": f"rule_{at}", "match": match, "to": [{"peer": f"operator_{at % peers}"}]})
    document["routes"].append(last)
    return document


def changed(document: Document, place: Place, state: str) -> Document:
    """Return the configuration of a state."""
    both = second_pair(document, place)
    return policy(both) if state == POLICY else both


def growth(subject: Subject, work: Work, place: Place, *, state: str, calls: int) -> Run:
    """Measure the CPU of a call with the border in one of the three states."""
    launch = border.launch(place, subject, change=lambda document: changed(document, place, state))
    with stage(subject, place, launch=launch) as up:
        if state == FULL:
            return _beside_wall(up, work, calls)
        run = record(up, work, load.measure(up, work), generator="load", kind="growth")
        run.state = state
        return run


def _beside_wall(up: Stage, work: Work, calls: int) -> Run:
    """Measure while so many calls of the second pair are up."""
    other = replace(up.place, caller_address=SECOND_CALLER, callee_address=SECOND_CALLEE)
    hold_s = SETTLE_S + work.warm_s + work.seconds + WALL_SLACK_S
    wall = replace(
        work,
        scenario="answered",
        rate=WALL_RATE,
        seconds=calls / WALL_RATE,
        warm_s=0.0,
        hold_ms=round(hold_s * 1000),
    )
    filling = LoadRun(replace(up, place=other), wall, name="wall")
    with filling.child:
        filling.wait_for("wall", deadline_s=wall.seconds + WALL_SLACK_S)
        time.sleep(SETTLE_S)
        run = record(up, work, load.measure(up, work, beside=filling.child), generator="load", kind="growth")
    run.state, run.in_progress = FULL, calls
    return run
