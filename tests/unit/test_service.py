"""The composition root: start, serve, reload, drain, stop, each with a core that is not compiled."""

import asyncio
import contextlib
import io
import json
import os
import signal
import socket
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
import structlog

from ibcf import service
from ibcf.config.node import Node
from ibcf.core_module import CoreModule
from ibcf.dns.records import Class, Naptr, RecordSet
from ibcf.errors import ConfigError, ListenError, SnapshotRefusedError
from ibcf.host.descriptors import DescriptorLimit
from ibcf.observe.health import State
from ibcf.policy.compile import Snapshot
from ibcf.service import Service

if TYPE_CHECKING:
    from ibcf._core import NumberList

REPOSITORY = Path(__file__).parents[2]
KNOWN = "+441632960083"
CDR_HEAD = b'{"local_record_sequence_number":'


HELD = {
    "pattern": "wangiri",
    "action": "block",
    "by": "calling",
    "key": "+99900",
    "counted": 50,
    "of": 60,
    "until_ms": 1_800_000,
}


class Call(str):
    """Call-ID of a finished call: an event that crosses as two lines."""

    __slots__ = ()

    @property
    def cdr(self) -> bytes:
        """Its record, from behind the number."""
        return json.dumps({"call_id": self}).encode().replace(b"{", b",", 1) + b"\n"

    @property
    def line(self) -> bytes:
        """Its line of the log."""
        return json.dumps({"ts": "t", "level": "info", "event": "call.finished", "call_id": self}).encode() + b"\n"


CALL = Call("c1")


class FakeCore:
    """What the service needs of a core; tells what it was given and says what it is told to."""

    def __init__(self, snapshot: bytes, workers: int) -> None:
        """Bind nothing."""
        self.snapshots = [json.loads(snapshot)]
        self.workers = workers
        self.calls: list[str] = []
        self.waiting: dict[str, list[list[Any]]] = {"questions": [], "events": []}
        self.answers: list[list[Any]] = []
        self.target_sets: list[bytes] = []
        self.answered = asyncio.Event()
        self.idle = True
        self.refusal: Exception | None = None
        self.last_words: list[Any] = []
        self.held_keys: list[Any] = []
        self.wanted = (False, "")
        self.share = 0
        self.copies: list[Any] = []
        self.mirrors: list[Any] = []
        self._reader, self._writer = os.pipe()
        os.set_blocking(self._reader, False)

    def start(self) -> None:
        """Take note."""
        self.calls.append("start")

    def listeners(self) -> list[tuple[str, str]]:
        """Return what the system might have chosen."""
        return [("home_udp", "127.0.0.1:40001"), ("peer_udp", "127.0.0.1:40002")]

    def apply(self, snapshot: bytes, *, lists: Mapping[str, "NumberList"]) -> None:
        """Take it, or refuse."""
        if self.refusal is not None:
            raise self.refusal
        self.snapshots.append(json.loads(snapshot))

    def set_targets(self, sets: bytes) -> None:
        """Take them."""
        self.target_sets.append(sets)

    def fileno(self) -> int:
        """Return the end that becomes readable."""
        return self._reader

    def say(self, **batches: list[Any]) -> None:
        """Let questions or events wait."""
        for kind, batch in batches.items():
            self.waiting[kind].append(batch)
        os.write(self._writer, b"x")

    def _take(self, kind: str) -> list[Any]:
        batch = self.waiting[kind].pop(0) if self.waiting[kind] else []
        if not any(self.waiting.values()):
            with contextlib.suppress(BlockingIOError):
                os.read(self._reader, 4096)
        return batch

    def questions(self, limit: int = 256) -> bytes:
        """Give a batch."""
        return json.dumps(self._take("questions")).encode()

    def events(self, limit: int = 1024, *, masked: bool = True, level: str = "info") -> tuple[bytes, bytes, bytes]:
        """Give a batch, the calls in it as their lines."""
        self.wanted = (masked, level)
        batch = self._take("events")
        calls = [event for event in batch if isinstance(event, Call)]
        others = json.dumps([event for event in batch if not isinstance(event, Call)]).encode()
        return others, b"".join(call.cdr for call in calls), b"".join(call.line for call in calls)

    def answer(self, answers: bytes) -> None:
        """Take a batch."""
        self.answers.append(json.loads(answers))
        self.answered.set()

    def mirrored(self, limit: int = 256) -> bytes:
        """Give a batch."""
        taken, self.mirrors = self.mirrors[:limit], self.mirrors[limit:]
        return json.dumps(taken).encode()

    def sample(self, share: int) -> None:
        """Take note."""
        self.share = share

    def samples(self, limit: int = 64) -> bytes:
        """Give a batch."""
        taken, self.copies = self.copies[:limit], self.copies[limit:]
        return json.dumps(taken).encode()

    def statistics(self) -> bytes:
        """Count nothing."""
        return b"[]"

    def held(self) -> bytes:
        """Hold what the test says."""
        return json.dumps(self.held_keys).encode()

    def lift(self, pattern: str | None = None, key: str | None = None) -> bytes:
        """Let go, and take note."""
        self.calls.append(f"lift {pattern} {key}")
        return json.dumps([{"event": "pattern_state", "change": "lifted", "unix_ms": 2, **HELD}]).encode()

    def drain(self) -> None:
        """Take note."""
        self.calls.append("drain")

    def is_idle(self) -> bool:
        """Answer what the test says."""
        return self.idle

    def stop(self) -> None:
        """Take note, and tell what is left to tell."""
        self.calls.append("stop")
        if self.last_words:
            self.waiting["events"].append(self.last_words)
            self.last_words = []


class Bench:
    """A service over a fake core, its files, and what it logged."""

    def __init__(self, directory: Path) -> None:
        """Write a configuration; nothing runs yet."""
        self.directory = directory
        self.path = directory / "border.yaml"
        self.cores: list[FakeCore] = []
        self.open_error: Exception | None = None
        self.stream = io.StringIO()
        self.write(lambda text: text)
        module = CoreModule(open=self._open, check=lambda _snapshot: None, version="0", cdr_head=CDR_HEAD)
        self.service = Service(self.path, module, version="1", log_stream=self.stream)

    def _open(self, snapshot: Snapshot, node: Node) -> FakeCore:
        if self.open_error is not None:
            raise self.open_error
        self.cores.append(FakeCore(snapshot.document, node.workers))
        return self.cores[-1]

    def write(self, change: Callable[[str], str]) -> None:
        """Write the shipped demonstration with ports that the system chooses, and a change."""
        text = (REPOSITORY / "policies" / "demo.yaml").read_text()
        text = text.replace("127.0.0.1:9090", "127.0.0.1:0").replace("directory: ../cdr", "directory: cdr")
        (self.directory / "demo.zone").write_text((REPOSITORY / "policies" / "demo.zone").read_text())
        changed = change(text)
        self.path.write_text(changed)

    @property
    def core(self) -> FakeCore:
        """The core."""
        return self.cores[0]

    def log(self, event: str) -> list[dict[str, Any]]:
        """Return the lines of one event so far."""
        lines = [json.loads(line) for line in self.stream.getvalue().splitlines()]
        return [line for line in lines if line["event"] == event]

    def records(self) -> list[dict[str, Any]]:
        """Return the charging records on disk."""
        files = sorted((self.directory / "cdr").glob("*.jsonl*"))
        return [json.loads(line) for path in files for line in path.read_text().splitlines()]

    async def get(self, path: str) -> tuple[int, str]:
        """Ask the admin endpoint."""
        [ready] = self.log("border.ready")
        async with aiohttp.ClientSession() as session, session.get(f"http://{ready['admin']}{path}") as response:
            return response.status, await response.text()

    async def post(self, path: str, **values: object) -> dict[str, Any]:
        """Tell the admin endpoint to do something."""
        [ready] = self.log("border.ready")
        url = f"http://{ready['admin']}{path}"
        async with aiohttp.ClientSession() as session, session.post(url, json=values) as response:
            told: dict[str, Any] = await response.json()
            return told


class DeadServers:
    """Servers that answer nothing of use."""

    async def naptr(self, name: str) -> RecordSet[Naptr]:
        """Fail."""
        return RecordSet(Class.SERVFAIL)

    async def close(self) -> None:
        """Do nothing."""


def question(number: str = KNOWN, *, identity: int = 1, service: str = "carrier_enum") -> dict[str, Any]:
    """Make a question."""
    return {"id": identity, "deadline_ms": 2000, "body": {"kind": "enum", "service": service, "number": number}}


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    """A service that was not started."""
    yield Bench(tmp_path)
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


@pytest.fixture
async def running(bench: Bench) -> AsyncIterator[Bench]:
    """A service that serves."""
    await bench.service.start()
    yield bench
    if "stop" not in bench.core.calls:
        await bench.service.stop()


async def settled(core: FakeCore) -> None:
    """Wait until the core has an answer."""
    async with asyncio.timeout(5):
        await core.answered.wait()
    core.answered.clear()


async def until(held: Callable[[], bool]) -> None:
    """Let the loop turn until something holds; bounded by the limit of the test."""
    loop = asyncio.get_running_loop()
    end = loop.time() + 5
    while not held():
        assert loop.time() < end
        await asyncio.sleep(0)


async def test_ready_line_names_what_was_bound(running: Bench) -> None:
    """`border.ready` has the listeners, the admin address and the generation; the admin endpoint serves."""
    [ready] = running.log("border.ready")
    assert ready["listeners"] == [
        {"id": "home_udp", "address": "127.0.0.1:40001"},
        {"id": "peer_udp", "address": "127.0.0.1:40002"},
    ]
    assert (ready["generation"], ready["version"], ready["node"]) == (1, "1", "ibcf-1")
    assert running.core.calls == ["start"]
    assert (await running.get("/health/ready"))[0] == 200
    status = json.loads((await running.get("/status"))[1])
    assert (status["state"], status["cdr"]["waiting"]) == ("serving", 0)
    assert [peer["id"] for peer in status["peers"]] == ["carrier_a", "carrier_b", "carrier_c"]
    assert "ibcf_build_info" in (await running.get("/metrics"))[1]


async def test_questions_of_a_batch_are_answered_in_a_batch(running: Bench) -> None:
    """Two questions that become known together cross back together, each with its id."""
    running.core.say(questions=[question(identity=7), question("+441632960000", identity=8)])
    await settled(running.core)
    [batch] = running.core.answers
    found, unknown = sorted(batch, key=lambda answer: answer["id"])
    assert (found["id"], found["body"]["outcome"], found["body"]["class"]) == (7, "found", "FOUND")
    assert found["body"]["candidates"] == ["sip:+441632960083@ims.b.example;user=phone"]
    assert found["body"]["ttl_ms"] == 300_000
    assert (unknown["id"], unknown["body"]["outcome"], unknown["body"]["class"]) == (8, "not_found", "NXDOMAIN")
    assert (await running.get("/metrics"))[1].count("ibcf_enum_resolutions_total{") == 2


async def test_question_for_an_unknown_service_fails_at_once(running: Bench) -> None:
    """A question that no resolver is there for is answered, not left to its deadline."""
    running.core.say(questions=[question(service="gone")])
    await settled(running.core)
    assert running.core.answers[0][0]["body"]["class"] == "UNKNOWN_SERVICE"


async def test_dead_servers_are_logged_once_a_second(running: Bench) -> None:
    """When look-ups fail there is one line a second for the service, with the rest counted in it."""
    now = [0.0]
    running.service.clock = lambda: now[0]
    running.service._resolvers["carrier_enum"].source = DeadServers()
    for number, moment in enumerate((10.0, 10.5, 11.0)):
        now[0] = moment
        running.core.say(questions=[question(f"+44163296000{number}")])
        await settled(running.core)
    lines = running.log("enum.failed")
    assert [(line["enum_class"], line["suppressed"]) for line in lines] == [("SERVFAIL", 0), ("SERVFAIL", 1)]
    assert lines[0]["number"] == "+44163296xxxx"


async def test_finished_call_is_charged_and_logged(running: Bench) -> None:
    """A finished call gives one record on disk and one line."""
    running.core.say(events=[CALL])
    await until(lambda: len(running.records()) == 1)
    [record] = running.records()
    assert (record["call_id"], record["local_record_sequence_number"]) == ("c1", 1)
    [line] = running.log("call.finished")
    assert line["call_id"] == "c1"


async def test_the_core_is_told_how_lines_are_to_be(running: Bench) -> None:
    """Level and masking of the configuration are what the lines of calls are asked for with, also after a reload."""
    running.core.say(events=[CALL])
    await until(lambda: running.core.wanted == (True, "info"))
    running.write(
        lambda text: text.replace("logs: {level: info, numbers: masked}", "logs: {level: error, numbers: full}")
    )
    await running.service.reload()
    running.core.say(events=[CALL])
    await until(lambda: running.core.wanted == (False, "error"))


async def test_all_kinds_of_events_are_taken(running: Bench) -> None:
    """Refusals and alarms are logged and counted; an event of an unknown form is shown, and costs no other."""
    refused = {"event": "message_refused", "reason": "admit.rate", "source": "s", "detail": "d", "suppressed": 4}
    alarm = {"event": "alarm", "name": "panic", "detail": "d", "unix_ms": 1}
    running.core.say(events=[refused | {"unix_ms": 1}, alarm, {"event": "new"}, CALL])
    await until(lambda: len(running.records()) == 1)
    metrics = (await running.get("/metrics"))[1]
    assert 'ibcf_messages_refused_total{reason="admit.rate"} 5.0' in metrics
    assert 'ibcf_alarms_total{name="panic"} 1.0' in metrics
    assert "ibcf_events_unreadable_total 1.0" in metrics
    for event in ("message.refused", "alarm.raised", "event.unreadable", "call.finished"):
        assert len(running.log(event)) == 1


async def test_a_pattern_is_told_when_it_is_found_and_when_it_is_over(running: Bench) -> None:
    """Both are lines of the log, the first is an alarm; `/status` shows what is held, and an operator lets it go."""
    changes = [
        {"event": "pattern_state", "change": change, "unix_ms": 1, **HELD} for change in ("found", "full", "over")
    ]
    running.core.say(events=changes)
    await until(lambda: len(running.log("pattern.over")) == 1)
    found, beyond = running.log("pattern.found")
    assert (found["pattern"], found["action"], found["level"], found["is_held"]) == ("wangiri", "block", "error", True)
    assert (found["counted"], found["of"], found["until"]) == (50, 60, "1970-01-01T00:30:00+00:00")
    assert beyond["is_held"] is False
    assert 'ibcf_alarms_total{name="pattern_found"} 2.0' in (await running.get("/metrics"))[1]
    running.core.held_keys = [{"since_ms": 0, **HELD}]
    (shown,) = json.loads((await running.get("/status"))[1])["held"]
    assert (shown["key"], shown["since"]) == ("+99900", "1970-01-01T00:00:00+00:00")
    assert running.service._patterns.lift("wangiri", None) == 1
    assert "lift wangiri None" in running.core.calls
    assert running.log("pattern.over")[-1]["is_lifted"] is True


async def test_a_long_queue_does_not_keep_the_loop(running: Bench) -> None:
    """More batches than one turn takes are all taken, over several turns."""
    for number in range(40):
        running.core.waiting["events"].append([Call(f"c{number}")])
    running.core.say()
    await until(lambda: len(running.records()) == 40)
    assert {record["call_id"] for record in running.records()} == {f"c{number}" for number in range(40)}


async def test_wrong_configuration_opens_nothing(bench: Bench) -> None:
    """A configuration with a fault ends the start with all faults, before a core is opened."""
    bench.write(
        lambda text: text.replace("peer: carrier_b", "peer: carrier_x", 1).replace("side: home", "side: hom", 1)
    )
    with pytest.raises(ConfigError) as caught:
        await bench.service.run()
    assert len(caught.value.faults) == 2
    assert bench.cores == []


async def test_taken_port_leaves_nothing_behind(bench: Bench) -> None:
    """When a listener cannot be bound the start ends, and no charging file is held."""
    bench.open_error = ListenError("listener home_udp: 127.0.0.1:5060: address already in use")
    with pytest.raises(ListenError, match="home_udp"):
        await bench.service.run()
    assert not (bench.directory / "cdr").exists()


async def test_taken_admin_port_costs_only_the_endpoint(bench: Bench) -> None:
    """When the admin port is taken that is said plainly, and calls are served."""
    with socket.socket() as occupant:
        occupant.bind(("127.0.0.1", 0))
        occupant.listen()
        taken = f"127.0.0.1:{occupant.getsockname()[1]}"
        bench.write(lambda text: text.replace('admin: {address: "127.0.0.1:0"}', f'admin: {{address: "{taken}"}}'))
        await bench.service.start()
        [line] = bench.log("admin.unavailable")
        assert (line["address"], "already in use" in line["error"]) == (taken, True)
        assert bench.log("border.ready")[0]["admin"] is None
        assert bench.service.health.is_ready
        await bench.service.stop()


async def test_unwritable_charging_folder_costs_no_call(bench: Bench) -> None:
    """When records cannot be written that is said at start; the border serves and the records wait."""
    (bench.directory / "cdr").write_text("in the way")
    await bench.service.start()
    bench.core.say(events=[CALL])
    await until(lambda: bool(bench.log("cdr.write_failed")))
    assert bench.service.health.is_ready
    await until(lambda: bench.service.status()["cdr"] == {"waiting": 1, "lost": 0, "failing": True})
    (bench.directory / "cdr").unlink()
    await bench.service.stop()
    assert [record["call_id"] for record in bench.records()] == ["c1"]


async def test_reload_puts_the_next_generation_in_force(running: Bench) -> None:
    """A good configuration becomes generation 2 in core and resolvers; what needs a restart is named."""
    before = running.service._resolvers["carrier_enum"]
    running.write(lambda text: text.replace("negative_ttl: 60s", "negative_ttl: 7s").replace("1h", "2h"))
    await running.service.reload()
    assert [snapshot["generation"] for snapshot in running.core.snapshots] == [1, 2]
    assert running.log("config.reloaded")[0]["generation"] == 2
    assert [line["section"] for line in running.log("config.restart_needed")] == ["charging"]
    after = running.service._resolvers["carrier_enum"]
    assert (after.settings.negative_ttl_ms, after is before) == (7000, False)
    await running.service.reload()
    assert running.service._resolvers["carrier_enum"] is after, "what did not change goes on"


async def test_two_reloads_at_once_are_two_generations(running: Bench) -> None:
    """Reloads that overlap take turns; no generation is given twice."""
    await asyncio.gather(running.service.reload(), running.service.reload())
    assert [snapshot["generation"] for snapshot in running.core.snapshots] == [1, 2, 3]


async def test_refused_reload_changes_nothing(running: Bench) -> None:
    """A fault in the file, or a refusal of the core, is logged and counted; the old generation serves on."""
    running.write(lambda text: text.replace("peer: carrier_b", "peer: carrier_x", 1))
    await running.service.reload()
    running.write(lambda text: text)
    running.core.refusal = SnapshotRefusedError("routes[0]: no")
    await running.service.reload()
    first, second = running.log("config.refused")
    assert "carrier_x" in first["faults"][0]
    assert second["faults"] == ["routes[0]: no"]
    metrics = (await running.get("/metrics"))[1]
    assert 'ibcf_config_reloads_total{cause="signal",result="failed"} 2.0' in metrics
    assert "ibcf_config_refused 1.0" in metrics
    policy = json.loads((await running.get("/status"))[1])["policy"]
    assert (policy["in_force"]["generation"], policy["refused"]["faults"]) == (1, ["routes[0]: no"])
    running.core.refusal = None
    await running.service.reload()
    assert "ibcf_config_refused 0.0" in (await running.get("/metrics"))[1]


async def test_a_generation_that_was_in_force_can_be_gone_back_to(running: Bench) -> None:
    """By the admin endpoint, without the file; what the rollback puts in force is a new generation, as the old one."""
    running.write(lambda text: text.replace("status: 403", "status: 486"))
    told = await running.post("/policy/reload")
    assert (told["ok"], told["generation"], told["as_generation"]) == (True, 2, None)
    told = await running.post("/policy/rollback")
    assert (told["ok"], told["generation"], told["as_generation"]) == (True, 3, 1)
    statuses = [snapshot["routes"][0]["action"]["status"] for snapshot in running.core.snapshots]
    assert statuses == [403, 486, 403]
    told = await running.post("/policy/rollback", generation=9)
    assert (told["ok"], told["faults"]) == (False, ["generation 9 is not kept (kept: 1, 2)"])
    policy = json.loads((await running.get("/status"))[1])["policy"]
    assert [one["generation"] for one in (policy["in_force"], *policy["kept"])] == [3, 2, 1]


async def test_a_file_that_changes_is_read_when_it_stays_the_same(bench: Bench) -> None:
    """With `on_change`, a new configuration takes effect by itself, and one with a fault is refused once."""
    watched = "reload: {on_change: true, check_interval: 100ms}\nlogs:"
    bench.write(lambda text: text.replace("logs:", watched))
    await bench.service.start()
    try:
        bench.write(lambda text: text.replace("logs:", watched).replace("status: 403", "status: 486"))
        await until(lambda: bool(bench.log("config.reloaded")))
        assert bench.log("config.reloaded")[0]["cause"] == "file"
        bench.write(lambda text: text.replace("logs:", watched).replace("version: 1", "version: 2"))
        await until(lambda: bool(bench.log("config.refused")))
        await asyncio.sleep(0.4)
        assert len(bench.log("config.refused")) == 1
    finally:
        await bench.service.stop()


async def test_drain_waits_for_what_is_in_progress(running: Bench) -> None:
    """Draining ends when the core is idle; meanwhile the border lives but is not ready."""
    running.core.idle = False
    draining = asyncio.create_task(running.service.drain())
    await asyncio.sleep(0)
    assert running.core.calls == ["start", "drain"]
    assert (await running.get("/health/ready"))[0] == 503
    assert (await running.get("/health/live"))[0] == 200
    assert not draining.done()
    running.core.idle = True
    running.service.request_stop()
    running.service.request_stop()  # in a hurry: the lingering is not waited for
    await draining


async def test_drain_is_bounded(running: Bench) -> None:
    """A call that never ends does not keep the process for ever."""
    running.core.idle = False
    now = iter([0.0, 1000.0])
    running.service.clock = lambda: next(now, 1000.0)
    running.service._hurry.set()
    await running.service.drain()
    assert running.service.health.state is State.DRAINING


async def test_stop_charges_the_calls_that_are_still_up(running: Bench) -> None:
    """What the core tells when it ends is on disk before the process is gone, in a closed file."""
    running.core.last_words = [CALL]
    await running.service.stop()
    [record] = running.records()
    assert record == {"local_record_sequence_number": 1, "call_id": "c1"}
    assert not list((running.directory / "cdr").glob("*.open"))
    assert running.log("border.stopped")[0]["records_lost"] == 0
    assert not running.service.health.is_live


async def test_signals_reload_and_end_the_service(bench: Bench) -> None:
    """SIGHUP reloads, SIGTERM drains and stops, and the service returns."""
    running = asyncio.create_task(bench.service.run())
    await until(lambda: bool(bench.log("border.ready")))
    os.kill(os.getpid(), signal.SIGHUP)
    await until(lambda: bool(bench.log("config.reloaded")))
    os.kill(os.getpid(), signal.SIGTERM)
    await running
    assert bench.core.calls == ["start", "drain", "stop"]
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        asyncio.get_running_loop().remove_signal_handler(number)


async def test_descriptors_are_raised_at_start_and_their_lack_is_told(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the hard limit is below what the configuration may need, the log says how much and where to set it."""
    asked: list[int] = []

    def limited(needed: int) -> DescriptorLimit:
        asked.append(needed)
        return DescriptorLimit(needed, 100, 100)

    monkeypatch.setattr(service, "raise_descriptor_limit", limited)
    await bench.service.start()
    [line] = bench.log("descriptors.short")
    assert (line["level"], line["needed"], line["limit"]) == ("warning", asked[0], 100)
    assert line["advice"].startswith(f"LimitNOFILE={asked[0]} ")
    await bench.service.stop()
