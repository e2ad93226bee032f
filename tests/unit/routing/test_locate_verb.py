"""`ibcf locate`: what an operator sees of a location."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
from typer.testing import CliRunner, Result

from ibcf.cli.main import app
from ibcf.dns.records import Class
from ibcf.routing.locator import LocationSource, LocatorSettings
from tests.unit.routing.test_locator import GOOD, Source
from tests.unit.routing.zones import Answers, Zone

REPOSITORY = Path(__file__).parents[3]
ZONE: Zone = {
    **GOOD,
    "NAPTR b.example": ['1 1 "s" "SIP+D2S" "" _sip._sctp.b.example.', '2 1 "s" "SIP+D2U" "" _sip._udp.b.example.'],
    "AAAA s.b.example": Class.SERVFAIL,
}


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The shipped configuration with a locator, and a zone for its servers."""

    def opened(settings: LocatorSettings) -> LocationSource:
        assert settings.servers == ("127.0.0.1:53",)
        return Source(Answers(ZONE))

    monkeypatch.setattr(LocatorSettings, "open_source", opened)
    path = tmp_path / "border.yaml"
    text = (REPOSITORY / "policies" / "demo.yaml").read_text()
    path.write_text(f'{text}\nlocator: {{servers: "127.0.0.1:53"}}\n')
    yield path
    structlog.reset_defaults()


def run(*arguments: str) -> Result:
    """Run the verb."""
    return CliRunner().invoke(app, ["locate", *arguments])


def test_each_step_is_shown_and_why_a_record_was_left_out(config: Path) -> None:
    """The output has the queries with their classes, the records used and skipped, and the targets in order."""
    result = run("B.example.", "--config", str(config))
    assert result.exit_code == 0, result.output
    lines = [line.strip() for line in result.output.splitlines()]
    order = [
        "sip:B.example.  by servers 127.0.0.1:53",
        "NAPTR b.example  FOUND",
        'skipped: service "SIP+D2S": none of ours',
        "used",
        "SRV _sip._udp.b.example  FOUND",
        "AAAA s.b.example  SERVFAIL: why",
        "A s.b.example  FOUND",
        "found (FOUND), incomplete: why, kept for 30 s",
        "priority 0, weight 1: udp 192.0.2.1:5060 (s.b.example)",
    ]
    assert [line for line in lines if line in order and line != "used"] == [line for line in order if line != "used"]
    assert lines.count("used") == 3


def test_json_has_the_same(config: Path) -> None:
    """With --json the same facts come as one document."""
    document = json.loads(run("b.example", "--config", str(config), "--json").output)
    assert (document["outcome"], document["class"], document["incomplete"]) == ("found", "FOUND", True)
    assert document["targets"] == [
        {
            "name": "s.b.example",
            "address": "192.0.2.1",
            "port": 5060,
            "transport": "udp",
            "priority": 0,
            "weight": 1,
        }
    ]
    assert [step["type"] for step in document["steps"]] == ["NAPTR", "SRV", "AAAA", "A"]
    assert document["steps"][0]["records"][0]["skipped"]


def test_port_transport_and_scheme_are_those_of_the_uri(config: Path) -> None:
    """The options stand for the parts of the URI; a literal needs no DNS at all."""
    result = run("192.0.2.7", "--config", str(config), "--port", "5090", "--transport", "tcp", "--sips", "--json")
    document = json.loads(result.output)
    assert document["destination"] == "sips:192.0.2.7:5090;transport=tcp"
    assert (document["targets"][0]["transport"], document["targets"][0]["port"]) == ("tls", 5090)
    assert document["steps"] == []


def test_nothing_found_is_a_finding(config: Path) -> None:
    """A host without servers ends with exit status 1 and says which no it was."""
    result = run("gone.example", "--config", str(config))
    assert result.exit_code == 1
    assert "not_found (NXDOMAIN), kept for 30 s" in result.output


def test_a_peer_is_located_by_what_its_listeners_speak(config: Path) -> None:
    """With --peer the domain, and what can be spoken, are those of the peer in the configuration."""
    text = config.read_text()
    config.write_text(text.replace('targets:\n      - {id: b1, address: "127.0.0.3:5060"}', "domain: b.example"))
    document = json.loads(run("--peer", "carrier_b", "--config", str(config), "--json").output)
    assert document["destination"] == "sip:b.example"
    assert [step["name"] for step in document["steps"] if step["type"] == "A"] == ["s.b.example"]
    assert not any(step["type"] == "AAAA" for step in document["steps"]), "its listeners are IPv4"
    document = json.loads(run("s.b.example", "--peer", "carrier_c", "--config", str(config), "--json").output)
    assert document["destination"] == "sip:s.b.example"


def test_wrong_usage_is_said(config: Path) -> None:
    """What names nothing that could be looked up, or a configuration without a locator, ends with exit status 2."""
    result = run("--peer", "carrier_x", "--config", str(config))
    assert (result.exit_code, 'unknown peer "carrier_x"' in result.output) == (2, True)
    for arguments in ((), ("--peer", "carrier_b")):
        result = run(*arguments, "--config", str(config))
        assert (result.exit_code, "give a HOST" in result.output) == (2, True)
    result = run("b.example", "--config", str(config), "--transport", "sctp")
    assert (result.exit_code, "sctp is no transport" in result.output) == (2, True)
    bare = REPOSITORY / "policies" / "demo.yaml"
    result = run("b.example", "--config", str(bare))
    assert (result.exit_code, "no section locator" in result.output) == (2, True)
