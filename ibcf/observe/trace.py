"""Writes the messages of mirrored calls into captures (pcap), which Wireshark and `ibcf explain --pcap` read.

Each message is one datagram of its addresses, whatever it came over, so that what went through TLS can be read too. A
thread of its own fetches and writes; a disk that is full or slow costs copies, which are counted, and no call.
"""

from __future__ import annotations

import os
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Protocol

import dpkt

from ibcf.boundary import decode_mirrored
from ibcf.config.values import parse_bind_address
from ibcf.observe import logs
from ibcf.observe.pace import Pace

if TYPE_CHECKING:
    from collections.abc import Callable
    from io import BufferedWriter
    from pathlib import Path

    from ibcf.boundary import MirroredMessage
    from ibcf.config.trace import Trace

FETCHED_AT_ONCE = 256
IDLE_SECONDS = 0.2
NICENESS = 15
DATAGRAM_BYTES_MAX = 65_535 - 28
"""A longer message fits into no datagram and is lost to the trace."""
HEAD_BYTES, FRAME_BYTES = 24, 16
LAST_FETCHES_MAX = 64


class Count(Protocol):
    """Hears what became of messages."""

    def __call__(self, result: str, count: int = 1, /) -> None:
        """Count some as `written` or `lost`."""
        ...


@dataclass(slots=True)
class Captures:
    """The captures in one folder: the open one, and those before it."""

    section: Trace
    node: str
    clock: Callable[[], float] = time.time
    _stream: BufferedWriter | None = None
    _path: Path | None = None
    _size: int = 0

    def write(self, messages: list[MirroredMessage]) -> int:
        """Append *messages*; returns how many fit into a frame.

        Raises:
            OSError: they cannot be written.
        """
        written = 0
        for message in messages:
            packet = frame_of(message)
            if packet is None:
                continue
            if self._stream is None or self._size + FRAME_BYTES + len(packet) > int(self.section.size_max):
                self._begin()
            assert self._stream is not None  # noqa: S101 - it has just begun
            seconds, millis = divmod(message.unix_ms, 1000)
            head = b"".join(n.to_bytes(4, "little") for n in (seconds, millis * 1000, len(packet), len(packet)))
            self._stream.write(head + packet)
            self._size += FRAME_BYTES + len(packet)
            written += 1
        if self._stream is not None:
            self._stream.flush()
        return written

    def close(self) -> None:
        """Close the open one."""
        if self._stream is not None:
            with suppress(OSError):
                self._stream.close()
        self._stream = self._path = None

    def _begin(self) -> None:
        self.close()
        folder = self.section.directory
        folder.mkdir(parents=True, exist_ok=True)
        at = datetime.fromtimestamp(self.clock(), UTC)
        path = folder / f"{self.node}-{at:%Y%m%dT%H%M%S.%f}Z.pcap"
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o640)
        self._stream, self._path = os.fdopen(descriptor, "wb"), path
        dpkt.pcap.Writer(self._stream, linktype=dpkt.pcap.DLT_RAW)
        self._size = HEAD_BYTES
        before = sorted(folder.glob(f"{self.node}-*Z.pcap"))
        for old in before[: max(0, len(before) - self.section.files_kept)]:
            old.unlink(missing_ok=True)


def frame_of(message: MirroredMessage) -> bytes | None:
    """Return *message* as an IP packet with a datagram in it; nothing when it is too long for one."""
    data = message.message.encode("latin-1")
    if len(data) > DATAGRAM_BYTES_MAX:
        return None
    ends = [parse_bind_address(message.remote), parse_bind_address(message.local)]
    source, destination = ends if message.is_received else ends[::-1]
    udp = dpkt.udp.UDP(sport=source.port, dport=destination.port, ulen=8 + len(data), data=data)
    addresses = {"src": source.address.packed, "dst": destination.address.packed}
    if source.address.version == 4:
        return bytes(dpkt.ip.IP(p=dpkt.ip.IP_PROTO_UDP, len=28 + len(data), data=udp, **addresses))
    pseudo_header = b"".join((*addresses.values(), udp.ulen.to_bytes(4, "big"), bytes((0, 0, 0, dpkt.ip.IP_PROTO_UDP))))
    udp.sum = dpkt.in_cksum(pseudo_header + bytes(udp)) or 0xFFFF  # RFC 8200 §8.1: never 0 over IPv6
    packet = dpkt.ip6.IP6(nxt=dpkt.ip.IP_PROTO_UDP, hlim=64, plen=udp.ulen, data=udp, **addresses)
    packet.extension_hdrs = {}
    return bytes(packet)


@dataclass(slots=True)
class TraceWriter:
    """Fetches what the core copied and writes it, in a thread of its own that begins with the first section `trace`."""

    take: Callable[[int], bytes]
    count: Count
    node: str
    pace: Pace = field(default_factory=lambda: Pace(time.monotonic))
    _captures: Captures | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _is_over: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def switch(self, section: Trace | None) -> None:
        """Write as *section* says from now on; without one, what is copied is lost."""
        with self._lock:
            if self._captures is not None and self._captures.section == section:
                return
            if self._captures is not None:
                self._captures.close()
            self._captures = None if section is None else Captures(section, self.node)
        if section is not None and self._thread is None:
            self._thread = threading.Thread(target=self._run, name="trace", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """Write what is left and end."""
        self._is_over.set()
        if self._thread is not None:
            self._thread.join()
        with self._lock:
            for _ in range(LAST_FETCHES_MAX if self._thread is not None else 0):
                if not self._write():
                    break
            if self._captures is not None:
                self._captures.close()

    def _run(self) -> None:
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)
        while not self._is_over.is_set():
            with self._lock:
                count = self._write()
            if count < FETCHED_AT_ONCE:
                self._is_over.wait(IDLE_SECONDS)

    def _write(self) -> int:
        """Write one batch and return how many messages it had."""
        messages = decode_mirrored(self.take(FETCHED_AT_ONCE))
        written = 0
        if self._captures is not None and messages:
            try:
                written = self._captures.write(messages)
            except OSError as error:
                self._captures.close()
                self._tell(error)
        self.count("written", written)
        self.count("lost", len(messages) - written)
        return len(messages)

    def _tell(self, error: OSError) -> None:
        suppressed = self.pace.suppressed("trace")
        if suppressed is not None:
            logs.logger().warning(
                logs.TRACE_WRITE_FAILED, error=error.strerror or str(error), path=error.filename, suppressed=suppressed
            )
