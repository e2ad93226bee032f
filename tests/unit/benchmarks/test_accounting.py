"""CPU time as the system accounts it."""

import os

import pytest

from benchmarks.accounting import Usage, memory_kib, tree, usage
from benchmarks.errors import RigError
from benchmarks.meter import Reading, Spent
from benchmarks.peers import peer_of
from benchmarks.subject import Subject


def test_what_was_used_is_the_difference_by_thread() -> None:
    """A thread that is new counts from nothing; those of one name are one line, the busiest first."""
    before = Usage({(1, 1, "python"): 100.0, (1, 2, "worker"): 5.0})
    after = Usage({(1, 1, "python"): 130.0, (1, 2, "worker"): 55.0, (1, 3, "worker"): 7.0})
    spent = after.since(before)
    assert spent.total_us == 87.0
    assert spent.by_name() == {"worker": 57.0, "python": 30.0}


def test_others_are_what_the_machine_did_and_we_did_not() -> None:
    """The share of others is the busy time less everyone's who takes part, the rig itself among them."""
    used = {"proxy": Usage({(1, 1, "p"): 500_000.0})}
    before = Reading(10.0, 0.0, 0.0, {})
    after = Reading(12.0, 1_600_000.0, 100_000.0, used)
    assert Spent.between(before, after).others_cpu == 0.5


def test_our_own_process_is_seen() -> None:
    """The figures of a living process are there, and those of none are nothing."""
    assert os.getpid() in tree(os.getpid())
    assert usage(os.getpid()).total_us > 0
    assert memory_kib(os.getpid()) > 0
    assert usage(2**22 + 1).total_us == 0


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("ibcf:L4", '"L4" is neither a level'),
        ("ibcf:L2:sctp", '"sctp" is neither'),
        ("opensips", 'no peer "opensips"'),
        ("kamailio-cache:L1", "kamailio-cache has no level 1 (it has 3)"),
        ("forwarder:L1:tcp", "forwarder does not speak tcp"),
    ],
)
def test_what_cannot_be_measured_is_said(text: str, problem: str) -> None:
    """A subject that does not exist names what does."""
    with pytest.raises(RigError) as caught:
        peer_of(Subject.parse(text))
    assert problem in str(caught.value)
