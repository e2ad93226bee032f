"""The request as a hook sees it. Nothing of it can be changed: what is to be otherwise stands in the verdict."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from ibcf.message import key_of, split

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ibcf.boundary import EnumOutcome, HookQuestion


class Headers(Mapping[str, str]):
    r"""The headers of a request by name: long or compact, in any case.

    >>> headers = Headers(split(b"INVITE sip:b SIP/2.0\r\nv: 1\r\nVia: 2\r\n\r\n")[1])
    >>> headers["via"], headers.all("VIA"), headers.get("Subject"), "v" in headers
    ('1', ('1', '2'), None, True)
    """

    __slots__ = ("_lines",)

    def __init__(self, lines: Mapping[str, list[tuple[str, str]]]) -> None:
        """Take what `ibcf.message.split` gave."""
        self._lines = {key: tuple(value for _, value in found) for key, found in lines.items()}

    def __getitem__(self, name: str) -> str:
        """Return the first value of that name."""
        return self._lines[key_of(name)][0]

    def __iter__(self) -> Iterator[str]:
        """Yield the names, in lower case, each once."""
        return iter(self._lines)

    def __len__(self) -> int:
        """Return how many names there are."""
        return len(self._lines)

    def all(self, name: str) -> tuple[str, ...]:
        """Return all values of that name, a line each, in their order."""
        return self._lines.get(key_of(name), ())


@dataclass(frozen=True, slots=True)
class EnumResult:
    """What the last look-up led to."""

    outcome: EnumOutcome
    """`found`, `not_found` or `failed`."""
    class_: str
    """The finer class: `FOUND`, `NXDOMAIN`, `TIMEOUT` ..."""
    candidates: tuple[str, ...]
    """The URIs, best first."""


@dataclass(frozen=True, slots=True)
class Request:
    """A request that begins something, as it came to the border."""

    rule: str
    """Id of the rule that asks."""
    method: str
    request_uri: str
    """The Request-URI as it is now: behind a look-up, the URI that it led to."""
    number: str | None
    """The global number that is called, `+` and digits."""
    calling: str | None
    """The global number that calls: of P-Asserted-Identity if its sender is trusted, else of From."""
    peer: str
    """Id of the peer that sent it."""
    side: Literal["home", "peer"]
    """The side of that peer."""
    direction: Literal["exit", "entry"]
    """Out of our core, or into it (TS 24.229 §5.10)."""
    trusted: bool
    """Is that peer in our trust domain?"""
    enum: EnumResult | None
    """What the last look-up led to; nothing before one."""
    received_ms: int
    """When it came, in milliseconds since 1970."""
    headers: Headers
    """As they came: no rule for headers was at them yet."""
    body: bytes

    @property
    def call_id(self) -> str:
        """Return its Call-ID."""
        return self.headers.get("call-id", "")


def view(question: HookQuestion) -> Request:
    """Return the request that *question* is about."""
    _, lines, body = split(question.message.encode("latin-1"))
    enum = None
    if question.enum_outcome is not None:
        enum = EnumResult(question.enum_outcome, question.enum_class or "", question.enum_candidates)
    return Request(
        rule=question.rule,
        method=question.method,
        request_uri=question.request_uri,
        number=question.number,
        calling=question.calling,
        peer=question.peer,
        side=question.side,
        direction=question.direction,
        trusted=question.trusted,
        enum=enum,
        received_ms=question.unix_ms,
        headers=Headers(lines),
        body=body,
    )
