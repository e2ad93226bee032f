"""All that the checks ask of this machine goes through one object, so that a test can say how the machine is.

Nothing here changes the machine: files are read, sockets are bound and closed again, each DNS server is asked once.
"""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass
from datetime import UTC, datetime
from glob import glob
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

from ibcf.dns.aiodns_source import AiodnsSource
from ibcf.host import addresses, clock, sockets
from ibcf.host.descriptors import limits

if TYPE_CHECKING:
    from ipaddress import IPv4Address, IPv6Address

    from ibcf.config.values import HostPort
    from ibcf.dns.records import Class
    from ibcf.host.clock import ClockState
    from ibcf.host.sockets import Holder


CHARACTERS_MAX: Final = 1 << 24


@dataclass(frozen=True, slots=True)
class Room:
    """A folder, or the nearest one above it that is there."""

    folder: Path
    is_writable: bool
    free_bytes: int


class Machine(Protocol):
    """What can be asked. `None` always means that it cannot be told."""

    def read(self, path: str) -> str | None:
        """Return what a file of the kernel says."""
        ...

    def paths(self, pattern: str) -> tuple[str, ...]:
        """Return the paths that fit a pattern, in order."""
        ...

    def page_bytes(self) -> int:
        """Return the size of a page of memory."""
        ...

    def cpus(self) -> int:
        """Return how many CPUs this process may use."""
        ...

    def descriptor_limits(self) -> tuple[int, int]:
        """Return the soft and the hard limit of file descriptors; -1 means without a limit."""
        ...

    def given_buffers(self, receive_bytes: int, send_bytes: int) -> tuple[int, int] | None:
        """Return what a datagram socket gets that asks for so much."""
        ...

    def addresses(self) -> dict[IPv4Address | IPv6Address, str] | None:
        """Return the addresses of this host with their interfaces."""
        ...

    def bind(self, address: HostPort, *, stream: bool) -> int:
        """Return 0 if a socket can be bound to an address, else the errno."""
        ...

    def holder(self, address: HostPort, *, stream: bool) -> Holder | None:
        """Return which process has a socket there, as far as we may see."""
        ...

    def clock(self) -> ClockState | None:
        """Return how well the clock is kept."""
        ...

    def now(self) -> datetime:
        """Return the time, UTC."""
        ...

    def room(self, folder: Path) -> Room | None:
        """Return what there is for files in a folder."""
        ...

    def permissions(self, path: Path) -> int | None:
        """Return the permission bits of a file."""
        ...

    def ask_dns(self, server: str, name: str, timeout_s: float) -> Class:
        """Ask one DNS server for the NAPTR records of a name, once."""
        ...


class ThisMachine:
    """The machine that we run on."""

    def read(self, path: str) -> str | None:
        """Read it, within a bound: the table of a firewall may have millions of lines."""
        try:
            with Path(path).open(encoding="utf-8", errors="replace") as stream:
                return stream.read(CHARACTERS_MAX)
        except OSError:
            return None

    def paths(self, pattern: str) -> tuple[str, ...]:
        """Look."""
        return tuple(sorted(glob(pattern)))  # noqa: PTH207 - the pattern is an absolute path

    def page_bytes(self) -> int:
        """Ask the C library."""
        return os.sysconf("SC_PAGE_SIZE")

    def cpus(self) -> int:
        """Count the affinity mask."""
        return len(os.sched_getaffinity(0))

    def descriptor_limits(self) -> tuple[int, int]:
        """Ask the kernel."""
        return limits()

    def given_buffers(self, receive_bytes: int, send_bytes: int) -> tuple[int, int] | None:
        """Try it, as the core does."""
        return sockets.given_buffers(receive_bytes, send_bytes)

    def addresses(self) -> dict[IPv4Address | IPv6Address, str] | None:
        """Ask the kernel (rtnetlink)."""
        return addresses.of_this_host()

    def bind(self, address: HostPort, *, stream: bool) -> int:
        """Try it."""
        return sockets.bind(address, stream=stream)

    def holder(self, address: HostPort, *, stream: bool) -> Holder | None:
        """Look through the processes that we may see."""
        return sockets.holder(address, stream=stream, read=self.read)

    def clock(self) -> ClockState | None:
        """Ask the kernel (adjtimex)."""
        return clock.state()

    def now(self) -> datetime:
        """Look at the clock."""
        return datetime.now(tz=UTC)

    def room(self, folder: Path) -> Room | None:
        """Look at the nearest folder that is there."""
        folder = folder.absolute()
        while not folder.exists() and folder != folder.parent:
            folder = folder.parent
        try:
            space = os.statvfs(folder)
        except OSError:
            return None
        is_writable = folder.is_dir() and os.access(folder, os.W_OK | os.X_OK)
        return Room(folder, is_writable, space.f_bavail * space.f_frsize)

    def permissions(self, path: Path) -> int | None:
        """Look at the file that a link leads to."""
        try:
            return path.stat().st_mode & 0o777
        except OSError:
            return None

    def ask_dns(self, server: str, name: str, timeout_s: float) -> Class:
        """Ask, as look-ups do."""

        async def ask() -> Class:
            source = AiodnsSource([server], timeout_s=timeout_s, tries=1)
            try:
                return (await source.naptr(name)).class_
            finally:
                await source.close()

        return asyncio.run(ask())
