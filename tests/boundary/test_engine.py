"""`ibcf._core.Engine`: the border without sockets, and with the caller's clock."""

from __future__ import annotations

import msgspec
import pytest

from ibcf import _core, boundary
from ibcf.errors import CoreError
from tests.boundary.conftest import document, request, snapshot

SOURCE = "127.0.0.1:5070"
START_MS = 1_700_000_000_000


def invite(engine: _core.Engine, uri: str) -> _core.Outputs:
    """Give the engine an INVITE of the home core."""
    return engine.receive("home", SOURCE, request("INVITE", uri, source=SOURCE), now_ms=START_MS)


def statuses(outputs: _core.Outputs) -> list[int]:
    """Return the status codes of the responses that left."""
    return [int(data.split(b" ", 2)[1]) for _, _, data in outputs.sends if data.startswith(b"SIP/2.0 ")]


def test_what_leaves_names_listener_and_destination() -> None:
    """A refused call is answered from the listener it came to, to where it came from, and makes its record."""
    outputs = invite(_core.Engine(snapshot()), "tel:+44901")
    assert {(listener, destination) for listener, destination, _ in outputs.sends} == {("home", SOURCE)}
    assert statuses(outputs)[-1] == 403
    record = msgspec.json.decode(outputs.cdrs)
    assert outputs.events == b"[]"
    assert (record["start_ms"], record["reason"]) == (START_MS, "decide.forbidden")
    assert (record["local_record_sequence_number"], record["node_address"]) == (1, "127.0.0.1:5060")
    assert outputs.trace == b"[]"


def test_the_trace_tells_stage_by_stage_what_was_done() -> None:
    """With *trace*, each rule that was looked at is there with its outcome, and only for the call that made it."""
    engine = _core.Engine(snapshot(), trace=True)
    steps = msgspec.json.decode(invite(engine, "tel:+44901").trace)
    assert {"stage": "decide", "rule": "barred", "outcome": "matched"}.items() <= next(
        step for step in steps if step.get("rule") == "barred"
    ).items()
    assert engine.advance(now_ms=START_MS).trace == b"[]"


def test_the_same_seed_gives_the_same_bytes_and_another_one_others() -> None:
    """Two engines with one seed answer alike, so a failure can be replayed."""
    runs = [invite(_core.Engine(snapshot(), seed=seed), "tel:+44901").sends for seed in (1, 1, 2)]
    assert runs[0] == runs[1]
    assert runs[0] != runs[2]


def test_an_answer_goes_on_where_the_question_left() -> None:
    """The question comes out, and its answer leads to the final response."""
    engine = _core.Engine(snapshot())
    (question,) = boundary.decode_questions(invite(engine, "tel:+441632960083").questions)
    body = boundary.EnumAnswer(outcome="not_found", class_="NXDOMAIN")
    answers = boundary.encode_answers([boundary.Answer(id=question.id, body=body)])
    assert statuses(engine.answer(answers, now_ms=START_MS + 5)) == [404]


def test_time_passes_as_the_caller_says() -> None:
    """Without an answer the question's deadline decides, at its own time and not before."""
    engine = _core.Engine(snapshot())
    invite(engine, "tel:+441632960083")
    assert statuses(engine.advance(now_ms=START_MS + 4_900)) == []
    outputs = engine.advance(now_ms=START_MS + 60_000)
    assert statuses(outputs)[0] >= 400
    assert msgspec.json.decode(outputs.cdrs)["end_ms"] < START_MS + 6_000


def test_a_call_to_a_silent_peer_is_sent_again_and_given_up() -> None:
    """Timers A and B run on the caller's clock: seven INVITEs, then 408."""
    route = {"id": "home", "action": {"kind": "route", "to": [{"peer": "home_core"}]}}
    engine = _core.Engine(snapshot(routes=[route]))
    sends = invite(engine, "tel:+441632960083").sends + engine.advance(now_ms=START_MS + 33_000).sends
    assert sum(data.startswith(b"INVITE ") for _, _, data in sends) == 7
    assert any(data.startswith(b"SIP/2.0 408 ") for _, _, data in sends)


def test_garbage_is_no_exception() -> None:
    """Bytes of any kind lead to silence or an answer, never to an error of the caller."""
    engine = _core.Engine(snapshot())
    for data in (b"", b"\r\n\r\n", b"\xff" * 1_000, b"INVITE", request("INVITE", "tel:+1", source=SOURCE)[:200]):
        engine.receive("home", SOURCE, data, now_ms=START_MS)


def test_what_the_snapshot_does_not_have_is_named() -> None:
    """An unknown listener, a source without port and malformed answers are errors of the caller."""
    engine = _core.Engine(snapshot())
    with pytest.raises(CoreError, match=r'unknown listener "peer" \(known: home\)'):
        engine.receive("peer", SOURCE, b"", now_ms=START_MS)
    with pytest.raises(CoreError, match=r'"127\.0\.0\.1" is no source'):
        engine.receive("home", "127.0.0.1", b"", now_ms=START_MS)
    with pytest.raises(CoreError, match="answers: "):
        engine.answer(b"[1]", now_ms=START_MS)


def test_two_listeners_keep_their_names() -> None:
    """The listener by which a request came is the one its answer leaves by."""
    first = document()["listeners"][0]
    engine = _core.Engine(snapshot(listeners=[first, first | {"id": "second", "address": "127.0.0.1:5080"}]))
    outputs = engine.receive("second", SOURCE, request("INVITE", "tel:+44901", source=SOURCE), now_ms=START_MS)
    assert {listener for listener, _, _ in outputs.sends} == {"second"}


def test_over_tls_the_certificate_tells_who_sends_and_not_the_address() -> None:
    """On a TLS listener the peer that was proved is the sender; without one, nobody is, whatever the address."""
    listener = {"id": "home", "side": "home", "transport": "tls", "address": "127.0.0.1:0", "tls": "own"}
    [peer] = document()["peers"]
    peer |= {"tls": {"identities": ["a.example"], "authorities": ""}, "targets": []}
    tls = [{"id": "own", "certificates": "", "private_key": ""}]
    engine = _core.Engine(snapshot(tls=tls, listeners=[listener], peers=[peer]))
    message = request("INVITE", "tel:+44901", source=SOURCE)
    proved = engine.receive("home", "192.0.2.1:5061", message, now_ms=START_MS, peer="home_core")
    record = msgspec.json.decode(proved.cdrs)
    assert (record["peer_in"], record["reason"]) == ("home_core", "decide.forbidden")
    stranger = engine.receive("home", SOURCE, request("INVITE", "tel:+44901", source=SOURCE, call="2"), now_ms=START_MS)
    [refused] = boundary.decode_events(stranger.events)[0]
    assert isinstance(refused, boundary.MessageRefused)
    assert refused.reason == "admit.unknown_source"


def test_located_targets_are_where_an_engine_sends() -> None:
    """A peer given as a domain is sent to where it was told to be; the newest set counts, an empty one ends it."""
    whole = document()
    peer = whole["peers"][0] | {"id": "far", "sources": ["127.0.0.7/32"], "location": {"kind": "domain"}}
    whole["peers"].append({**peer, "targets": []})
    route = {"id": "all", "action": {"kind": "route", "to": [{"peer": "far"}]}}
    engine = _core.Engine(msgspec.json.encode({**whole, "routes": [route]}))
    for at, targets in enumerate((("127.0.0.7:5060",), ("127.0.0.8:5070", "127.0.0.9:5060"), ())):
        crossing = tuple(boundary.LocatedTarget(place, place, priority=rank) for rank, place in enumerate(targets))
        sets = boundary.encode_target_sets(
            [boundary.TargetSet("far", crossing), boundary.TargetSet("nobody", crossing)]
        )
        assert engine.set_targets(sets, now_ms=START_MS).sends == []
        message = request("INVITE", "sip:x@far.example", source=SOURCE, call=str(at))
        sends = engine.receive("home", SOURCE, message, now_ms=START_MS).sends
        sent = [destination for _, destination, data in sends if data.startswith(b"INVITE")]
        assert sent == list(targets[:1])
    with pytest.raises(CoreError, match="target sets"):
        engine.set_targets(b"{}", now_ms=START_MS)
