"""The dashboard: fixed identity, known metrics, expressions that Prometheus can parse."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.chart.support.helm import CHART, Helm, one
from tests.chart.support.metrics import KNOWN, metrics_in

DASHBOARDS = sorted((CHART / "files" / "dashboards").glob("*.json"))


@pytest.fixture(params=DASHBOARDS, ids=lambda path: path.stem)
def dashboard(request: pytest.FixtureRequest) -> Any:
    """Go through the dashboards."""
    path: Path = request.param
    return json.loads(path.read_text())


def expressions(dashboard: Any) -> list[str]:
    """Return every expression of every panel."""
    return [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]


def test_identity_is_fixed(dashboard: Any) -> None:
    """The uid does not change from release to release, so that links stay good."""
    assert dashboard["uid"] == "ibcf-overview"


def test_data_source_is_a_variable(dashboard: Any) -> None:
    """No data source is written down: whoever imports it chooses."""
    assert dashboard["templating"]["list"][0]["type"] == "datasource"
    for panel in dashboard["panels"]:
        assert panel["datasource"]["uid"] == "${datasource}"
        assert all(target["datasource"]["uid"] == "${datasource}" for target in panel["targets"])


def test_expressions_use_metrics_that_exist(dashboard: Any) -> None:
    """Every metric on the dashboard is one that the border exports, and every panel shows at least one."""
    for expression in expressions(dashboard):
        assert metrics_in(expression), expression
        assert metrics_in(expression) <= KNOWN, expression


def test_prometheus_can_parse_the_expressions(dashboard: Any, promtool: str, tmp_path: Path) -> None:
    """Each expression is accepted by promtool as the body of a rule."""
    rules = [{"record": f"panel:{at}", "expr": expression} for at, expression in enumerate(expressions(dashboard))]
    path = tmp_path / "panels.yaml"
    path.write_text(json.dumps({"groups": [{"name": "panels", "rules": rules}]}))
    ended = subprocess.run(  # noqa: S603 - our own command
        [promtool, "check", "rules", str(path)], capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr


def test_panels_lie_side_by_side(dashboard: Any) -> None:
    """Panels have ids and titles of their own and do not cover each other."""
    panels = dashboard["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    assert len({panel["title"] for panel in panels}) == len(panels)
    taken: set[tuple[int, int]] = set()
    for panel in panels:
        at = panel["gridPos"]
        assert at["x"] + at["w"] <= 24
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert not cells & taken, panel["title"]
        taken |= cells


def test_chart_ships_the_dashboards(helm: Helm) -> None:
    """The ConfigMap holds each dashboard unchanged, with the label that Grafana's sidecar looks for."""
    found = one(helm.template(), "ConfigMap", "ibcf-dashboards")
    assert found["metadata"]["labels"]["grafana_dashboard"] == "1"
    assert {name: json.loads(text) for name, text in found["data"].items()} == {
        path.name: json.loads(path.read_text()) for path in DASHBOARDS
    }
