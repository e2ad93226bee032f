"""What stands in for DNS and hooks where nobody may be asked: policy tests, replays of traffic."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ibcf.boundary import HookAnswer, HookFailed, LocateAnswer, LocatedTarget, TargetSet
from ibcf.dns.records import Class
from ibcf.errors import PolicyError
from ibcf.numbering.enum_lookup import EnumResolver, EnumResult
from ibcf.policy.explain import find_peer
from ibcf.policy.resolvers import enum_settings, peer_domains, peer_preferences

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ibcf.boundary import EnumAnswer, HookQuestion, HookVerdict, LocateQuestion
    from ibcf.config import Config
    from ibcf.config.listeners import Transport
    from ibcf.hooks.runner import HookRunner

PLACE = "192.0.2.{}:5060"
"""Where a peer is that DNS would have to find (RFC 5737)."""


@dataclass(frozen=True, slots=True)
class GivenAnswers:
    """ENUM that answers what it was told, else what a zone file has."""

    answers: Mapping[str, EnumAnswer]
    zone: EnumResolver | None

    async def resolve(self, number: str) -> EnumResult:
        """Return the answer for *number*.

        Raises:
            PolicyError: there is none, and no zone to look into.
        """
        answer = self.answers.get(number)
        if answer is not None:
            return EnumResult(answer.outcome, Class(answer.class_), answer.candidates)
        if self.zone is None:
            raise PolicyError(f'ENUM is asked for {number}: say under `enum` what it answers, or "not_found"')
        return await self.zone.resolve(number)


@dataclass(slots=True)
class SilentEnum:
    """ENUM as when its servers are down; counts who asks."""

    asked: int = 0

    async def resolve(self, number: str) -> EnumResult:
        """Fail."""
        self.asked += 1
        return EnumResult("failed", Class.TIMEOUT, detail=f"{number}: not asked")


@dataclass(frozen=True, slots=True)
class GivenVerdicts:
    """Hooks that answer what they were told, else for real."""

    verdicts: Mapping[str, HookVerdict]
    """By the ids of their rules."""
    real: HookRunner

    async def answer(self, question: HookQuestion, deadline_ms: int) -> HookAnswer | None:
        """Return the answer of a rule's hook."""
        given = self.verdicts.get(question.rule)
        return await self.real.answer(question, deadline_ms) if given is None else HookAnswer(given)


@dataclass(slots=True)
class SilentHooks:
    """Hooks as when they fail; counts who asks."""

    asked: int = 0

    async def answer(self, question: HookQuestion, deadline_ms: int) -> HookAnswer:  # noqa: ARG002 - as others do
        """Fail."""
        self.asked += 1
        return HookAnswer(HookFailed())


@dataclass(frozen=True, slots=True)
class MadeUpPlaces:
    """DNS that knows a made-up place for every host."""

    config: Config

    async def sets(self) -> list[TargetSet]:
        """Return where the peers are that are given as a domain."""
        return [
            TargetSet(one.peer, (_target(PLACE.format(at), one.preferences.transports[0]),))
            for at, one in enumerate(peer_domains(self.config), start=1)
        ]

    async def answer(self, question: LocateQuestion) -> LocateAnswer:
        """Return where a host is."""
        peer = find_peer(self.config, question.peer)
        transports = () if peer is None else peer_preferences(self.config, peer).transports
        return LocateAnswer(tuple(_target(PLACE.format(254), transport) for transport in transports[:1]))


def open_zones(config: Config) -> dict[str, EnumResolver]:
    """Open the ENUM services that are files; whoever opens them closes them."""
    settings = [enum_settings(service) for service in config.enum if service.zone_file is not None]
    return {one.id: EnumResolver(one, one.open_source()) for one in settings}


def _target(place: str, transport: Transport) -> LocatedTarget:
    return LocatedTarget(id="located", address=place, transport=transport)
