"""The border as a service: load, reload, drain, neighbours and name servers that misbehave."""

import json
import os
import random
import resource
import shutil
import socket
import subprocess
from pathlib import Path

import pytest

from tests.chart.support.metrics import COUNTERS, GAUGES, HISTOGRAMS
from tests.parts import missing
from tests.system.conftest import SetStage
from tests.system.support.children import wait_until
from tests.system.support.configuration import Document, choose_carriers, section, write
from tests.system.support.flow import NUMBER_OF_B, PREMIUM_NUMBER, UNKNOWN_NUMBER, Stage
from tests.system.support.knot import silent_server
from tests.system.support.ports import free_port

pytestmark = pytest.mark.system

SCENARIOS = Path(__file__).parent / "scenarios"
STRANGER = "127.0.0.9"


def test_unknown_source_gets_403_and_leaves_no_call(scene: Stage) -> None:
    """A request from an address of no peer gets 403, a counter and a log line, but no CDR and no transaction."""
    scene.uac("12-unknown-source/uac.xml", NUMBER_OF_B, address=STRANGER).expect()

    scene.border.wait_for_log("message.refused", reason="admit.unknown_source")
    assert scene.grown("ibcf_rejections_total", stage="admit", reason="admit.unknown_source") >= 1
    assert scene.grown("ibcf_call_attempts_total") == 0
    assert scene.border.metrics().value("ibcf_transactions_active") == 0
    assert scene.border.records() == []


def test_python_gives_way_to_the_workers(scene: Stage) -> None:
    """Where Python shares a core with a worker, the message goes first: only the worker keeps its priority."""
    pid = scene.border.wait_for_log("border.ready")["pid"]
    assert isinstance(pid, int)
    threads = Path(f"/proc/{pid}/task").iterdir()
    workers = {
        thread.name: os.getpriority(os.PRIO_PROCESS, int(thread.name))
        for thread in threads
        if "worker" in (thread / "comm").read_text()
    }
    python = os.getpriority(os.PRIO_PROCESS, pid)
    assert workers
    assert {nice + 5 for nice in workers.values()} == {python}


def test_unknown_source_can_be_met_with_silence(set_stage: SetStage) -> None:
    """With `reply: drop` a stranger hears nothing at all."""

    def drop(document: Document) -> None:
        document["unknown_source"]["reply"] = "drop"

    scene = set_stage(drop)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        stranger.bind((STRANGER, 0))
        stranger.settimeout(1)
        stranger.sendto(options(stranger), scene.border.listeners["home_udp"])
        with pytest.raises(TimeoutError):
            stranger.recv(65535)
    assert scene.grown("ibcf_rejections_total", reason="admit.unknown_source") == 1


def test_garbage_is_counted_and_harms_nothing(scene: Stage) -> None:
    """Broken datagrams from a peer raise a counter; a call right after them goes well."""
    noise = random.Random(4475)  # noqa: S311 - the same noise in every run
    whole = b"INVITE tel:+441 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.2;branch=z9hG4bK1\r\nContent-Length: 4294967328"
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
        peer.bind((scene.carriers.a.address, 0))
        for size in range(1, 200):
            peer.sendto(noise.randbytes(size), scene.border.listeners["home_udp"])
            peer.sendto(whole[: size % len(whole)], scene.border.listeners["home_udp"])
    b = scene.uas("01-basic-call/uas.xml", scene.carriers.b)
    scene.uac("01-basic-call/uac.xml", NUMBER_OF_B).expect()
    b.expect()
    scene.record()
    assert scene.grown("ibcf_parse_errors_total") > 0
    assert scene.border.metrics().value("ibcf_core_panics_total") == 0


@pytest.mark.parametrize("manner", ["silent", "closed"])
def test_dead_dns_server_leads_to_the_fallback_route(set_stage: SetStage, manner: str) -> None:
    """When ENUM gives no answer the call takes the route for that in time, and the CDR says so."""
    with silent_server() as silent:
        server = silent if manner == "silent" else f"127.0.0.1:{free_port('127.0.0.1')}"
        scene = set_stage(servers=[server])
        c = scene.uas("04-unknown-number/uas-answers.xml", scene.carriers.c)
        scene.uac("01-basic-call/uac.xml", UNKNOWN_NUMBER).expect()
        c.expect()
    record = scene.record()
    assert (record["outcome"], record["route"], record["peer_out"]) == ("answered", "through_transit", "carrier_c")
    assert record["enum_class"] not in {"FOUND", "NXDOMAIN", None}
    assert record["ring_s"] < 3
    assert scene.border.get("/health/ready")[0] == 200


def test_second_dns_server_answers_when_the_first_is_dead(set_stage: SetStage, dns: str) -> None:
    """A dead ENUM server before a good one costs time, not the call."""
    with silent_server() as silent:
        scene = set_stage(servers=[silent, dns])
        b = scene.uas("01-basic-call/uas.xml", scene.carriers.b)
        scene.uac("01-basic-call/uac.xml", NUMBER_OF_B).expect()
        b.expect()
    assert scene.record()["enum_class"] == "FOUND"


def test_answers_of_enum_are_used_again(scene: Stage) -> None:
    """Twenty calls to one number ask the DNS once: the answer lives as long as its TTL."""
    b = scene.uas("01-basic-call/uas.xml", scene.carriers.b, calls=20)
    scene.uac("01-basic-call/uac.xml", NUMBER_OF_B, calls=20, rate=20, pause_ms=10).expect(20)
    b.expect(20)
    scene.border.wait_for_records(20)
    assert scene.grown("ibcf_questions_total", kind="enum") == 1
    assert scene.border.metrics().value("ibcf_answer_cache_entries") == 1


@pytest.mark.timeout(120)
def test_two_hundred_calls_at_fifty_a_second_all_succeed(scene: Stage) -> None:
    """200 calls at 50 a second are answered, ended and charged once each, and nothing of them stays behind."""
    b = scene.uas("01-basic-call/uas.xml", scene.carriers.b, calls=200, timeout_s=60)
    caller = scene.uac("01-basic-call/uac.xml", NUMBER_OF_B, calls=200, rate=50, pause_ms=200, timeout_s=60)
    assert caller.expect(200, deadline_s=70).retransmissions == 0
    assert b.expect(200).retransmissions == 0

    records = scene.border.wait_for_records(200)
    assert len({record["call_id"] for record in records}) == 200
    assert {(record["outcome"], record["peer_out"]) for record in records} == {("answered", "carrier_b")}
    assert scene.grown("ibcf_call_attempts_total", outcome="answered") == 200
    assert scene.grown("ibcf_sip_retransmissions_total") == 0
    assert scene.border.metrics().value("ibcf_calls_active") == 0
    assert scene.border.metrics().value("ibcf_cdr_queue_records") == 0


@pytest.mark.parametrize("way", ["from_ipv6", "to_ipv6"])
def test_calls_cross_between_ipv6_and_ipv4(set_stage: SetStage, way: str) -> None:
    """A call crosses between a carrier on IPv6 and one on IPv4, in either direction."""
    around = choose_carriers(a="::1") if way == "from_ipv6" else choose_carriers(b="::1")
    entrance = "ipv6_udp" if way == "from_ipv6" else "home_udp"

    def bind_ipv6(document: Document) -> None:
        # a listener of its own: one socket speaks one family
        side, peer = ("home", "carrier_a") if way == "from_ipv6" else ("peer", "carrier_b")
        document["listeners"].append({"id": "ipv6_udp", "side": side, "transport": "udp", "address": "[::1]:0"})
        section(document, "peers", peer)["listeners"] = ["ipv6_udp"]

    scene = set_stage(bind_ipv6, around=around)
    b = scene.uas("01-basic-call/uas.xml", scene.carriers.b)
    scene.uac("01-basic-call/uac.xml", NUMBER_OF_B, listener=entrance).expect()
    b.expect()
    assert scene.record()["outcome"] == "answered"


@pytest.mark.timeout(120)
def test_reload_while_calls_run_loses_none(scene: Stage) -> None:
    """SIGHUP under load puts the new policy in force for new calls; every call that is up goes on."""
    b = scene.uas("01-basic-call/uas.xml", scene.carriers.b, calls=90, timeout_s=60)
    caller = scene.uac("01-basic-call/uac.xml", NUMBER_OF_B, calls=90, rate=30, pause_ms=500, timeout_s=60)
    wait_until(lambda: scene.border.metrics().value("ibcf_calls_active") >= 10, deadline_s=20, what="ten calls at once")
    generation = scene.border.metrics().value("ibcf_config_generation")

    document = json.loads(scene.border.configuration.read_text())
    section(document, "routes", "no_premium")["reject"] = {"reason": "decide.number_unknown"}
    write(document, scene.border.configuration)
    scene.border.reload()
    scene.border.wait_for_log("config.reloaded")

    caller.expect(90, deadline_s=70)
    b.expect(90)
    records = scene.border.wait_for_records(90)
    assert {record["generation"] for record in records} == {generation, generation + 1}
    assert scene.grown("ibcf_config_reloads_total", result="ok") == 1
    assert scene.border.metrics().value("ibcf_config_generation") == generation + 1
    # the new rule is in force: 404 where there was 403
    scene.uac("04-unknown-number/uac.xml", PREMIUM_NUMBER).expect()


def test_reload_of_a_wrong_file_keeps_the_old_policy(scene: Stage) -> None:
    """A configuration with a fault is refused whole on SIGHUP, said in the log, and the running policy goes on."""
    document = json.loads(scene.border.configuration.read_text())
    section(document, "routes", "to_b")["to"][0]["peer"] = "carrier_x"
    write(document, scene.border.configuration)
    scene.border.reload()
    refused = scene.border.wait_for_log("config.refused")
    assert "carrier_x" in json.dumps(refused)

    b = scene.uas("01-basic-call/uas.xml", scene.carriers.b)
    scene.uac("01-basic-call/uac.xml", NUMBER_OF_B).expect()
    b.expect()
    assert scene.record()["generation"] == 1
    assert scene.grown("ibcf_config_reloads_total", result="failed") == 1


@pytest.mark.timeout(120)
def test_sigterm_finishes_calls_and_takes_no_new_ones(scene: Stage) -> None:
    """After SIGTERM a ringing call is still answered, ended and charged; a new one gets 503; the exit code is 0."""
    b = scene.uas("01-basic-call/uas.xml", scene.carriers.b, pause_ms=1500)
    first = scene.uac("01-basic-call/uac.xml", NUMBER_OF_B, pause_ms=300)
    wait_until(
        lambda: scene.grown("ibcf_sip_responses_total", peer="carrier_a", way="sent", code="180") == 1,
        deadline_s=10,
        what="the call rings",
    )
    scene.border.drain()
    scene.border.wait_for_log("border.draining")
    scene.uac(str(SCENARIOS / "refused-503.xml"), NUMBER_OF_B).expect()
    first.expect()
    b.expect()
    assert scene.border.child.wait(60) == 0
    assert [record["outcome"] for record in scene.border.records()] == ["answered"]
    assert [line["reason"] for line in scene.border.log("message.refused")] == ["admit.draining"]


def test_sigterm_on_an_idle_border_is_quick(scene: Stage) -> None:
    """An idle border leaves within a few seconds and with code 0."""
    scene.border.drain()
    assert scene.border.child.wait(10) == 0


def test_full_disk_delays_records_and_loses_none(scene: Stage) -> None:
    """When records cannot be written the log says so and calls go on; with room again every record is on disk."""
    calls = 12  # some are written before the file may not grow any more
    resource.prlimit(scene.border.child.pid, resource.RLIMIT_FSIZE, (4096, resource.RLIM_INFINITY))
    b = scene.uas("01-basic-call/uas.xml", scene.carriers.b, calls=calls)
    scene.uac("01-basic-call/uac.xml", NUMBER_OF_B, calls=calls, rate=20).expect(calls)
    b.expect(calls)
    scene.border.wait_for_log("cdr.write_failed")
    assert scene.border.metrics().value("ibcf_cdr_queue_records") > 0
    assert scene.border.get("/health/ready")[0] == 200

    resource.prlimit(scene.border.child.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    records = scene.border.wait_for_records(calls, deadline_s=30)
    assert sorted(record["local_record_sequence_number"] for record in records) == list(range(1, calls + 1))
    assert len({record["call_id"] for record in records}) == calls
    scene.border.wait_for_log("cdr.write_recovered")
    assert scene.grown("ibcf_cdr_records_total", result="lost") == 0


def test_health_says_live_and_ready(scene: Stage) -> None:
    """A border that serves is live and ready, and says so on the admin port."""
    assert scene.border.get("/health/live")[0] == 200
    assert scene.border.get("/health/ready")[0] == 200
    assert scene.border.get("/nowhere")[0] == 404


def test_metrics_pass_the_linter_of_prometheus(scene: Stage) -> None:
    """`promtool check metrics` finds nothing wrong with what the border exports."""
    promtool = shutil.which("promtool")
    if promtool is None:
        missing("promtool", "apt-get install prometheus")
    _, text = scene.border.get("/metrics")
    linted = subprocess.run(  # noqa: S603 - our own command
        [promtool, "check", "metrics"], input=text, capture_output=True, text=True, check=False
    )
    assert linted.returncode == 0, linted.stdout + linted.stderr


def test_exports_what_rules_and_dashboards_use(scene: Stage) -> None:
    """Every metric that the chart knows is exported, with the type that it has there."""
    b = scene.uas("01-basic-call/uas.xml", scene.carriers.b)
    scene.uac("01-basic-call/uac.xml", NUMBER_OF_B).expect()
    b.expect()
    types = scene.border.metrics().types
    for name in COUNTERS:
        assert types.get(name.removesuffix("_total")) == "counter", name
    for name in GAUGES:
        assert types.get(name) == "gauge", name
    for name in HISTOGRAMS:
        assert types.get(name) == "histogram", name


def options(sender: socket.socket) -> bytes:
    """Write an OPTIONS from *sender*."""
    host, port = sender.getsockname()[:2]
    lines = [
        "OPTIONS sip:ibcf.a.example SIP/2.0",
        f"Via: SIP/2.0/UDP {host}:{port};branch=z9hG4bKstranger",
        "Max-Forwards: 70",
        "From: <sip:stranger@example.com>;tag=1",
        "To: <sip:ibcf.a.example>",
        "Call-ID: stranger",
        "CSeq: 1 OPTIONS",
        "Content-Length: 0",
        "",
        "",
    ]
    return "\r\n".join(lines).encode()
