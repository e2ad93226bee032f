"""Next hops out of DNS in the running service: targets pushed, questions answered, reload, log, metrics, status."""

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog

from ibcf.dns.records import Class
from ibcf.routing.locator import LocationSource, LocatorSettings
from tests.unit.routing.test_locator import DOWN, GOOD, Source
from tests.unit.routing.zones import Answers, Zone
from tests.unit.test_service import Bench, question, settled, until

B1 = '    targets:\n      - {id: b1, address: "127.0.0.3:5060"}\n'
LOCATOR = 'locator: {servers: "127.0.0.1:53", deadline: 1s, timeout: 100ms, ttl_min: 0s}\n'
B_TARGET = {
    "id": "192.0.2.1:5060;transport=udp",
    "address": "192.0.2.1:5060",
    "transport": "udp",
    "priority": 0,
    "weight": 1,
    "server": 0,
}


def by_domain(text: str, *, domain: str = "b.example") -> str:
    """Let carrier B be found by its domain."""
    assert B1 in text
    return text.replace(B1, f"    domain: {domain}\n") + LOCATOR


def by_request_uri(text: str) -> str:
    """Let carrier B be found by each Request-URI."""
    return text.replace(B1, "    locate: request_uri\n") + LOCATOR


class Dns:
    """The DNS servers of a service, and what was opened of them."""

    def __init__(self) -> None:
        """Begin with the zone of carrier B."""
        self.answers = Answers(GOOD)
        self.sources: list[Source] = []
        self.silent: set[str] = set()

    def open(self) -> LocationSource:
        """Open one more."""
        self.sources.append(Source(self.answers, silent=self.silent))
        return self.sources[-1]


@pytest.fixture
def dns(monkeypatch: pytest.MonkeyPatch) -> Dns:
    """Answer in place of DNS."""
    servers = Dns()
    monkeypatch.setattr(LocatorSettings, "open_source", lambda _: servers.open())
    return servers


@pytest.fixture
def bench(tmp_path: Path, dns: Dns) -> Iterator[Bench]:
    """A service that was not started."""
    yield Bench(tmp_path)
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


@pytest.fixture
async def start(bench: Bench) -> AsyncIterator[Callable[[Callable[[str], str]], Any]]:
    """Return what starts the service with a changed configuration."""

    async def begin(change: Callable[[str], str]) -> Bench:
        bench.write(change)
        await bench.service.start()
        return bench

    yield begin
    if bench.cores and "stop" not in bench.core.calls:
        await bench.service.stop()


def pushed(bench: Bench) -> list[Any]:
    """Return the target sets that the core was given."""
    return [one for batch in bench.core.target_sets for one in json.loads(batch)]


def status_of(bench: Bench, peer: str) -> dict[str, Any]:
    """Return what /status says of a peer."""
    found: dict[str, Any] = next(one for one in bench.service.status()["peers"] if one["id"] == peer)
    return found


async def test_a_peer_is_located_before_the_border_is_ready(start: Any) -> None:
    """When `border.ready` is said the core has the targets; log, metrics and status name them."""
    bench = await start(by_domain)
    assert pushed(bench) == [{"peer": "carrier_b", "targets": [B_TARGET]}]
    assert bench.core.snapshots[0]["peers"][1]["location"] == {"kind": "domain"}
    events = [json.loads(line)["event"] for line in bench.stream.getvalue().splitlines()]
    assert events.index("peer.located") < events.index("border.ready")
    [line] = bench.log("peer.located")
    assert (line["peer"], line["domain"], line["targets"]) == ("carrier_b", "sip:b.example", ["udp 192.0.2.1:5060"])
    status = status_of(bench, "carrier_b")
    assert (status["location"], status["domain"], status["targets"]) == ("located", "sip:b.example", [])
    assert status["located"] == [{"target": "udp 192.0.2.1:5060", "priority": 0, "weight": 1}]
    assert "location" not in status_of(bench, "carrier_c")
    metrics = (await bench.get("/metrics"))[1]
    assert 'ibcf_peer_targets{peer="carrier_b"} 1.0' in metrics
    assert 'ibcf_locations_total{result="found"} 1.0' in metrics
    assert "ibcf_locations_remembered 1.0" in metrics
    assert 'ibcf_dns_lookups_total{result="found",type="srv"} 1.0' in metrics


async def test_dns_that_fails_at_start_is_told_and_serves_the_others(start: Any, dns: Dns) -> None:
    """The border starts without the peer, says so once, and tries again."""
    dns.answers.zone = DOWN
    bench = await start(by_domain)
    assert bench.service.health.is_ready
    assert pushed(bench) == [{"peer": "carrier_b", "targets": []}]
    [line] = bench.log("peer.location_failed")
    assert (line["dns_class"], line["targets"], line["level"]) == ("TIMEOUT", [], "warning")
    assert "no request can be sent there" in line["result"]
    assert status_of(bench, "carrier_b")["location"] == "lost"
    dns.answers.zone = GOOD
    await until(lambda: pushed(bench)[-1]["targets"] == [B_TARGET])
    assert len(bench.log("peer.located")) == 1


async def test_an_address_that_the_peer_may_not_send_from_is_told(start: Any, dns: Dns) -> None:
    """DNS that names an address outside of the peer's sources is followed, with a warning; inside there is none."""
    bench = await start(by_domain)
    [line] = bench.log("peer.outside_sources")
    assert (line["peer"], line["targets"], line["level"]) == ("carrier_b", ["udp 192.0.2.1:5060"], "warning")
    dns.answers.zone = {"A c.example": ["192.0.2.7"]}
    bench.write(lambda text: by_domain(text, domain="c.example").replace('"127.0.0.3/32"', '"192.0.2.0/24"'))
    await bench.service.reload()
    await until(lambda: len(bench.log("peer.located")) == 2)
    assert len(bench.log("peer.outside_sources")) == 1


async def test_silent_dns_delays_the_start_by_its_deadline_only(start: Any, dns: Dns) -> None:
    """A name server that says nothing keeps the border from being ready for the deadline, not longer."""
    dns.silent = {"NAPTR b.example", *(key for key in DOWN if key.startswith("SRV"))}
    bench = await start(lambda text: by_domain(text).replace("deadline: 1s", "deadline: 100ms"))
    assert bench.service.health.is_ready
    await until(lambda: bool(bench.log("peer.location_failed")))


async def test_signals_are_heeded_while_dns_keeps_the_start_waiting(bench: Bench, dns: Dns) -> None:
    """A border that waits for its first answers serves already: a reload has its turn, then it drains and stops."""
    dns.silent = {"NAPTR b.example", *(key for key in DOWN if key.startswith("SRV"))}
    bench.write(by_domain)
    running = asyncio.create_task(bench.service.run())
    await until(lambda: bool(bench.cores) and "start" in bench.core.calls)
    os.kill(os.getpid(), signal.SIGHUP)
    os.kill(os.getpid(), signal.SIGTERM)
    await running
    assert bench.core.calls == ["start", "drain", "stop"]
    events = [json.loads(line)["event"] for line in bench.stream.getvalue().splitlines()]
    assert events.index("border.ready") < events.index("border.draining") < events.index("border.stopped")


async def test_a_reload_moves_a_peer_and_forgets_one_that_went(start: Any, dns: Dns) -> None:
    """Another domain is located anew; a peer with fixed targets is watched no more; sources not in use are closed."""
    dns.answers.zone = {**GOOD, "A c.example": ["192.0.2.7"]}
    bench = await start(by_domain)
    bench.write(lambda text: by_domain(text, domain="c.example"))
    await bench.service.reload()
    await until(lambda: len(pushed(bench)) == 2)
    assert pushed(bench)[1]["targets"][0]["address"] == "192.0.2.7:5060"
    assert len(dns.sources) == 1, "the section did not change"
    bench.write(lambda text: by_domain(text, domain="c.example").replace("deadline: 1s", "deadline: 2s"))
    await bench.service.reload()
    await until(lambda: dns.sources[0].closed)
    assert (len(dns.sources), len(pushed(bench))) == (2, 2)
    bench.write(lambda text: text)
    await bench.service.reload()
    assert "location" not in status_of(bench, "carrier_b")
    assert "ibcf_peer_targets{" not in (await bench.get("/metrics"))[1]
    await until(lambda: dns.sources[1].closed)


async def test_a_question_for_a_host_is_answered_with_its_servers(start: Any, dns: Dns) -> None:
    """The core asks for the host of a Request-URI and gets targets with the time that they may be kept."""
    bench = await start(by_request_uri)
    assert bench.core.snapshots[0]["peers"][1]["location"] == {"kind": "request_uri", "deadline_ms": 1000}
    body = {
        "kind": "locate",
        "peer": "carrier_b",
        "host": "b.example",
        "port": None,
        "transport": None,
        "secure": False,
    }
    bench.core.say(questions=[question() | {"id": 5, "body": body}])
    await settled(bench.core)
    answer = {"kind": "locate", "targets": [B_TARGET], "ttl_ms": 300_000}
    assert bench.core.answers == [[{"id": 5, "body": answer}]]
    bench.core.say(questions=[question() | {"id": 6, "body": body | {"host": "gone.example", "secure": True}}])
    await settled(bench.core)
    assert bench.core.answers[1] == [{"id": 6, "body": {"kind": "locate", "targets": [], "ttl_ms": 30_000}}]
    assert not any("_sip._udp.gone" in asked for asked in dns.answers.asked), "sips never asks for UDP"


async def test_the_last_good_answer_serves_questions_too(start: Any, dns: Dns) -> None:
    """While DNS fails a host that was found before is answered with what was known, and that is counted."""
    bench = await start(by_request_uri)
    body = {"kind": "locate", "peer": "carrier_b", "host": "b.example"}
    down: Zone = {**DOWN, "A b.example": Class.TIMEOUT}
    for number, zone in enumerate((GOOD, down)):
        dns.answers.zone = zone
        bench.core.say(questions=[question() | {"id": number, "body": body}])
        await settled(bench.core)
    assert bench.core.answers[1][0]["body"] == {"kind": "locate", "targets": [B_TARGET], "ttl_ms": 30_000}
    assert 'ibcf_locations_total{result="stale"} 1.0' in (await bench.get("/metrics"))[1]


async def test_a_question_without_a_locator_is_answered_with_nothing(start: Any) -> None:
    """A question that crosses a reload which took the locator away ends at once."""
    bench = await start(lambda text: text)
    bench.core.say(questions=[question() | {"body": {"kind": "locate", "peer": "carrier_b", "host": "b.example"}}])
    await settled(bench.core)
    assert bench.core.answers[0][0]["body"]["targets"] == []
