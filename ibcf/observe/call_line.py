"""The one log line of a finished call or standalone transaction.

It is the only line whose number grows with the traffic. As JSON it therefore goes past structlog's processors, which
cost more than all else that Python does for a call, and many lines are written at once.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import msgspec

from ibcf.observe.masking import mask_numbers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from ibcf.boundary import Attempt, CallFinished

LEVELS: Final = {"debug": 10, "info": 20, "warning": 30, "error": 40}
_OUTCOMES: Final = {
    "answered": "finished",
    "failed": "failed",
    "cancelled": "cancelled",
    "rejected": "rejected",
}
_AREAS: Final = {"call": "call", "event": "transaction"}
_WARNED: Final = frozenset({"internal", "dns"})
"""Whose faults an operator must look at."""


class CallLine(msgspec.Struct, kw_only=True, omit_defaults=True):
    """The keys of the line, in their order; what is not known is left out."""

    ts: str | None = None
    level: str
    event: str
    node: str | None = None
    call_id: str
    icid: str | None = None
    session_id: str | None = None
    method: str
    direction: str
    peer_in: str
    peer_out: str | None = None
    number: str | None = None
    called: str
    request_uri_out: str | None = None
    route: str | None = None
    enum_class: str | None = None
    status: int
    reason: str | None = None
    source: str | None = None
    setup_s: float | None = None
    ring_s: float | None = None
    duration_s: float | None = None
    attempts: list[str] | None = None
    released_by: str | None = None
    release_reason: str | None = None
    orig_ioi: str | None = None
    term_ioi: str | None = None
    generation: int

    @classmethod
    def of(
        cls, call: CallFinished, mask: Callable[[str], str], ts: str | None = None, node: str | None = None
    ) -> CallLine:
        """Return the line of *call*; *mask* hides numbers in what is not an identifier of the call."""

        def masked(text: str | None) -> str | None:
            return None if text is None else mask(text)

        return cls(
            ts=ts,
            level=_level(call),
            event=f"{_AREAS[call.record]}.{_OUTCOMES[call.outcome]}",
            node=node,
            call_id=call.call_id,
            icid=call.icid,
            session_id=call.session_id,
            method=call.method,
            direction=call.direction,
            peer_in=call.peer_in,
            peer_out=call.peer_out,
            number=masked(call.number),
            called=mask(call.called),
            request_uri_out=masked(call.request_uri_out),
            route=call.route,
            enum_class=call.enum_class,
            status=call.status,
            reason=call.reason,
            source=call.source,
            setup_s=_seconds(call.start_ms, call.answer_ms),
            ring_s=_seconds(call.start_ms, call.ring_ms),
            duration_s=_seconds(call.answer_ms, call.end_ms),
            attempts=[mask(_attempt_words(attempt)) for attempt in call.attempts] or None,
            released_by=call.released_by,
            release_reason=masked(call.release_reason),
            orig_ioi=masked(call.orig_ioi),
            term_ioi=masked(call.term_ioi),
            generation=call.generation,
        )


class JsonCallLines:
    """Writes the lines of calls as JSON."""

    def __init__(self, write: Callable[[str], object], *, least_level: int, masks: bool, node: str | None) -> None:
        """Hand the text of whole lines to *write*."""
        self._write = write
        self._least_level = least_level
        self._mask: Callable[[str], str] = mask_numbers if masks else _as_it_is
        self._node = node

    def write(self, calls: Iterable[CallFinished]) -> None:
        """Write a line for each of *calls*."""
        ts = now_text()
        lines = [
            CallLine.of(call, self._mask, ts, self._node) for call in calls if LEVELS[_level(call)] >= self._least_level
        ]
        if lines:
            self._write(_encoder.encode_lines(lines).decode())


def now_text() -> str:
    """Return the time of a log line."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


_encoder: Final = msgspec.json.Encoder()


def _level(call: CallFinished) -> str:
    return "warning" if call.source in _WARNED else "info"


def _as_it_is(text: str) -> str:
    return text


def _attempt_words(attempt: Attempt) -> str:
    """Return `carrier_b/b1 503 Service Unavailable`."""
    words = [f"{attempt.peer}/{attempt.target}"]
    if attempt.status is not None:
        words.append(str(attempt.status))
    words += [word for word in (attempt.phrase, attempt.reason) if word is not None]
    return " ".join(words).rstrip()


def _seconds(start_ms: int | None, end_ms: int | None) -> float | None:
    return None if start_ms is None or end_ms is None else (end_ms - start_ms) / 1000
