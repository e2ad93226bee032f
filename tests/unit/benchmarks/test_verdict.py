"""Which runs are figures, and which are not."""

import msgspec
import pytest

from benchmarks.results import Percentiles, Run, Sitting, decode, encode
from benchmarks.verdict import judge

GOOD = Run(
    kind="cost",
    peer="ibcf",
    level=2,
    transport="udp",
    generator="load",
    scenario="call",
    rate=1500,
    calls=15_000,
    ok=15_000,
    seconds=10.4,
)


@pytest.mark.parametrize(
    ("changes", "verdict"),
    [
        ({}, "good"),
        ({"failed": 1}, "failed"),
        ({"ok": 14_999}, "failed"),
        ({"retransmissions": 16}, "failed"),
        ({"retransmissions": 15}, "good"),
        ({"seconds": 12.0}, "generator"),
        ({"lag_us": Percentiles(10, 20_000)}, "generator"),
        ({"lag_us": Percentiles(10, 400)}, "good"),
        ({"others_cpu": 0.3}, "disturbed"),
        ({"others_cpu": 0.3, "failed": 2}, "failed"),
        ({"kind": "step", "rate": 4_501}, "generator"),
        ({"kind": "step", "rate": 4_400}, "good"),
        ({"kind": "cost", "rate": 4_501}, "good"),
    ],
)
def test_a_run_is_judged_by_what_it_can_show(changes: dict[str, object], verdict: str) -> None:
    """Failed calls are no figure, a late generator measured itself, others disturb."""
    run = msgspec.structs.replace(GOOD, **changes)
    assert judge(run, expected_s=10.3, direct_limit=5_000) == verdict


def test_results_survive_the_file() -> None:
    """What is written is read again, sittings and runs alike."""
    sitting = Sitting(
        started="2026-01-01T00:00:00+00:00",
        commit="abc",
        cpu="x",
        cores=2,
        kernel="6",
        memory_gib=8,
        versions={"ibcf": "1"},
        proxy_alone=True,
    )
    run = msgspec.structs.replace(GOOD, lag_us=Percentiles(1, 2), causes={"late": 1})
    assert decode([encode(sitting), b"\n", encode(run)]) == [sitting, run]
