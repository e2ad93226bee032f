"""Next hops out of a real DNS server: what RFC 3263 asks of records that are there, absent, broken, or change."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from ipaddress import ip_address
from pathlib import Path
from subprocess import run

import pytest

from ibcf.dns.aiodns_source import AiodnsSource
from ibcf.dns.records import Class
from ibcf.routing.location import Destination, Located, Preferences
from ibcf.routing.locator import Locator, LocatorSettings
from tests.system.conftest import SetStage
from tests.system.support.border import command
from tests.system.support.configuration import Carrier, Carriers, Document, choose_carriers, prepare, section, write
from tests.system.support.flow import NUMBER_OF_B, UNKNOWN_NUMBER
from tests.system.support.knot import NameServer, silent_server
from tests.system.support.ports import free_port

pytestmark = pytest.mark.system

ANY = Preferences()
B = Destination("b.example")
NAPTR = """
@ NAPTR 10 10 "s" "SIP+D2T" "" _sip._tcp.b.example.
@ NAPTR 10 20 "s" "SIP+D2U" "" _sip._udp.host.example.
@ NAPTR 5 5 "s" "AAA+D2T" "" _diameter._tcp.b.example.
_sip._tcp SRV 10 60 5060 s1
_sip._tcp SRV 10 40 5060 s2
_sip._tcp SRV 20 0 5062 s1
s1 A 127.0.0.3
s1 AAAA ::1
s2 CNAME alias.b.example.
alias CNAME real.host.example.
"""
HOST = """
real A 127.0.0.4
_sip._udp SRV 1 1 5070 sbc
sbc A 127.0.0.5
"""


@pytest.fixture
async def locator(domains: NameServer) -> AsyncIterator[Locator]:
    """A locator that asks the server, every time."""
    settings = LocatorSettings(servers=(domains.address,), ttl_min_ms=0, families=("ipv4", "ipv6"))
    one = Locator(settings, settings.open_source())
    yield one
    await one.close()


def shown(located: Located) -> list[str]:
    """Return the targets in short."""
    return [f"{target.priority} {target.weight} {target}" for target in located.targets]


async def test_naptr_srv_and_addresses_lead_to_ranked_targets(domains: NameServer, locator: Locator) -> None:
    """NAPTR order, SRV priority and weight, both families, an alias into another zone, a replacement elsewhere."""
    domains.publish("b.example", NAPTR)
    domains.publish("host.example", HOST)
    located = await locator.locate(B, Preferences(families=("ipv4", "ipv6")))
    assert shown(located) == [
        "0 60 tcp 127.0.0.3:5060",
        "0 40 tcp 127.0.0.4:5060",
        "1 60 tcp [::1]:5060",
        "2 0 tcp 127.0.0.3:5062",
        "3 0 tcp [::1]:5062",
        "4 1 udp 127.0.0.5:5070",
    ], located
    assert (located.is_partial, located.ttl_ms) == (False, 60_000)


async def test_absent_broken_and_circular_names_are_told_apart(domains: NameServer, locator: Locator) -> None:
    """A name that is not there, one without data, one of nobody's zone and an alias loop end in different classes."""
    records = (
        "x A 127.0.0.3\nloop CNAME pool\npool CNAME loop\n_sip._udp.off SRV 0 0 0 .\noff A 127.0.0.3\ntext TXT x\n"
    )
    domains.publish("b.example", records)
    outcomes = {
        name: (located.outcome, located.class_)
        for name in ("gone.b.example", "text.b.example", "loop.b.example", "off.b.example", "elsewhere.test")
        for located in [await locator.locate(Destination(name), ANY)]
    }
    assert outcomes == {
        "gone.b.example": ("not_found", Class.NXDOMAIN),
        "text.b.example": ("not_found", Class.NODATA),
        "loop.b.example": ("failed", Class.LOOP),
        "off.b.example": ("not_found", Class.NO_USABLE_RECORD),
        "elsewhere.test": ("failed", Class.REFUSED),
    }
    assert shown(await locator.locate(Destination("x.b.example"), ANY)) == ["0 1 udp 127.0.0.3:5060"]


async def test_a_dead_server_is_passed_over(domains: NameServer) -> None:
    """With one silent server, one closed port and one that answers, the answer comes within the deadline."""
    domains.publish("b.example", "_sip._udp SRV 1 1 5060 s\ns A 127.0.0.3\n")
    closed = f"127.0.0.1:{free_port('127.0.0.1')}"
    with silent_server() as silent:
        servers = (silent, closed, domains.address)
        locator = Locator(LocatorSettings(), AiodnsSource(servers, timeout_s=0.1, tries=2))
        located = await locator.locate(B, ANY)
        await locator.close()
    assert shown(located) == ["0 1 udp 127.0.0.3:5060"]


async def test_silence_ends_at_the_deadline() -> None:
    """When no server answers, the location fails in about the time of its deadline, and says so."""
    with silent_server() as silent:
        settings = LocatorSettings(servers=(silent,), timeout_ms=5_000, deadline_ms=200)
        locator = Locator(settings, settings.open_source())
        loop = asyncio.get_running_loop()
        start = loop.time()
        located = await locator.locate(B, ANY)
        assert loop.time() - start < 2
        await locator.close()
    assert (located.outcome, located.class_) == ("failed", Class.TIMEOUT)


async def test_a_changed_address_is_seen_when_its_ttl_is_over(domains: NameServer, locator: Locator) -> None:
    """After the TTL of one second the new address is found, although c-ares keeps answers of its own."""
    domains.publish("b.example", "s A 127.0.0.3\n", ttl_s=1)
    host = Destination("s.b.example", 5060)
    first = await locator.locate(host, ANY)
    assert [target.address for target in first.targets] == [ip_address("127.0.0.3")]
    assert first.ttl_ms <= 1000
    domains.publish("b.example", "s A 127.0.0.4\n", ttl_s=1)
    located = first
    for _ in range(50):
        if located.targets != first.targets:
            break
        await asyncio.sleep(0.1)  # real time: the TTL that passes is that of c-ares
        located = await locator.locate(host, ANY)
    assert [target.address for target in located.targets] == [ip_address("127.0.0.4")]


async def test_a_large_answer_comes_by_tcp(domains: NameServer, locator: Locator) -> None:
    """An SRV set that fits no datagram is fetched whole; its bounds hold."""
    records = "".join(
        f"_sip._udp SRV {at} 1 5060 a-rather-long-name-of-a-server-{at}.b.example.\n" for at in range(200)
    )
    records += "".join(f"a-rather-long-name-of-a-server-{at} A 127.0.1.{at}\n" for at in range(200))
    domains.publish("b.example", records)
    located = await locator.locate(Destination("b.example", transport="udp"), Preferences(families=("ipv4",)))
    assert [str(target.address) for target in located.targets] == [f"127.0.1.{at}" for at in range(16)]


def test_the_verb_asks_the_servers_of_the_configuration(domains: NameServer, tmp_path: Path) -> None:
    """`ibcf locate` finds what the border would find."""
    domains.publish("b.example", "_sip._udp SRV 1 1 5060 s\ns A 127.0.0.3\n")
    document = prepare(choose_carriers(), tmp_path, dns=None)
    document["locator"] = {"servers": [domains.address]}
    configuration = write(document, tmp_path / "border.yaml")
    done = run(  # noqa: S603 - our own command
        command("locate", "b.example", "--config", str(configuration), "--json"),
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert [target["address"] for target in json.loads(done.stdout)["targets"]] == ["127.0.0.3"]


MOVED = Carrier("carrier_b", "127.0.0.5", 0, "peer_udp")


@pytest.fixture
def moved() -> Carrier:
    """Another machine of carrier B."""
    return replace(MOVED, port=free_port(MOVED.address))


def server(carrier: Carrier) -> str:
    """Return the records that say that carrier B is there."""
    return f"_sip._udp SRV 1 1 {carrier.port} s\ns A {carrier.address}\n"


def by_domain(document: Document, dns: str) -> None:
    """Let carrier B be found by its domain."""
    peer = section(document, "peers", "carrier_b")
    del peer["targets"]
    peer["domain"] = "b.example"
    peer["sources"].append(f"{MOVED.address}/32")
    document["locator"] = {"servers": [dns], "timeout": "200ms", "ttl_min": "1s"}


def test_calls_move_to_the_new_address_when_the_ttl_is_over(
    set_stage: SetStage, domains: NameServer, moved: Carrier, carriers: Carriers
) -> None:
    """A call goes where DNS says; after the records changed and their TTL passed, the next call goes elsewhere."""
    domains.publish("b.example", server(carriers.b), ttl_s=1)
    scene = set_stage(lambda document: by_domain(document, domains.address))
    b = scene.uas("01-basic-call/uas.xml", carriers.b)
    scene.uac("01-basic-call/uac.xml", NUMBER_OF_B).expect()
    b.expect()
    [record] = scene.border.wait_for_records(1)
    assert record["nni_information"][0]["neighbour_node_address"] == carriers.b.target

    domains.publish("b.example", server(moved), ttl_s=1)
    scene.border.wait_for_log("peer.located", targets=[f"udp {moved.target}"])
    there = scene.uas("01-basic-call/uas.xml", moved)
    scene.uac("01-basic-call/uac.xml", NUMBER_OF_B).expect()
    there.expect()
    records = scene.border.wait_for_records(2)
    assert records[1]["nni_information"][0]["neighbour_node_address"] == moved.target


def test_calls_go_on_while_dns_is_dead(set_stage: SetStage, domains: NameServer, carriers: Carriers) -> None:
    """After the name server is gone the last good address serves, and the border says so once."""
    domains.publish("b.example", server(carriers.b), ttl_s=1)
    scene = set_stage(lambda document: by_domain(document, domains.address))
    domains.child.stop()
    line = scene.border.wait_for_log("peer.location_failed", peer="carrier_b")
    assert line["targets"] == [f"udp {carriers.b.target}"]
    b = scene.uas("01-basic-call/uas.xml", carriers.b)
    scene.uac("01-basic-call/uac.xml", NUMBER_OF_B).expect()
    b.expect()
    assert len(scene.border.log("peer.location_failed")) == 1
    assert scene.border.metrics().value("ibcf_peer_targets", {"peer": "carrier_b"}) == 1
    assert scene.grown("ibcf_locations_total", result="stale") >= 1


def test_a_peer_whose_dns_is_silent_delays_no_other(set_stage: SetStage, carriers: Carriers) -> None:
    """With a silent name server for carrier B, calls to carrier C go as ever."""
    with silent_server() as silent:
        scene = set_stage(lambda document: by_domain(document, silent))
        line = scene.border.wait_for_log("peer.location_failed", peer="carrier_b")
        assert (line["dns_class"], line["targets"]) == ("TIMEOUT", [])
        c = scene.uas("04-unknown-number/uas-answers.xml", carriers.c)
        scene.uac("01-basic-call/uac.xml", UNKNOWN_NUMBER).expect()
        c.expect()
    record = scene.record()
    assert (record["peer_out"], record["setup_s"] < 2) == ("carrier_c", True)


def by_request_uri(document: Document, dns: str) -> None:
    """Let carrier B be found by the host of each Request-URI."""
    by_domain(document, dns)
    peer = section(document, "peers", "carrier_b")
    del peer["domain"]
    peer["locate"] = "request_uri"


def test_the_host_of_the_request_uri_says_where_a_call_goes(
    set_stage: SetStage, domains: NameServer, moved: Carrier, carriers: Carriers
) -> None:
    """The core asks for the host that ENUM gave, keeps the answer for its TTL, and asks again after it."""
    domains.publish("b.example", server(carriers.b).replace("_udp", "_udp.ims"), ttl_s=2)
    scene = set_stage(lambda document: by_request_uri(document, domains.address))
    b = scene.uas("01-basic-call/uas.xml", carriers.b, calls=2)
    for _ in range(2):
        scene.uac("01-basic-call/uac.xml", NUMBER_OF_B).expect()
    b.expect(2)
    records = scene.border.wait_for_records(2)
    assert {record["attempts"][0]["target"] for record in records} == {f"{carriers.b.target};transport=udp"}

    domains.publish("b.example", server(moved).replace("_udp", "_udp.ims"), ttl_s=2)
    there = scene.uas("01-basic-call/uas.xml", moved)
    time.sleep(3)  # real time: the TTL that passes is that of c-ares and of the core
    scene.uac("01-basic-call/uac.xml", NUMBER_OF_B).expect()
    there.expect()


def test_a_host_that_is_nowhere_leaves_the_call_to_the_next_peer(
    set_stage: SetStage, domains: NameServer, carriers: Carriers
) -> None:
    """When DNS knows no such host, or says nothing, the call overflows to carrier C."""
    domains.publish("b.example", "other A 127.0.0.3\n")
    scene = set_stage(lambda document: by_request_uri(document, domains.address))
    c = scene.uas("06-failover-on-503/uas.xml", carriers.c)
    scene.uac("06-failover-on-503/uac.xml", NUMBER_OF_B).expect()
    c.expect()
    assert scene.record()["peer_out"] == "carrier_c"
    assert scene.grown("ibcf_locations_total", result="not_found") == 1
