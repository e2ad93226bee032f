"""Structured logs: one line a finished call."""

import io
import json
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from ibcf.boundary import Alarm, Attempt, CallFinished, MessageRefused, TargetState
from ibcf.observe import logs


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    """A stream that takes the logs of one test."""
    yield io.StringIO()
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    """Return what was logged."""
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def call(**fields: Any) -> CallFinished:
    """Make a finished call."""
    given: dict[str, Any] = {
        "record": "call",
        "method": "INVITE",
        "call_id": "+441632960083@host",
        "peer_in": "carrier_a",
        "peer_out": "carrier_b",
        "direction": "exit",
        "called": "tel:+441632960083",
        "number": "+441632960083",
        "outcome": "answered",
        "status": 200,
        "icid": "icid-1",
        "start_ms": 1000,
        "ring_ms": 1250,
        "answer_ms": 2500,
        "end_ms": 62_500,
        "generation": 3,
        "attempts": (Attempt("carrier_b", "b1", 200, "OK"),),
    }
    return CallFinished(**(given | fields))


def test_finished_call_is_one_line(stream: io.StringIO) -> None:
    """The line has event, ids, peers and times in seconds; numbers are masked, ids are not."""
    logs.configure(stream=stream, node="ibcf-1")
    logs.log_calls([call()])
    [line] = lines(stream)
    assert list(line)[:3] == ["ts", "level", "event"]
    assert (line["event"], line["level"], line["node"]) == ("call.finished", "info", "ibcf-1")
    assert (line["setup_s"], line["ring_s"], line["duration_s"]) == (1.5, 0.25, 60.0)
    assert (line["call_id"], line["icid"]) == ("+441632960083@host", "icid-1")
    assert (line["number"], line["called"]) == ("+44163296xxxx", "tel:+44163296xxxx")
    assert line["attempts"] == ["carrier_b/b1 200 OK"]
    assert "reason" not in line
    assert line["ts"].endswith("Z")


def test_numbers_are_full_when_the_operator_wants_it(stream: io.StringIO) -> None:
    """With `numbers: full` nothing is hidden."""
    logs.configure(stream=stream, numbers="full")
    logs.log_calls([call()])
    assert lines(stream)[0]["number"] == "+441632960083"


@pytest.mark.parametrize(
    ("fields", "event", "level"),
    [
        ({"outcome": "failed", "status": 486, "answer_ms": None}, "call.failed", "info"),
        ({"outcome": "cancelled", "status": 487, "answer_ms": None}, "call.cancelled", "info"),
        (
            {"outcome": "rejected", "status": 403, "reason": "decide.forbidden", "source": "policy", "answer_ms": None},
            "call.rejected",
            "info",
        ),
        (
            {"outcome": "rejected", "status": 500, "reason": "decide.enum_failed", "source": "dns", "answer_ms": None},
            "call.rejected",
            "warning",
        ),
        ({"record": "event", "method": "MESSAGE"}, "transaction.finished", "info"),
    ],
)
def test_outcome_names_the_event(stream: io.StringIO, fields: dict[str, Any], event: str, level: str) -> None:
    """Each outcome has its event name; what an operator must look at is a warning."""
    logs.configure(stream=stream)
    logs.log_calls([call(**fields)])
    [line] = lines(stream)
    assert (line["event"], line["level"]) == (event, level)
    assert line.get("reason") == fields.get("reason")


def test_zero_length_call_has_a_duration(stream: io.StringIO) -> None:
    """A call that ended at once lasted 0.0 s; it is not a call without a duration."""
    logs.configure(stream=stream)
    logs.log_calls([call(end_ms=2500)])
    assert lines(stream)[0]["duration_s"] == 0.0


def test_refusals_and_alarms_have_their_lines(stream: io.StringIO) -> None:
    """A refused message tells how many were not told; an alarm is an error."""
    logs.configure(stream=stream)
    log = logs.logger()
    logs.log_refused(log, MessageRefused("admit.unknown_source", "192.0.2.1:5060", "d", 41, 1))
    logs.log_alarm(log, Alarm("panic", "worker 0", 1))
    refused, alarm = lines(stream)
    assert (refused["event"], refused["suppressed"], refused["source"]) == ("message.refused", 41, "192.0.2.1:5060")
    assert (alarm["event"], alarm["level"], alarm["alarm"]) == ("alarm.raised", "error", "panic")


def test_level_holds_back(stream: io.StringIO) -> None:
    """Below the configured level nothing is written."""
    logs.configure(stream=stream, level="warning")
    logs.log_calls([call()])
    assert lines(stream) == []


def test_lines_for_people_are_no_json(stream: io.StringIO) -> None:
    """Without JSON the line is for reading, and masked all the same."""
    logs.configure(stream=stream, json=False)
    logs.log_calls([call()])
    assert "call.finished" in stream.getvalue()
    assert "tel:+44163296xxxx" in stream.getvalue()


def test_a_stream_that_is_gone_costs_the_line_only(stream: io.StringIO) -> None:
    """When nobody can be written to, lines are dropped and counted, and logging does not raise."""
    logs.configure(stream=stream)
    stream.close()
    before = logs.SafeStream.dropped
    logs.log_calls([call()])
    assert logs.SafeStream.dropped == before + 1


def test_what_cannot_be_json_is_written_as_text(stream: io.StringIO) -> None:
    """A value of an unknown type costs its form, not the line; an exception is written out."""
    logs.configure(stream=stream)
    logs.logger().error("some.event", value=object, exc_info=KeyError("x"))
    [line] = lines(stream)
    assert "KeyError" in line["exception"]


def test_a_target_that_comes_or_goes_is_one_line(stream: io.StringIO) -> None:
    """`peer.down` warns and `peer.up` informs, each with the target and what showed it."""
    logs.configure(stream=stream)
    logs.log_target(logs.logger(), TargetState("carrier_b", "b1", "down", "timeout", 3))
    logs.log_target(logs.logger(), TargetState("carrier_b", "b1", "up", "answered", 4))
    down, up = lines(stream)
    assert (down["event"], down["level"], down["peer"], down["target"]) == ("peer.down", "warning", "carrier_b", "b1")
    assert (up["event"], up["level"], up["cause"]) == ("peer.up", "info", "answered")
