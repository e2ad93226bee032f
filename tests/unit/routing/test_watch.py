"""What is known of a peer over time: refresh, backoff, and how long old targets serve (RFC 8767)."""

from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ibcf.dns.records import Class
from ibcf.routing.location import Located, Target
from ibcf.routing.watch import BACKOFF_SECONDS_MAX, Change, State, Watch

ONE = Target("s.b.example", ip_address("192.0.2.1"), 5060, "udp", 0, 1)
OTHER = Target("s.b.example", ip_address("192.0.2.2"), 5060, "udp", 0, 1)
FAILED = Located("failed", Class.SERVFAIL, ttl_ms=1000)
GONE = Located("not_found", Class.NXDOMAIN, ttl_ms=30_000)


def found(*targets: Target, ttl_ms: int = 60_000, is_stale: bool = False) -> Located:
    """Make a good answer."""
    return Located("found", Class.FOUND, targets, ttl_ms, is_stale=is_stale)


def take(watch: Watch, *answers: Located, now: float = 0, chance: float = 0) -> list[Change]:
    """Take answers in."""
    return [watch.take(answer, now=now, chance=chance) for answer in answers]


def test_a_first_answer_is_pushed_and_told() -> None:
    """What DNS says first goes to the core and into the log, good or bad."""
    watch = Watch(stale_max_s=100)
    assert take(watch, found(ONE)) == [Change(60, is_pushed=True, is_told=True)]
    assert (watch.state, watch.targets) == (State.LOCATED, (ONE,))
    assert take(Watch(100), FAILED) == [Change(1, is_pushed=True, is_told=True)]


def test_the_same_answer_again_is_neither_pushed_nor_told() -> None:
    """A refresh that brings what is known changes nothing; another address does."""
    watch = Watch(stale_max_s=100)
    changes = take(watch, found(ONE), found(ONE), found(OTHER))
    assert [(change.is_pushed, change.is_told) for change in changes] == [(True, True), (False, False), (True, True)]


@pytest.mark.parametrize(
    ("ttl_ms", "chance", "wait_s"),
    [(60_000, 0.0, 60), (60_000, 1.0, 65), (10_000, 0.5, 10.5), (0, 0.0, 1), (3_600_000, 1.0, 3605)],
)
def test_a_refresh_comes_when_the_ttl_is_over(ttl_ms: int, chance: float, wait_s: float) -> None:
    """The wait is the TTL and a little more by chance, and never below a second."""
    [change] = take(Watch(100), found(ONE, ttl_ms=ttl_ms), chance=chance)
    assert change.wait_s == pytest.approx(wait_s)


def test_failures_are_asked_again_at_growing_intervals() -> None:
    """Backoff doubles from a second up to its bound, and starts afresh after a good answer."""
    watch = Watch(stale_max_s=1e9)
    take(watch, found(ONE))
    waits = [change.wait_s for change in take(watch, *[FAILED] * 8)]
    assert waits == [1, 2, 4, 8, 16, BACKOFF_SECONDS_MAX, BACKOFF_SECONDS_MAX, BACKOFF_SECONDS_MAX]
    take(watch, found(ONE))
    assert take(watch, FAILED)[0].wait_s == 1


def test_old_targets_serve_while_dns_fails_but_not_for_ever() -> None:
    """Told once when DNS fails, once when the old targets are given up, once when it is back."""
    watch = Watch(stale_max_s=100)
    take(watch, found(ONE))
    first, second = take(watch, FAILED, found(ONE, is_stale=True), now=100)
    assert (first.is_pushed, first.is_told, second.is_pushed, second.is_told) == (False, True, False, False)
    assert (watch.state, watch.targets) == (State.KEEPING, (ONE,))
    [lost, still] = take(watch, FAILED, FAILED, now=101)
    assert (lost.is_pushed, lost.is_told, still.is_told) == (True, True, False)
    assert (watch.state, watch.targets) == (State.LOST, ())
    [back] = take(watch, found(ONE), now=102)
    assert (back.is_pushed, back.is_told, watch.state) == (True, True, State.LOCATED)


def test_an_authoritative_no_empties_the_targets_at_once() -> None:
    """A domain that is gone has no targets; it is asked for again when the negative TTL is over."""
    watch = Watch(stale_max_s=100)
    take(watch, found(ONE))
    [change] = take(watch, GONE)
    assert change == Change(30, is_pushed=True, is_told=True)
    assert (watch.state, watch.targets) == (State.LOST, ())
    [failed] = take(watch, FAILED)
    assert (watch.state, failed.is_told) == (State.LOST, False), "what was given up does not come back by a failure"


@given(
    st.lists(st.sampled_from([FAILED, GONE, found(ONE), found(OTHER), found(ONE, is_stale=True)])),
    st.floats(0, 1),
    st.floats(0, 200),
)
def test_the_core_always_has_what_is_known(answers: list[Located], chance: float, step: float) -> None:
    """Whoever pushes when told to has the targets of the watch; no wait is below a second or without a bound."""
    watch, core, now = Watch(stale_max_s=100), None, 0.0
    for answer in answers:
        change = watch.take(answer, now=now, chance=chance)
        if change.is_pushed:
            core = watch.targets
        assert core == watch.targets
        assert 1 <= change.wait_s <= 66
        now += step
