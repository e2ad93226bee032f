"""Section `patterns`: fraud and attack, told from the calls that are over, and what follows (SEC-15, SEC-22 to 24)."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from ibcf.config.limiters import Digits
from ibcf.config.section import Section
from ibcf.config.values import Duration, Id, Method, OneOrMany, Rate, Unique, Within

NUMBERS_MAX = 10_000_000
"""Different numbers that the windows of one pattern hold together."""

PatternKey = Literal["peer", "calling", "called"]
Counted = Literal["attempts", "short_calls", "unanswered", "failed_calls", "call_seconds"]
Status = Annotated[int, Field(ge=400, le=699)]


class Pattern(Section):
    """So many of some calls by one key within a time that slides on."""

    id: Id
    """Stable name for logs, metrics and `ibcf policy unblock`."""
    method: Annotated[tuple[Method, ...], Field(min_length=1), Unique, OneOrMany] = ("INVITE",)
    """Requests that it is about."""
    tag: Id | None = None
    """Only those that a rule gave this tag: so every matcher says what is counted, and only these are refused."""
    count: Annotated[tuple[Counted, ...], Field(min_length=1), Unique, OneOrMany]
    """What is counted of a call that is over: that there was one, that it was short, that nobody answered, that it was
    refused by the far side or here, or for how many seconds it was answered."""
    distinct: Literal["calling", "called"] | None = None
    """Not the calls are counted, but the different numbers that call, or are called, in them."""
    short: Annotated[Duration, Within(timedelta(milliseconds=1), timedelta(hours=1))] = timedelta(seconds=5)
    """A call is short below this."""
    by: PatternKey
    """What is counted together: the calls of a peer, of a calling number, or to a called one."""
    digits: Digits | None = None
    """Of the number only its first digits count: a range."""
    window: Annotated[Duration, Within(timedelta(seconds=1), timedelta(days=7))]
    """How far it looks back."""
    threshold: Annotated[int, Field(ge=1, le=1_000_000_000)]
    """It is found when so many were counted."""
    share: Annotated[int, Field(ge=1, le=100)] | None = None
    """And when those are at least so many percent of all calls of the key."""
    keys_max: Annotated[int, Field(ge=1, le=1_000_000)] = 10_000
    """So many keys are counted at a time; then the one of a few that did least makes room."""
    action: Literal["alarm", "throttle", "block"]
    """What follows: it is told, calls pass no faster than `rate`, or none passes."""
    rate: Rate | None = None
    """For `throttle`."""
    for_: Annotated[Duration, Within(timedelta(seconds=1), timedelta(days=365))] = Field(
        timedelta(minutes=30), alias="for"
    )
    """For so long; found again meanwhile, it begins anew."""
    refuse: Annotated[tuple[PatternKey, ...], Field(min_length=1), Unique, OneOrMany] | None = None
    """Calls from these numbers (`calling`), to them (`called`), or both; as `by` unless set."""
    status: Status | None = None
    """What is answered; 403 for `block`, 503 for `throttle` unless set."""

    @model_validator(mode="after")
    def check_whole(self) -> Self:
        """Refuse settings without what they belong to, and what would take too much memory."""
        if self.digits is not None and self.by == "peer":
            raise ValueError("digits belong to by: calling or called (got peer)")
        if "call_seconds" in self.count and (len(self.count) > 1 or self.distinct is not None):
            raise ValueError("call_seconds are counted alone: no other count, no distinct")
        if self.distinct is not None and self.keys_max * self.threshold > NUMBERS_MAX:
            raise ValueError(f"with distinct, keys_max times threshold must be ≤ {NUMBERS_MAX}")
        self._check_action()
        return self

    def _check_action(self) -> None:
        if (self.action == "throttle") != (self.rate is not None):
            raise ValueError("rate belongs to action: throttle, which needs it")
        if self.action == "alarm" and (self.refuse is not None or self.status is not None):
            raise ValueError("refuse and status belong to action: throttle or block")
        if self.refuse is not None and any((one == "peer") != (self.by == "peer") for one in self.refuse):
            raise ValueError(f"refuse is about what by: {self.by} counts (got {', '.join(self.refuse)})")
