"""Captures of mirrored calls: read by our own reader, bounded, and lost without harm when the disk fails."""

import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog

from ibcf.boundary import decode_mirrored
from ibcf.config.trace import Trace
from ibcf.config.values import Size
from ibcf.observe.logs import configure
from ibcf.observe.trace import Captures, TraceWriter
from ibcf.policy.traffic import read_capture

INVITE = (
    "INVITE tel:+441632960083 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.10\r\nSubject: caf\xe9\r\nContent-Length: 0\r\n\r\n"
)
V4 = {"is_received": True, "local": "192.0.2.1:5060", "remote": "192.0.2.10:5062", "unix_ms": 1_700_000_000_123}
V6 = {"is_received": False, "local": "[2001:db8::1]:5060", "remote": "[2001:db8::2]:5070", "unix_ms": 1_700_000_000_456}


def message(place: dict[str, Any], text: str = INVITE) -> dict[str, Any]:
    """Return what the core copied."""
    return {**place, "message": text}


def section(folder: Path, size: int = 1 << 20, kept: int = 10) -> Trace:
    """Return where captures go."""
    return Trace.model_construct(directory=folder, size_max=Size(size), files_kept=kept)


class Core:
    """Gives what waits, and knows what was counted."""

    def __init__(self) -> None:
        """Have nothing."""
        self.waiting: list[dict[str, Any]] = []
        self.counted = {"written": 0, "lost": 0}

    def take(self, limit: int) -> bytes:
        """Give a batch."""
        batch, self.waiting = self.waiting[:limit], self.waiting[limit:]
        return json.dumps(batch).encode()

    def count(self, result: str, count: int = 1) -> None:
        """Take note."""
        self.counted[result] += count


@pytest.fixture
def trace(tmp_path: Path) -> tuple[TraceWriter, Core, Path]:
    """Return a writer, what it takes from, and its folder."""
    core = Core()
    return TraceWriter(core.take, core.count, "ibcf-1"), core, tmp_path / "trace"


def test_messages_of_both_families_are_read_back_as_they_were(trace: tuple[TraceWriter, Core, Path]) -> None:
    """Addresses, ports, time and bytes are those of the message, in the order of the copies."""
    writer, core, folder = trace
    core.waiting = [message(V4), message(V6), message({**V4, "local": "0.0.0.0:5060"})]
    writer.switch(section(folder))
    writer.stop()
    (capture,) = folder.iterdir()
    assert capture.stat().st_mode & 0o777 == 0o640
    found = list(read_capture(capture))
    assert [(one.source, one.destination) for one in found] == [
        ("192.0.2.10:5062", "192.0.2.1:5060"),
        ("[2001:db8::1]:5060", "[2001:db8::2]:5070"),
        ("192.0.2.10:5062", "0.0.0.0:5060"),
    ]
    assert [one.unix_ms for one in found][:2] == [1_700_000_000_123, 1_700_000_000_456]
    assert {one.data for one in found} == {INVITE.encode("latin-1")}
    assert core.counted == {"written": 3, "lost": 0}


def test_captures_are_bounded_in_size_and_number(tmp_path: Path) -> None:
    """A new one begins before the open one is too long; the oldest goes, and files of others stay."""
    seconds = iter(range(1_700_000_000, 1_700_000_100))
    (tmp_path / "other.pcap").touch()
    captures = Captures(section(tmp_path, size=64 * 1024, kept=2), "ibcf-1", lambda: float(next(seconds)))
    batch = decode_mirrored(json.dumps([message(V4, INVITE + "x" * 30_000)]).encode())
    for _ in range(9):
        assert captures.write(batch) == 1
    captures.close()
    files = sorted(tmp_path.glob("ibcf-1-*.pcap"))
    assert len(files) == 2
    assert all(file.stat().st_size <= 64 * 1024 for file in files)
    assert (tmp_path / "other.pcap").exists()
    assert sum(len(list(read_capture(file))) for file in files) == 3


def test_what_fits_into_no_datagram_is_counted(trace: tuple[TraceWriter, Core, Path]) -> None:
    """The rest of the batch is written."""
    writer, core, folder = trace
    core.waiting = [message(V4, INVITE + "x" * 65_500), message(V4)]
    writer.switch(section(folder))
    writer.stop()
    assert core.counted == {"written": 1, "lost": 1}


def test_a_disk_that_fails_costs_copies_and_is_told(
    trace: tuple[TraceWriter, Core, Path], caplog_lines: Callable[[], list[dict[str, Any]]]
) -> None:
    """They are counted as lost, the log says why, and what comes later is written once it works again."""
    writer, core, folder = trace
    folder.write_text("no folder")
    writer.switch(section(folder))
    core.waiting = [message(V4)]
    while core.counted["lost"] < 1:
        pass
    (line,) = caplog_lines()
    assert (line["event"], line["error"]) == ("trace.write_failed", "File exists")
    folder.unlink()
    core.waiting = [message(V4)]
    writer.stop()
    assert core.counted == {"written": 1, "lost": 1}


def test_another_section_takes_effect_and_none_loses_what_comes(trace: tuple[TraceWriter, Core, Path]) -> None:
    """After a reload new captures stand in the new folder; without a section copies are counted as lost."""
    writer, core, folder = trace
    writer.switch(None)
    assert core.counted == {"written": 0, "lost": 0}
    writer.switch(section(folder))
    core.waiting = [message(V4)]
    while core.counted["written"] < 1:
        pass
    writer.switch(section(folder.with_name("other")))
    core.waiting = [message(V4)]
    while core.counted["written"] < 2:
        pass
    writer.switch(None)
    core.waiting = [message(V4)]
    writer.stop()
    assert core.counted == {"written": 2, "lost": 1}
    assert len(list(folder.iterdir())) == len(list(folder.with_name("other").iterdir())) == 1


@pytest.fixture
def caplog_lines() -> Iterator[Callable[[], list[dict[str, Any]]]]:
    """Return a function that returns the lines of the log."""
    stream = io.StringIO()
    configure(stream=stream)
    yield lambda: [json.loads(line) for line in stream.getvalue().splitlines()]
    structlog.reset_defaults()
