"""From memory to disk (CH-26, CH-22)."""

import asyncio
import io
import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import structlog

from ibcf.charging.journal import CdrJournal
from ibcf.charging.writer import BATCH_MAX, PAUSE_FIRST_S, CdrWriter
from ibcf.observe import logs
from ibcf.observe.metrics import Metrics


@pytest.fixture(autouse=True)
def stream() -> Iterator[io.StringIO]:
    """The logs of one test."""
    stream = io.StringIO()
    logs.configure(stream=stream)
    yield stream
    structlog.reset_defaults()


class FlakyJournal(CdrJournal):
    """Writes to a list; fails while told to."""

    def __init__(self, directory: Path) -> None:
        """Begin in good order."""
        super().__init__(directory, "n", b"")
        self.failing = False
        self.tries = 0
        self.written: list[bytes] = []
        self.skipped: list[int] = []
        self.closed = False

    def append(self, records: Sequence[bytes]) -> int:
        """Write, or fail."""
        self.tries += 1
        if self.failing:
            raise OSError(28, "No space left on device")
        self.written += records
        return len(records)

    def recover(self) -> None:
        """Do nothing."""

    def skip(self, count: int) -> None:
        """Take note."""
        self.skipped.append(count)

    def close(self) -> None:
        """Take note."""
        self.closed = True


async def at_once(work: Callable[[], int]) -> int:
    """Run without a thread."""
    return work()


class Bench:
    """A writer whose pauses end when the test says so."""

    def __init__(self, directory: Path, *, gather_s: float = 0.0, **options: Any) -> None:
        """Put the parts together."""
        self.journal = FlakyJournal(directory)
        self.metrics = Metrics(version="1", core_version="1", node="n")
        self.pauses: list[float] = []
        self.go_on = asyncio.Event()
        self.now = 0.0
        self.writer = CdrWriter(
            self.journal,
            self.metrics,
            gather_s=gather_s,
            clock=lambda: self.now,
            pause=self.pause,
            in_thread=at_once,
            **options,
        )
        self.writer.start()

    async def pause(self, seconds: float) -> None:
        """Wait for the test."""
        self.pauses.append(seconds)
        await self.go_on.wait()
        self.go_on.clear()

    async def settle(self) -> None:
        """Let everything run that can."""
        for _ in range(20):
            await asyncio.sleep(0)

    def value(self, name: str, **labels: str) -> float | None:
        """Read a metric."""
        return self.metrics.registry.get_sample_value(name, labels)


def events(stream: io.StringIO) -> list[str]:
    """Return the names of what was logged."""
    return [json.loads(line)["event"] for line in stream.getvalue().splitlines()]


async def test_records_are_written_and_counted(tmp_path: Path) -> None:
    """What is submitted reaches the journal in order, and the metrics say so."""
    bench = Bench(tmp_path)
    bench.writer.submit([b"a", b"b"])
    bench.writer.submit([b"c"])
    await bench.settle()
    bench.writer.submit([b"d"])
    await bench.settle()
    assert bench.journal.written == [b"a", b"b", b"c", b"d"]
    assert bench.value("ibcf_cdr_records_total", sink="file", result="written") == 4
    assert bench.value("ibcf_cdr_queue_records") == 0
    await bench.writer.stop()
    assert bench.journal.closed


async def test_full_disk_loses_nothing_and_is_said_once(tmp_path: Path, stream: io.StringIO) -> None:
    """While the disk is full records wait, tries get rarer, one alarm is logged; with room all are written."""
    bench = Bench(tmp_path)
    bench.journal.failing = True
    bench.writer.submit([b"a"])
    await bench.settle()
    bench.now = 40.0
    bench.writer.submit([b"b"])
    for _ in range(3):
        bench.go_on.set()
        await bench.settle()
    assert bench.pauses == [PAUSE_FIRST_S, PAUSE_FIRST_S * 2, PAUSE_FIRST_S * 4, PAUSE_FIRST_S * 8]
    assert events(stream) == ["cdr.write_failed"]
    assert bench.writer.is_failing
    assert bench.value("ibcf_cdr_queue_records") == 2
    assert bench.value("ibcf_cdr_oldest_unsent_seconds") == 40
    bench.journal.failing = False
    bench.go_on.set()
    await bench.settle()
    assert bench.journal.written == [b"a", b"b"]
    assert events(stream) == ["cdr.write_failed", "cdr.write_recovered"]
    assert bench.value("ibcf_cdr_oldest_unsent_seconds") == 0
    await bench.writer.stop()


async def test_what_does_not_fit_is_counted_and_leaves_a_gap(tmp_path: Path, stream: io.StringIO) -> None:
    """Beyond the bound records are lost, counted, logged once, and their numbers are left out."""
    bench = Bench(tmp_path, queue_max=2)
    assert bench.value("ibcf_cdr_queue_limit") == 2
    bench.journal.failing = True
    bench.writer.submit([b"a", b"b", b"c"])
    bench.writer.submit([b"d"])
    bench.writer.submit([b"e"])
    await bench.settle()
    assert (bench.writer.waiting, bench.writer.lost) == (2, 3)
    assert bench.value("ibcf_cdr_records_total", sink="file", result="lost") == 3
    bench.journal.failing = False
    bench.go_on.set()
    await bench.settle()
    assert (bench.journal.written, bench.journal.skipped) == ([b"a", b"b"], [3])
    assert events(stream).count("cdr.lost") == 1
    await bench.writer.stop()


async def test_records_wait_for_company_and_not_longer(tmp_path: Path) -> None:
    """A young record waits, and those that come meanwhile are written with it; an old one does not wait any more."""
    bench = Bench(tmp_path, gather_s=0.02)
    bench.writer.submit([b"a"])
    await bench.settle()
    bench.writer.submit([b"b"])
    await bench.settle()
    assert bench.journal.written == []
    async with asyncio.timeout(5):
        while bench.writer.waiting:
            await bench.settle()
    assert (bench.journal.written, bench.journal.tries) == ([b"a", b"b"], 1)
    bench.writer.submit([b"c"])
    bench.now += 0.02
    await bench.settle()
    assert bench.journal.written == [b"a", b"b", b"c"]
    await bench.writer.stop()


async def test_a_whole_batch_waits_for_nothing(tmp_path: Path) -> None:
    """Once there are as many records as are written at once, they are."""
    bench = Bench(tmp_path, gather_s=3600.0)
    bench.writer.submit([b"a"])
    await bench.settle()
    bench.writer.submit([b"b"] * (BATCH_MAX - 1))
    await bench.settle()
    assert len(bench.journal.written) == BATCH_MAX
    await bench.writer.stop()


async def test_the_end_waits_for_no_company(tmp_path: Path) -> None:
    """Records that still wait for others are written when the process stops."""
    bench = Bench(tmp_path, gather_s=3600.0)
    bench.writer.submit([b"a"])
    await bench.settle()
    assert bench.journal.written == []
    await bench.writer.stop()
    assert (bench.journal.written, bench.journal.closed) == ([b"a"], True)


async def test_stop_writes_what_is_left(tmp_path: Path) -> None:
    """Records submitted right before the end are on disk after it."""
    bench = Bench(tmp_path)
    bench.writer.submit([b"a"])
    await bench.writer.stop()
    assert (bench.journal.written, bench.journal.closed) == ([b"a"], True)


async def test_stop_does_not_wait_for_a_dead_disk(tmp_path: Path, stream: io.StringIO) -> None:
    """With a disk that stays full the end comes in time, and what is lost is said."""
    bench = Bench(tmp_path)
    bench.journal.failing = True
    bench.writer.submit([b"a"])
    await bench.settle()
    await bench.writer.stop(timeout_s=0.01)
    assert bench.writer.lost == 1
    assert "cdr.lost" in events(stream)


async def test_idle_writer_rotates_in_time(tmp_path: Path) -> None:
    """A file whose time is over is closed although no record comes."""
    closed: list[Path] = []
    clock = iter([0.0, 0.0])
    loop, rotated = asyncio.get_running_loop(), asyncio.Event()

    def note(path: Path) -> None:
        closed.append(path)
        loop.call_soon_threadsafe(rotated.set)

    journal = CdrJournal(
        tmp_path,
        "n",
        b"number ",
        rotate_seconds=1,
        clock=lambda: next(clock, 10.0),
        on_closed=note,
    )
    writer = CdrWriter(journal, Metrics(version="1", core_version="1", node="n"))
    writer.start()
    writer.submit([b"a"])
    async with asyncio.timeout(5):
        await rotated.wait()
    await writer.stop()
    assert [path.read_text() for path in closed] == ["number 1a\n"]
