from ibcf.demo.wire import Wire
from tests.unit.demo.messages import request, response


def test_a_repetition_is_kept_once() -> None:
    """A datagram that is sent again is the same message: a slow machine does not change the ladder."""
    wire, invite = Wire(), request("INVITE").encode()
    assert wire.note("a", "sent", invite) == wire.note("a", "sent", invite)
    wire.note("b", "received", invite)
    assert [(one.core, one.way) for one in wire.seen] == [("a", "sent"), ("b", "received")]


def test_requests_of_a_core() -> None:
    """Only what a core received and what is a request counts, by method if one is given."""
    wire, invite = Wire(), request("INVITE")
    for message in (invite, request("ACK"), response(200, invite)):
        wire.note("b", "received", message.encode())
    wire.note("b", "sent", request("BYE").encode())
    assert [message.method for message in wire.requests("b")] == ["INVITE", "ACK"]
    assert [message.method for message in wire.requests("b", "ACK")] == ["ACK"]


def test_what_is_not_sip_is_told() -> None:
    """Bytes that are no message are kept as a finding until the next story."""
    wire = Wire()
    assert wire.note("b", "received", b"hello") is None
    assert wire.unreadable == ["b received what is not SIP (no blank line behind the headers)"]
    wire.clear()
    assert not wire.unreadable
    assert not wire.seen
