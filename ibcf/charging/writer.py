"""Charging records from memory to disk, never in the way of a call (CH-26).

Records wait in a bounded queue; a thread writes them in batches with one fsync each, which costs as much as writing
fifty of them: so the first waits a moment for company. When the disk is full or the
folder cannot be written, nothing is lost until the queue is full: writing is tried again with growing pauses, an alarm
is logged once, and the age of the oldest record is a metric. What does not fit any more is counted and leaves a gap in
the sequence numbers.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import deque
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Final

from ibcf.observe import logs

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from ibcf.charging.journal import CdrJournal
    from ibcf.observe.metrics import Metrics

QUEUE_MAX: Final = 100_000
BATCH_MAX: Final = 1_000
GATHER_S: Final = 0.2
"""So long a record may wait for others: what is not on disk is lost when the process or the host crashes."""
PAUSE_FIRST_S: Final = 0.5
PAUSE_MAX_S: Final = 30.0


async def _to_thread(work: Callable[[], int]) -> int:
    return await asyncio.to_thread(work)


@dataclass(slots=True)
class CdrWriter:
    """Takes records and sees to it that they reach the disk."""

    journal: CdrJournal
    metrics: Metrics
    queue_max: int = QUEUE_MAX
    gather_s: float = GATHER_S
    clock: Callable[[], float] = time.monotonic
    pause: Callable[[float], Awaitable[None]] = asyncio.sleep
    in_thread: Callable[[Callable[[], int]], Awaitable[int]] = _to_thread
    _queue: deque[tuple[float, bytes]] = field(default_factory=deque)
    _wake: asyncio.Event = field(default_factory=asyncio.Event)
    _hurry: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when there is nothing to wait for any more."""
    _task: asyncio.Task[None] | None = None
    _stopping: bool = False
    _failing: bool = False
    _lost: int = 0
    _lost_unnumbered: int = 0

    @property
    def waiting(self) -> int:
        """Return how many records are not on disk yet."""
        return len(self._queue)

    @property
    def lost(self) -> int:
        """Return how many records did not fit."""
        return self._lost

    @property
    def is_failing(self) -> bool:
        """Tell whether the last try to write failed."""
        return self._failing

    def start(self) -> None:
        """Begin to write."""
        self.metrics.cdr_queue.set_function(lambda: len(self._queue))
        self.metrics.cdr_queue_limit.set(self.queue_max)
        self.metrics.cdr_oldest.set_function(self._oldest_age)
        self._task = asyncio.create_task(self._run(), name="cdr writer")

    def submit(self, records: Sequence[bytes]) -> None:
        """Take records; returns at once."""
        now, room = self.clock(), self.queue_max - len(self._queue)
        self._queue.extend([(now, record) for record in records[:room]])
        if len(records) > room:
            self._lose(len(records) - room)
        self._wake.set()
        if len(self._queue) >= BATCH_MAX:
            self._hurry.set()

    def _lose(self, count: int) -> None:
        is_first = self._lost_unnumbered == 0
        self._lost += count
        self._lost_unnumbered += count
        self.metrics.cdr_records.labels("file", "lost").inc(count)
        if is_first:
            logs.logger().error(logs.CDR_LOST, queue_records=len(self._queue), advice=_ADVICE)

    async def stop(self, timeout_s: float = 5.0) -> None:
        """Write what is left, within *timeout_s*, and close the file."""
        self._stopping = True
        self._wake.set()
        self._hurry.set()
        is_done = True
        if self._task is not None:
            try:
                async with asyncio.timeout(timeout_s):
                    await asyncio.shield(self._task)
            except TimeoutError:
                is_done = False
                self._task.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await self._task
        if self._queue:
            self.metrics.cdr_records.labels("file", "lost").inc(len(self._queue))
            self._lost += len(self._queue)
            logs.logger().error(logs.CDR_LOST, records=len(self._queue), advice="the process ends; " + _ADVICE)
        if not is_done:
            return  # its thread may still be in the middle of a write; the next start closes the file
        try:
            self.journal.close()
        except OSError as error:
            logs.logger().error(logs.CDR_WRITE_FAILED, error=str(error), directory=str(self.journal.directory))

    async def _run(self) -> None:
        pause = PAUSE_FIRST_S
        while self._queue or not self._stopping:
            await self._gather()
            try:
                await self._write_batch()
            except OSError as error:
                self._note_failure(error)
                await self._pause(pause)
                pause = min(pause * 2, PAUSE_MAX_S)
                continue
            pause = PAUSE_FIRST_S
            if not self._queue and not self._stopping:
                await self._wait()

    async def _gather(self) -> None:
        """Let the oldest record wait until it was here for a moment, or there are enough for a batch."""
        seconds = self.gather_s - self._oldest_age()
        if not self._queue or len(self._queue) >= BATCH_MAX or self._stopping or seconds <= 0:
            return
        self._hurry.clear()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._hurry.wait()

    async def _write_batch(self) -> None:
        """Write once, or look whether the file is due."""
        batch = [record for _, record in islice(self._queue, BATCH_MAX)]
        if not batch:
            await self.in_thread(self._maintain)
            return
        written = await self.in_thread(lambda: self.journal.append(batch))
        for _ in range(written):
            self._queue.popleft()
        self.metrics.cdr_records.labels("file", "written").inc(written)
        if self._failing:
            self._failing = False
            logs.logger().warning(logs.CDR_WRITE_RECOVERED, queue_records=len(self._queue), lost=self._lost)
        if self._lost_unnumbered and not self._queue:  # behind all that waited while there was no room
            self.journal.skip(self._lost_unnumbered)
            self._lost_unnumbered = 0

    def _maintain(self) -> int:
        self.journal.recover()
        self.journal.rotate_if_due()
        return 0

    def _note_failure(self, error: OSError) -> None:
        if not self._failing:
            self._failing = True
            logs.logger().error(
                logs.CDR_WRITE_FAILED,
                error=str(error),
                directory=str(self.journal.directory),
                queue_records=len(self._queue),
                queue_max=self.queue_max,
                advice=_ADVICE,
            )

    async def _pause(self, seconds: float) -> None:
        """Wait, or go on at once when the process is to stop."""
        if self._stopping:
            await self.pause(min(seconds, 0.1))
            return
        self._wake.clear()
        pause = asyncio.ensure_future(self.pause(seconds))
        stop = asyncio.create_task(self._until_stopping())
        await asyncio.wait({pause, stop}, return_when=asyncio.FIRST_COMPLETED)
        for task in (pause, stop):
            task.cancel()

    async def _until_stopping(self) -> None:
        while not self._stopping:
            self._wake.clear()
            await self._wake.wait()

    async def _wait(self) -> None:
        """Wait for a record, the end, or the time to rotate."""
        self._wake.clear()
        seconds = self.journal.seconds_to_rotation()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(None if seconds == float("inf") else max(seconds, 0.0)):
                await self._wake.wait()

    def _oldest_age(self) -> float:
        return self.clock() - self._queue[0][0] if self._queue else 0.0


_ADVICE: Final = "make room on the disk, or let this process write the folder; calls go on, records wait in memory"
