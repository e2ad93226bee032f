import os
from pathlib import Path

import pytest

from ibcf.config import tree
from ibcf.config.tree import Mark, parse, parse_file


def said(text: str) -> list[str]:
    """Return what is said of *text*."""
    return [str(fault) for fault in parse(text, file="x").faults]


def test_every_key_and_value_has_its_place() -> None:
    """Lines and columns count from 1, for keys and for values, inside of lists too."""
    parsed = parse("a: 1\nb:\n  - {c: x}\n", file="x")
    assert parsed.keys["a",] == Mark(1, 1)
    assert parsed.values["a",] == Mark(1, 4)
    assert parsed.keys["b", 0, "c"] == Mark(3, 6)
    assert parsed.values["b", 0, "c"] == Mark(3, 9)


def test_scalars_are_what_yaml_1_2_says() -> None:
    """`yes` and `on` are text, a leading zero is no octal, and what looks like a date stays text."""
    parsed = parse("a: yes\nb: 010\nc: 0x10\nd: ~\ne: true\nf: 1.5\ng: 2024-01-01\nh: 1_000\non: 1\n", file="x")
    assert parsed.root == {
        "a": "yes", "b": 10, "c": 16, "d": None, "e": True, "f": 1.5, "g": "2024-01-01", "h": 1000, "on": 1,
    }  # fmt: skip
    assert not parsed.faults


def test_a_number_beyond_all_measure_is_a_fault() -> None:
    """A number of ten thousand digits is told, not computed."""
    assert said(f"a: {'9' * 10_000}") == [f"x:1:4 a: {'9' * 40} is not a number that can be used"]


@pytest.mark.parametrize("opening", ["[", "{a: "])
def test_nesting_is_bounded(opening: str) -> None:
    """Values nested a hundred or a hundred thousand levels deep end in one fault and not in a crash."""
    deep = parse(f"a: {opening * 100}{(']' if opening == '[' else '}') * 100}", file="x")
    assert "is nested deeper than 32 levels" in str(deep.faults[0])
    assert said(opening * 100_000) == ["x:1:1: is nested deeper than 32 levels"]


def test_aliases_of_aliases_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """A few lines that stand for a billion values are refused after the bound."""
    monkeypatch.setattr(tree, "NODES_MAX", 1000)
    lines = ["a: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 10)}]" for level in range(1, 9)]
    faults = said("\n".join(lines))
    assert "stands for more than 1000 values" in faults[0]
    assert len(faults) < 200


def test_an_anchor_may_be_given_again() -> None:
    """The later of two anchors of one name counts from where it stands, as YAML says, and nothing is warned of."""
    assert parse("a: &x 1\nb: &x 2\nc: *x\n", file="x").root == {"a": 1, "b": 2, "c": 2}


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", ":1:1: is empty"),
        (b"# only a comment\n", ":1:1: is empty"),
        (b"a: 1\nb: \xe4\n", ":2:4: is not UTF-8 from here on: save it as UTF-8"),
        (b"a: 1\nb: \x01\n", ":2:4: a control character cannot stand here"),
        (b"a: 'x\n", ":2:1: the file ends inside a quoted text"),
        (b"a: [1\n", ":2:1: "),
    ],
)
def test_a_file_that_is_no_yaml_is_told_with_its_place(tmp_path: Path, content: bytes, expected: str) -> None:
    """Whatever bytes a file holds, what comes of them is a fault with a line and a column."""
    path = tmp_path / "x.yaml"
    path.write_bytes(content)
    (fault,) = parse_file(path).faults
    assert str(path) in str(fault)
    assert expected in str(fault)


def test_a_file_that_cannot_be_read_is_a_fault(tmp_path: Path) -> None:
    """A missing file and a folder are told in the words of the system."""
    assert str(parse_file(tmp_path / "absent.yaml").faults[0]).endswith("cannot be read: no such file or directory")
    assert str(parse_file(tmp_path).faults[0]).endswith("cannot be read: is a directory")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_permission_is_a_fault(tmp_path: Path) -> None:
    """A file that may not be read is told in the words of the system."""
    path = tmp_path / "x.yaml"
    path.write_text("a: 1")
    path.chmod(0)
    assert str(parse_file(path).faults[0]).endswith("cannot be read: permission denied")


def test_a_file_beyond_the_bound_is_not_read_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file above the bound is a fault."""
    monkeypatch.setattr(tree, "FILE_SIZE_BYTES_MAX", 10)
    path = tmp_path / "x.yaml"
    path.write_text("a: 1234567890")
    assert "is larger than" in str(parse_file(path).faults[0])


def test_a_byte_order_mark_and_windows_line_ends_are_harmless(tmp_path: Path) -> None:
    """What some editors add does not move lines or columns."""
    path = tmp_path / "x.yaml"
    path.write_bytes(b"\xef\xbb\xbfa: 1\r\nb: 2\r\n")
    parsed = parse_file(path)
    assert parsed.root == {"a": 1, "b": 2}
    assert parsed.values["b",] == Mark(2, 4)
