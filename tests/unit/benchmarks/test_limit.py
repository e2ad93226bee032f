"""The search for the highest clean rate."""

import contextlib
from pathlib import Path

import pytest

from benchmarks import limit, load
from benchmarks.limit import NEAR, RATE_MAX, Search
from benchmarks.meter import Spent
from benchmarks.outcome import Outcome, Tally
from benchmarks.results import Percentiles, Run
from benchmarks.stage import Stage
from benchmarks.work import Work
from tests.unit.benchmarks.test_sipp import stage_of


def found(start: int, highest: int) -> tuple[int, list[int]]:
    """Search where every rate up to *highest* is good; return what was found and what was tried."""
    search, tried = Search(start), []
    while not search.is_over:
        tried.append(search.rate)
        search.take(was_good=search.rate <= highest)
    return search.good, tried


@pytest.mark.parametrize(("start", "highest"), [(1_000, 1_800), (2_500, 18_300), (5_000, 4_000), (400, 400)])
def test_the_limit_is_found_within_a_few_percent(start: int, highest: int) -> None:
    """From below and from above, in few steps."""
    good, tried = found(start, highest)
    assert highest / (NEAR * 1.01) <= good <= highest
    assert len(tried) < 30


def test_one_bad_run_is_tried_again() -> None:
    """Bad luck once does not end the climb."""
    search = Search(1_000)
    search.take(was_good=False)
    assert search.rate == 1_000
    search.take(was_good=True)
    assert search.rate > 1_000
    assert search.bad == 0


def test_the_search_ends() -> None:
    """Where nothing fails there is an end, and where everything fails too."""
    assert found(30_000, 10**9)[0] <= RATE_MAX * 1.3
    good, tried = found(1_000, 0)
    assert good == 0
    assert len(tried) == 8


@pytest.mark.parametrize(
    ("limits", "direct", "rate", "verdict"),
    [
        ((1_800, 10_000), None, 1_800, "good"),  # the peer fails first
        ((10_000, 1_800), None, 1_800, "generator"),  # the generator is late first
        ((10_000, 50_000), 2_000, 1_800, "generator"),  # the generator makes hardly more alone
    ],
)
def test_the_limit_says_whose_it_is(
    limits: tuple[int, int],
    direct: int | None,
    rate: int,
    verdict: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A rate is called the peer's only when the peer was what failed above it."""
    up = stage_of("ibcf", 3, tmp_path)
    peer_limit, late_from = limits

    def measure(_: Stage, work: Work) -> Outcome:
        late = Percentiles(10, 50_000 if work.rate > late_from else 100)
        failed = 1 if work.rate > peer_limit else 0
        tally = Tally(ok=work.calls - failed, failed=failed, lag_us=late)
        return Outcome(tally, Spent(work.seconds, {}, 0.0))

    monkeypatch.setattr(limit, "stage", lambda *_: contextlib.nullcontext(up))
    monkeypatch.setattr(load, "measure", measure)
    steps: list[Run] = []
    best = limit.search(up.subject, Work(1_000, 3), up.place, direct_limit=direct, tell=steps.append)
    assert best is not None
    assert rate / (NEAR * 1.01) <= best.rate <= rate
    assert (best.kind, best.verdict) == ("limit", verdict)
    assert {step.kind for step in steps} == {"step"}
