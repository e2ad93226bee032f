"""`ibcf policy import`: tables as people send them become lists that the core reads."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from ibcf import _core
from ibcf.cli.main import app, main

TABLE = """\
Country;Prefix;Operator
UK;"+44 (7700) 900-";UK Mobile (EE)
UK;+44 7701.900;UK Mobile (O2)

# a comment
UK;+447701900;UK Mobile (O2)
FR;+33 6;Orange
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")


def imported(text: str | bytes, *options: str) -> Result:
    """Import a table and return what was printed."""
    Path("table.csv").write_bytes(text.encode() if isinstance(text, str) else text)
    return CliRunner().invoke(app, ["policy", "import", "table.csv", "--to", "lists/list.csv", *options])


def test_a_table_becomes_a_list_that_the_core_reads() -> None:
    """Columns by their headings, numbers in one form, classes as ids, the same said twice once."""
    result = imported(TABLE, "--number", "prefix", "--class", "operator")
    assert result.exit_code == 0, result.output
    assert result.stdout.splitlines() == [
        "table.csv: 4 lines; 3 entries in 3 classes, 1 repeated, 0 refused",
        "lists/list.csv: written; 3 added, 0 removed, 0 with another class",
    ]
    text = Path("lists/list.csv").read_text()
    assert text == "prefix,class\n+336,orange\n+447700900,uk_mobile_ee\n+447701900,uk_mobile_o2\n"
    numbers = _core.NumberList(text.encode())
    assert numbers.longest("+447700900123") == b'[9,"uk_mobile_ee"]'


def test_a_list_that_is_there_is_compared_with() -> None:
    """What a new table changes is said, and the file is replaced as a whole."""
    imported("+44,a\n+45,b\n+46,c\n", "--class", "2")
    result = imported("+44,a\n+45,other\n+47,d\n+48,d\n", "--class", "2")
    assert result.stdout.splitlines()[-1].endswith("written; 2 added, 1 removed, 1 with another class")
    assert [path.name for path in Path("lists").iterdir()] == ["list.csv"]


def test_lines_that_cannot_be_used_are_told_and_nothing_is_written() -> None:
    """Each with line and column; a report has all of them; `--skip-refused` writes the rest."""
    table = "number,class\n+44,a\n0033,b\n+44,c\n+1234567890123456,d\n+45\nabc,e\n"
    result = imported(table, "--class", "class", "--refused", "refused.csv")
    assert result.exit_code == 1
    assert result.stdout.splitlines() == [
        'table.csv:3:1: "0033" is no global number of + and 1 to 15 digits',
        "table.csv:4:1: +44 is c here and a in line 2",
        'table.csv:5:1: "+1234567890123456" is no global number of + and 1 to 15 digits',
        "table.csv:6:5: has 1 columns",
        'table.csv:7:1: "abc" is no global number of + and 1 to 15 digits',
        "table.csv: 6 lines; 1 entries in 1 class, 0 repeated, 5 refused",
        "lists/list.csv: not written; mend the lines, or give --skip-refused",
    ]
    assert not Path("lists").exists()
    assert Path("refused.csv").read_text().splitlines()[1] == (
        '3,"""0033"" is no global number of + and 1 to 15 digits","0033,b"'
    )
    assert imported(table, "--class", "class", "--skip-refused").exit_code == 1
    assert Path("lists/list.csv").read_text() == "prefix,class\n+44,a\n"


@pytest.mark.parametrize(
    ("prefix", "text", "entries"),
    [("00", "0044\n0033 6\n+49\n", "+336 +44 +49"), ("", "44\n336\n", "+336 +44"), ("011", "01144\n", "+44")],
)
def test_what_stands_for_the_plus_is_said(prefix: str, text: str, entries: str) -> None:
    """Numbers with 00 or 011 before them, or with nothing at all."""
    assert imported(text, "--international-prefix", prefix).exit_code == 0
    assert Path("lists/list.csv").read_text().split() == ["prefix", *entries.split()]


@pytest.mark.parametrize(
    ("text", "options", "problem"),
    [
        ("+44,Français\n".encode("latin-1"), (), "table.csv: is not utf-8-sig"),
        ("+44\n".encode("utf-16-le"), (), "table.csv:1: holds a NUL: is it UTF-16? say --encoding utf-16"),
        ("+44\n", ("--encoding", "klingon"), "unknown encoding: klingon"),
        ("number,class\n+44,a\n", ("--number", "prefix"), 'no column "prefix" (the first line has: number, class)'),
        ("+44\n", ("--class", "2"), 'no column "2"'),
    ],
)
def test_another_encoding_or_a_column_that_is_not_there_is_said(
    text: str | bytes, options: tuple[str, ...], problem: str, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """The file and the cause, and what to do; nothing is written."""
    Path("table.csv").write_bytes(text.encode() if isinstance(text, str) else text)
    monkeypatch.setattr("sys.argv", ["ibcf", "policy", "import", "table.csv", "--to", "list.csv", *options])
    with pytest.raises(SystemExit) as caught:
        main()
    assert caught.value.code == 1
    assert problem in capsys.readouterr().err
    assert not Path("list.csv").exists()


def test_a_report_for_machines_has_every_line_that_was_refused() -> None:
    """With its text, and what was written."""
    report = json.loads(imported("+44\nx9\n", "--json", "--skip-refused").stdout)
    assert (report["written"], report["entries"], report["changes"]["added"]) == (True, 1, 1)
    assert (report["refused"][0]["line"], report["refused"][0]["text"]) == (2, "x9")
