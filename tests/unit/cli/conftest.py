"""A core that is not compiled: what the verbs need of it, with what it was given and what it should say."""

import sys
import types
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import msgspec
import pytest
import structlog
from typer.testing import CliRunner, Result

import ibcf
from ibcf.cli.main import app
from ibcf.errors import SnapshotRefusedError
from tests.unit.config.pairs import KEY, KEY_VARIABLE

REASONS = [
    {
        "id": name, "status": 403, "phrase": "Forbidden", "q850": 21, "source": "policy", "text": "", "clause": "",
        "advice": "",
    }
    for name in ("decide.forbidden", "decide.no_route", "decide.number_unknown", "decide.enum_failed")
]  # fmt: skip

INVITE = (
    b"INVITE sip:+441632960083@ims.b.example;user=phone SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:5070\r\n"
    b"Via: SIP/2.0/UDP 127.0.0.2:5060;branch=z9hG4bK-explain;rport\r\nCall-ID: explain@127.0.0.2\r\n"
    b"X-Evil: \x1b[2J\r\n\r\n"
)


class FakeOutputs:
    """What the engine gives back."""

    def __init__(
        self, sends: list[tuple[str, str, bytes]], questions: object = (), events: object = (), trace: object = ()
    ) -> None:
        """Keep what is given back as the boundary has it."""
        self.sends = sends
        self.questions, self.events, self.trace = (msgspec.json.encode(part) for part in (questions, events, trace))
        self.cdrs = b""


class FakeEngine:
    """Asks for the number, then sends the request to the first target of the demonstration."""

    def __init__(self, snapshot: bytes, *, lists: Mapping[str, object], seed: int = 0, trace: bool = False) -> None:
        """Take a snapshot."""
        self.target = "127.0.0.3:5060"

    def receive(self, listener: str, source: str, data: bytes, *, now_ms: int, peer: str | None = None) -> FakeOutputs:
        """Refuse premium numbers, and ask for all others."""
        if b"tel:+4490" in data:
            refused = {
                "event": "message_refused", "reason": "decide.forbidden", "source": source, "detail": "",
                "suppressed": 0, "unix_ms": now_ms,
            }  # fmt: skip
            return FakeOutputs([(listener, source, b"SIP/2.0 403 Premium Rate Barred\r\n\r\n")], events=[refused])
        body = {"kind": "enum", "service": "carrier_enum", "number": "+441632960083"}
        step = {
            "stage": "decide",
            "rule": "look_up",
            "outcome": "matched",
            "detail": "look it up",
            "clause": "RFC 6116",
        }
        return FakeOutputs([], questions=[{"id": 1, "deadline_ms": 2000, "body": body}], trace=[step])

    def answer(self, answers: bytes, *, now_ms: int) -> FakeOutputs:
        """Send what was asked for."""
        step = {"stage": "forward", "rule": "to_b", "outcome": "sent", "detail": "to b1"}
        return FakeOutputs([("peer_udp", self.target, INVITE)], trace=[step])

    def set_targets(self, sets: bytes, *, now_ms: int) -> FakeOutputs:
        """Send to where the first one is from now on."""
        self.target = msgspec.json.decode(sets)[0]["targets"][0]["address"]
        return FakeOutputs([])


def check_snapshot(snapshot: bytes, *, lists: Mapping[str, object]) -> None:
    """Refuse one header name, as the real one refuses what it cannot compile."""
    if b"X-Refuse" in snapshot:
        raise SnapshotRefusedError("header_rules[0].rules[0]: no such thing")


@pytest.fixture(autouse=True)
def core(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Put the fake in the place of the compiled module."""
    fake = types.ModuleType("ibcf._core")
    fake.reasons = lambda: msgspec.json.encode(REASONS)  # type: ignore[attr-defined]
    fake.check_snapshot = check_snapshot  # type: ignore[attr-defined]
    fake.Engine = FakeEngine  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "ibcf._core", fake)
    monkeypatch.setattr(ibcf, "_core", fake, raising=False)
    monkeypatch.setenv(KEY_VARIABLE, KEY)
    yield
    structlog.reset_defaults()  # a verb sets logging up for its own process


Run = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run the command line in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    return lambda *arguments, **options: CliRunner().invoke(app, [str(argument) for argument in arguments], **options)
