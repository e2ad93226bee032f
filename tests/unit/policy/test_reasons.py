"""`ibcf reasons`: the catalogue, and the page that it prints."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from ibcf import _core
from ibcf.boundary import decode_reasons
from ibcf.cli.main import app
from ibcf.cli.reasons import page

PAGE = Path(__file__).parents[3] / "docs" / "reasons.md"
REASONS = decode_reasons(_core.reasons())


def test_the_page_is_what_the_command_prints() -> None:
    """After a change of the catalogue, `make schema` prints it again."""
    assert PAGE.read_text() == page(REASONS)
    assert CliRunner().invoke(app, ["reasons", "--markdown"]).stdout == page(REASONS)


@pytest.mark.parametrize("reason", REASONS, ids=lambda reason: reason.id)
def test_each_reason_says_what_happened_and_what_to_do(reason: object) -> None:
    """None is left without words, and one alone is told in full."""
    text, advice, name = (getattr(reason, field) for field in ("text", "advice", "id"))
    assert text
    assert advice
    told = CliRunner().invoke(app, ["reasons", name])
    assert told.exit_code == 0
    assert f"what to do: {advice}" in told.stdout


def test_a_name_that_is_no_reason_is_refused_with_those_that_are() -> None:
    """And JSON has all of them."""
    assert CliRunner().invoke(app, ["reasons", "decide.forbiden"]).exit_code == 2
    assert [one["id"] for one in json.loads(CliRunner().invoke(app, ["reasons", "--json"]).stdout)] == [
        reason.id for reason in REASONS
    ]
