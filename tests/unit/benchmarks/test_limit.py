"""The search for the highest clean rate."""

import pytest

from benchmarks.limit import NEAR, RATE_MAX, Search


def found(start: int, limit: int) -> tuple[int, list[int]]:
    """Search where every rate up to *limit* is good; return what was found and what was tried."""
    search, tried = Search(start), []
    while not search.is_over:
        tried.append(search.rate)
        search.take(was_good=search.rate <= limit)
    return search.good, tried


@pytest.mark.parametrize(("start", "limit"), [(1_000, 1_800), (2_500, 18_300), (5_000, 4_000), (400, 400)])
def test_the_limit_is_found_within_a_few_percent(start: int, limit: int) -> None:
    """From below and from above, in few steps."""
    good, tried = found(start, limit)
    assert limit / (NEAR * 1.01) <= good <= limit
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
