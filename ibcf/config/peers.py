"""Section `peers`: the SIP networks on both sides, our own core among them."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Literal, Self

from pydantic import Field, ValidationInfo, field_validator, model_validator

from ibcf.config.listeners import Side, Transport
from ibcf.config.section import Section, at_most_one
from ibcf.config.timers import Timers
from ibcf.config.tls import PeerTls
from ibcf.config.values import Address, Cidr, Domain, Duration, Id, OneOrMany, Unique, Within, written

Count = Annotated[int, Field(ge=1, le=4_294_967_295)]


class Target(Section):
    """Where requests to a peer are sent."""

    id: Id
    """Stable name, unique within the peer."""
    address: Address
    """IP address and port."""
    transport: Transport = "udp"
    """How requests travel to it."""
    priority: Annotated[int, Field(ge=0, le=65_535)] = 0
    """Lower is tried first."""
    weight: Annotated[int, Field(ge=0, le=65_535)] = 1
    """Share among those of equal priority (RFC 2782)."""


class PeerLimits(Section):
    """What a peer may ask of us; what is left out is not limited."""

    requests_per_second: Count | None = None
    """Initial requests a second from the peer."""
    burst: Count | None = None
    """How many may come at once; the same as the rate unless set."""
    calls_max: Count | None = None
    """Calls in progress towards the peer and from it together."""
    connections_max: Count | None = None
    """Connections to the peer and from it together."""

    @field_validator("burst")
    @classmethod
    def check_burst(cls, value: int | None, info: ValidationInfo) -> int | None:
        """Refuse a burst of nothing."""
        if value is not None and "requests_per_second" in info.data and info.data["requests_per_second"] is None:
            raise ValueError("means nothing without requests_per_second")
        return value


class PeerHealth(Section):
    """What keeps requests away from a target for a while; dialogs go on, and when all fail those are tried too."""

    quarantine: Annotated[Duration, Within(timedelta(0), timedelta(hours=1))] = timedelta(seconds=32)
    """For so long after it left a request without any response or could not be reached; `0s` never."""
    retry_after_max: Annotated[Duration, Within(timedelta(0), timedelta(hours=1))] = timedelta(seconds=300)
    """The longest Retry-After of a 503 that is heeded; `0s` heeds none."""
    block_on_503: Annotated[Duration, Within(timedelta(0), timedelta(hours=1))] = timedelta(0)
    """For so long after a 503 without Retry-After; not at all unless set (RFC 3261 §21.5.4)."""


class Probe(Section):
    """OPTIONS to each target, whose answers say whether calls may go there."""

    interval: Annotated[Duration, Within(timedelta(seconds=1), timedelta(hours=1))] = timedelta(seconds=30)
    """From one to the next, give or take a tenth."""
    timeout: Annotated[Duration, Within(timedelta(milliseconds=100), timedelta(minutes=1))] = timedelta(seconds=4)
    """For so long an answer is waited for; less than the interval."""
    down_after: Annotated[int, Field(ge=1, le=100)] = 3
    """So many failures in a row take a target down: calls go to others while there are any."""
    up_after: Annotated[int, Field(ge=1, le=100)] = 2
    """So many answers in a row take it up again."""
    accept: Literal["any", "not_503", "2xx"] = "not_503"
    """Which final answers count: every one, every one but 503 (which says that it takes no calls), success only."""

    @field_validator("timeout")
    @classmethod
    def check_timeout(cls, value: timedelta, info: ValidationInfo) -> timedelta:
        """Refuse a probe that the next one would overtake."""
        interval = info.data.get("interval")
        if interval is not None and value >= interval:
            raise ValueError(f"must be below interval, {written(interval)} (got {written(value)})")
        return value


class Peer(Section):
    """Another SIP network element: our own core, or the other operator."""

    id: Id
    """Stable name for routes, logs, charging records and metrics."""
    side: Side
    """Our own core (`home`) or another operator (`peer`)."""
    agreement: Id
    """What was agreed with it."""
    listeners: Annotated[tuple[Id, ...], Field(min_length=1), Unique, OneOrMany]
    """The listeners from which requests to it leave: of the same side, one for each transport and address family."""
    sources: Annotated[tuple[Cidr, ...], Field(min_length=1), Unique, OneOrMany]
    """Networks that it sends from; those of two peers must not overlap."""
    targets: tuple[Target, ...] = ()
    """Where requests to it are sent."""
    domain: Domain | None = None
    """Instead of targets: the domain whose servers are looked up (RFC 3263), again and again as their TTL says."""
    port: Annotated[int | None, Field(ge=1, le=65_535)] = None
    """Port behind `domain`: then it is a host, and only its addresses are looked up."""
    transport: Transport | None = None
    """Transport of `domain`; what DNS offers and the listeners speak unless set."""
    locate: Literal["request_uri"] | None = None
    """Instead of targets: the servers of the host in each Request-URI are looked up (RFC 3263)."""
    limits: PeerLimits = Field(default_factory=PeerLimits)
    """What it may ask of us."""
    tls: PeerTls | None = None
    """How it proves who it is; a peer with a tls listener has this."""
    timers: Timers | None = None
    """Other timers than those of the node."""
    health: PeerHealth = Field(default_factory=PeerHealth)
    """What keeps requests away from a target of it for a while."""
    request_uri_host: Domain | None = None
    """The host that a sip Request-URI gets in initial requests to it, whatever it was; unchanged unless set."""
    probe: Probe | None = None
    """How its targets are asked whether they are there; not at all unless set."""

    @field_validator("port", "transport")
    @classmethod
    def check_behind_domain(cls, value: object, info: ValidationInfo) -> object:
        """Refuse what belongs to a domain where there is none."""
        if value is not None and "domain" in info.data and info.data["domain"] is None:
            raise ValueError("means nothing without domain")
        return value

    @model_validator(mode="after")
    def check_one(self) -> Self:
        """Refuse two ways to find it."""
        at_most_one(self, "targets", "domain", "locate")
        return self

    @property
    def is_located(self) -> bool:
        """Is it found by DNS?"""
        return self.domain is not None or self.locate is not None
