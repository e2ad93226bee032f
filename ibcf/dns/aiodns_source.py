"""DNS servers, asked through c-ares. The one place that knows aiodns: its error codes end here as outcome classes.

It follows aliases that a server left open, within a bound, rotates the channel, and raises nothing.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field, replace
from ipaddress import ip_address
from typing import TYPE_CHECKING, Final, Protocol, TypeVar

import aiodns  # noqa: TID251 - this is the wrapper
import pycares  # noqa: TID251 - flags and record types of the same

from ibcf.dns.records import Class, Host, Naptr, RecordSet, Srv

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

ROTATE_NAMES: Final = 20_000
"""c-ares >= 1.31 keeps every answer, some 2 KB a name, without a bound, and its cache cannot be switched off from here:
so a channel serves so many names, then a new one takes over."""
ROTATE_SECONDS: Final = 900.0
ALIASES_MAX: Final = 8
"""Aliases followed one after the other, however many answers they come in."""
TTL_MAX: Final = 2**31 - 1
"""RFC 2181 §8."""

_FAILURES: Final = {
    pycares.errno.ARES_ESERVFAIL: Class.SERVFAIL,
    pycares.errno.ARES_ENOTIMP: Class.SERVFAIL,
    pycares.errno.ARES_EREFUSED: Class.REFUSED,
    pycares.errno.ARES_ETIMEOUT: Class.TIMEOUT,
    pycares.errno.ARES_ECONNREFUSED: Class.UNREACHABLE,
}

R = TypeVar("R", Naptr, Srv, Host)


class DnsChannel(Protocol):
    """What is used of ``aiodns.DNSResolver``."""

    def query_dns(self, host: str, qtype: str) -> asyncio.Future[pycares.DNSResult]:
        """Ask."""
        ...

    async def close(self) -> None:
        """Release the channel; never left to the garbage collector, which may hang in it."""
        ...


def open_channel(servers: Sequence[str], timeout_s: float, tries: int) -> DnsChannel:
    """Open a c-ares channel to *servers* (``address:port``)."""
    # `flags` replaces the defaults of c-ares, EDNS among them; the search list of the host has no business here
    flags = pycares.ARES_FLAG_EDNS | pycares.ARES_FLAG_NOSEARCH
    return aiodns.DNSResolver(nameservers=list(servers), timeout=timeout_s, tries=tries, flags=flags)


@dataclass(slots=True, eq=False)
class _Generation:
    channel: DnsChannel
    opened: float
    names: int = 0
    under_way: int = 0
    retired: bool = False


@dataclass(slots=True)
class AiodnsSource:
    """DNS over c-ares: next server on a timeout, SERVFAIL or REFUSED, TCP when truncated (ENUM-03, ENUM-49)."""

    servers: Sequence[str]
    timeout_s: float = 0.5
    """For one try at one server."""
    tries: int = 2
    rotate_names: int = ROTATE_NAMES
    rotate_seconds: float = ROTATE_SECONDS
    clock: Callable[[], float] = time.monotonic
    opener: Callable[[Sequence[str], float, int], DnsChannel] = open_channel
    _generation: _Generation | None = None
    _closed: bool = False

    async def naptr(self, name: str) -> RecordSet[Naptr]:
        """Ask the servers for the NAPTR records of *name*."""
        return await self._ask(name, "NAPTR", _naptr)

    async def srv(self, name: str) -> RecordSet[Srv]:
        """Ask the servers for the SRV records of *name*."""
        return await self._ask(name, "SRV", _srv)

    async def a(self, name: str) -> RecordSet[Host]:
        """Ask the servers for the IPv4 addresses of *name*."""
        return await self._ask(name, "A", _host)

    async def aaaa(self, name: str) -> RecordSet[Host]:
        """Ask the servers for the IPv6 addresses of *name*."""
        return await self._ask(name, "AAAA", _host)

    async def _ask(self, name: str, kind: str, read: Callable[[pycares.DNSRecord], R | None]) -> RecordSet[R]:
        """Ask for *name*, and for what it is an alias of where the server did not do that (RFC 1034 §3.6.2)."""
        chain = _Chain(name.rstrip(".").lower())
        while True:
            result = await self._query(chain.name, kind)
            if isinstance(result, _Failure):
                return RecordSet(result.class_, detail=result.detail)
            chain.take(result.answer)
            records = tuple(filter(None, (read(record) for record in result.answer)))
            if records:
                records = tuple(replace(record, ttl_s=min(record.ttl_s, chain.ttl_s)) for record in records)
                hosts = (_host(record) for record in result.additional)
                return RecordSet(Class.FOUND, records, additional=tuple(host for host in hosts if host is not None))
            if chain.is_loop:
                detail = f"{name} is an alias of itself, or of more than {ALIASES_MAX} names"
                return RecordSet(Class.LOOP, detail=detail)
            if not chain.goes_on:
                return RecordSet(Class.NODATA)

    async def _query(self, name: str, kind: str) -> pycares.DNSResult | _Failure:
        generation = await self._current()
        generation.names += 1
        generation.under_way += 1
        try:
            # the outer limit is for c-ares itself: its time-outs stretch, and it once hung (c-ares #1000)
            async with asyncio.timeout(self.timeout_s * self.tries * max(len(self.servers), 1) * 2 + 0.5):
                return await generation.channel.query_dns(name, kind)
        except aiodns.error.DNSError as error:
            return _of_error(error)
        except TimeoutError:
            return _Failure(Class.TIMEOUT, "no server answered")
        finally:
            generation.under_way -= 1
            if generation.retired and generation.under_way == 0:
                await generation.channel.close()

    async def _current(self) -> _Generation:
        """Return the channel in use; opens a new one when the old has seen enough names, and lets that one finish."""
        now = self.clock()
        old = self._generation
        if old is not None and old.names < self.rotate_names and now - old.opened < self.rotate_seconds:
            return old
        new = _Generation(self.opener(self.servers, self.timeout_s, self.tries), now)
        self._generation = new
        if old is not None:
            old.retired = True
            if old.under_way == 0:
                await old.channel.close()
        return new

    async def close(self) -> None:
        """Close the channel in use; a query under way ends as a failure."""
        generation, self._generation = self._generation, None
        if generation is not None:
            await generation.channel.close()


@dataclass(slots=True)
class _Chain:
    """The aliases from the name asked for to the one that has, or lacks, the records."""

    name: str
    ttl_s: int = TTL_MAX
    goes_on: bool = False
    """Did the last answer lead to a name of which it said nothing?"""
    is_loop: bool = False
    seen: set[str] = field(default_factory=set)

    def take(self, answer: Sequence[pycares.DNSRecord]) -> None:
        """Follow the aliases of one answer."""
        aliases = {
            _name(record.name): (_name(record.data.cname), record.ttl)
            for record in answer
            if isinstance(record.data, pycares.CNAMERecordData)
        }
        self.seen.add(self.name)
        before = self.name
        while self.name in aliases and not self.is_loop:
            self.name, ttl_s = aliases[self.name]
            self.ttl_s = min(self.ttl_s, ttl_s)
            self.is_loop = self.name in self.seen or len(self.seen) > ALIASES_MAX
            self.seen.add(self.name)
        self.goes_on = self.name != before and not self.is_loop


@dataclass(frozen=True, slots=True)
class _Failure:
    class_: Class
    detail: str = ""


def _of_error(error: aiodns.error.DNSError) -> _Failure:
    code, text = (*error.args, "", "")[:2]
    if code == pycares.errno.ARES_ENOTFOUND:
        return _Failure(Class.NXDOMAIN)
    if code == pycares.errno.ARES_ENODATA:
        return _Failure(Class.NODATA)
    return _Failure(_FAILURES.get(code, Class.BAD_RESPONSE), str(text))


def _naptr(record: pycares.DNSRecord) -> Naptr | None:
    data = record.data
    if not isinstance(data, pycares.NAPTRRecordData):
        return None
    texts = (_text(data.flags), _text(data.service), _text(data.regexp), _text(data.replacement).rstrip("."))
    return Naptr(data.order, data.preference, *texts, record.ttl)


def _srv(record: pycares.DNSRecord) -> Srv | None:
    data = record.data
    if not isinstance(data, pycares.SRVRecordData):
        return None
    return Srv(data.priority, data.weight, data.port, _name(data.target), record.ttl)


def _host(record: pycares.DNSRecord) -> Host | None:
    data = record.data
    if not isinstance(data, pycares.ARecordData | pycares.AAAARecordData):
        return None
    return Host(_name(record.name), ip_address(_text(data.addr)), record.ttl)


def _name(value: str | bytes) -> str:
    return _text(value).rstrip(".").lower()


def _text(value: str | bytes) -> str:
    """Bytes come from pycares where a string is not ASCII; kept one to one, so that the rules can refuse it."""
    return value if isinstance(value, str) else value.decode("latin-1")
