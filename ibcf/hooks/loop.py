"""The thread of one hook: an event loop of its own, so that what blocks it blocks nobody else."""

from __future__ import annotations

import asyncio
import sys
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from concurrent.futures import Future

    from ibcf.hooks.modules import HookFunction
    from ibcf.hooks.request import Request

RUNNING_MAX = 64
"""Requests that one hook may be busy with."""


class HookLoop:
    """A thread that runs one function, for many requests at a time."""

    def __init__(self, call: str, function: HookFunction) -> None:
        """Start it."""
        self._function = function
        self._loop = asyncio.new_event_loop()
        self._running: set[object] = set()
        self.beats = 0
        """How often it answered that it is there."""
        self._thread = threading.Thread(target=self._run, name=f"hook {call}", daemon=True)
        self._thread.start()

    @property
    def is_full(self) -> bool:
        """Tell whether it is busy with as many requests as it may be, given-up ones included."""
        return len(self._running) >= RUNNING_MAX

    @property
    def is_alive(self) -> bool:
        """Tell whether the thread has not ended."""
        return self._thread.is_alive()

    def start(self, request: Request) -> Future[tuple[object, BaseException | None]]:
        """Begin to decide about *request*; what comes of it: the answer, or what was raised."""
        token = object()
        self._running.add(token)
        return asyncio.run_coroutine_threadsafe(self._call(request, token), self._loop)

    def ask_for_a_beat(self) -> None:
        """Let the loop count one as soon as it has a turn."""
        self._loop.call_soon_threadsafe(self._beat)

    def close(self) -> None:
        """End it, as soon as it has a turn."""
        self._loop.call_soon_threadsafe(self._loop.stop)

    def place(self) -> str:
        """Return where the thread is in its code: what does not come back is there."""
        frame = sys._current_frames().get(self._thread.ident or 0)  # noqa: SLF001 - there is no other way to know
        return "nowhere" if frame is None else f"{frame.f_code.co_filename}:{frame.f_lineno}"

    def _beat(self) -> None:
        self.beats += 1

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_forever()
        finally:
            left = asyncio.all_tasks(self._loop)
            for task in left:
                task.cancel()
            if left:
                self._loop.run_until_complete(asyncio.wait(left, timeout=1.0))
            self._loop.close()

    async def _call(self, request: Request, token: object) -> tuple[object, BaseException | None]:
        try:
            return await self._function(request), None
        except BaseException as error:  # noqa: BLE001 - SystemExit would end the loop, and with it the other requests
            return None, error
        finally:
            self._running.discard(token)
