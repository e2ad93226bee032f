from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from typer.testing import Result

from ibcf.routing.locator import LocatorSettings
from tests.unit.routing.test_locator import GOOD, Source
from tests.unit.routing.zones import Answers

Run = Callable[..., Result]
DEMO = Path(__file__).parents[3] / "policies" / "demo.yaml"


def test_a_number_is_explained_stage_by_stage_down_to_the_bytes(run: Run) -> None:
    """Steps, look-ups, the decision, what changed and what would leave are shown, in this order."""
    result = run("explain", "--config", DEMO, "--number", "+44 1632 960083", "--from", "carrier_a")
    assert result.exit_code == 0, result.output
    text = result.stdout
    wanted = [
        "INVITE tel:+441632960083 SIP/2.0",
        "look_up",
        "RFC 6116",
        "to_b",
        "enum carrier_enum +441632960083 FOUND: sip:+441632960083@ims.b.example;user=phone",
        "decision: forward to peer carrier_b, target b1 at 127.0.0.3:5060, from listener peer_udp",
        "  - INVITE tel:+441632960083 SIP/2.0",
        "  + INVITE sip:+441632960083@ims.b.example;user=phone SIP/2.0",
        "  + Via: SIP/2.0/UDP 127.0.0.1:5070",
        "  - Max-Forwards: 70",
        "bytes to 127.0.0.3:5060",
        "Via: SIP/2.0/UDP 127.0.0.2:5060;branch=z9hG4bK-explain;rport",
    ]
    places = [text.find(line) for line in wanted]
    assert -1 not in places, wanted[places.index(-1)]
    assert places == sorted(places)


def test_a_peer_out_of_dns_is_shown_with_where_it_is(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """What DNS said is shown, and the decision names the target that it gave."""
    monkeypatch.setattr(LocatorSettings, "open_source", lambda _: Source(Answers(GOOD)))
    fixed = '    targets:\n      - {id: b1, address: "127.0.0.3:5060"}\n'
    text = DEMO.read_text().replace(fixed, "    domain: b.example\n")
    Path("demo.zone").write_text(DEMO.with_suffix(".zone").read_text())
    Path("border.yaml").write_text(text + 'locator: {servers: "127.0.0.1:53"}\n')
    arguments = ("explain", "--config", "border.yaml", "--number", "+441632960083", "--from", "carrier_a")
    result = run(*arguments)
    assert "located carrier_b: 192.0.2.1:5060;transport=udp\n" in result.stdout, result.output
    assert "target 192.0.2.1:5060;transport=udp at 192.0.2.1:5060, from listener peer_udp" in result.stdout
    document = msgspec.json.decode(run(*arguments, "--json").stdout)
    assert document["located"][0]["targets"][0]["address"] == "192.0.2.1:5060"


def test_what_leaves_cannot_play_tricks(run: Run) -> None:
    """An escape sequence in a header is spelt out."""
    result = run("explain", "--config", DEMO, "--number", "+441632960083", "--from", "carrier_a")
    assert "X-Evil: \\x1b[2J" in result.stdout
    assert "\x1b" not in result.stdout


def test_a_refusal_shows_the_answer_and_its_reason(run: Run) -> None:
    """A number that policy forbids ends in the answer that the caller would get."""
    result = run("explain", "--config", DEMO, "--number", "+449098790123", "--from", "carrier_a")
    assert result.exit_code == 0
    assert "decision: answer 403 Premium Rate Barred (reason decide.forbidden)" in result.stdout
    assert "bytes to 127.0.0.2:5060" in result.stdout


def test_a_pair_of_numbers_stands_for_a_call(run: Run) -> None:
    """Blanks and dashes are for the reader."""
    pair = ("--number", "+44 1632 960083", "--calling", "+33-142-00-00-00")
    result = run("explain", "--config", DEMO, "--from", "carrier_a", "--json", *pair)
    received = msgspec.json.decode(result.stdout)["received"]
    assert received.startswith("INVITE tel:+441632960083 SIP/2.0\n")
    assert "\nFrom: <tel:+33142000000>;tag=" in received


@pytest.mark.parametrize("dash", [False, True])
def test_a_message_comes_from_a_file_or_from_standard_input(run: Run, *, dash: bool) -> None:
    """A message saved with plain line ends is taken as it was meant."""
    message = "INVITE tel:+441632960083 SIP/2.0\nCall-ID: explain@127.0.0.2\nSubject: hello\n\n"
    Path("m.sip").write_text(message)
    source = ("-",) if dash else ("m.sip",)
    result = run("explain", "--config", DEMO, "--from", "carrier_a", "--json", "--message", *source, input=message)
    document = msgspec.json.decode(result.stdout)
    assert document["received"] == message
    assert document["decision"]["verdict"] == "forward"
    assert document["from"] == {"peer": "carrier_a", "source": "127.0.0.2:5060", "listener": "home_udp"}
    assert [step["stage"] for step in document["steps"]] == ["decide", "forward"]
    assert document["lookups"][0]["candidates"] == ["sip:+441632960083@ims.b.example;user=phone"]
    assert {change["kind"] for change in document["changes"]} == {"changed", "added", "removed"}


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (("--from", "carrier_x", "--number", "+441632960083"), 'unknown peer "carrier_x"; did you mean "carrier_'),
        (("--from", "carrier_a"), "give one of --message, --pcap and --number"),
        (("--from", "carrier_a", "--number", "+1", "--message", "m"), "give one of --message, --pcap and --number"),
        (("--from", "carrier_a", "--number", "01632960083"), "is not + and up to 15 digits"),
        (("--from", "carrier_a", "--number", "+1", "--method", "invite"), "a method is written in capitals"),
        (
            ("--from", "carrier_a", "--number", "+1", "--calling", "anonymous"),
            '"anonymous" is not + and up to 15 digits',
        ),
        (("--from", "carrier_a", "--message", "m", "--calling", "+1"), "belongs to --number"),
        (("--from", "carrier_a", "--message", "absent.sip"), "absent.sip: No such file or directory"),
    ],
)
def test_wrong_usage_is_told(run: Run, arguments: tuple[str, ...], problem: str) -> None:
    """What is missing or wrong is said, with exit 2."""
    result = run("explain", "--config", DEMO, *arguments)
    assert result.exit_code == 2
    assert problem in result.output
