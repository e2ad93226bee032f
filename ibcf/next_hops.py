"""The next hops that DNS names, as the service uses them: peers kept located, questions of the core answered.

Puts `ibcf.routing` between configuration, core, log and metrics; what is found, and when, is decided there.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ibcf.boundary import LocateAnswer, LocateQuestion, TargetSet, encode_target_sets
from ibcf.dns.lookups import FAILURE_TTL_MS
from ibcf.dns.records import Class
from ibcf.observe import logs
from ibcf.policy.locations import asked_peers, crossing, destination_of
from ibcf.policy.resolvers import locator_settings, peer_domains
from ibcf.routing.location import Located, Preferences
from ibcf.routing.locator import Locator
from ibcf.routing.watch import State
from ibcf.routing.watcher import Watcher

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from ipaddress import IPv4Network, IPv6Network

    from ibcf.config import Config
    from ibcf.config.locator import Locator as LocatorSection
    from ibcf.observe.metrics import Metrics
    from ibcf.routing.location import Destination, Target
    from ibcf.routing.watch import Change, Watch
    from ibcf.routing.watcher import PeerDomain

NOBODY = Located("failed", Class.UNKNOWN_SERVICE, ttl_ms=FAILURE_TTL_MS, detail="there is no locator")


@dataclass(slots=True)
class NextHops:
    """Locates, for the life of the service; `switch` puts it on a configuration."""

    metrics: Metrics
    set_targets: Callable[[bytes], None]
    """Of the core; may block."""
    _section: LocatorSection | None = None
    _locator: Locator | None = None
    _asked: dict[str, Preferences] = field(default_factory=dict)
    """Peers whose Request-URIs may be asked for."""
    _watched: dict[str, PeerDomain] = field(default_factory=dict)
    _sources: dict[str, tuple[IPv4Network | IPv6Network, ...]] = field(default_factory=dict)
    """What the watched peers may send from."""
    _retiring: set[asyncio.Task[None]] = field(default_factory=set)
    _watcher: Watcher = field(init=False)

    def __post_init__(self) -> None:
        """Make the watcher."""
        self._watcher = Watcher(self._locate, self._push, self._observe)
        self.metrics.locations_remembered.set_function(lambda: 0 if self._locator is None else self._locator.remembered)

    def switch(self, config: Config) -> None:
        """Work by *config* from now on; what it does not change goes on undisturbed."""
        if config.locator != self._section:
            old, self._section = self._locator, config.locator
            self._locator = None if config.locator is None else self._open(config.locator)
            if old is not None:  # it finishes what it was asked
                task = asyncio.create_task(old.close())
                self._retiring.add(task)
                task.add_done_callback(self._retiring.discard)
        self._asked = asked_peers(config)
        watched = {domain.peer: domain for domain in peer_domains(config)}
        for peer in self._watched.keys() - watched.keys():
            self.metrics.forget_peer_targets(peer)
        self._watched = watched
        self._sources = {peer.id: peer.sources for peer in config.peers if peer.id in watched}
        stale_max_s = 0.0 if config.locator is None else config.locator.stale_max.total_seconds()
        self._watcher.watch(watched.values(), stale_max_s=stale_max_s)

    async def first_answers(self) -> None:
        """Return when every peer was located, or could not be; DNS may take as long as its deadline, not longer."""
        if self._section is not None:
            await self._watcher.first_answers(self._section.deadline.total_seconds())

    async def answer(self, question: LocateQuestion) -> LocateAnswer:
        """Answer a question of the core."""
        located = await self._locate(destination_of(question), self._asked.get(question.peer, Preferences()))
        return LocateAnswer(crossing(located.targets), located.ttl_ms)

    def targets_of(self, peer: str) -> dict[str, Any]:
        """Return what `/status` shows of a peer that is located."""
        domain, watch = self._watched.get(peer), self._watcher.of(peer)
        if domain is None or watch is None:
            return {}
        targets = [{"target": str(one), "priority": one.priority, "weight": one.weight} for one in watch.targets]
        return {"domain": str(domain.destination), "location": watch.state, "located": targets}

    async def close(self) -> None:
        """Stop watching, and let what was asked finish."""
        await self._watcher.close()
        await asyncio.gather(*self._retiring, return_exceptions=True)
        if self._locator is not None:
            await self._locator.close()

    def _open(self, section: LocatorSection) -> Locator:
        settings = locator_settings(section)
        return Locator(settings, settings.open_source(), observe=self.metrics.observe_lookup)

    async def _locate(self, destination: Destination, preferences: Preferences) -> Located:
        located = NOBODY if self._locator is None else await self._locator.locate(destination, preferences)
        self.metrics.locations.labels("stale" if located.is_stale else located.outcome).inc()
        return located

    async def _push(self, sets: Mapping[str, tuple[Target, ...]]) -> None:
        data = encode_target_sets([TargetSet(peer, crossing(targets)) for peer, targets in sets.items()])
        await asyncio.to_thread(self.set_targets, data)  # waits for a turn of each worker

    def _observe(self, domain: PeerDomain, watch: Watch, located: Located, change: Change) -> None:
        self.metrics.peer_targets.labels(domain.peer).set(len(watch.targets))
        if not change.is_told:
            return
        facts = {"peer": domain.peer, "domain": str(domain.destination), "targets": [str(one) for one in watch.targets]}
        if watch.state is State.LOCATED:
            logs.logger().info(logs.PEER_LOCATED, **facts, ttl_s=located.ttl_ms / 1000, incomplete=located.is_partial)
            self._warn_of_strangers(domain.peer, watch.targets)
            return
        logs.logger().warning(
            logs.PEER_LOCATION_FAILED,
            **facts,
            dns_class=located.class_,
            detail=located.detail,
            result=_RESULTS[watch.state],
        )

    def _warn_of_strangers(self, peer: str, targets: tuple[Target, ...]) -> None:
        """Requests that come from where we send to would be refused; over TLS the certificate tells who sends."""
        sources = self._sources.get(peer, ())
        strangers = [
            str(target)
            for target in targets
            if target.transport != "tls" and not any(target.address in source for source in sources)
        ]
        if strangers:
            logs.logger().warning(
                logs.PEER_OUTSIDE_SOURCES,
                peer=peer,
                targets=strangers,
                result="calls go there, but requests that come from there (BYE, re-INVITE) are refused",
                advice="add the addresses to the sources of the peer, or ask the peer about its records",
            )


_RESULTS = {
    State.KEEPING: "the targets known before stay in use",
    State.LOST: "no request can be sent there until DNS says where it is",
}
