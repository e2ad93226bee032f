"""Fixtures of the chart tests: the programs that judge it."""

import shutil
from pathlib import Path

import pytest

from tests.chart.support import helm as binary
from tests.chart.support.helm import CASES, Helm, Object
from tests.parts import missing


@pytest.fixture(scope="session")
def helm() -> Helm:
    """Find helm."""
    path = binary.find()
    if path is None:
        missing("helm", "install it, or run `python -m tests.chart.support.helm`")
    return Helm(path)


@pytest.fixture(scope="session")
def promtool() -> str:
    """Find promtool."""
    path = shutil.which("promtool")
    if path is None:
        missing("promtool", "apt-get install prometheus")
    return path


@pytest.fixture(params=CASES, ids=lambda path: path.name.removesuffix(".values.yaml"))
def case(request: pytest.FixtureRequest) -> Path:
    """Go through the values of each mode."""
    path: Path = request.param
    return path


@pytest.fixture
def objects(helm: Helm, case: Path) -> list[Object]:
    """Render the chart with the values of one mode."""
    return helm.template("--values", str(case))
