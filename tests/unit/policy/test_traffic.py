"""SIP out of captures: every link, fragments, streams, and whatever else a wire carries."""

import contextlib
import random
import tempfile
from pathlib import Path

import dpkt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ibcf.errors import PolicyError
from ibcf.policy.traffic import Captured, captures, read_capture
from tests.unit.policy.packets import capture, fragments, tcp, udp

A, B = "127.0.0.2:5060", "127.0.0.1:5060"
INVITE = b"INVITE sip:b@b SIP/2.0\r\nContent-Length: 4\r\n\r\nbody"
OPTIONS = b"OPTIONS sip:b@b SIP/2.0\r\nl: 0\r\n\r\n"
OK = b"SIP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n"


def read(data: bytes, folder: Path) -> list[Captured]:
    """Return what is in a capture."""
    path = folder / "x.pcap"
    path.write_bytes(data)
    return list(read_capture(path))


@pytest.mark.parametrize(
    "link",
    [dpkt.pcap.DLT_EN10MB, dpkt.pcap.DLT_LINUX_SLL, dpkt.pcap.DLT_RAW, 12],
    ids=["eth", "cooked", "raw", "raw12"],
)
@pytest.mark.parametrize(("source", "destination"), [(A, B), ("[::2]:5060", "[::1]:5061")], ids=["ipv4", "ipv6"])
def test_a_datagram_has_frame_time_and_both_ends(link: int, source: str, destination: str, tmp_path: Path) -> None:
    """Whatever the link; what is no SIP is passed over and counts as a frame."""
    packets = [udp(source, destination, b"\r\n\r\n"), udp(source, destination, INVITE), udp(destination, source, OK)]
    found = read(capture(packets, link=link), tmp_path)
    assert [(one.frame, one.transport, one.source, one.destination, one.data) for one in found] == [
        (2, "udp", source, destination, INVITE),
        (3, "udp", destination, source, OK),
    ]
    assert found[0].unix_ms == 1_700_000_001_000
    assert [one.is_request for one in found] == [True, False]


def test_fragments_are_put_together_in_any_order(tmp_path: Path) -> None:
    """An INVITE of an IMS core is longer than a frame: its pieces come in order or not."""
    invite = b"INVITE sip:b@b SIP/2.0\r\n" + b"X: %s\r\n" % (b"x" * 4_000) + b"\r\n"
    pieces = fragments(udp(A, B, invite), 1_480)
    assert len(pieces) == 3
    for order in ([0, 1, 2], [2, 0, 1]):
        (found,) = read(capture([pieces[at] for at in order]), tmp_path)
        assert found.data == invite
    assert read(capture(pieces[:2]), tmp_path) == []


@given(st.integers(0, 2**32 - 1), st.integers(1, 40), st.randoms())
def test_a_stream_gives_its_messages_whatever_the_segments(first: int, size: int, dice: random.Random) -> None:
    """Cut anywhere, out of order, repeated, and around the end of the sequence numbers."""
    stream = b"".join([INVITE, b"\r\n\r\n", OPTIONS, OK, INVITE])
    segments = [((first + at) % 2**32, stream[at : at + size]) for at in range(0, len(stream), size)]
    begin, rest = segments[:1], segments[1:] + dice.sample(segments, min(3, len(segments)))
    dice.shuffle(rest)
    with tempfile.NamedTemporaryFile(suffix=".pcap") as file:
        Path(file.name).write_bytes(capture([tcp(A, B, *segment) for segment in begin + rest]))
        assert [one.data for one in read_capture(Path(file.name))] == [INVITE, OPTIONS, OK, INVITE]


def test_a_stream_that_was_captured_from_its_middle_begins_with_its_next_message(tmp_path: Path) -> None:
    """What precedes the first start line is passed over."""
    (found,) = read(capture([tcp(A, B, 1_000, b"rest of a body\r\n" + OPTIONS)]), tmp_path)
    assert found.data == OPTIONS


def test_a_segment_that_never_comes_costs_one_message_and_not_the_stream(tmp_path: Path) -> None:
    """After many segments behind a hole, reading goes on behind it."""
    lost = [tcp(A, B, 0, INVITE[:10])]
    later = [tcp(A, B, 1_000 + at * len(OPTIONS), OPTIONS) for at in range(300)]
    assert len(read(capture([*lost, *later]), tmp_path)) >= 256


@given(st.binary(max_size=400))
def test_garbage_is_an_error_of_ours_or_nothing(data: bytes) -> None:
    """No bytes of a file lead to another exception."""
    with tempfile.NamedTemporaryFile(suffix=".pcap") as file:
        for content in (data, capture([udp(A, B, INVITE)])[:40] + data):
            Path(file.name).write_bytes(content)
            with contextlib.suppress(PolicyError):
                assert all(one.data for one in read_capture(Path(file.name)))


def test_a_folder_gives_its_captures_in_order(tmp_path: Path) -> None:
    """Captures of any depth; a folder without any is an error."""
    with pytest.raises(PolicyError, match="no capture"):
        captures(tmp_path)
    for name in ("b.pcap", "a.pcapng", "c.txt"):
        (tmp_path / name).write_bytes(b"")
    assert [file.name for file in captures(tmp_path)] == ["a.pcapng", "b.pcap"]
    with pytest.raises(PolicyError, match="No such file"):
        list(read_capture(tmp_path / "gone.pcap"))
