"""SIP out of captures (pcap, pcapng): datagrams, fragments put together, messages cut out of TCP streams.

TLS cannot be read. What was captured is as hostile as what comes from the network: every buffer has a bound, and what
makes no sense is passed over.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import TYPE_CHECKING, Literal

import dpkt

from ibcf.errors import PolicyError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

SUFFIXES = (".pcap", ".pcapng", ".cap")
MESSAGE_BYTES_MAX = 65_535
FLOWS_MAX = 4_096
SEGMENTS_MAX = 256
"""Of one flow, that came before one that is missing."""

_START = re.compile(rb"[A-Z][A-Z0-9_-]{1,31} [^\s]+ SIP/2\.0\r?\n|SIP/2\.0 [1-6][0-9]{2} ")
_LENGTH = re.compile(rb"\r?\n(?:Content-Length|l)[ \t]*:[ \t]*([0-9]{1,6})", re.IGNORECASE)
_END = re.compile(rb"\r?\n\r?\n")
_IP6 = 6


def _raw(data: bytes) -> dpkt.ip.IP | dpkt.ip6.IP6:
    return dpkt.ip6.IP6(data) if data[:1] and data[0] >> 4 == _IP6 else dpkt.ip.IP(data)


_LINKS: dict[int, Callable[[bytes], object]] = {
    dpkt.pcap.DLT_EN10MB: lambda data: dpkt.ethernet.Ethernet(data).data,
    dpkt.pcap.DLT_LINUX_SLL: lambda data: dpkt.sll.SLL(data).data,
    dpkt.pcap.DLT_LINUX_SLL2: lambda data: dpkt.sll2.SLL2(data).data,
    dpkt.pcap.DLT_NULL: lambda data: dpkt.loopback.Loopback(data).data,
    dpkt.pcap.DLT_LOOP: lambda data: dpkt.loopback.Loopback(data).data,
    dpkt.pcap.DLT_RAW: _raw,
    12: _raw,  # the same, as some systems number it
}
_TCP_WINDOW = 1 << 31


@dataclass(frozen=True, slots=True)
class Captured:
    """A message of a capture."""

    file: str
    frame: int
    """The frame that it ends in, from 1, as Wireshark counts."""
    unix_ms: int
    transport: Literal["udp", "tcp"]
    source: str
    """`ip:port`."""
    destination: str
    data: bytes

    @property
    def is_request(self) -> bool:
        """Tell whether it is a request."""
        return not self.data.startswith(b"SIP/")


def captures(path: Path) -> list[Path]:
    """Return the captures that *path* names: itself, or those in the folder.

    Raises:
        PolicyError: there is none.
    """
    if not path.is_dir():
        return [path]
    found = sorted(file for file in path.rglob("*") if file.suffix in SUFFIXES)
    if not found:
        raise PolicyError(f"{path}: no capture (*{', *'.join(SUFFIXES)}) in this folder")
    return found


def read_capture(path: Path) -> Iterator[Captured]:
    """Yield the SIP messages of the capture at *path*, in the order of the frames that complete them.

    Raises:
        PolicyError: it cannot be read, or is no capture of IP packets.
    """
    try:
        with path.open("rb") as stream:
            frames = dpkt.pcap.UniversalReader(stream)
            link = _LINKS.get(frames.datalink())
            if link is None:
                raise PolicyError(f"{path}: a capture of link type {frames.datalink()}, which is not known here")
            assembly = _Assembly()
            for frame, (seconds, data) in enumerate(frames, start=1):
                try:
                    packet = link(data)
                    messages = list(assembly.take(packet))
                except (dpkt.UnpackError, IndexError, AttributeError):
                    continue  # no IP packet, or cut off
                for transport, source, destination, message in messages:
                    yield Captured(
                        str(path), frame, round(float(seconds) * 1000), transport, source, destination, message
                    )
    except (ValueError, dpkt.UnpackError) as error:
        raise PolicyError(f"{path}: is no capture (pcap, pcapng): {error}") from error
    except OSError as error:
        raise PolicyError(f"{path}: {error.strerror or error}") from error


Message = tuple[Literal["udp", "tcp"], str, str, bytes]


@dataclass(slots=True)
class _Assembly:
    """What waits for the rest of it."""

    fragments: OrderedDict[tuple[bytes, bytes, int], dict[int, bytes]] = field(default_factory=OrderedDict)
    streams: OrderedDict[tuple[str, str], _Stream] = field(default_factory=OrderedDict)

    def take(self, packet: object) -> Iterator[Message]:
        """Yield the messages that *packet* completes."""
        if not isinstance(packet, dpkt.ip.IP | dpkt.ip6.IP6):
            return
        body = self._whole(packet)
        if isinstance(body, dpkt.udp.UDP):
            data = bytes(body.data)
            if _START.match(data.lstrip(b"\r\n")):
                yield "udp", _place(packet.src, body.sport), _place(packet.dst, body.dport), data
        elif isinstance(body, dpkt.tcp.TCP):
            source, destination = _place(packet.src, body.sport), _place(packet.dst, body.dport)
            for data in self._stream(source, destination).take(body.seq, bytes(body.data)):
                yield "tcp", source, destination, data

    def _stream(self, source: str, destination: str) -> _Stream:
        stream = self.streams.setdefault((source, destination), _Stream())
        self.streams.move_to_end((source, destination))
        if len(self.streams) > FLOWS_MAX:
            self.streams.popitem(last=False)
        return stream

    def _whole(self, packet: dpkt.ip.IP | dpkt.ip6.IP6) -> object:
        """Return the segment inside of *packet*, put together if this is the last of its fragments."""
        if isinstance(packet, dpkt.ip6.IP6):
            header = packet.extension_hdrs.get(dpkt.ip.IP_PROTO_FRAGMENT)
            if header is None:
                return packet.data
            offset, more, number, protocol = header.frag_off * 8, header.m_flag, header.id, header.nxt
        else:
            offset, more, number, protocol = packet.offset * 8, packet.mf, packet.id, packet.p
            if not offset and not more:
                return packet.data
        key = (packet.src, packet.dst, number)
        parts = self.fragments.setdefault(key, {})
        parts[offset] = bytes(packet.data)
        if not more:
            parts[-1] = offset.to_bytes(4, "big")  # where the last one begins
        if len(self.fragments) > FLOWS_MAX:
            self.fragments.popitem(last=False)
        whole = _joined(parts)
        if whole is None:
            return None
        del self.fragments[key]
        return dpkt.udp.UDP(whole) if protocol == dpkt.ip.IP_PROTO_UDP else None


def _joined(parts: dict[int, bytes]) -> bytes | None:
    if -1 not in parts:
        return None
    last, whole = int.from_bytes(parts[-1], "big"), b""
    while len(whole) <= last:
        part = parts.get(len(whole))
        if not part or len(whole) + len(part) > 2 * MESSAGE_BYTES_MAX:
            return None
        whole += part
    return whole


@dataclass(slots=True)
class _Stream:
    """One direction of a connection."""

    buffer: bytes = b""
    following: int | None = None
    early: dict[int, bytes] = field(default_factory=dict)

    def take(self, sequence: int, data: bytes) -> Iterator[bytes]:
        if not data:
            return
        if self.following is None:
            self.following = sequence
        self.early[sequence] = data
        if len(self.early) > SEGMENTS_MAX:  # what is missing will not come: the capture lost it
            self.following, self.buffer = min(self.early), b""
        while self.early:
            sequence = min(self.early, key=lambda at: (at - (self.following or 0)) % (1 << 32))
            ahead = (sequence - self.following) % (1 << 32)
            data = self.early[sequence]
            if 0 < ahead < _TCP_WINDOW:
                break
            del self.early[sequence]
            known = (self.following - sequence) % (1 << 32)
            if known < len(data):
                self.buffer += data[known:]
                self.following = (sequence + len(data)) % (1 << 32)
        yield from self._messages()

    def _messages(self) -> Iterator[bytes]:
        while start := _START.search(self.buffer):
            self.buffer = self.buffer[start.start() :]
            end = _END.search(self.buffer)
            if end is None:
                break
            length = _LENGTH.search(self.buffer, 0, end.end())
            whole = end.end() + (int(length[1]) if length else 0)
            if whole > MESSAGE_BYTES_MAX:
                self.buffer = self.buffer[end.end() :]
                continue
            if len(self.buffer) < whole:
                break
            yield self.buffer[:whole]
            self.buffer = self.buffer[whole:]
        self.buffer = self.buffer[-2 * MESSAGE_BYTES_MAX :]


def _place(address: bytes, port: int) -> str:
    host = ip_address(address)
    return f"[{host}]:{port}" if host.version == _IP6 else f"{host}:{port}"
