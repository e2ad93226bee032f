"""SIP messages as the toy cores read and write them.

Enough of RFC 3261 for two user agents that behave, and written apart from the border's own parser on purpose: what
both read alike is more likely right.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

VERSION = "SIP/2.0"

_COMPACT = {
    "c": "content-type",
    "f": "from",
    "i": "call-id",
    "k": "supported",
    "l": "content-length",
    "m": "contact",
    "t": "to",
    "v": "via",
}
_BETWEEN_VALUES = re.compile(r',(?=(?:[^"]*"[^"]*")*[^"]*$)(?![^<]*>)')
_PARAMETER = re.compile(r';\s*([^=;,>\s]+)(?:\s*=\s*("[^"]*"|[^;,>\s]*))?')
_URI = re.compile(r"<([^>]+)>|([a-z]+:[^;\s]+)", re.IGNORECASE)
_HOST = re.compile(r"[a-z]+:(?:[^@]*@)?(\[[0-9a-fA-F:]+\]|[^:;>?\s]+)(?::(\d+))?", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Message:
    """One request or response; header names as written, values without the blanks around them."""

    start: str
    headers: tuple[tuple[str, str], ...]
    body: bytes = b""

    @classmethod
    def parse(cls, data: bytes) -> Message:
        """Read a datagram.

        Raises:
            ValueError: it is not a SIP message, or lacks what every message has.
        """
        head, separator, rest = data.partition(b"\r\n\r\n")
        if not separator:
            raise ValueError("no blank line behind the headers")
        start, *lines = re.sub(rb"\r\n[ \t]+", b" ", head).decode().split("\r\n")
        headers: list[tuple[str, str]] = []
        for line in lines:
            name, colon, value = line.partition(":")
            if not colon:
                raise ValueError(f"a header without a colon: {line}")
            headers.append((name.strip(), value.strip()))
        message = cls(start, tuple(headers), rest)
        if VERSION not in (start[: len(VERSION)], start[-len(VERSION) :]):
            raise ValueError(f"not a SIP start line: {start}")
        for name in ("Via", "From", "To", "Call-ID", "CSeq"):
            if not message.first(name):
                raise ValueError(f"no {name}")
        length = message.first("Content-Length")
        return cls(start, message.headers, rest[: int(length)] if length else rest)

    def encode(self) -> bytes:
        """Return the bytes of the message; Content-Length is put last."""
        lines = [self.start, *(f"{name}: {value}" for name, value in self.headers)]
        return "\r\n".join([*lines, f"Content-Length: {len(self.body)}", "", ""]).encode() + self.body

    @property
    def status(self) -> int | None:
        """Return the status of a response, `None` for a request."""
        return int(self.start.split(" ", 2)[1]) if self.start.startswith(VERSION) else None

    @property
    def phrase(self) -> str:
        """Return the reason phrase of a response."""
        return self.start.split(" ", 2)[2] if self.status is not None else ""

    @property
    def request_uri(self) -> str:
        """Return the Request-URI of a request."""
        return self.start.split(" ", 2)[1] if self.status is None else ""

    @property
    def method(self) -> str:
        """Return the method: that of the CSeq, so that responses have one too."""
        return self.first("CSeq").split()[-1]

    @property
    def number(self) -> int:
        """Return the number of the CSeq."""
        return int(self.first("CSeq").split()[0])

    @property
    def call_id(self) -> str:
        """Return the Call-ID."""
        return self.first("Call-ID")

    @property
    def branch(self) -> str:
        """Return the branch of the topmost Via, which names the transaction (RFC 3261 §17.1.3)."""
        return parameter(next(self.values("Via")), "branch") or ""

    def lines(self, name: str) -> tuple[str, ...]:
        """Return the values of the header lines *name*, each as it stands."""
        wanted = name.lower()
        return tuple(value for found, value in self.headers if _COMPACT.get(found.lower(), found.lower()) == wanted)

    def first(self, name: str) -> str:
        """Return the first of them, or nothing."""
        return next(iter(self.lines(name)), "")

    def values(self, name: str) -> Iterator[str]:
        """Yield the elements of a header that is a list, over all its lines."""
        for line in self.lines(name):
            yield from (value.strip() for value in _BETWEEN_VALUES.split(line))


def parameter(value: str, name: str) -> str | None:
    """Return a header parameter (behind the `>` if there is one), `""` for one without a value.

    >>> parameter('"B; C" <sip:b@host;tag=not>;tag=8', "tag")
    '8'
    """
    behind = value.rpartition(">")[2]
    return next(
        (found.strip('"') for key, found in _PARAMETER.findall(behind if ">" in value else value) if key == name), None
    )


def uri_of(value: str) -> str:
    """Return the URI of a name-addr or addr-spec.

    >>> uri_of('"B" <sip:b@127.0.0.3:5060;lr>;tag=1')
    'sip:b@127.0.0.3:5060;lr'
    """
    match = _URI.search(value)
    if match is None:
        raise ValueError(f"no URI in: {value}")
    return match[1] or match[2]


def address_of(uri: str) -> tuple[str, int]:
    """Return host and port that a SIP URI leads to.

    >>> address_of("sip:token@127.0.0.1:40000;lr")
    ('127.0.0.1', 40000)
    """
    match = _HOST.match(uri)
    if match is None:
        raise ValueError(f"no host in: {uri}")
    return match[1].strip("[]"), int(match[2] or 5060)
