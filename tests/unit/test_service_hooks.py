"""The composition root and the hooks of the policy: asked, counted, told in the log, and changed by a reload."""

import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog

from tests.unit.test_service import Bench, question, settled

RULE = """\
routes:
  - id: ask
    hook: {call: "hooks.it:check", deadline: 10s, fallback: continue}
"""
HOOK = """\
from ibcf.hooks import Continue, Reject

async def check(request):
    if request.number is None:
        raise LookupError("who is " + request.calling)
    return VERDICT
"""


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    """A service whose policy has a hook."""
    bench = Bench(tmp_path)
    (tmp_path / "hooks").mkdir()
    write(bench, "Continue()")
    bench.write(lambda text: text.replace("routes:\n", RULE, 1))
    yield bench
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


@pytest.fixture
async def running(bench: Bench) -> AsyncIterator[Bench]:
    """The same, serving."""
    await bench.service.start()
    yield bench
    await bench.service.stop()


def write(bench: Bench, verdict: str) -> None:
    """Write the hook."""
    (bench.directory / "hooks" / "it.py").write_text(HOOK.replace("VERDICT", verdict))


def asked(number: str | None = "+441632960083", *, identity: int = 1) -> dict[str, Any]:
    """Make a question for the hook."""
    view = {
        "kind": "hook", "rule": "ask", "call": "hooks.it:check", "peer": "carrier_a", "side": "home",
        "direction": "exit", "trusted": True, "method": "INVITE", "request_uri": "tel:+44", "number": number,
        "calling": "+441632960001", "enum_outcome": None, "enum_class": None, "enum_candidates": [], "unix_ms": 1,
        "message": "INVITE tel:+44 SIP/2.0\r\n\r\n",
    }  # fmt: skip
    return {"id": identity, "deadline_ms": 10_000, "body": view}


async def verdict(bench: Bench, body: dict[str, Any]) -> str:
    """Return the verdict that the core is told."""
    bench.core.say(questions=[body])
    await settled(bench.core)
    answer = bench.core.answers.pop()[0]
    assert (answer["id"], answer["body"]["kind"]) == (body["id"], "hook")
    told: str = answer["body"]["verdict"]["verdict"]
    return told


async def test_a_hook_decides_and_is_counted(running: Bench) -> None:
    """Its verdict crosses, and its rule has all its outcomes from the start."""
    assert await verdict(running, asked()) == "continue"
    metrics = (await running.get("/metrics"))[1]
    assert 'ibcf_hook_calls_total{outcome="continue",rule="ask"} 1.0' in metrics
    assert 'ibcf_hook_calls_total{outcome="stalled",rule="ask"} 0.0' in metrics
    assert 'ibcf_hook_seconds_count{rule="ask"} 1.0' in metrics


async def test_a_hook_that_raises_has_a_line_a_second_and_stops_no_look_up(running: Bench) -> None:
    """Rule, cause, exception and its line are in the log, numbers masked; ENUM answers as ever."""
    now = [0.0]
    running.service.clock = lambda: now[0]
    for moment in (10.0, 10.5, 11.0):
        now[0] = moment
        assert await verdict(running, asked(None)) == "failed"
    lines = running.log("hook.failed")
    assert [(line["rule"], line["cause"], line["suppressed"]) for line in lines] == [
        ("ask", "raised", 0),
        ("ask", "raised", 1),
    ]
    assert lines[0]["error"].startswith("LookupError: who is +44163296xxxx (")
    assert lines[0]["error"].endswith("it.py:5)")
    running.core.say(questions=[question()])
    await settled(running.core)
    assert running.core.answers[-1][0]["body"]["outcome"] == "found"


async def test_a_reload_takes_a_hook_as_it_was_imported_unless_told_otherwise(running: Bench) -> None:
    """The admin endpoint is told to import anew; a module that cannot be leaves everything as it is."""
    write(running, "Reject()")
    assert await running.service.reload()
    assert await verdict(running, asked()) == "continue"
    assert (await running.post("/policy/reload", hooks=True))["ok"]
    assert await verdict(running, asked()) == "reject"
    write(running, "(")
    told = await running.post("/policy/reload", hooks=True)
    assert not told["ok"]
    assert "cannot import" in json.dumps(told["faults"])
    assert await verdict(running, asked()) == "reject"
