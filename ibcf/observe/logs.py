"""Structured logs: JSON lines, one line a finished call, never one a message.

Keys that a line has: ``ts level event``, bound once ``node``, then what the event is about in snake case with the unit
last. Event names are the constants below (``area.verb_past``); they are never renamed.
"""

from __future__ import annotations

import contextlib
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, TextIO, cast

import msgspec
import structlog

from ibcf.observe.masking import mask_numbers

if TYPE_CHECKING:
    from structlog.typing import EventDict, FilteringBoundLogger, Processor, WrappedLogger

    from ibcf.boundary import Alarm, CallFinished, MessageRefused, TargetState

BORDER_READY: Final = "border.ready"
BORDER_DRAINING: Final = "border.draining"
BORDER_STOPPED: Final = "border.stopped"
CONFIG_RELOADED: Final = "config.reloaded"
CONFIG_REFUSED: Final = "config.refused"
CONFIG_RESTART_NEEDED: Final = "config.restart_needed"
CALL_FINISHED: Final = "call.finished"
CALL_FAILED: Final = "call.failed"
CALL_CANCELLED: Final = "call.cancelled"
CALL_REJECTED: Final = "call.rejected"
MESSAGE_REFUSED: Final = "message.refused"
PEER_UP: Final = "peer.up"
PEER_DOWN: Final = "peer.down"
ALARM_RAISED: Final = "alarm.raised"
ENUM_FAILED: Final = "enum.failed"
PEER_LOCATED: Final = "peer.located"
PEER_LOCATION_FAILED: Final = "peer.location_failed"
PEER_OUTSIDE_SOURCES: Final = "peer.outside_sources"
CDR_WRITE_FAILED: Final = "cdr.write_failed"
CDR_WRITE_RECOVERED: Final = "cdr.write_recovered"
CDR_LOST: Final = "cdr.lost"
CDR_FILE_CLOSED: Final = "cdr.file_closed"
ADMIN_UNAVAILABLE: Final = "admin.unavailable"
EVENT_UNREADABLE: Final = "event.unreadable"

_OUTCOMES: Final = {
    "answered": "finished",
    "failed": "failed",
    "cancelled": "cancelled",
    "rejected": "rejected",
}
_NEVER_MASKED: Final = frozenset({"ts", "level", "event", "call_id", "icid", "session_id", "node"})
_LEVELS: Final = {"debug": 10, "info": 20, "warning": 30, "error": 40}


class SafeStream:
    """A stream whose reader may go away: what cannot be written is counted, and no call suffers from it."""

    dropped = 0
    """Lines, over the life of the process."""

    def __init__(self, stream: TextIO) -> None:
        """Write to *stream*."""
        self._stream = stream

    def write(self, text: str) -> int:
        """Write, if it can be done."""
        try:
            return self._stream.write(text)
        except (OSError, ValueError):  # a closed pipe, a closed file
            SafeStream.dropped += 1
            return 0

    def flush(self) -> None:
        """Flush, if it can be done."""
        with contextlib.suppress(OSError, ValueError):
            self._stream.flush()


def configure(
    *, level: str = "info", numbers: str = "masked", json: bool = True, stream: TextIO | None = None, **bound: str
) -> None:
    """Set logging up: *level* and above to *stream* (standard output), with *bound* in every line."""
    out = sys.stdout if stream is None else stream
    processors: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        _time_stamp,
        structlog.processors.format_exc_info,
    ]
    if numbers == "masked":
        processors.append(_mask)
    if json:
        processors += [_leading_keys, _render_json]
    else:
        processors.append(structlog.dev.ConsoleRenderer(colors=out.isatty(), timestamp_key="ts"))
    structlog.configure(
        processors=processors,
        wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[level]),
        logger_factory=structlog.WriteLoggerFactory(file=cast("TextIO", SafeStream(out))),
        cache_logger_on_first_use=False,  # a reload may change level and masking
    )
    structlog.contextvars.clear_contextvars()
    structlog.contextvars.bind_contextvars(**bound)


def logger() -> FilteringBoundLogger:
    """Return the logger as it is configured now."""
    return cast("FilteringBoundLogger", structlog.get_logger())


def log_call(log: FilteringBoundLogger, call: CallFinished) -> None:
    """Write the one line of a finished call or transaction."""
    area = "call" if call.record == "call" else "transaction"
    write = log.warning if call.source in {"internal", "dns"} else log.info
    write(f"{area}.{_OUTCOMES[call.outcome]}", **call_fields(call))


def call_fields(call: CallFinished) -> dict[str, Any]:
    """Return the keys of a call's line; what is not known is left out."""
    answered = call.answer_ms is not None
    fields = {
        "call_id": call.call_id,
        "icid": call.icid,
        "session_id": call.session_id,
        "method": call.method,
        "direction": call.direction,
        "peer_in": call.peer_in,
        "peer_out": call.peer_out,
        "number": call.number,
        "called": call.called,
        "request_uri_out": call.request_uri_out,
        "route": call.route,
        "enum_class": call.enum_class,
        "status": call.status,
        "reason": call.reason,
        "source": call.source,
        "setup_s": _seconds(call.start_ms, call.answer_ms),
        "ring_s": _seconds(call.start_ms, call.ring_ms),
        "duration_s": _seconds(call.answer_ms, call.end_ms) if answered else None,
        "attempts": [_attempt_words(attempt.peer, attempt.target, attempt) for attempt in call.attempts] or None,
        "released_by": call.released_by,
        "release_reason": call.release_reason,
        "orig_ioi": call.orig_ioi,
        "term_ioi": call.term_ioi,
        "generation": call.generation,
    }
    return {key: value for key, value in fields.items() if value is not None}


def _attempt_words(peer: str, target: str, attempt: Any) -> str:
    """Return `carrier_b/b1 503 Service Unavailable`."""
    result = " ".join(str(part) for part in (attempt.status, attempt.phrase, attempt.reason) if part is not None)
    return f"{peer}/{target} {result}".rstrip()


def log_refused(log: FilteringBoundLogger, refused: MessageRefused) -> None:
    """Write that messages were refused before they became calls."""
    log.warning(
        MESSAGE_REFUSED,
        reason=refused.reason,
        peer=refused.peer,
        source=refused.source,
        detail=refused.detail,
        suppressed=refused.suppressed,
    )


def log_target(log: FilteringBoundLogger, change: TargetState) -> None:
    """Write that a target can be reached again, or cannot any more."""
    fields = {"peer": change.peer, "target": change.target, "cause": change.cause}
    if change.state == "up":
        log.info(PEER_UP, **fields)
    else:
        log.warning(PEER_DOWN, **fields)


def log_alarm(log: FilteringBoundLogger, alarm: Alarm) -> None:
    """Write an alarm of the core."""
    log.error(ALARM_RAISED, alarm=alarm.name, detail=alarm.detail)


def _seconds(start_ms: int | None, end_ms: int | None) -> float | None:
    return None if start_ms is None or end_ms is None else (end_ms - start_ms) / 1000


def _time_stamp(_logger: WrappedLogger, _method: str, fields: EventDict) -> EventDict:
    fields["ts"] = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return fields


def _mask(_logger: WrappedLogger, _method: str, fields: EventDict) -> EventDict:
    for key, value in fields.items():
        if key in _NEVER_MASKED:
            continue
        if isinstance(value, str):
            fields[key] = mask_numbers(value)
        elif isinstance(value, list | tuple):
            fields[key] = [mask_numbers(item) if isinstance(item, str) else item for item in value]
    return fields


def _leading_keys(_logger: WrappedLogger, _method: str, fields: EventDict) -> EventDict:
    return {key: fields.pop(key) for key in ("ts", "level", "event") if key in fields} | dict(fields)


def _render_json(_logger: WrappedLogger, _method: str, fields: EventDict) -> str:
    return msgspec.json.encode(fields, enc_hook=str).decode()
