from dataclasses import replace

import pytest
from rich.text import Text

from ibcf.demo.drawing import Picture, fitting, shorter
from ibcf.demo.ladder import BORDER, Rung
from ibcf.policy.explain import Change
from tests.unit.demo.messages import request, response

NAMES = {"a": "carrier A", BORDER: "ibcf-1", "b": "carrier B", "c": "carrier C"}
INVITE = request("INVITE", uri="sip:+441632960083@ims.b.example;user=phone")
CHANGES = (
    Change("changed", "", "INVITE tel:+441632960083 SIP/2.0", "INVITE sip:+441632960083@ims.b.example SIP/2.0"),
    Change("added", "X-Interconnect", None, "ibcf-1"),
    Change("removed", "User-Agent", "core-a/1.0", None),
)


def picture(*participants: str, width: int = 100, rules: dict[str, str] | None = None) -> Picture:
    """Return a picture that masks nothing."""
    return Picture(participants or ("a", BORDER, "b"), NAMES, width, str, rules or {})


def plain(lines: list[Text]) -> list[str]:
    """Return the lines without their styles."""
    return [line.plain for line in lines]


def test_arrows_point_from_sender_to_receiver() -> None:
    """What the left one sends points to the right, and the answer back."""
    lines = plain(picture().draw([Rung("a", BORDER, INVITE), Rung(BORDER, "a", response(403, INVITE, "Forbidden"))]))
    assert "─ INVITE sip:+441632960083@ims" in lines[2]
    assert lines[2].rstrip(" │").endswith(">")
    assert lines[3].strip().startswith("│<─")
    assert " 403 Forbidden ─" in lines[3]


@pytest.mark.parametrize("width", [80, 100])
@pytest.mark.parametrize("participants", [("a", BORDER), ("a", BORDER, "b"), ("a", BORDER, "b", "c")])
def test_no_line_is_wider_than_asked(width: int, participants: tuple[str, ...]) -> None:
    """The ladder fits the width, however long its values are, and every lifeline is below its name."""
    changes = (*CHANGES, Change("changed", "Subject", "x" * 200, "y" * 200), Change("added", "Long", None, "z" * 200))
    drawn = picture(*participants, width=width, rules={"long": "a_rule"})
    lines = plain(drawn.draw([Rung(BORDER, participants[-1], INVITE, changes, crossed=True)]))
    assert max(map(len, lines)) < width
    for name in participants:
        start = lines[0].index(NAMES[name])
        assert start <= drawn.column(name) < start + len(NAMES[name])
        assert lines[1][drawn.column(name)] == "│"


def test_changes_stand_below_their_message() -> None:
    """Each change is a line with its sign, the header's name, what was there and what is there now."""
    lines = plain(picture(rules={"user-agent": "no_user_agent"}).draw([Rung(BORDER, "b", INVITE, CHANGES)]))
    text = "\n".join(lines)
    assert "~ Request-URI         tel:+441632960083 → sip:+441632960083@ims.b.example " in text
    assert "+ X-Interconnect      ibcf-1 " in text
    assert "- User-Agent          core-a/1.0  [no_user_agent] " in text


def test_a_change_of_the_status_line_is_told_whole() -> None:
    """A response whose status line is another one says both."""
    change = Change("changed", "", "SIP/2.0 503 Busy", "SIP/2.0 500 Error")
    lines = plain(picture().draw([Rung(BORDER, "a", response(500, INVITE), (change,))]))
    assert "~ status line         SIP/2.0 503 Busy → SIP/2.0 500 Error" in lines[3]


def test_a_refusal_of_the_border_shows_its_reason() -> None:
    """The Reason header that the border gives stands below its answer."""
    refusal = response(403, INVITE, "Forbidden")
    reason = "Q.850;cause=21"
    refusal = replace(refusal, headers=(*refusal.headers, ("Reason", reason)))
    assert f"+ Reason              {reason} " in plain(picture().draw([Rung(BORDER, "a", refusal)]))[3]


def test_changes_that_stand_above_are_referred_to() -> None:
    """The same list of changes is not printed twice."""
    rungs = [Rung(BORDER, "b", INVITE, CHANGES), Rung(BORDER, "b", request("BYE"), CHANGES)]
    lines = plain(picture().draw(rungs))
    assert sum("User-Agent" in line for line in lines) == 1
    assert sum("= the same changes as in the INVITE above" in line for line in lines) == 1


def test_only_parameters_that_differ_are_told() -> None:
    """A header that lost or got a parameter says which, not all of it."""
    assert shorter("icid-value=1", "icid-value=1;orig-ioi=a.example") == "+orig-ioi=a.example"
    assert shorter("icid-value=1;term-ioi=b", "icid-value=1;term-ioi=a") == "-term-ioi=b  +term-ioi=a"
    assert shorter("70", "69") == "70 → 69"
    assert shorter("a;b", "a; b") == "a;b → a; b"


def test_text_that_is_too_long_is_cut_with_a_mark() -> None:
    """Nobody takes half a value for a whole one."""
    assert fitting("abcdef", 6) == "abcdef"
    assert fitting("abcdef", 5) == "abcd…"
