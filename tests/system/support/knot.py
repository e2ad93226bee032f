"""A real DNS server for ENUM (Knot DNS), and servers that do not answer."""

import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.system.support.children import Child, ChildError
from tests.system.support.ports import free_port

ADDRESS = "127.0.0.1"
TRIES = 5

CONFIGURATION = """
server:
    listen: {address}@{port}
    rundir: {folder}
    udp-workers: 1
    tcp-workers: 1
    background-workers: 1
database:
    storage: {folder}
log:
  - target: stdout
    any: info
zone:
  - domain: e164.arpa
    storage: {folder}
    file: e164.arpa.zone
    zonefile-sync: -1
    journal-content: none
"""


def knotd() -> str | None:
    """Return the path of the server's program, if it is installed (Debian keeps it out of an ordinary PATH)."""
    return shutil.which("knotd") or shutil.which("knotd", path="/usr/sbin:/usr/local/sbin")


@contextmanager
def enum_server(program: str, zone: Path, folder: Path) -> Iterator[str]:
    """Serve *zone* as e164.arpa on a free port; yield `address:port`."""
    shutil.copy(zone, folder / "e164.arpa.zone")
    for attempt in range(TRIES):
        port = free_port(ADDRESS)
        configuration = folder / "knot.conf"
        configuration.write_text(CONFIGURATION.format(address=ADDRESS, port=port, folder=folder))
        with Child([program, "--config", str(configuration)], folder=folder) as server:
            try:
                server.wait_for_line(lambda line: "server started" in line, deadline_s=10, what="the start of knotd")
            except ChildError:
                if attempt + 1 < TRIES and any("cannot bind" in line for line in server.lines):
                    continue  # the port was taken between the choice and the bind
                raise
            yield f"{ADDRESS}:{port}"
            return


@contextmanager
def silent_server() -> Iterator[str]:
    """Yield the address of a DNS server that hears every question and answers none."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listener:
        listener.bind((ADDRESS, 0))
        yield f"{ADDRESS}:{listener.getsockname()[1]}"
