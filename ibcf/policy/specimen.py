"""Messages for `explain`: one made up for a number, or one read from a file and put right where editors spoil it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ibcf.policy.explain import address_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ibcf.config import Config
    from ibcf.config.peers import Peer

CALLER = "+441632960000"
TAG = "explain"
BRANCH = "z9hG4bK-explain"
TRYING = 100


def request_to(
    number: str,
    *,
    peer: Peer,
    config: Config,
    method: str = "INVITE",
    uri: str | None = None,
    calling: str | None = None,
) -> bytes:
    """Return a request to *number* as *peer* could send it: a tel URI from our core, a SIP URI from another network.

    It goes to *uri* instead if there is one, and comes from the number *calling*.
    """
    source = address_of(peer)
    if uri is None:
        uri = f"tel:{number}" if peer.side == "home" else f"sip:{number}@{config.node.domain};user=phone"
    caller = calling or CALLER
    kind, body = _body(method, source)
    lines = [
        f"{method} {uri} SIP/2.0",
        f"Via: SIP/2.0/UDP {source};branch={BRANCH};rport",
        "Max-Forwards: 70",
        f"From: <tel:{caller}>;tag={TAG}",
        f"To: <{uri}>",
        f"Call-ID: explain@{source.rpartition(':')[0]}",
        f"CSeq: 1 {method}",
        f"Contact: <sip:explain@{source}>",
        f"P-Asserted-Identity: <tel:{caller}>",
        'P-Charging-Vector: icid-value="explain"',
        "P-Access-Network-Info: 3GPP-E-UTRAN-FDD;utran-cell-id-3gpp=0010100000000001",
        "User-Agent: ibcf explain",
    ]
    if method == "INVITE":
        lines += ["Supported: 100rel, timer", "Allow: INVITE, ACK, BYE, CANCEL, PRACK, UPDATE, OPTIONS, INFO, MESSAGE"]
    if body:
        lines.append(f"Content-Type: {kind}")
    lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode() + body


def _body(method: str, source: str) -> tuple[str, bytes]:
    if method == "MESSAGE":
        return "text/plain", b"explain"
    if method != "INVITE":
        return "", b""
    host = source.rpartition(":")[0].strip("[]")
    version = "IP6" if ":" in host else "IP4"
    lines = [
        "v=0",
        f"o=- 1 1 IN {version} {host}",
        "s=-",
        f"c=IN {version} {host}",
        "t=0 0",
        "m=audio 40000 RTP/AVP 96 8",
        "a=rtpmap:96 AMR-WB/16000",
        "a=rtpmap:8 PCMA/8000",
    ]
    return "application/sdp", "\r\n".join([*lines, ""]).encode()


_COPIED = ("via", "record-route", "from", "call-id", "cseq")


def response_to(request: bytes, status: int) -> bytes:
    r"""Return the response of a user agent server to *request* (RFC 3261 §8.2.6).

    >>> response_to(b"INVITE sip:a SIP/2.0\r\nVia: v\r\nTo: <sip:a>\r\n\r\n", 180).split(b"\r\n")[:3]
    [b'SIP/2.0 180 explain', b'Via: v', b'To: <sip:a>;tag=answer']
    """
    head = request.partition(b"\r\n\r\n")[0].decode("utf-8", "surrogateescape").split("\r\n")[1:]
    lines = [f"SIP/2.0 {status} explain"]
    for line in head:
        name = line.partition(":")[0].strip().lower()
        if name in _COPIED:
            lines.append(line)
        elif name == "to":
            lines.append(line if status == TRYING or ";tag=" in line else f"{line};tag=answer")
    lines += ["Contact: <sip:answer@192.0.2.1>", "Content-Length: 0"]
    return "\r\n".join([*lines, "", ""]).encode("utf-8", "surrogateescape")


def with_headers(message: bytes, headers: Mapping[str, Sequence[str] | None]) -> bytes:
    r"""Return *message* with *headers* instead of those of the same names; `None` takes them away.

    >>> with_headers(b"A sip:a SIP/2.0\r\nTo: b\r\nC: d\r\n\r\nx", {"to": ["e", "f"], "c": None})
    b'A sip:a SIP/2.0\r\nto: e\r\nto: f\r\n\r\nx'
    """
    head, separator, body = message.partition(b"\r\n\r\n")
    lines = head.decode("utf-8", "surrogateescape").split("\r\n")
    for name, values in headers.items():
        places = [at for at, line in enumerate(lines) if at and line.partition(":")[0].strip().lower() == name.lower()]
        kept = [line for at, line in enumerate(lines) if at not in places]
        first = places[0] if places else len(kept)
        lines = [*kept[:first], *(f"{name}: {value}" for value in values or ()), *kept[first:]]
    return "\r\n".join(lines).encode("utf-8", "surrogateescape") + separator + body


def with_line_ends(message: bytes) -> bytes:
    r"""Return *message* with the line ends that SIP has, when an editor saved it with plain ones.

    Only the headers are touched, and a missing blank line behind them is added: the body is its sender's.

    >>> with_line_ends(b"OPTIONS sip:a SIP/2.0\nTo: <sip:a>\n")
    b'OPTIONS sip:a SIP/2.0\r\nTo: <sip:a>\r\n\r\n'
    """
    head, separator, body = message.partition(b"\r\n\r\n")
    if not separator:
        head, separator, body = message.partition(b"\n\n")
        if b"\r\n" not in head:
            head = head.replace(b"\n", b"\r\n")
    return head.rstrip(b"\r\n") + b"\r\n\r\n" + body
