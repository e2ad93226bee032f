"""The configurations of the three levels: they are valid, and they do what the levels say."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from benchmarks.border import POLICIES, policy, prepare
from benchmarks.growth import changed
from benchmarks.levels import CHARGED, GONE, LEVELS, NETWORK, RELAY
from benchmarks.place import Place
from benchmarks.sipp import TEMPLATES
from benchmarks.subject import Subject, Transport
from benchmarks.targets import POLICY
from ibcf.cli.main import app
from ibcf.config import read

FILLED = {
    "[field0]": "+49301000007",
    "[local_ip]:[local_port]": "127.0.0.11:5060",
    "[remote_ip]:[remote_port]": "127.0.0.1:5060",
    "[call_number]": "1",
    "[pid]": "1",
    "[branch]": "z9hG4bK1",
    "[call_id]": "1@bench",
    "[len]": "0",
}


def invite() -> str:
    """Return the INVITE of the scenario, without its body."""
    text = (TEMPLATES / "call-caller.xml").read_text().partition("<![CDATA[\n")[2].partition("\n\n")[0]
    for word, value in FILLED.items():
        text = text.replace(word, value)
    return text.replace("\n", "\r\n") + "\r\n\r\n"


@pytest.mark.parametrize("transport", ["udp", "tcp", "tls"])
@pytest.mark.parametrize("level", LEVELS)
def test_each_level_is_a_valid_configuration(level: int, transport: Transport, tmp_path: Path) -> None:
    """The border would start with each level, over each transport, at the addresses of a run."""
    path = tmp_path / "ibcf.yaml"
    path.write_text(json.dumps(prepare(policy(level), Place(tmp_path), Subject("ibcf", level, transport))))
    config = read(path).config
    assert {listener.transport for listener in config.listeners} == {transport}
    assert config.node.workers == 1


@pytest.mark.parametrize("level", [1, 2])
def test_each_level_does_its_work(level: int, tmp_path: Path) -> None:
    """Level 1 leaves headers and Request-URI alone, level 2 does what a border does."""
    message = tmp_path / "invite"
    message.write_text(invite(), newline="")
    words = ["explain", "-c", str(POLICIES / f"l{level}.yaml"), "--from", "caller", "--message", str(message), "--json"]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, done.output
    [invite_sent] = [one["message"] for one in json.loads(done.output)["sent"] if "INVITE sip:" in one["message"]]
    does_all = level > RELAY
    assert (f"@{NETWORK}" in invite_sent.partition("\n")[0]) == does_all
    assert (CHARGED in invite_sent) == does_all
    left = {name for name in GONE if f"\n{name}:" in invite_sent}
    # charging functions of one network never cross to another (TB-24), whatever the rules say
    assert left == (set() if does_all else set(GONE) - {"P-Charging-Function-Addresses"})
    assert "Record-Route: <sip:" in invite_sent


def test_a_large_policy_is_valid_and_routes_as_the_small_one(tmp_path: Path) -> None:
    """A thousand peers and ten thousand rules are in front of the rule that takes our calls."""
    document = changed(prepare(policy(2), Place(tmp_path), Subject("ibcf", 2)), Place(tmp_path), POLICY)
    path = tmp_path / "ibcf.yaml"
    path.write_text(json.dumps(document))
    config = read(path).config
    assert len(config.peers) == 4 + 1_000
    assert len(config.routes) == 2 + 10_000
    assert config.routes[-1].id == "all"
