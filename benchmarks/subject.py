"""What is measured: a peer at a level over a transport, written `ibcf:L2` or `kamailio:L1:tls`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from benchmarks.errors import RigError
from benchmarks.levels import LEVELS

Transport = Literal["udp", "tcp", "tls"]


@dataclass(frozen=True, slots=True, order=True)
class Subject:
    """A peer at its work."""

    peer: str
    level: int = 1
    transport: Transport = "udp"

    def __str__(self) -> str:
        """Write it as `parse` reads it."""
        return f"{self.peer}:L{self.level}" + ("" if self.transport == "udp" else f":{self.transport}")

    @classmethod
    def parse(cls, text: str) -> Subject:
        """Read a subject.

        >>> str(Subject.parse("kamailio:L1:tls")), str(Subject.parse("direct"))
        ('kamailio:L1:tls', 'direct:L1')

        Raises:
            RigError: it names no level or no transport that there is.
        """
        peer, *rest = text.split(":")
        level, transport = 1, "udp"
        for part in rest:
            if part in get_args(Transport):
                transport = part
            elif part.upper().startswith("L") and part[1:].isdecimal() and int(part[1:]) in LEVELS:
                level = int(part[1:])
            else:
                raise RigError(f'"{text}": "{part}" is neither a level (L1, L2, L3) nor a transport (udp, tcp, tls)')
        return cls(peer, level, transport)  # type: ignore[arg-type]  # looked up above
