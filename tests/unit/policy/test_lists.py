"""Files of numbers: read once, shared over reloads, refused whole with file and line."""

from pathlib import Path

import pytest

from ibcf.config import Loaded, read_text
from ibcf.errors import ConfigError
from ibcf.policy.compile import checked_snapshot
from ibcf.policy.lists import NumberLists
from tests.unit.config.pairs import KEY, KEY_VARIABLE, sound

ROUTES = """\
routes:
  - {id: no, match: {number_list: {list: blocked, class: premium}}, reject: {reason: decide.forbidden}}
  - {id: all, to: [{peer: carrier_b}]}
"""


@pytest.fixture(autouse=True)
def surroundings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Give the cases a key in the environment and a list."""
    monkeypatch.setenv(KEY_VARIABLE, KEY)
    monkeypatch.chdir(tmp_path)
    Path("blocked.csv").write_text("+4490,premium\n+49\n")


def loaded(file: str = "blocked.csv") -> Loaded:
    """Return a configuration with a list."""
    return read_text(sound(lists=f"lists:\n  - {{id: blocked, file: {file}}}\n", routes=ROUTES), file="x.yaml")


def faults(file: str = "blocked.csv") -> list[str]:
    """Return what is said of the list."""
    with pytest.raises(ConfigError) as caught:
        checked_snapshot(loaded(file))
    return [str(fault) for fault in caught.value.faults]


def test_a_list_is_read_again_only_when_its_file_changed() -> None:
    """The object that the core has stays in use over reloads while the file is the same."""
    lists = NumberLists()
    first = lists.load(loaded())["blocked"]
    assert lists.load(loaded())["blocked"] is first
    Path("blocked.csv").write_text("+4490,premium\n")
    second = lists.load(loaded())["blocked"]
    assert second is not first
    assert len(second) == 1


def test_a_list_with_wrong_lines_is_refused_with_each_of_them() -> None:
    """File, line, column and what is wrong; beyond twenty they are counted; nothing of it is taken."""
    Path("blocked.csv").write_text("+4490,premium\n0049\n+44x,premium\n")
    path = Path("blocked.csv").absolute()
    told = faults()
    assert [line.removeprefix(str(path.parent)).removeprefix("/") for line in told] == [
        'blocked.csv:2:1: "0049" is not `+` and up to 15 digits',
        'blocked.csv:3:1: "+44x" is not `+` and up to 15 digits',
    ]
    Path("blocked.csv").write_text("x\n" * 1_000)
    told = faults()
    assert len(told) == 21
    assert told[-1].endswith("and 979 more lines are wrong")


def test_another_encoding_is_named() -> None:
    """A spreadsheet saved as UTF-16 is refused as that, not as a thousand wrong lines."""
    Path("blocked.csv").write_bytes("+44\n".encode("utf-16"))
    assert [line.rpartition(": ")[2] for line in faults()] == ["save it as UTF-8"]


def test_a_file_that_cannot_be_read_is_told_where_it_is_named() -> None:
    """The fault stands in the configuration, with what the system said."""
    assert faults("gone.csv") == ["x.yaml:2:25 lists[0].file: cannot be read: No such file or directory"]


def test_a_class_that_no_entry_has_is_told_at_its_rule() -> None:
    """Such a rule could never match: the core knows the classes, the fault has its place in the file."""
    Path("blocked.csv").write_text("+4490,dear\n")
    (told,) = faults()
    assert told == "x.yaml:4:21 routes[0].match: no entry of the list blocked is of the class premium"
