"""Section `routes`: where a request goes. The first rule that matches decides; `enum` and `tag` go on."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Literal, Self

from pydantic import ConfigDict, Field, field_validator, model_validator

from ibcf.config.match import Match
from ibcf.config.section import Section, exactly_one, one_of_schema
from ibcf.config.values import Duration, Id, OneOrMany, Text, Unique, Within, written

GO_ON = ("enum", "tag")
"""Actions behind which the next rule follows."""
DECIDE = ("to", "reject", "drop")
"""Actions that end the walk of the rules."""

Status = Annotated[int, Field(ge=300, le=699)]


class Reject(Section):
    """A refusal."""

    reason: str
    """Id of the catalogue of reasons."""
    status: Annotated[int, Field(ge=400, le=699)] | None = None
    """Another status than the catalogue's."""
    phrase: Annotated[Text, Field(min_length=1, max_length=100)] | None = None
    """Another phrase than the catalogue's."""
    retry_after: Annotated[Duration, Within(timedelta(seconds=1), timedelta(days=1))] | None = None
    """So long the sender should stay away: Retry-After, in whole seconds."""

    @field_validator("retry_after")
    @classmethod
    def check_seconds(cls, value: timedelta | None) -> timedelta | None:
        """Refuse parts of seconds, which the header cannot say."""
        if value is not None and value % timedelta(seconds=1):
            raise ValueError(f"must be whole seconds (got {written(value)})")
        return value


class RoutePeer(Section):
    """A peer on a route."""

    peer: Id
    """Its id."""
    priority: Annotated[int, Field(ge=0, le=65_535)] = 0
    """Lower is tried first."""
    weight: Annotated[int, Field(ge=0, le=65_535)] = 1
    """Share among those of equal priority (RFC 2782)."""


class Route(Section):
    """One rule of routing."""

    model_config = ConfigDict(json_schema_extra=one_of_schema(*GO_ON, *DECIDE))

    id: Id
    """Stable name for `explain`, charging records and metrics."""
    match: Match = Field(default_factory=Match)
    """When it applies; always when left out."""
    enum: Id | None = None
    """Looks the number up in this service; the Request-URI becomes the first candidate; the next rule follows."""
    tag: Id | None = None
    """A name for its record, the log and `ibcf_calls_tagged_total`; the next rule follows."""
    to: Annotated[tuple[RoutePeer, ...], Field(min_length=1)] | None = None
    """Sends it to one of these peers."""
    reject: Reject | None = None
    """Refuses it."""
    drop: Literal[True] | None = None
    """Says nothing at all to whoever sent it."""
    failover_on: Annotated[tuple[Status, ...], Unique, OneOrMany] | None = None
    """Statuses after which the next target is tried, besides silence and unreachability; 430 and 503 unless set."""
    attempts_max: Annotated[int, Field(ge=1, le=64)] | None = None
    """At most so many targets; 4 unless set."""
    fork: Literal["serial", "parallel"] | None = None
    """`serial` tries one peer after the other; `parallel` sends an INVITE to all peers of one priority at once."""
    time_budget: Annotated[Duration, Within(timedelta(seconds=1), timedelta(minutes=10))] | None = None
    """No target is tried any more when the request is this old; one that rings goes on ringing."""
    redirects: Literal["pass", "recurse", "reject"] | None = None
    """A 3xx goes back (`pass`), its Contacts are tried where the policy routes them, or it becomes a 480."""

    @property
    def action(self) -> str:
        """Return the name of what it does."""
        return exactly_one(self, *GO_ON, *DECIDE)

    @property
    def goes_on(self) -> bool:
        """Tell whether the next rule follows whatever this one does."""
        return self.action in GO_ON

    @model_validator(mode="after")
    def check_one(self) -> Self:
        """Refuse two actions in one rule, or none, and the settings of another action."""
        if self.action != "to":
            for name in ("failover_on", "attempts_max", "fork", "time_budget", "redirects"):
                if getattr(self, name) is not None:
                    raise ValueError(f"{name} belongs to a rule with `to`")
        return self
