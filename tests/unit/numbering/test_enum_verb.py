"""`ibcf enum`: what an operator sees of a look-up."""

import json
from pathlib import Path

import pytest
import structlog
import typer
from typer.testing import CliRunner, Result

from ibcf.cli.enum_lookup import enum_lookup

REPOSITORY = Path(__file__).parents[3]
app = typer.Typer()
app.command()(enum_lookup)

ZONE = r"""
$ORIGIN e164.arpa.
$TTL 300
3.8.0.0.6.9.2.3.6.1.4.4 NAPTR 100 20 "u" "E2U+sip" "!^(.*)$!sip:\\1@b.example!" .
                        NAPTR 100 10 "u" "E2U+email:mailto" "!^.*$!mailto:a@b.example!" .
                        NAPTR 90 10 "" "" "" loop
loop                    NAPTR 1 1 "" "" "" 3.8.0.0.6.9.2.3.6.1.4.4
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """The shipped configuration over a zone of its own."""
    (tmp_path / "demo.zone").write_text(ZONE)
    path = tmp_path / "border.yaml"
    path.write_text((REPOSITORY / "policies" / "demo.yaml").read_text())
    return path


def run(*arguments: str) -> Result:
    """Run the verb."""
    try:
        return CliRunner().invoke(app, arguments)
    finally:
        structlog.reset_defaults()


def test_records_are_shown_in_order_with_what_became_of_them(config: Path) -> None:
    """The output has the names asked, each record in its order with taken or skipped and why, and the result."""
    result = run("+441632960083", "--config", str(config))
    assert result.exit_code == 0, result.output
    lines = [line.strip() for line in result.output.splitlines()]
    assert "3.8.0.0.6.9.2.3.6.1.4.4.e164.arpa  FOUND" in lines
    order = [
        "skipped (dead_end): loop.e164.arpa: FOUND, no candidate",
        'skipped (service): service field "E2U+email:mailto": none of sip, pstn:sip',
        "taken: sip:+441632960083@b.example",
    ]
    assert [line for line in lines if line in order] == order
    assert "skipped (loop): 3.8.0.0.6.9.2.3.6.1.4.4.e164.arpa was asked already" in lines
    assert "found (FOUND), kept for 300 s" in lines
    assert "1. sip:+441632960083@b.example" in lines


def test_json_has_the_same(config: Path) -> None:
    """With --json the same facts come as one document."""
    result = run("+441632960083", "--config", str(config), "--json")
    document = json.loads(result.output)
    [service] = document["services"]
    assert (service["outcome"], service["class"], service["ttl_ms"]) == ("found", "FOUND", 300_000)
    assert service["candidates"] == ["sip:+441632960083@b.example"]
    assert [record["skip"] for record in service["steps"][0]["records"]] == ["dead_end", "service", None]


def test_unknown_number_is_a_finding(config: Path) -> None:
    """A number without a record ends with exit status 1 and says which no it was."""
    result = run("+441632960099", "--config", str(config))
    assert result.exit_code == 1
    assert "not_found (NXDOMAIN)" in result.output


@pytest.mark.parametrize(
    ("arguments", "words"),
    [(("441632960083",), "is not an E.164 number"), (("+441632960083", "--service", "gone"), "no enum section")],
)
def test_wrong_usage_is_said(config: Path, arguments: tuple[str, ...], words: str) -> None:
    """Something that is no number, or an unknown service, ends with exit status 2."""
    result = run(*arguments, "--config", str(config))
    assert result.exit_code == 2
    assert words in result.output
