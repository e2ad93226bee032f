"""Hooks are asked within their deadline; one that fails, hangs or blocks costs nothing but its own rule."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

import pytest

from ibcf.boundary import HookAnswer, HookContinue, HookFailed, HookQuestion, HookReject
from ibcf.hooks import runner as runner_module
from ibcf.hooks.loop import RUNNING_MAX
from ibcf.hooks.modules import HookModules
from ibcf.hooks.runner import ABANDONED_MAX, HookRunner
from tests.unit.hooks.conftest import Configured

FAILED = HookAnswer(HookFailed())
MODULE = """\
import asyncio
import threading
from ibcf.hooks import Continue, Reject

gate = threading.Event()
thread = None

async def good(request):
    await asyncio.sleep(0)
    return Reject("decide.forbidden") if request.number == "+1" else Continue()

async def raises(request):
    raise ValueError("no HLR for " + request.number)

async def exits(request):
    raise SystemExit

async def gives_up(request):
    raise asyncio.CancelledError

async def empty(request):
    pass

async def hangs(request):
    await asyncio.sleep(3600)

async def stubborn(request):
    while not gate.is_set():
        try:
            await asyncio.sleep(0.01)
        except asyncio.CancelledError:
            pass

async def blocks(request):
    gate.wait()
"""


@dataclass(slots=True)
class Told:
    """What the runner told."""

    failures: list[tuple[str, str, str]] = field(default_factory=list)
    stalls: list[tuple[str, str, int]] = field(default_factory=list)
    counted: list[tuple[str, str]] = field(default_factory=list)
    has_stalled: asyncio.Event = field(default_factory=asyncio.Event)

    def failed(self, question: HookQuestion, outcome: str, error: str) -> None:
        """Take note."""
        self.failures.append((question.rule, outcome, error))

    def stalled(self, call: str, place: str, blocked: int) -> None:
        """Take note."""
        self.stalls.append((call, place, blocked))
        self.has_stalled.set()

    def observe(self, rule: str, outcome: str, _seconds: float) -> None:
        """Take note."""
        self.counted.append((rule, outcome))


@dataclass(slots=True)
class Bench:
    """A runner with the hooks of a module."""

    runner: HookRunner
    told: Told
    gate: threading.Event
    question: Callable[..., HookQuestion]

    async def ask(self, name: str, deadline_ms: int = 5_000) -> HookAnswer | None:
        """Ask the function of that name."""
        return await self.runner.answer(self.question(f"hooks.it:{name}"), deadline_ms)


@pytest.fixture
async def bench(configured: Configured, question: Callable[..., HookQuestion]) -> AsyncIterator[Bench]:
    """Return a runner, and let go at the end whatever it blocks."""
    names = ("good", "raises", "exits", "gives_up", "empty", "hangs", "stubborn", "blocks")
    loaded = configured(*(f"hooks.it:{name}" for name in names), it=MODULE)
    functions = HookModules().load(loaded)
    told = Told()
    runner = HookRunner(told, told.observe)
    runner.switch(loaded.config, functions)
    gate = functions["hooks.it:good"].__globals__["gate"]
    yield Bench(runner, told, gate, question)
    gate.set()
    runner.close()
    for thread in threading.enumerate():
        if thread.name.startswith("hook "):
            await asyncio.to_thread(thread.join, 10)


async def test_a_verdict_comes_back(bench: Bench) -> None:
    """It is counted by its kind, and nothing is said of it."""
    assert await bench.ask("good") == HookAnswer(HookContinue())
    assert bench.told.counted == [("rule_0", "continue")]
    assert bench.told.failures == []


@pytest.mark.parametrize(
    ("name", "outcome", "text"),
    [
        ("raises", "raised", "ValueError: no HLR for +441632960083 ("),
        ("exits", "raised", "SystemExit: "),
        ("gives_up", "raised", "CancelledError: "),
        ("empty", "nonsense", "it answered nothing, which is no Continue, Route or Reject"),
    ],
)
async def test_one_that_fails_is_told_at_once_and_goes_on(bench: Bench, name: str, outcome: str, text: str) -> None:
    """The core hears of it before the deadline, the next request is answered by the same thread."""
    assert await bench.ask(name) == FAILED
    assert await bench.ask(name) == FAILED
    assert [(rule, told) for rule, told, _ in bench.told.failures] == [("rule_0", outcome)] * 2
    assert bench.told.failures[0][2].startswith(text)
    assert bench.told.stalls == []


async def test_one_that_waits_too_long_is_given_up(bench: Bench) -> None:
    """Nothing is answered, for the core has the deadline too; other hooks answer meanwhile."""
    slow = asyncio.create_task(bench.ask("hangs", 50))
    assert await bench.ask("good") == HookAnswer(HookContinue())
    assert await slow is None
    assert bench.told.failures == [("rule_0", "deadline", "no answer within 50 ms")]


async def test_one_that_does_not_let_itself_be_given_up_is_bounded(bench: Bench) -> None:
    """What ignores its end counts as long as it runs, and the next requests are not even begun."""
    given_up = [bench.ask("stubborn", 50) for _ in range(RUNNING_MAX)]
    assert await asyncio.gather(*given_up) == [None] * RUNNING_MAX
    assert await bench.ask("stubborn") == FAILED
    assert bench.told.failures[-1][1] == "overload"


async def test_one_that_blocks_gets_another_thread_until_too_many_block(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each is left to itself, and its place told; behind the bound the hook is not asked until one comes back."""
    monkeypatch.setattr(runner_module, "STALLED_SECONDS", 0.05)
    for nth in range(1, ABANDONED_MAX + 1):
        bench.told.has_stalled.clear()
        assert await bench.ask("blocks", 20) is None
        await bench.told.has_stalled.wait()
        call, place, blocked = bench.told.stalls[-1]
        assert (call, blocked) == ("hooks.it:blocks", nth)
        assert "threading.py" in place or "it.py" in place
    assert await bench.ask("blocks", 20) == FAILED
    assert bench.told.failures[-1][1:] == ("stalled", f"{ABANDONED_MAX} of its threads block")
    assert await bench.ask("good") == HookAnswer(HookContinue()), "it costs nothing but its own rule"
    bench.gate.set()
    for thread in threading.enumerate():
        if thread.name == "hook hooks.it:blocks":
            await asyncio.to_thread(thread.join, 10)
    assert await bench.ask("blocks") == FAILED, "it answers nothing, but it is asked again"
    assert bench.told.failures[-1][1] == "nonsense"


async def test_a_hook_that_is_busy_is_no_hook_that_blocks(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """A loop that has turns stays, however many of its requests are late."""
    monkeypatch.setattr(runner_module, "STALLED_SECONDS", 0.05)
    assert await bench.ask("hangs", 20) is None
    assert await bench.ask("hangs", 200) is None
    assert bench.told.stalls == []


async def test_a_policy_that_is_about_to_serve_is_served_beside_the_one_in_force(
    bench: Bench, configured: Configured
) -> None:
    """The core swaps them between two messages: neither may find its hooks missing."""
    loaded = configured("hooks.new:good", new=MODULE)
    bench.runner.prepare(loaded.config, HookModules().load(loaded))
    assert await bench.ask("good") == HookAnswer(HookContinue())
    answer = await bench.runner.answer(bench.question("hooks.new:good"), 5_000)
    assert answer == HookAnswer(HookContinue())


async def test_after_a_reload_only_what_the_policy_calls_is_asked(bench: Bench, configured: Configured) -> None:
    """A function that stays the same keeps its thread; one that is gone leads to the fallback."""
    await bench.ask("good")
    loaded = configured("hooks.new:good", new=MODULE.replace('== "+1"', "is not None"))
    bench.runner.switch(loaded.config, HookModules().load(loaded))
    assert await bench.ask("good") == FAILED
    assert bench.told.failures[-1][1:] == ("stalled", "the policy in force does not call it")
    answer = await bench.runner.answer(bench.question("hooks.new:good"), 5_000)
    assert answer == HookAnswer(HookReject("decide.forbidden"))
