"""Composition root: puts the parts together, starts them in order, reloads, drains and stops.

Start: configuration → snapshot → core (binds) → charging → numbering → workers → admin → `border.ready`. Whatever can
be missing without harm to calls (admin port, zone file, DNS, CDR disk) is said plainly and the rest goes on; whatever
cannot (a fault in the configuration, a listener) ends the start before anything is served.
"""

from __future__ import annotations

import asyncio
import os
import signal
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from ibcf.admin.server import AdminServer, Control, build_app
from ibcf.boundary import (
    Alarm,
    Answer,
    EnumAnswer,
    EnumQuestion,
    HookQuestion,
    LocateQuestion,
    MessageRefused,
    PatternState,
    Question,
    TargetState,
    decode_events,
    decode_families,
    decode_questions,
    encode_answers,
)
from ibcf.charging.journal import CdrJournal
from ibcf.charging.writer import CdrWriter
from ibcf.dns.records import Class
from ibcf.errors import IbcfError
from ibcf.hooks.runner import OUTCOMES, HookRunner
from ibcf.host.descriptors import descriptors_needed, raise_descriptor_limit
from ibcf.next_hops import NextHops
from ibcf.numbering.enum_lookup import EnumResolver, EnumResult
from ibcf.numbering.sources import ZoneSource
from ibcf.observe import logs, patterns
from ibcf.observe.health import Health, State
from ibcf.observe.hooks import HookReport
from ibcf.observe.metrics import Metrics
from ibcf.observe.pace import Pace
from ibcf.observe.sockets import log_socket_buffers
from ibcf.observe.trace import TraceWriter
from ibcf.policy.file_watch import FileWatch
from ibcf.policy.generations import Generation, Generations
from ibcf.policy.resolvers import enum_settings
from ibcf.policy.shadow_runs import ShadowRuns

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from pathlib import Path
    from typing import TextIO

    from ibcf.config import Config
    from ibcf.config.enum_services import EnumService
    from ibcf.core_module import Core, CoreModule
    from ibcf.policy.generations import Cause

DRAIN_SECONDS_MAX: Final = 240.0
"""Timer C and a margin: a call that rings is answered or given up by then (field notes §6.2)."""
POLL_SECONDS: Final = 0.05
LINGER_SECONDS: Final = 2.0
"""T1 doubles: a request is repeated after 0.5 s and 1.5 s."""
_EMPTY: Final = b"[]"


@dataclass(slots=True, eq=False)
class Service:
    """The running border."""

    path: Path
    module: CoreModule
    version: str
    json_logs: bool = True
    log_stream: TextIO | None = None
    """Standard output unless set."""
    drain_seconds_max: float = DRAIN_SECONDS_MAX
    niceness: int = 0
    """By how much Python's threads are nicer than the workers: where they share a core, the message goes first."""
    clock: Callable[[], float] = time.monotonic
    health: Health = field(default_factory=Health)
    _config: Config = field(init=False)
    _core: Core = field(init=False)
    _metrics: Metrics = field(init=False)
    _writer: CdrWriter = field(init=False)
    _next_hops: NextHops = field(init=False)
    _hooks: HookRunner = field(init=False)
    _shadow: ShadowRuns = field(init=False)
    _patterns: patterns.PatternWatch = field(init=False)
    _trace: TraceWriter = field(init=False)
    _admin: AdminServer | None = None
    _resolvers: dict[str, EnumResolver] = field(default_factory=dict)
    _tasks: set[asyncio.Task[object]] = field(default_factory=set)
    _retiring: set[asyncio.Task[None]] = field(default_factory=set)
    _answers: list[Answer] = field(default_factory=list)
    _down: dict[str, set[str]] = field(default_factory=dict)
    """Targets by peer that nothing came back from lately."""
    _enum_pace: Pace = field(init=False)
    _generations: Generations = field(init=False)
    _started: float = 0.0
    _reloading: asyncio.Lock = field(default_factory=asyncio.Lock)
    _end: asyncio.Event = field(default_factory=asyncio.Event)
    _hurry: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        """Know of no generation yet."""
        self._enum_pace = self._pace()
        self._generations = Generations(self.path, self.module.check)

    # --- start ---

    async def start(self) -> None:
        """Bring everything up.

        Raises:
            ConfigError: the configuration has faults; nothing was bound.
            ListenError: a listener cannot be bound.
        """
        first = self._generations.read("start")
        config = first.config
        self._take(config)
        watch = FileWatch(self.path, config=lambda: self._config, changed=lambda: self.reload("file"))
        self._metrics = Metrics(version=self.version, core_version=self.module.version, node=config.node.name)
        stalled = self._metrics.hook_threads
        self._hooks = HookRunner(HookReport(self._pace(), lambda _call: stalled.inc()), self._metrics.observe_hook)
        self._switch_hooks(first)
        self._raise_descriptor_limit(config)
        self._core = self.module.open(first.snapshot, config.node)
        self._patterns = patterns.PatternWatch(self._core, self._metrics)
        self._generations.accept(first)
        self._trace = TraceWriter(self._core.mirrored, self._metrics.count_traced, config.node.name)
        self._trace.switch(config.trace)
        self._shadow = ShadowRuns(
            self.path.parent,
            active=lambda: self._generations.current.loaded,
            sample=self._core.sample,
            take=self._core.samples,
            metrics=self._metrics,
        )
        self._writer = self._make_writer(config)
        self._writer.start()
        self._resolvers = {section.id: self._make_resolver(section) for section in config.enum}
        for resolver in self._resolvers.values():
            if isinstance(resolver.source, ZoneSource):
                await resolver.source.refresh()  # says now, not at the first call, that a file is missing
        listeners = self._core.listeners()
        self._metrics.watch_core(self._core.statistics)
        self._metrics.show_certificates(config)
        asyncio.get_running_loop().add_reader(self._core.fileno(), self._on_ready)
        log_socket_buffers(decode_families(self._core.statistics()))
        self._core.start()
        if self.niceness:  # of this thread, and of those that it starts from now on
            os.setpriority(os.PRIO_PROCESS, 0, os.getpriority(os.PRIO_PROCESS, 0) + self.niceness)
        self._started = self.clock()
        self._next_hops = NextHops(self._metrics, self._core.set_targets)
        self._next_hops.switch(config)
        await self._next_hops.first_answers()  # the core serves all others meanwhile
        self.health.state = State.SERVING
        await self._start_admin(config)
        self._spawn(watch.run())
        self._spawn(patterns.look_at_times(lambda: self._config, self._take_events))
        logs.logger().info(
            logs.BORDER_READY,
            listeners=[{"id": name, "address": address} for name, address in listeners],
            admin=self._admin.address if self._admin is not None else None,
            generation=self._generations.number,
            version=self.version,
            workers=config.node.workers,
            pid=os.getpid(),
        )

    def _pace(self) -> Pace:
        return Pace(lambda: self.clock())  # noqa: PLW0108 - a test sets another clock later

    def _switch_hooks(self, generation: Generation) -> None:
        self._hooks.switch(generation.config, generation.snapshot.hooks)
        self._metrics.show_hooks([route.id for route in generation.config.routes if route.hook is not None], OUTCOMES)

    def _spawn(self, work: Coroutine[Any, Any, object]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _take(self, config: Config) -> None:
        self._config = config
        logs.configure(
            level=config.logs.level,
            numbers=config.logs.numbers,
            json=self.json_logs,
            stream=self.log_stream,
            node=config.node.name,
        )

    def _raise_descriptor_limit(self, config: Config) -> None:
        limit = raise_descriptor_limit(descriptors_needed(config))
        if not limit.is_enough:
            logs.logger().warning(
                logs.DESCRIPTORS_SHORT,
                needed=limit.needed,
                limit=limit.soft,
                result="connections are refused before limits.connections_max is reached",
                advice=f"LimitNOFILE={limit.needed} in the unit of systemd, or ulimit -Hn {limit.needed}, then restart",
            )

    def _make_resolver(self, section: EnumService) -> EnumResolver:
        settings = enum_settings(section)
        return EnumResolver(settings, settings.open_source(), observe=self._metrics.observe_lookup)

    def _make_writer(self, config: Config) -> CdrWriter:
        journal = CdrJournal(
            directory=config.charging.directory,
            node=config.node.name,
            head=self.module.cdr_head,
            rotate_bytes=int(config.charging.rotate_size),
            rotate_seconds=config.charging.rotate_interval.total_seconds(),
            files_kept=config.charging.files_kept,
            on_closed=self._on_cdr_file_closed,
        )
        return CdrWriter(journal, self._metrics)

    def _on_cdr_file_closed(self, path: Path) -> None:
        self._metrics.cdr_files.inc()
        logs.logger().info(logs.CDR_FILE_CLOSED, path=str(path))

    async def _start_admin(self, config: Config) -> None:
        address = config.admin.address
        control = Control(
            reload=self._reload_as_asked,
            rollback=self.rollback,
            lift=self._patterns.lift,
            generations=self._generations,
            shadow=self._shadow,
            is_masked=lambda: self._config.logs.numbers == "masked",
        )
        app = build_app(metrics=self._metrics, health=self.health, status=self.status, control=control)
        admin = AdminServer(app, str(address.address), address.port)
        try:
            await admin.start()
        except OSError as error:
            logs.logger().error(
                logs.ADMIN_UNAVAILABLE,
                address=str(address),
                error=(error.strerror or str(error)).lower(),
                result="calls are served, but there are no metrics and no health endpoint",
                advice="free the port or change admin.address, then restart",
            )
            return
        self._admin = admin

    async def _reload_as_asked(self, import_again: bool) -> bool:  # noqa: FBT001 - what the endpoint was told
        return await self.reload("admin", import_again=import_again)

    def status(self) -> dict[str, Any]:
        """Return what `/status` shows."""
        return {
            "node": self._config.node.name,
            "version": self.version,
            "state": self.health.state,
            "generation": self._generations.number,
            "policy": self._generations.status(),
            "uptime_s": round(self.clock() - self._started, 1),
            "listeners": [{"id": name, "address": address} for name, address in self._core.listeners()],
            "peers": [
                {
                    "id": peer.id,
                    "side": peer.side,
                    "targets": [str(target.address) for target in peer.targets],
                    **self._next_hops.targets_of(peer.id),
                    "down": sorted(self._down.get(peer.id, ())),
                }
                for peer in self._config.peers
            ],
            "enum": [{"id": name, "under_way": resolver.under_way} for name, resolver in self._resolvers.items()],
            "held": self._patterns.status(),
            "cdr": {
                "waiting": self._writer.waiting,
                "lost": self._writer.lost,
                "failing": self._writer.is_failing,
            },
        }

    # --- questions and events ---

    def _on_ready(self) -> None:
        """Take what waits in the core; while something is left, the loop calls again."""
        self._take_questions(decode_questions(self._core.questions()))
        self._take_events()

    def _take_questions(self, questions: list[Question]) -> None:
        for question in questions:
            self._spawn(self._answer(question))

    async def _answer(self, question: Question) -> None:
        if isinstance(question.body, LocateQuestion):
            self._send(Answer(question.id, await self._next_hops.answer(question.body)))
            return
        if isinstance(question.body, HookQuestion):
            decided = await self._hooks.answer(question.body, question.deadline_ms)
            if decided is not None:
                self._send(Answer(question.id, decided))
            return
        service = question.body.service
        resolver = self._resolvers.get(service)
        if resolver is None:
            body = EnumAnswer("failed", Class.UNKNOWN_SERVICE)
        else:
            result = await resolver.resolve(question.body.number)
            body = EnumAnswer(result.outcome, result.class_, result.candidates, result.ttl_ms)
            if result.outcome == "failed":
                self._log_enum_failure(question.body, result)
        self._metrics.enum_results.labels(service, body.class_).inc()
        self._send(Answer(question.id, body))

    def _send(self, answer: Answer) -> None:
        """All that become known in one turn of the loop cross together."""
        if not self._answers:
            asyncio.get_running_loop().call_soon(self._send_answers)
        self._answers.append(answer)

    def _log_enum_failure(self, question: EnumQuestion, result: EnumResult) -> None:
        """Write at most one line a second for each service: dead servers fail every call."""
        suppressed = self._enum_pace.suppressed(question.service)
        if suppressed is None:
            return
        logs.logger().warning(
            logs.ENUM_FAILED,
            service=question.service,
            number=question.number,
            enum_class=result.class_,
            detail=result.detail,
            suppressed=suppressed,
        )

    def _send_answers(self) -> None:
        answers, self._answers = self._answers, []
        if self.health.state is not State.STOPPED:
            self._core.answer(encode_answers(answers))

    def _take_events(self) -> bool:
        """Take a batch of events out of the core and hand each on; tell whether there was one."""
        wanted = self._config.logs
        events, cdrs, lines = self._core.events(masked=wanted.numbers == "masked", level=wanted.level)
        if cdrs:
            records = cdrs.split(b"\n")
            records.pop()  # behind the end of the last line
            self._writer.submit(records)  # before the log: the record is worth more than the line
        if lines:
            logs.log_calls(lines)
        if events != _EMPTY:
            self._take_others(events)
        return bool(cdrs) or events != _EMPTY

    def _take_others(self, data: bytes) -> None:
        events, unread = decode_events(data)
        for text in unread:
            self._metrics.unreadable.inc()
            logs.logger().error(logs.EVENT_UNREADABLE, detail=text)
        for event in events:
            self._take_event(event)

    def _take_event(self, event: MessageRefused | TargetState | PatternState | Alarm) -> None:
        log = logs.logger()
        match event:
            case MessageRefused():
                self._metrics.refused.labels(event.reason).inc(1 + event.suppressed)
                logs.log_refused(log, event)
            case TargetState():
                self._note_state(event)
                logs.log_target(log, event)
            case PatternState():
                self._patterns.tell(event)
            case Alarm():
                self._metrics.alarms.labels(event.name).inc()
                logs.log_alarm(log, event)

    def _note_state(self, change: TargetState) -> None:
        """Keep what `/status` shows of targets that calls avoid."""
        down = self._down.setdefault(change.peer, set())
        if change.state == "down":
            down.add(change.target)
        else:
            down.discard(change.target)

    # --- reload ---

    async def reload(self, cause: Cause = "signal", *, import_again: bool = False) -> bool:
        """Read the configuration again; one with a fault leaves everything as it is. One reload at a time."""
        return await self._change(cause, lambda: self._generations.read(cause, import_again=import_again))

    async def rollback(self, number: int | None = None) -> bool:
        """Go back to a generation that was in force before; the file is not read."""
        return await self._change("rollback", lambda: self._generations.back(number))

    async def _change(self, cause: Cause, make: Callable[[], Generation]) -> bool:
        """Put in force what *make* makes in a thread of its own; tells whether it is."""
        async with self._reloading:
            try:
                generation = await asyncio.to_thread(make)
                snapshot = generation.snapshot
                self._hooks.prepare(generation.config, snapshot.hooks)
                # waits for a turn of each worker
                await asyncio.to_thread(self._core.apply, snapshot.document, lists=snapshot.lists)
            except IbcfError as error:
                refusal = self._generations.refuse(cause, error)
                self._metrics.note_reload(cause, ok=False)
                logs.logger().error(
                    logs.CONFIG_REFUSED,
                    path=str(self.path),
                    cause=cause,
                    faults=list(refusal.faults),
                    generation=self._generations.number,
                )
                return False
            before = self._config
            await asyncio.to_thread(self._shadow.stop, "reload")  # what it was held against is gone
            self._generations.accept(generation)
            self._switch_hooks(generation)
            await self._switch(before, generation.config)
            self._metrics.note_reload(cause, ok=True)
            logs.logger().info(
                logs.CONFIG_RELOADED,
                path=str(self.path),
                cause=cause,
                generation=generation.number,
                as_generation=generation.origin,
                cases=generation.cases,
                warnings=generation.warnings,
            )
            return True

    async def _switch(self, old: Config, new: Config) -> None:
        """Put the Python side on the new configuration."""
        self._take(new)
        self._metrics.show_certificates(new)
        if old.listeners != new.listeners:
            log_socket_buffers(decode_families(self._core.statistics()))
        self._raise_descriptor_limit(new)
        for name, before, after in (
            ("admin", old.admin, new.admin),
            ("charging", old.charging, new.charging),
            ("node", old.node, new.node),
        ):
            if before != after:
                logs.logger().warning(logs.CONFIG_RESTART_NEEDED, section=name)
        await asyncio.to_thread(self._trace.switch, new.trace)
        self._next_hops.switch(new)
        sections = {section.id: section for section in new.enum}
        kept = {section.id for section in old.enum if sections.get(section.id) == section}
        retired = [resolver for name, resolver in self._resolvers.items() if name not in kept]
        self._resolvers = {
            name: self._resolvers[name] if name in kept else self._make_resolver(section)
            for name, section in sections.items()
        }
        for resolver in retired:  # each finishes what it was asked
            task = asyncio.create_task(resolver.close())
            self._retiring.add(task)
            task.add_done_callback(self._retiring.discard)

    # --- end ---

    async def run(self) -> None:
        """Start, serve until a signal says otherwise, drain, stop.

        SIGTERM and SIGINT drain; a second one does not wait. SIGHUP reloads.
        """
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.request_stop)
        loop.add_signal_handler(signal.SIGHUP, self._on_hangup)
        try:
            async with (
                self._reloading
            ):  # the core may serve before the start is over: a signal meanwhile has its turn then
                await self.start()
        except BaseException:
            await self._abandon()
            raise
        try:
            await self._end.wait()
            await self.drain()
        finally:
            await self.stop()

    def request_stop(self) -> None:
        """Drain and stop; the second time, stop without waiting."""
        if self._end.is_set():
            self._hurry.set()
        self._end.set()

    def _on_hangup(self) -> None:
        self._spawn(self.reload())

    async def drain(self) -> None:
        """Take no new calls and wait, within bounds, until every request has its answer."""
        self.health.state = State.DRAINING
        logs.logger().info(logs.BORDER_DRAINING, seconds_max=self.drain_seconds_max)
        self._core.drain()
        if self._core.is_idle():
            return
        until = self.clock() + self.drain_seconds_max
        while not self._core.is_idle() and self.clock() < until and not await self._hurried(POLL_SECONDS):
            pass
        # The last answers may be lost on the way: stay for a repetition or two of their requests (RFC 3261 §17.2).
        await self._hurried(LINGER_SECONDS)

    async def _hurried(self, seconds: float) -> bool:
        """Wait so long, or until somebody does not want to wait any more."""
        try:
            async with asyncio.timeout(seconds):
                await self._hurry.wait()
        except TimeoutError:
            return False
        return True

    async def stop(self) -> None:
        """End everything; what the core still has to tell is charged first."""
        loop = asyncio.get_running_loop()
        loop.remove_reader(self._core.fileno())
        await asyncio.to_thread(self._shadow.stop)
        was_idle = self._core.is_idle()
        self._core.stop()  # writes the records of calls that are still up
        self.health.state = State.STOPPED
        while self._take_events():
            pass
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, *self._retiring, return_exceptions=True)
        for resolver in self._resolvers.values():
            await resolver.close()
        self._hooks.close()
        await self._next_hops.close()
        await asyncio.to_thread(self._trace.stop)
        await self._writer.stop()
        if self._admin is not None:
            await self._admin.stop()
        logs.logger().info(logs.BORDER_STOPPED, idle=was_idle, records_lost=self._writer.lost)

    async def _abandon(self) -> None:
        """Undo a start that failed half way."""
        for task in self._tasks:
            task.cancel()
        core = getattr(self, "_core", None)
        if core is not None:
            core.stop()
        writer = getattr(self, "_writer", None)
        if writer is not None:
            await writer.stop()
        next_hops = getattr(self, "_next_hops", None)
        if next_hops is not None:
            await next_hops.close()
        for resolver in self._resolvers.values():
            await resolver.close()
