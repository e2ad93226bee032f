"""Child processes of the rig: each in a group of its own, pinned, its output in a file, ended by its id."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import time
from typing import TYPE_CHECKING, Self

from benchmarks.errors import MissingError, RigError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

NICE = -10
"""For all that takes part: on a machine that others use too, they wait and not the measurement."""
PACE_S = 0.02
LINES_SHOWN = 15
SYSTEM_PATH = "/usr/sbin:/usr/local/sbin:/sbin"
"""Debian keeps servers out of an ordinary PATH."""


def find_program(name: str) -> str | None:
    """Return the path of a program, if it is installed."""
    return shutil.which(name) or shutil.which(name, path=SYSTEM_PATH)


def program(name: str, *, remedy: str) -> str:
    """Return the path of a program that cannot be done without."""
    found = find_program(name)
    if found is None:
        raise MissingError(f"{name} is not installed: {remedy}")
    return found


def wait_until(condition: Callable[[], bool], *, deadline_s: float, what: str) -> None:
    """Return as soon as *condition* holds."""
    end = time.monotonic() + deadline_s
    while not condition():
        if time.monotonic() > end:
            raise RigError(f"not within {deadline_s:g} s: {what}")
        time.sleep(PACE_S)


class Child:
    """A running process and what it started."""

    def __init__(
        self,
        command: Sequence[str | Path],
        *,
        folder: Path,
        name: str,
        cpus: Iterable[int] = (),
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """Start *command* in *folder* on *cpus*; what it writes goes to `<name>.out` there."""
        self.name = name
        self.output = folder / f"{name}.out"
        self._command = [*_prefix(sorted(cpus)), *map(str, command)]
        with self.output.open("wb") as output:
            self._process = subprocess.Popen(  # noqa: S603 - the commands are ours
                self._command,
                cwd=folder,
                env={**os.environ, **(environment or {})},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def __enter__(self) -> Self:
        """Return the running child."""
        return self

    def __exit__(self, *_: object) -> None:
        """End it, whatever happened."""
        self.stop()

    @property
    def pid(self) -> int:
        """The process id, which is that of its group."""
        return self._process.pid

    @property
    def code(self) -> int | None:
        """The exit code, once the process has ended."""
        return self._process.poll()

    def text(self) -> str:
        """Return what it wrote so far."""
        return self.output.read_text(encoding="utf-8", errors="replace")

    def wait(self, deadline_s: float) -> int:
        """Return the exit code of a process that is to end by itself."""
        try:
            return self._process.wait(deadline_s)
        except subprocess.TimeoutExpired:
            raise RigError(f"still running after {deadline_s:g} s: {self.describe()}") from None

    def wait_for(self, condition: Callable[[], bool], *, deadline_s: float, what: str) -> None:
        """Return as soon as *condition* holds, as long as the process runs."""
        wait_until(lambda: self.code is not None or condition(), deadline_s=deadline_s, what=f"{what} ({self.name})")
        if self.code is not None and not condition():
            raise RigError(f"ended with code {self.code} before {what}: {self.describe()}")

    def stop(self, *, by: signal.Signals = signal.SIGTERM, grace_s: float = 4) -> None:
        """End the process and its group: politely, then not."""
        if self._process.poll() is None:
            self._signal(by)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(grace_s)
        self._signal(signal.SIGKILL)
        self._process.wait(grace_s)

    def describe(self) -> str:
        """Return the command and its last lines, for an error."""
        tail = "\n".join(self.text().splitlines()[-LINES_SHOWN:])
        return f"{' '.join(self._command)}\n{tail}"

    def _signal(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, number)


def _prefix(cpus: list[int]) -> list[str]:
    """Return what goes before a command: it dies with us, goes first, and stays on its cores."""
    prefix = []
    if setpriv := find_program("setpriv"):
        prefix += [setpriv, "--pdeathsig", "KILL"]
    if os.geteuid() == 0:
        prefix += ["nice", "-n", str(NICE)]
    if cpus:
        prefix += ["taskset", "-c", ",".join(map(str, cpus))]
    return prefix
