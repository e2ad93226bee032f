"""The command line and the output of our own load generator."""

import dataclasses
from pathlib import Path

import pytest

from benchmarks.load import events, percentiles_of, result, words
from benchmarks.results import Percentiles
from benchmarks.work import Work
from tests.unit.benchmarks.test_sipp import stage_of


@pytest.mark.parametrize(
    ("peer", "level", "wanted", "unwanted"),
    [
        ("ibcf", 1, ["--expect-record-route"], ["--expect-absent", "--transparent", "--call-id-masked"]),
        ("ibcf", 2, ["--expect-request-uri-host", "--expect-absent", "--expect-contains"], ["--call-id-masked"]),
        ("ibcf", 3, ["--expect-absent", "--expect-contains"], ["--call-id-masked", "--expect-request-uri-host"]),
        ("kamailio", 3, ["--expect-absent", "--call-id-masked"], ["--transparent"]),
        ("forwarder", 1, ["--transparent"], ["--expect-record-route"]),
    ],
)
def test_the_generator_looks_for_the_work_of_the_level(
    peer: str, level: int, wanted: list[str], unwanted: list[str], tmp_path: Path
) -> None:
    """What has to be seen in every call depends on peer and level."""
    found = words(stage_of(peer, level, tmp_path), Work(100, 1))
    assert not [word for word in wanted if word not in found]
    assert not [word for word in unwanted if word in found]


def test_without_a_proxy_it_sends_straight_to_the_called_side(tmp_path: Path) -> None:
    """The generator alone is asked for by its own word."""
    found = words(stage_of("direct", 1, tmp_path, up=False), Work(100, 1))
    assert found[found.index("--proxy") + 1] == "direct"


def test_a_storm_of_requests_has_no_dialog(tmp_path: Path) -> None:
    """Nothing records a route for a MESSAGE or a REGISTER."""
    for scenario in ("message", "register"):
        work = dataclasses.replace(Work(100, 1), scenario=scenario)
        assert "--expect-record-route" not in words(stage_of("ibcf", 2, tmp_path), work)


def test_events_and_result_are_told_apart() -> None:
    """Half lines and words are passed over; the result is the last object that is no event."""
    text = 'hello\n{"event":"measuring"}\n{"ok":7,"failed":0,"lag_us":{"p50":1,"p99":2.5}}\n{"ok":'
    assert list(events(text)) == ["measuring"]
    found = result(text)
    assert found is not None
    assert found["ok"] == 7
    assert percentiles_of(found["lag_us"]) == Percentiles(1.0, 2.5)
    assert percentiles_of({"count": 0, "p50": None, "p99": None}) is None
    assert result('{"event":"measuring"}') is None
