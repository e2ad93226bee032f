"""`rewrite` on the real engine: what leaves, what later rules and ENUM see, what `explain` tells, what is covered."""

from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from ibcf.cli.main import app
from tests.unit.config.pairs import KEY, KEY_VARIABLE, sound

HEADERS = """\
header_rules:
  - {id: to_b, rules: [{id: no_agent, remove: User-Agent}]}
  - {id: ours, rules: [{id: mark, set: {header: X-Called, value: "${call.called} by ${call.calling}"}}]}
"""
ROUTES = """\
routes:
  - id: national
    match: {user: "^0[1-9]"}
    rewrite: {number: {strip: 1, prefix: "+44"}, form: tel}
  - {id: look_up, match: {scheme: tel}, enum: numbers}
  - id: at_b
    match: {enum: found}
    rewrite:
      user: {regex: "^\\\\+(44)(.*)$", with: "$2.$1"}
      host: ims.b.example
      parameters: {set: {transport: udp, tgrp: ""}, remove: [user, x]}
  - {id: calls_b, match: {domain: ims.b.example}, rewrite: {calling: {strip: 2, prefix: "+49"}, headers: ours}}
  - {id: short, match: {number_length: 1-3}, rewrite: {number: {strip: 5, prefix: "+"}}}
  - {id: rest, to: [{peer: carrier_b}]}
"""


@pytest.fixture(autouse=True)
def surroundings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Give the cases a key in the environment and a policy."""
    monkeypatch.setenv(KEY_VARIABLE, KEY)
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.chdir(tmp_path)
    Path("x.yaml").write_text(sound(routes=ROUTES, header_rules=HEADERS))


def tried(uri: str, expect: str) -> Result:
    """Try a call of carrier A to *uri*."""
    enum = "{\"+441632960083\": 'sip:+441632960083@b.example:5070;user=phone;x=y'}"
    Path("x_test.yaml").write_text(
        f"policy: x.yaml\nenum: {enum}\ncases:\n"
        f"  - id: c\n    given: {{from: carrier_a, uri: '{uri}'}}\n    expect: {{{expect}}}\n"
    )
    return CliRunner().invoke(app, ["policy", "test", "x_test.yaml"])


def test_rules_look_up_and_route_what_the_rules_before_them_made() -> None:
    """From a national number to a tel URI, by ENUM to a sip URI, and on to what the other network wants."""
    result = tried(
        "sip:01632960083@ibcf.a.example;user=phone",
        "to: carrier_b, rules: [national, look_up, at_b, calls_b, rest], "
        "request_uri: 'sip:1632960083.44@ims.b.example;transport=udp;tgrp', "
        "headers: {P-Asserted-Identity: <tel:+491632960000>, X-Called: +441632960083 by +441632960000}, "
        "header_rules: [mark, no_agent]",
    )
    assert result.exit_code == 0, result.output
    assert "5 of 6 rules" not in result.output
    assert "not covered: x.yaml" in result.output
    assert "short" in result.output
    assert "mark" not in result.output, "the rules of a set that a route names are covered too"


def test_what_cannot_be_changed_stays_and_what_would_break_is_refused() -> None:
    """A name has no number; five digits of three are none, and `explain` shows which rule it was."""
    assert tried("sip:bob@b.example", "to: carrier_b, rules: [rest], request_uri: sip:bob@b.example").exit_code == 0
    result = tried("sip:+123@b.example;user=phone", "to: carrier_b")
    assert result.exit_code == 1
    assert "it was answered 404 (decide.rewrite_invalid)" in result.output
    told = "sip:+123@b.example;user=phone: the number has fewer digits than are to go"
    assert told in " ".join(result.output.split())
    assert tried("sip:+123@b.example;user=phone", "reject: decide.rewrite_invalid").exit_code == 0


def test_the_trace_shows_the_request_uri_before_and_after() -> None:
    """One step for each change."""
    result = tried("sip:01632960083@ibcf.a.example;user=phone", "drop: true")
    told = " ".join(result.output.split())
    assert "national rewritten sip:01632960083@ibcf.a.example;user=phone → tel:+441632960083" in told
    assert "rewritten P-Asserted-Identity: <tel:+491632960000>" in told
