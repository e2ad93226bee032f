"""A pattern of fraud on a running border: found, held against, shown, and let go."""

from pathlib import Path

import pytest

from tests.system.conftest import SetStage
from tests.system.support.configuration import Document
from tests.system.support.flow import NUMBER_OF_B, Stage, limits, load
from tests.system.support.sipp import Sipp

pytestmark = pytest.mark.system

SCENARIOS = Path(__file__).parent / "scenarios"
RANGE = "+44163299"
CALLS = 5


def watched(document: Document) -> None:
    """Block a range of callers for its short calls; 112 is an emergency number."""
    document["emergency"] = {"numbers": ["112"]}
    document["patterns"] = [
        {
            "id": "wangiri",
            "count": ["short_calls", "unanswered"],
            "short": "2s",
            "by": "calling",
            "digits": 8,
            "window": "1m",
            "threshold": CALLS,
            "share": 80,
            "action": "block",
            "refuse": ["calling", "called"],
            "for": "10m",
        }
    ]
    document["routes"].insert(0, {"id": "sos", "match": {"emergency": True}, "to": [{"peer": "carrier_b"}]})


def calls(scene: Stage, scenario: str, caller: str, number: str = NUMBER_OF_B, *, count: int = 1) -> Sipp:
    """Start calls of *caller* to *number*, 100 ms long where they are answered."""
    origin = scene.carriers.a
    options = [*limits(count, 30), *load(number, calls=count, rate=10, pause_ms=100), "-key", "caller", caller]
    target = scene.border.target(origin.listener)
    return scene.play(str(SCENARIOS / scenario), [*options, target], address=origin.address, called=False)


def test_a_burst_of_short_calls_blocks_its_range_and_nobody_else(set_stage: SetStage) -> None:
    """The range is refused until it is let go; another caller is served meanwhile, and a call for help always."""
    scene = set_stage(watched)
    b = scene.uas(str(SCENARIOS / "patterns-uas.xml"), scene.carriers.b, calls=CALLS + 3)
    calls(scene, "patterns-uac.xml", f"{RANGE}9001", count=CALLS).expect(CALLS)
    found = scene.border.wait_for_log("pattern.found")
    assert (found["pattern"], found["action"], found["counted"], found["of"]) == ("wangiri", "block", CALLS, CALLS)

    calls(scene, "patterns-blocked.xml", f"{RANGE}9002").expect()
    calls(scene, "patterns-uac.xml", "+33142000001").expect()
    calls(scene, "patterns-uac.xml", f"{RANGE}9002", "112").expect()
    assert scene.grown("ibcf_pattern_requests_total", pattern="wangiri", result="refused") == 1
    assert scene.grown("ibcf_rejections_total", reason="decide.blocked") == 1
    assert scene.grown("ibcf_alarms_total", name="pattern_found") == 1
    (held,) = scene.border.verb("status")["held"]
    assert (held["pattern"], held["by"], held["key"]) == ("wangiri", "calling", RANGE)

    assert scene.border.verb("policy", "unblock", RANGE) == {"lifted": 1}
    calls(scene, "patterns-uac.xml", f"{RANGE}9002").expect()
    b.expect(CALLS + 3)
    assert scene.border.wait_for_log("pattern.over")["is_lifted"] is True
    records = scene.border.wait_for_records(CALLS + 4)
    assert [record.get("reason") for record in records].count("decide.blocked") == 1
    assert scene.border.verb("status")["held"] == []
