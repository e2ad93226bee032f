import sys
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from typer.testing import Result

from tests.unit.config.pairs import sound
from tests.unit.host.machine import FakeMachine

Run = Callable[..., Result]


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> FakeMachine:
    """Let the verb examine a healthy machine, which a test may change."""
    fake = FakeMachine()
    monkeypatch.setattr(sys.modules["ibcf.cli.doctor"], "machine", lambda: fake)
    return fake


def test_a_healthy_host_is_fine(run: Run, machine: FakeMachine) -> None:
    """Exit 0, a line for each finding and one that counts them."""
    Path("x.yaml").write_text(sound())
    result = run("doctor", "x.yaml")
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert lines[0] == "fine    socket_buffers  a socket gets the 4MiB that it asks for to receive"
    assert all(line.startswith("fine ") for line in lines[:-1])
    assert lines[-1].startswith("x.yaml on ")
    assert lines[-1].endswith(f": {len(lines) - 1} fine")


def test_something_to_do_comes_with_its_reason_and_its_commands(run: Run, machine: FakeMachine) -> None:
    """Exit 1; below the finding stand what it should be, and the commands as they are typed."""
    machine.buffers = (212_992, 1 << 30)
    machine.clock_state = None
    Path("x.yaml").write_text(sound())
    result = run("doctor", "x.yaml")
    assert result.exit_code == 1
    lines = [line.strip() for line in result.stdout.splitlines()]
    assert lines[:4] == [
        "todo    socket_buffers  a socket gets 208KiB of 4MiB to receive",
        "should be: 4MiB, so that a burst waits instead of being dropped (RFC 3261 §17.1.1.2 repeats it after 500 ms)",
        "$ sysctl -w net.core.rmem_max=4194304",
        "$ echo 'net.core.rmem_max = 4194304' >> /etc/sysctl.d/90-ibcf.conf",
    ]
    assert ": 1 to do, 1 unknown, " in lines[-1]
    assert "\x1b" not in result.stdout


@pytest.mark.parametrize(("options", "status"), [((), 0), (("--strict",), 1)])
def test_unknown_is_a_finding_only_when_asked_for(
    run: Run, machine: FakeMachine, options: tuple[str, ...], status: int
) -> None:
    """What cannot be told is shown in any case, and fails the verb with --strict."""
    machine.clock_state = None
    Path("x.yaml").write_text(sound())
    result = run("doctor", "x.yaml", *options)
    assert (result.exit_code, ": 1 unknown, " in result.stdout) == (status, True)


def test_json_holds_the_same(run: Run, machine: FakeMachine) -> None:
    """With --json the findings are one document, each with its check, state, reason and commands."""
    machine.descriptors = (10, 100)
    Path("x.yaml").write_text(sound())
    result = run("doctor", "x.yaml", "--json")
    document = msgspec.json.decode(result.stdout)
    assert (result.exit_code, document["file"], document["counts"]["todo"]) == (1, "x.yaml", 1)
    [finding] = [one for one in document["findings"] if one["state"] == "todo"]
    assert finding["check"] == "descriptors"
    assert finding["found"] == "the border may need 265 descriptors, the hard limit is 100"
    assert finding["wanted"].startswith("enough for limits.connections_max")
    assert "LimitNOFILE=265" in finding["commands"][0]
    assert {one["wanted"] for one in document["findings"] if one["state"] == "fine"} == {None}


def test_without_a_configuration_the_host_alone_is_examined(run: Run, machine: FakeMachine) -> None:
    """The summary says so, and DNS servers and ports are not looked at."""
    result = run("doctor")
    assert (result.exit_code, machine.asked) == (0, [])
    assert result.stdout.splitlines()[-1].startswith("this host on ")
    assert " listeners " not in result.stdout


@pytest.mark.parametrize("arguments", [("--no-such-option",), ("a.yaml", "b.yaml")])
def test_wrong_usage_is_2(run: Run, arguments: tuple[str, ...]) -> None:
    """Unknown options and too many files are no findings about the host."""
    assert run("doctor", *arguments).exit_code == 2


def test_a_faulty_configuration_is_2(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], machine: FakeMachine, tmp_path: Path
) -> None:
    """Its faults are told as `ibcf check` tells them, and nothing is examined."""
    from ibcf.cli import main  # noqa: PLC0415 - after the fixture has put its core there

    (tmp_path / "x.yaml").write_text(sound(logs="logs: {level: loud}\n"))
    monkeypatch.setattr("sys.argv", ["ibcf", "doctor", str(tmp_path / "x.yaml")])
    with pytest.raises(SystemExit) as caught:
        main.main()
    assert caught.value.code == 2
    assert "x.yaml:1:15 logs.level: " in capsys.readouterr().err
