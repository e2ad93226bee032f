"""The rig itself, with real processes: it measures what goes well, and sees when a peer does less than its level."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks import sipp
from benchmarks.children import find_program
from benchmarks.cost import cost
from benchmarks.errors import RigError
from benchmarks.peers import PEERS
from benchmarks.place import Place
from benchmarks.stage import stage
from benchmarks.subject import Subject
from benchmarks.work import Work
from tests.parts import missing

pytestmark = [pytest.mark.system, pytest.mark.timeout(120)]

GONE_AT_ONCE = "P-Charging-Function-Addresses"
"""Does not cross between networks whatever the level (TB-24)."""
WORK = Work(50, 1.0, warm_s=0.0)


@pytest.fixture(autouse=True)
def _parts() -> None:
    """Make sure that the programs are there."""
    for program, remedy in {"sipp": "sip-tester", "knotd": "knot", "taskset": "util-linux"}.items():
        if find_program(program) is None:
            missing(program, f"apt-get install {remedy}")


@pytest.mark.parametrize("level", [1, 2, 3])
def test_the_border_does_the_work_of_each_level(level: int, tmp_path: Path) -> None:
    """Every call goes well, the called side finds what the level asks for, and the worker's share is told apart."""
    run = cost(Subject("ibcf", level), WORK, Place(tmp_path), generator="sipp")
    assert (run.ok, run.failed) == (50, 0), run
    assert run.proxy_us is not None
    assert {"ibcf-worker-0", "python"} <= set(run.threads_us)
    assert 0 < run.threads_us["ibcf-worker-0"] < run.proxy_us


def test_a_peer_that_does_less_than_its_level_is_found_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A relay does not pass for a border: each check by itself sees that its figure would be of something else."""
    seen_by = [check for check in sipp.proofs(2, "call") if "Record-Route" not in check and GONE_AT_ONCE not in check]
    with stage(Subject("ibcf", 1), Place(tmp_path)) as up:
        sipp.prove(up, WORK)
        for check in seen_by:
            monkeypatch.setattr(sipp, "proofs", lambda *_, check=check: [re.sub('"p[0-9]"', '"p0"', check)])
            with pytest.raises(RigError, match="does not do the work of its level"):
                sipp.prove(replace(up, subject=Subject("ibcf", 2)), WORK)


@pytest.mark.parametrize("level", [1, 2])
def test_kamailio_does_the_same_work(level: int, tmp_path: Path) -> None:
    """The other side of the comparison passes the same proof."""
    if find_program("kamailio") is None:
        missing("kamailio", "apt-get install kamailio kamailio-extra-modules")
    assert level in PEERS["kamailio"].levels
    run = cost(Subject("kamailio", level), WORK, Place(tmp_path), generator="sipp")
    assert (run.ok, run.failed) == (50, 0), run
