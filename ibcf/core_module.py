"""What is used of the compiled core while a border runs; a test puts something else in its place."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from ibcf.observe import patterns
from ibcf.policy.compile import Snapshot, check_snapshot

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ibcf._core import NumberList
    from ibcf.config.node import Node


class Core(patterns.Core, Protocol):
    """What is used of `ibcf._core.Core`."""

    def start(self) -> None:
        """Start the workers."""
        ...

    def listeners(self) -> list[tuple[str, str]]:
        """Return ids and bound addresses."""
        ...

    def apply(self, snapshot: bytes, *, lists: Mapping[str, NumberList]) -> None:
        """Put a new snapshot in force."""
        ...

    def set_targets(self, sets: bytes) -> None:
        """Tell where peers were located."""
        ...

    def fileno(self) -> int:
        """Return what is readable when questions or events wait."""
        ...

    def questions(self, limit: int = ...) -> bytes:
        """Take questions."""
        ...

    def answer(self, answers: bytes) -> None:
        """Answer some."""
        ...

    def events(self, limit: int = ..., *, masked: bool = ..., level: str = ...) -> tuple[bytes, bytes, bytes]:
        """Take events, and the charging records and log lines of finished calls."""
        ...

    def mirrored(self, limit: int = ...) -> bytes:
        """Take messages of calls that a rule mirrors."""
        ...

    def sample(self, share: int) -> None:
        """Keep a share of the requests for `samples`."""
        ...

    def samples(self, limit: int = ...) -> bytes:
        """Take some."""
        ...

    def statistics(self) -> bytes:
        """Return all counters."""
        ...

    def drain(self) -> None:
        """Take no new work."""
        ...

    def is_idle(self) -> bool:
        """Tell whether no transaction is left."""
        ...

    def stop(self) -> None:
        """Join the workers."""
        ...


@dataclass(frozen=True, slots=True)
class CoreModule:
    """What is used of the module `ibcf._core`; a test puts something else here."""

    open: Callable[[Snapshot, Node], Core]
    check: Callable[[Snapshot], None]
    version: str
    cdr_head: bytes

    @classmethod
    def compiled(cls) -> CoreModule:
        """Return the compiled module."""
        from ibcf import _core  # noqa: PLC0415 - whoever only tests the control plane does without it

        return cls(
            open=lambda snapshot, node: _core.Core(
                snapshot.document, lists=snapshot.lists, workers=node.workers, pin_workers=node.pin_workers
            ),
            check=check_snapshot,
            version=_core.__version__,
            cdr_head=_core.CDR_HEAD,
        )
