"""What a figure is worth nothing without: the machine, the commit, the versions."""

from __future__ import annotations

import datetime as dt
import os
import platform
import re
import subprocess
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.children import find_program
from benchmarks.place import Cores
from benchmarks.results import Sitting

if TYPE_CHECKING:
    from collections.abc import Sequence

REPOSITORY = Path(__file__).parents[1]
VERSIONS: dict[str, tuple[str, ...]] = {
    "kamailio": ("kamailio", "-v"),
    "sipp": ("sipp", "-v"),
    "knotd": ("knotd", "-V"),
    "rustc": ("rustc", "-V"),
}
OWN = (":!benchmarks/README.md", ":!benchmarks/results")
"""What the rig writes: a table is no change of what was measured."""
_NUMBER = re.compile(r"\d+(?:\.\d+)+")


def sitting(*, quick: bool = False) -> Sitting:
    """Describe this machine and what is installed on it."""
    return Sitting(
        started=dt.datetime.now(tz=dt.UTC).isoformat(timespec="seconds"),
        commit=_commit(),
        cpu=_cpu(),
        cores=os.cpu_count() or 1,
        kernel=platform.release(),
        memory_gib=round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / (1 << 30)),
        versions=_versions(),
        proxy_alone=Cores.of(os.sched_getaffinity(0)).are_apart,
        quick=quick,
    )


def _versions() -> dict[str, str]:
    versions = {"ibcf": _ibcf(), "python": platform.python_version()}
    for name, (program, *arguments) in VERSIONS.items():
        found = find_program(program)
        versions[name] = number_in(_said([found, *arguments])) if found else "not installed"
    return versions


def number_in(text: str) -> str:
    """Return the first version number of what a program says of itself.

    >>> number_in("version: kamailio 5.6.3 (x86_64/linux)"), number_in("none")
    ('5.6.3', 'unknown')
    """
    found = _NUMBER.search(text)
    return found[0] if found else "unknown"


def _ibcf() -> str:
    try:
        return metadata.version("ibcf")
    except metadata.PackageNotFoundError:
        return "source tree"


def _commit() -> str:
    return commit_of(REPOSITORY)


def commit_of(repository: Path) -> str:
    """Name the commit of a tree, and say whether something in it differs besides what the rig writes itself."""
    git = ["git", "-C", str(repository)]
    commit = _said([*git, "rev-parse", "--short", "HEAD"]).strip() or "unknown"
    changed = _said([*git, "status", "--porcelain", "--untracked-files=no", "--", ".", *OWN]).strip()
    return f"{commit} with changes" if changed else commit


def _cpu() -> str:
    for row in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        name, _, value = row.partition(":")
        if name.strip() == "model name":
            return value.strip()
    return platform.machine()


def _said(command: Sequence[str]) -> str:
    """Return what a command says, nothing if it does not work; SIPp says its version and fails."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=10)  # noqa: S603
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout
