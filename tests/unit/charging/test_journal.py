"""Record files on disk (CH-48, CH-49)."""

import errno
import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from ibcf.charging.journal import CdrJournal


class Clock:
    """A wall clock that moves when told."""

    def __init__(self) -> None:
        """Begin at a round time."""
        self.now = 1_795_407_240.0

    def __call__(self) -> float:
        """Read it."""
        return self.now


@pytest.fixture
def clock() -> Clock:
    """The clock of one test."""
    return Clock()


@pytest.fixture
def journals() -> Iterator[list[CdrJournal]]:
    """Journals that are closed when the test ends."""
    opened: list[CdrJournal] = []
    yield opened
    for journal in opened:
        journal.close()


def make(directory: Path, clock: Clock, **options: float) -> CdrJournal:
    """Make a journal of short records."""
    return CdrJournal(
        directory=directory,
        node="ibcf-1",
        head=b'{"local_record_sequence_number":',
        clock=clock,
        **options,  # type: ignore[arg-type]
    )


def records(*items: str) -> list[bytes]:
    """Return records as the core gives them: what follows the number."""
    return [b',"item":"%b"}' % item.encode() for item in items]


def numbers(directory: Path, pattern: str = "*.jsonl*") -> list[int]:
    """Return the sequence numbers in all files, in order."""
    lines = [line for path in sorted(directory.glob(pattern)) for line in path.read_text().splitlines()]
    return [json.loads(line)["local_record_sequence_number"] for line in lines]


def test_file_is_renamed_when_it_is_complete(tmp_path: Path, clock: Clock) -> None:
    """While records come in the name ends in `.open`; a closed file has its final name."""
    journal = make(tmp_path / "new" / "cdr", clock)
    assert journal.append(records("a", "b")) == 2
    folder = journal.directory
    assert [path.name for path in folder.glob("*.jsonl*")] == ["ibcf-1-00000001-20261123T041400Z.jsonl.open"]
    journal.close()
    assert [path.name for path in folder.glob("*.jsonl*")] == ["ibcf-1-00000001-20261123T041400Z.jsonl"]
    assert numbers(folder) == [1, 2]


def test_full_file_is_followed_by_the_next(tmp_path: Path, clock: Clock) -> None:
    """A file takes records until it is long enough; the next one goes on with their numbers."""
    journal = make(tmp_path, clock, rotate_bytes=100)
    items = records(*(f"{number:030}" for number in range(5)))
    written = 0
    while written < 5:
        written += journal.append(items[written:])
    journal.close()
    files = sorted(tmp_path.glob("*.jsonl"))
    assert len(files) == 3
    assert [len(path.read_text().splitlines()) for path in files] == [2, 2, 1]
    assert numbers(tmp_path) == [1, 2, 3, 4, 5]


def test_old_file_is_closed_even_when_nothing_comes(tmp_path: Path, clock: Clock) -> None:
    """After the interval the file gets its final name without waiting for the next record."""
    closed: list[Path] = []
    journal = make(tmp_path, clock, rotate_seconds=60)
    journal.on_closed = closed.append
    assert journal.seconds_to_rotation() == float("inf")
    journal.append(records("a"))
    clock.now += 59
    journal.rotate_if_due()
    assert closed == []
    clock.now += 1
    journal.rotate_if_due()
    assert [path.suffix for path in closed] == [".jsonl"]
    journal.rotate_if_due()
    journal.close()
    assert len(closed) == 1


def test_numbers_go_on_after_a_restart(tmp_path: Path, clock: Clock) -> None:
    """Neither file nor record numbers are used twice, even when a collector took all files away."""
    first = make(tmp_path, clock)
    first.append(records("a", "b"))
    first.close()
    for path in tmp_path.glob("*.jsonl"):
        path.unlink()
    second = make(tmp_path, clock)
    second.append(records("c"))
    second.close()
    assert [path.name[:15] for path in tmp_path.glob("*.jsonl")] == ["ibcf-1-00000002"]
    assert numbers(tmp_path) == [3]


def crash(journal: CdrJournal) -> None:
    """Let go of everything as the kernel does for a killed process."""
    for descriptor in (journal._file, journal._lock):
        if descriptor is not None:
            os.close(descriptor)
    journal._file = journal._path = journal._lock = None


@pytest.mark.parametrize("tail", ["", '{"local_record_seq'])
def test_a_crash_loses_no_whole_record(tmp_path: Path, clock: Clock, tail: str) -> None:
    """What a killed process left open is closed at the next start; half a line at its end is cut off."""
    journal = make(tmp_path, clock)
    journal.append(records("a", "b"))
    [left] = tmp_path.glob("*.open")
    crash(journal)
    with left.open("a") as file:
        file.write(tail)
    journal = make(tmp_path, clock)
    journal.append(records("c"))
    journal.close()
    assert not list(tmp_path.glob("*.open"))
    assert numbers(tmp_path) == [1, 2, 3]


def test_an_empty_file_of_a_crash_is_removed(tmp_path: Path, clock: Clock) -> None:
    """A file without a record is no record file."""
    (tmp_path / "ibcf-1-00000009-20260101T000000Z.jsonl.open").touch()
    journal = make(tmp_path, clock)
    journal.append(records("a"))
    journal.close()
    assert [path.name[:15] for path in tmp_path.glob("*.jsonl*")] == ["ibcf-1-00000010"]


@pytest.mark.parametrize("text", [None, "", "rubbish"])
def test_lost_sequence_file_is_made_up_for(tmp_path: Path, clock: Clock, text: str | None) -> None:
    """Without the sequence file the newest closed file tells how to go on."""
    journal = make(tmp_path, clock)
    journal.append(records("a", "b"))
    journal.close()
    if text is None:
        (tmp_path / "ibcf-1.sequence").unlink()
    else:
        (tmp_path / "ibcf-1.sequence").write_text(text)
    journal = make(tmp_path, clock)
    journal.append(records("c"))
    journal.close()
    assert numbers(tmp_path) == [1, 2, 3]


def test_lost_records_leave_a_gap(tmp_path: Path, clock: Clock) -> None:
    """Numbers that were skipped show that records are missing."""
    journal = make(tmp_path, clock)
    journal.append(records("a"))
    journal.skip(3)
    journal.append(records("b"))
    assert journal.next_record == 6
    journal.close()
    assert numbers(tmp_path) == [1, 5]


def test_full_disk_leaves_whole_records_only(tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    """A batch that did not fit leaves no trace, and is written once when there is room again."""
    journal = make(tmp_path, clock)
    journal.append(records("a"))
    write = os.pwrite

    def half_then_full(file: int, data: memoryview, offset: int) -> int:
        if len(data) < 60:
            raise OSError(errno.ENOSPC, "no space left on device")
        return write(file, data[: len(data) // 2], offset)

    monkeypatch.setattr(os, "pwrite", half_then_full)
    with pytest.raises(OSError, match="no space left"):
        journal.append(records("b" * 60, "c"))
    assert numbers(tmp_path) == [1]
    monkeypatch.undo()
    assert journal.append(records("b", "c")) == 2
    journal.close()
    assert numbers(tmp_path) == [1, 2, 3]


def test_folder_that_cannot_be_made_is_an_error_until_it_can(tmp_path: Path, clock: Clock) -> None:
    """A folder in the way of a file raises; once the way is free records are written."""
    obstacle = tmp_path / "cdr"
    obstacle.write_text("a file")
    journal = make(obstacle, clock)
    with pytest.raises(OSError, match="exists"):
        journal.append(records("a"))
    obstacle.unlink()
    assert journal.append(records("a")) == 1
    journal.close()


def test_two_processes_cannot_write_the_same_records(tmp_path: Path, clock: Clock, journals: list[CdrJournal]) -> None:
    """The second journal of the same node and folder is refused; another node in the same folder is not."""
    journals.append(make(tmp_path, clock))
    journals[0].append(records("a"))
    second = make(tmp_path, clock)
    with pytest.raises(OSError, match="another process writes the records of ibcf-1"):
        second.append(records("b"))
    second.node = "ibcf"
    second.append(records("b"))
    second.close()
    assert len(list(tmp_path.glob("*.open"))) == 1


def test_removed_file_is_replaced(tmp_path: Path, clock: Clock) -> None:
    """When somebody removes the file in use, the next record begins a new one instead of vanishing."""
    journal = make(tmp_path, clock)
    journal.append(records("a"))
    for path in tmp_path.glob("*.open"):
        path.unlink()
    journal.append(records("b"))
    journal.close()
    assert numbers(tmp_path) == [2]


def test_old_files_go_when_so_configured(tmp_path: Path, clock: Clock) -> None:
    """With `files_kept` only so many closed files stay, the newest."""
    journal = make(tmp_path, clock, files_kept=2)
    for item in "abcd":
        journal.append(records(item))
        journal.rotate()
    journal.close()
    assert numbers(tmp_path) == [3, 4]
