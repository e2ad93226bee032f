"""One ENUM resolution as a conversation, without any I/O (RFC 6116 §5.2.1).

`walk` is a generator: it yields the names to ask for, is sent what DNS said, and returns the candidates. Who answers,
in which time, from which server, is not its business; so the very same code runs against DNS, a zone file and a test.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from ibcf.dns.records import Class, Naptr, RecordSet, is_not_found
from ibcf.numbering.naptr import Judgement, Rules, Skip, in_order, judge

if TYPE_CHECKING:
    from collections.abc import Generator

HOPS_MAX: Final = 5
"""Non-terminal records followed one after the other (RFC 6116 §5.2.1)."""
NAMES_MAX: Final = 16
"""Names asked in one resolution: a bushy tree of non-terminals must not become a flood of queries."""


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that happened, for `ibcf enum`."""

    name: str
    hop: int
    answer: RecordSet[Naptr]
    judgements: tuple[Judgement, ...]


@dataclass(frozen=True, slots=True)
class Candidates:
    """The result under one apex."""

    class_: Class
    uris: tuple[str, ...] = ()
    ttl_s: int | None = None
    """The smallest TTL of all records used on the way (ENUM-45)."""
    steps: tuple[Step, ...] = ()


@dataclass(slots=True)
class _Walk:
    number: str
    rules: Rules
    candidates_max: int
    asked: set[str] = field(default_factory=set)
    uris: list[str] = field(default_factory=list)
    ttl_s: int | None = None
    failure: Class | None = None
    looped: bool = False
    steps: list[Step] = field(default_factory=list)

    def visit(self, name: str, hop: int) -> Generator[str, RecordSet[Naptr], RecordSet[Naptr]]:
        """Ask for *name* and use its records; answer what was said about it."""
        self.asked.add(name)
        answer = yield name
        if answer.class_ is not Class.FOUND and not is_not_found(answer.class_):
            self.failure = answer.class_
        judgements: list[Judgement] = []
        position = len(self.steps)
        self.steps.append(Step(name, hop, answer, ()))
        accepted_order: int | None = None
        for record in in_order(answer.records):
            if accepted_order is not None and record.order != accepted_order:
                # RFC 3403 §4.1: a match closes all higher ORDERs of its own set, and only of that (ENUM-15, ENUM-16)
                judgements.append(Judgement(record, skip=Skip.ORDER, detail="a record of a lower ORDER was taken"))
                continue
            if len(self.uris) >= self.candidates_max:
                judgements.append(Judgement(record, skip=Skip.ENOUGH, detail="there are candidates enough"))
                continue
            judgement = judge(record, self.number, self.rules)
            if judgement.next_name is not None:
                judgement = yield from self._follow(judgement, judgement.next_name, hop + 1)
            elif judgement.uri is not None and judgement.uri not in self.uris:
                self.uris.append(judgement.uri)
            judgements.append(judgement)
            if judgement.skip is None:
                accepted_order = record.order
                self._note_ttl(record.ttl_s)
        self.steps[position] = Step(name, hop, answer, tuple(judgements))
        return answer

    def _follow(self, judgement: Judgement, name: str, hop: int) -> Generator[str, RecordSet[Naptr], Judgement]:
        """Ask for the name that a non-terminal record gives, unless that would be a loop (ENUM-20)."""
        record = judgement.record
        if name in self.asked:
            self.looped = True
            return Judgement(record, next_name=name, skip=Skip.LOOP, detail=f"{name} was asked already")
        if hop > HOPS_MAX or len(self.asked) >= NAMES_MAX:
            self.looped = True
            detail = f"more than {HOPS_MAX} non-terminal records one after the other, or {NAMES_MAX} names"
            return Judgement(record, next_name=name, skip=Skip.HOPS, detail=detail)
        before = len(self.uris)
        answer = yield from self.visit(name, hop)
        if len(self.uris) == before:
            detail = f"{name}: {answer.class_}, no candidate"
            return Judgement(record, next_name=name, skip=Skip.DEAD_END, detail=detail)
        return judgement

    def _note_ttl(self, ttl_s: int) -> None:
        self.ttl_s = ttl_s if self.ttl_s is None else min(self.ttl_s, ttl_s)


def walk(number: str, name: str, rules: Rules, *, candidates_max: int) -> Generator[str, RecordSet[Naptr], Candidates]:
    """Resolve *number*, whose domain name is *name*: yields names to ask, returns the candidates in order."""
    state = _Walk(number, rules, candidates_max)
    answer = yield from state.visit(name, 0)
    steps = tuple(state.steps)
    if state.uris:
        return Candidates(Class.FOUND, tuple(state.uris), state.ttl_s, steps)
    if state.failure is not None:
        return Candidates(state.failure, steps=steps)
    if state.looped:
        return Candidates(Class.LOOP, steps=steps)
    return Candidates(Class.NO_USABLE_RECORD if answer.records else answer.class_, steps=steps)
