from dataclasses import replace

from ibcf.demo.ladder import BORDER, Rung, build
from ibcf.demo.message import Message
from ibcf.demo.wire import Seen
from tests.unit.demo.messages import request, response, seen


def passed(message: Message, branch: str) -> Message:
    """Return *message* as the border passes a request on: with a Via on top."""
    via = ("Via", f"SIP/2.0/UDP 127.0.0.1:4000;branch={branch}")
    return replace(message, headers=(via, *message.headers))


def words(rungs: list[Rung]) -> list[str]:
    """Return the rungs as `from to what`."""
    return [f"{rung.source} {rung.target} {rung.message.status or rung.message.method}" for rung in rungs]


INVITE = request("INVITE")
AT_B, AT_C = passed(INVITE, "z9hG4bK-b"), passed(INVITE, "z9hG4bK-c")


def failover() -> list[Seen]:
    """Return a call that B refuses and C answers, in the order in which everything was seen."""
    busy, fine = response(503, AT_B), response(200, AT_C)
    own_ack = request("ACK", branch="z9hG4bK-b")
    ack = request("ACK", branch="z9hG4bK-2")
    return [
        seen("a", "sent", INVITE),
        seen("b", "received", AT_B),
        seen("a", "received", response(100, INVITE)),
        seen("b", "sent", busy),
        seen("c", "received", AT_C),
        seen("b", "received", own_ack),
        seen("c", "sent", fine),
        seen("a", "received", response(200, INVITE)),
        seen("a", "sent", ack),
        seen("c", "received", passed(ack, "z9hG4bK-3")),
    ]


def test_causes_stand_before_what_they_led_to() -> None:
    """100 and ACK of the border stand right behind what they answer, whenever a core read its socket."""
    assert words(build(failover())) == [
        f"a {BORDER} INVITE",
        f"{BORDER} a 100",
        f"{BORDER} b INVITE",
        f"b {BORDER} 503",
        f"{BORDER} b ACK",
        f"{BORDER} c INVITE",
        f"c {BORDER} 200",
        f"{BORDER} a 200",
        f"a {BORDER} ACK",
        f"{BORDER} c ACK",
    ]


def test_order_of_arrival_does_not_matter() -> None:
    """Two messages that one core reads late leave the ladder as it is."""
    entries = failover()
    late = [*entries[:2], entries[3], entries[5], entries[2], entries[4], *entries[6:]]
    assert words(build(late)) == words(build(entries))


def test_only_what_another_core_sent_has_crossed() -> None:
    """What the border makes itself has no changes, even when a core sent the like later."""
    crossed = [rung for rung in build(failover()) if rung.crossed]
    assert words(crossed) == [
        f"{BORDER} b INVITE", f"{BORDER} c INVITE", f"{BORDER} a 200", f"{BORDER} c ACK",
    ]  # fmt: skip
    assert [(change.kind, change.name) for change in crossed[0].changes] == [("added", "Via")]
    assert [(change.kind, change.name) for change in crossed[2].changes] == [("removed", "Via")]


def test_one_value_in_the_place_of_another_is_a_change() -> None:
    """Max-Forwards is changed, not removed and added, though 69 has not a character of 70 in its place."""
    invite = replace(INVITE, headers=(*INVITE.headers, ("Max-Forwards", "70")))
    arrived = replace(INVITE, headers=(*INVITE.headers, ("Max-Forwards", "69")))
    rungs = build([seen("a", "sent", invite), seen("b", "received", arrived)])
    assert [(change.kind, change.before, change.after) for change in rungs[1].changes] == [("changed", "70", "69")]


def test_a_refusal_of_the_border_stands_behind_the_request() -> None:
    """A final response that no core sent is the border's own."""
    rungs = build([seen("a", "sent", INVITE), seen("a", "received", response(403, INVITE))])
    assert words(rungs) == [f"a {BORDER} INVITE", f"{BORDER} a 403"]
    assert not rungs[1].crossed


def test_a_refusal_after_failures_stands_behind_the_last_of_them() -> None:
    """When every peer failed, the border's answer follows from the last failure."""
    entries = [
        seen("a", "sent", INVITE),
        seen("b", "received", AT_B),
        seen("b", "sent", response(503, AT_B)),
        seen("a", "received", response(500, INVITE)),
    ]
    assert words(build(entries))[-2:] == [f"b {BORDER} 503", f"{BORDER} a 500"]


def test_what_nobody_asked_for_stands_at_the_end() -> None:
    """A message without a cause is drawn, so that it is noticed."""
    assert words(build([seen("b", "received", request("OPTIONS"))])) == [f"{BORDER} b OPTIONS"]
