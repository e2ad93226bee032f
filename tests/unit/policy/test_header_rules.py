"""Header rules on the real engine: each edit as the file says it, and each variable."""

from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from ibcf.cli.main import app
from ibcf.config import read_text
from ibcf.config.templates import VARIABLES
from ibcf.policy.compile import check_snapshot, checked_snapshot
from tests.unit.config.pairs import KEY, KEY_VARIABLE, sound

AGREEMENTS = """\
agreements:
  - {id: own, trusted: true, methods: [INVITE, ACK, BYE, CANCEL], charging: {term_ioi: home.example}}
  - id: with_b
    trusted: true
    methods: [INVITE, ACK, BYE, CANCEL]
    charging: {orig_ioi: a.example}
    header_rules: {sent: [edits], received: [answers]}
"""
EDITS = """\
header_rules:
  - id: edits
    rules:
      - {id: one_off, values: {equals: timer}, remove: Supported}
      - {id: kept, copy: {from: Diversion, to: X-Diverted, which: first}}
      - {id: plus, values: {regex: "@x>"}, replace: {header: Diversion, regex: "sip:00([0-9]+)", with: "sip:+$1"}}
      - {id: renamed, rename: {from: Diversion, to: X-Diversion}}
      - {id: tcp, parameter: {header: Contact, in: uri, name: transport, add: tcp}}
      - {id: whence, parameter: {header: P-Charging-Vector, name: icid-generated-at, set: "${node.name}"}}
      - {id: expires, parameter: {header: Contact, name: expires, replace: {pattern: "60", with: "30"}}}
      - {id: gone, parameter: {header: Contact, name: q, remove: true}}
      - {id: who, set: {header: X-Way, value: "${peer.from} to ${peer.to} (${side.from}, ${call.direction})"}}
      - {id: number, set: {header: X-Number, value: "${call.calling} ${call.called}; <${request.uri}> ${request.host}"}}
      - {id: looked_up, set: {header: X-Enum, value: '${enum.outcome} ${enum.class} "${enum.uri}"'}}
      - {id: never, set: {header: X-Never, value: "${orig_ioi.from}"}}
      - {id: ioi, set: {header: X-Ioi, value: "${orig_ioi.to} ${term_ioi.from}"}}
  - id: answers
    rules:
      - {id: busy, statuses: 4xx, set: {header: X-Busy, value: "${peer.to} ${call.method} <${request.uri}>"}}
      - {id: rings, statuses: [180, 183], remove: Server}
"""
ROUTES = """\
routes:
  - {id: look_up, match: {direction: exit}, enum: numbers}
  - {id: all, match: {enum: found}, to: [{peer: carrier_b}]}
  - {id: rest, reject: {reason: decide.no_route}}
"""


@pytest.fixture(autouse=True)
def surroundings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Give the cases a key in the environment and a policy."""
    monkeypatch.setenv(KEY_VARIABLE, KEY)
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.chdir(tmp_path)
    Path("x.yaml").write_text(sound(routes=ROUTES, header_rules=EDITS, agreements=AGREEMENTS))


def tried(case: str) -> Result:
    """Try one call of carrier A."""
    uri = "sip:+441632960083@b.example;user=phone"
    Path("x_test.yaml").write_text(
        f"policy: x.yaml\nenum: {{\"+441632960083\": '{uri}'}}\ncases:\n"
        f'  - id: c\n    given: {{from: carrier_a, number: "+441632960083", {case}}}\n'
    )
    return CliRunner().invoke(app, ["policy", "test", "x_test.yaml"])


def test_each_edit_is_what_the_file_says() -> None:
    """Values, copies, new names, parameters and variables, one after the other on the request that leaves."""
    diverted, contact = "<sip:001@x>, <sip:002@y>", "<sip:a@192.0.2.1>;expires=60;q=1"
    rules = "one_off, kept, plus, renamed, tcp, whence, expires, gone, who, number, looked_up, ioi"
    headers = {
        "Supported": "100rel",
        "X-Diverted": "<sip:001@x>",
        "Diversion": None,
        "X-Diversion": "<sip:+1@x>, <sip:002@y>",
        "Contact": "<sip:a@192.0.2.1;transport=tcp>;expires=30",
        "P-Charging-Vector": 'icid-value="explain";orig-ioi=a.example;icid-generated-at=ibcf-1',
        "X-Way": "carrier_a to carrier_b (home, exit)",
        "X-Number": "+441632960000 +441632960083; <sip:+441632960083@b.example;user=phone> b.example",
        "X-Enum": 'found FOUND "sip:+441632960083@b.example;user=phone"',
        "X-Never": None,
        "X-Ioi": "a.example home.example",
    }
    wanted = ", ".join(
        f"{name}: " + ("{present: false}" if value is None else f"['{value}']") for name, value in headers.items()
    )
    result = tried(
        f"headers: {{Diversion: ['{diverted}'], Contact: '{contact}'}}}}\n"
        f"    expect: {{header_rules: [{rules}], headers: {{{wanted}}}"
    )
    assert result.exit_code == 0, result.output


@pytest.mark.parametrize(
    ("status", "server", "busy"),
    [
        (180, "{present: false}", "{present: false}"),
        (486, "theirs", "carrier_b INVITE <sip:+441632960083@b.example;user=phone>"),
        (500, "theirs", "{present: false}"),
    ],
)
def test_some_edits_are_for_some_responses(status: int, server: str, busy: str) -> None:
    """By class and by status; variables tell of the request."""
    headers = f"headers: {{Server: {server}, X-Busy: {busy}}}"
    answer = f"answer: {{status: {status}, headers: {{Server: theirs}}}}"
    result = tried(f"{answer}}}\n    expect: {{answer: {{status: {status}, {headers}}}")
    assert result.exit_code == 0, result.output


def test_an_edit_whose_variable_has_no_value_is_told_and_changes_nothing() -> None:
    """`explain` says which variable it is, and a case does not take it for an edit."""
    result = tried("calling: '+331'}\n    expect: {header_rules: [never]")
    assert result.exit_code == 1
    assert "never changed nothing" in result.output
    assert "X-Never: orig_ioi.from has no value" in result.output


@pytest.mark.parametrize("name", VARIABLES)
def test_the_core_knows_each_variable(name: str) -> None:
    """What `ibcf check` lets pass, the core compiles."""
    rules = f"header_rules: [{{id: edits, rules: [{{id: x, set: {{header: X, value: '${{{name}}}'}}}}]}}]\n"
    agreements = AGREEMENTS.replace(", received: [answers]", "")
    loaded = read_text(sound(header_rules=rules, agreements=agreements))
    check_snapshot(checked_snapshot(loaded))
