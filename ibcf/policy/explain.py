"""Explains what the border would do with one message, by letting the very engine do it and keeping its trace.

Owns the conversation with the engine and the comparison of what came in with what would leave. Draws nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from difflib import SequenceMatcher
from typing import TYPE_CHECKING, Literal, Protocol

import msgspec

from ibcf.boundary import (
    Answer,
    EnumAnswer,
    HookAnswer,
    HookFailed,
    HookQuestion,
    LocateAnswer,
    LocateQuestion,
    MessageRefused,
    TargetSet,
    decode_cdrs,
    decode_events,
    decode_questions,
    encode_answers,
    encode_target_sets,
)
from ibcf.errors import PolicyError
from ibcf.message import key_of, split

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from ibcf.boundary import Cdr, EnumQuestion, Event, Question
    from ibcf.config import Config
    from ibcf.config.peers import Peer
    from ibcf.numbering.enum_lookup import EnumResult

ROUNDS_MAX = 64  # questions that one message may lead to: look-ups and hooks

ALIKE_MIN = 0.75  # two values of one header that have this much in common are one value that was changed
COMPARED_MAX = 500


class Outputs(Protocol):
    """What an engine gives back: see `ibcf._core.Outputs`."""

    @property
    def sends(self) -> Sequence[tuple[str, str, bytes]]:
        """Listener, destination and bytes of each datagram."""
        ...

    @property
    def questions(self) -> bytes:
        """Questions, as JSON."""
        ...

    @property
    def events(self) -> bytes:
        """Events, as JSON."""
        ...

    @property
    def cdrs(self) -> bytes:
        """Charging records, a line each."""
        ...

    @property
    def trace(self) -> bytes:
        """Steps of the stages, as JSON."""
        ...


class Engine(Protocol):
    """One border without sockets: see `ibcf._core.Engine`."""

    def receive(self, listener: str, source: str, data: bytes, *, now_ms: int, peer: str | None = None) -> Outputs:
        """Handle a message."""
        ...

    def answer(self, answers: bytes, *, now_ms: int) -> Outputs:
        """Handle answers to questions."""
        ...

    def set_targets(self, sets: bytes, *, now_ms: int) -> Outputs:
        """Take where peers are."""
        ...


class Locations(Protocol):
    """Finds next hops: see `ibcf.policy.locations`."""

    async def sets(self) -> list[TargetSet]:
        """Return where the peers are that are given as a domain."""
        ...

    async def answer(self, question: LocateQuestion) -> LocateAnswer:
        """Return the servers of a host."""
        ...


class Hooks(Protocol):
    """Asks the hooks of the policy: see `ibcf.hooks.runner.HookRunner`."""

    async def answer(self, question: HookQuestion, deadline_ms: int) -> HookAnswer | None:
        """Return what the hook decides; nothing when its deadline passed."""
        ...


class Resolver(Protocol):
    """Looks numbers up: see `ibcf.numbering.enum_lookup.EnumResolver`."""

    async def resolve(self, number: str) -> EnumResult:
        """Return what ENUM knows of *number*."""
        ...


class Step(msgspec.Struct, frozen=True):
    """One thing that a stage did or found."""

    stage: str
    outcome: str
    detail: str
    rule: str | None = None
    clause: str | None = None


@dataclass(frozen=True, slots=True)
class Lookup:
    """A question of the engine, and its answer."""

    service: str
    number: str
    outcome: str
    class_: str
    candidates: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Change:
    """A difference between what came in and what would leave."""

    kind: Literal["added", "removed", "changed"]
    name: str
    before: str | None
    after: str | None


@dataclass(frozen=True, slots=True)
class Sent:
    """A datagram that would leave."""

    listener: str
    destination: str
    data: bytes

    @property
    def status(self) -> int | None:
        """Return its status, when it is a response."""
        version, _, rest = self.data.partition(b" ")
        return int(rest[:3]) if version.startswith(b"SIP/") and rest[:3].isdigit() else None


@dataclass(frozen=True, slots=True)
class Reply:
    """What the far side sends back."""

    data: bytes
    peer: str | None
    """Whose certificate came with it, where it comes over TLS."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """A message that comes to the border."""

    peer: Peer
    data: bytes
    now_ms: int
    """When, in milliseconds since 1970."""
    listener: str | None = None
    """Where; the first listener of the peer unless said."""
    reply: Callable[[Sent], Reply] | None = None
    """Makes an answer of the request that leaves."""


@dataclass(slots=True)
class Explanation:
    """What the border would do with a message."""

    peer: str
    listener: str
    source: str
    received: bytes
    steps: list[Step] = field(default_factory=list)
    lookups: list[Lookup] = field(default_factory=list)
    located: list[TargetSet] = field(default_factory=list)
    """Where DNS says that peers are."""
    sent: list[Sent] = field(default_factory=list)
    returned: Sent | None = None
    """The response that would go back, when the far side answered."""
    events: list[Event] = field(default_factory=list)
    cdrs: list[Cdr] = field(default_factory=list)

    @property
    def forwarded(self) -> Sent | None:
        """Return the request that would leave, if one would; a probe of a target is none of it."""
        own = header_values(self.received, "Call-ID")
        requests = (sent for sent in self.sent if sent.status is None)
        return next((sent for sent in requests if header_values(sent.data, "Call-ID") == own), None)

    @property
    def answered(self) -> Sent | None:
        """Return the final response that the border itself would give, if it would."""
        return next((sent for sent in self.sent if sent.status is not None and sent.status >= 200), None)

    @property
    def reason(self) -> str | None:
        """Return the id of the catalogue under which it would be refused."""
        refused = (event.reason for event in self.events if isinstance(event, MessageRefused))
        return next((reason for reason in (*(cdr.reason for cdr in self.cdrs), *refused) if reason), None)

    def edits(self) -> set[str]:
        """Return the rules of `header_rules` that changed something."""
        steps = (step for step in self.steps if step.stage == "rewrite" and step.outcome not in {"refused", "skipped"})
        return {step.rule for step in steps if step.rule is not None}

    def changes(self) -> list[Change]:
        """Return what is different in the request that would leave."""
        return compare(self.received, self.forwarded.data) if self.forwarded else []


def find_peer(config: Config, name: str) -> Peer | None:
    """Return the peer of that id."""
    return next((peer for peer in config.peers if peer.id == name), None)


def address_of(peer: Peer) -> str:
    """Return an address that *peer* may send from: that of a target if it may, else the first of its networks."""
    for target in peer.targets:
        if any(target.address.address in source for source in peer.sources):
            return str(target.address)
    network = peer.sources[0]
    host = next(iter(network.hosts()), network.network_address)
    return f"[{host}]:5060" if host.version == 6 else f"{host}:5060"


def target_at(config: Config, located: Sequence[TargetSet], destination: str) -> tuple[str, str] | None:
    """Return the ids of peer and target at *destination*, which the configuration names or DNS did."""
    fixed = ((peer.id, target.id, str(target.address)) for peer in config.peers for target in peer.targets)
    found = ((one.peer, target.id, target.address) for one in located for target in one.targets)
    return next(((peer, target) for peer, target, address in (*fixed, *found) if address == destination), None)


async def explain(
    engine: Engine, arrival: Arrival, resolvers: Mapping[str, Resolver], locations: Locations, hooks: Hooks
) -> Explanation:
    """Return what *engine* does with *arrival*, its questions answered by *resolvers*, *locations* and *hooks*.

    Raises:
        PolicyError: the engine goes on asking.
    """
    peer, now_ms = arrival.peer, arrival.now_ms
    told = Explanation(peer.id, arrival.listener or peer.listeners[0], address_of(peer), arrival.data)
    told.located = await locations.sets()
    if told.located:
        engine.set_targets(encode_target_sets(told.located), now_ms=now_ms)
    outputs = engine.receive(told.listener, told.source, arrival.data, now_ms=now_ms, peer=peer.id)
    for _ in range(ROUNDS_MAX):
        _take(outputs, told)
        questions = decode_questions(outputs.questions)
        if not questions:
            if arrival.reply is not None and (request := told.forwarded):
                _come_back(engine, request, arrival.reply(request), told, now_ms)
            return told
        answers = [await _answer(question, told, resolvers, locations, hooks) for question in questions]
        now_ms += 1
        outputs = engine.answer(encode_answers(answers), now_ms=now_ms)
    raise PolicyError(f"the message led to more than {ROUNDS_MAX} questions: see the enum and hook rules of the policy")


def _take(outputs: Outputs, told: Explanation) -> list[Sent]:
    sent = [Sent(*sent) for sent in outputs.sends]
    told.steps += msgspec.json.decode(outputs.trace, type=list[Step])
    told.events += decode_events(outputs.events)[0]
    told.cdrs += decode_cdrs(outputs.cdrs)
    told.sent += sent
    return sent


def _come_back(engine: Engine, request: Sent, reply: Reply, told: Explanation, now_ms: int) -> None:
    place = (request.listener, request.destination)
    outputs = engine.receive(*place, reply.data, now_ms=now_ms + 1, peer=reply.peer)
    told.returned = next((sent for sent in _take(outputs, told) if sent.status is not None), None)


async def _answer(
    question: Question,
    told: Explanation,
    resolvers: Mapping[str, Resolver],
    locations: Locations,
    hooks: Hooks,
) -> Answer:
    body = question.body
    if isinstance(body, HookQuestion):
        return Answer(question.id, await hooks.answer(body, question.deadline_ms) or HookAnswer(HookFailed()))
    if isinstance(body, LocateQuestion):
        located = await locations.answer(body)
        told.located.append(TargetSet(body.peer, located.targets))
        return Answer(question.id, located)
    return Answer(question.id, await _look_up(body, told, resolvers))


async def _look_up(question: EnumQuestion, told: Explanation, resolvers: Mapping[str, Resolver]) -> EnumAnswer:
    result = await resolvers[question.service].resolve(question.number)
    found = EnumAnswer(
        outcome=result.outcome,
        class_=str(result.class_),
        candidates=result.candidates,
        ttl_ms=result.ttl_ms,
    )
    told.lookups.append(Lookup(question.service, question.number, found.outcome, found.class_, found.candidates))
    return found


def compare(before: bytes, after: bytes) -> list[Change]:
    """Return how the start line, the headers and the body of *after* differ from those of *before*.

    Compact forms are the same header; values of one name are compared in order, so that a new Via on top is one
    addition and not a change of all the others.
    """
    old_line, old_headers, old_body = split(before)
    new_line, new_headers, new_body = split(after)
    changes = [] if old_line == new_line else [Change("changed", "", old_line, new_line)]
    for name in dict.fromkeys([*new_headers, *old_headers]):
        changes += _values(old_headers.get(name, []), new_headers.get(name, []))
    if old_body != new_body:
        changes.append(Change("changed", "body", f"{len(old_body)} bytes", f"{len(new_body)} bytes"))
    return changes


def header_values(message: bytes, name: str) -> tuple[str, ...]:
    """Return the values of the headers of that name, a line each; compact forms are the same header."""
    return tuple(value for _, value in split(message)[1].get(key_of(name), ()))


def _values(old: list[tuple[str, str]], new: list[tuple[str, str]]) -> list[Change]:
    """Compare the headers of one name, each as the name that it was written with and its value."""
    changes: list[Change] = []
    matcher = SequenceMatcher(None, [value for _, value in old], [value for _, value in new], autojunk=False)
    for kind, old_from, old_to, new_from, new_to in matcher.get_opcodes():
        if kind == "equal":
            continue
        gone, come = old[old_from:old_to], new[new_from:new_to]
        for name, value in gone:
            likenesses = [_likeness(value, after) for _, after in come]
            at = likenesses.index(max(likenesses)) if likenesses else 0
            if not likenesses or likenesses[at] < ALIKE_MIN:
                changes.append(Change("removed", name, value, None))
                continue
            changes += [Change("added", other, None, after) for other, after in come[:at]]
            changes.append(Change("changed", come[at][0], value, come[at][1]))
            come = come[at + 1 :]
        changes += [Change("added", name, None, value) for name, value in come]
    return changes


def _likeness(one: str, other: str) -> float:
    return SequenceMatcher(None, one[:COMPARED_MAX], other[:COMPARED_MAX], autojunk=False).ratio()
