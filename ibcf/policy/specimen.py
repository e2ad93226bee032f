"""Messages for `explain`: one made up for a number, or one read from a file and put right where editors spoil it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ibcf.policy.explain import address_of

if TYPE_CHECKING:
    from ibcf.config import Config
    from ibcf.config.peers import Peer

CALLER = "+441632960000"
TAG = "explain"
BRANCH = "z9hG4bK-explain"


def request_to(number: str, *, peer: Peer, config: Config, method: str = "INVITE") -> bytes:
    """Return a request to *number* as *peer* could send it: a tel URI from our core, a SIP URI from another network."""
    source = address_of(peer)
    uri = f"tel:{number}" if peer.side == "home" else f"sip:{number}@{config.node.domain};user=phone"
    kind, body = _body(method, source)
    lines = [
        f"{method} {uri} SIP/2.0",
        f"Via: SIP/2.0/UDP {source};branch={BRANCH};rport",
        "Max-Forwards: 70",
        f"From: <tel:{CALLER}>;tag={TAG}",
        f"To: <{uri}>",
        f"Call-ID: explain@{source.rpartition(':')[0]}",
        f"CSeq: 1 {method}",
        f"Contact: <sip:explain@{source}>",
        f"P-Asserted-Identity: <tel:{CALLER}>",
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
