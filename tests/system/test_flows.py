"""The numbered flows of sipp-scenarios/: SIPp judges the messages, these tests judge what the operator sees."""

import pytest

from tests.system.conftest import SetStage
from tests.system.support.configuration import ZONE, Document, offer, reach, section
from tests.system.support.flow import (
    CALLER_NUMBER,
    NUMBER_OF_B,
    PREMIUM_NUMBER,
    UNKNOWN_NUMBER,
    Stage,
)

pytestmark = pytest.mark.system


def test_basic_call_crosses_the_border_and_is_charged_once(scene: Stage) -> None:
    """A call to a tel URI reaches the carrier that ENUM names, and leaves one CDR, one log line, one attempt."""
    b = scene.uas("01-basic-call/uas.xml", scene.carriers.b)
    scene.uac("01-basic-call/uac.xml", NUMBER_OF_B).expect()
    b.expect()

    record = scene.record()
    assert record["record"] == "call"
    assert (record["outcome"], record["status"], record.get("reason")) == ("answered", 200, None)
    assert (record["peer_in"], record["peer_out"], record["direction"]) == ("carrier_a", "carrier_b", "exit")
    assert (record["number"], record["route"]) == (NUMBER_OF_B, "to_b")
    assert record["called"] == f"tel:{NUMBER_OF_B}"
    assert record["request_uri_out"] == f"sip:{NUMBER_OF_B}@ims.b.example;user=phone"
    assert record["enum_class"] == "FOUND"
    assert record["inter_operator_identifiers"] == [{"originating_ioi": "a.example", "terminating_ioi": "b.example"}]
    assert record["ims_charging_identifier"].startswith("icid-")
    assert record["released_by"] == "upstream"
    assert 0 <= record["ring_s"] <= record["setup_s"] < 1
    assert 0.09 <= record["duration_s"] < 2, "the caller talked for 100 ms"
    assert record["attempts"] == [
        {"peer": "carrier_b", "target": "b1", "status": 200, "phrase": "OK", "cause": None, "reason": None}
    ]

    assert scene.grown("ibcf_call_attempts_total", direction="exit", outcome="answered") == 1
    assert scene.grown("ibcf_call_attempts_total") == 1
    assert (
        scene.grown("ibcf_sip_messages_total", peer="carrier_a", way="received", kind="request", method="INVITE") == 1
    )
    assert scene.grown("ibcf_sip_messages_total", peer="carrier_b", way="sent", kind="request", method="INVITE") == 1
    assert scene.grown("ibcf_sip_responses_total", peer="carrier_a", way="sent", method="INVITE", code="200") == 1
    assert scene.grown("ibcf_questions_total", kind="enum") == 1
    assert scene.grown("ibcf_cdr_records_total", result="written") == 1
    assert scene.grown("ibcf_call_setup_delay_seconds_count") == 1
    assert scene.border.metrics().value("ibcf_calls_active") == 0


def test_numbers_in_the_log_are_masked_and_in_the_cdr_they_are_not(scene: Stage) -> None:
    """The log shows a number without its last four digits; charging gets all of it (ENUM-52)."""
    b = scene.uas("01-basic-call/uas.xml", scene.carriers.b)
    scene.uac("01-basic-call/uac.xml", NUMBER_OF_B).expect()
    b.expect()
    assert scene.record()["number"] == NUMBER_OF_B
    log = "\n".join(scene.border.child.lines)
    assert NUMBER_OF_B not in log
    assert NUMBER_OF_B[:-4] in log


def test_cancel_is_passed_on_and_the_call_ends_as_cancelled(scene: Stage) -> None:
    """CANCEL ends a ringing call at both carriers, and the CDR says who gave up and why."""
    b = scene.uas("02-caller-cancels/uas.xml", scene.carriers.b)
    scene.uac("02-caller-cancels/uac.xml", NUMBER_OF_B).expect()
    b.expect()

    record = scene.record()
    assert (record["outcome"], record["status"], record["reason"]) == ("cancelled", 487, "forward.cancelled")
    assert record["setup_s"] is None
    assert record["ring_s"] is not None
    [release] = record["list_of_reason_header"]
    assert "cause=16" in release
    assert scene.grown("ibcf_call_attempts_total", outcome="cancelled") == 1
    assert scene.grown("ibcf_sip_messages_total", peer="carrier_b", way="sent", kind="request", method="CANCEL") == 1


def test_busy_comes_through_and_nobody_else_is_tried(scene: Stage) -> None:
    """486 is the answer of the called user: it does not fail over, and the CDR keeps the peer's own phrase."""
    b = scene.uas("03-callee-busy/uas.xml", scene.carriers.b)
    scene.uac("03-callee-busy/uac.xml", NUMBER_OF_B).expect()
    b.expect()

    record = scene.record()
    assert (record["outcome"], record["status"]) == ("failed", 486)
    [attempt] = record["attempts"]
    assert (attempt["peer"], attempt["status"], attempt["phrase"]) == ("carrier_b", 486, "Busy Here")
    assert scene.grown("ibcf_call_attempts_total", outcome="failed") == 1
    assert scene.grown("ibcf_sip_messages_total", peer="carrier_c", way="sent") == 0


def test_number_that_enum_does_not_know_goes_to_transit(scene: Stage) -> None:
    """The fallback route takes a number without a record to the transit carrier as the tel URI that it was."""
    c = scene.uas("04-unknown-number/uas-answers.xml", scene.carriers.c)
    scene.uac("01-basic-call/uac.xml", UNKNOWN_NUMBER).expect()
    c.expect()

    record = scene.record()
    assert (record["outcome"], record["peer_out"], record["route"]) == ("answered", "carrier_c", "through_transit")
    assert record["enum_class"] == "NXDOMAIN"
    assert record["request_uri_out"] == f"tel:{UNKNOWN_NUMBER}"
    assert scene.grown("ibcf_dns_lookups_total", result="nxdomain") == 1


def test_number_that_nobody_knows_is_not_found(scene: Stage) -> None:
    """When the transit carrier knows no way either its 404 goes back to the caller."""
    c = scene.uas("04-unknown-number/uas.xml", scene.carriers.c)
    scene.uac("04-unknown-number/uac.xml", UNKNOWN_NUMBER).expect()
    c.expect()

    record = scene.record()
    assert (record["outcome"], record["status"], record.get("reason")) == ("failed", 404, None)
    [attempt] = record["attempts"]
    assert (attempt["peer"], attempt["status"], attempt["phrase"]) == ("carrier_c", 404, "Not Found")


def test_unknown_number_can_be_refused_by_policy(set_stage: SetStage) -> None:
    """With a route for it a number that ENUM does not know gets 404 with our reason, and no peer hears of it."""

    def refuse(document: Document) -> None:
        rule = {"id": "unknown", "match": {"enum": "not_found"}, "reject": {"reason": "decide.number_unknown"}}
        at = next(at for at, route in enumerate(document["routes"]) if route["id"] == "through_transit")
        document["routes"].insert(at, rule)

    scene = set_stage(refuse)
    scene.uac("04-unknown-number/uac.xml", UNKNOWN_NUMBER).expect()

    record = scene.record()
    assert (record["outcome"], record["status"], record["reason"]) == ("rejected", 404, "decide.number_unknown")
    assert (record["enum_class"], record["route"], record["source"]) == ("NXDOMAIN", "unknown", "dns")
    assert record["peer_out"] is None
    assert record["attempts"] == []
    assert scene.grown("ibcf_rejections_total", peer="carrier_a", stage="decide", reason="decide.number_unknown") == 1
    assert scene.grown("ibcf_sip_messages_total", way="sent", kind="request") == 0


def test_forbidden_number_is_refused_with_the_reason_of_the_rule(scene: Stage) -> None:
    """A call that policy forbids gets the rule's status and phrase; ENUM is not asked and nothing leaves."""
    scene.uac("05-forbidden-by-policy/uac.xml", PREMIUM_NUMBER).expect()

    record = scene.record()
    assert (record["outcome"], record["status"], record["reason"]) == ("rejected", 403, "decide.forbidden")
    assert (record["route"], record["source"], record.get("attempts")) == ("no_premium", "policy", [])
    assert scene.grown("ibcf_rejections_total", peer="carrier_a", stage="decide", reason="decide.forbidden") == 1
    assert scene.grown("ibcf_call_attempts_total", outcome="rejected") == 1
    assert scene.grown("ibcf_questions_total") == 0
    assert scene.grown("ibcf_sip_messages_total", way="sent", kind="request") == 0


def test_503_sends_the_call_to_the_next_peer(scene: Stage) -> None:
    """When carrier B answers 503 the call goes to carrier C, and the CDR lists both attempts in order."""
    b = scene.uas("06-failover-on-503/uas-503.xml", scene.carriers.b)
    c = scene.uas("06-failover-on-503/uas.xml", scene.carriers.c)
    scene.uac("06-failover-on-503/uac.xml", NUMBER_OF_B).expect()
    b.expect()
    c.expect()

    record = scene.record()
    assert (record["outcome"], record["peer_out"]) == ("answered", "carrier_c")
    assert [(one["peer"], one["status"]) for one in record["attempts"]] == [("carrier_b", 503), ("carrier_c", 200)]
    assert scene.grown("ibcf_call_attempts_total", outcome="answered") == 1
    assert scene.grown("ibcf_sip_responses_total", peer="carrier_b", way="received", code="503") == 1
    assert scene.grown("ibcf_sip_responses_total", peer="carrier_a", way="sent", code="503") == 0


def test_503_of_the_last_peer_becomes_500(scene: Stage) -> None:
    """When every target answers 503 the caller gets 500 and the CDR says why (RFC 3261 §16.7 (6))."""
    b = scene.uas("06-failover-on-503/uas-503.xml", scene.carriers.b)
    c = scene.uas("06-failover-on-503/uas-503-untrusted.xml", scene.carriers.c)
    scene.uac("06-failover-on-503/uac-none-left.xml", NUMBER_OF_B).expect()
    b.expect()
    c.expect()

    record = scene.record()
    assert (record["outcome"], record["status"], record["reason"]) == ("failed", 500, "forward.all_targets_failed")
    assert [one["status"] for one in record["attempts"]] == [503, 503]


def test_silent_and_closed_targets_are_passed_over(scene: Stage) -> None:
    """Carrier B's port is closed: the network says so, and the call goes to carrier C at once."""
    c = scene.uas("06-failover-on-503/uas.xml", scene.carriers.c)
    scene.uac("06-failover-on-503/uac.xml", NUMBER_OF_B).expect()
    c.expect()

    record = scene.record()
    assert [one["peer"] for one in record["attempts"]] == ["carrier_b", "carrier_c"]
    assert record["attempts"][0]["status"] is None
    assert record["attempts"][0]["reason"] in {"forward.unreachable", "forward.timeout"}


def test_requests_inside_a_dialog_find_their_way_both_ways(scene: Stage) -> None:
    """Re-INVITE, UPDATE and BYE follow the sealed token in either direction; it stays one call with one CDR."""
    b = scene.uas("07-in-dialog-reinvite-update/uas.xml", scene.carriers.b)
    scene.uac("07-in-dialog-reinvite-update/uac.xml", NUMBER_OF_B).expect()
    b.expect()

    record = scene.record()
    assert (record["outcome"], record["released_by"]) == ("answered", "downstream")
    [release] = record["list_of_reason_header"]
    assert "cause=16" in release
    assert scene.grown("ibcf_call_attempts_total") == 1
    assert scene.grown("ibcf_questions_total") == 1
    assert scene.grown("ibcf_topology_tokens_total", op="open", result="ok") >= 4
    assert scene.grown("ibcf_sip_messages_total", peer="carrier_a", way="sent", kind="request", method="UPDATE") == 1


def test_reliable_provisional_responses_cross(scene: Stage) -> None:
    """PRACK finds its way through an early dialog before there is an answer."""
    b = scene.uas("08-prack/uas.xml", scene.carriers.b)
    scene.uac("08-prack/uac.xml", NUMBER_OF_B).expect()
    b.expect()

    record = scene.record()
    assert (record["outcome"], record["released_by"]) == ("answered", "upstream")
    assert scene.grown("ibcf_sip_messages_total", peer="carrier_b", way="sent", kind="request", method="PRACK") == 1


@pytest.mark.parametrize("name", ["a", "b"])
def test_options_is_answered_by_the_border_itself(scene: Stage, name: str) -> None:
    """OPTIONS to the border's own address gets 200 on either side; no CDR, no message to anybody else."""
    carrier = getattr(scene.carriers, name)
    scene.uac("09-options-ping/uac.xml", NUMBER_OF_B, carrier).expect()
    assert scene.grown("ibcf_sip_responses_total", peer=carrier.peer, way="sent", method="OPTIONS", code="200") == 1
    assert scene.grown("ibcf_sip_messages_total", way="sent", kind="request") == 0
    assert scene.border.records() == []


def test_page_mode_message_is_routed_and_charged_as_an_event(scene: Stage) -> None:
    """MESSAGE takes the way of a call, leaves an event record, and its text arrives byte for byte."""
    b = scene.uas("10-page-mode-message/uas.xml", scene.carriers.b)
    scene.uac("10-page-mode-message/uac.xml", NUMBER_OF_B).expect()
    b.expect()

    record = scene.record()
    assert (record["record"], record["method"]) == ("event", "MESSAGE")
    assert (record["outcome"], record["status"], record["peer_out"]) == ("answered", 202, "carrier_b")
    assert scene.grown("ibcf_sip_messages_total", peer="carrier_b", way="sent", kind="request", method="MESSAGE") == 1


def test_untrusted_peer_cannot_assert_an_identity(scene: Stage) -> None:
    """A call from outside the trust domain arrives without its claimed identity, with a new charging id (EX-21)."""
    a = scene.uas("11-call-from-untrusted-peer/uas.xml", scene.carriers.a)
    scene.uac("11-call-from-untrusted-peer/uac.xml", CALLER_NUMBER, scene.carriers.c).expect()
    a.expect()

    record = scene.record()
    assert (record["direction"], record["peer_in"], record["peer_out"]) == ("entry", "carrier_c", "carrier_a")
    assert record["list_of_calling_party_address"] == ["unknown"]
    assert record["ims_charging_identifier"] != "forged"
    assert scene.grown("ibcf_call_attempts_total", direction="entry", outcome="answered") == 1


def test_embedded_zone_gives_what_a_dns_server_gives(set_stage: SetStage) -> None:
    """The zone file of the configuration leads to the same call as a real DNS server with the same zone."""

    def embedded(document: Document) -> None:
        service = section(document, "enum", "carrier_enum")
        del service["servers"]
        service["zone_file"] = str(ZONE)

    scene = set_stage(embedded)
    b = scene.uas("01-basic-call/uas.xml", scene.carriers.b)
    scene.uac("01-basic-call/uac.xml", NUMBER_OF_B).expect()
    b.expect()
    assert scene.record()["request_uri_out"] == f"sip:{NUMBER_OF_B}@ims.b.example;user=phone"


def tcp(document: Document, *sides: str) -> None:
    """Offer TCP on these sides; what goes to carrier B goes by it when its side is among them."""
    for side in sides:
        offer(document, side, "tcp")
    if "peer" in sides:
        reach(document, "carrier_b", "tcp")


def test_calls_cross_over_tcp(set_stage: SetStage) -> None:
    """TCP on both sides: twenty calls share one connection on each, nothing is sent twice, each has its CDR."""
    scene = set_stage(lambda document: tcp(document, "home", "peer"))
    b = scene.uas("13-call-over-tcp/uas.xml", scene.carriers.b, calls=20, transport="tcp")
    uac = "13-call-over-tcp/uac.xml"
    scene.uac(uac, NUMBER_OF_B, calls=20, rate=20, listener="home_tcp", transport="tcp").expect(20)
    b.expect(20)

    records = scene.border.wait_for_records(20)
    assert {(record["outcome"], record["peer_out"]) for record in records} == {("answered", "carrier_b")}
    assert scene.grown("ibcf_connections_total", peer="carrier_a", transport="tcp", result="accepted") == 1
    assert scene.grown("ibcf_connections_total", peer="carrier_b", transport="tcp", result="connected") == 1
    assert scene.grown("ibcf_sip_retransmissions_total") == 0


def test_call_crosses_from_udp_to_tcp(set_stage: SetStage) -> None:
    """The caller speaks UDP, the callee TCP: each sees the border on its own transport, and the dialog holds."""
    scene = set_stage(lambda document: tcp(document, "peer"))
    b = scene.uas("13-call-over-tcp/uas.xml", scene.carriers.b, transport="tcp")
    scene.uac("01-basic-call/uac.xml", NUMBER_OF_B).expect()
    b.expect()

    record = scene.record()
    assert (record["outcome"], record["released_by"], record["peer_out"]) == ("answered", "upstream", "carrier_b")
    assert scene.grown("ibcf_connections_total", peer="carrier_b", transport="tcp", result="connected") == 1
    assert scene.grown("ibcf_connections_total", peer="carrier_a") == 0
    assert "Via: SIP/2.0/TCP 127.0.0.1" in b.messages()
    assert "transport=tcp" in next(line for line in b.messages().splitlines() if line.startswith("Record-Route:"))


@pytest.mark.parametrize("taken", [True, False], ids=["taken", "refused"])
def test_request_too_long_for_a_datagram_goes_by_tcp(set_stage: SetStage, taken: bool) -> None:  # noqa: FBT001 - a case
    """An INVITE of more than 1300 bytes goes by TCP, or by UDP where TCP is refused; short ones go by UDP (GEN-09)."""
    scene = set_stage(lambda document: offer(document, "peer", "tcp"))
    with_tcp = scene.uas("15-large-request-by-tcp/uas.xml", scene.carriers.b, transport="tcp") if taken else None
    calls = 1 if taken else 2
    with_udp = scene.uas(
        "01-basic-call/uas.xml" if taken else "15-large-request-by-tcp/uas.xml", scene.carriers.b, calls=calls
    )
    scene.uac("15-large-request-by-tcp/uac.xml", NUMBER_OF_B).expect()
    scene.uac("01-basic-call/uac.xml", NUMBER_OF_B).expect()
    with_udp.expect(calls)

    records = scene.border.wait_for_records(2)
    assert [record["outcome"] for record in records] == ["answered", "answered"]
    tries = [[attempt["reason"] for attempt in record["attempts"]] for record in records]
    assert tries == [[None] if taken else ["forward.unreachable", None], [None]]
    assert all(record["setup_s"] < 1 for record in records)
    result = "connected" if taken else "connect_failed"
    assert scene.grown("ibcf_connections_total", peer="carrier_b", transport="tcp", result=result) == 1
    if with_tcp is not None:
        with_tcp.expect()
        assert "Via: SIP/2.0/TCP" in with_tcp.messages()
        assert "Via: SIP/2.0/TCP" not in with_udp.messages()
