"""A policy that changes under load: by a signal, by the admin endpoint, by its files, and back. No call notices."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.system.conftest import SetStage
from tests.system.support.children import wait_until
from tests.system.support.configuration import Document, section, write
from tests.system.support.flow import NUMBER_OF_B, PREMIUM_NUMBER, Stage
from tests.system.support.sipp import Sipp

pytestmark = [pytest.mark.system, pytest.mark.timeout(150)]

CALLS = 120
RATE = 30
ENTRIES = 1_000_000


def with_lists(folder: Path, entries: int) -> Any:
    """Return the change that bars the numbers of a list, *entries* of them, none of which is called."""
    (folder / "barred.csv").write_text("".join(f"+99{at:09}\n" for at in range(entries)))

    def change(document: Document) -> None:
        document["lists"] = [{"id": "barred", "file": "barred.csv"}]
        rule = {"id": "barred", "match": {"number_list": "barred"}, "reject": {"reason": "decide.forbidden"}}
        document["routes"].insert(0, rule)

    return change


def load(scene: Stage) -> tuple[Sipp, Sipp]:
    """Start calls of A to B, and wait until some are up."""
    b = scene.uas("01-basic-call/uas.xml", scene.carriers.b, calls=CALLS, timeout_s=60)
    caller = scene.uac("01-basic-call/uac.xml", NUMBER_OF_B, calls=CALLS, rate=RATE, pause_ms=500, timeout_s=60)
    wait_until(lambda: scene.border.metrics().value("ibcf_calls_active") >= 10, deadline_s=20, what="ten calls at once")
    return caller, b


def bar(document: Document) -> None:
    """Refuse premium numbers in other words."""
    section(document, "routes", "no_premium")["reject"] = {"reason": "decide.number_unknown"}


def test_a_million_numbers_are_swapped_and_swapped_back_under_load(set_stage: SetStage, tmp_path: Path) -> None:
    """A list of a million is read anew, put in force, and gone back from while calls run; all of them end well."""
    scene = set_stage(with_lists(tmp_path, ENTRIES))
    caller, b = load(scene)

    with_lists(tmp_path, ENTRIES - 1)
    told = scene.border.verb("policy", "reload")
    assert (told["ok"], told["generation"]) == (True, 2)
    told = scene.border.verb("policy", "rollback")
    assert (told["ok"], told["generation"], told["as_generation"]) == (True, 3, 1)

    caller.expect(CALLS, deadline_s=90)
    b.expect(CALLS)
    records = scene.border.wait_for_records(CALLS)
    assert {record["outcome"] for record in records} == {"answered"}
    assert {record["generation"] for record in records} <= {1, 2, 3}
    assert scene.grown("ibcf_config_reloads_total", result="ok") == 2


def test_a_changed_file_takes_effect_by_itself_if_its_cases_pass(set_stage: SetStage, tmp_path: Path) -> None:
    """With `on_change`: a policy whose cases fail is refused and told by `ibcf status`, one whose cases pass serves."""
    cases = tmp_path / "border_test.yaml"

    def watch(document: Document) -> None:
        document["reload"] = {"on_change": True, "check_interval": "200ms"}

    scene = set_stage(watch)
    caller, b = load(scene)
    document = json.loads(scene.border.configuration.read_text())
    bar(document)

    def expect(status: int) -> None:
        given = {"from": "carrier_a", "number": PREMIUM_NUMBER}
        case = {"id": "premium", "given": given, "expect": {"status": status}}
        cases.write_text(json.dumps({"policy": "border.yaml", "cases": [case]}))

    expect(403)
    write(document, scene.border.configuration)
    refused = scene.border.wait_for_log("config.refused", cause="file")
    assert "must be answered 403; it was answered 404" in refused["faults"][0]
    policy = scene.border.verb("status")["policy"]
    assert policy["in_force"]["generation"] == refused["generation"], "the one before stays"
    assert policy["refused"]["faults"] == refused["faults"]

    expect(404)
    assert scene.border.wait_for_log("config.reloaded", cause="file")["cases"] == 1
    assert scene.border.verb("status")["policy"]["refused"] is None
    caller.expect(CALLS, deadline_s=90)
    b.expect(CALLS)
    scene.uac("04-unknown-number/uac.xml", PREMIUM_NUMBER).expect()
