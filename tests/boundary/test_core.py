"""`ibcf._core` as Python sees it: every exception once, every form that crosses, the life of a core."""

from __future__ import annotations

import select
import socket
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from ibcf import _core, boundary
from ibcf.errors import CoreError, ListenError, SnapshotRefusedError
from tests.boundary.conftest import Border, document, snapshot

if TYPE_CHECKING:
    from collections.abc import Callable

    OpenBorder = Callable[..., Border]


def events_of(border: Border, kind: type) -> list[Any]:
    """Wait for events and return those of *kind*; everything else must be readable too."""
    while True:
        border.wait()
        events, unread = boundary.decode_events(border.core.events()[0])
        assert unread == []
        if found := [event for event in events if isinstance(event, kind)]:
            return found


def calls_of(border: Border, **options: Any) -> tuple[list[Any], list[Any]]:
    """Wait for finished calls and return their charging records and their log lines."""
    while True:
        border.wait()
        _, cdrs, lines = border.core.events(**options)
        if cdrs:
            return records(cdrs), [msgspec.json.decode(line) for line in lines.splitlines()]


def records(cdrs: bytes) -> list[Any]:
    """Return the charging records that the core gave, with the number 7."""
    return [msgspec.json.decode(b"%b7%b" % (_core.CDR_HEAD, cdr)) for cdr in cdrs.splitlines()]


def ask(border: Border, *, call: str = "1") -> boundary.Question:
    """Make the core ask for a number, and return the question."""
    border.send("INVITE", "tel:+441632960083", call=call)
    border.wait()
    (question,) = boundary.decode_questions(border.core.questions())
    return question


def not_found(question: boundary.Question) -> bytes:
    """Return the answer that ENUM does not know the number."""
    body = boundary.EnumAnswer(outcome="not_found", class_="NXDOMAIN")
    return boundary.encode_answers([boundary.Answer(id=question.id, body=body)])


def test_the_catalogue_of_reasons_decodes() -> None:
    """Every entry has the fields that Python knows, and ids name their stage."""
    reasons = boundary.decode_reasons(_core.reasons())
    assert {reason.id for reason in reasons} >= {"decide.forbidden", "admit.unknown_source", "forward.timeout"}
    assert {reason.id.partition(".")[0] for reason in reasons} == {
        "parse",
        "admit",
        "screen",
        "decide",
        "rewrite",
        "forward",
    }


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"", "snapshot: "),
        (b"{}", "missing field"),
        (b"\xff\x00", "snapshot: "),
        (snapshot(version=99), "version 99"),
        (snapshot(surprise=1), "unknown field"),
        (snapshot(enums=[]), 'routes[1].action.service: unknown enum service "carrier"'),
        (snapshot(keys=[{"id": 1, "secret": "short"}]), "key"),
    ],
)
def test_a_snapshot_with_a_fault_is_refused_with_its_place(data: bytes, text: str) -> None:
    """`check_snapshot`, `Core` and `Engine` refuse the same documents, and say where the fault is."""
    for load in (_core.check_snapshot, _core.Core, _core.Engine):
        with pytest.raises(SnapshotRefusedError) as refusal:
            load(data)
        assert text in str(refusal.value)


def test_the_system_chooses_the_port_and_the_border_answers_there(open_border: OpenBorder) -> None:
    """A listener with port 0 tells the port that it got, and OPTIONS to the border is answered from it."""
    border = open_border()
    ((name, address),) = border.core.listeners()
    assert name == "home"
    assert not address.endswith(":0")
    border.send("OPTIONS", f"sip:{address}")
    assert border.final_status() == 200


def test_a_port_in_use_names_listener_address_and_cause() -> None:
    """A taken port is an error before anything serves."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        stranger.bind(("127.0.0.1", 0))
        address = "{}:{}".format(*stranger.getsockname())
        listener = document()["listeners"][0] | {"address": address}
        for workers in (1, 2):
            with pytest.raises(ListenError, match=f'listener "home" cannot bind {address}: Address already in use'):
                _core.Core(snapshot(listeners=[listener]), workers=workers)


@pytest.mark.parametrize("workers", [0, 65])
def test_an_impossible_number_of_workers_is_refused(workers: int) -> None:
    """A core has 1 to 64 workers."""
    with pytest.raises(CoreError, match=f"{workers} is not 1 to 64"):
        _core.Core(snapshot(), workers=workers)


def test_a_core_starts_once_and_stops_as_often_as_one_likes(open_border: OpenBorder) -> None:
    """Starting twice or after the end is an error; stopping twice is not, and the port is free afterwards."""
    border = open_border(workers=2)
    with pytest.raises(CoreError, match="running already"):
        border.core.start()
    border.core.stop()
    border.core.stop()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as next_one:
        next_one.bind(border.address)
    assert border.core.is_idle()
    with pytest.raises(CoreError, match="was stopped"):
        border.core.start()
    with pytest.raises(CoreError, match="was stopped"):
        border.core.apply(snapshot())


def test_a_core_that_never_started_can_be_stopped() -> None:
    """Stopping closes the sockets of a core that only bound them."""
    core = _core.Core(snapshot())
    host, _, port = core.listeners()[0][1].rpartition(":")
    assert core.is_idle()
    core.stop()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as next_one:
        next_one.bind((host, int(port)))


def test_an_applied_snapshot_serves_at_once(open_border: OpenBorder) -> None:
    """The next request after `apply` meets the new policy, whichever worker it reaches."""
    border = open_border(workers=2)
    border.send("INVITE", "tel:+44901", call="before")
    assert border.final_status() == 403
    gone = {"id": "gone", "action": {"kind": "reject", "reason": "decide.no_route", "status": 410}}
    border.core.apply(snapshot(generation=2, routes=[gone]))
    for call in range(8):
        border.send("INVITE", "tel:+44901", call=f"after{call}")
        assert border.final_status() == 410


def test_a_refused_snapshot_leaves_the_old_one_serving(open_border: OpenBorder) -> None:
    """Neither a faulty snapshot nor other listeners replace the one in force."""
    border = open_border()
    with pytest.raises(SnapshotRefusedError):
        border.core.apply(snapshot(generation=2, enums=[]))
    other = document()["listeners"][0] | {"address": "127.0.0.2:0"}
    with pytest.raises(ListenError, match=r"cannot change .* restart"):
        border.core.apply(snapshot(generation=2, listeners=[other]))
    border.send("INVITE", "tel:+44901")
    assert border.final_status() == 403


def test_a_refused_call_leaves_one_record(open_border: OpenBorder) -> None:
    """A call that policy forbids ends in one record and one line, both with its reason; the number is hidden in one."""
    border = open_border()
    border.send("INVITE", "tel:+4490123")
    assert border.final_status() == 403
    (record,), (line,) = calls_of(border)
    assert (record["outcome"], record["status"], record["reason"]) == ("rejected", 403, "decide.forbidden")
    assert (record["route"], record["peer_in"], record["number"]) == ("barred", "home_core", "+4490123")
    assert (record["record_type"], record["local_record_sequence_number"]) == (82, 7)
    assert (record["node"], record["node_address"]) == ("ibcf-1", border.core.listeners()[0][1])
    assert (line["event"], line["level"], line["node"]) == ("call.rejected", "info", "ibcf-1")
    assert (line["reason"], line["number"], line["call_id"]) == ("decide.forbidden", "+449xxxx", record["call_id"])
    written = datetime.fromisoformat(line["ts"])
    assert abs((written - datetime.now(UTC)).total_seconds()) < 60
    assert written.timestamp() * 1000 >= record["end_ms"]


def test_log_lines_are_as_they_are_asked_for(open_border: OpenBorder) -> None:
    """Numbers are whole on demand; below the level there is the record and no line; another level is an error."""
    border = open_border()
    wanted: list[dict[str, Any]] = [{"masked": False}, {"level": "debug"}, {"level": "warning"}, {"level": "error"}]
    for call, options in enumerate(wanted):
        border.send("INVITE", "tel:+4490123", call=str(call))
        assert border.final_status() == 403
        found, lines = calls_of(border, **options)
        assert [record["number"] for record in found] == ["+4490123"]
        assert [line["number"] for line in lines] == [["+4490123"], ["+449xxxx"], [], []][call]
    with pytest.raises(CoreError, match='"loud" is no level'):
        border.core.events(level="loud")


def test_an_unknown_sender_makes_an_event(open_border: OpenBorder) -> None:
    """A source that belongs to no peer is told by `MessageRefused`."""
    peer = document()["peers"][0] | {"sources": ["127.0.0.99/32"]}
    border = open_border(peers=[peer])
    border.send("INVITE", "tel:+441632960083")
    assert border.final_status() == 403
    (event,) = events_of(border, boundary.MessageRefused)
    assert (event.reason, event.peer) == ("admit.unknown_source", None)
    assert event.source.startswith("127.0.0.1")


def test_an_alarm_decodes() -> None:
    """The form in which the core writes an alarm (a test of ibcf-net holds it) is the one that Python reads."""
    events, unread = boundary.decode_events(b'[{"event":"alarm","name":"panic","detail":"x","unix_ms":7}]')
    assert events == [boundary.Alarm(name="panic", detail="x", unix_ms=7)]
    assert unread == []


@pytest.mark.parametrize("workers", [1, 2])
def test_a_question_is_asked_once_and_its_answer_decides(open_border: OpenBorder, workers: int) -> None:
    """An ENUM miss becomes a question; the answer goes to the worker that asked, and the call goes on."""
    border = open_border(workers=workers)
    question = ask(border)
    assert question.body == boundary.EnumQuestion(service="carrier", number="+441632960083")
    assert 0 < question.deadline_ms <= 5000
    assert not border.core.is_idle()
    border.core.answer(not_found(question))
    assert border.final_status() == 404
    (record,), (line,) = calls_of(border)
    for written in (record, line):
        assert (written["enum_class"], written["route"]) == ("NXDOMAIN", "unknown")
        assert written["reason"] == "decide.number_unknown"


def test_a_hook_is_asked_with_the_request_and_its_verdict_decides(open_border: OpenBorder) -> None:
    """The question has what the function may look at; a verdict crosses back in its form."""
    hook = {"kind": "hook", "call": "m:check", "deadline_ms": 5000, "tags": ["seen"]}
    border = open_border(routes=[{"id": "ask", "action": hook}])
    border.send("INVITE", "tel:+441632960083")
    border.wait()
    (question,) = boundary.decode_questions(border.core.questions())
    body = question.body
    assert isinstance(body, boundary.HookQuestion)
    assert (body.rule, body.call, body.peer, body.side, body.direction) == (
        "ask",
        "m:check",
        "home_core",
        "home",
        "exit",
    )
    assert (body.number, body.calling) == ("+441632960083", None)  # a SIP URI without user=phone is no number
    assert body.message.startswith("INVITE tel:+441632960083 SIP/2.0\r\n")
    verdict = boundary.HookReject("decide.forbidden", status=480, phrase="Not Now", retry_after_s=5)
    border.core.answer(boundary.encode_answers([boundary.Answer(question.id, boundary.HookAnswer(verdict))]))
    assert border.final_status() == 480
    (record,), _ = calls_of(border)
    assert (record["route"], record["reason"]) == ("ask", "decide.forbidden")


@pytest.mark.parametrize(
    ("verdict", "fault"),
    [
        (boundary.HookContinue(), None),
        (boundary.HookFailed(), None),
        (boundary.HookReject("no.such"), '"no.such" is no reason of the catalogue'),
        (
            boundary.HookContinue(boundary.HookChanges((boundary.HookRemove("Via"),))),
            "no rule may touch Via: the border",
        ),
        (
            boundary.HookRoute("b", boundary.HookChanges(request_uri="sip:a?b=c")),
            "request_uri may not be a Request-URI",
        ),
    ],
)
def test_a_verdict_is_looked_at_as_the_core_would(verdict: boundary.HookVerdict, fault: str | None) -> None:
    """The same code says what is wrong before it crosses."""
    told = _core.hook_fault(msgspec.json.encode(verdict), 256)
    assert (told or "").startswith(fault or "")
    assert (told is None) == (fault is None)
    assert _core.hook_fault(b'{"verdict": "perhaps"}', 256)


def test_sampled_requests_wait_for_whoever_comes_for_them(open_border: OpenBorder) -> None:
    """None are kept before somebody asks; then a copy of each that is decided, with the rule, and none any more."""
    border = open_border()
    for call, share in enumerate((0, 10_000, 0)):
        border.core.sample(share)
        border.send("INVITE", "tel:+4490123", call=str(call))
        assert border.final_status() == 403
        border.wait()  # the record is there, so the turn of the worker is over
        calls_of(border)
    (sampled,) = boundary.decode_samples(border.core.samples())
    assert (sampled.peer, sampled.listener, sampled.rule, sampled.number) == ("home_core", "home", "barred", "+4490123")
    assert (sampled.source, sampled.answers) == (border.source, ())
    assert "Call-ID: 1@a.example" in sampled.message
    assert border.core.samples() == b"[]"


def test_messages_of_a_mirrored_call_wait_for_whoever_comes_for_them(open_border: OpenBorder) -> None:
    """As they came and as they left, with the addresses of both ends; none of another call."""
    rules: list[dict[str, Any]] = [
        {"id": "watch", "condition": {"number": {"prefixes": ["+4490"]}}, "action": {"kind": "mirror"}},
        {"id": "barred", "action": {"kind": "reject", "reason": "decide.forbidden"}},
    ]
    border = open_border(routes=rules)
    for call, uri in enumerate(("tel:+4490123", "tel:+33")):
        border.send("INVITE", uri, call=str(call))
        assert border.final_status() == 403
        border.wait()
        calls_of(border)
    copies = boundary.decode_mirrored(border.core.mirrored())
    host, port = border.address
    assert {(copy.local, copy.remote) for copy in copies} == {(f"{host}:{port}", border.source)}
    starts = [(copy.is_received, copy.message.split("\r\n", 1)[0]) for copy in copies]
    assert starts[0] == (True, "INVITE tel:+4490123 SIP/2.0")
    assert (False, "SIP/2.0 403 Forbidden") in starts
    assert all("Call-ID: 0@a.example" in copy.message for copy in copies)
    assert border.core.mirrored() == b"[]"


def test_answers_that_cannot_be_read_are_refused(open_border: OpenBorder) -> None:
    """A malformed answer raises; one that nobody asked for is counted and dropped."""
    border = open_border()
    for wrong in (b"", b"{}", b'[{"id": 1}]', b'[{"id": 1, "body": {"kind": "magic"}}]'):
        with pytest.raises(CoreError, match="answers: "):
            border.core.answer(wrong)
    question = boundary.Question(id=200 << 56, deadline_ms=0, body=boundary.EnumQuestion(service="x", number="+1"))
    border.core.answer(not_found(question))
    families = {family.name: family for family in boundary.decode_families(border.core.statistics())}
    dropped = {sample.labels: sample.value for sample in families["ibcf_queue_dropped_total"].samples}
    assert dropped["answers",] == 1


def test_the_descriptor_is_readable_exactly_while_something_waits(open_border: OpenBorder) -> None:
    """Limits leave the rest for the next call, and the descriptor says so."""
    border = open_border()
    for call in range(3):
        border.send("INVITE", "tel:+44901", call=str(call))
        assert border.final_status() == 403
    taken: list[Any] = []
    while len(taken) < 3:
        found, _ = calls_of(border, limit=1)
        assert len(found) == 1
        taken += found
    assert border.core.events() == (b"[]", b"", b"")
    assert border.core.questions() == b"[]"
    assert select.select([border.core.fileno()], [], [], 0)[0] == []


def test_a_draining_core_takes_no_new_call_and_becomes_idle(open_border: OpenBorder) -> None:
    """After `drain` a call in progress goes on, and a new one gets 503."""
    border = open_border()
    question = ask(border, call="old")
    border.core.drain()
    border.send("INVITE", "tel:+44901", call="new")
    assert border.final_status() == 503
    assert not border.core.is_idle()
    border.core.answer(not_found(question))
    assert border.final_status() == 404


def test_stopping_in_the_middle_of_a_call_still_gives_its_record(open_border: OpenBorder) -> None:
    """No admitted call ends without a record, not even when the process goes away."""
    border = open_border()
    ask(border)
    border.core.stop()
    events, cdrs, _ = border.core.events()
    assert events == b"[]"
    assert [record["call_id"] for record in records(cdrs)] == ["1@a.example"]


def test_statistics_decode_and_count_datagrams(open_border: OpenBorder) -> None:
    """Families of the border and of its sockets come in one call, with names that begin with `ibcf_`."""
    border = open_border()
    border.send("INVITE", "tel:+44901")
    assert border.final_status() == 403
    calls_of(border)
    families = {family.name: family for family in boundary.decode_families(border.core.statistics())}
    assert all(name.startswith("ibcf_") for name in families)
    datagrams = {sample.labels: sample.value for sample in families["ibcf_transport_datagrams_total"].samples}
    assert datagrams["received",] == 1
    assert datagrams["sent",] >= 1
    assert families["ibcf_core_panics_total"].samples[0].value == 0
    for family in families.values():
        for sample in family.samples:
            assert len(sample.labels) == len(family.labels)
            assert len(sample.buckets) == (len(family.bounds) + 1 if family.kind == "histogram" else 0)
