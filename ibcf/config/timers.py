"""Section `timers`, of the node and of a peer: RFC 3261 and TS 29.165 table 6.3.1 (NNI-10)."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from pydantic import ValidationInfo, field_validator

from ibcf.config.section import Section
from ibcf.config.values import Duration, Within, written

TIMER_C_MIN = timedelta(minutes=3)


class Timers(Section):
    """Timers of RFC 3261; what a peer leaves out is as in the section of the node."""

    t1: Annotated[Duration, Within(timedelta(milliseconds=10), timedelta(seconds=30))] = timedelta(milliseconds=500)
    """Estimate of the round trip: the first retransmission comes after it."""
    t2: Annotated[Duration, Within(timedelta(milliseconds=10), timedelta(seconds=60))] = timedelta(seconds=4)
    """Longest interval between retransmissions of other requests than INVITE."""
    t4: Annotated[Duration, Within(timedelta(milliseconds=10), timedelta(seconds=60))] = timedelta(seconds=5)
    """How long a message can stay in the network."""
    c: Annotated[Duration, Within(timedelta(seconds=1), timedelta(hours=1))] = timedelta(seconds=185)
    """How long the called side may ring: more than 3m (RFC 3261 §16.6 (11))."""
    first_response: Annotated[Duration, Within(timedelta(milliseconds=10), timedelta(minutes=10))] | None = None
    """How long a target may stay silent before the next one is tried; 64 × t1 unless set."""

    @field_validator("t2")
    @classmethod
    def check_t2(cls, value: timedelta, info: ValidationInfo) -> timedelta:
        """Refuse a cap below the first interval."""
        t1: timedelta | None = info.data.get("t1")
        if t1 is not None and value < t1:
            raise ValueError(f"must not be below t1, {written(t1)} (got {written(value)})")
        return value

    @field_validator("c")
    @classmethod
    def check_c(cls, value: timedelta) -> timedelta:
        """Refuse what RFC 3261 §16.6 (11) refuses."""
        if value <= TIMER_C_MIN:
            raise ValueError(f"must be more than 3m (RFC 3261 §16.6 (11)): 185s is usual (got {written(value)})")
        return value

    @field_validator("first_response")
    @classmethod
    def check_first_response(cls, value: timedelta | None, info: ValidationInfo) -> timedelta | None:
        """Refuse a wait without a retransmission, or one beyond Timers B and F."""
        t1: timedelta | None = info.data.get("t1")
        if value is not None and t1 is not None and not t1 <= value <= 64 * t1:
            raise ValueError(f"must be from t1, {written(t1)}, to 64 × t1, {written(64 * t1)} (got {written(value)})")
        return value
