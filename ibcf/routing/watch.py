"""What is known of where one peer is, and when to ask again. Pure: time and chance are arguments.

    locating ──found──▶ located ──no answer──▶ keeping ──too long──▶ lost
                 ▲           ▲──────found──────────┘                   │
                 └───────────────────────found─────────────────────────┘

`keeping`: the last good targets stay in use while DNS fails, for at most `stale_max` (RFC 8767). `lost`: there are no
targets, since DNS says that there is no such peer, or has said nothing for too long.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from ibcf.routing.location import Located, Target

REFRESH_SECONDS_MIN: Final = 1.0
"""Not even records with a TTL of nought are asked for more often."""
JITTER_SECONDS_MAX: Final = 5.0
"""A refresh comes up to a tenth of the TTL late, and at most this much: many peers located at one start spread. Early
would be of no use, since c-ares and the servers behind it answer from their caches until the TTL is over."""
BACKOFF_SECONDS_MAX: Final = 30.0


class State(StrEnum):
    """What is known of a peer."""

    LOCATING = "locating"
    LOCATED = "located"
    KEEPING = "keeping"
    LOST = "lost"


@dataclass(frozen=True, slots=True)
class Change:
    """What one answer came to."""

    wait_s: float
    """Ask again after this long."""
    is_pushed: bool
    """Are the targets others than the core has?"""
    is_told: bool
    """Is it worth a line in the log?"""


@dataclass(slots=True)
class Watch:
    """The knowledge about one peer."""

    stale_max_s: float
    state: State = State.LOCATING
    targets: tuple[Target, ...] = ()
    good_at: float = 0.0
    """When DNS last said where it is."""
    failures: int = 0
    """In a row."""

    def take(self, located: Located, *, now: float, chance: float) -> Change:
        """Take an answer in; *chance* is a number from 0 to 1, different each time."""
        before, targets = self.state, self.targets
        if located.outcome == "found" and not located.is_stale:
            self.state, self.targets = State.LOCATED, located.targets
            self.good_at, self.failures = now, 0
            lifetime_s = max(located.ttl_ms / 1000, REFRESH_SECONDS_MIN)
            wait_s = lifetime_s + min(lifetime_s / 10, JITTER_SECONDS_MAX) * chance
        else:
            self._take_nothing(located, now)
            backoff_s = REFRESH_SECONDS_MIN * 2.0 ** min(self.failures - 1, 16)
            longest_s = BACKOFF_SECONDS_MAX
            if located.outcome == "not_found":
                backoff_s = longest_s = max(located.ttl_ms / 1000, REFRESH_SECONDS_MIN)
            wait_s = min(backoff_s, longest_s) * (1 + chance / 10)
        is_first = before is State.LOCATING
        is_other = self.targets != targets
        return Change(wait_s, is_pushed=is_first or is_other, is_told=is_first or is_other or self.state is not before)

    def _take_nothing(self, located: Located, now: float) -> None:
        self.failures += 1
        is_fresh = self.state in {State.LOCATED, State.KEEPING} and now - self.good_at <= self.stale_max_s
        if located.outcome != "not_found" and is_fresh:
            self.state = State.KEEPING
        else:
            self.state, self.targets = State.LOST, ()
