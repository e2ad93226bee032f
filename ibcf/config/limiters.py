"""Section `limiters`: how many requests and calls the rules that name one let pass (SEC-13, SEC-23, SEC-24)."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from ibcf.config.section import Section
from ibcf.config.values import Duration, Id, Rate, WholeSeconds, Within

KeyKind = Literal["all", "peer", "source", "calling", "called"]
Digits = Annotated[int, Field(ge=1, le=15)]
NUMBERS: tuple[KeyKind, ...] = ("calling", "called")


class Limiter(Section):
    """A limit on requests, on calls at a time, or on both."""

    id: Id
    """Stable name for rules, metrics and traces."""
    rate: Rate | None = None
    """So many requests in the long run: `5/s`, `100/m`, `30/h`."""
    burst: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    """So many at once; as many as the rate says unless set."""
    calls: Annotated[int, Field(ge=0, le=16_000_000)] | None = None
    """So many calls at a time, from the INVITE to the end of the call."""
    by: KeyKind = "all"
    """What is counted together: all, or what has the same peer, source address, calling or called number."""
    digits: Digits | None = None
    """Of the number only its first digits count."""
    keys_max: Annotated[int, Field(ge=1, le=1_000_000)] = 10_000
    """So many keys are counted for themselves; those that find no place are counted together."""
    status: Annotated[int, Field(ge=400, le=699)] = 503
    """What is answered when there is no room."""
    retry_after: Annotated[Duration, Within(timedelta(seconds=1), timedelta(days=1)), WholeSeconds] | None = None
    """Retry-After of that answer. A 503 with it may keep all away that the sender has, not only what is limited."""

    @model_validator(mode="after")
    def check_whole(self) -> Self:
        """Refuse a limiter that limits nothing, and settings without what they belong to."""
        if self.rate is None and self.calls is None:
            raise ValueError("needs rate, calls, or both")
        if self.burst is not None and self.rate is None:
            raise ValueError("burst belongs to a rate")
        if self.digits is not None and self.by not in NUMBERS:
            raise ValueError(f"digits belong to by: calling or called (got {self.by})")
        return self
