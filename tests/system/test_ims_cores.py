"""Kamailio as the IMS core on both sides: caller, core A, the border, core B, callee."""

import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.parts import missing
from tests.system.conftest import NETWORKS
from tests.system.support import kamailio
from tests.system.support.border import Border
from tests.system.support.certificates import Identities, Issued
from tests.system.support.children import wait_until
from tests.system.support.configuration import Carrier, Carriers, choose_carriers, connect, prepare, section, write
from tests.system.support.flow import NUMBER_OF_B, Stage, limits, load, stage
from tests.system.support.kamailio import Core, Proof
from tests.system.support.places import Place, Places, networks
from tests.system.support.ports import host_port
from tests.system.support.sipp import Sipp

pytestmark = [pytest.mark.system, pytest.mark.timeout(180)]

SCENARIOS = Path(__file__).parent / "scenarios"
CALLS = 200
RATE = 40


@pytest.fixture(scope="module")
def places(request: pytest.FixtureRequest) -> Iterator[Places]:
    """Make the networks; the summary of the run says where they were."""
    if kamailio.program() is None:
        missing("kamailio", "apt-get install kamailio")
    with networks() as found:
        request.config.stash[NETWORKS] = found.kind
        yield found


@dataclass
class Chain:
    """Caller, core A, border, cores B1 and B2, callee."""

    scene: Stage
    places: Places
    a: Core
    b: list[Core]
    transport: str
    _callee_port: int

    def callee(self, scenario: str, calls: int, *, pause_ms: int = 0) -> Sipp:
        """Start who is called: behind both cores B."""
        options = [*limits(calls, 60), "-d", str(pause_ms)]
        place = self.places.b
        return self.scene.play(
            str(SCENARIOS / scenario),
            options,
            address=place.addresses[-1],
            port=self._callee_port,
            prefix=place.prefix,
        )

    def caller(self, scenario: str, calls: int, *, rate: int = RATE, pause_ms: int = 100) -> Sipp:
        """Start who calls: behind core A."""
        place = self.places.a
        core = host_port(self.a.address, self.a.ports["udp"])
        options = [*limits(calls, 60), *load(NUMBER_OF_B, calls=calls, rate=rate, pause_ms=pause_ms), core]
        return self.scene.play(
            str(SCENARIOS / scenario),
            options,
            address=place.addresses[-1],
            port=place.free_port(place.addresses[-1]),
            prefix=place.prefix,
        )


@pytest.fixture(params=["udp", "tcp", "tls"])
def transport(request: pytest.FixtureRequest) -> str:
    """Go through the transports between the cores and the border."""
    found: str = request.param
    return found


@pytest.fixture
def chain(parts: None, places: Places, transport: str, identities: Identities, tmp_path: Path) -> Iterator[Chain]:
    """Connect everything: what chooses its ports first, then the border, then who sends to it."""
    with ExitStack() as ends:

        def core(role: str, place: Place, nth: int, shown: Issued) -> Core:
            proof = Proof(shown, identities.authority.path) if transport == "tls" else None
            folder = tmp_path / f"{role}-{nth}"
            made = Core(role, place, place.addresses[nth], folder, transports=("udp", transport), proof=proof)
            return ends.enter_context(made)

        a = core("originating", places.a, 0, identities.a)
        b = [core("terminating", places.b, nth, identities.b) for nth in range(2)]
        carriers = Carriers(
            a=Carrier("carrier_a", a.address, a.ports[transport], f"home_{transport}"),
            b=Carrier("carrier_b", b[0].address, b[0].ports[transport], f"peer_{transport}"),
            c=choose_carriers().c,
        )
        document = prepare(carriers, tmp_path, dns=None)
        for listener, place in zip(document["listeners"], (places.a, places.b), strict=True):
            listener["address"] = f"{place.border}:0"
        peer = section(document, "peers", "carrier_b")
        peer["sources"] = [f"{core.address}/32" for core in b]
        peer["targets"] = [
            {"id": f"b{nth}", "address": host_port(core.address, core.ports[transport]), "priority": nth}
            for nth, core in enumerate(b, 1)
        ]
        connect(document, transport, identities)
        border = Border(write(document, tmp_path / "border.yaml"), cdr=tmp_path / "cdr")
        scene = ends.enter_context(stage(border, carriers, tmp_path))
        callee_port = places.b.free_port(places.b.addresses[-1])
        parameter = f";transport={transport}"
        a.start(f"sip:{scene.border.target(carriers.a.listener)}{parameter}")
        for each in b:
            each.start(f"sip:{host_port(places.b.addresses[-1], callee_port)}")
        yield Chain(scene, places, a, b, transport, callee_port)


def counted(chain: Chain, calls: int) -> None:
    """Check what the operator sees of good calls: a record each, the vector of core A, nothing left."""
    records = chain.scene.border.wait_for_records(calls)
    assert {(record["outcome"], record["status"]) for record in records} == {("answered", 200)}
    assert len({record["ims_charging_identifier"] for record in records}) == calls
    assert all(record["ims_charging_identifier"].startswith("core-a-") for record in records)
    assert chain.scene.grown("ibcf_call_attempts_total", direction="exit", outcome="answered") == calls
    metrics = chain.scene.border.metrics()
    assert metrics.value("ibcf_calls_active") == 0
    assert metrics.value("ibcf_parse_errors_total") == 0
    assert metrics.value("ibcf_core_panics_total") == 0


@pytest.mark.parametrize("ends", ["caller", "callee"])
def test_two_hundred_calls_cross_two_cores(chain: Chain, ends: str) -> None:
    """All calls complete, both cores and the border stand in the route set, and the BYE passes them either way."""
    uac, uas = ("cores-uac.xml", "cores-uas.xml") if ends == "caller" else ("cores-uac-waits.xml", "cores-uas-ends.xml")
    callee = chain.callee(uas, CALLS, pause_ms=100)
    chain.caller(uac, CALLS).expect(CALLS, deadline_s=70)
    callee.expect(CALLS)
    counted(chain, CALLS)
    assert {record["released_by"] for record in chain.scene.border.wait_for_records(CALLS)} == {
        {"caller": "upstream", "callee": "downstream"}[ends]
    }
    for core in (chain.a, chain.b[0]):
        for method in ("INVITE", "ACK", "BYE"):
            assert core.relayed(method) == CALLS, (core.role, method)
    assert chain.b[1].relayed("INVITE") == 0, "the second target is for need only"


def test_calls_go_to_the_second_core_when_the_first_is_killed(chain: Chain) -> None:
    """A core that dies in the middle of a run costs no call that comes after it, and no call has two records."""
    callee = chain.callee("cores-uas.xml", CALLS)
    caller = chain.caller("cores-uac.xml", CALLS, rate=20, pause_ms=10)
    wait_until(lambda: len(chain.scene.border.records()) >= 60, deadline_s=30, what="60 calls are over")
    killed_ms = time.time() * 1000
    chain.b[0].kill()
    tally = caller.finish(70)
    callee.stop()
    time.sleep(1)  # records wait a moment for company before they are written

    records = chain.scene.border.records()
    assert len({record["call_id"] for record in records}) == len(records)
    first = [record for record in records if record["attempts"][-1]["target"] == "b1"]
    second = [record for record in records if record["attempts"][-1]["target"] == "b2"]
    assert len(first) + len(second) == len(records)
    assert {record["outcome"] for record in second} == {"answered"}
    # Only what the first core had in its hands at that moment can be lost: a call that was up, or an INVITE that it had
    # answered with 100 and that now waits for Timer C.
    in_its_hands = [record for record in first if record["end_ms"] >= killed_ms]
    waiting = CALLS - len(records)
    assert len(in_its_hands) + waiting <= 5, caller.story()
    assert tally.failed <= len(in_its_hands) + waiting, caller.story()
    assert tally.successful >= CALLS - 5
    assert chain.b[1].relayed("INVITE") >= CALLS - 60 - 20


def test_call_outlives_the_restart_of_both_cores(chain: Chain) -> None:
    """Cores that are started again while calls are up pass the BYE on: the dialog is in the messages, not in them."""
    calls = 20
    callee = chain.callee("cores-uas.xml", calls)
    caller = chain.caller("cores-uac.xml", calls, pause_ms=6000)
    wait_until(
        lambda: chain.scene.border.metrics().value("ibcf_calls_active") == calls,
        deadline_s=20,
        what="all calls are up",
    )
    for core in (chain.a, chain.b[0]):
        core.restart()
    caller.expect(calls, deadline_s=40)
    callee.expect(calls)
    counted(chain, calls)
    assert chain.b[0].relayed("BYE") == calls
