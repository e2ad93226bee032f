"""Cores that reach the border through a network that loses, doubles and reorders what they say."""

from pathlib import Path

import pytest

from tests.system.conftest import SetStage
from tests.system.support.children import wait_until
from tests.system.support.configuration import Carrier, Carriers, Document, choose_carriers
from tests.system.support.datagram_relay import DatagramRelay, datagram_relays
from tests.system.support.flow import NUMBER_OF_B, Stage, limits, load
from tests.system.support.weather import Weather

pytestmark = [pytest.mark.system, pytest.mark.timeout(180)]

CALLS = 200
SEED = 2543
T1_MS = 100
"""A fifth of RFC 3261's, at the cores (`retrans` of the scenarios) as here: transactions are forgotten after 6.4 s."""
PATIENT = ["-default_behaviors", "all,-abortunexp"]
"""SIPp does not know an INVITE or a 200 again once it went on; what it does not expect it shall let pass, and wait."""
SCENARIOS = Path(__file__).parent / "scenarios"
UAC = str(SCENARIOS / "relayed-uac.xml")
UAS = str(SCENARIOS / "relayed-uas.xml")
LOSS = Weather(loss=0.05)
STORM = Weather(loss=0.03, duplication=0.05, reordering=0.1, delay_s=0.002, jitter_s=0.005)


def quicker(document: Document) -> None:
    """Repeat sooner, and give up on a silent target as late as RFC 3261 says."""
    document["timers"] = {"t1": f"{T1_MS}ms", "t2": "800ms", "t4": "1s"}


def behind(relays: list[DatagramRelay]) -> Carriers:
    """Return carriers of which A and B are where the relays are."""
    plain = choose_carriers()
    return Carriers(
        a=Carrier("carrier_a", plain.a.address, relays[0].outer_port, "home_udp"),
        b=Carrier("carrier_b", plain.b.address, relays[1].outer_port, "peer_udp"),
        c=plain.c,
    )


def play(scene: Stage, relays: list[DatagramRelay]) -> None:
    """Place the calls through the relays; every one of them must be answered and ended."""
    near_a, near_b = relays
    carriers = scene.carriers
    key = ["-key", "relay_port"]
    called = [*PATIENT, *limits(CALLS, 100), "-d", "50", *key, str(near_b.outer_port)]
    b = scene.play(UAS, called, address=carriers.b.address)
    near_a.join(border=scene.border.listeners["home_udp"])
    near_b.join(border=scene.border.listeners["peer_udp"], core=(b.address, b.port))
    calling = [*PATIENT, *limits(CALLS, 100), *load(NUMBER_OF_B, calls=CALLS, rate=25, pause_ms=3000)]
    calling += [*key, str(near_a.outer_port), f"{carriers.a.address}:{near_a.inner_port}"]
    scene.play(UAC, calling, address=carriers.a.address).expect(CALLS, deadline_s=110)
    b.expect(CALLS, deadline_s=60)


@pytest.mark.parametrize("weather", [LOSS, STORM], ids=["loss", "storm"])
def test_all_calls_complete_through_a_bad_network(set_stage: SetStage, weather: Weather) -> None:
    """200 calls through a network that is bad on both sides all complete, with one CDR each, and nothing stays."""
    around = choose_carriers()
    with datagram_relays(weather, addresses=[around.a.address, around.b.address], seed=SEED) as relays:
        scene = set_stage(quicker, around=behind(relays))
        play(scene, relays)
        records = scene.border.wait_for_records(CALLS)

        assert len({record["call_id"] for record in records}) == CALLS
        assert {(record["outcome"], record["released_by"]) for record in records} == {("answered", "upstream")}
        assert {len(record["attempts"]) for record in records} == {1}, "no loss may look like a dead target"
        assert scene.grown("ibcf_call_attempts_total", outcome="answered") == CALLS
        assert scene.grown("ibcf_sip_retransmissions_total") > 0
        for relay in relays:
            seen = relay.counted("seen")
            assert relay.counted("lost") > 0.5 * weather.loss * seen, "the network was bad indeed"
            assert relay.counted("doubled") >= 0.5 * weather.duplication * seen
            assert relay.counted("held back") >= 0.5 * weather.reordering * seen
    assert scene.border.metrics().value("ibcf_calls_active") == 0
    wait_until(
        lambda: scene.border.metrics().value("ibcf_transactions_active") == 0,
        deadline_s=64 * T1_MS / 1000 + 10,
        what="all transactions are forgotten",
    )
