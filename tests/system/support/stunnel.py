"""stunnel, which gives SIPp the TLS that it lacks: one on the way out, one on the way in, both with certificates.

SIPp (TCP) -> client -> TLS -> border -> TLS -> server -> SIPp (TCP)
"""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.system.support.certificates import Issued
from tests.system.support.children import Child
from tests.system.support.ports import free_port, host_port

START_S = 10
Address = tuple[str, int]

COMMON = """\
foreground = yes
syslog = no
debug = info
pid =
[tunnel]
cert = {certificate}
key = {private_key}
CAfile = {authorities}
verifyChain = yes
sslVersionMin = TLSv1.2
TIMEOUTclose = 1
accept = {accept}
connect = {connect}
{role}
"""


def program() -> str | None:
    """Return the path of stunnel, if it is installed."""
    return shutil.which("stunnel4") or shutil.which("stunnel")


@dataclass(frozen=True)
class Tunnel:
    """A running stunnel and where it takes connections."""

    child: Child
    address: str
    port: int

    @property
    def target(self) -> str:
        """Where to connect to."""
        return host_port(self.address, self.port)

    def connections(self) -> int:
        """Count the TLS sessions that came about."""
        return sum("TLS accepted:" in line or "TLS connected:" in line for line in self.child.lines)


@contextmanager
def client(address: str, border: Address, shown: Issued, authorities: Path, *, folder: Path) -> Iterator[Tunnel]:
    """Take TCP at *address* and carry it to the border over TLS, from *address* too."""
    role = f"client = yes\nlocal = {address}"
    with tunnel(address, free_port(address), border, shown, authorities, role=role, folder=folder) as found:
        yield found


@contextmanager
def server(address: Address, core: Address, shown: Issued, authorities: Path, *, folder: Path) -> Iterator[Tunnel]:
    """Take TLS from whoever shows a certificate of *authorities*, and carry it to *core* over TCP."""
    with tunnel(*address, core, shown, authorities, role="requireCert = yes", folder=folder) as found:
        yield found


@contextmanager
def tunnel(
    host: str, port: int, towards: Address, shown: Issued, authorities: Path, *, role: str, folder: Path
) -> Iterator[Tunnel]:
    """Run stunnel with one service."""
    found = program()
    assert found is not None, "stunnel is not installed"
    configuration = folder / f"stunnel-{host}-{port}.conf"
    configuration.write_text(
        COMMON.format(
            certificate=shown.certificate,
            private_key=shown.private_key,
            authorities=authorities,
            accept=host_port(host, port),
            connect=host_port(*towards),
            role=role,
        )
    )
    with Child([found, str(configuration)], folder=folder) as child:
        child.wait_for_line(
            lambda line: "Accepting new connections" in line, deadline_s=START_S, what="stunnel's start"
        )
        yield Tunnel(child, host, port)
