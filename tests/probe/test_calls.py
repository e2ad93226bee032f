"""Real user agents with real speech on both sides of the border."""

import pytest

from tests.probe.line import Dialled, Line
from tests.system.support.children import wait_until
from tests.system.support.flow import NUMBER_OF_B

pytestmark = pytest.mark.system


def ended(line: Line, call: Dialled) -> None:
    """Check that both sides know of the end and that nothing stays behind in the border."""
    for leg in (call.caller, call.callee):
        leg.wait_for("state", state="disconnected")
    border = line.scene.border
    wait_until(lambda: border.metrics().value("ibcf_calls_active") == 0, deadline_s=5, what="no call is up any more")
    metrics = border.metrics()
    assert metrics.value("ibcf_core_panics_total") == 0
    assert metrics.value("ibcf_parse_errors_total") == 0


@pytest.mark.parametrize("side", ["caller", "callee"])
def test_call_with_speech_is_ended_by_either_side(line: Line, side: str) -> None:
    """Speech goes both ways without loss, the BYE of either side ends the call, and there is one CDR of it."""
    call = line.talk()
    (call.caller if side == "caller" else call.callee).hang_up()
    ended(line, call)

    record = line.scene.record()
    assert record["call_id"] == call.call_id
    assert (record["outcome"], record["status"], record["peer_out"]) == ("answered", 200, "carrier_b")
    assert record["released_by"] == {"caller": "upstream", "callee": "downstream"}[side]
    assert record["duration_s"] >= 0.4, "25 packets of 20 ms"
    assert record["ims_charging_identifier"] == "icid-of-core-a"
    assert line.scene.grown("ibcf_call_attempts_total", direction="exit", outcome="answered") == 1
    sender = {"caller": "carrier_a", "callee": "carrier_b"}[side]
    assert line.scene.grown("ibcf_sip_messages_total", peer=sender, way="received", kind="request", method="BYE") == 1


def test_called_side_sees_a_rewritten_invite(line: Line) -> None:
    """The callee gets the SIP URI of ENUM, our sealed Record-Routes, the charging vector and no Route."""
    call = line.dial()
    start, *headers = call.invite.partition("\r\n\r\n")[0].split("\r\n")
    assert start == f"INVITE sip:{NUMBER_OF_B}@ims.b.example;user=phone SIP/2.0"
    names = [header.partition(":")[0] for header in headers]
    assert "Route" not in names
    routes = [header for header in headers if header.startswith("Record-Route:")]
    assert len(routes) == 2, "one for each listener (RFC 5658)"
    assert all(route.endswith(";lr>") for route in routes)
    [vector] = [header for header in headers if header.startswith("P-Charging-Vector:")]
    assert "icid-value=icid-of-core-a" in vector
    assert "orig-ioi=a.example" in vector
    call.callee.answer(486)
    ended(line, call)
    record = line.scene.record()
    assert (record["outcome"], record["status"]) == ("failed", 486)


def test_caller_gives_up_while_it_rings(line: Line) -> None:
    """CANCEL reaches the callee, the caller gets 487, and the CDR says cancelled."""
    call = line.dial()
    call.caller.hang_up()
    call.caller.wait_for("state", state="disconnected", code=487)
    ended(line, call)
    record = line.scene.record()
    assert (record["outcome"], record["status"], record["reason"]) == ("cancelled", 487, "forward.cancelled")
    assert (
        line.scene.grown("ibcf_sip_messages_total", peer="carrier_b", way="sent", kind="request", method="CANCEL") == 1
    )


@pytest.mark.parametrize("side", ["caller", "callee"])
def test_hold_and_back_by_either_side(line: Line, side: str) -> None:
    """A re-INVITE with sendonly holds the other side, a second one takes it back, and speech goes on; one CDR."""
    call = line.talk()
    holder, held = (call.caller, call.callee) if side == "caller" else (call.callee, call.caller)
    holder.hold()
    held.wait_for("media", status="remote_hold")
    holder.wait_for("media", status="local_hold")
    since = len(held.agent.child.lines)
    holder.resume()
    held.wait_for("media", since=since, status="active")
    for leg in (holder, held):
        leg.hear()
    holder.hang_up()
    ended(line, call)

    record = line.scene.record()
    assert (record["outcome"], record["released_by"]) == (
        "answered",
        {"caller": "upstream", "callee": "downstream"}[side],
    )
    asked = {"caller": "carrier_a", "callee": "carrier_b"}[side]
    counted = {"peer": asked, "way": "received", "kind": "request", "method": "INVITE"}
    assert line.scene.grown("ibcf_sip_messages_total", **counted) == (3 if side == "caller" else 2)
    assert line.scene.grown("ibcf_call_attempts_total") == 1


def test_call_into_our_own_network(line: Line) -> None:
    """A user of carrier B calls one of ours: speech goes both ways, and the record says entry."""
    call = line.talk(into=True)
    call.caller.hang_up()
    ended(line, call)
    record = line.scene.record()
    assert (record["outcome"], record["direction"]) == ("answered", "entry")
    assert (record["peer_in"], record["peer_out"]) == ("carrier_b", "carrier_a")
    assert line.scene.grown("ibcf_call_attempts_total", direction="entry", outcome="answered") == 1


def test_reliable_ringing_is_acknowledged_end_to_end(line: Line) -> None:
    """With 100rel on both sides the PRACK of the caller reaches the callee before the answer (RFC 3262)."""
    call = line.talk(reliable=True)
    call.callee.hang_up()
    ended(line, call)
    assert line.scene.record()["released_by"] == "downstream"
    for peer, way in (("carrier_a", "received"), ("carrier_b", "sent")):
        assert line.scene.grown("ibcf_sip_messages_total", peer=peer, way=way, kind="request", method="PRACK") == 1
