"""The locator that a configuration asks for, in the words of the boundary: questions in, targets out."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ibcf.boundary import LocateAnswer, LocatedTarget, LocateQuestion, TargetSet
from ibcf.policy.resolvers import locator_settings, peer_domains, peer_preferences
from ibcf.routing.location import Destination
from ibcf.routing.locator import Locator

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ibcf.config import Config
    from ibcf.routing.location import Preferences, Target


def crossing(targets: Iterable[Target]) -> tuple[LocatedTarget, ...]:
    """Return *targets* as they cross to the core; the id, which logs and charging records name, is where each is."""
    return tuple(
        LocatedTarget(
            id=f"{target.place};transport={target.transport}",
            address=target.place,
            transport=target.transport,
            priority=target.priority,
            weight=target.weight,
            server=target.server,
        )
        for target in targets
    )


def destination_of(question: LocateQuestion) -> Destination:
    """Return what *question* asks for."""
    return Destination(question.host, question.port, question.transport, question.secure)


def asked_peers(config: Config) -> dict[str, Preferences]:
    """Return the peers whose Request-URIs say where they are, with what can be spoken to each."""
    return {peer.id: peer_preferences(config, peer) for peer in config.peers if peer.locate is not None}


@dataclass(slots=True)
class Locations:
    """Where the peers of one configuration are, for whoever asks once (`ibcf explain`)."""

    config: Config
    _locator: Locator | None = field(init=False)

    def __post_init__(self) -> None:
        """Open the locator, if there is one."""
        self._locator = None
        if self.config.locator is not None:
            settings = locator_settings(self.config.locator)
            self._locator = Locator(settings, settings.open_source())

    async def sets(self) -> list[TargetSet]:
        """Locate all peers that are given as a domain."""
        locator = self._locator
        if locator is None:
            return []
        domains = peer_domains(self.config)
        found = await asyncio.gather(*(locator.locate(one.destination, one.preferences) for one in domains))
        return [TargetSet(one.peer, crossing(located.targets)) for one, located in zip(domains, found, strict=True)]

    async def answer(self, question: LocateQuestion) -> LocateAnswer:
        """Answer a question of the engine."""
        preferences = asked_peers(self.config).get(question.peer)
        if self._locator is None or preferences is None:
            return LocateAnswer()
        located = await self._locator.locate(destination_of(question), preferences)
        return LocateAnswer(crossing(located.targets), located.ttl_ms)

    async def close(self) -> None:
        """Close the locator."""
        if self._locator is not None:
            await self._locator.close()
