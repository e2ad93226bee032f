"""`ibcf run`: exit statuses and words before anything serves."""

from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from ibcf.cli import run as verb
from ibcf.core_module import CoreModule
from ibcf.errors import ListenError, SnapshotRefusedError
from ibcf.service import Service

app = typer.Typer()
app.command()(verb.run)


@pytest.fixture(autouse=True)
def _no_core(monkeypatch: pytest.MonkeyPatch) -> None:
    """No compiled module."""

    def refuse(*_: object) -> None:
        raise AssertionError("the core is not to be used here")

    module = CoreModule(open=refuse, check=refuse, version="0", cdr_head=b"")  # type: ignore[arg-type]
    monkeypatch.setattr(CoreModule, "compiled", lambda: module)


def ending(monkeypatch: pytest.MonkeyPatch, error: Exception | None) -> list[Service]:
    """Let the service end at once; return the services that were made."""
    made: list[Service] = []

    async def end(service: Service) -> None:
        made.append(service)
        if error is not None:
            raise error

    monkeypatch.setattr(Service, "run", end)
    return made


def test_orderly_end_is_0(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A service that was stopped ends with 0; its options are those of the command line."""
    made = ending(monkeypatch, None)
    result = CliRunner().invoke(app, [str(tmp_path / "b.yaml"), "--no-json-logs", "--drain-timeout", "1500ms"])
    assert result.exit_code == 0, result.output
    assert (made[0].json_logs, made[0].drain_seconds_max) == (False, 1.5)


@pytest.mark.parametrize(
    ("error", "code"),
    [(ListenError("listener home_udp: 127.0.0.1:5060: address already in use"), 3), (SnapshotRefusedError("no"), 2)],
)
def test_refused_start_has_its_status_and_words(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, error: Exception, code: int
) -> None:
    """A taken port ends with 3, a snapshot that the core refuses with 2, each with its words on stderr."""
    ending(monkeypatch, error)
    result = CliRunner().invoke(app, [str(tmp_path / "b.yaml")])
    assert result.exit_code == code
    assert str(error) in result.stderr
    assert "Traceback" not in result.output


def test_wrong_option_is_said(tmp_path: Path) -> None:
    """A drain time without its unit is wrong usage."""
    result = CliRunner().invoke(app, [str(tmp_path / "b.yaml"), "--drain-timeout", "5"])
    assert result.exit_code == 2
    assert "duration with its unit" in result.output
