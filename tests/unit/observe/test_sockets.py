import io
import json
from collections.abc import Iterator

import pytest
import structlog

from ibcf.boundary import Family, Sample
from ibcf.observe import logs
from ibcf.observe.sockets import ASKED, GIVEN, log_socket_buffers


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    """Catch what is logged."""
    caught = io.StringIO()
    logs.configure(stream=caught)
    yield caught
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


def family(name: str, **values: int) -> Family:
    """Make a gauge of the listener `peer_udp`."""
    samples = tuple(Sample(("peer_udp", direction), value) for direction, value in values.items())
    return Family(name, "gauge", "", ("listener", "direction"), samples)


def test_what_was_asked_and_given_is_told_and_less_is_a_warning_with_its_remedy(stream: io.StringIO) -> None:
    """Each direction has a line; only the one that got less warns, and names the sysctl that bounds it."""
    log_socket_buffers(
        [family(GIVEN, receive=212_992, send=4_194_304), family(ASKED, receive=4_194_304, send=4_194_304)]
    )
    receive, send = (json.loads(line) for line in stream.getvalue().splitlines())
    assert (receive["level"], receive["event"], receive["listener"]) == ("warning", "socket.buffer", "peer_udp")
    assert (receive["direction"], receive["asked_bytes"], receive["given_bytes"]) == ("receive", 4_194_304, 212_992)
    assert receive["advice"] == "sysctl -w net.core.rmem_max=4194304, then reload"
    assert (send["level"], send["direction"], send["given_bytes"]) == ("info", "send", 4_194_304)
    assert "advice" not in send


def test_a_border_without_datagrams_says_nothing(stream: io.StringIO) -> None:
    """No sockets, no lines."""
    log_socket_buffers([])
    assert stream.getvalue() == ""
