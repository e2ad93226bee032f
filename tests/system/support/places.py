"""Where the networks of a test live: in network namespaces where the machine lets us make them, else on loopback.

core A  <- veth ->  border (the test's own namespace)  <- veth ->  core B
"""

import itertools
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass

from tests.system.support.ports import free_port

PREFIX_LENGTH = 28
TRIES = 20
PORTS = itertools.count(5060)


@dataclass(frozen=True)
class Place:
    """One network: how to run a program in it, its addresses, and the address of the border that it sees."""

    prefix: tuple[str, ...]
    addresses: tuple[str, ...]
    border: str

    def free_port(self, address: str) -> int:
        """Return a port that nobody uses: in a namespace of our own that is any but those we gave away."""
        return next(PORTS) if self.prefix else free_port(address)


@dataclass(frozen=True)
class Places:
    """The networks of carrier A and carrier B."""

    kind: str
    a: Place
    b: Place


LOOPBACK = Places(
    "loopback addresses",
    a=Place((), ("127.0.0.2", "127.0.0.12"), "127.0.0.1"),
    b=Place((), ("127.0.0.3", "127.0.0.13", "127.0.0.23"), "127.0.0.1"),
)


class NotAllowedError(Exception):
    """This machine makes no network namespaces for us."""


@contextmanager
def networks() -> Iterator[Places]:
    """Yield two networks; what was made for them goes with the block."""
    with ExitStack() as ends:
        try:
            block = free_block()
            places = Places(
                "network namespaces joined by veth pairs",
                a=ends.enter_context(namespace("a", f"198.18.{block}", 0)),
                b=ends.enter_context(namespace("b", f"198.18.{block}", 1 << (32 - PREFIX_LENGTH))),
            )
        except NotAllowedError:
            ends.close()
            places = LOOPBACK
        yield places


@contextmanager
def namespace(letter: str, block: str, first: int) -> Iterator[Place]:
    """Make a namespace, and a veth pair from here to there; addresses are of the block for benchmarks (RFC 2544)."""
    name = f"ibcf-{letter}-{os.getpid()}"
    here, there = f"ibcf{letter}{os.getpid()}h", f"ibcf{letter}{os.getpid()}t"
    border, *addresses = [f"{block}.{first + nth}" for nth in range(1, 5)]
    run("netns", "add", name)
    try:
        run("link", "add", here, "type", "veth", "peer", "name", there, "netns", name)
        run("address", "add", f"{border}/{PREFIX_LENGTH}", "dev", here)
        run("link", "set", here, "up")
        for address in addresses:
            run("-n", name, "address", "add", f"{address}/{PREFIX_LENGTH}", "dev", there)
        for device in (there, "lo"):
            run("-n", name, "link", "set", device, "up")
        yield Place((program(), "netns", "exec", name), tuple(addresses), border)
    finally:
        with suppress(NotAllowedError):
            run("link", "delete", here)  # at once; with the namespace it would go some time later
        run("netns", "delete", name)


def free_block() -> int:
    """Return the third byte of a block of addresses that nothing here uses."""
    taken = run("-4", "-oneline", "address", "show")
    for block in range(os.getpid() % 256, os.getpid() % 256 + TRIES):
        if f"198.18.{block % 256}." not in taken:
            return block % 256
    raise NotAllowedError("no free block of addresses")


def program() -> str:
    """Return the path of iproute2 (Debian keeps it out of an ordinary PATH)."""
    found = shutil.which("ip") or shutil.which("ip", path="/usr/sbin:/sbin")
    if found is None or os.geteuid() != 0:
        raise NotAllowedError("not root, or no iproute2")
    return found


def run(*arguments: str) -> str:
    """Run `ip`."""
    ended = subprocess.run(  # noqa: S603 - our own command
        [program(), *arguments], capture_output=True, text=True, check=False, timeout=10
    )
    if ended.returncode != 0:
        raise NotAllowedError(f"ip {' '.join(arguments)}: {ended.stderr}")
    return ended.stdout
