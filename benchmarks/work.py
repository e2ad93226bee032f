"""What a generator is to do: which conversation, how many a second, for how long."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

Scenario = Literal["call", "ringing", "answered", "register", "message"]
SCENARIOS: tuple[Scenario, ...] = get_args(Scenario)

Generator = Literal["sipp", "load"]

WARM_S = 5.0
"""Of the same load before each measurement: what happens after the end of a call (timers) is then in the figure."""
RING_MS = 100
HOLD_MS = 200
SLACK_S = 40.0
"""After which a run that does not end is given up."""


@dataclass(frozen=True, slots=True)
class Work:
    """One run of a generator."""

    rate: int
    seconds: float
    scenario: Scenario = "call"
    warm_s: float = WARM_S
    ring_ms: int = RING_MS
    hold_ms: int = HOLD_MS

    @property
    def calls(self) -> int:
        """How many conversations it has."""
        return max(1, round(self.rate * self.seconds))

    @property
    def call_s(self) -> float:
        """How long one of them takes."""
        return (self.ring_ms + self.hold_ms) / 1000

    @property
    def deadline_s(self) -> float:
        """When it is given up."""
        return self.seconds + self.call_s + SLACK_S
