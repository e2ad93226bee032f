from pathlib import Path

import msgspec
import pytest

from ibcf.config import Loaded, loader, read_text
from ibcf.errors import ConfigError, SnapshotRefusedError
from ibcf.policy.compile import Snapshot, checked_snapshot, compile_snapshot, document
from tests.unit.config.pairs import KEY, KEY_VARIABLE, sound


@pytest.fixture(autouse=True)
def surroundings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give the configuration its key."""
    monkeypatch.setenv(KEY_VARIABLE, KEY)
    monkeypatch.setattr(loader, "known_reasons", lambda: None)


def loaded(**sections: str) -> Loaded:
    """Return a sound configuration with other *sections*."""
    return read_text(sound(**sections), file="x.yaml")


def test_the_snapshot_is_json_with_its_version_and_generation() -> None:
    """What crosses to the core is one JSON document that says which format and which generation it is."""
    snapshot = msgspec.json.decode(compile_snapshot(loaded().config, generation=7))
    assert (snapshot["version"], snapshot["generation"]) == (1, 7)
    assert set(snapshot) == {
        *("version", "generation", "node", "limits", "timers", "unknown_source", "keys", "tls", "listeners"),
        *("agreements", "header_rules", "peers", "enums", "emergency", "limiters", "patterns", "routes"),
    }


def test_durations_become_milliseconds_and_sizes_bytes() -> None:
    """Units end here: the core reads numbers."""
    compiled = document(
        loaded(
            timers="timers: {t1: 250ms, first_response: 4s}\n",
            limits="limits: {uri_size_max: 4KiB, message_size_max: 64KiB, call_duration_max: 1d}\n",
            agreements="agreements:\n  - {id: own, trusted: true, methods: [INVITE], body_size_max: 16KiB}\n"
            "  - {id: with_b, trusted: true, methods: [INVITE]}\n",
        ).config
    )
    assert compiled["timers"] == {
        "t1_ms": 250, "t2_ms": 4000, "t4_ms": 5000, "c_ms": 185_000, "first_response_ms": 4000,
    }  # fmt: skip
    assert compiled["limits"]["uri_bytes_max"] == 4096
    assert compiled["limits"]["message_bytes_max"] == 65_535
    assert compiled["limits"]["call_duration_ms_max"] == 86_400_000
    assert [agreement["body_bytes_max"] for agreement in compiled["agreements"]] == [16_384, None]


def test_the_timers_that_a_peer_leaves_out_are_those_of_the_node() -> None:
    """A peer that says only T2 keeps the node's T1, not that of RFC 3261."""
    peers = (
        "peers:\n  - {id: a, side: home, agreement: own, listeners: home_udp, sources: 127.0.0.2, timers: {t2: 8s}}\n"
        "  - {id: carrier_b, side: peer, agreement: with_b, listeners: peer_udp, sources: 127.0.0.3}\n"
    )
    compiled = document(loaded(timers="timers: {t1: 250ms}\n", peers=peers).config)
    assert compiled["peers"][0]["timers"]["t1_ms"] == 250
    assert compiled["peers"][0]["timers"]["t2_ms"] == 8000
    assert compiled["peers"][1]["timers"] is None


def test_each_header_rule_has_its_action() -> None:
    """The four edits of the file are the four kinds of the document; an expression is told from a text."""
    rules = """\
header_rules:
  - id: to_b
    rules:
      - {id: a, add: {header: X-A, value: v}}
      - {id: b, on: responses, set: {header: Server, value: v}}
      - {id: c, methods: INVITE, remove: User-Agent}
      - {id: d, replace: {header: Subject, pattern: x, with: y}}
      - {id: e, on: requests, replace: {header: Subject, regex: "(x)", with: "$1"}}
"""
    compiled = document(loaded(header_rules=rules).config)["header_rules"][0]["rules"]
    assert [(rule["id"], rule["messages"], rule["header"], rule["action"]["kind"]) for rule in compiled] == [
        ("a", "any", "X-A", "add"),
        ("b", "responses", "Server", "set"),
        ("c", "any", "User-Agent", "remove"),
        ("d", "any", "Subject", "replace"),
        ("e", "requests", "Subject", "replace"),
    ]
    assert [rule["action"]["regex"] for rule in compiled[3:]] == [False, True]
    assert compiled[2]["methods"] == ("INVITE",)


def test_each_route_has_its_condition_and_action() -> None:
    """Conditions keep their lists, and what a rule leaves out is left to the core's defaults."""
    routes = """\
routes:
  - {id: look_up, match: {direction: exit, scheme: [tel, sip], number_prefix: "+44"}, enum: numbers}
  - {id: no, match: {enum: failed, peer: carrier_a, method: INVITE}, reject: {reason: decide.forbidden, status: 603}}
  - {id: b, match: {domain: "*.b.test"}, to: [{peer: carrier_b, weight: 3}], failover_on: [503, 500], attempts_max: 2}
  - {id: c, match: {method: INVITE}, to: [{peer: carrier_b}], fork: parallel, time_budget: 20s, redirects: recurse}
  - {id: all, to: [{peer: carrier_b, priority: 2}]}
"""
    look_up, no, b, c, everything = document(loaded(routes=routes).config)["routes"]
    assert look_up["action"] == {"kind": "enum", "service": "numbers"}
    assert look_up["condition"]["direction"] == "exit"
    assert look_up["condition"]["schemes"] == ("tel", "sip")
    assert look_up["condition"]["number"]["prefixes"] == ("+44",)
    assert no["action"] == {"kind": "reject", "reason": "decide.forbidden", "status": 603, "phrase": None}
    assert (no["condition"]["enum_outcomes"], no["condition"]["peers"]) == (("failed",), ("carrier_a",))
    assert b["action"]["failover_statuses"] == (503, 500)
    assert b["action"]["to"] == [{"peer": "carrier_b", "priority": 0, "weight": 3}]
    assert (c["action"]["fork"], c["action"]["redirects"]) == ("parallel", "recurse")
    assert c["action"]["time_budget_ms"] == 20_000
    assert set(everything["action"]) == {"kind", "to"}


def test_an_agreement_that_extends_another_is_completed_by_it() -> None:
    """Mappings are completed key by key, lists are replaced, ids stay."""
    agreements = """\
agreements:
  - {id: own, trusted: true, methods: [INVITE], charging: {orig_ioi: a.example, removed_parameters: [x]}}
  - {id: with_b, extends: own, methods: [INVITE, ACK], charging: {orig_ioi: b.example}}
"""
    _, with_b = document(loaded(agreements=agreements, header_rules="header_rules: []\n").config)["agreements"]
    assert (with_b["id"], with_b["trusted"], with_b["methods"]) == ("with_b", True, ("INVITE", "ACK"))
    assert with_b["charging"] == {"orig_ioi": "b.example", "term_ioi": None, "removed_parameters": ("x",)}


def test_a_session_timer_is_agreed_or_left_to_the_user_agents() -> None:
    """The bounds of a session are milliseconds in the document; an agreement without them has none."""
    agreements = """\
agreements:
  - {id: own, trusted: true, methods: [INVITE], session_timer: {expires_max: 1h}}
  - {id: with_b, trusted: true, methods: [INVITE]}
"""
    own, with_b = document(loaded(agreements=agreements, header_rules="header_rules: []\n").config)["agreements"]
    assert own["session_timer"] == {"expires_ms_max": 3_600_000, "expires_ms_min": 90_000}
    assert with_b["session_timer"] is None


@pytest.mark.parametrize(
    ("refusal", "fault"),
    [
        ("header_rules[0].rules[0].action.pattern: too large", "x.yaml:28:24 header_rules[0].rules[0]: too large"),
        (
            "header_rules[to_b].rules[no_agent].pattern: bad\n  one\n ^",
            "x.yaml:28:24 header_rules[0].rules[0]: bad one ^",
        ),
        ("header_rules[gone].rules[a]: no", "x.yaml:28:3 header_rules: no"),
        ("enums[0].deadline_ms: no", "x.yaml:30:5 enum[0]: no"),
        ("routes[0].condition.direction: no", "x.yaml:32:38 routes[0].match.direction: no"),
        ("routes[2].to: names no peer", "x.yaml:34:19 routes[2].to: names no peer"),
        ("something else", "x.yaml:1:1: refused by the core: something else"),
    ],
)
def test_what_the_core_refuses_is_told_at_its_place_in_the_file(refusal: str, fault: str) -> None:
    """A refusal of the core names a place in the document, and becomes a fault at that place in the file."""

    def refuse(snapshot: Snapshot) -> None:
        raise SnapshotRefusedError(refusal)

    with pytest.raises(ConfigError) as caught:
        checked_snapshot(loaded(), check=refuse)
    assert str(caught.value) == fault


def test_the_shipped_flows_and_policies_compile() -> None:
    """Every configuration in the tree loads and compiles."""
    repository = Path(__file__).parents[3]
    policies = [path for path in (repository / "policies").glob("*.yaml") if not path.name.endswith("_test.yaml")]
    for path in (*policies, *(repository / "sipp-scenarios").glob("*.yaml")):
        assert compile_snapshot(loader.load(path))
