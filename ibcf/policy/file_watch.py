"""Notices that a configuration, or a file that it names, has changed, and stays changed for a moment.

Looks instead of listening: a look costs microseconds, and works on every file system and through symbolic links, as
Kubernetes swaps them.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ibcf.policy.cases import tests_beside

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Iterator

    from ibcf.config import Config

State = tuple[int, int, int, int]
"""What changes when a file does: device, inode, size, time of the last change."""
Look = dict[Path, State | None]

WRITTEN_BY_US: Final = {"charging": {"directory"}, "trace": {"directory"}}
"""The paths of a configuration that the border makes itself: what changes there is no change of the configuration."""


def files_of(path: Path, config: Config) -> list[Path]:
    """Return the files that make a configuration what it is: its own, its cases, and those that it names."""
    return [path, tests_beside(path), *_named(config.model_dump(exclude=WRITTEN_BY_US))]


def _named(value: object) -> Iterator[Path]:
    if isinstance(value, Path):
        yield value
    elif isinstance(value, dict):
        for inner in value.values():
            yield from _named(inner)
    elif isinstance(value, tuple | list):
        for inner in value:
            yield from _named(inner)


def look(files: Iterable[Path]) -> Look:
    """Return the state of each of *files*; nothing for one that is not there."""
    return {file: _state(file) for file in files}


def _state(file: Path) -> State | None:
    try:
        status = file.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


@dataclass(slots=True)
class FileWatch:
    """Watches the files of the configuration in force."""

    path: Path
    config: Callable[[], Config]
    """The one in force: it says whether to look at all, how often, and at what else."""
    changed: Callable[[], Awaitable[object]]
    pause: Callable[[float], Awaitable[None]] = asyncio.sleep
    _known: Look = field(init=False)

    def __post_init__(self) -> None:
        """Take what is there as known: make it as soon as the configuration was read."""
        self._known = look(files_of(self.path, self.config()))

    async def run(self) -> None:
        """Call `changed` for each change, once two looks in a row found the same."""
        before = self._known
        while True:
            settings = self.config().reload
            await self.pause(settings.check_interval.total_seconds())
            now = await self._look()
            if not settings.on_change:
                self._known = now
            elif now != self._known and now == before:
                self._known = now
                await self.changed()
                self._known = {**await self._look(), **{file: now[file] for file in now}}
            before = now

    async def _look(self) -> Look:
        return await asyncio.to_thread(lambda: look(files_of(self.path, self.config())))
