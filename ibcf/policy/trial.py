"""Tries the cases of a policy on the very engine, and holds what it does against what is expected.

Asks no server: ENUM answers what the file of tests says, or a zone file; a peer that is given as a domain is at a
made-up address. A hook runs, unless the file says what it answers. Each case has a border of its own, so none depends
on another.
"""

from __future__ import annotations

import functools
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ibcf.errors import PolicyError
from ibcf.hooks.runner import HookRunner
from ibcf.observe.hooks import HookReport
from ibcf.policy.compile import open_engine
from ibcf.policy.expectation import Difference, differences
from ibcf.policy.explain import Arrival, Explanation, Reply, explain, find_peer, target_at
from ibcf.policy.specimen import request_to, response_to, with_headers, with_line_ends
from ibcf.policy.stand_ins import GivenAnswers, GivenVerdicts, MadeUpPlaces, open_zones

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ibcf.config import Config, Loaded
    from ibcf.config.fault import Fault
    from ibcf.config.peers import Peer
    from ibcf.numbering.enum_lookup import EnumResolver
    from ibcf.policy.cases import Case, Given, GivenAnswer, LoadedTests
    from ibcf.policy.compile import Snapshot
    from ibcf.policy.explain import Sent


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one case."""

    case: Case
    told: Explanation | None
    """What the border did; nothing when a case could not be tried."""
    failures: tuple[Fault, ...]
    seconds: float

    @property
    def passed(self) -> bool:
        """Tell whether all was as expected."""
        return not self.failures


@dataclass(slots=True)
class Bench:
    """A policy, ready for its cases."""

    loaded: Loaded
    tests: LoadedTests
    snapshot: Snapshot
    """The policy, compiled."""

    async def outcomes(self) -> list[Outcome]:
        """Try every case, in the order of the file."""
        zones = open_zones(self.loaded.config)
        hooks = HookRunner(HookReport())
        hooks.switch(self.loaded.config, self.snapshot.hooks)
        try:
            return [await self._try(at, case, zones, hooks) for at, case in enumerate(self.tests.tests.cases)]
        finally:
            hooks.close()
            for zone in zones.values():
                await zone.close()

    async def _try(self, at: int, case: Case, zones: Mapping[str, EnumResolver], hooks: HookRunner) -> Outcome:
        start = time.perf_counter()
        told, found = None, list[Difference]()
        try:
            told = await self._explain(case.given, zones, hooks)
            found = list(differences(case.expect, told, self.loaded.config))
        except PolicyError as error:
            found = [Difference((), str(error))]
        seconds = time.perf_counter() - start
        tree = self.tests.tree
        place = ("cases", at, "expect")
        failures = tuple(tree.fault((*place, *one.key), one.problem) for one in found)
        return Outcome(case, told, failures, seconds)

    async def _explain(self, given: Given, zones: Mapping[str, EnumResolver], hooks: HookRunner) -> Explanation:
        config = self.loaded.config
        peer = find_peer(config, given.from_)
        assert peer is not None  # noqa: S101 - the names were checked
        answers = {**self.tests.tests.enum, **given.enum}
        resolvers = {service.id: GivenAnswers(answers, zones.get(service.id)) for service in config.enum}
        engine = open_engine(self.snapshot, trace=True)
        arrival = Arrival(
            peer,
            _message(given, peer, config),
            now_ms=round((time.time() if given.at is None else given.at.timestamp()) * 1000),
            listener=given.listener,
            reply=None if given.answer is None else functools.partial(_come_back, given.answer, config),
        )
        verdicts = {**self.tests.tests.hooks, **given.hooks}
        stand_ins = {rule: verdict.as_answered() for rule, verdict in verdicts.items()}
        return await explain(engine, arrival, resolvers, MadeUpPlaces(config), GivenVerdicts(stand_ins, hooks))


def _come_back(given: GivenAnswer, config: Config, request: Sent) -> Reply:
    """Return the response of the far side."""
    # A peer that DNS would have to find sends from a made-up place; its certificate names it all the same.
    place = target_at(config, (), request.destination)
    made = response_to(request.data, given.status)
    return Reply(with_headers(made, given.headers), place[0] if place else None)


def _message(given: Given, peer: Peer, config: Config) -> bytes:
    if given.message is not None:
        return with_line_ends(given.message.encode())
    if given.message_file is not None:
        try:
            return with_line_ends(given.message_file.read_bytes())
        except OSError as error:
            raise PolicyError(f"{given.message_file}: {error.strerror or error}") from error
    made = request_to(
        given.number or "",
        uri=given.uri,
        peer=peer,
        config=config,
        method=given.method or "INVITE",
        calling=given.calling,
    )
    return with_headers(made, given.headers)
