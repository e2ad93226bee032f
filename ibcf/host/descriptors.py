"""File descriptors: how many a border may need at once, and the limit of the process raised to where it may be."""

from __future__ import annotations

import resource
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from ibcf.config import Config

OTHERS: Final = 256
"""Standard streams, the interpreter's own, DNS channels, record files, the admin endpoint with its scrapes."""
_OF_A_WORKER: Final = 4
"""An epoll, the copy of it that watches connections, and two eventfds."""
_OF_A_SOCKET: Final = 2
"""Its own, and the one that watches its buffers."""
_WHILE_BINDING: Final = 1
"""Whether a port is free at all is found out before it is shared."""


def descriptors_needed(config: Config) -> int:
    """Return how many descriptors a border of *config* may have open at once."""
    workers = config.node.workers
    streams = any(listener.transport != "udp" for listener in config.listeners)
    connections = config.limits.connections_max if streams else 0
    sockets = len(config.listeners) * workers * _OF_A_SOCKET + _WHILE_BINDING
    return connections + sockets + workers * _OF_A_WORKER + OTHERS


@dataclass(frozen=True, slots=True)
class DescriptorLimit:
    """RLIMIT_NOFILE beside what is needed; -1 means without a limit."""

    needed: int
    soft: int
    hard: int

    @property
    def is_enough(self) -> bool:
        """Can everything be opened that is needed?"""
        return self.soft == resource.RLIM_INFINITY or self.soft >= self.needed

    @property
    def can_be_enough(self) -> bool:
        """Can it, once the soft limit is raised as far as it may be?"""
        return self.hard == resource.RLIM_INFINITY or self.hard >= self.needed


def limits() -> tuple[int, int]:
    """Return the soft and the hard limit of this process; -1 means without a limit."""
    return resource.getrlimit(resource.RLIMIT_NOFILE)


def raise_descriptor_limit(needed: int) -> DescriptorLimit:
    """Raise the soft limit to *needed*, or to the hard limit where that is lower; never lower it."""
    soft, hard = limits()
    if soft in (resource.RLIM_INFINITY, hard) or soft >= needed:
        return DescriptorLimit(needed, soft, hard)
    wanted = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    return DescriptorLimit(needed, wanted, hard)
