"""What patterns found: told in the log, shown in `/status`, let go when an operator says so.

The core does all the counting (`core/sip/src/pattern`).
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, Protocol

from ibcf.boundary import PatternState, decode_events, decode_held
from ibcf.observe import logs

if TYPE_CHECKING:
    from collections.abc import Callable

    from ibcf.config import Config
    from ibcf.observe.metrics import Metrics

LOOK_EVERY_SECONDS: Final = 1.0
"""The end of a block takes effect in the core by itself; this is how late it may be told."""
SHOWN_MAX: Final = 1_000
"""Keys in `/status`."""
ALARM: Final = "pattern_found"


class Core(Protocol):
    """What is used of the core."""

    def held(self) -> bytes:
        """Return what patterns hold."""
        ...

    def lift(self, pattern: str | None = None, key: str | None = None) -> bytes:
        """Let go."""
        ...


@dataclass(frozen=True, slots=True)
class PatternWatch:
    """Tells of patterns."""

    core: Core
    metrics: Metrics

    def tell(self, change: PatternState) -> None:
        """Write that one was found, or that what followed is over."""
        fields = {
            "pattern": change.pattern,
            "action": change.action,
            "by": change.by,
            "key": change.key,
            "counted": change.counted,
            "of": change.of,
            "until": _time(change.until_ms),
        }
        log = logs.logger()
        if change.change in ("found", "full"):
            self.metrics.alarms.labels(ALARM).inc()
            log.error(logs.PATTERN_FOUND, **fields, is_held=change.change == "found")
        else:
            log.info(logs.PATTERN_OVER, **fields, is_lifted=change.change == "lifted")

    def status(self) -> list[dict[str, Any]]:
        """Return what `/status` shows."""
        held = decode_held(self.core.held())[:SHOWN_MAX]
        return [
            {
                "pattern": one.pattern,
                "action": one.action,
                "by": one.by,
                "key": one.key,
                "counted": one.counted,
                "of": one.of,
                "since": _time(one.since_ms),
                "until": _time(one.until_ms),
            }
            for one in held
        ]

    def lift(self, pattern: str | None, key: str | None) -> int:
        """Let go what is held: of that pattern or of all, that key or all; returns how many."""
        events, _ = decode_events(self.core.lift(pattern, key))
        changes = [event for event in events if isinstance(event, PatternState)]
        for change in changes:
            self.tell(change)
        return len(changes)


async def look_at_times(config: Callable[[], Config], take_events: Callable[[], object]) -> None:
    """Fetch events at times although no call is over: what patterns hold ends by the clock."""
    while True:
        await asyncio.sleep(LOOK_EVERY_SECONDS)
        if config().patterns:
            take_events()


def _time(unix_ms: int) -> str:
    return datetime.fromtimestamp(unix_ms / 1000, UTC).isoformat(timespec="seconds")
