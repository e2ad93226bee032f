"""Messages for the tests of the demonstration, short where nothing depends on more."""

from ibcf.demo.message import Message
from ibcf.demo.wire import Seen, Way


def request(method: str, *, branch: str = "z9hG4bK-1", cseq: int = 1, uri: str = "tel:+441632960083") -> Message:
    """Return a request of the one call."""
    headers = (
        ("Via", f"SIP/2.0/UDP 127.0.0.2:5060;branch={branch}"),
        ("From", "<sip:a@a.example>;tag=1"),
        ("To", "<sip:b@b.example>"),
        ("Call-ID", "one"),
        ("CSeq", f"{cseq} {method}"),
    )
    return Message(f"{method} {uri} SIP/2.0", headers)


def response(status: int, to: Message, phrase: str = "Any") -> Message:
    """Return a response to the request *to*."""
    return Message(f"SIP/2.0 {status} {phrase}", to.headers)


def seen(core: str, way: Way, message: Message) -> Seen:
    """Return a message as a core saw it."""
    return Seen(core, way, message.encode(), message)
