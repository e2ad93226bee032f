"""A call that a rule mirrors is in a capture as a whole; one that it does not is not there."""

import subprocess
from pathlib import Path

import pytest

from ibcf.policy.traffic import Captured, read_capture
from tests.system.conftest import SetStage
from tests.system.support.border import command
from tests.system.support.children import wait_until
from tests.system.support.configuration import Document
from tests.system.support.flow import NUMBER_OF_B, PREMIUM_NUMBER

pytestmark = [pytest.mark.system, pytest.mark.timeout(90)]

CALL = ["INVITE", "100", "INVITE", "180", "180", "200", "200", "ACK", "ACK", "BYE", "BYE", "200", "200"]


def what(message: Captured) -> str:
    """Return its method or its status."""
    first, second, _ = message.data.decode().split(" ", 2)
    return second if first == "SIP/2.0" else first


def test_a_mirrored_call_is_in_the_capture_on_both_sides(set_stage: SetStage, tmp_path: Path) -> None:
    """From the INVITE to the answer of the BYE; the capture is what `ibcf explain` reads."""

    def watch(document: Document) -> None:
        document["trace"] = {"directory": "trace"}
        document["routes"].insert(0, {"id": "watch", "match": {"number_prefix": NUMBER_OF_B}, "mirror": True})

    scene = set_stage(watch)
    b = scene.uas("01-basic-call/uas.xml", scene.carriers.b)
    scene.uac("01-basic-call/uac.xml", NUMBER_OF_B).expect()
    b.expect()
    scene.uac("05-forbidden-by-policy/uac.xml", PREMIUM_NUMBER).expect()
    scene.border.wait_for_records(2)

    def messages() -> list[Captured]:
        return [one for file in sorted((tmp_path / "trace").glob("*.pcap")) for one in read_capture(file)]

    wait_until(lambda: len(messages()) >= len(CALL), deadline_s=10, what="the whole call in the capture")
    found = messages()
    assert sorted(map(what, found)) == sorted(CALL)
    assert scene.grown("ibcf_trace_messages_total", result="written") == len(CALL)
    assert scene.grown("ibcf_queue_dropped_total", queue="trace") == 0
    (capture,) = (tmp_path / "trace").iterdir()
    argv = command("explain", "-c", str(scene.border.configuration), "--pcap", str(capture), "--from", "carrier_a")
    told = subprocess.run(argv, check=True, capture_output=True, text=True, timeout=60)  # noqa: S603 - ours
    assert "watch" in told.stdout
    assert "copy its messages into the trace, then go on" in " ".join(told.stdout.split())
