"""How a peer is started: its command, and how to tell that it serves."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from benchmarks.place import PROXY
from tests.system.support.ports import is_bound

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from benchmarks.children import Child
    from benchmarks.place import Place
    from benchmarks.subject import Subject


@dataclass(frozen=True)
class Launch:
    """A command, and when what it starts is ready."""

    command: Sequence[str | Path]
    is_ready: Callable[[Child], bool]
    environment: dict[str, str] = field(default_factory=dict)


def bound(place: Place, subject: Subject) -> Callable[[Child], bool]:
    """Return the test for peers that say nothing: their port is bound."""
    table = "udp" if subject.transport == "udp" else "tcp"
    return lambda _: is_bound(PROXY, place.proxy_port, transport=table)
