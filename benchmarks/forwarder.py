"""The floor: a forwarder that moves datagrams and reads none of them (crate `core/load`)."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.errors import MissingError
from benchmarks.launch import Launch, bound

if TYPE_CHECKING:
    from benchmarks.place import Place
    from benchmarks.subject import Subject

BINARIES = Path(__file__).parents[1] / "core" / "target" / "release"
BUILD = "cd core && cargo build --release -p ibcf-load"


def binary(name: str) -> Path:
    """Return the path of a program of the crate."""
    path = BINARIES / name
    if not path.exists():
        raise MissingError(f"{name} is not built: {BUILD}")
    return path


def launch(place: Place, subject: Subject) -> Launch:
    """Forward what the caller sends to the called side, and the other way round."""
    command: list[str | Path] = [binary("ibcf-forwarder"), place.proxy, place.callee]
    return Launch(command, bound(place, subject))
