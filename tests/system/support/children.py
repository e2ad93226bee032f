"""Child processes of a test: what they wrote is kept, every wait has a deadline, and each is ended by its own pid."""

import contextlib
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Self

LINES_SHOWN = 40
PACE_S = 0.02


class ChildError(AssertionError):
    """A child process did not do what the test needs of it."""


def wait_until(condition: Callable[[], bool], *, deadline_s: float, what: str) -> None:
    """Return as soon as *condition* holds; fail when it does not within the deadline."""
    end = time.monotonic() + deadline_s
    pace = threading.Event()
    while not condition():
        if time.monotonic() > end:
            raise ChildError(f"not within {deadline_s} s: {what}")
        pace.wait(PACE_S)


class Child:
    """A process whose output is read by a thread, so that it never blocks on a full pipe."""

    def __init__(
        self,
        command: Sequence[str],
        *,
        folder: Path,
        environment: dict[str, str] | None = None,
        listens: bool = False,
    ) -> None:
        """Start *command* in *folder*; one that *listens* can be spoken to with `say`."""
        self.command = list(command)
        self.lines: list[str] = []
        self._grown = threading.Condition()
        # should the test run itself be killed, its children go with it
        setpriv = shutil.which("setpriv")
        prefix = [setpriv, "--pdeathsig", "KILL"] if setpriv else []
        self._process = subprocess.Popen(  # noqa: S603 - the commands are ours
            [*prefix, *self.command],
            cwd=folder,
            env=environment,
            stdin=subprocess.PIPE if listens else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def __enter__(self) -> Self:
        """Return the running child."""
        return self

    def __exit__(self, *_: object) -> None:
        """End the child, whatever happened."""
        self.stop()

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    @property
    def code(self) -> int | None:
        """The exit code, once the process has ended."""
        return self._process.poll()

    def say(self, line: str) -> None:
        """Write one line to the standard input of a process that listens."""
        if self._process.stdin is None:
            raise ChildError(f"does not listen: {self.describe()}")
        try:
            self._process.stdin.write(f"{line}\n")
            self._process.stdin.flush()
        except OSError as error:
            raise ChildError(f"{error}: {self.describe()}") from error

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to this process alone."""
        self._process.send_signal(number)

    def wait(self, deadline_s: float) -> int:
        """Return the exit code of a process that is to end by itself."""
        try:
            code = self._process.wait(deadline_s)
        except subprocess.TimeoutExpired:
            raise ChildError(f"still running after {deadline_s} s: {self.describe()}") from None
        self._reader.join(5)
        return code

    def stop(self) -> None:
        """End the process: politely, then not."""
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(5)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait(5)
        self._reader.join(5)
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with contextlib.suppress(BrokenPipeError):
                    pipe.close()

    def wait_for_line(self, wanted: Callable[[str], bool], *, deadline_s: float, what: str, since: int = 0) -> str:
        """Return the first line from *since* on that is *wanted*; fail at the deadline or when the child ends."""
        end = time.monotonic() + deadline_s
        at = since
        while True:
            with self._grown:
                fresh, at = self.lines[at:], len(self.lines)
                ended = not self._reader.is_alive()
                if not fresh and not ended:
                    self._grown.wait(min(PACE_S * 10, max(0.0, end - time.monotonic())))
            for line in fresh:
                if wanted(line):
                    return line
            if not fresh and ended:
                raise ChildError(f"ended with code {self.code} before {what}: {self.describe()}")
            if time.monotonic() > end:
                raise ChildError(f"no {what} within {deadline_s} s: {self.describe()}")

    def describe(self) -> str:
        """Return the command and its last lines, for the text of a failure."""
        tail = "\n".join(self.lines[-LINES_SHOWN:])
        return f"{' '.join(self.command)}\n{tail}"

    def _read(self) -> None:
        if self._process.stdout is None:
            return
        for line in self._process.stdout:
            with self._grown:
                self.lines.append(line.rstrip("\n"))
                self._grown.notify_all()
