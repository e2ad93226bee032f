"""Ports that belong to one test: the system chooses them, nobody writes one down."""

import socket
import sys
from pathlib import Path

LISTENING = "0A"
"""State of a TCP socket that takes connections, as /proc writes it."""


def family(address: str) -> socket.AddressFamily:
    """Return the address family of *address*."""
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def free_port(address: str) -> int:
    """Return a port of *address* that is free for UDP and for TCP alike (a DNS server wants both).

    Between the return and the use somebody else may take it: what binds it must say so, and the caller may ask again.
    """
    while True:
        with socket.socket(family(address), socket.SOCK_DGRAM) as datagrams:
            datagrams.bind((address, 0))
            port = int(datagrams.getsockname()[1])
            with socket.socket(family(address), socket.SOCK_STREAM) as stream:
                try:
                    stream.bind((address, port))
                except OSError:
                    continue
                return port


def host_port(address: str, port: int) -> str:
    """Write an address and a port the way a URI and the configuration want them.

    >>> host_port("::1", 5060)
    '[::1]:5060'
    """
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def is_bound(address: str, port: int, *, transport: str = "udp", pid: int | None = None) -> bool:
    """Tell whether a socket of this machine receives on *port* of *address*, or of every address.

    With *pid* the sockets are those that this process can see: it may live in a network namespace of its own.
    """
    packed = socket.inet_pton(family(address), address)
    # /proc shows each group of four bytes as one number of the machine's byte order
    words = b"".join(packed[at : at + 4][:: -1 if sys.byteorder == "little" else 1] for at in range(0, len(packed), 4))
    ours = {f"{words.hex().upper()}:{port:04X}", f"{'0' * len(words) * 2}:{port:04X}"}
    folder = Path("/proc") / str(pid or "self") / "net"
    for table in (folder / transport, folder / f"{transport}6"):
        try:
            rows = [line.split() for line in table.read_text().splitlines()[1:]]
        except OSError:
            continue  # no IPv6 here, or the process has ended
        if any(row[1] in ours and (transport == "udp" or row[3] == LISTENING) for row in rows):
            return True
    return False
