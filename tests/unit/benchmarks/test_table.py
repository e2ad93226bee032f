"""From runs to figures, and from figures to the table."""

import itertools
from pathlib import Path

import msgspec
import pytest

from benchmarks.figures import Key, figure, problem
from benchmarks.plan import PARTS, QUICK, WHOLE, plan
from benchmarks.results import Percentiles, Record, Run, Sitting
from benchmarks.table import BEGIN, END, page, profile_table, put, rows, summary
from benchmarks.targets import TARGETS
from tests.unit.benchmarks.test_verdict import GOOD

SITTING = Sitting(
    started="2026-01-02T03:04:05+00:00",
    commit="abc",
    cpu="a processor",
    cores=2,
    kernel="6.1",
    memory_gib=8,
    versions={"ibcf": "1.2"},
    proxy_alone=True,
)


def run(**changes: object) -> Run:
    """Return a good run with something else in it."""
    return msgspec.structs.replace(GOOD, generator="sipp", **changes)


def cost(peer: str, level: int, us: float, **changes: object) -> Run:
    """Return a run at 400 calls a second."""
    return run(peer=peer, level=level, rate=400, proxy_us=us, **changes)


def test_a_figure_is_the_median_of_what_may_be_used() -> None:
    """Failed runs are none; a disturbed one counts only where there is no better."""
    key = Key("cost", "ibcf:L2", rate=400)
    runs = [cost("ibcf", 2, us) for us in (90, 100, 130)]
    bad = [cost("ibcf", 2, 1, verdict="failed"), cost("ibcf", 2, 500, verdict="disturbed"), cost("ibcf", 1, 7)]
    found = figure(runs + bad, key)
    assert found is not None
    assert (found.median, found.low, found.high, found.runs, found.verdict) == (100, 90, 130, 3, "good")
    only = figure(bad, key)
    assert only is not None
    assert (only.median, only.verdict) == (500, "disturbed")
    assert figure(bad[:1], key) is None


@pytest.mark.parametrize(
    ("runs", "text"),
    [
        ([], "not measured"),
        ([cost("ibcf", 2, 0, verdict="missing", problem="sipp is not installed: apt")], "not installed"),
        ([cost("ibcf", 2, 0, verdict="generator")], "generator's limit"),
        ([cost("ibcf", 2, 0, verdict="failed")], "calls failed"),
    ],
)
def test_where_there_is_no_figure_the_table_says_why(runs: list[Run], text: str) -> None:
    """Nothing is left blank."""
    assert problem(runs, Key("cost", "ibcf:L2", rate=400)) == text


def test_each_target_is_met_or_not() -> None:
    """The quotient of the medians is held against the bound."""
    runs = [cost("ibcf", 2, 50), cost("kamailio", 2, 100), cost("ibcf", 1, 70), cost("kamailio", 1, 100)]
    runs += [cost("forwarder", 1, 40)]
    found = {row.target.what + row.against: row for row in rows(runs) if row.verdict in ("met", "not met")}
    assert [(row.quotient, row.verdict) for row in found.values()] == [
        ("1.75", "not met"),
        ("0.70", "not met"),
        ("0.50", "met"),
    ]


def test_a_quotient_is_of_runs_that_are_near_in_time() -> None:
    """A machine that is slow for one of two rounds is so for both peers, and changes no quotient."""
    runs = [
        cost("ibcf", 2, 60, at="2026-01-02T03:00:00Z"),
        cost("kamailio", 2, 100, at="2026-01-02T03:00:20Z"),
        cost("ibcf", 2, 180, at="2026-01-02T03:10:00Z"),
        cost("kamailio", 2, 300, at="2026-01-02T03:10:20Z"),
        cost("kamailio", 2, 310, at="2026-01-02T03:20:20Z"),
    ]
    [row] = [row for row in rows(runs) if row.target.what == "L2 CPU a call, 400/s"]
    assert row.quotient == "0.60"


def test_a_rate_is_not_called_ours_when_it_is_the_generators() -> None:
    """Below the target by the fault of the generator is not missed by ours."""
    ours = run(kind="limit", peer="ibcf", level=3, rate=6_000, verdict="generator")
    theirs = run(kind="limit", peer="kamailio", level=3, rate=1_800)
    [row] = [row for row in rows([ours, theirs]) if row.target.ours.kind == "limit"]
    assert (row.quotient, row.verdict) == ("3.33", "generator's limit")
    assert row.ours.endswith("≥")
    [reached] = [row for row in rows([ours, run(kind="limit", peer="kamailio", level=3, rate=1_400)])
                 if row.target.ours.kind == "limit"]  # fmt: skip
    assert reached.verdict == "met"


def test_memory_stands_by_itself() -> None:
    """A figure with a bound of its own needs no other peer."""
    ringing = run(kind="memory", peer="ibcf", level=2, state="ringing", call_bytes=3_000.0)
    row = next(row for row in rows([ringing]) if row.target.what == "memory of a ringing call")
    assert (row.ours, row.verdict) == ("3,000", "met")


def test_the_page_is_of_the_last_commit_and_machine() -> None:
    """Runs of the same commit add up; those of another stay in the file and out of the table."""
    other = msgspec.structs.replace(SITTING, commit="old")
    transit = run(kind="transit", peer="ibcf", level=3, rate=100, invite_us=Percentiles(81.5, 90))
    text = page([other, cost("ibcf", 2, 777), SITTING, cost("ibcf", 2, 55), SITTING, transit])
    assert "777" not in text
    assert "| ibcf, L2 | 55.0" in text
    assert "81.5 / 90.0" in text
    assert "a processor, 2 cores" in text
    assert "Not measured yet" in page([])


def test_the_front_page_has_the_machine_and_the_targets_alone() -> None:
    """What each peer costs, and on what, is for the page behind it."""
    runs: list[Record] = [SITTING, cost("ibcf", 2, 55)]
    assert "a processor, 2 cores" in summary(runs)
    assert "L2 CPU a call" in summary(runs)
    assert "| ibcf, L2 |" not in summary(runs)
    assert summary([]) == page([])


def test_a_profile_shows_what_is_worth_a_line() -> None:
    """Parts in the order of their weight under their heading, the small ones together, and the whole."""
    floor = run(kind="profile", peer="forwarder", rate=1_500, proxy_us=40.2, parts_us={"kernel: sendmmsg": 40.0})
    parts = {"core: parse": 3.0, "kernel: sendmmsg": 30.0, "core: rewrite": 5.0, "core: admit": 0.3, "core: trace": 0.1}
    ours = run(kind="profile", peer="ibcf", level=2, rate=1_500, proxy_us=38.4, parts_us=parts)
    assert profile_table([floor, ours]).splitlines()[2:] == [
        "| core: rewrite |  | 5.0 |",
        "| core: parse |  | 3.0 |",
        "| kernel: sendmmsg | 40.0 | 30.0 |",
        "| everything else | 0.0 | 0.4 |",
        "| together | 40.2 | 38.4 |",
    ]


def test_the_table_replaces_what_is_between_the_markers(tmp_path: Path) -> None:
    """The rest of the page stays, and a page without markers is refused."""
    path = tmp_path / "README.md"
    path.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n")
    put(path, "new")
    assert path.read_text() == f"before\n{BEGIN}\n\nnew\n\n{END}\nafter\n"
    path.write_text("nothing")
    with pytest.raises(ValueError, match="has no lines"):
        put(path, "new")


def test_the_plan_has_a_run_for_each_side_of_each_target() -> None:
    """Whatever the table divides is measured, by the generator that the target names."""
    planned = plan(WHOLE)
    kinds = {"streams": "cost"}
    for target in TARGETS:
        for key in (target.ours, target.against):
            if key is None:
                continue
            assert [
                task
                for task in planned
                if kinds.get(task.part, task.part) == key.kind
                and (str(task.subject), task.state) == (key.subject if ":" in key.subject else "", key.state)
                and key.rate in (None, task.work.rate)
                and key.generator in (None, task.generator)
            ], key


def test_measurements_are_repeated_in_turns() -> None:
    """The generator alone goes first, and nothing is measured twice in a row."""
    planned = plan(WHOLE)
    assert planned[0].subject.peer == "direct"
    repeated = [task for task in planned if task.part == "cost"]
    assert len(repeated) == WHOLE.repeat * len(set(repeated))
    assert all(first != second for first, second in itertools.pairwise(planned))
    assert sum(task.expected_s for task in plan(QUICK)) < sum(task.expected_s for task in planned) / 3
    assert {task.part for task in plan(QUICK, PARTS[:2])} == set(PARTS[:2])


def test_two_workers_are_divided_by_one() -> None:
    """Of the core alone: where each message comes to its owner, and where all come to one of them."""
    runs = [
        run(kind="workers", peer="ibcf", level=2, rate=rate, state=state)
        for state, rate in (("one", 40_000), ("two", 78_000), ("one flow", 60_000))
    ]
    found = [(row.ours, row.quotient, row.verdict) for row in rows(runs) if row.target.ours.kind == "workers"]
    assert found == [("78,000", "1.95", "met"), ("60,000", "1.50", "not met")]
