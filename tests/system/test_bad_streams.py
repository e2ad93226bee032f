"""Cores that reach the border over TCP through a network that cuts streams into pieces, stalls, and breaks off."""

import pytest

from tests.system.conftest import SetStage
from tests.system.support.behind import Front, callee, caller
from tests.system.support.children import wait_until
from tests.system.support.configuration import Carrier, Carriers, Document, choose_carriers, offer, reach
from tests.system.support.flow import Stage
from tests.system.support.ports import host_port
from tests.system.support.stream_relay import Manner, StreamRelay, stream_relays

pytestmark = [pytest.mark.system, pytest.mark.timeout(120)]

SEED = 18
ADDRESSES = ["127.0.0.2", "127.0.0.3"]
"""Of carriers A and B, as the configuration has them."""


def over_tcp(document: Document) -> None:
    """Carry everything over TCP, and forget an answered INVITE after 6.4 s instead of 32 s (RFC 6026 Timer M)."""
    document["timers"] = {"t1": "100ms", "t2": "800ms"}
    for side in ("home", "peer"):
        offer(document, side, "tcp")
    reach(document, "carrier_b", "tcp")


def around(relays: list[StreamRelay]) -> Carriers:
    """Return carriers of which A and B are where the relays are."""
    near_a, near_b = relays
    return Carriers(
        a=Carrier("carrier_a", near_a.address, near_a.port, "home_tcp"),
        b=Carrier("carrier_b", near_b.address, near_b.port, "peer_tcp"),
        c=choose_carriers().c,
    )


def play(scene: Stage, relays: list[StreamRelay], calls: int, rate: int) -> None:
    """Place calls through both relays; every one of them must be answered and ended."""
    near_a, near_b = relays
    b = callee(scene, Front(near_b.port, "TCP"), calls=calls)
    near_a.towards = scene.border.listeners["home_tcp"]
    near_b.towards = (b.address, b.port)
    target = host_port(near_a.address, near_a.port)
    caller(scene, Front(near_a.port, "TCP"), target, calls=calls, rate=rate).expect(calls, deadline_s=90)


def nothing_stays(scene: Stage) -> None:
    """Wait until the border is as it was."""
    for gauge in ("ibcf_calls_active", "ibcf_transactions_active"):
        wait_until(
            lambda gauge=gauge: scene.border.metrics().value(gauge) == 0,  # type: ignore[misc]
            deadline_s=20,
            what=f"{gauge} is 0 again",
        )


@pytest.mark.parametrize(
    ("manner", "calls", "rate"),
    [(Manner(piece_max=1), 10, 20), (Manner(piece_max=300), 200, 40), (Manner(piece_max=200, stall_s=0.002), 20, 4)],
    ids=["byte by byte", "pieces", "stalls"],
)
def test_streams_in_pieces_are_put_together(set_stage: SetStage, manner: Manner, calls: int, rate: int) -> None:
    """Wherever a stream is cut, each message is read once and whole: all calls complete, with one CDR each."""
    with stream_relays(manner, addresses=ADDRESSES, seed=SEED) as relays:
        scene = set_stage(over_tcp, around=around(relays))
        play(scene, relays, calls, rate)
        records = scene.border.wait_for_records(calls)
        assert len({record["call_id"] for record in records}) == calls
        assert {(record["outcome"], record["peer_out"]) for record in records} == {("answered", "carrier_b")}
        assert scene.grown("ibcf_parse_errors_total") == 0
        assert scene.grown("ibcf_sip_retransmissions_total") == 0
        assert [relay.opened for relay in relays] == [1, 1], "one connection carries all calls"
        nothing_stays(scene)
