"""The locator: a destination in, targets out, within one deadline (RFC 3263; LOC-01 to LOC-12).

Drives the pure search with a source of records. Keeps the last good answer of each destination for when DNS fails
(RFC 8767), and nothing else: fresh answers are kept by whoever asked, for their TTL. What it bounds: one search per
destination at a time, the queries under way, the time of the whole, the answers kept.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final, Protocol

import structlog

from ibcf.dns.aiodns_source import AiodnsSource
from ibcf.dns.lookups import FAILURE_TTL_MS, QUERIES_MAX, LookupObserver, ignore
from ibcf.dns.records import Class, RecordSet
from ibcf.routing.location import Answer, Destination, Family, Located, Preferences, Query
from ibcf.routing.search import search

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from ibcf.dns.records import Host, Naptr, Srv

STALE_TTL_MS: Final = 30_000
"""How long an old answer, or one with a part missing, is used before DNS is asked again (RFC 8767 §5)."""
DETAIL_DEADLINE: Final = "no answer within the deadline"


class LocationSource(Protocol):
    """Answers for all that a search asks. A failure is an answer too: nothing is raised."""

    async def naptr(self, name: str) -> RecordSet[Naptr]:
        """Return NAPTR records."""
        ...

    async def srv(self, name: str) -> RecordSet[Srv]:
        """Return SRV records."""
        ...

    async def a(self, name: str) -> RecordSet[Host]:
        """Return IPv4 addresses."""
        ...

    async def aaaa(self, name: str) -> RecordSet[Host]:
        """Return IPv6 addresses."""
        ...

    async def close(self) -> None:
        """Release sockets and threads."""
        ...


@dataclass(frozen=True, slots=True)
class LocatorSettings:
    """The section `locator` of the configuration."""

    servers: tuple[str, ...] = ()
    timeout_ms: int = 500
    tries: int = 2
    deadline_ms: int = 2000
    ttl_min_ms: int = 5_000
    ttl_max_ms: int = 3_600_000
    negative_ttl_ms: int = 30_000
    stale_max_ms: int = 86_400_000
    names_max: int = 10_000
    families: tuple[Family, ...] = ("ipv6", "ipv4")

    def open_source(self) -> LocationSource:
        """Open the servers."""
        return AiodnsSource(self.servers, timeout_s=self.timeout_ms / 1000, tries=self.tries)


@dataclass(frozen=True, slots=True)
class _Kept:
    located: Located
    at: float


_Key = tuple[Destination, Preferences]


@dataclass(slots=True)
class Locator:
    """Locates destinations."""

    settings: LocatorSettings
    source: LocationSource
    observe: LookupObserver = ignore
    clock: Callable[[], float] = time.monotonic
    _under_way: dict[_Key, asyncio.Task[Located]] = field(default_factory=dict)
    _good: OrderedDict[_Key, _Kept] = field(default_factory=OrderedDict)
    _slots: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(QUERIES_MAX))

    @property
    def remembered(self) -> int:
        """Return how many last good answers are kept."""
        return len(self._good)

    async def locate(self, destination: Destination, preferences: Preferences) -> Located:
        """Return where *destination* is; never raises for what DNS does.

        Everybody who asks for what is already being located waits for that one search.
        """
        key = (destination, preferences)
        task = self._under_way.get(key)
        if task is None:
            task = asyncio.create_task(self._locate(key), name=f"locate {destination}")
            self._under_way[key] = task
            task.add_done_callback(lambda _: self._under_way.pop(key, None))
        return await asyncio.shield(task)  # one caller that goes away must not take the others' answer along

    @property
    def under_way(self) -> int:
        """Return how many destinations are being located."""
        return len(self._under_way)

    @property
    def kept(self) -> int:
        """Return how many last good answers are kept."""
        return len(self._good)

    async def close(self) -> None:
        """Let what is under way finish (its deadline bounds that), then close the source."""
        if self._under_way:
            await asyncio.wait(list(self._under_way.values()))
        await self.source.close()

    async def _locate(self, key: _Key) -> Located:
        try:
            located = await self._search(*key)
        except Exception:  # noqa: BLE001 - a defect here must cost one destination, not the service
            structlog.get_logger().exception("locate.defect", destination=str(key[0]))
            located = Located("failed", Class.INTERNAL, detail="a defect; see the log")
        return self._with_memory(key, self._with_ttl(located))

    async def _search(self, destination: Destination, preferences: Preferences) -> Located:
        """Drive the pure search; what is not answered at the deadline counts as timed out."""
        end = self.clock() + self.settings.deadline_ms / 1000
        conversation = search(destination, preferences)
        try:
            queries = next(conversation)
            while True:
                queries = conversation.send(await self._ask_all(queries, end))
        except StopIteration as last:
            located: Located = last.value
            return located

    async def _ask_all(self, queries: Iterable[Query], end: float) -> tuple[Answer, ...]:
        tasks = [asyncio.create_task(self._ask(query)) for query in queries]
        try:
            await asyncio.wait(tasks, timeout=max(end - self.clock(), 0))
        finally:
            for task in tasks:
                task.cancel()
        return tuple(
            task.result() if task.done() and not task.cancelled() else RecordSet(Class.TIMEOUT, detail=DETAIL_DEADLINE)
            for task in tasks
        )

    async def _ask(self, query: Query) -> Answer:
        async with self._slots:
            start = self.clock()
            result = "timeout"  # also where the deadline cancels it
            try:
                answer = await self._answer(query)
                result = answer.class_.lower()
                return answer
            finally:
                self.observe(query.kind.lower(), result, self.clock() - start)

    async def _answer(self, query: Query) -> Answer:
        match query.kind:
            case "NAPTR":
                return await self.source.naptr(query.name)
            case "SRV":
                return await self.source.srv(query.name)
            case "A":
                return await self.source.a(query.name)
            case "AAAA":
                return await self.source.aaaa(query.name)

    def _with_ttl(self, located: Located) -> Located:
        """Put the TTL between its bounds; what is not whole is asked for again soon."""
        settings = self.settings
        if located.outcome == "not_found":
            return replace(located, ttl_ms=settings.negative_ttl_ms)
        if located.outcome == "failed":
            return replace(located, ttl_ms=FAILURE_TTL_MS)
        ttl_ms = max(min(located.ttl_ms, settings.ttl_max_ms), settings.ttl_min_ms)
        return replace(located, ttl_ms=min(ttl_ms, STALE_TTL_MS) if located.is_partial else ttl_ms)

    def _with_memory(self, key: _Key, located: Located) -> Located:
        """Remember a good answer, forget it on an authoritative no, and use it where DNS fails.

        An answer that lacks a NAPTR or SRV query does not stand in for one that had it: silence about one service must
        not move the calls of a peer from TLS to UDP.
        """
        if located.outcome == "not_found":
            self._good.pop(key, None)
        elif located.outcome == "failed" or located.is_uncertain:
            return self._stale(key, located) or located
        else:
            self._good[key] = _Kept(replace(located, steps=()), self.clock())
            self._good.move_to_end(key)
            while len(self._good) > self.settings.names_max:
                self._good.popitem(last=False)
        return located

    def _stale(self, key: _Key, located: Located) -> Located | None:
        """Return the last good answer in place of *located*, if there is one that may still be used."""
        kept = self._good.get(key)
        if kept is None:
            return None
        age_s = self.clock() - kept.at
        if age_s > self.settings.stale_max_ms / 1000:
            del self._good[key]
            return None
        why = f"{located.class_}: {located.detail}" if located.detail else str(located.class_)
        detail = f"{why}; the answer of {age_s:.0f} s ago stays in use"
        return replace(kept.located, ttl_ms=STALE_TTL_MS, is_stale=True, steps=located.steps, detail=detail)
