"""Record files on disk: append, fsync, rotate, and find the place again after a crash (CH-48, CH-49).

A file is written as ``<node>-<number>-<time>.jsonl.open`` and renamed to ``.jsonl`` when it is complete, so whoever
collects files never sees half of one. Numbers of files and records go on after a restart; they stand in
``<node>.sequence`` and, should that be lost, in the files themselves.

INVARIANT: after any error the file ends with the last record that was promised; a batch is on disk whole or not at all.
"""

from __future__ import annotations

import fcntl
import os
import re
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

_OPEN: Final = ".open"


@dataclass(slots=True)
class _State:
    """What comes next."""

    file: int = 1
    record: int = 1

    def to_text(self) -> str:
        return f"next file {self.file}\nnext record {self.record}\n"

    @classmethod
    def of_text(cls, text: str) -> _State:
        match = re.fullmatch(r"next file ([0-9]+)\nnext record ([0-9]+)\n", text)
        if match is None:
            raise ValueError("not a sequence file")
        return cls(int(match[1]), int(match[2]))


class _Numbered(msgspec.Struct):
    """All that recovery reads of a record."""

    local_record_sequence_number: int


@dataclass(slots=True)
class CdrJournal:
    """The record files of one node in one folder. Blocking; one thread at a time.

    A record comes as what follows its number in the line, without the end of the line.
    """

    directory: Path
    node: str
    head: bytes
    """What precedes the number in each line."""
    rotate_bytes: int = 64 * 1024 * 1024
    rotate_seconds: float = 3600.0
    files_kept: int = 0
    """How many closed files stay; 0 keeps all of them."""
    clock: Callable[[], float] = time.time
    on_closed: Callable[[Path], None] = lambda _path: None
    _state: _State = field(default_factory=_State)
    _lock: int | None = None
    _file: int | None = None
    _path: Path | None = None
    _size: int = 0
    _opened: float = 0.0

    @property
    def next_record(self) -> int:
        """Return the number that the next record gets."""
        return self._state.record

    def recover(self) -> None:
        """Make the folder, take it for this process, and close what a crash left open.

        Raises:
            OSError: the folder cannot be used now.
        """
        if self._lock is not None:
            return
        self.directory.mkdir(parents=True, exist_ok=True)
        lock = os.open(self.directory / f"{self.node}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._state = self._read_state()
            for number, path in self._files():
                self._state.file = max(self._state.file, number + 1)
                if path.suffix == _OPEN:
                    self._close_left_open(path)
            self._save_state()
        except BlockingIOError as error:
            os.close(lock)
            raise OSError(f"another process writes the records of {self.node} in {self.directory}") from error
        except OSError:
            os.close(lock)
            raise
        self._lock = lock

    def append(self, records: Sequence[bytes]) -> int:
        """Write as many of *records*, in order, as the file takes; answer how many are safely on disk.

        Raises:
            OSError: nothing was written.
        """
        self.recover()
        self.rotate_if_due()
        if self._file is not None and os.fstat(self._file).st_nlink == 0:
            os.close(self._file)  # somebody removed it; writing on would please nobody
            self._file = self._path = None
        if self._file is None:
            self._open()
        lines: list[bytes] = []
        size = self._size
        for number, record in enumerate(records, self._state.record):
            line = b"%b%d%b\n" % (self.head, number, record)
            lines.append(line)
            size += len(line)
            if size >= self.rotate_bytes:
                break
        self._write(b"".join(lines))
        self._state.record += len(lines)
        return len(lines)

    def skip(self, count: int) -> None:
        """Leave *count* numbers out: records that were lost stay visible as a gap."""
        self._state.record += count

    def rotate_if_due(self) -> None:
        """Close the file if it is long or old enough.

        Raises:
            OSError: it stays open.
        """
        if self._file is not None and (self._size >= self.rotate_bytes or self.seconds_to_rotation() <= 0):
            self.rotate()

    def seconds_to_rotation(self) -> float:
        """Return how long the file in use may stay open; infinite when there is none."""
        return float("inf") if self._file is None else self._opened + self.rotate_seconds - self.clock()

    def rotate(self) -> None:
        """Close the file in use and give it its final name."""
        if self._file is None or self._path is None:
            return
        self._save_state()
        final = self._path.with_suffix("")
        self._path.rename(final)
        os.close(self._file)
        self._file = self._path = None
        self._sync_directory()
        self.on_closed(final)
        self._remove_old()

    def close(self) -> None:
        """Close everything; the folder is free for another process."""
        try:
            self.rotate()
        finally:
            if self._file is not None:
                os.close(self._file)
                self._file = self._path = None
            if self._lock is not None:
                os.close(self._lock)
                self._lock = None

    def _open(self) -> None:
        now = datetime.fromtimestamp(self.clock(), UTC)
        number = self._state.file
        self.directory.mkdir(parents=True, exist_ok=True)
        path = self.directory / f"{self.node}-{number:08d}-{now:%Y%m%dT%H%M%SZ}.jsonl{_OPEN}"
        self._state.file = number + 1
        self._save_state()
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o640)
        self._path, self._size, self._opened = path, 0, self.clock()
        self._sync_directory()

    def _write(self, data: bytes) -> None:
        assert self._file is not None  # noqa: S101 - append opened it
        try:
            view = memoryview(data)
            while view:
                view = view[os.pwrite(self._file, view, self._size + len(data) - len(view)) :]
            os.fsync(self._file)
        except OSError:
            os.ftruncate(self._file, self._size)  # shrinking needs no space
            raise
        self._size += len(data)

    def _files(self) -> list[tuple[int, Path]]:
        pattern = re.compile(rf"{re.escape(self.node)}-([0-9]{{8,}})-[0-9]{{8}}T[0-9]{{6}}Z\.jsonl(?:\.open)?")
        found = ((pattern.fullmatch(path.name), path) for path in self.directory.iterdir())
        return sorted((int(match[1]), path) for match, path in found if match is not None)

    def _close_left_open(self, path: Path) -> None:
        """Cut off a last line that never became whole, note its number, and give the file its final name."""
        data = path.read_bytes()
        whole = data.rfind(b"\n") + 1
        if whole < len(data):
            os.truncate(path, whole)
        if whole == 0:
            path.unlink()
            return
        self._note_last(data[:whole])
        path.rename(path.with_suffix(""))

    def _note_last(self, data: bytes) -> None:
        last = data.rstrip(b"\n").rpartition(b"\n")[2]
        try:
            number = msgspec.json.decode(last, type=_Numbered).local_record_sequence_number
        except msgspec.DecodeError:
            return
        self._state.record = max(self._state.record, number + 1)

    def _read_state(self) -> _State:
        try:
            return _State.of_text(self._state_path.read_text(encoding="ascii"))
        except (FileNotFoundError, ValueError):
            self._state = _State()  # gone or broken: the newest closed file knows
            closed = [path for _, path in self._files() if path.suffix != _OPEN]
            if closed:
                self._note_last(closed[-1].read_bytes())
            return self._state

    @property
    def _state_path(self) -> Path:
        return self.directory / f"{self.node}.sequence"

    def _save_state(self) -> None:
        temporary = self._state_path.with_suffix(".sequence.new")
        with temporary.open("w", encoding="ascii") as file:
            file.write(self._state.to_text())
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(self._state_path)

    def _sync_directory(self) -> None:
        directory = os.open(self.directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)

    def _remove_old(self) -> None:
        if self.files_kept:
            closed = [path for _, path in self._files() if path.suffix != _OPEN]
            for path in closed[: -self.files_kept]:
                path.unlink(missing_ok=True)
