"""Sets of matchers: what a rule asks of them is what it would ask if they were written out."""

from typing import Any

import pytest

from ibcf.config import read_text
from ibcf.policy.conditions import condition
from ibcf.policy.lint import lint
from tests.unit.config.pairs import KEY, KEY_VARIABLE, sound

SETS = """\
sets:
  - {id: abroad, match: {direction: exit, not: {number_prefix: "+44"}}}
  - {id: costly, match: {number_prefix: ["+4490", "+8816"]}}
  - {id: guarded, match: {any: [{set: costly}, {set: abroad, percentage: 5}]}}
"""


@pytest.fixture(autouse=True)
def surroundings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give the cases a key in the environment."""
    monkeypatch.setenv(KEY_VARIABLE, KEY)


def asked(match: str, sets: str = SETS) -> dict[str, Any]:
    """Return the condition of a rule with *match*."""
    routes = f"routes:\n  - {{id: r, match: {match}, reject: {{reason: decide.forbidden}}}}\n"
    return condition(read_text(sound(sets=sets, routes=routes, enum="enum: []\n")).config.routes[0].match)


@pytest.mark.parametrize(
    ("named", "written"),
    [
        ("{set: costly, peer: carrier_a}", '{number_prefix: ["+4490", "+8816"], peer: carrier_a}'),
        ("{set: abroad}", '{direction: exit, not: {number_prefix: "+44"}}'),
        (
            '{set: costly, number_prefix: "+4490"}',
            '{number_prefix: "+4490", all: [{number_prefix: ["+4490", "+8816"]}]}',
        ),
        (
            "{set: [abroad, costly], method: INVITE}",
            (
                '{method: INVITE, any: [{direction: exit, not: {number_prefix: "+44"}},'
                ' {number_prefix: ["+4490", "+8816"]}]}'
            ),
        ),
        (
            "{set: guarded}",
            (
                '{any: [{number_prefix: ["+4490", "+8816"]},'
                ' {direction: exit, not: {number_prefix: "+44"}, percentage: 5}]}'
            ),
        ),
        ("{not: {set: costly}}", '{not: {number_prefix: ["+4490", "+8816"]}}'),
    ],
)
def test_a_set_stands_for_what_it_asks(named: str, written: str) -> None:
    """In one piece where both fit into one, so that it is found through the same tables; else beside it."""
    assert asked(named) == asked(written, sets="")


def test_a_set_that_nobody_names_is_told() -> None:
    """One that only another set names is used."""
    routes = "routes:\n  - {id: r, match: {set: guarded}, reject: {reason: decide.forbidden}}\n"
    sets = SETS + "  - {id: idle, match: {peer: carrier_a}}\n"
    told = [fault.problem for fault in lint(read_text(sound(sets=sets, routes=routes, enum="enum: []\n")))]
    assert 'no rule asks for the set "idle"' in told
    assert not any("costly" in problem or "abroad" in problem for problem in told)
