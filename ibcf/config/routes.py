"""Section `routes`: where a request goes. The first rule that matches decides; some actions go on with the next."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Literal, Self

from pydantic import ConfigDict, Field, model_validator

from ibcf.config.match import Match
from ibcf.config.rewrite import Rewrite
from ibcf.config.section import Section, exactly_one, one_of_schema
from ibcf.config.values import Duration, Grammar, Id, OneOrMany, Text, Unique, WholeSeconds, Within

GO_ON = ("enum", "tag", "rewrite", "mirror", "limit", "hook")
"""Actions behind which the next rule follows, or may."""
DECIDE = ("to", "reject", "drop")
"""Actions that end the walk of the rules."""

Status = Annotated[int, Field(ge=300, le=699)]

_NAME = r"[A-Za-z_][A-Za-z0-9_]*"
_CALL = rf"{_NAME}(?:\.{_NAME})*:{_NAME}"


class Reject(Section):
    """A refusal."""

    reason: str
    """Id of the catalogue of reasons."""
    status: Annotated[int, Field(ge=400, le=699)] | None = None
    """Another status than the catalogue's."""
    phrase: Annotated[Text, Field(min_length=1, max_length=100)] | None = None
    """Another phrase than the catalogue's."""
    retry_after: Annotated[Duration, Within(timedelta(seconds=1), timedelta(days=1)), WholeSeconds] | None = None
    """So long the sender should stay away: Retry-After, in whole seconds."""


class RoutePeer(Section):
    """A peer on a route."""

    peer: Id
    """Its id."""
    priority: Annotated[int, Field(ge=0, le=65_535)] = 0
    """Lower is tried first."""
    weight: Annotated[int, Field(ge=0, le=65_535)] = 1
    """Share among those of equal priority (RFC 2782)."""


class Hook(Section):
    """A function of the operator's that decides: see docs/hooks.md."""

    call: Annotated[str, Grammar(_CALL, "a module and a function: hooks.roaming:check", 200)]
    """The async function; its module is a file below the folder of this one, or installed."""
    deadline: Annotated[Duration, Within(timedelta(milliseconds=1), timedelta(seconds=10))]
    """How long it may take."""
    fallback: Literal["continue", "reject"]
    """What follows without a usable answer in time: the next rule, or a refusal."""
    reject: Reject | None = None
    """With `fallback: reject`, how it is refused; `decide.hook_failed` unless set."""
    tags: Annotated[tuple[Id, ...], Unique, OneOrMany] = ()
    """Tags that it may give."""

    @model_validator(mode="after")
    def check_reject(self) -> Self:
        """Refuse a refusal that never follows."""
        if self.reject is not None and self.fallback != "reject":
            raise ValueError("reject belongs to `fallback: reject`")
        return self


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
    rewrite: Rewrite | None = None
    """Changes its Request-URI, and headers of what leaves; the next rule follows."""
    mirror: Literal[True] | None = None
    """Copies all messages of the call into the captures of section `trace`; the next rule follows."""
    hook: Hook | None = None
    """Asks a function of the operator's; the next rule follows, unless that says otherwise."""
    limit: Id | None = None
    """Counts it by this limiter, and refuses it where that has no room; else the next rule follows."""
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
        """Tell whether the next rule follows, or may."""
        return self.action in GO_ON

    @model_validator(mode="after")
    def check_one(self) -> Self:
        """Refuse two actions in one rule, or none, and the settings of another action."""
        if self.action != "to":
            for name in ("failover_on", "attempts_max", "fork", "time_budget", "redirects"):
                if getattr(self, name) is not None:
                    raise ValueError(f"{name} belongs to a rule with `to`")
        return self
