"""What is said of the tree that was measured."""

import shutil
import subprocess
from pathlib import Path

from benchmarks.machine import commit_of, sitting
from tests.parts import missing

AUTHOR = ("-c", "user.name=bench", "-c", "user.email=bench@example.invalid")


def git(folder: Path, *words: str) -> None:
    """Do something with a repository."""
    subprocess.run(["git", "-C", str(folder), *AUTHOR, *words], check=True, capture_output=True)  # noqa: S603, S607


def test_what_the_rig_writes_is_no_change_of_what_was_measured(tmp_path: Path) -> None:
    """The table of one part must not keep the figures of the next from being of the same commit."""
    if shutil.which("git") is None:
        missing("git", "apt-get install git")
    for name in ("benchmarks/README.md", "code.py"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("before")
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", "-A")
    git(tmp_path, "commit", "-qm", "first")
    commit = commit_of(tmp_path)
    assert len(commit) >= 7
    (tmp_path / "benchmarks" / "README.md").write_text("the table")
    assert commit_of(tmp_path) == commit
    (tmp_path / "code.py").write_text("faster")
    assert commit_of(tmp_path) == f"{commit} with changes"


def test_a_tree_without_history_has_no_commit(tmp_path: Path) -> None:
    """An unpacked archive can be measured all the same."""
    assert commit_of(tmp_path) == "unknown"


def test_this_machine_is_described() -> None:
    """Processor, cores and versions are there."""
    found = sitting(quick=True)
    assert found.cpu
    assert found.cores >= 1
    assert found.versions["python"].startswith("3.")
    assert found.quick
