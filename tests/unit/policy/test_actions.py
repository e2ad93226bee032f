"""What rules do, on the real engine: tags in record and line, refusals that say how long to stay away, and silence."""

import json
import time
from pathlib import Path

import pytest

from ibcf import _core
from ibcf.config import read_text
from ibcf.policy.compile import checked_snapshot, open_engine
from ibcf.policy.explain import address_of
from ibcf.policy.specimen import request_to
from tests.unit.config.pairs import KEY, KEY_VARIABLE, sound

ROUTES = """\
routes:
  - {id: note_uk, match: {number_prefix: "+44"}, tag: uk}
  - {id: note_office, match: {number_length: 12}, tag: office}
  - {id: note_uk_too, match: {number_prefix: "+4416"}, tag: uk}
  - {id: closed, match: {number_prefix: "+449"}, reject: {reason: decide.peer_capacity, status: 480, retry_after: 90s}}
  - {id: quiet, match: {number_prefix: "+8816"}, drop: true}
  - {id: busy, reject: {reason: decide.peer_capacity}}
"""


@pytest.fixture(autouse=True)
def surroundings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Give the cases a key in the environment."""
    monkeypatch.setenv(KEY_VARIABLE, KEY)
    monkeypatch.chdir(tmp_path)


def begun(number: str) -> tuple[_core.Engine, str, str, bytes]:
    """Return an engine with the rules, and what a request to *number* is, from which listener and address it comes."""
    loaded = read_text(sound(routes=ROUTES, enum="enum: []\n"))
    peer = loaded.config.peers[0]
    request = request_to(number, peer=peer, config=loaded.config)
    return open_engine(checked_snapshot(loaded)), peer.listeners[0], address_of(peer), request


def refused(number: str) -> tuple[list[str], str]:
    """Return the tags in the record of a call that is refused, and the response."""
    engine, listener, source, request = begun(number)
    outputs = engine.receive(listener, source, request, now_ms=1_000)
    (record,) = [json.loads(line) for line in outputs.cdrs.splitlines()]
    return record["tags"], outputs.sends[-1][2].decode()


def test_a_call_has_each_tag_once_in_the_order_of_the_rules() -> None:
    """A rule with a tag goes on with the next one; what decides stands behind."""
    tags, response = refused("+441632960083")
    assert tags == ["uk", "office"]
    assert response.startswith("SIP/2.0 503 ")
    assert "Retry-After" not in response
    assert refused("+33")[0] == []


def test_a_refusal_says_how_long_to_stay_away() -> None:
    """Retry-After is in whole seconds, with whatever status the rule has."""
    tags, response = refused("+449012345678")
    assert tags == ["uk", "office"]
    assert response.startswith("SIP/2.0 480 ")
    assert "\r\nRetry-After: 90\r\n" in response


def test_a_dropped_call_hears_nothing_however_often_it_asks() -> None:
    """No 100, no answer to a repetition or a CANCEL; one record, which says that it was dropped and by which rule."""
    engine, listener, source, request = begun("+88161234")
    outputs = engine.receive(listener, source, request, now_ms=1_000)
    record = json.loads(outputs.cdrs)
    assert (record["outcome"], record["reason"], record["route"]) == ("rejected", "decide.dropped", "quiet")
    assert outputs.sends == []
    cancel = request.replace(b"INVITE tel", b"CANCEL tel").replace(b" INVITE\r\n", b" CANCEL\r\n")
    for repeated in (request, cancel, request):
        outputs = engine.receive(listener, source, repeated, now_ms=30_000)
        assert (outputs.sends, outputs.cdrs) == ([], b"")


def test_tags_are_counted_from_the_start() -> None:
    """A tag of the policy has its counter before the first call gets it."""
    overrides = {f"listeners.{name}.address": "127.0.0.1:0" for name in ("home_udp", "peer_udp")}
    loaded = read_text(sound(routes=ROUTES, enum="enum: []\n"), overrides=overrides)
    core = _core.Core(checked_snapshot(loaded).document)
    try:
        core.start()
        end = time.monotonic() + 10
        samples: list[dict[str, object]] = []
        while not samples and time.monotonic() < end:  # the worker's thread has to come up
            families = {family["name"]: family for family in json.loads(core.statistics())}
            samples = families["ibcf_calls_tagged_total"]["samples"]
        assert [(sample["labels"], sample["value"]) for sample in samples] == [(["uk"], 0), (["office"], 0)]
    finally:
        core.stop()
