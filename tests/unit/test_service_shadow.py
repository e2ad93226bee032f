"""The composition root and a candidate policy: begun, told about and ended over the admin endpoint, and by a reload."""

import json
from typing import Any

import pytest

from ibcf.policy.traffic import read_capture
from tests.unit.test_service import Bench, bench, running, until

__all__ = ["bench", "running"]

MESSAGE = (
    "INVITE tel:+441632960083 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.2:5060;branch=z9hG4bK1\r\nMax-Forwards: 70\r\n"
    "From: <tel:+441632960001>;tag=1\r\nTo: <tel:+441632960083>\r\nCall-ID: 1\r\nCSeq: 1 INVITE\r\n"
    "Contact: <sip:127.0.0.2:5060>\r\nContent-Length: 0\r\n\r\n"
)
SAMPLE = {
    "peer": "carrier_a", "listener": "home_udp", "source": "127.0.0.2:5060", "unix_ms": 1, "rule": "to_b",
    "number": "+441632960083", "message": MESSAGE,
    "answers": [{"service": "carrier_enum", "outcome": "found", "class": "FOUND",
                 "candidates": ["sip:+441632960083@ims.b.example;user=phone"]}],
}  # fmt: skip
BARRED = 'routes:\n  - {id: barred, match: {number_prefix: "+4416"}, reject: {reason: decide.forbidden}}\n'


async def begin(bench: Bench) -> dict[str, Any]:
    """Begin a run of a candidate that bars what the policy in force lets pass."""
    candidate = bench.directory / "candidate.yaml"
    candidate.write_text(bench.path.read_text().replace("routes:\n", BARRED, 1))
    return await bench.post("/policy/shadow/start", file=str(candidate.resolve()), percent=5, seconds=60)


async def test_a_candidate_is_tried_told_about_and_ended(running: Bench) -> None:
    """Copies are asked for as long as it runs; what it decides otherwise is in the status, the metrics and the log."""
    assert json.loads((await running.get("/policy/shadow"))[1]) == {"running": False, "file": None}
    told = await begin(running)
    assert (told["ok"], told["running"], running.core.share) == (True, True, 500)
    running.core.copies = [SAMPLE, SAMPLE]
    decided = 0
    while decided < 2:
        told = json.loads((await running.get("/policy/shadow"))[1])
        decided = told["decided"] + sum(told["skipped"].values())
    (group,) = told["groups"]
    assert (group["count"], group["before"]["rule"], group["after"]["rule"]) == (2, "to_b", "barred")
    assert group["examples"][0]["request"] == "INVITE tel:+44163296xxxx SIP/2.0"
    metrics = (await running.get("/metrics"))[1]
    assert 'ibcf_shadow_disagreements_total{candidate_rule="barred",rule="to_b"} 2.0' in metrics
    assert 'ibcf_shadow_requests_total{result="otherwise"} 2.0' in metrics
    assert "ibcf_shadow_running 1.0" in metrics
    told = await running.post("/policy/shadow/stop")
    assert (told["running"], told["end"], running.core.share) == (False, "stopped", 0)
    [line] = running.log("shadow.ended")
    assert (line["decided"], line["different"], line["groups"]) == (2, 2, ["to_b > barred: 2"])
    assert "ibcf_shadow_running 0.0" in (await running.get("/metrics"))[1]
    assert (await begin(running))["ok"], "and another one begins"


async def test_what_a_rule_mirrors_is_in_a_capture(bench: Bench) -> None:
    """The messages that the core copied are written while the border serves, and counted."""
    bench.write(lambda text: f"trace: {{directory: trace}}\n{text}")
    await bench.service.start()
    place = {"is_received": True, "local": "127.0.0.1:5060", "remote": "127.0.0.2:5060", "unix_ms": 1}
    bench.core.mirrors = [{**place, "message": MESSAGE}]
    await bench.service.stop()
    (capture,) = (bench.directory / "trace").glob("ibcf-1-*.pcap")
    (found,) = read_capture(capture)
    assert (found.data, found.source) == (MESSAGE.encode(), "127.0.0.2:5060")


async def test_a_reload_ends_the_run(running: Bench) -> None:
    """What it was held against is not in force any more."""
    await begin(running)
    assert await running.service.reload()
    await until(lambda: bool(running.log("shadow.ended")))
    [line] = running.log("shadow.ended")
    assert (line["end"], running.core.share) == ("reload", 0)


@pytest.mark.parametrize("asked", [{}, {"file": "x", "percent": "5", "seconds": 1}, {"file": "x", "more": 1}])
async def test_what_is_no_run_is_refused(running: Bench, asked: dict[str, Any]) -> None:
    """A body that is none is a 400; a candidate that cannot be had is told as a fault."""
    with pytest.raises(Exception, match="400"):
        await running.post("/policy/shadow/start", **asked)
    told = await running.post("/policy/shadow/start", file="/etc/passwd", percent=5, seconds=60)
    assert not told["ok"]
    assert "a candidate stands in" in told["faults"][0]
