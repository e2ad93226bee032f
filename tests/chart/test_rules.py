"""Recording rules and alerts: right in syntax, tested by Prometheus' own tool, about metrics that exist."""

import subprocess
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from tests.chart.support.helm import CHART, Helm, one
from tests.chart.support.metrics import KNOWN, metrics_in

RULES = CHART / "files" / "rules" / "ibcf.yaml"
CASES = Path(__file__).parent / "rules_test.yaml"


def rules() -> list[dict[str, Any]]:
    """Return all rules."""
    return [rule for group in YAML(typ="safe").load(RULES)["groups"] for rule in group["rules"]]


def alerts() -> list[dict[str, Any]]:
    """Return the rules that alert."""
    return [rule for rule in rules() if "alert" in rule]


def run(*command: str) -> None:
    """Run a judge; its complaints are the failure."""
    ended = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - our own command
    assert ended.returncode == 0, ended.stdout + ended.stderr


def test_promtool_accepts_the_rules(promtool: str) -> None:
    """`promtool check rules` finds no fault."""
    run(promtool, "check", "rules", str(RULES))


def test_rules_do_what_their_cases_say(promtool: str) -> None:
    """`promtool test rules`: each rule fires when it should and is quiet when it should."""
    run(promtool, "test", "rules", str(CASES))


def test_every_alert_has_a_case_that_fires_and_one_that_does_not() -> None:
    """No alert goes untested in either direction."""
    fires: dict[str, set[bool]] = {}
    for test in YAML(typ="safe").load(CASES)["tests"]:
        for expected in test.get("alert_rule_test", []):
            fires.setdefault(expected["alertname"], set()).add(bool(expected.get("exp_alerts")))
    assert fires == {rule["alert"]: {True, False} for rule in alerts()}


def test_rules_use_metrics_that_exist() -> None:
    """Every metric in a rule is one that the border exports."""
    for rule in rules():
        assert metrics_in(rule["expr"]) <= KNOWN, rule


def test_alerts_tell_what_to_do() -> None:
    """Every alert has a severity, a summary and a description."""
    for rule in alerts():
        assert rule["labels"]["severity"] in {"page", "ticket"}
        assert rule["annotations"]["summary"]
        assert len(rule["annotations"]["description"]) > 40


def test_chart_ships_the_rules_unchanged(helm: Helm) -> None:
    """The PrometheusRule holds the very groups that were tested."""
    objects = helm.template("--values", str(CHART / "ci" / "hostnetwork.values.yaml"))
    assert one(objects, "PrometheusRule")["spec"] == YAML(typ="safe").load(RULES)
