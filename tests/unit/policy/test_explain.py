from dataclasses import dataclass, field
from typing import Any

import msgspec
import pytest

from ibcf.boundary import LocateAnswer, LocatedTarget, LocateQuestion, TargetSet
from ibcf.config import Config, loader, read_text
from ibcf.dns.records import Class
from ibcf.errors import PolicyError
from ibcf.numbering.enum_lookup import EnumResult
from ibcf.policy.explain import Arrival, Change, address_of, compare, explain, find_peer, target_at
from ibcf.policy.specimen import request_to, with_line_ends
from ibcf.policy.stand_ins import SilentHooks
from tests.unit.config.pairs import KEY, KEY_VARIABLE, sound

INVITE = b"INVITE sip:+441632960083@b.example;user=phone SIP/2.0\r\nTo: x\r\n\r\n"
QUESTION = {"id": 5, "deadline_ms": 2000, "body": {"kind": "enum", "service": "numbers", "number": "+441632960083"}}
HERE = LocatedTarget("192.0.2.1:5060;transport=udp", "192.0.2.1:5060")
STEP = {"stage": "decide", "rule": "to_b", "outcome": "matched", "detail": "send it"}


@pytest.fixture
def config(monkeypatch: pytest.MonkeyPatch) -> Config:
    """Return a small sound configuration."""
    monkeypatch.setenv(KEY_VARIABLE, KEY)
    monkeypatch.setattr(loader, "known_reasons", lambda: None)
    return read_text(sound()).config


@dataclass
class FakeOutputs:
    """What the engine gives back."""

    sends: list[tuple[str, str, bytes]] = field(default_factory=list)
    asked: list[Any] = field(default_factory=list)
    happened: list[Any] = field(default_factory=list)
    charged: list[Any] = field(default_factory=list)
    steps: list[Any] = field(default_factory=list)

    @property
    def questions(self) -> bytes:
        """Return them as JSON."""
        return msgspec.json.encode(self.asked)

    @property
    def events(self) -> bytes:
        """Return them as JSON."""
        return msgspec.json.encode(self.happened)

    @property
    def cdrs(self) -> bytes:
        """Return them, a line each."""
        return msgspec.json.Encoder().encode_lines(self.charged)

    @property
    def trace(self) -> bytes:
        """Return it as JSON."""
        return msgspec.json.encode(self.steps)


@dataclass
class FakeEngine:
    """An engine that gives back what it was told to, in order, and notes what it was given."""

    outputs: list[FakeOutputs]
    given: list[tuple[object, ...]] = field(default_factory=list)

    def receive(self, listener: str, source: str, data: bytes, *, now_ms: int, peer: str | None = None) -> FakeOutputs:
        """Note a datagram."""
        self.given.append((listener, source, data))
        return self.outputs.pop(0)

    def set_targets(self, sets: bytes, *, now_ms: int) -> FakeOutputs:
        """Note where peers are."""
        self.given.append((msgspec.json.decode(sets),))
        return FakeOutputs()

    def answer(self, answers: bytes, *, now_ms: int) -> FakeOutputs:
        """Note answers."""
        self.given.append((msgspec.json.decode(answers),))
        return self.outputs.pop(0) if len(self.outputs) > 1 else self.outputs[0]


@dataclass
class FakeLocations:
    """Knows where some peers are, and the servers of every host."""

    known: list[TargetSet] = field(default_factory=list)
    asked: list[LocateQuestion] = field(default_factory=list)

    async def sets(self) -> list[TargetSet]:
        """Return them."""
        return list(self.known)

    async def answer(self, question: LocateQuestion) -> LocateAnswer:
        """Return one server."""
        self.asked.append(question)
        return LocateAnswer((HERE,), 1000)


class FakeResolver:
    """Knows every number."""

    async def resolve(self, number: str) -> EnumResult:
        """Return one URI."""
        return EnumResult("found", Class.FOUND, (f"sip:{number}@b.example;user=phone",), 300_000)


async def test_the_engine_is_answered_and_all_it_does_is_kept(config: Config) -> None:
    """A question goes to the resolver and its answer to the engine, and the steps of both rounds are kept in order."""
    peer = find_peer(config, "carrier_a")
    assert peer is not None
    trying = ("home_udp", "127.0.0.2:5060", b"SIP/2.0 100 Trying\r\n\r\n")
    first = FakeOutputs([trying], [QUESTION], steps=[{**STEP, "rule": "look_up"}])
    engine = FakeEngine([first, FakeOutputs([("peer_udp", "127.0.0.3:5060", INVITE)], steps=[STEP])])
    told = await explain(
        engine,
        Arrival(peer, b"INVITE tel:+441632960083 SIP/2.0\r\nTo: x\r\n\r\n", now_ms=1_000),
        {"numbers": FakeResolver()},
        FakeLocations(),
        SilentHooks(),
    )
    assert engine.given[0][:2] == ("home_udp", "127.0.0.2:5060")
    (answers,) = engine.given[1]
    assert isinstance(answers, list)
    (answer,) = answers
    assert answer["id"] == 5
    assert answer["body"] == {
        "kind": "enum", "outcome": "found", "class": "FOUND",
        "candidates": ["sip:+441632960083@b.example;user=phone"], "ttl_ms": 300_000,
    }  # fmt: skip
    assert [step.rule for step in told.steps] == ["look_up", "to_b"]
    assert told.forwarded is not None
    assert told.forwarded.destination == "127.0.0.3:5060"
    assert target_at(config, told.located, told.forwarded.destination) == ("carrier_b", "b1")
    assert told.answered is None
    assert [change.name for change in told.changes()] == [""]


async def test_a_refusal_shows_its_status_and_reason(config: Config) -> None:
    """When the border answers itself, its final response and the reason of the record are what came of it."""
    peer = find_peer(config, "carrier_a")
    assert peer is not None
    refused = {
        "event": "message_refused", "reason": "admit.rate", "source": "127.0.0.2:5060", "detail": "", "suppressed": 0,
        "unix_ms": 0,
    }  # fmt: skip
    response = ("home_udp", "127.0.0.2:5060", b"SIP/2.0 503 Service Unavailable\r\n\r\n")
    told = await explain(
        FakeEngine([FakeOutputs([response], happened=[refused])]),
        Arrival(peer, INVITE, now_ms=1_000),
        {},
        FakeLocations(),
        SilentHooks(),
    )
    assert told.forwarded is None
    assert told.answered is not None
    assert (told.answered.status, told.reason) == (503, "admit.rate")
    assert told.changes() == []


async def test_a_rejected_call_shows_the_reason_of_its_record(config: Config) -> None:
    """When the message became a call, its charging record has the reason, should there be one."""
    peer = find_peer(config, "carrier_a")
    assert peer is not None
    outputs = FakeOutputs(charged=[{"call_id": "1", "reason": None}, {"call_id": "2", "reason": "decide.forbidden"}])
    told = await explain(FakeEngine([outputs]), Arrival(peer, INVITE, now_ms=1_000), {}, FakeLocations(), SilentHooks())
    assert told.reason == "decide.forbidden"


async def test_an_engine_that_never_stops_asking_is_stopped(config: Config) -> None:
    """A policy that looks up without an end leads to an error and not to a loop."""
    peer = find_peer(config, "carrier_a")
    assert peer is not None
    engine = FakeEngine([FakeOutputs(asked=[QUESTION])] * 2)
    with pytest.raises(PolicyError, match="more than 64 questions"):
        await explain(
            engine, Arrival(peer, INVITE, now_ms=1_000), {"numbers": FakeResolver()}, FakeLocations(), SilentHooks()
        )


async def test_next_hops_out_of_dns_are_told_to_the_engine(config: Config) -> None:
    """Peers given as a domain are located first, hosts when the engine asks; the target found has its name."""
    peer = find_peer(config, "carrier_a")
    assert peer is not None
    asked = {"id": 7, "deadline_ms": 9, "body": {"kind": "locate", "peer": "carrier_b", "host": "h.example"}}
    sent = FakeOutputs([("peer_udp", "192.0.2.1:5060", INVITE)])
    engine = FakeEngine([FakeOutputs(asked=[asked]), sent])
    locations = FakeLocations([TargetSet("carrier_c", (LocatedTarget("c", "192.0.2.9:5060"),))])
    told = await explain(engine, Arrival(peer, INVITE, now_ms=1_000), {}, locations, SilentHooks())
    (sets,), (_, _, data), (answers,) = engine.given
    assert (sets[0]["peer"], data) == ("carrier_c", INVITE)  # type: ignore[index]
    assert answers[0]["body"]["targets"][0]["address"] == "192.0.2.1:5060"  # type: ignore[index]
    assert [question.host for question in locations.asked] == ["h.example"]
    assert [one.peer for one in told.located] == ["carrier_c", "carrier_b"]
    assert target_at(config, told.located, "192.0.2.1:5060") == ("carrier_b", HERE.id)
    assert target_at(config, told.located, "192.0.2.2:5060") is None


def test_a_new_via_on_top_is_one_addition() -> None:
    """What was there is not told as changed because something new stands before it."""
    old, new = "SIP/2.0/UDP 127.0.0.2:5060;branch=z9hG4bK1", "SIP/2.0/UDP 192.0.2.9:5070;branch=z9hG4bK99"
    before = f"INVITE tel:+1 SIP/2.0\r\nVia: {old}\r\nTo: x\r\nUser-Agent: u\r\nm: <sip:a>\r\n\r\nbody".encode()
    after = (
        f"INVITE sip:+1@b SIP/2.0\r\nVia: {new}\r\nVia: {old};received=1\r\n"
        "To: x\r\nContact: <sip:a>\r\nX: 1\r\n\r\nbody!"
    ).encode()
    assert compare(before, after) == [
        Change("changed", "", "INVITE tel:+1 SIP/2.0", "INVITE sip:+1@b SIP/2.0"),
        Change("added", "Via", None, new),
        Change("changed", "Via", old, f"{old};received=1"),
        Change("added", "X", None, "1"),
        Change("removed", "User-Agent", "u", None),
        Change("changed", "body", "4 bytes", "5 bytes"),
    ]
    assert compare(before, b"".join(before.partition(b"Via")[:1]) + b"Via: new\r\n" + before.partition(b"\r\n")[2]) == [
        Change("added", "Via", None, "new")
    ]


def test_folded_headers_are_compared_whole() -> None:
    """A header that goes on in the next line is one value."""
    assert compare(b"A b C\r\nX: 1\r\n 2\r\n\r\n", b"A b C\r\nX: 1 2\r\n\r\n") == []


def test_a_message_comes_from_where_its_peer_sends(config: Config) -> None:
    """The address of a target is taken when the peer may send from it, else the first of its networks."""
    peers = (
        'peers:\n  - {id: t, side: home, agreement: own, listeners: home_udp, sources: "127.0.0.0/8", '
        'targets: [{id: x, address: "10.0.0.1:5060"}, {id: y, address: "127.0.0.9:5099"}]}\n'
        '  - {id: carrier_b, side: peer, agreement: with_b, listeners: peer_udp, sources: "2001:db8::/64"}\n'
    )
    first, second = read_text(sound(peers=peers)).config.peers
    assert address_of(first) == "127.0.0.9:5099"
    assert address_of(second) == "[2001:db8::1]:5060"
    assert find_peer(config, "nobody") is None


@pytest.mark.parametrize("method", ["INVITE", "MESSAGE", "OPTIONS"])
def test_a_made_up_request_is_whole(config: Config, method: str) -> None:
    """It has what RFC 3261 makes mandatory, and a Content-Length that is that of its body."""
    for peer in config.peers:
        message = request_to("+441632960083", peer=peer, config=config, method=method)
        head, _, body = message.partition(b"\r\n\r\n")
        names = {line.partition(b":")[0] for line in head.split(b"\r\n")[1:]}
        assert {b"Via", b"Max-Forwards", b"From", b"To", b"Call-ID", b"CSeq"} <= names
        assert f"Content-Length: {len(body)}".encode() in head
        scheme = b"tel:" if peer.side == "home" else b"sip:"
        assert message.startswith(method.encode() + b" " + scheme)


@pytest.mark.parametrize(
    ("saved", "message"),
    [
        (b"A b C\nX: 1\n\nbody\n", b"A b C\r\nX: 1\r\n\r\nbody\n"),
        (b"A b C\r\nX: 1\r\n\r\nbody\n\nmore", b"A b C\r\nX: 1\r\n\r\nbody\n\nmore"),
        (b"A b C\nX: 1", b"A b C\r\nX: 1\r\n\r\n"),
        (b"A b C\r\nX: 1\r\n", b"A b C\r\nX: 1\r\n\r\n"),
    ],
)
def test_a_saved_message_gets_its_line_ends_back(saved: bytes, message: bytes) -> None:
    """Plain line ends of the headers are put right, and the body is left alone."""
    assert with_line_ends(saved) == message
