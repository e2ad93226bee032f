"""`ibcf policy diff` on the real engine: only what is decided otherwise, by rule, with its place in the capture."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from ibcf.cli.main import app
from ibcf.config import read
from ibcf.policy.specimen import request_to
from tests.unit.config.pairs import KEY, KEY_VARIABLE, sound
from tests.unit.policy.packets import capture, udp

BORDER = "127.0.0.1:5060"
OLD = """\
routes:
  - {id: no_premium, match: {number_prefix: "+4490"}, reject: {reason: decide.forbidden}}
  - {id: entry, match: {direction: entry}, to: [{peer: carrier_a}]}
  - {id: all, to: [{peer: carrier_b}]}
"""
NEW = OLD.replace('"+4490"', '["+4490", "+331"]')
MARKED = """\
header_rules:
  - {id: to_b, rules: [{id: no_agent, remove: User-Agent}, {id: mark, add: {header: X-A, value: b}}]}
"""


@pytest.fixture(autouse=True)
def surroundings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two policies and a capture of calls of both carriers and of a stranger, an answer, a repetition and an ACK."""
    monkeypatch.setenv(KEY_VARIABLE, KEY)
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.chdir(tmp_path)
    Path("old.yaml").write_text(sound(routes=OLD, enum="enum: []\n"))
    Path("new.yaml").write_text(sound(routes=NEW, enum="enum: []\n"))
    config = read("old.yaml").config
    a, b = config.peers

    def call(number: str, call_id: str, peer: object = a) -> bytes:
        request = request_to(number, peer=peer, config=config)  # type: ignore[arg-type]
        return request.replace(b"Call-ID: explain", f"Call-ID: {call_id}".encode())

    calls = [call(f"+33142000{at:03}", f"c{at}") for at in range(7)]
    packets = [udp("127.0.0.2:5060", BORDER, data) for data in (*calls, calls[0], call("+441632960000", "other"))]
    packets += [
        udp("127.0.0.3:5060", BORDER, call("+33142000000", "from_b", b)),
        udp("127.0.0.9:5060", BORDER, call("+33142000000", "stranger")),
        udp("127.0.0.2:5060", BORDER, calls[0].replace(b"INVITE", b"ACK")),
        udp("127.0.0.2:5060", BORDER, calls[0].replace(b"To: <tel:+33142000000>", b"To: <tel:+33142000000>;tag=x")),
        udp(BORDER, "127.0.0.2:5060", b"SIP/2.0 100 Trying\r\n\r\n"),
    ]
    Path("calls.pcap").write_bytes(capture(packets))


def run(*options: str, new: str = "new.yaml") -> Result:
    """Compare both policies over the capture."""
    return CliRunner().invoke(app, ["policy", "diff", "old.yaml", new, "--traffic", "calls.pcap", *options])


def test_only_what_is_decided_otherwise_is_shown_by_rule() -> None:
    """Before and after, the count, the first few with file and frame, and what was not looked at."""
    result = run()
    assert result.exit_code == 1, result.output
    assert result.stdout.splitlines() == [
        "7 requests: all → no_premium",
        "  - to carrier_b, target b1",
        "  + answer 403 (decide.forbidden)",
        *(
            f"    calls.pcap frame {at + 1}, from 127.0.0.2:5060: INVITE tel:+33142000{at:03} SIP/2.0"
            for at in range(5)
        ),
        "1 request: entry → no_premium",
        "  - to carrier_a, target a1",
        "  + answer 403 (decide.forbidden)",
        "    calls.pcap frame 10, from 127.0.0.3:5060: INVITE sip:+33142000000@ibcf.a.example;user=phone SIP/2.0",
        "9 requests decided, 8 otherwise",
        "  1 not looked at: repetitions",
        "  1 not looked at: requests that no peer sent",
        "  2 not looked at: requests inside of dialogs and transactions",
        "  1 not looked at: responses",
    ]


def test_two_policies_that_do_the_same_differ_in_nothing() -> None:
    """Exit status 0, whatever the rules are called."""
    Path("same.yaml").write_text(sound(routes=OLD.replace("id: all", "id: rest"), enum="enum: []\n"))
    result = run(new="same.yaml")
    assert (result.exit_code, result.stdout.splitlines()[0]) == (0, "9 requests decided, 0 otherwise")


def test_the_same_way_with_other_headers_is_a_difference() -> None:
    """Which headers leave otherwise; those that the border itself writes do not count."""
    Path("marked.yaml").write_text(sound(routes=OLD, header_rules=MARKED, enum="enum: []\n"))
    result = run(new="marked.yaml")
    assert result.exit_code == 1
    assert result.stdout.splitlines()[:2] == [
        "8 requests: all",
        "  to carrier_b, target b1, but with other X-A",
    ]


def test_a_report_for_machines_has_the_groups() -> None:
    """Counts, both decisions, examples."""
    report = json.loads(run("--json").stdout)
    assert (report["decided"], report["different"], report["skipped"]["responses"]) == (9, 8, 1)
    first = report["groups"][0]
    assert (first["count"], first["before"]["rule"], first["after"]["way"]) == (
        7,
        "all",
        "answer 403 (decide.forbidden)",
    )
    assert first["examples"][0]["frame"] == 1


def test_a_sender_may_be_said_for_captures_from_elsewhere() -> None:
    """All requests count as that peer's; a peer that is not there is told."""
    result = run("--from", "carrier_a")
    assert "requests that no peer sent" not in result.stdout
    assert "9 requests: all → no_premium" in result.stdout
    assert run("--from", "carrier_x").exit_code == 2


def test_servers_of_enum_are_not_asked_unless_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """The look-up fails, as when the servers are down, and the report says how many did."""
    Path("old.yaml").write_text(sound())
    result = run(new="old.yaml")
    assert result.exit_code == 0
    assert result.stdout.splitlines()[-1] == "  16 look-ups failed: ENUM servers are asked with --ask-enum only"


def test_a_frame_of_the_capture_can_be_explained() -> None:
    """Its address tells its sender, the capture its time; another frame is refused with those that are there."""

    def explain(*options: str) -> Result:
        arguments = ["explain", "--config", "new.yaml", "--pcap", "calls.pcap", *options]
        return CliRunner().invoke(app, arguments)

    result = explain("--frame", "10")
    assert result.exit_code == 0, result.output
    assert "from carrier_b" in result.stdout
    assert "decision: answer 403 Forbidden (reason decide.forbidden)" in result.stdout
    assert explain("--frame", "10", "--from", "carrier_a").exit_code == 0
    for options in (("--frame", "99"), ("--frame", "11"), ("--frame", "1", "--number", "+44")):
        assert explain(*options).exit_code == 2
