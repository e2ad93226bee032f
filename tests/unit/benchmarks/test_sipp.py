"""SIPp's scenarios as they are filled in, and its statistics as they are read."""

import dataclasses
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from benchmarks.peers import PEERS
from benchmarks.place import Place
from benchmarks.sipp import TEMPLATES, proofs, render, tally_of
from benchmarks.stage import Stage
from benchmarks.subject import Subject
from benchmarks.work import Work


def stage_of(peer: str, level: int, folder: Path, *, up: bool = True) -> Stage:
    """Return a stage on which nothing runs."""
    proxy = object() if up else None
    return Stage(Subject(peer, level), Place(folder), PEERS[peer], proxy, None)  # type: ignore[arg-type]


@pytest.mark.parametrize("peer", PEERS)
@pytest.mark.parametrize("name", sorted(path.stem for path in TEMPLATES.glob("*.xml")))
def test_every_scenario_is_whole_for_every_peer(peer: str, name: str, tmp_path: Path) -> None:
    """A scenario is XML without a name of ours left, for every peer, with and without its proof."""
    stage = stage_of(peer, PEERS[peer].levels[-1], tmp_path)
    for proof in (True, False):
        text = render(name, stage, Work(100, 1), proof=proof)
        ET.fromstring(text.encode())  # noqa: S314 - our own file
        assert not [word for word in text.split() if word.startswith("@") and word.endswith("@")]


@pytest.mark.parametrize(("peer", "route"), [("direct", ""), ("kamailio", "Route: [$r1]"), ("ibcf", "[$r2],[$r1]")])
def test_requests_inside_the_dialog_go_through_the_proxy(peer: str, route: str, tmp_path: Path) -> None:
    """ACK and BYE have the route that the proxy recorded, turned round when there are two values."""
    text = render("call-caller", stage_of(peer, 1, tmp_path), Work(100, 1), proof=False)
    assert text.count(route) >= 2
    assert ("Route: [$r1]" in text) == (peer == "kamailio")


def test_the_numbers_of_a_scenario_are_those_of_the_work(tmp_path: Path) -> None:
    """Ringing and holding times reach the scenario."""
    work = dataclasses.replace(Work(100, 1), ring_ms=123, hold_ms=456)
    assert '"123"' in render("call-callee", stage_of("direct", 1, tmp_path), work, proof=False)
    assert '"456"' in render("call-caller", stage_of("direct", 1, tmp_path), work, proof=False)


def test_a_proof_asks_for_more_at_a_higher_level() -> None:
    """Level 1 has to record a route, the others have to do what a border does."""
    assert len(proofs(1, "call")) == 1
    assert len(proofs(2, "call")) == len(proofs(3, "call")) == 7
    assert any("peer1" in check for check in proofs(2, "call"))
    assert not any("Record-Route" in check for check in proofs(2, "message"))


def test_the_last_row_of_the_statistics_counts() -> None:
    """Cumulative figures are read from the last row, causes of failure with them."""
    head = (
        "StartTime;SuccessfulCall(C);FailedCall(C);Retransmissions(C);FailedMaxUDPRetrans(P);FailedMaxUDPRetrans(C);\n"
    )
    tally = tally_of(head + "x;1;0;0;0;0;\n" + "x;97;3;2;1;3;\n")
    assert (tally.ok, tally.failed, tally.retransmissions) == (97, 3, 2)
    assert tally.causes == {"FailedMaxUDPRetrans": 3}
    assert tally_of("").ok == 0
