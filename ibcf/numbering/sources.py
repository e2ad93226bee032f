"""Where NAPTR records come from: DNS servers, or a zone file. Both answer with the same `RecordSet`."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

import structlog

from ibcf.dns.records import Class, Naptr, RecordSet
from ibcf.errors import NumberingError
from ibcf.numbering.zone import Zone, parse_zone

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


class NaptrSource(Protocol):
    """Answers for the NAPTR records of a name. A failure is an answer too: nothing is raised."""

    async def naptr(self, name: str) -> RecordSet[Naptr]:
        """Return the records of *name*, or the class that says why there are none."""
        ...

    async def close(self) -> None:
        """Release sockets and threads."""
        ...


@dataclass(slots=True)
class ZoneSource:
    """A zone file. Looked at again when it changes; a broken or missing new version leaves the old one serving."""

    path: Path
    check_seconds: float = 1.0
    clock: Callable[[], float] = time.monotonic
    _zone: Zone | None = None
    _problem: RecordSet[Naptr] | None = None
    _stamp: tuple[int, int, int] | None = None
    _checked: float | None = None
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def naptr(self, name: str) -> RecordSet[Naptr]:
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
