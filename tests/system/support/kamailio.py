"""Kamailio as an IMS core: a real proxy with a parser and transactions of its own on each side of the border."""

import contextlib
import os
import shutil
import signal
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from tests.system.support.certificates import Issued
from tests.system.support.children import Child, wait_until
from tests.system.support.places import Place
from tests.system.support.ports import is_bound

TEMPLATES = Path(__file__).parents[1] / "kamailio"
START_S = 30
READY = "core is ready"


def program() -> str | None:
    """Return the path of Kamailio, if it is installed (Debian keeps it out of an ordinary PATH)."""
    return shutil.which("kamailio") or shutil.which("kamailio", path="/usr/sbin:/usr/local/sbin")


@dataclass(frozen=True)
class Proof:
    """A certificate to show, and the authorities that those of the neighbours must come from; both are asked for."""

    shown: Issued
    authorities: Path

    def text(self) -> str:
        """Return a tls.cfg that asks for certificates as client and as server."""
        lines = [
            "method = TLSv1.2+",
            "verify_certificate = yes",
            "require_certificate = yes",
            f"private_key = {self.shown.private_key}",
            f"certificate = {self.shown.certificate}",
            f"ca_list = {self.authorities}",
        ]
        return "\n".join(["[server:default]", *lines, "[client:default]", *lines, ""])


@dataclass
class Core:
    """One Kamailio: a role, an address, a way out; it can be ended and started again."""

    role: str
    place: Place
    address: str
    folder: Path
    transports: tuple[str, ...] = ("udp",)
    proof: Proof | None = None
    """What it shows and believes, for transport tls."""
    ports: dict[str, int] = field(init=False)
    child: Child | None = field(default=None, init=False)
    _following: str = field(default="", init=False)
    _lines: list[str] = field(default_factory=list, init=False)

    def __post_init__(self) -> None:
        """Choose the ports."""
        self.ports = {transport: self.place.free_port(self.address) for transport in dict.fromkeys(self.transports)}

    def __enter__(self) -> Self:
        """Return the core, which is not running yet: where it sends to may not be known yet."""
        return self

    def __exit__(self, *_: object) -> None:
        """End it."""
        self.stop()

    def start(self, following: str) -> None:
        """Start it; it sends new calls to the SIP URI *following*."""
        found = program()
        assert found is not None, "kamailio is not installed"
        self._following = following
        self.folder.mkdir(parents=True, exist_ok=True)
        configuration = self._write(following)
        command = [*self.place.prefix, found, "-f", str(configuration), "-DD", "-E", "-m", "32", "-M", "8"]
        command += ["-Y", str(self.folder), "-w", str(self.folder)]
        if self.proof is not None:
            command += ["-A", "WITH_TLS"]
        self.child = Child(command, folder=self.folder)
        self.child.wait_for_line(lambda line: READY in line, deadline_s=START_S, what=READY)
        child = self.child
        for transport, port in self.ports.items():
            table = "udp" if transport == "udp" else "tcp"
            wait_until(
                lambda table=table, port=port: is_bound(self.address, port, transport=table, pid=child.pid),  # type: ignore[misc]
                deadline_s=START_S,
                what=f"port {port} of {transport} is bound",
            )

    def restart(self) -> None:
        """End it and start it again, as an operator does."""
        self.stop()
        self.start(self._following)

    def stop(self) -> None:
        """End it politely; its children go with it."""
        if self.child is not None:
            self.child.stop()
            self._lines += self.child.lines
            self.child = None

    def kill(self) -> None:
        """Let it die in the middle of its work, its children with it."""
        assert self.child is not None
        pid = self.child.pid
        workers = (Path("/proc") / str(pid) / "task" / str(pid) / "children").read_text().split()
        for number in (pid, *map(int, workers)):
            with contextlib.suppress(ProcessLookupError):
                os.kill(number, signal.SIGKILL)
        self.stop()

    def relayed(self, method: str) -> int:
        """Count the requests of a method that it passed on, in all its lives."""
        lines = self._lines + (self.child.lines if self.child is not None else [])
        return sum(f"relays {method} of" in line for line in lines)

    def _write(self, following: str) -> Path:
        listen = "\n".join(f"listen={transport}:{self.address}:{port}" for transport, port in self.ports.items())
        values = {"LISTEN": listen, "ADDRESS": self.address, "NEXT": following, "FOLDER": str(self.folder)}
        role = self.folder / "role.cfg"
        role.write_text(filled(f"{self.role}.cfg", values))
        if self.proof is not None:
            (self.folder / "tls.cfg").write_text(self.proof.text())
        configuration = self.folder / "core.cfg"
        configuration.write_text(filled("core.cfg", {**values, "ROLE": str(role)}))
        return configuration


def filled(template: str, values: dict[str, str]) -> str:
    """Return a template with its names replaced."""
    text = (TEMPLATES / template).read_text()
    for name, value in values.items():
        text = text.replace(f"@{name}@", value)
    return text
