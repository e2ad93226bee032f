"""Structured logs: JSON lines, one line a finished call, never one a message.

The lines of calls are the only ones whose number grows with the traffic: the core writes them (`call_line.rs`), and as
JSON they go past structlog to the stream, many at once.

Keys that a line has: ``ts level event``, bound once ``node``, then what the event is about in snake case with the unit
last. Event names are the constants below (``area.verb_past``); they are never renamed.
"""

from __future__ import annotations

import contextlib
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, TextIO, cast

import msgspec
import structlog

if TYPE_CHECKING:
    from structlog.typing import EventDict, FilteringBoundLogger, Processor, WrappedLogger

    from ibcf.boundary import Alarm, MessageRefused, TargetState

BORDER_READY: Final = "border.ready"
BORDER_DRAINING: Final = "border.draining"
BORDER_STOPPED: Final = "border.stopped"
CONFIG_RELOADED: Final = "config.reloaded"
CONFIG_REFUSED: Final = "config.refused"
CONFIG_RESTART_NEEDED: Final = "config.restart_needed"
MESSAGE_REFUSED: Final = "message.refused"
PEER_UP: Final = "peer.up"
PEER_DOWN: Final = "peer.down"
ALARM_RAISED: Final = "alarm.raised"
PATTERN_FOUND: Final = "pattern.found"
PATTERN_OVER: Final = "pattern.over"
ENUM_FAILED: Final = "enum.failed"
HOOK_FAILED: Final = "hook.failed"
HOOK_STALLED: Final = "hook.stalled"
TRACE_WRITE_FAILED: Final = "trace.write_failed"
SHADOW_STARTED: Final = "shadow.started"
SHADOW_ENDED: Final = "shadow.ended"
PEER_LOCATED: Final = "peer.located"
PEER_LOCATION_FAILED: Final = "peer.location_failed"
PEER_OUTSIDE_SOURCES: Final = "peer.outside_sources"
CDR_WRITE_FAILED: Final = "cdr.write_failed"
CDR_WRITE_RECOVERED: Final = "cdr.write_recovered"
CDR_LOST: Final = "cdr.lost"
CDR_FILE_CLOSED: Final = "cdr.file_closed"
SOCKET_BUFFER: Final = "socket.buffer"
DESCRIPTORS_SHORT: Final = "descriptors.short"
ADMIN_UNAVAILABLE: Final = "admin.unavailable"
EVENT_UNREADABLE: Final = "event.unreadable"

LEVELS: Final = {"debug": 10, "info": 20, "warning": 30, "error": 40}

_NEVER_MASKED: Final = frozenset({"ts", "level", "event", "call_id", "icid", "session_id", "node"})


_call_line = msgspec.json.Decoder(dict[str, object])


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
            SafeStream.dropped += max(1, text.count("\n"))
            return 0

    def flush(self) -> None:
        """Flush, if it can be done."""
        with contextlib.suppress(OSError, ValueError):
            self._stream.flush()

    def write_lines(self, text: str) -> None:
        """Write whole lines, so that they can be read at once."""
        self.write(text)
        self.flush()

    def isatty(self) -> bool:
        """Tell whether people read it."""
        return self._stream.isatty()


_call_lines_to: SafeStream | None = None
"""Where they go as they are; structlog writes them for people otherwise."""


def configure(
    *, level: str = "info", numbers: str = "masked", json: bool = True, stream: TextIO | None = None, **bound: str
) -> None:
    """Set logging up: *level* and above to *stream* (standard output), with *bound* in every line."""
    global _call_lines_to  # noqa: PLW0603 - beside structlog's own configuration, which is global too
    out = SafeStream(sys.stdout if stream is None else stream)
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
        wrapper_class=structlog.make_filtering_bound_logger(LEVELS[level]),
        logger_factory=structlog.WriteLoggerFactory(file=cast("TextIO", out)),
        cache_logger_on_first_use=False,  # a reload may change level and masking
    )
    structlog.contextvars.clear_contextvars()
    structlog.contextvars.bind_contextvars(**bound)
    _call_lines_to = out if json else None


def logger() -> FilteringBoundLogger:
    """Return the logger as it is configured now."""
    return cast("FilteringBoundLogger", structlog.get_logger())


def log_calls(lines: bytes) -> None:
    """Write the lines of finished calls and transactions, as `Core.events` gave them."""
    if _call_lines_to is not None:
        _call_lines_to.write_lines(lines.decode())
        return
    log = logger()
    for fields in _call_line.decode_lines(lines):
        level, event = fields.pop("level"), str(fields.pop("event"))
        for key in ("ts", "node"):  # every line of this process gets them
            fields.pop(key)
        write = log.warning if level == "warning" else log.info
        write(event, **fields)


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


def _time_stamp(_logger: WrappedLogger, _method: str, fields: EventDict) -> EventDict:
    fields["ts"] = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return fields


def _mask(_logger: WrappedLogger, _method: str, fields: EventDict) -> EventDict:
    from ibcf.observe.masking import mask_numbers  # noqa: PLC0415 - a verb that needs no core works without it

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
