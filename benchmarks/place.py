"""Where a measurement happens: addresses and ports on loopback, cores, the work folder."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tests.system.support.ports import free_port

if TYPE_CHECKING:
    from pathlib import Path

PROXY = "127.0.0.1"
CALLER = "127.0.0.11"
CALLEE = "127.0.0.12"
"""Addresses of their own: the border tells its peers apart by source."""
SECOND_CALLER = "127.0.0.13"
SECOND_CALLEE = "127.0.0.14"
"""Another pair of networks, for calls that are only there."""
NAME_SERVER = "127.0.0.153"
"""Serves port 53 too, which is all that the resolver of libc knows; 127.0.0.53 is that of systemd."""
HIDDEN = "127.0.0.8"
"""What Kamailio's topology hiding shows instead of addresses."""


@dataclass(frozen=True)
class Cores:
    """Who runs where: the proxy alone on the last core, all others on the rest."""

    proxy: frozenset[int]
    others: frozenset[int]

    @property
    def are_apart(self) -> bool:
        """Does nobody share a core with the proxy?"""
        return not self.proxy & self.others

    @classmethod
    def of(cls, usable: set[int]) -> Cores:
        """Split the cores of this machine.

        >>> Cores.of({0, 1, 2}).proxy, Cores.of({0}).are_apart
        (frozenset({2}), False)
        """
        *others, last = sorted(usable)
        return cls(proxy=frozenset({last}), others=frozenset(others or [last]))


@dataclass(frozen=True)
class Place:
    """Addresses, ports and cores of one run."""

    folder: Path
    cores: Cores = field(default_factory=lambda: Cores.of(os.sched_getaffinity(0)))
    caller_address: str = CALLER
    callee_address: str = CALLEE
    proxy_port: int = field(default_factory=lambda: free_port(PROXY))
    far_port: int = field(default_factory=lambda: free_port(PROXY))
    """The border has a listener for each side."""
    caller_port: int = field(default_factory=lambda: free_port(CALLER))
    callee_port: int = field(default_factory=lambda: free_port(CALLEE))
    name_server_port: int = field(default_factory=lambda: free_port(NAME_SERVER))

    @property
    def proxy(self) -> str:
        """Where the caller sends to."""
        return f"{PROXY}:{self.proxy_port}"

    @property
    def caller(self) -> str:
        """Where the caller sends from."""
        return f"{self.caller_address}:{self.caller_port}"

    @property
    def callee(self) -> str:
        """Where the called side is."""
        return f"{self.callee_address}:{self.callee_port}"

    @property
    def name_server(self) -> str:
        """Where numbers are looked up, away from port 53."""
        return f"{NAME_SERVER}:{self.name_server_port}"
