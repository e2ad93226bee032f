"""The machine that we run on, as far as each has these: a loopback, a clock, sockets, a file system."""

import errno
import os
import socket
import sys
from collections.abc import Iterator
from ipaddress import ip_address
from pathlib import Path

import pytest

from ibcf.config.values import HostPort, parse_bind_address
from ibcf.dns.records import Class
from ibcf.host import addresses, sockets
from ibcf.host.machine import ThisMachine
from ibcf.host.sockets import Holder

KINDS = [(family, kind) for family in (socket.AF_INET, socket.AF_INET6) for kind in (False, True)]


@pytest.fixture(params=KINDS, ids=lambda kind: f"{kind[0].name}-{'tcp' if kind[1] else 'udp'}")
def taken(request: pytest.FixtureRequest) -> Iterator[tuple[HostPort, bool]]:
    """Hold a port, and say whether it is one for connections."""
    family, is_stream = request.param
    with socket.socket(family, socket.SOCK_STREAM if is_stream else socket.SOCK_DGRAM) as held:
        held.bind(("127.0.0.1" if family == socket.AF_INET else "::1", 0))
        if is_stream:
            held.listen()
        host, port, *_ = held.getsockname()
        yield HostPort(ip_address(host), port), is_stream


def test_a_port_that_is_held_is_told_with_its_process(taken: tuple[HostPort, bool]) -> None:
    """It cannot be bound, and the process that has it is this one, which is no border."""
    address, is_stream = taken
    machine = ThisMachine()
    assert machine.bind(address, stream=is_stream) == errno.EADDRINUSE
    holder = machine.holder(address, stream=is_stream)
    assert holder is not None
    assert (holder.pid, holder.is_border) == (os.getpid(), False)


def test_a_free_port_can_be_bound_and_stays_free() -> None:
    """Trying leaves nothing behind, and an address of another host is told apart."""
    machine = ThisMachine()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    address = parse_bind_address(f"127.0.0.1:{port}")
    assert [machine.bind(address, stream=False) for _ in range(2)] == [0, 0]
    assert machine.bind(parse_bind_address("198.51.100.77:5060"), stream=False) == errno.EADDRNOTAVAIL
    assert machine.holder(address, stream=False) is None


@pytest.mark.skipif(sys.byteorder == "big", reason="the table is one of a little-endian machine")
def test_a_socket_on_every_address_keeps_the_port_too() -> None:
    """In the table of the kernel a wildcard stands in the way of each address, and the other way round."""
    table = (
        "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
        "  1: 0100007F:13C4 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 11 2 0 0\n"
        "  2: 00000000:13CE 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 22 2 0 0\n"
        "  3: 0200007F:13C4 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 33 2 0 0\n"
    )

    def inodes(text: str, *, stream: bool = False) -> list[str]:
        return list(sockets.inodes_on(parse_bind_address(text), table, stream=stream))

    assert inodes("127.0.0.1:5060") == ["11"]
    assert inodes("127.0.0.3:5060") == []
    assert inodes("127.0.0.3:5070") == ["22"]
    assert inodes("0.0.0.0:5060") == ["11", "33"]
    assert inodes("0.0.0.0:5060", stream=True) == ["33"]  # others there are connections, not listeners


@pytest.mark.parametrize(
    ("command", "is_border"),
    [
        ("/usr/bin/python3 /opt/ibcf/bin/ibcf run /etc/ibcf/border.yaml", True),
        ("python -m ibcf.cli.main run border.yaml", True),
        ("ibcf run border.yaml", True),
        ("python /opt/ibcf/bin/ibcf demo", False),
        ("docker run ibcf", False),
        ("", False),
    ],
)
def test_a_border_is_known_by_its_command(command: str, is_border: bool) -> None:  # noqa: FBT001
    """`ibcf run`, however it is started, is ourselves; other verbs and programs are not."""
    assert Holder(1, command).is_border is is_border


def test_loopback_is_on_its_interface() -> None:
    """The kernel tells each address with the name of its interface."""
    known = ThisMachine().addresses()
    assert known is not None
    assert known[ip_address("127.0.0.1")] == "lo"


def test_an_answer_of_the_kernel_that_is_cut_is_no_message() -> None:
    """A length that is too small ends the reading instead of never ending it."""
    assert list(addresses.messages_in(bytes(40))) == []
    assert list(addresses.messages_in(b"\x10\0\0\0\x03\0" + bytes(10))) == [(3, b"")]


def test_the_machine_tells_what_every_linux_has() -> None:
    """Files, CPUs, descriptors, buffers, the clock and the disk of this machine are told; absent ones are `None`."""
    machine = ThisMachine()
    assert machine.read("/proc/self/cgroup") is not None
    assert machine.read("/proc/no-such-file") is None
    assert "/sys/class/net/lo/queues/rx-0" in machine.paths("/sys/class/net/lo/queues/rx-*")
    assert machine.page_bytes() % 4_096 == 0
    assert machine.cpus() >= 1
    assert machine.descriptor_limits()[0] != 0
    assert machine.given_buffers(65_536, 70_000) == (65_536, 70_000)
    clock = machine.clock()
    assert clock is None or clock.error_us_max >= 0


def test_room_is_that_of_the_nearest_folder(tmp_path: Path) -> None:
    """A folder that is not there yet is judged by the one above it; a file in its place is not writable."""
    machine = ThisMachine()
    room = machine.room(tmp_path / "a" / "b")
    assert room is not None
    assert (room.folder, room.is_writable) == (tmp_path, True)
    assert room.free_bytes > 0
    (tmp_path / "file").write_text("")
    room = machine.room(tmp_path / "file")
    assert room is not None
    assert not room.is_writable
    assert machine.permissions(tmp_path / "file") is not None
    assert machine.permissions(tmp_path / "absent") is None


def test_a_dead_dns_server_is_told_within_its_time() -> None:
    """One question, one try: a port where nobody listens ends as unreachable or timed out."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        server = f"127.0.0.1:{probe.getsockname()[1]}"
    assert ThisMachine().ask_dns(server, "e164.arpa", 0.2) in (Class.UNREACHABLE, Class.TIMEOUT)
