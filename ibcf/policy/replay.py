"""Decides captured requests by two policies, and tells what the second one would do otherwise.

Each request gets a border of its own, so neither limits nor what came before counts: the policies are compared.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any

from ibcf.config.values import parse_host_port
from ibcf.hooks.modules import NoModules
from ibcf.policy.compile import checked_snapshot, open_engine
from ibcf.policy.coverage import matched_rules
from ibcf.policy.explain import Arrival, Explanation, compare, explain, header_values, target_at
from ibcf.policy.resolvers import open_resolvers
from ibcf.policy.stand_ins import MadeUpPlaces, SilentEnum, SilentHooks, open_zones

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ibcf.config import Config, Loaded
    from ibcf.config.peers import Peer
    from ibcf.policy.compile import Snapshot
    from ibcf.policy.explain import Change, Resolver
    from ibcf.policy.traffic import Captured

EXAMPLES_KEPT = 5
OURS = {"via", "record-route"}
"""Headers that the border itself writes: branches and tokens are new each time."""
SKIPPED_METHODS = ("ACK", "CANCEL", "BYE", "PRACK")
"""Requests of a dialog or a transaction that the policy did not decide."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What a policy does with a request."""

    rule: str
    """The rule that decides, `-` when none does: a stage before the rules refused."""
    way: str
    """Peer and target, or the answer with its reason."""
    sent: bytes
    """The request that would leave."""


@dataclass(frozen=True, slots=True)
class Key:
    """What is common to the requests of a group."""

    rule_before: str
    way_before: str
    rule_after: str
    way_after: str
    headers: tuple[str, ...] = ()
    """What leaves otherwise, where the way is the same."""


@dataclass(slots=True)
class Found:
    """The requests of one group."""

    count: int = 0
    examples: list[Captured] = field(default_factory=list)


@dataclass(slots=True)
class Comparison:
    """What came of a replay."""

    decided: int = 0
    skipped: Counter[str] = field(default_factory=Counter)
    """Messages that were not decided, by cause."""
    groups: dict[Key, Found] = field(default_factory=dict)
    """Requests that are decided otherwise."""
    not_asked: int = 0
    """Questions to ENUM servers, which count as failed look-ups."""
    hooks_not_asked: int = 0
    """Questions to hooks, whose fallbacks follow."""

    @property
    def different(self) -> int:
        """Return how many requests are decided otherwise."""
        return sum(found.count for found in self.groups.values())

    def note(self, key: Key, captured: Captured) -> None:
        """Count a request that is decided otherwise."""
        group = self.groups.setdefault(key, Found())
        group.count += 1
        if len(group.examples) < EXAMPLES_KEPT:
            group.examples.append(captured)


def as_json(found: Comparison, show: Callable[[str], str]) -> dict[str, Any]:
    """Return what came of a replay as plain values; *show* makes the first line of a request fit to be shown."""
    return {
        "decided": found.decided,
        "different": found.different,
        "skipped": found.skipped,
        "look_ups_not_asked": found.not_asked,
        "hooks_not_run": found.hooks_not_asked,
        "groups": [
            {
                "count": group.count,
                "before": {"rule": key.rule_before, "way": key.way_before},
                "after": {"rule": key.rule_after, "way": key.way_after},
                "headers": key.headers,
                "examples": [_example(one, show) for one in group.examples],
            }
            for key, group in found.groups.items()
        ],
    }


def _example(one: Captured, show: Callable[[str], str]) -> dict[str, Any]:
    first_line = one.data.lstrip(b"\r\n").partition(b"\r\n")[0].decode("utf-8", "backslashreplace")
    place = {"file": one.file, "frame": one.frame} if one.file else {"unix_ms": one.unix_ms}
    return {**place, "source": one.source, "request": show(first_line)}


class Policy:
    """A policy, ready for requests."""

    def __init__(self, loaded: Loaded, *, ask: bool) -> None:
        """Compile it; with *ask*, ENUM servers are asked. Hooks are not, nor are their modules imported.

        Raises:
            ConfigError: the core refuses it.
        """
        self.config: Config = loaded.config
        self._snapshot: Snapshot = checked_snapshot(loaded, hooks=NoModules())
        self.silent = SilentEnum()
        self.hooks = SilentHooks()
        self._opened = open_resolvers(self.config) if ask else open_zones(self.config)
        self._resolvers: Mapping[str, Resolver] = {
            service.id: self._opened.get(service.id, self.silent) for service in self.config.enum
        }

    async def decide(
        self,
        captured: Captured,
        peer: Peer,
        resolvers: Mapping[str, Resolver] | None = None,
        listener: str | None = None,
    ) -> Decision:
        """Return what the policy does with a request from *peer*, whose look-ups *resolvers* answer."""
        engine = open_engine(self._snapshot, trace=True)
        arrival = Arrival(peer, captured.data, captured.unix_ms, listener if listener in peer.listeners else None)
        asked = self._resolvers if resolvers is None else resolvers
        told = await explain(engine, arrival, asked, MadeUpPlaces(self.config), self.hooks)
        rules = list(matched_rules(told))
        sent = b"" if told.forwarded is None else told.forwarded.data
        return Decision(rules[-1] if rules else "-", _way(told, self.config), sent)

    async def close(self) -> None:
        """Close what was opened."""
        for resolver in self._opened.values():
            await resolver.close()


@dataclass(slots=True)
class Replay:
    """Two policies side by side."""

    old: Policy
    new: Policy
    sender: str | None = None
    """The peer that all requests are from; told by their source unless set."""
    found: Comparison = field(default_factory=Comparison)
    _seen: set[int] = field(default_factory=set)

    async def take(self, captured: Captured) -> None:
        """Decide a message by both policies."""
        cause = self._passed_over(captured)
        if cause is not None:
            self.found.skipped[cause] += 1
            return
        before, after = [
            Decision("-", "unknown source", b"") if peer is None else await policy.decide(captured, peer)
            for policy, peer in ((policy, self._peer(policy.config, captured)) for policy in (self.old, self.new))
        ]
        self.found.decided += 1
        self.found.not_asked = self.old.silent.asked + self.new.silent.asked
        self.found.hooks_not_asked = self.old.hooks.asked + self.new.hooks.asked
        key = difference(before, after)
        if key is not None:
            self.found.note(key, captured)

    def _passed_over(self, captured: Captured) -> str | None:
        """Return why a message is not decided."""
        if not captured.is_request:
            return "responses"
        if captured.data.split(b" ", 1)[0].decode("ascii", "replace") in SKIPPED_METHODS:
            return "requests inside of dialogs and transactions"
        if any(";tag=" in value for value in header_values(captured.data, "To")):
            return "requests inside of dialogs and transactions"
        identity = hash((captured.source, captured.data))
        if identity in self._seen:
            return "repetitions"
        if all(self._peer(policy.config, captured) is None for policy in (self.old, self.new)):
            return "requests that no peer sent"
        self._seen.add(identity)
        return None

    def _peer(self, config: Config, captured: Captured) -> Peer | None:
        if self.sender is not None:
            return next((peer for peer in config.peers if peer.id == self.sender), None)
        return sender_at(config, captured.source)


def difference(before: Decision, after: Decision) -> Key | None:
    """Return in what two decisions are otherwise; nothing when they come to the same."""
    changes = _changes(before, after)
    if before.way == after.way and not changes:
        return None
    return Key(before.rule, before.way, after.rule, after.way, changes if before.way == after.way else ())


def sender_at(config: Config, source: str) -> Peer | None:
    """Return the peer that sends from *source* (`ip:port`): the one with the narrowest network around it."""
    address = ip_address(str(parse_host_port(source).address))
    networks = ((network, peer) for peer in config.peers for network in peer.sources)
    found = [(network.prefixlen, at, peer) for at, (network, peer) in enumerate(networks) if address in network]
    return max(found, key=lambda one: one[:2])[2] if found else None


def _way(told: Explanation, config: Config) -> str:
    request, answer = told.forwarded, told.answered
    reason = f" ({told.reason})" if told.reason else ""
    if request is not None:
        place = target_at(config, told.located, request.destination)
        return f"to {place[0]}, target {place[1]}" if place else f"to {request.destination}"
    return f"answer {answer.status}{reason}" if answer is not None else f"drop{reason}"


def _changes(before: Decision, after: Decision) -> tuple[str, ...]:
    """Return the names of what leaves otherwise."""
    if not before.sent or not after.sent:
        return ()
    changes: list[Change] = compare(before.sent, after.sent)
    names = (change.name or "Request-URI" for change in changes)
    return tuple(dict.fromkeys(name for name in names if name.lower() not in OURS))
