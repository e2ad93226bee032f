from dataclasses import replace
from pathlib import Path

import pytest

from ibcf.config import loader, read, read_text
from ibcf.policy.compile import document
from ibcf.policy.resolvers import enum_settings, locator_settings, open_resolvers, peer_domains, peer_preferences
from ibcf.routing.location import Destination, Preferences
from ibcf.routing.locator import LocatorSettings
from ibcf.routing.watcher import PeerDomain
from tests.unit.config.pairs import KEY, KEY_VARIABLE, sound

DEMO = Path(__file__).parents[3] / "policies" / "demo.yaml"


@pytest.fixture(autouse=True)
def surroundings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give the configuration its key."""
    monkeypatch.setenv(KEY_VARIABLE, KEY)
    monkeypatch.setattr(loader, "known_reasons", lambda: None)


def test_a_section_becomes_the_settings_of_its_resolver() -> None:
    """Servers keep their order and ports, units become milliseconds, services fold to lower case."""
    enum = (
        'enum:\n  - {id: numbers, apexes: [e164.arpa, e164enum.net], services: [SIP, "pstn:sip"], ttl_max: 1h,\n'
        '     servers: ["127.0.0.1:53", "[::1]:5353"], timeout: 250ms, deadline: 1s, negative_ttl: 5s, digits_min: 9}\n'
    )
    settings = enum_settings(read_text(sound(enum=enum)).config.enum[0])
    assert settings.servers == ("127.0.0.1:53", "[::1]:5353")
    assert settings.apexes == ("e164.arpa", "e164enum.net")
    assert settings.rules.services == ("sip", "pstn:sip")
    assert (settings.timeout_ms, settings.deadline_ms, settings.negative_ttl_ms) == (250, 1000, 5000)
    assert (settings.ttl_max_ms, settings.digits_min) == (3_600_000, 9)


def test_the_locator_section_becomes_the_settings_of_the_locator() -> None:
    """Servers and families keep their order, units become milliseconds, and the defaults are the same on both sides."""
    text = (
        'locator: {servers: ["127.0.0.1:53", "[::1]:5353"], timeout: 250ms, tries: 1, stale_max: 1h, families: ipv4}\n'
    )
    section = read_text(sound(locator=text)).config.locator
    assert section is not None
    settings = locator_settings(section)
    expected = LocatorSettings(("127.0.0.1:53", "[::1]:5353"), timeout_ms=250, tries=1, stale_max_ms=3_600_000)
    assert settings == replace(expected, families=("ipv4",))


def test_a_peer_is_located_for_what_its_listeners_speak() -> None:
    """Transports in the order of the peer's listeners, families in that of the locator, as far as there are both."""
    text = {
        "locator": 'locator: {servers: "127.0.0.1:53", families: [ipv6, ipv4]}\n',
        "listeners": """\
listeners:
  - {id: home_udp, side: home, transport: udp, address: "127.0.0.1:5060"}
  - {id: peer_udp, side: peer, transport: udp, address: "127.0.0.1:5070"}
  - {id: peer_tcp, side: peer, transport: tcp, address: "127.0.0.1:5070"}
  - {id: peer_six, side: peer, transport: tcp, address: "[::1]:5070"}
""",
        "peers": """\
peers:
  - {id: carrier_a, side: home, agreement: own, listeners: home_udp, sources: 127.0.0.2, locate: request_uri}
  - id: carrier_b
    side: peer
    agreement: with_b
    listeners: [peer_tcp, peer_udp, peer_six]
    sources: 127.0.0.3
    domain: ims.b.example
    transport: tcp
""",
    }
    config = read_text(sound(**text)).config
    assert peer_preferences(config, config.peers[0]) == Preferences(("udp",), ("ipv4",))
    destination = Destination("ims.b.example", transport="tcp")
    assert peer_domains(config) == [PeerDomain("carrier_b", destination, Preferences(("tcp", "udp"), ("ipv6", "ipv4")))]
    locations = [peer["location"] for peer in document(config)["peers"]]
    assert locations == [{"kind": "request_uri", "deadline_ms": 2000}, {"kind": "domain"}]


@pytest.mark.parametrize(
    ("number", "outcome", "candidates"),
    [
        ("+441632960083", "found", ("sip:+441632960083@ims.b.example;user=phone",)),
        ("+441632960084", "found", ("sip:+441632960084@ims.b.example;user=phone",)),
        (
            "+441632960085",
            "found",
            ("sip:+441632960085@ims.b.example;user=phone", "sip:+441632960085@ims.c.example;user=phone"),
        ),
        ("+441632960090", "found", ("sip:+441632960090@ims.c.example;user=phone",)),
        ("+441632960091", "not_found", ()),
        ("+441632960999", "not_found", ()),
    ],
)
async def test_the_numbers_of_the_demonstration_resolve(number: str, outcome: str, candidates: tuple[str, ...]) -> None:
    """The zone beside the shipped policy says what its comments say."""
    resolvers = open_resolvers(read(DEMO).config)
    result = await resolvers["carrier_enum"].resolve(number)
    await resolvers["carrier_enum"].close()
    assert (result.outcome, result.candidates) == (outcome, candidates)
