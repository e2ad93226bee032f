"""A list of numbers as the core reads it: entries, classes, lines that are wrong, and how much it takes."""

import msgspec
import pytest

from ibcf import _core
from ibcf.boundary import ListFaults
from ibcf.errors import ListRefusedError, SnapshotRefusedError
from tests.boundary.conftest import snapshot

MILLION = 1_000_000


def test_the_longest_entry_and_its_class_are_found() -> None:
    """A heading, comments, blanks and a missing class are all as people write them."""
    numbers = _core.NumberList(b"prefix,class\r\n# ours\r\n+44 , national\r\n+4490,premium\r\n\r\n+49\r\n")
    assert len(numbers) == 3
    assert numbers.classes() == ["national", "premium"]
    found = [numbers.longest(number) for number in ("+44901234", "+441632", "+4930", "+33")]
    assert found == [b'[4,"premium"]', b'[2,"national"]', b"[2,null]", b"null"]


def test_every_line_that_is_wrong_is_told() -> None:
    """All of it is refused, with the line and the column of each fault, up to a hundred of them."""
    with pytest.raises(ListRefusedError) as caught:
        _core.NumberList(b"+44\n0044\n+44\n" + b"x\n" * 200)
    told = msgspec.json.decode(str(caught.value), type=ListFaults)
    assert (told.count, len(told.faults)) == (202, 100)
    assert [(fault.line, fault.column, fault.problem) for fault in told.faults[:2]] == [
        (2, 1, '"0044" is not `+` and up to 15 digits'),
        (3, 1, "+44 stands in line 1 too"),
    ]


def test_a_snapshot_that_names_a_list_needs_it() -> None:
    """A list that is not given, or a class that no entry has, is refused with its place."""
    route = {
        "id": "blocked",
        "condition": {"number": {"lists": [{"list": "blocked", "classes": ["premium"]}]}},
        "action": {"kind": "reject", "reason": "decide.forbidden"},
    }
    document = snapshot(routes=[route])
    numbers = _core.NumberList(b"+4490,premium\n")
    _core.check_snapshot(document, lists={"blocked": numbers})
    for lists, problem in (({}, 'unknown list "blocked"'), ({"blocked": _core.NumberList(b"+44")}, "premium")):
        with pytest.raises(SnapshotRefusedError, match=r"routes\[0\]\.condition\.number: .*" + problem):
            _core.check_snapshot(document, lists=lists)


def test_a_million_entries_take_little_room() -> None:
    """A list of a million numbers stays under 24 bytes an entry, and every entry is found."""
    text = b"".join(b"+4416%08d\n" % (at * 7) for at in range(MILLION))
    numbers = _core.NumberList(text)
    assert len(numbers) == MILLION
    assert numbers.memory() < 24 * MILLION
    assert all(numbers.longest(f"+4416{at * 7:08}") == b"[12,null]" for at in range(0, MILLION, 999))
    assert numbers.longest("+441600000001") == b"null"
