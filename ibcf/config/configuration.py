"""The whole configuration, as one file holds it."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from ibcf.config.admin import Admin
from ibcf.config.agreements import Agreement
from ibcf.config.charging import Charging
from ibcf.config.emergency import Emergency
from ibcf.config.enum_services import EnumService
from ibcf.config.header_rules import HeaderRuleSet
from ibcf.config.keys import Key
from ibcf.config.limiters import Limiter
from ibcf.config.limits import Limits, UnknownSource
from ibcf.config.listeners import Listener
from ibcf.config.lists import NumberListFile
from ibcf.config.locator import Locator
from ibcf.config.logs import Logs
from ibcf.config.node import Node
from ibcf.config.patterns import Pattern
from ibcf.config.peers import Peer
from ibcf.config.reload import Reload
from ibcf.config.routes import Route
from ibcf.config.section import Section
from ibcf.config.sets import NamedSet
from ibcf.config.timers import Timers
from ibcf.config.tls import TlsIdentity
from ibcf.config.trace import Trace


class Config(Section):
    """The configuration of one border."""

    model_config = ConfigDict(title="ibcf configuration")

    version: Literal[1]
    """Version of this format."""
    node: Node
    """Who this node is."""
    keys: Annotated[tuple[Key, ...], Field(min_length=1, max_length=16)]
    """Keys that seal Record-Route tokens: the first seals, all open."""
    admin: Admin = Field(default_factory=Admin)
    """The HTTP endpoint for metrics and health."""
    logs: Logs = Field(default_factory=Logs)
    """What is written."""
    charging: Charging
    """Where charging records go."""
    trace: Trace | None = None
    """Where the messages of calls go that a rule mirrors."""
    reload: Reload = Field(default_factory=Reload)
    """When a changed configuration takes effect."""
    limits: Limits = Field(default_factory=Limits)
    """The bounds of this node."""
    timers: Timers = Field(default_factory=Timers)
    """Timers of RFC 3261."""
    unknown_source: UnknownSource = Field(default_factory=UnknownSource)
    """What strangers get."""
    tls: tuple[TlsIdentity, ...] = ()
    """Certificates of ours."""
    listeners: Annotated[tuple[Listener, ...], Field(min_length=1, max_length=256)]
    """The sockets of the border."""
    agreements: Annotated[tuple[Agreement, ...], Field(min_length=1)]
    """What was agreed with other operators, and with our own core."""
    peers: Annotated[tuple[Peer, ...], Field(min_length=1, max_length=65_535)]
    """The networks on both sides."""
    header_rules: tuple[HeaderRuleSet, ...] = ()
    """Named lists of edits."""
    lists: Annotated[tuple[NumberListFile, ...], Field(max_length=1_000)] = ()
    """Files of numbers and prefixes."""
    sets: Annotated[tuple[NamedSet, ...], Field(max_length=1_000)] = ()
    """Matchers under a name."""
    enum: tuple[EnumService, ...] = ()
    """Places to look numbers up."""
    locator: Locator | None = None
    """Where next hops that are given as a domain are looked up."""
    emergency: Emergency = Field(default_factory=Emergency)
    """Numbers of emergency services."""
    limiters: Annotated[tuple[Limiter, ...], Field(max_length=1_000)] = ()
    """How much of what their rules match may pass."""
    patterns: Annotated[tuple[Pattern, ...], Field(max_length=100)] = ()
    """Fraud and attack, told from the calls that are over."""
    routes: Annotated[tuple[Route, ...], Field(min_length=1)]
    """Where requests go, in order."""
