"""Reads the files of section `lists`, each once for as long as it stays the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from ibcf.boundary import ListFaults
from ibcf.config.fault import Fault
from ibcf.errors import ConfigError, ListRefusedError

if TYPE_CHECKING:
    from pathlib import Path

    from ibcf._core import NumberList
    from ibcf.config import Loaded

FILE_BYTES_MAX = 1 << 30
FAULTS_SHOWN = 20
"""Of one list; a file in the wrong form has a fault a line."""

State = tuple[int, int, int]
"""What changes when a file does: inode, size, time of the last change."""


class NumberLists:
    """The lists that are in use, by the path of their file."""

    def __init__(self) -> None:
        """Know none yet."""
        self._read: dict[Path, tuple[State, NumberList]] = {}

    def load(self, loaded: Loaded) -> dict[str, NumberList]:
        """Return the lists of a configuration by their ids; reads only files that changed since the last time.

        Blocks for about a second for a million lines, with the GIL released.

        Raises:
            ConfigError: a file cannot be read, or lines of it are wrong; nothing of any list is taken then.
        """
        faults: list[Fault] = []
        found: dict[Path, tuple[State, NumberList]] = {}
        lists = {}
        for at, item in enumerate(loaded.config.lists):
            try:
                found[item.file] = self._of(item.file)
                lists[item.id] = found[item.file][1]
            except OSError as error:
                problem = f"cannot be read: {error.strerror or error}"
                faults.append(loaded.tree.fault(("lists", at, "file"), problem))
            except ListRefusedError as refusal:
                faults += lines_of(item.file, refusal)
        if faults:
            raise ConfigError(faults)
        self._read = found
        return lists

    def _of(self, path: Path) -> tuple[State, NumberList]:
        from ibcf._core import NumberList  # noqa: PLC0415  # whoever has no lists does without the compiled core

        status = path.stat()
        state = (status.st_ino, status.st_size, status.st_mtime_ns)
        known = self._read.get(path)
        if known is not None and known[0] == state:
            return known
        if status.st_size > FILE_BYTES_MAX:
            raise OSError(0, f"larger than {FILE_BYTES_MAX >> 30} GiB")
        return state, NumberList(path.read_bytes())


def lines_of(path: Path, refusal: ListRefusedError) -> list[Fault]:
    """Return the first lines that are wrong, and how many more there are."""
    told = msgspec.json.decode(str(refusal), type=ListFaults)
    shown = told.faults[:FAULTS_SHOWN]
    faults = [Fault(str(path), fault.line, fault.column, "", fault.problem) for fault in shown]
    if told.count > len(shown):
        faults.append(Fault(str(path), shown[-1].line, 1, "", f"and {told.count - len(shown):,} more lines are wrong"))
    return faults
