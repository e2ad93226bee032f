"""Asks the hooks of the policy in force: each within its deadline, none at the cost of another or of a look-up.

A hook has a thread with an event loop of its own. When its deadline passes and the loop does not answer either, its
code blocks: the thread is left to itself, and another one takes its place. What follows for the request is the core's
business: it has the deadline too.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, Protocol

from ibcf.boundary import HookAnswer, HookContinue, HookFailed, HookReject
from ibcf.hooks.failure import described
from ibcf.hooks.loop import HookLoop
from ibcf.hooks.request import view
from ibcf.hooks.verdict import NonsenseError, checked

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ibcf.boundary import HookQuestion
    from ibcf.config import Config
    from ibcf.hooks.modules import HookFunction

STALLED_SECONDS = 1.0
"""A loop that has had no turn for so long behind a deadline is blocked."""
ABANDONED_MAX = 4
"""Blocked threads of one hook; with that many, it is not asked until one of them comes back."""

Outcome = Literal["continue", "route", "reject", "raised", "nonsense", "deadline", "overload", "stalled"]
OUTCOMES: tuple[Outcome, ...] = (
    *("continue", "route", "reject"),
    *("raised", "nonsense", "deadline", "overload", "stalled"),
)
"""What may come of asking a hook: a verdict, or the cause for which the fallback follows."""


class Report(Protocol):
    """Hears of what goes wrong: see `ibcf.observe.hooks`."""

    def failed(self, question: HookQuestion, outcome: Outcome, error: str) -> None:
        """Hear that a hook gave no usable answer."""
        ...

    def stalled(self, call: str, place: str, blocked: int) -> None:
        """Hear that a thread is left to itself; *blocked* of that hook are now."""
        ...


@dataclass(slots=True)
class _Hook:
    """A function with its thread, and with those that block."""

    call: str
    function: HookFunction
    loop: HookLoop | None = None
    abandoned: list[HookLoop] = field(default_factory=list)
    is_suspected: bool = False

    def running(self) -> HookLoop | None:
        """Return the thread to ask, which begins with the first request; nothing while too many block."""
        if self.loop is None:
            self.abandoned = [loop for loop in self.abandoned if loop.is_alive]
            if len(self.abandoned) < ABANDONED_MAX:
                self.loop = HookLoop(self.call, self.function)
        return self.loop


@dataclass(slots=True)
class HookRunner:
    """The hooks of one policy. Its methods belong to one event loop."""

    report: Report
    observe: Callable[[str, Outcome, float], None] = lambda _rule, _outcome, _seconds: None
    _hooks: dict[str, _Hook] = field(default_factory=dict)
    _tags: dict[str, tuple[str, ...]] = field(default_factory=dict)
    _peers: frozenset[str] = frozenset()
    _uri_bytes_max: int = 0

    def prepare(self, config: Config, functions: Mapping[str, HookFunction]) -> None:
        """Serve the rules of *config* too, which the core may put in force at any moment from now on."""
        self._hooks = {**{call: _Hook(call, function) for call, function in functions.items()}, **self._hooks}
        self._tags = {**self._tags, **_tags(config)}
        self._peers |= {peer.id for peer in config.peers}

    def switch(self, config: Config, functions: Mapping[str, HookFunction]) -> None:
        """Serve the rules of *config*; a function that stays the same keeps its thread."""
        before = self._hooks
        self._hooks = {
            call: before[call] if call in before and before[call].function is function else _Hook(call, function)
            for call, function in functions.items()
        }
        for call, hook in before.items():
            if self._hooks.get(call) is not hook and hook.loop is not None:
                hook.loop.close()
        self._tags = _tags(config)
        self._peers = frozenset(peer.id for peer in config.peers)
        self._uri_bytes_max = int(config.limits.uri_size_max)

    def close(self) -> None:
        """End all threads that can be ended; none of them keeps the process."""
        for hook in self._hooks.values():
            if hook.loop is not None:
                hook.loop.close()
                hook.loop = None

    async def answer(self, question: HookQuestion, deadline_ms: int) -> HookAnswer | None:
        """Return what the hook decides; nothing when its deadline passed, for then the core went on already."""
        start = time.perf_counter()
        outcome, answer, error = await self._ask(question, deadline_ms / 1000)
        self.observe(question.rule, outcome, time.perf_counter() - start)
        if error is not None:
            self.report.failed(question, outcome, error)
        return answer

    async def _ask(self, question: HookQuestion, seconds: float) -> tuple[Outcome, HookAnswer | None, str | None]:
        failed = HookAnswer(HookFailed())
        hook = self._hooks.get(question.call)
        loop = None if hook is None else hook.running()
        if hook is None or loop is None:
            why = "the policy in force does not call it" if hook is None else f"{ABANDONED_MAX} of its threads block"
            return "stalled", failed, why
        if loop.is_full:
            return "overload", failed, "it is busy with as many requests as it may be"
        try:
            async with asyncio.timeout(seconds):
                answer, error = await asyncio.wrap_future(loop.start(view(question)))
        except TimeoutError:
            self._suspect(hook, loop)
            return "deadline", None, f"no answer within {seconds * 1000:g} ms"
        if error is not None:
            return "raised", failed, described(error)
        try:
            verdict = checked(
                answer,
                tags=self._tags.get(question.rule, ()),
                peers=self._peers,
                uri_bytes_max=self._uri_bytes_max,
            )
        except NonsenseError as nonsense:
            return "nonsense", failed, str(nonsense)
        return _outcome(verdict), HookAnswer(verdict), None

    def _suspect(self, hook: _Hook, loop: HookLoop) -> None:
        """Look soon whether the loop has turns, or something blocks it."""
        if hook.is_suspected or hook.loop is not loop:
            return
        hook.is_suspected = True
        beats = loop.beats
        loop.ask_for_a_beat()
        asyncio.get_running_loop().call_later(STALLED_SECONDS, self._judge, hook, loop, beats)

    def _judge(self, hook: _Hook, loop: HookLoop, beats: int) -> None:
        hook.is_suspected = False
        if hook.loop is not loop or loop.beats > beats:
            return
        loop.close()  # should it ever come back, it ends
        hook.loop = None
        hook.abandoned = [*(one for one in hook.abandoned if one.is_alive), loop]
        self.report.stalled(hook.call, loop.place(), len(hook.abandoned))


def _tags(config: Config) -> dict[str, tuple[str, ...]]:
    return {route.id: route.hook.tags for route in config.routes if route.hook is not None}


def _outcome(verdict: object) -> Outcome:
    if isinstance(verdict, HookReject):
        return "reject"
    return "continue" if isinstance(verdict, HookContinue) else "route"
