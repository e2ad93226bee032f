"""Structured logs. What the line of a call says is tested where it is written, in `call_line.rs`."""

import io
import json
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from ibcf.boundary import Alarm, MessageRefused, TargetState
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


def call_lines(*calls: dict[str, Any]) -> bytes:
    """Return lines as the core writes them."""
    given = {
        "ts": "2026-11-23T04:14:11.300Z",
        "level": "info",
        "event": "call.finished",
        "node": "ibcf-1",
        "call_id": "+441632960083@host",
        "called": "tel:+44163296xxxx",
        "status": 200,
        "duration_s": 60.0,
        "attempts": ["carrier_b/b1 200 OK"],
    }
    return b"".join(json.dumps(given | fields, separators=(",", ":")).encode() + b"\n" for fields in calls)


def test_lines_of_calls_are_written_as_they_came(stream: io.StringIO) -> None:
    """What the core wrote stands in the log byte by byte, however many calls there were."""
    logs.configure(stream=stream, node="ibcf-1")
    written = call_lines({}, {"call_id": "— 2"}, {"event": "call.failed"})
    logs.log_calls(written)
    assert stream.getvalue() == written.decode()


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
    logs.log_target(logs.logger(), TargetState("carrier_b", "b1", "up", "answered", 4))
    assert lines(stream) == []
    logs.log_target(logs.logger(), TargetState("carrier_b", "b1", "down", "timeout", 5))
    assert len(lines(stream)) == 1


def test_lines_for_people_are_no_json(stream: io.StringIO) -> None:
    """Without JSON each line of a call is for reading, with all that it says, in its level."""
    logs.configure(stream=stream, json=False, node="ibcf-1")
    logs.log_calls(call_lines({}, {"event": "call.rejected", "level": "warning"}))
    first, second = stream.getvalue().splitlines()
    for words in (
        "[info",
        "call.finished",
        "tel:+44163296xxxx",
        "+441632960083@host",
        "node=ibcf-1",
        "duration_s=60.0",
    ):
        assert words in first
    assert "[warning" in second
    assert "call.rejected" in second


def test_numbers_are_full_when_the_operator_wants_it(stream: io.StringIO) -> None:
    """With `numbers: full` nothing is hidden; as it comes, everything that a line has is."""
    for numbers in ("masked", "full"):
        logs.configure(stream=stream, numbers=numbers)
        logs.logger().info(
            "some.event", number="+441632960083", tried=["tel:+441632960083", 5], call_id="+441632960083"
        )
    masked, full = lines(stream)
    assert (masked["number"], masked["tried"]) == ("+44163296xxxx", ["tel:+44163296xxxx", 5])
    assert (full["number"], full["tried"]) == ("+441632960083", ["tel:+441632960083", 5])
    assert masked["call_id"] == "+441632960083"


def test_a_stream_that_is_gone_costs_the_lines_only(stream: io.StringIO) -> None:
    """When nobody can be written to, lines are dropped and counted, and logging does not raise."""
    logs.configure(stream=stream)
    stream.close()
    before = logs.SafeStream.dropped
    logs.log_calls(call_lines({}, {}))
    logs.log_alarm(logs.logger(), Alarm("panic", "worker 0", 1))
    assert logs.SafeStream.dropped == before + 3


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
