"""A real DNS server (Knot DNS) whose zones a test may change, and servers that do not answer."""

import shutil
import signal
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
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
"""
ZONE = """
  - domain: {domain}
    storage: {folder}
    file: {domain}.zone
    zonefile-sync: -1
    journal-content: none
"""
HEAD = """$ORIGIN {domain}.
$TTL {ttl_s}
@ SOA ns.{domain}. hostmaster.{domain}. {serial} 3600 600 86400 {ttl_s}
@ NS ns.{domain}.
ns A 127.0.0.1
"""


def knotd() -> str | None:
    """Return the path of the server's program, if it is installed (Debian keeps it out of an ordinary PATH)."""
    return shutil.which("knotd") or shutil.which("knotd", path="/usr/sbin:/usr/local/sbin")


def zone_text(domain: str, records: str, *, ttl_s: int = 60, serial: int = 1) -> str:
    """Return a zone file with *records* behind what every zone has."""
    return HEAD.format(domain=domain, ttl_s=ttl_s, serial=serial) + records


@dataclass
class NameServer:
    """A running server."""

    address: str
    child: Child
    folder: Path
    serials: dict[str, int] = field(default_factory=dict)

    def publish(self, domain: str, records: str, *, ttl_s: int = 60) -> None:
        """Serve other records under *domain* from now on."""
        serial = self.serials[domain] = self.serials.get(domain, 1) + 1
        since = len(self.child.lines)
        (self.folder / f"{domain}.zone").write_text(zone_text(domain, records, ttl_s=ttl_s, serial=serial))
        self.child.signal(signal.SIGHUP)
        self.child.wait_for_line(
            lambda line: f"[{domain}.]" in line and f"-> {serial}" in line,
            deadline_s=10,
            what=f"serial {serial} of {domain}",
            since=since,
        )


@contextmanager
def name_server(program: str, zones: Mapping[str, str], folder: Path) -> Iterator[NameServer]:
    """Serve *zones*, the text of each by its domain, on a free port."""
    for domain, text in zones.items():
        (folder / f"{domain}.zone").write_text(text)
    for attempt in range(TRIES):
        port = free_port(ADDRESS)
        configuration = folder / "knot.conf"
        sections = "".join(ZONE.format(domain=domain, folder=folder) for domain in zones)
        configuration.write_text(CONFIGURATION.format(address=ADDRESS, port=port, folder=folder) + sections)
        with Child([program, "--config", str(configuration)], folder=folder) as server:
            try:
                server.wait_for_line(lambda line: "server started" in line, deadline_s=10, what="the start of knotd")
            except ChildError:
                if attempt + 1 < TRIES and any("cannot bind" in line for line in server.lines):
                    continue  # the port was taken between the choice and the bind
                raise
            yield NameServer(f"{ADDRESS}:{port}", server, folder)
            return


@contextmanager
def silent_server() -> Iterator[str]:
    """Yield the address of a DNS server that hears every question and answers none."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listener:
        listener.bind((ADDRESS, 0))
        yield f"{ADDRESS}:{listener.getsockname()[1]}"
