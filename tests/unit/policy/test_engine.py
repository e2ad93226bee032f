"""The shipped policy on the real engine: what its comments promise is what it does."""

import asyncio
from pathlib import Path

import pytest

from ibcf import _core
from ibcf.boundary import decode_reasons
from ibcf.config import read, read_text
from ibcf.errors import ConfigError
from ibcf.policy.compile import VERSION, checked_snapshot, open_engine
from ibcf.policy.explain import Arrival, Explanation, explain, find_peer, target_at
from ibcf.policy.locations import Locations
from ibcf.policy.resolvers import open_resolvers
from ibcf.policy.specimen import request_to
from ibcf.policy.stand_ins import SilentHooks
from ibcf.routing.locator import LocatorSettings
from tests.unit.config.pairs import KEY, KEY_VARIABLE, SECTIONS, sound
from tests.unit.routing.test_locator import Source
from tests.unit.routing.zones import Answers, Zone

DEMO = Path(__file__).parents[3] / "policies" / "demo.yaml"


def explained(number: str, sender: str, method: str = "INVITE") -> Explanation:
    """Return what the shipped policy does with a request from *sender* to *number*."""
    loaded = read(DEMO)
    peer = find_peer(loaded.config, sender)
    assert peer is not None
    message = request_to(number, peer=peer, config=loaded.config, method=method)
    engine = open_engine(checked_snapshot(loaded), trace=True)

    async def run() -> Explanation:
        arrival = Arrival(peer, message, now_ms=1_000)
        return await explain(engine, arrival, open_resolvers(loaded.config), Locations(loaded.config), SilentHooks())

    return asyncio.run(run())


def test_compiler_and_core_speak_of_one_version() -> None:
    """The number in the document is the one that the core reads."""
    assert VERSION == _core.SNAPSHOT_VERSION


@pytest.mark.parametrize(
    ("number", "sender", "target", "rules"),
    [
        ("+441632960083", "carrier_a", ("carrier_b", "b1"), ["look_up", "to_b"]),
        ("+441632960085", "carrier_a", ("carrier_b", "b1"), ["look_up", "to_b"]),
        ("+441632960090", "carrier_a", ("carrier_c", "c1"), ["look_up", "to_c"]),
        ("+441632960091", "carrier_a", ("carrier_c", "c1"), ["look_up", "through_transit"]),
        ("+441632960999", "carrier_a", ("carrier_c", "c1"), ["look_up", "through_transit"]),
        ("+441632960001", "carrier_b", ("carrier_a", "a1"), ["to_our_core"]),
    ],
)
def test_each_number_takes_its_way(number: str, sender: str, target: tuple[str, str], rules: list[str]) -> None:
    """The rules that match, in order, and the target that the request would be sent to."""
    told = explained(number, sender)
    matched = [step.rule for step in told.steps if step.stage == "decide" and step.outcome == "matched"]
    assert matched == rules
    assert told.forwarded is not None
    assert target_at(read(DEMO).config, told.located, told.forwarded.destination) == target


def test_a_forbidden_number_is_refused_in_the_words_of_the_policy() -> None:
    """Premium numbers get the status, the phrase and the reason of the rule, and leave nothing towards the peers."""
    told = explained("+449098790123", "carrier_a")
    assert told.forwarded is None
    assert told.answered is not None
    assert told.answered.data.startswith(b"SIP/2.0 403 Premium Rate Barred\r\n")
    assert told.reason == "decide.forbidden"


def test_what_carrier_b_sees_is_what_was_agreed() -> None:
    """The rule set of the agreement ran, and charging names our network."""
    told = explained("+441632960083", "carrier_a")
    changes = {(change.kind, change.name) for change in told.changes()}
    assert {("removed", "User-Agent"), ("added", "X-Interconnect"), ("added", "Via")} <= changes
    assert told.forwarded is not None
    assert b"orig-ioi=a.example" in told.forwarded.data


def test_the_reasons_of_the_core_are_those_that_check_knows(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every id of the catalogue may stand in a route, and nothing else."""
    monkeypatch.setenv(KEY_VARIABLE, KEY)
    ids = [reason.id for reason in decode_reasons(_core.reasons())]
    rules = "".join(
        f"  - {{id: r{at}, match: {{method: M{at}}}, reject: {{reason: {id_}}}}}\n" for at, id_ in enumerate(ids)
    )
    checked_snapshot(read_text(sound(routes=f"routes:\n{rules}  - {{id: all, to: [{{peer: carrier_b}}]}}\n")))
    with pytest.raises(ConfigError, match=r'unknown reason "decide\.nothing"'):
        read_text(sound(routes="routes:\n  - {id: all, reject: {reason: decide.nothing}}\n"))


def test_what_only_the_core_can_judge_is_told_at_its_place(monkeypatch: pytest.MonkeyPatch) -> None:
    """An expression that Python takes and the core's engine does not is a fault at the rule that holds it."""
    monkeypatch.setenv(KEY_VARIABLE, KEY)
    rule = "{id: a, replace: {header: Subject, regex: '(?:a{1000}){1000}', with: x}}"
    loaded = read_text(sound(header_rules=f"header_rules:\n  - {{id: to_b, rules: [{rule}]}}\n"), file="x.yaml")
    with pytest.raises(ConfigError) as caught:
        checked_snapshot(loaded)
    assert str(caught.value).startswith("x.yaml:2:24 header_rules[0].rules[0]: ")
    assert "\n" not in str(caught.value)


async def test_a_peer_given_as_a_domain_is_sent_to_where_dns_says(monkeypatch: pytest.MonkeyPatch) -> None:
    """The real engine takes located targets in their order and forwards to the best; without any it refuses."""
    monkeypatch.setenv(KEY_VARIABLE, KEY)
    servers: Zone = {"SRV _sip._udp.b.example": ["2 1 5060 s.b.example.", "1 1 5062 s.b.example."]}
    zone = Answers({**servers, "A s.b.example": ["127.0.0.33"]})
    monkeypatch.setattr(LocatorSettings, "open_source", lambda _: Source(zone))
    peers = SECTIONS["peers"].replace('targets: [{id: b1, address: "127.0.0.3:5060"}]', "domain: b.example")
    routes = "routes:\n  - {id: all, to: [{peer: carrier_b}]}\n"
    loaded = read_text(sound(peers=peers, routes=routes, locator='locator: {servers: "127.0.0.1:53"}\n'))
    config = loaded.config
    peer = find_peer(config, "carrier_a")
    assert peer is not None
    message = request_to("+441632960083", peer=peer, config=config)
    for destination in ("127.0.0.33:5062", None):
        engine = open_engine(checked_snapshot(loaded), trace=True)
        told = await explain(engine, Arrival(peer, message, now_ms=1_000), {}, Locations(config), SilentHooks())
        assert (told.forwarded and told.forwarded.destination) == destination
        if destination is not None:
            assert target_at(config, told.located, destination) == ("carrier_b", f"{destination};transport=udp")
        zone.zone = {}
