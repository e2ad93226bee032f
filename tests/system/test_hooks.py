"""Hooks and a candidate policy under load: whatever they do, every call is answered and ENUM answers in time."""

import json
from pathlib import Path

import pytest

from tests.system.conftest import Change, SetStage
from tests.system.support.border import Record
from tests.system.support.children import wait_until
from tests.system.support.configuration import Document, write
from tests.system.support.flow import Stage
from tests.system.test_reload import CALLS, load

pytestmark = [pytest.mark.system, pytest.mark.timeout(150)]

BLOCKING = """\
import time
from ibcf.hooks import Continue

async def check(request):
    time.sleep(5)
    return Continue()
"""
WORKING = """\
import asyncio
from ibcf.hooks import Continue, SetHeader

async def check(request):
    await asyncio.sleep(0.01)
    return Continue(edits=[SetHeader("X-Checked", request.peer)], tag="checked")
"""


def with_hook(folder: Path, text: str) -> Change:
    """Return the change that puts a hook before all rules."""
    (folder / "hooks").mkdir()
    (folder / "hooks" / "it.py").write_text(text)

    def change(document: Document) -> None:
        hook = {"call": "hooks.it:check", "deadline": "200ms", "fallback": "continue", "tags": "checked"}
        document["routes"].insert(0, {"id": "ask", "match": {"method": "INVITE"}, "hook": hook})

    return change


def answered(scene: Stage) -> list[Record]:
    """Return the records of the load, after checking that every call was answered."""
    records = scene.border.wait_for_records(CALLS)
    assert {record["outcome"] for record in records} == {"answered"}
    return records


def test_a_hook_that_blocks_costs_nothing_but_its_own_rule(set_stage: SetStage, tmp_path: Path) -> None:
    """Every call goes on after the deadline, no look-up is late, and the log says where the code blocks."""
    scene = set_stage(with_hook(tmp_path, BLOCKING))
    caller, b = load(scene)
    caller.expect(CALLS, deadline_s=90)
    b.expect(CALLS)
    answered(scene)
    assert scene.grown("ibcf_questions_total", kind="enum", result="fallback") == 0
    assert scene.grown("ibcf_enum_resolutions_total", **{"class": "TIMEOUT"}) == 0
    assert scene.grown("ibcf_questions_total", kind="hook", result="answered") == scene.grown(
        "ibcf_hook_calls_total", rule="ask", outcome="stalled"
    )
    assert scene.grown("ibcf_hook_calls_total", rule="ask", outcome="deadline") > 0
    assert scene.grown("ibcf_hook_threads_replaced_total") >= 1
    stalled = scene.border.wait_for_log("hook.stalled")
    assert stalled["place"].endswith("hooks/it.py:5")


def test_a_hook_and_a_candidate_work_beside_the_calls(set_stage: SetStage, tmp_path: Path) -> None:
    """What the hook says is in every record; what the candidate decides otherwise is counted, and no call feels it."""
    scene = set_stage(with_hook(tmp_path, WORKING))
    candidate = tmp_path / "candidate.yaml"

    document = json.loads(scene.border.configuration.read_text())
    barred = {"id": "barred", "match": {"direction": "exit"}, "reject": {"reason": "decide.forbidden"}}
    document["routes"].insert(1, barred)
    write(document, candidate)
    told = scene.border.verb("policy", "shadow", "start", str(candidate), "--sample", "100", "--for", "2m")
    assert told["ok"], told
    caller, b = load(scene)
    caller.expect(CALLS, deadline_s=90)
    b.expect(CALLS)
    assert {tuple(record["tags"]) for record in answered(scene)} == {("checked",)}

    def has_ten() -> bool:
        return int(scene.border.verb("policy", "shadow", "status")["different"]) >= 10

    wait_until(has_ten, deadline_s=30, what="ten disagreements")
    told = scene.border.verb("policy", "shadow", "stop")
    (group,) = told["groups"]
    assert group["after"] == {"rule": "barred", "way": "answer 403 (decide.forbidden)"}
    assert scene.border.wait_for_log("shadow.ended")["different"] == told["different"]
    assert scene.grown("ibcf_rejections_total", reason="decide.forbidden") == 0
