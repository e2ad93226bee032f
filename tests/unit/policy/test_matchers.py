"""Each matcher on the real engine: what it asks for, and a request that has it and one that has not."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from ibcf import _core
from ibcf.config import Loaded, read_text
from ibcf.policy.compile import checked_snapshot
from ibcf.policy.explain import address_of, find_peer
from ibcf.policy.specimen import request_to
from tests.unit.config.pairs import KEY, KEY_VARIABLE, sound

NUMBER = "+441632960083"
CALLING = "+441632960000"  # of the specimen
LISTS = "lists:\n  - {id: blocked, file: blocked.csv}\n"
AGREEMENTS = """\
agreements:
  - {id: own, trusted: true, methods: [INVITE, ACK, BYE, CANCEL, MESSAGE]}
  - {id: with_b, trusted: false, methods: [INVITE, ACK, BYE, CANCEL]}
"""
SUMMER_MONDAY = datetime(2026, 7, 6, 7, 30, tzinfo=UTC)  # 08:30 in London
WINTER_MONDAY = datetime(2026, 11, 30, 7, 30, tzinfo=UTC)  # 07:30 in London


@pytest.fixture(autouse=True)
def surroundings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Give the cases a key in the environment and a list."""
    monkeypatch.setenv(KEY_VARIABLE, KEY)
    monkeypatch.chdir(tmp_path)
    Path("blocked.csv").write_text("number,class\n+4416329600,office\n+4490,premium\n+49\n")


def configuration(match: str) -> Loaded:
    """Return a border that refuses what *match* holds for with 488, and sends the rest on."""
    rule = f"  - {{id: asked, match: {match}, reject: {{reason: decide.forbidden, status: 488}}}}\n"
    rules = {"header_rules": "header_rules: []\n", "agreements": AGREEMENTS, "lists": LISTS}
    routes = f"routes:\n{rule}  - {{id: all, to: [{{peer: carrier_b}}]}}\n"
    return read_text(sound(routes=routes, enum="enum: []\n", **rules))


def holds(
    match: str,
    *,
    sender: str = "carrier_a",
    number: str = NUMBER,
    method: str = "INVITE",
    change: tuple[str, str] = ("", ""),
    at: datetime = WINTER_MONDAY,
) -> bool:
    """Tell whether *match* holds for a request; the walk in order, which a trace takes, must come to the same."""
    loaded = configuration(match)
    peer = find_peer(loaded.config, sender)
    assert peer is not None
    request = request_to(number, peer=peer, config=loaded.config, method=method).decode()
    assert change[0] in request
    data = request.replace(*change, 1).encode() if change[0] else request.encode()
    snapshot = checked_snapshot(loaded)
    found = set()
    for trace in (False, True):
        engine = _core.Engine(snapshot.document, lists=snapshot.lists, trace=trace)
        now_ms = int(at.timestamp() * 1000)
        outputs = engine.receive(peer.listeners[0], address_of(peer), data, now_ms=now_ms)
        found.add(any(sent.startswith(b"SIP/2.0 488 ") for _, _, sent in outputs.sends))
    assert len(found) == 1, "the index and the walk in order disagree"
    return found.pop()


URI = "tel:+441632960083 SIP"
SUPPORTED = "Supported: 100rel, timer"
MULTIPART = (
    'Content-Type: multipart/mixed;boundary="b"\r\nContent-Length: 101\r\n\r\n'
    "--b\r\nContent-Type: application/sdp\r\n\r\nm=video 1 RTP/AVP 31\r\n--b\r\n"
    "Content-Type: application/isup\r\n\r\nx\r\n--b--"
)


@pytest.mark.parametrize(
    ("match", "change", "outcome"),
    [
        ("{peer: carrier_a}", {}, True),
        ("{peer: carrier_a}", {"sender": "carrier_b"}, False),
        ("{side: home}", {}, True),
        ("{side: home}", {"sender": "carrier_b"}, False),
        ("{direction: exit}", {}, True),
        ("{direction: entry}", {}, False),
        ("{listener: [home_udp]}", {}, True),
        ("{listener: [peer_udp]}", {}, False),
        ("{transport: [tcp, udp]}", {}, True),
        ("{transport: tls}", {}, False),
        ("{trusted: true}", {}, True),
        ("{trusted: true}", {"sender": "carrier_b"}, False),
        ("{method: MESSAGE}", {"method": "MESSAGE"}, True),
        ("{method: MESSAGE}", {}, False),
        ("{scheme: tel}", {}, True),
        ("{scheme: [sip, sips]}", {}, False),
        ('{domain: "*.b.example"}', {"change": (URI, "sip:u@x.b.example SIP")}, True),
        ('{domain: "*.b.example"}', {"change": (URI, "sip:u@b.example SIP")}, False),
        ('{user: "^[a-z]+$"}', {"change": (URI, "sip:alice@b.example SIP")}, True),
        ('{user: "^[a-z]+$"}', {"change": (URI, "sip:alice1@b.example SIP")}, False),
        ('{user: "^[a-z]+$"}', {}, False),
        ('{number_prefix: ["+4416"]}', {}, True),
        ('{number_prefix: ["+4417", "+49"]}', {}, False),
        ("{number_range: +441632960000-+441632960099}", {}, True),
        ("{number_range: +441632960100-+441632960199}", {}, False),
        ("{number_length: 12}", {}, True),
        ("{number_length: 7-11}", {}, False),
        ("{number_list: blocked}", {}, True),
        ("{number_list: blocked}", {"number": "+4916329600"}, True),
        ("{number_list: blocked}", {"number": "+331632960"}, False),
        ("{number_list: {list: blocked, class: premium}}", {"number": "+44901234567"}, True),
        ("{number_list: {list: blocked, class: premium}}", {}, False),
        ('{calling_prefix: "+4416"}', {}, True),
        ('{calling_prefix: "+49"}', {}, False),
        ("{calling_range: +441632960000-+441632960000}", {}, True),
        ("{calling_length: 5}", {}, False),
        ("{calling_list: {list: blocked, class: office}}", {}, True),
        ("{calling_list: {list: blocked, class: premium}}", {}, False),
        ("{header: {name: Supported, present: true}}", {}, True),
        ("{header: {name: k, present: true}}", {}, True),
        ("{header: {name: Subject, present: true}}", {}, False),
        ("{header: {name: Subject, present: false}}", {}, True),
        ("{header: {name: Supported, equals: TIMER}}", {}, True),
        ("{header: {name: Supported, equals: time}}", {}, False),
        ('{header: {name: User-Agent, regex: "^ibcf"}}', {}, True),
        ('{header: {name: User-Agent, regex: "^sip"}}', {}, False),
        ("{header: {name: From, parameter: tag, equals: explain}}", {}, True),
        ("{header: {name: From, parameter: tag, equals: other}}", {}, False),
        ("{header: [{name: Supported, present: true}, {name: Subject, present: true}]}", {}, False),
        ("{body_type: application/sdp}", {}, True),
        ("{body_type: text/plain}", {}, False),
        ('{body_type: "text/*"}', {"method": "MESSAGE"}, True),
        ("{body_type: application/isup}", {"change": ("BODY", "")}, True),
        ("{media: audio}", {}, True),
        ("{media: video}", {}, False),
        ("{media: video}", {"change": ("BODY", "")}, True),
        ("{codec: [evs, amr-wb]}", {}, True),
        ("{codec: PCMU}", {}, False),
        ("{codec: PCMU}", {"change": ("AVP 96 8", "AVP 96 0")}, True),
        ("{option_tag: timer}", {}, True),
        ("{option_tag: precondition}", {}, False),
        ("{resource_priority: wps}", {"change": (SUPPORTED, f"Resource-Priority: wps.1\r\n{SUPPORTED}")}, True),
        ("{resource_priority: wps.0}", {"change": (SUPPORTED, f"Resource-Priority: wps.1\r\n{SUPPORTED}")}, False),
        ("{resource_priority: wps}", {}, False),
        ("{emergency: true}", {"change": (URI, "urn:service:sos.fire SIP")}, True),
        ("{emergency: true}", {}, False),
        ("{emergency: false}", {}, True),
        ("{enum: [found, not_found, failed]}", {}, False),
        ("{iotl: homeA-homeB}", {"change": (URI, "sip:u@b.example;iotl=homeA-homeB SIP")}, True),
        ("{iotl: homeA-homeB}", {"change": (URI, "sip:u@b.example;iotl=homeA-visitedA SIP")}, False),
        ("{iotl: homeA-homeB}", {}, False),
        ('{time: {zone: Europe/London, days: mon-fri, from: "08:00", to: "18:00"}}', {"at": SUMMER_MONDAY}, True),
        ('{time: {zone: Europe/London, days: mon-fri, from: "08:00", to: "18:00"}}', {}, False),
        ('{time: {zone: UTC, days: sun, from: "22:00", to: "08:00"}}', {}, True),
        ('{time: {zone: UTC, days: mon, from: "22:00", to: "08:00"}}', {}, False),
        ("{percentage: 100}", {}, True),
        ("{percentage: 0.01}", {}, False),
        ("{all: [{method: INVITE}, {scheme: tel}]}", {}, True),
        ("{all: [{method: INVITE}, {scheme: sip}]}", {}, False),
        ("{any: [{scheme: sip}, {number_length: 12}]}", {}, True),
        ("{any: [{scheme: sip}, {number_length: 11}]}", {}, False),
        ('{not: {number_prefix: "+44"}}', {}, False),
        ('{not: {number_prefix: "+49"}}', {}, True),
        ("{method: INVITE, not: {any: [{scheme: sip}, {not: {side: home}}]}}", {}, True),
    ],
)
def test_a_matcher_holds_for_what_it_names_and_nothing_else(
    match: str, change: dict[str, object], *, outcome: bool
) -> None:
    """One request that has it, one that has not."""
    if change.get("change") == ("BODY", ""):
        body = request_to(
            NUMBER, peer=configuration(match).config.peers[0], config=configuration(match).config
        ).decode()
        change = {"change": (body[body.index("Content-Type") :], MULTIPART)}
    assert holds(match, **change) is outcome  # type: ignore[arg-type]


def test_a_percentage_takes_its_share_of_calls_and_the_same_ones_each_time() -> None:
    """Of many Call-IDs about so many hold, and those are the same on another node."""
    loaded = configuration("{percentage: 25}")
    peer = loaded.config.peers[0]
    request = request_to(NUMBER, peer=peer, config=loaded.config)
    snapshot = checked_snapshot(loaded)

    def chosen(seed: int) -> list[int]:
        engine = _core.Engine(snapshot.document, seed=seed, lists=snapshot.lists)
        found = []
        for at in range(400):
            data = request.replace(b"Call-ID: explain", b"Call-ID: c%d" % at).replace(b"-explain;", b"-%d;" % at)
            sends = engine.receive(peer.listeners[0], address_of(peer), data, now_ms=1_000 + at * 20).sends
            found += [
                at for _, _, sent in sends if sent.startswith(b"SIP/2.0 488 ") and b"\r\nCall-ID: c%d@" % at in sent
            ]
        return found

    first = chosen(1)
    assert 60 < len(first) < 140
    assert chosen(2) == first, "another node would choose other calls"


def test_a_trusted_sender_calls_with_what_it_asserts_and_a_stranger_with_its_from() -> None:
    """The calling number is that of P-Asserted-Identity inside the trust domain, else that of From (RFC 3325)."""
    match = '{calling_prefix: "+49"}'
    asserted = ("P-Asserted-Identity: <tel:+44", "P-Asserted-Identity: <tel:+49")
    assert holds(match, change=asserted)
    assert not holds(match, change=asserted, sender="carrier_b")
    assert holds(match, change=("From: <tel:+44", "From: <tel:+49"), sender="carrier_b")
