"""The expression engine: POSIX ERE in linear time (RX-15, RX-17 to RX-19)."""

import contextlib
import re
import sys
from types import FrameType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ibcf.numbering.ere import EreError, StepLimitError, compile_ere

NUMBER = "+441632960083"


def found(pattern: str, text: str = NUMBER) -> str | None:
    """Return what a pattern matches first."""
    match = compile_ere(pattern).search(text)
    return None if match is None else text[match.start : match.end]


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("^.*$", NUMBER),
        ("441632", "441632"),
        (r"\+44", "+44"),
        ("[+]*", "+"),
        ("[0-9]+", NUMBER[1:]),
        ("[^0-9]", "+"),
        ("[[:digit:]]{3}", "441"),
        ("[]+]", "+"),
        ("4{2}", "44"),
        ("4{3}", None),
        ("4{3,}|6{1,2}", "6"),
        ("(9|96|960)0", "960"),
        ("96?0?083$", "960083"),
        ("960?83$", None),
        ("0{0,2}83$", "0083"),
        ("x*", ""),
        ("(4(4(1)))", "441"),
        ("^$", None),
        ("(x|)4", "4"),
        ("a{0}4", "4"),
        ("[+-]4", "+4"),
        ("[!-/]", "+"),
    ],
)
def test_operators_do_what_posix_says(pattern: str, expected: str | None) -> None:
    """Each operator of POSIX ERE matches what it should, leftmost and greedy."""
    assert found(pattern) == expected


def test_groups_keep_what_they_matched_last() -> None:
    """A group holds its last match, or nothing when it took no part."""
    match = compile_ere(r"^(\+44|0)(1)?(7)?([0-9])*$").search(NUMBER)
    assert match is not None
    assert match.groups == ("+44", "1", None, "3")


def test_first_alternative_wins_as_in_sed() -> None:
    """RX-18: where POSIX would look for the longest sub-expression, the first alternative is taken."""
    match = compile_ere(r"^(\+4|\+44)(1?)(.*)$").search(NUMBER)
    assert match is not None
    assert match.groups == ("+4", "", "41632960083")


UNDEFINED = [
    *("^+44", "*", "(+4)", "a|*", r"\d", r"\1", "a\\", "(", ")", "a)", "[", "[a", "[z-a]", "[[:no:]]", "[[=a=]]"),
    *("[[.a.]]", "a{", "a{x}", "a{2,1}", "a{256}", "a{1,2", "{2}", "$*", "[\x7f-\uffff]"),
]


@pytest.mark.parametrize("pattern", UNDEFINED)
def test_what_posix_leaves_undefined_is_refused(pattern: str) -> None:
    """RX-15, RX-17: a bad expression is an error that says where."""
    with pytest.raises(EreError, match="bad expression at character"):
        compile_ere(pattern)


def test_lenient_reads_two_classic_slips() -> None:
    """RX-15, RX-17: on request, a misplaced plus is a plus and backslash d is a digit."""
    match = compile_ere(r"^+44(\d+)$", lenient=True).search(NUMBER)
    assert match is not None
    assert match.groups == ("1632960083",)


def test_case_counts_unless_told_otherwise() -> None:
    """The flag `i` folds case, in brackets too."""
    assert compile_ere("[a-c]X").search("Bx") is None
    assert compile_ere("[a-c]X", ignore_case=True).search("Bx") is not None


NASTY = [
    r"^((((\+?[0-9]*)*)*)*)*X$",
    "(([0-9]*)*)*" * 20,
    "(" * 40 + "a?" + ")" * 40,
    "(.*)" * 60 + "X",
    "[0-9+]*" * 36,
    "((.{0,9}){0,9}){0,9}",
    "(.?){249}X",
    "(((.{0,3}){0,9}){0,3}){0,3}X",
    "(()*)*" * 40,
    "(((((.{255}){255}){255}){255}){255}){255}",
]


LINES_MAX = 100_000
"""Of Python, at less than 0.1 µs each: 10 ms, and the same count on every machine."""


@pytest.mark.parametrize("pattern", NASTY, ids=range(len(NASTY)))
def test_no_expression_stalls_a_thread(pattern: str) -> None:
    """RX-19: whatever a zone holds, the engine ends or refuses within 10 ms."""
    assert len(pattern) <= 255
    lines = 0

    def count(_frame: FrameType, event: str, _value: object) -> Any:
        nonlocal lines
        lines += event == "line"
        return count

    compile_ere.cache_clear()
    before = sys.gettrace()
    sys.settrace(count)
    try:
        with contextlib.suppress(EreError, StepLimitError):
            compile_ere(pattern).search("+123456789012345")
    finally:
        sys.settrace(before)
    assert lines < LINES_MAX


def test_nesting_is_bounded() -> None:
    """More than forty nested groups are refused before the parser's own stack is at risk."""
    with pytest.raises(EreError, match="nested"):
        compile_ere("(" * 100 + ")" * 100)


@given(st.text(alphabet="+0149()[]*?|.^${}\\,-:x", max_size=40))
def test_no_pattern_breaks_the_engine(pattern: str) -> None:
    """Any text is a working expression or a fault of ours, never another error."""
    try:
        compile_ere(pattern).search(NUMBER)
    except (EreError, StepLimitError):
        return


ATOMS = st.sampled_from(["4", "1", "[0-9]", "[^4]", ".", r"\+", "(4|1)", "(4|44)", "(9*)", "6?", "(3)+", "0{1,2}"])


@given(st.lists(st.tuples(ATOMS, st.sampled_from(["", "*", "+", "?"])), min_size=1, max_size=6), st.booleans())
def test_matches_agree_with_the_usual_engine(parts: list[tuple[str, str]], anchored: bool) -> None:  # noqa: FBT001 - drawn
    """For expressions that both understand, match and extent are those of Python's backtracking engine."""
    pattern = ("^" if anchored else "") + "".join(
        atom if operator and atom[-1] in "*+?}" else atom + operator for atom, operator in parts
    )
    expected = re.search(pattern, NUMBER)
    match = compile_ere(pattern).search(NUMBER)
    assert (match is None) == (expected is None)
    if match is not None and expected is not None:
        assert (match.start, match.end) == expected.span()
