"""A candidate policy beside the one in force: both decide copies of a share of the traffic, and no call hangs on it.

The core copies a request when it is decided; a thread of low priority decides it again by both policies, as
`ibcf policy diff` does with a capture: each request by a border of its own, so limits and failures do not count. ENUM
answers what it answered when the request was decided. What they decide otherwise is counted by rule.
"""

from __future__ import annotations

import asyncio
import os
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from ibcf.boundary import decode_samples
from ibcf.dns.records import Class
from ibcf.errors import IbcfError
from ibcf.numbering.enum_lookup import EnumResult
from ibcf.policy.explain import find_peer
from ibcf.policy.replay import Comparison, Decision, Key, Policy, difference
from ibcf.policy.traffic import Captured

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ibcf.boundary import SampledRequest
    from ibcf.config import Loaded
    from ibcf.policy.explain import Resolver

GROUPS_MAX = 200
"""Kinds of disagreement that are kept apart; more are counted together."""
MORE = Key("-", "more kinds of disagreement than are kept apart", "-", "see the first ones")
BATCH = 16
IDLE_SECONDS = 0.1
REST = 3.0
"""So many times as long as it worked the thread rests: of a CPU and of the interpreter's lock it takes a quarter."""
NICENESS = 15

End = Literal["stopped", "time", "reload", "failed"]
"""Why a run is over."""


@dataclass(frozen=True, slots=True)
class LiveAnswers:
    """ENUM that answers what it answered when the request was decided."""

    service: str
    sample: SampledRequest
    missed: Callable[[], None]

    async def resolve(self, number: str) -> EnumResult:
        """Return what is known; another number, or a service that was not asked, is a look-up that failed."""
        for answer in self.sample.answers:
            if answer.service == self.service and number == self.sample.number:
                return EnumResult(answer.outcome, Class(answer.class_), answer.candidates)
        self.missed()
        return EnumResult("failed", Class.TIMEOUT)


@dataclass(slots=True, eq=False)
class Shadow:
    """One run of a candidate. `start` and `stop` belong to one thread, the work to another."""

    active: Loaded
    candidate: Loaded
    percent: float
    seconds: float
    take: Callable[[int], bytes]
    """Takes copies out of the core."""
    observe: Callable[[Key | None], None] = lambda _key: None
    """Hears of each request that was decided: how otherwise, or `None`."""
    ended: Callable[[Shadow], None] = lambda _shadow: None
    """Hears, in the thread of the shadow, that it is over."""
    clock: Callable[[], float] = time.time
    found: Comparison = field(default_factory=Comparison)
    end: End | None = None
    started: float = 0.0
    error: str | None = None
    _policies: tuple[Policy, Policy] = field(init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _is_over: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def __post_init__(self) -> None:
        """Compile both.

        Raises:
            ConfigError: the core refuses the candidate.
        """
        self._policies = Policy(self.active, ask=False), Policy(self.candidate, ask=False)

    def start(self) -> None:
        """Begin."""
        self.started = self.clock()
        self._thread = threading.Thread(target=self._run, name="policy shadow", daemon=True)
        self._thread.start()

    def stop(self, end: End = "stopped") -> None:
        """End it; what was counted stays."""
        self.end = self.end or end
        self._is_over.set()

    def join(self) -> None:
        """Wait until it ended."""
        if self._thread is not None:
            self._thread.join()

    @property
    def is_running(self) -> bool:
        """Tell whether it goes on."""
        return self.end is None

    def counted(self) -> Comparison:
        """Return what was found so far."""
        with self._lock:
            groups = dict(self.found.groups)
            not_run = sum(policy.hooks.asked for policy in self._policies)
            return Comparison(self.found.decided, self.found.skipped.copy(), groups, self.found.not_asked, not_run)

    def _run(self) -> None:
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)
        try:
            asyncio.run(self._work())
        except Exception as error:  # noqa: BLE001 - a defect here must not be one of the border
            self.error = f"{type(error).__name__}: {error}"
            self.stop("failed")
        self.ended(self)

    async def _work(self) -> None:
        try:
            while not self._is_over.is_set():
                begin = time.monotonic()
                samples = decode_samples(self.take(BATCH))
                for sample in samples:
                    await self.decide(sample)
                if self.clock() >= self.started + self.seconds:
                    self.stop("time")
                self._is_over.wait(max(IDLE_SECONDS if not samples else 0.0, REST * (time.monotonic() - begin)))
        finally:
            for policy in self._policies:
                await policy.close()

    async def decide(self, sample: SampledRequest) -> None:
        """Decide a copy by both policies and count what came of it."""
        data = sample.message.encode("latin-1")
        captured = Captured("", 0, sample.unix_ms, "udp", sample.source, "", data)
        try:
            before, after = [await self._by(policy, captured, sample) for policy in self._policies]
        except IbcfError as error:
            self._skip(str(error))
            return
        if not _is_as_live(before, sample):
            self._skip("requests that a hook or a limit had a part in")
            return
        key = difference(before, after)
        with self._lock:
            self.found.decided += 1
            if key is not None:
                if key not in self.found.groups and len(self.found.groups) >= GROUPS_MAX:
                    key = MORE
                self.found.note(key, captured)
        self.observe(key)

    def _skip(self, cause: str) -> None:
        with self._lock:
            self.found.skipped[cause] += 1

    async def _by(self, policy: Policy, captured: Captured, sample: SampledRequest) -> Decision:
        peer = find_peer(policy.config, sample.peer)
        if peer is None:
            return Decision("-", "unknown source", b"")
        resolvers: Mapping[str, Resolver] = {
            service.id: LiveAnswers(service.id, sample, self._missed) for service in policy.config.enum
        }
        return await policy.decide(captured, peer, resolvers, listener=sample.listener)

    def _missed(self) -> None:
        with self._lock:
            self.found.not_asked += 1


def _is_as_live(before: Decision, sample: SampledRequest) -> bool:
    """Tell whether the policy in force decides again as it did: else a comparison says nothing of the candidate."""
    return not before.sent if sample.rule is None else before.rule == sample.rule


def shown(shadow: Shadow | None) -> dict[str, Any]:
    """Return how a run is told about, without what it found."""
    if shadow is None:
        return {"running": False, "file": None}
    return {
        "running": shadow.is_running,
        "file": shadow.candidate.tree.file,
        "percent": shadow.percent,
        "seconds": shadow.seconds,
        "elapsed_s": round(shadow.clock() - shadow.started, 1),
        "end": shadow.end,
        "error": shadow.error,
    }
