"""The JSON of the boundary (design §4)."""

import json

import msgspec
import pytest

from ibcf.boundary import (
    Alarm,
    Answer,
    Cdr,
    EnumAnswer,
    EnumQuestion,
    MessageRefused,
    Question,
    TargetState,
    decode_cdrs,
    decode_events,
    decode_families,
    decode_questions,
    decode_reasons,
    encode_answers,
)


def test_questions_are_read() -> None:
    """A batch of questions as the core writes it becomes typed values."""
    data = b'[{"id":18446744073709551615,"deadline_ms":2000,"body":{"kind":"enum","service":"e","number":"+44"}}]'
    assert decode_questions(data) == [Question(2**64 - 1, 2000, EnumQuestion("e", "+44"))]


def test_answers_are_written_as_the_core_reads_them() -> None:
    """An answer has exactly the keys that the core accepts, `class` among them."""
    answer = Answer(7, EnumAnswer("found", "FOUND", ("sip:a@b",), 300))
    assert json.loads(encode_answers([answer])) == [
        {
            "id": 7,
            "body": {"kind": "enum", "outcome": "found", "class": "FOUND", "candidates": ["sip:a@b"], "ttl_ms": 300},
        }
    ]


def test_events_are_told_apart_by_their_tag() -> None:
    """Each kind of event becomes its own type."""
    refused = {
        "event": "message_refused",
        "reason": "admit.unknown_source",
        "peer": None,
        "source": "192.0.2.1:5060",
        "detail": "d",
        "suppressed": 2,
        "unix_ms": 3,
    }
    alarm = {"event": "alarm", "name": "panic", "detail": "d", "unix_ms": 3}
    change = {"event": "target_state", "peer": "b", "target": "b1", "state": "down", "cause": "timeout", "unix_ms": 3}
    events, unread = decode_events(json.dumps([refused, alarm, change]).encode())
    assert unread == []
    assert events == [
        MessageRefused("admit.unknown_source", "192.0.2.1:5060", "d", 2, 3),
        Alarm("panic", "d", 3),
        TargetState("b", "b1", "down", "timeout", 3),
    ]


def test_an_unknown_event_does_not_take_the_others_along() -> None:
    """An alarm beside an event of an unknown form is still read, and the unknown one is shown."""
    alarm = {"event": "alarm", "name": "panic", "detail": "d", "unix_ms": 3}
    events, unread = decode_events(json.dumps([{"event": "new_thing"}, alarm]).encode())
    assert events == [Alarm("panic", "d", 3)]
    assert "new_thing" in unread[0]


def test_charging_records_are_read_line_by_line() -> None:
    """Each line is one record, of which only what is asked for is read."""
    lines = b'{"call_id":"c1","reason":"decide.forbidden"}\n{"call_id":"c2","reason":null}\n'
    assert decode_cdrs(lines) == [Cdr("decide.forbidden"), Cdr(None)]
    assert decode_cdrs(b"") == []


def test_families_are_read() -> None:
    """Counters and histograms of the core become typed values."""
    data = (
        b'[{"name":"ibcf_a_total","kind":"counter","help":"h","labels":["peer"],"bounds":[],'
        b'"samples":[{"labels":["b"],"value":2.0,"buckets":[]}]},'
        b'{"name":"ibcf_b_seconds","kind":"histogram","help":"h","labels":[],"bounds":[0.5],'
        b'"samples":[{"labels":[],"value":0.4,"buckets":[1,1]}]}]'
    )
    counter, histogram = decode_families(data)
    assert (counter.samples[0].value, histogram.samples[0].buckets, histogram.bounds) == (2.0, (1, 1), (0.5,))


def test_reasons_are_read() -> None:
    """An entry of the catalogue becomes a typed value."""
    data = b'[{"id":"a.b","status":403,"phrase":"P","q850":21,"source":"policy","text":"t","clause":"c","advice":"d"}]'
    assert decode_reasons(data)[0].id == "a.b"


def test_rubbish_from_the_core_is_an_error() -> None:
    """What is not JSON at all is a defect and raises."""
    with pytest.raises(msgspec.DecodeError):
        decode_events(b"[")
