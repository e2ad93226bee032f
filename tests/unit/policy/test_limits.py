"""Limiters from the file to the answer, on the real engine, and as a trace tells of them."""

import json
from pathlib import Path

import pytest

from ibcf import _core
from ibcf.config import read_text
from ibcf.policy.compile import checked_snapshot, open_engine
from ibcf.policy.explain import address_of
from ibcf.policy.specimen import BRANCH, request_to
from tests.unit.config.pairs import KEY, KEY_VARIABLE, sound

LIMITERS = """\
limiters:
  - {id: premium, rate: 2/m, by: called, digits: 4, status: 486, retry_after: 90s}
"""
ROUTES = """\
routes:
  - {id: cap, match: {number_prefix: "+4490"}, limit: premium}
  - {id: rest, to: [{peer: carrier_b}]}
"""


@pytest.fixture(autouse=True)
def surroundings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Give the cases a key in the environment."""
    monkeypatch.setenv(KEY_VARIABLE, KEY)
    monkeypatch.chdir(tmp_path)


def unlike(at: int, request: bytes) -> bytes:
    """Return *request* as another one than those with another number."""
    return request.replace(b"explain@", b"explain-%d@" % at).replace(BRANCH.encode(), f"{BRANCH}{at}".encode())


def called(*numbers: str) -> list[_core.Outputs]:
    """Return what became of a call to each number, one second after the other."""
    loaded = read_text(sound(limiters=LIMITERS, routes=ROUTES, enum="enum: []\n"))
    peer = loaded.config.peers[0]
    engine = open_engine(checked_snapshot(loaded), trace=True)
    return [
        engine.receive(
            peer.listeners[0],
            address_of(peer),
            unlike(at, request_to(number, peer=peer, config=loaded.config)),
            now_ms=1_000 * at,
        )
        for at, number in enumerate(numbers, start=1)
    ]


def test_a_range_that_is_called_too_often_is_refused_and_others_go_on() -> None:
    """The rate counts per first digits; what finds no room gets status and Retry-After of the limiter."""
    first, second, third, other = called("+44901111111", "+44902222222", "+44903333333", "+441632960083")
    assert [outputs.cdrs for outputs in (first, second, other)] == [b"", b"", b""]
    response = third.sends[-1][2].decode()
    assert response.startswith("SIP/2.0 486 Busy Here\r\n")
    assert "\r\nRetry-After: 90\r\n" in response
    record = json.loads(third.cdrs)
    assert (record["reason"], record["route"], record["status"]) == ("decide.limit", "cap", 486)


def test_a_trace_tells_what_was_counted_and_why_there_is_no_room() -> None:
    """The limiter's step stands behind the rule's, with its limits and the key."""
    *_, third = called("+44901111111", "+44902222222", "+44903333333")
    steps = [(step.get("rule"), step["outcome"], step["detail"]) for step in json.loads(third.trace)]
    assert ("cap", "matched", "count it, then go on while there is room") in steps
    assert ("premium", "full", "2 in 60s, 2 at once of called +4490: too many in that time") in steps
