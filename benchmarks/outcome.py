"""What one run of a generator came to, whichever generator it was."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from benchmarks.meter import Spent
    from benchmarks.results import Percentiles


@dataclass(frozen=True)
class Tally:
    """How the calls ended, and what the generator saw of their times."""

    ok: int = 0
    failed: int = 0
    retransmissions: int = 0
    causes: dict[str, int] = field(default_factory=dict)
    lag_us: Percentiles | None = None
    invite_us: Percentiles | None = None
    answer_us: Percentiles | None = None


@dataclass(frozen=True)
class Outcome:
    """The calls, and what they took of everyone."""

    tally: Tally
    spent: Spent
