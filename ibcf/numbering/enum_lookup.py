"""The ENUM resolver: a number in, candidate URIs out, within one deadline (RFC 6116; ENUM-17, 22, 45, 47, 50).

Keeps no cache: answers go into the core's cache with their TTL. What it bounds: one resolution per number at a time,
however many ask; the number of queries under way; the time of the whole.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal

import structlog

from ibcf.dns.aiodns_source import AiodnsSource
from ibcf.dns.lookups import FAILURE_TTL_MS, QUERIES_MAX, LookupObserver, ignore
from ibcf.dns.records import Class, is_not_found
from ibcf.numbering.e164 import enum_domain, is_e164
from ibcf.numbering.naptr import Rules
from ibcf.numbering.sources import NaptrSource, ZoneSource
from ibcf.numbering.walk import Candidates, Step, walk

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from ibcf.dns.records import Naptr, RecordSet


_NOT_FOUND_RANK: Final = {Class.NXDOMAIN: 0, Class.NODATA: 1, Class.NO_USABLE_RECORD: 2}


@dataclass(frozen=True, slots=True)
class EnumSettings:
    """One ENUM service, as the operator configured it."""

    id: str
    apexes: tuple[str, ...] = ("e164.arpa",)
    rules: Rules = field(default_factory=Rules)
    servers: tuple[str, ...] = ()
    zone_file: Path | None = None
    """Instead of servers."""
    timeout_ms: int = 500
    deadline_ms: int = 2000
    negative_ttl_ms: int = 60_000
    ttl_max_ms: int = 86_400_000
    digits_min: int = 1
    candidates_max: int = 3

    def open_source(self) -> NaptrSource:
        """Open what the settings name: servers, or a zone file."""
        if self.zone_file is not None:
            return ZoneSource(self.zone_file)
        return AiodnsSource(self.servers, timeout_s=self.timeout_ms / 1000)


@dataclass(frozen=True, slots=True)
class EnumResult:
    """What became of a number."""

    outcome: Literal["found", "not_found", "failed"]
    """``found``, ``not_found`` or ``failed``: what routing sees (ENUM-47)."""
    class_: Class
    candidates: tuple[str, ...] = ()
    ttl_ms: int = 0
    steps: tuple[Step, ...] = ()
    """What was asked and judged, in order."""
    detail: str = ""


@dataclass(slots=True)
class EnumResolver:
    """Resolves numbers by one ENUM service."""

    settings: EnumSettings
    source: NaptrSource
    observe: LookupObserver = ignore
    clock: Callable[[], float] = time.monotonic
    queries_max: int = QUERIES_MAX
    _under_way: dict[str, asyncio.Task[EnumResult]] = field(default_factory=dict)
    _slots: asyncio.Semaphore = field(init=False)

    def __post_init__(self) -> None:
        """Make the semaphore."""
        self._slots = asyncio.Semaphore(self.queries_max)

    async def resolve(self, number: str) -> EnumResult:
        """Return what ENUM knows of *number*; never raises for what DNS or a zone does.

        Everybody who asks for a number that is already being resolved waits for that one resolution (ENUM-50).
        """
        if not is_e164(number) or len(number) <= self.settings.digits_min:
            return EnumResult("not_found", Class.NOT_E164, detail="not a global number of the length that is looked up")
        task = self._under_way.get(number)
        if task is None:
            task = asyncio.create_task(self._resolve(number), name=f"enum {self.settings.id}")
            self._under_way[number] = task
            task.add_done_callback(lambda _: self._under_way.pop(number, None))
        return await asyncio.shield(task)  # one caller that goes away must not take the others' answer along

    @property
    def under_way(self) -> int:
        """Return how many numbers are being resolved."""
        return len(self._under_way)

    async def close(self) -> None:
        """Let what is under way finish (its deadline bounds that), then close the source."""
        if self._under_way:
            await asyncio.wait(list(self._under_way.values()))
        await self.source.close()

    async def _resolve(self, number: str) -> EnumResult:
        steps: list[Step] = []
        try:
            async with asyncio.timeout(self.settings.deadline_ms / 1000):
                return await self._over_apexes(number, steps)
        except TimeoutError:
            detail = f"no result within the deadline of {self.settings.deadline_ms} ms"
            return EnumResult("failed", Class.TIMEOUT, ttl_ms=FAILURE_TTL_MS, steps=tuple(steps), detail=detail)
        except Exception:  # noqa: BLE001 - a defect here must cost one number, not the service
            structlog.get_logger().exception("enum.defect", service=self.settings.id, number=number)
            return EnumResult("failed", Class.INTERNAL, steps=tuple(steps), detail="a defect; see the log")

    async def _over_apexes(self, number: str, steps: list[Step]) -> EnumResult:
        """Try the apexes in order; a clear no goes on to the next one, a failure does not (ENUM-47)."""
        best = Class.NXDOMAIN
        for apex in self.settings.apexes:
            result = await self._walk(number, enum_domain(number, apex=apex))
            steps.extend(result.steps)
            if result.class_ is Class.FOUND:
                ttl_ms = min(max(result.ttl_s or 0, 0) * 1000, self.settings.ttl_max_ms)
                return EnumResult("found", Class.FOUND, result.uris, ttl_ms, tuple(steps))
            if not is_not_found(result.class_):
                detail = next((step.answer.detail for step in reversed(result.steps) if step.answer.detail), "")
                return EnumResult("failed", result.class_, ttl_ms=FAILURE_TTL_MS, steps=tuple(steps), detail=detail)
            best = max(best, result.class_, key=lambda class_: _NOT_FOUND_RANK[class_])
        return EnumResult("not_found", best, ttl_ms=self.settings.negative_ttl_ms, steps=tuple(steps))

    async def _walk(self, number: str, name: str) -> Candidates:
        """Drive the pure walk with this source."""
        conversation = walk(number, name, self.settings.rules, candidates_max=self.settings.candidates_max)
        question = next(conversation)
        while True:
            answer = await self._ask(question)
            try:
                question = conversation.send(answer)
            except StopIteration as end:
                candidates: Candidates = end.value
                return candidates

    async def _ask(self, name: str) -> RecordSet[Naptr]:
        async with self._slots:
            start = self.clock()
            result = "cancelled"
            try:
                answer = await self.source.naptr(name)
                result = answer.class_.lower()
                return answer
            finally:
                self.observe("naptr", "timeout" if result == "cancelled" else result, self.clock() - start)
