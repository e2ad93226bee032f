"""The generations of a configuration: read, checked, tried, and kept to be gone back to.

Nothing here is in force: whoever serves takes a generation, applies it, and says what became of it.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal

from ibcf.config import read
from ibcf.config.references import known_reasons
from ibcf.errors import ConfigError, PolicyError
from ibcf.hooks.modules import HookModules
from ibcf.policy.cases import check_names, read_tests, tests_beside
from ibcf.policy.compile import Snapshot, checked_snapshot, compile_snapshot
from ibcf.policy.lint import lint
from ibcf.policy.lists import NumberLists
from ibcf.policy.trial import Bench

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from ibcf.config import Config, Loaded
    from ibcf.errors import IbcfError

Cause = Literal["start", "signal", "admin", "file", "rollback"]


@dataclass(frozen=True, slots=True)
class Generation:
    """A configuration that is, was or may come into force."""

    number: int
    loaded: Loaded
    snapshot: Snapshot
    cause: Cause
    unix: float
    """When it was made, in seconds since 1970."""
    cases: int | None = None
    """Cases that passed; nothing where none were tried."""
    warnings: int = 0
    origin: int | None = None
    """The generation that it repeats, after a rollback."""

    @property
    def config(self) -> Config:
        """Return its configuration."""
        return self.loaded.config


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a configuration did not come into force."""

    cause: Cause
    unix: float
    faults: tuple[str, ...]


@dataclass(slots=True)
class Generations:
    """What one file has been, newest last. Blocking; one thread at a time."""

    path: Path
    check: Callable[[Snapshot], None]
    clock: Callable[[], float] = time.time
    refusal: Refusal | None = None
    """Of the last try, when that one failed."""
    _kept: deque[Generation] = field(default_factory=deque)
    _lists: NumberLists = field(default_factory=NumberLists)
    _hooks: HookModules = field(default_factory=HookModules)

    @property
    def current(self) -> Generation:
        """Return the one in force."""
        return self._kept[-1]

    @property
    def number(self) -> int:
        """Return the number of the one in force; 0 before the first."""
        return self.current.number if self._kept else 0

    def read(self, cause: Cause, *, import_again: bool = False) -> Generation:
        """Read the file and make a generation of it; its cases are tried, but for those of the first.

        The modules of hooks are those imported before, unless *import_again*.

        Raises:
            ConfigError: it has faults, or a case fails.
            PolicyError: a case cannot be tried.
        """
        loaded = read(self.path)
        number = self.number + 1
        snapshot = checked_snapshot(
            loaded,
            generation=number,
            check=self.check,
            lists=self._lists,
            hooks=self._hooks,
            import_again=import_again,
        )
        cases = None
        if cause != "start" and loaded.config.reload.run_tests:
            cases = _try_cases(self.path, loaded, snapshot)
        return Generation(number, loaded, snapshot, cause, self.clock(), cases, len(lint(loaded)))

    def back(self, number: int | None = None) -> Generation:
        """Return a generation that is as one before: the last other one, or that *number*; the file is not read.

        Raises:
            PolicyError: it is not kept.
            ConfigError: what it needs beside itself (keys, certificates) is not there any more.
        """
        before = [one for one in list(self._kept)[:-1] if number is None or one.number == number]
        if not before:
            known = ", ".join(str(one.number) for one in list(self._kept)[:-1]) or "none"
            raise PolicyError(f"generation {number or 'before this one'} is not kept (kept: {known})")
        old = before[-1]
        following = self.number + 1
        snapshot = Snapshot(compile_snapshot(old.config, generation=following), old.snapshot.lists, old.snapshot.hooks)
        self.check(snapshot)
        origin = old.origin or old.number
        return Generation(following, old.loaded, snapshot, "rollback", self.clock(), old.cases, old.warnings, origin)

    def accept(self, generation: Generation) -> None:
        """Note that *generation* is in force."""
        self.refusal = None
        self._kept.append(generation)
        while len(self._kept) > generation.config.reload.generations_kept + 1:
            self._kept.popleft()

    def refuse(self, cause: Cause, error: IbcfError) -> Refusal:
        """Note that what was tried did not come into force."""
        faults = tuple(str(fault) for fault in error.faults) if isinstance(error, ConfigError) else (str(error),)
        self.refusal = Refusal(cause, self.clock(), faults)
        return self.refusal

    def status(self) -> dict[str, Any]:
        """Return what `/status` shows of them."""
        refused = self.refusal
        return {
            "file": str(self.path),
            "in_force": _shown(self.current),
            "kept": [_shown(one) for one in list(self._kept)[-2::-1]],
            "refused": None
            if refused is None
            else {"cause": refused.cause, "at": _moment(refused.unix), "faults": refused.faults},
        }


def _try_cases(path: Path, loaded: Loaded, snapshot: Snapshot) -> int | None:
    """Try the cases beside the file; returns how many there are."""
    beside = tests_beside(path)
    if not beside.exists():
        return None
    tests = read_tests(beside)
    if faults := check_names(tests, loaded.config, known_reasons() or ()):
        raise ConfigError(faults)
    outcomes = asyncio.run(Bench(loaded, tests, snapshot).outcomes())
    if failures := [failure for outcome in outcomes for failure in outcome.failures]:
        raise ConfigError(failures)
    return len(outcomes)


def _shown(generation: Generation) -> dict[str, Any]:
    return {
        "generation": generation.number,
        "cause": generation.cause,
        "at": _moment(generation.unix),
        "as_generation": generation.origin,
        "cases": generation.cases,
        "warnings": generation.warnings,
    }


def _moment(unix: float) -> str:
    return datetime.fromtimestamp(unix, UTC).isoformat(timespec="seconds")
