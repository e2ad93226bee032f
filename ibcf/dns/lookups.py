"""What all look-ups share: how many may be under way, how long a failure counts, who counts them."""

from __future__ import annotations

from typing import Final, Protocol

QUERIES_MAX: Final = 128
"""Under way at once; more brings no throughput, only delay."""
FAILURE_TTL_MS: Final = 1000
"""A failure is remembered this long: RFC 9520 §3.2 asks for at least a second, to spare a server in trouble."""


class LookupObserver(Protocol):
    """Counts queries and their time."""

    def __call__(self, kind: str, result: str, seconds: float) -> None:
        """Take note of one query."""
        ...


def ignore(kind: str, result: str, seconds: float) -> None:
    """Take no note."""
