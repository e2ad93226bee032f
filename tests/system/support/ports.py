"""Ports that belong to one test: the system chooses them, nobody writes one down."""

import socket
import sys
from pathlib import Path

TABLES = (Path("/proc/net/udp"), Path("/proc/net/udp6"))


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


def is_bound(address: str, port: int) -> bool:
    """Tell whether a UDP socket of this machine is bound to *port* of *address*, or of every address."""
    packed = socket.inet_pton(family(address), address)
    # /proc shows each group of four bytes as one number of the machine's byte order
    words = b"".join(packed[at : at + 4][:: -1 if sys.byteorder == "little" else 1] for at in range(0, len(packed), 4))
    ours = {f"{words.hex().upper()}:{port:04X}", f"{'0' * len(words) * 2}:{port:04X}"}
    return any(
        line.split()[1] in ours for table in TABLES if table.exists() for line in table.read_text().splitlines()[1:]
    )
