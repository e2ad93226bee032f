"""A border on ports that the system chooses, and the SIP to talk to it."""

from __future__ import annotations

import select
import socket
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from ibcf import _core

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PATIENCE_SECONDS = 10.0


def document(**changes: Any) -> dict[str, Any]:
    """Return a snapshot document: our own core may call, ENUM decides, and nothing is reachable."""
    whole: dict[str, Any] = {
        "version": _core.SNAPSHOT_VERSION,
        "generation": 1,
        "node": {"name": "ibcf-1", "domain": "ibcf.a.example"},
        "keys": [{"id": 1, "secret": "5a" * 32}],
        "listeners": [{"id": "home", "side": "home", "transport": "udp", "address": "127.0.0.1:0"}],
        "agreements": [{"id": "own", "trusted": True, "methods": ["INVITE", "ACK", "BYE", "CANCEL", "OPTIONS"]}],
        "peers": [
            {
                "id": "home_core",
                "side": "home",
                "agreement": "own",
                "listeners": ["home"],
                "sources": ["127.0.0.1/32"],
                "targets": [{"id": "h1", "address": "127.0.0.1:9"}],
            },
        ],
        "enums": [{"id": "carrier", "deadline_ms": 5000}],
        "routes": [
            {
                "id": "barred",
                "condition": {"number": {"prefixes": ["+4490"]}},
                "action": {"kind": "reject", "reason": "decide.forbidden", "phrase": "Premium rate barred"},
            },
            {"id": "look_up", "action": {"kind": "enum", "service": "carrier"}},
            {
                "id": "unknown",
                "condition": {"enum_outcomes": ["not_found"]},
                "action": {"kind": "reject", "reason": "decide.number_unknown"},
            },
        ],
    }
    return whole | changes


def snapshot(**changes: Any) -> bytes:
    """Return the same as JSON."""
    return msgspec.json.encode(document(**changes))


def request(method: str, uri: str, *, source: str, call: str = "1") -> bytes:
    """Return a request as the home core sends it from *source*."""
    lines = [
        f"{method} {uri} SIP/2.0",
        f"Via: SIP/2.0/UDP {source};branch=z9hG4bK{call}{method}",
        "Max-Forwards: 70",
        f"From: <sip:+441632960001@a.example>;tag={call}",
        f"To: <{uri}>",
        f"Call-ID: {call}@a.example",
        f"CSeq: 1 {method}",
        f"Contact: <sip:{source}>",
        "Content-Length: 0",
        "",
        "",
    ]
    return "\r\n".join(lines).encode()


class Border:
    """A core that serves, and a socket of the home core."""

    def __init__(self, core: _core.Core) -> None:
        """Start *core*."""
        self.core = core
        core.start()
        host, _, port = core.listeners()[0][1].rpartition(":")
        self.address = (host, int(port))
        self.client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.client.bind(("127.0.0.1", 0))
        self.client.settimeout(PATIENCE_SECONDS)
        self.source = "{}:{}".format(*self.client.getsockname())

    def send(self, method: str, uri: str, *, call: str = "1") -> None:
        """Send a request."""
        self.client.sendto(request(method, uri, source=self.source, call=call), self.address)

    def final_status(self) -> int:
        """Return the status of the next final response."""
        while (status := int(self.client.recv(65_535).split(b" ", 2)[1])) < 200:
            pass
        return status

    def wait(self) -> None:
        """Wait until the core says that questions or events are there."""
        readable, _, _ = select.select([self.core.fileno()], [], [], PATIENCE_SECONDS)
        assert readable, "the core stayed silent"

    def close(self) -> None:
        """End it."""
        self.core.stop()
        self.client.close()


@pytest.fixture
def open_border() -> Iterator[Callable[..., Border]]:
    """Return a function that makes a border out of changes to the document; all end with the test."""
    borders: list[Border] = []

    def make(*, workers: int = 1, **changes: Any) -> Border:
        borders.append(Border(_core.Core(snapshot(**changes), workers=workers)))
        return borders[-1]

    yield make
    for border in borders:
        border.close()
