"""Where NAPTR records come from: DNS servers, or a zone file. Both answer with the same `RecordSet`.

This is one of the two places that know aiodns; its error codes end here as outcome classes.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Protocol

import aiodns  # noqa: TID251 - this is the wrapper
import pycares  # noqa: TID251 - flags and record types of the same
import structlog

from ibcf.errors import NumberingError
from ibcf.numbering.naptr import Naptr
from ibcf.numbering.walk import Class, RecordSet
from ibcf.numbering.zone import Zone, parse_zone

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

ROTATE_NAMES: Final = 20_000
"""c-ares >= 1.31 keeps every answer, some 2 KB a name, without a bound, and its cache cannot be switched off from here:
so a channel serves so many names, then a new one takes over."""
ROTATE_SECONDS: Final = 900.0


class NaptrSource(Protocol):
    """Answers for the NAPTR records of a name. A failure is an answer too: nothing is raised."""

    async def naptr(self, name: str) -> RecordSet:
        """Return the records of *name*, or the class that says why there are none."""
        ...

    async def close(self) -> None:
        """Release sockets and threads."""
        ...


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

    async def naptr(self, name: str) -> RecordSet:
        """Ask the servers for *name*."""
        generation = await self._current()
        generation.names += 1
        generation.under_way += 1
        try:
            # the outer limit is for c-ares itself: its time-outs stretch, and it once hung (c-ares #1000)
            async with asyncio.timeout(self.timeout_s * self.tries * max(len(self.servers), 1) * 2 + 0.5):
                result = await generation.channel.query_dns(name, "NAPTR")
        except aiodns.error.DNSError as error:
            return _of_error(error)
        except TimeoutError:
            return RecordSet(Class.TIMEOUT, detail="no server answered")
        finally:
            generation.under_way -= 1
            if generation.retired and generation.under_way == 0:
                await generation.channel.close()
        return _of_result(result)

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


def _of_error(error: aiodns.error.DNSError) -> RecordSet:
    code, text = (*error.args, "", "")[:2]
    match code:
        case pycares.errno.ARES_ENOTFOUND:
            return RecordSet(Class.NXDOMAIN)
        case pycares.errno.ARES_ENODATA:
            return RecordSet(Class.NODATA)
        case pycares.errno.ARES_ESERVFAIL | pycares.errno.ARES_ENOTIMP:
            class_ = Class.SERVFAIL
        case pycares.errno.ARES_EREFUSED:
            class_ = Class.REFUSED
        case pycares.errno.ARES_ETIMEOUT:
            class_ = Class.TIMEOUT
        case pycares.errno.ARES_ECONNREFUSED:
            class_ = Class.UNREACHABLE
        case _:
            class_ = Class.BAD_RESPONSE
    return RecordSet(class_, detail=str(text))


def _of_result(result: pycares.DNSResult) -> RecordSet:
    records = []
    ttl_of_aliases = [record.ttl for record in result.answer if not isinstance(record.data, pycares.NAPTRRecordData)]
    for record in result.answer:  # a CNAME chain arrives in the same list
        data = record.data
        if isinstance(data, pycares.NAPTRRecordData):
            texts = (_text(data.flags), _text(data.service), _text(data.regexp), _text(data.replacement).rstrip("."))
            ttl_s = min([record.ttl, *ttl_of_aliases])
            records.append(Naptr(data.order, data.preference, *texts, ttl_s))
    return RecordSet(Class.FOUND, tuple(records)) if records else RecordSet(Class.NODATA)


def _text(value: str | bytes) -> str:
    """Bytes come from pycares where a string is not ASCII; kept one to one, so that the rules can refuse it."""
    return value if isinstance(value, str) else value.decode("latin-1")


@dataclass(slots=True)
class ZoneSource:
    """A zone file. Looked at again when it changes; a broken or missing new version leaves the old one serving."""

    path: Path
    check_seconds: float = 1.0
    clock: Callable[[], float] = time.monotonic
    _zone: Zone | None = None
    _problem: RecordSet | None = None
    _stamp: tuple[int, int, int] | None = None
    _checked: float | None = None
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def naptr(self, name: str) -> RecordSet:
        """Look *name* up in the file as it is now."""
        await self.refresh()
        if self._zone is None:
            return self._problem or RecordSet(Class.ZONE_MISSING)
        return self._zone.lookup(name)

    async def refresh(self) -> None:
        """Read the file if it is another one than before; asks the file system at most once a second."""
        now = self.clock()
        if self._checked is not None and now - self._checked < self.check_seconds:
            return
        async with self._lock:
            if self._checked is not None and now - self._checked < self.check_seconds:
                return
            await asyncio.to_thread(self._load)
            self._checked = now

    def _load(self) -> None:
        log = structlog.get_logger()
        try:
            status = self.path.stat()
            stamp = (status.st_mtime_ns, status.st_size, status.st_ino)
            if stamp == self._stamp:
                return
            text = self.path.read_text(encoding="utf-8")
            zone = parse_zone(text, source=str(self.path))
        except FileNotFoundError:
            problem = RecordSet(Class.ZONE_MISSING, detail=f"{self.path}: no such file")
            stamp = None
        except (OSError, UnicodeDecodeError) as error:
            problem = RecordSet(Class.ZONE_MISSING, detail=f"{self.path}: {error}")
            stamp = None
        except NumberingError as error:
            problem = RecordSet(Class.ZONE_INVALID, detail=str(error))
        else:
            self._zone, self._problem, self._stamp = zone, None, stamp
            log.info("zone.loaded", path=str(self.path), names=len(zone.records))
            return
        if problem != self._problem:
            going_on = "the records read before stay in use" if self._zone else "numbers looked up there fail"
            log.error("zone.unusable", path=str(self.path), problem=problem.detail, result=going_on)
        self._problem, self._stamp = problem, stamp

    async def close(self) -> None:
        """Nothing is held open."""
