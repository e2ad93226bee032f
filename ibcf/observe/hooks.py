"""Writes what hooks do wrong: at most one line a second for each rule, since one that fails may fail for every call."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ibcf.observe import logs
from ibcf.observe.pace import Pace

if TYPE_CHECKING:
    from collections.abc import Callable

    from ibcf.boundary import HookQuestion
    from ibcf.hooks.runner import Outcome

ERROR_CHARS_MAX = 500


@dataclass(slots=True)
class HookReport:
    """Writes at the pace of one line for each rule."""

    pace: Pace = field(default_factory=lambda: Pace(time.monotonic))
    on_stalled: Callable[[str], None] = lambda _call: None

    def failed(self, question: HookQuestion, outcome: Outcome, error: str) -> None:
        """Write that a hook gave no usable answer, and how often since the last line."""
        suppressed = self.pace.suppressed(question.rule)
        if suppressed is None:
            return
        logs.logger().warning(
            logs.HOOK_FAILED,
            rule=question.rule,
            call=question.call,
            cause=outcome,
            error=error[:ERROR_CHARS_MAX],
            peer=question.peer,
            suppressed=suppressed,
        )

    def stalled(self, call: str, place: str, blocked: int) -> None:
        """Write that a thread is left to itself."""
        self.on_stalled(call)
        logs.logger().error(
            logs.HOOK_STALLED,
            call=call,
            place=place,
            blocked=blocked,
            advice="its code blocks the event loop: await what waits, and give what computes to a process of its own",
        )
