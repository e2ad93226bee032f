"""Sockets as a border would open them: which buffers they get, whether an address is free, and who has it if not."""

from __future__ import annotations

import contextlib
import socket
import struct
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ibcf.config.values import HostPort

# asm-generic/socket.h; the socket module has no names for them
_SO_SNDBUFFORCE: Final = 32
_SO_RCVBUFFORCE: Final = 33
_LISTEN: Final = "0A"


@dataclass(frozen=True, slots=True)
class Holder:
    """A process that has a socket."""

    pid: int
    command: str

    @property
    def is_border(self) -> bool:
        """Is it `ibcf run`?"""
        words = [Path(word).name for word in self.command.split()]
        return "run" in words and any(word in ("ibcf", "ibcf.cli.main") for word in words[: words.index("run")])


def given_buffers(receive_bytes: int, send_bytes: int) -> tuple[int, int] | None:
    """Ask for buffers as the core does, past the limits where we may, and return what the kernel gave."""
    options = (
        (_SO_RCVBUFFORCE, socket.SO_RCVBUF, receive_bytes),
        (_SO_SNDBUFFORCE, socket.SO_SNDBUF, send_bytes),
    )
    given = []
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            for forced, plain, wanted in options:
                try:
                    probe.setsockopt(socket.SOL_SOCKET, forced, wanted)
                except OSError:
                    probe.setsockopt(socket.SOL_SOCKET, plain, wanted)
                given.append(probe.getsockopt(socket.SOL_SOCKET, plain) // 2)  # it counts each twice (socket(7))
    except OSError:
        return None
    return given[0], given[1]


def bind(address: HostPort, *, stream: bool) -> int:
    """Bind *address* and let it go again; return 0, or the errno that says why it cannot be bound."""
    family = socket.AF_INET if address.address.version == 4 else socket.AF_INET6
    try:
        with socket.socket(family, socket.SOCK_STREAM if stream else socket.SOCK_DGRAM) as probe:
            if family == socket.AF_INET6:
                probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            if stream:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((str(address.address), address.port))
            if stream:
                probe.listen(1)
    except OSError as error:
        return error.errno or -1
    return 0


def holder(address: HostPort, *, stream: bool, read: Callable[[str], str | None]) -> Holder | None:
    """Return a process with a socket on *address*, or on its port and every address, if we may see one."""
    inodes = set()
    for version in ("4", "6"):
        table = f"/proc/net/{'tcp' if stream else 'udp'}{'6' if version == '6' else ''}"
        inodes |= set(inodes_on(address, read(table) or "", stream=stream))
    wanted = {f"socket:[{inode}]" for inode in inodes}
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            for descriptor in (process / "fd").iterdir():
                with contextlib.suppress(OSError):
                    if str(descriptor.readlink()) in wanted:
                        words = (process / "cmdline").read_bytes().split(b"\0")
                        return Holder(
                            int(process.name), " ".join(word.decode(errors="replace") for word in words if word)
                        )
    return None


def inodes_on(address: HostPort, table: str, *, stream: bool) -> Iterator[str]:
    """Yield the inodes of the sockets in a table of the kernel (`/proc/net/udp`) that keep *address* from us."""
    own = _as_in_table(address.address.packed)
    for line in table.splitlines()[1:]:
        fields = line.split()
        host, _, port = fields[1].partition(":")
        same_host = host == own or not host.strip("0") or not own.strip("0")
        if same_host and int(port, 16) == address.port and (not stream or fields[3] == _LISTEN):
            yield fields[9]


def _as_in_table(packed: bytes) -> str:
    """Return an address as the kernel prints it: words of four bytes, each as this machine holds a number."""
    words = struct.unpack(f">{len(packed) // 4}I", packed)
    order = "<" if sys.byteorder == "little" else ">"
    return "".join(f"{struct.unpack('>I', struct.pack(f'{order}I', word))[0]:08X}" for word in words)
