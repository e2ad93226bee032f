from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from typer.testing import Result

from ibcf.cli import main
from tests.unit.config.pairs import sound

Run = Callable[..., Result]


def test_a_sound_configuration_is_ok(run: Run) -> None:
    """Exit 0 and one line."""
    Path("x.yaml").write_text(sound())
    result = run("check", "x.yaml")
    assert (result.exit_code, result.stdout) == (0, "x.yaml: ok\n")


def test_every_fault_is_a_line_and_the_exit_status_is_2(run: Run) -> None:
    """Faults are listed in the order of the file, then counted."""
    Path("x.yaml").write_text(sound(node="node: {name: a b, domian: a.example}\n", timers="timers: {c: 60s}\n"))
    result = run("check", "x.yaml")
    assert result.exit_code == 2
    assert result.stdout.splitlines() == [
        'x.yaml:1:14 node.name: must be an id of letters, digits, "_" and "-" (got "a b")',
        'x.yaml:1:19 node.domian: unknown key; did you mean "domain"?',
        "x.yaml:2:13 timers.c: must be more than 3m (RFC 3261 §16.6 (11)): 185s is usual (got 1m)",
        "x.yaml: 3 faults",
    ]


def test_a_fault_of_a_value_cannot_play_tricks(run: Run) -> None:
    """An escape sequence and rich's markup in a value are shown as they are written."""
    Path("x.yaml").write_text(sound(node='node: {name: "\\e[2J[red]", domain: a.example}\n'))
    result = run("check", "x.yaml")
    assert '(got "\\x1b[2J[red]")' in result.stdout
    assert "\x1b" not in result.stdout


@pytest.mark.parametrize(("options", "status"), [((), 0), (("--strict",), 1)])
def test_warnings_are_findings_only_when_asked_for(run: Run, options: tuple[str, ...], status: int) -> None:
    """A warning is told in any case, and fails the check with --strict."""
    Path("x.yaml").write_text(sound(keys="keys:\n  - {id: 1, secret: {generate: true}}\n"))
    result = run("check", "x.yaml", *options)
    assert result.exit_code == status
    assert "x.yaml:2:21 keys[0].secret: made up at start" in result.stdout
    assert result.stdout.endswith("x.yaml: ok, 1 warning\n")


def test_what_only_the_core_can_tell_is_a_fault_too(run: Run) -> None:
    """The snapshot is shown to the core, and what it refuses has its place in the file."""
    rules = "header_rules:\n  - {id: to_b, rules: [{id: a, remove: X-Refuse}]}\n"
    Path("x.yaml").write_text(sound(header_rules=rules))
    result = run("check", "x.yaml")
    assert (result.exit_code, result.stdout.splitlines()[0]) == (
        2,
        "x.yaml:2:24 header_rules[0].rules[0]: no such thing",
    )


def test_an_unknown_reason_comes_with_those_of_the_core(run: Run) -> None:
    """The catalogue is that of the core, not a copy."""
    Path("x.yaml").write_text(sound(routes="routes:\n  - {id: all, reject: {reason: decide.forbiden}}\n"))
    assert 'unknown reason "decide.forbiden"; did you mean "decide.forbidden"?' in run("check", "x.yaml").stdout


def test_json_holds_the_same(run: Run) -> None:
    """With --json the faults are one document, each with file, line, column, key and problem."""
    Path("x.yaml").write_text(sound(logs="logs: {level: loud}\n"))
    result = run("check", "x.yaml", "--json")
    document = msgspec.json.decode(result.stdout)
    assert (result.exit_code, document["ok"], document["warnings"]) == (2, False, [])
    (fault,) = document["faults"]
    assert (fault["file"], fault["line"], fault["column"], fault["key"]) == ("x.yaml", 1, 15, "logs.level")


def test_a_missing_file_is_a_fault(run: Run) -> None:
    """A file that is not there is told without a traceback."""
    result = run("check", "absent.yaml")
    assert result.exit_code == 2
    assert result.stdout.startswith("absent.yaml:1:1: cannot be read: no such file or directory\n")


def test_schema_prints_the_shipped_schema(run: Run) -> None:
    """`ibcf schema` prints what is in the tree."""
    result = run("schema")
    assert result.exit_code == 0
    assert result.stdout == (Path(__file__).parents[3] / "ibcf.schema.json").read_text(encoding="utf-8")


@pytest.mark.parametrize("arguments", [("check",), ("no-such-verb",), ("check", "--no-such-option", "x.yaml")])
def test_wrong_usage_is_2(run: Run, arguments: tuple[str, ...]) -> None:
    """Missing arguments, unknown verbs and unknown options exit with 2."""
    assert run(*arguments).exit_code == 2


def test_errors_of_ours_are_lines_and_not_tracebacks(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """A verb that raises a fault ends with its lines on stderr and exit 2."""
    monkeypatch.setattr("sys.argv", ["ibcf", "explain", "--config", str(tmp_path / "absent.yaml"), "--from", "a"])
    with pytest.raises(SystemExit) as caught:
        main.main()
    assert caught.value.code == 2
    captured = capsys.readouterr()
    assert "absent.yaml:1:1: cannot be read" in captured.err
    assert captured.out == ""
