"""`ibcf policy unblock`: what it asks of the border, and what it says of the answer."""

from typing import Any

import pytest
from typer.testing import CliRunner

from ibcf.admin import client
from ibcf.cli.main import app


def asked(monkeypatch: pytest.MonkeyPatch, *arguments: str, lifted: int = 1) -> tuple[int, str, list[Any]]:
    """Return status and output of the verb, and what the border was asked."""
    taken: list[Any] = []

    def post(address: str, path: str, **values: object) -> dict[str, Any]:
        taken.append((address, path, values))
        return {"lifted": lifted}

    monkeypatch.setattr(client, "post", post)
    done = CliRunner().invoke(app, ["policy", "unblock", *arguments])
    return done.exit_code, done.stdout, taken


def test_a_key_a_pattern_or_all_of_it_is_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    """The border is asked for exactly that."""
    for arguments, values in (
        (("+4416",), {"key": "+4416", "pattern": None}),
        (("--pattern", "scan"), {"key": None, "pattern": "scan"}),
        (("--all",), {"key": None, "pattern": None}),
    ):
        status, said, taken = asked(monkeypatch, *arguments)
        assert (status, said) == (0, "1 let go\n")
        assert taken == [("127.0.0.1:9090", "/policy/unblock", values)]


def test_nothing_of_that_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever asks for a key that is not held hears so."""
    assert asked(monkeypatch, "+4416", lifted=0)[:2] == (1, "nothing of that is held\n")


def test_everything_has_to_be_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither nothing nor two things at once are taken for all."""
    for arguments in ((), ("+4416", "--all")):
        status, _, taken = asked(monkeypatch, *arguments)
        assert (status, taken) == (2, [])
