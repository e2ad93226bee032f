"""Cores that reach the border through a network that loses, doubles and reorders what they say."""

import pytest

from tests.system.conftest import SetStage
from tests.system.support.behind import Front, callee, caller
from tests.system.support.children import wait_until
from tests.system.support.configuration import Carrier, Carriers, Document, choose_carriers
from tests.system.support.datagram_relay import DatagramRelay, datagram_relays
from tests.system.support.flow import Stage
from tests.system.support.weather import Weather

pytestmark = [pytest.mark.system, pytest.mark.timeout(180)]

CALLS = 200
SEED = 2543
ADDRESSES = ["127.0.0.2", "127.0.0.3"]
"""Of carriers A and B, as the configuration has them."""
T1_MS = 100
"""A fifth of RFC 3261's, at the cores (`retrans` of the scenarios) as here: transactions are forgotten after 6.4 s."""
LOSS = Weather(loss=0.05)
STORM = Weather(loss=0.03, duplication=0.05, reordering=0.1, delay_s=0.002, jitter_s=0.005)


def quicker(document: Document) -> None:
    """Repeat sooner, and give up on a silent target as late as RFC 3261 says."""
    document["timers"] = {"t1": f"{T1_MS}ms", "t2": "800ms", "t4": "1s"}


def behind(port_a: int, port_b: int, transport: str) -> Carriers:
    """Return carriers of which A and B are where the relays are."""
    plain = choose_carriers()
    return Carriers(
        a=Carrier("carrier_a", plain.a.address, port_a, f"home_{transport}"),
        b=Carrier("carrier_b", plain.b.address, port_b, f"peer_{transport}"),
        c=plain.c,
    )


def play(scene: Stage, relays: list[DatagramRelay]) -> None:
    """Place the calls through the relays; every one of them must be answered and ended."""
    near_a, near_b = relays
    carriers = scene.carriers
    b = callee(scene, Front(near_b.outer_port, "UDP"), calls=CALLS)
    near_a.join(border=scene.border.listeners["home_udp"])
    near_b.join(border=scene.border.listeners["peer_udp"], core=(b.address, b.port))
    target = f"{carriers.a.address}:{near_a.inner_port}"
    caller(scene, Front(near_a.outer_port, "UDP"), target, calls=CALLS, pause_ms=3000).expect(CALLS, deadline_s=110)
    b.expect(CALLS, deadline_s=60)


@pytest.mark.parametrize("weather", [LOSS, STORM], ids=["loss", "storm"])
def test_all_calls_complete_through_a_bad_network(set_stage: SetStage, weather: Weather) -> None:
    """200 calls through a network that is bad on both sides all complete, with one CDR each, and nothing stays."""
    with datagram_relays(weather, addresses=ADDRESSES, seed=SEED) as relays:
        around = behind(relays[0].outer_port, relays[1].outer_port, "udp")
        scene = set_stage(quicker, around=around)
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
