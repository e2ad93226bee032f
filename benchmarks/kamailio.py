"""Kamailio with its faster allocator, two workers on one core, and the same work as the border at each level."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks import certificates
from benchmarks.children import find_program, program
from benchmarks.errors import MissingError
from benchmarks.launch import Launch, bound
from benchmarks.levels import NUMBERS
from benchmarks.place import CALLEE, CALLER, HIDDEN, NAME_SERVER, PROXY

if TYPE_CHECKING:
    from benchmarks.certificates import Certificates
    from benchmarks.place import Place
    from benchmarks.subject import Subject

TEMPLATE = Path(__file__).parent / "kamailio" / "kamailio.cfg"
ALLOCATOR = "tlsf"
"""The packaged default costs 3.4 times as much: no fair comparison."""
WORKERS = 2
SHARED_MIB = 4096
PRIVATE_MIB = 16
WORD = 1 << 32
"""It tells its memory in 32 bits with a sign, so from 2 GiB on as a negative number."""


def folder(place: Place) -> Path:
    """Return where its files are."""
    return place.folder / "kamailio"


def launch(place: Place, subject: Subject, *, cached: bool = False) -> Launch:
    """Run it at a level; *cached* keeps what ENUM said."""
    found = program("kamailio", remedy="apt-get install kamailio kamailio-extra-modules kamailio-utils-modules")
    files = folder(place)
    files.mkdir(exist_ok=True)
    command: list[str] = [found, "-DD", "-E", "-f", str(TEMPLATE), "-x", ALLOCATOR, "-X", ALLOCATOR]
    command += ["-m", str(SHARED_MIB), "-M", str(PRIVATE_MIB), "-Y", str(files), "-w", str(files)]
    for definition in _definitions(place, subject, cached=cached):
        command += ["-A", definition]
    if subject.level == NUMBERS:
        command = _with_own_resolver(command, files)
    return Launch(command, bound(place, subject))


def launch_cached(place: Place, subject: Subject) -> Launch:
    """Run it with a table of what ENUM said."""
    return launch(place, subject, cached=True)


def shared_kib(place: Place) -> int | None:
    """Return the shared memory that it uses: its share of the system's memory only ever grows."""
    kamcmd = find_program("kamcmd")
    if kamcmd is None:
        return None
    command = [kamcmd, "-s", f"unix:{folder(place)}/control", "core.shmmem"]
    said = subprocess.run(command, capture_output=True, text=True, check=False, timeout=10).stdout  # noqa: S603
    for line in said.splitlines():
        name, _, value = line.partition(":")
        if name.strip() == "real_used":
            return int(value) % WORD // 1024
    return None


def _definitions(place: Place, subject: Subject, *, cached: bool) -> list[str]:
    files = folder(place)
    sources = files / "sources"
    sources.write_text("".join(f"1 {address} 32 0 peer\n" for address in (CALLER, CALLEE)), encoding="ascii")
    suffix = "" if subject.transport == "udp" else f";transport={subject.transport}"
    definitions = [
        f"LEVEL{subject.level}",
        f"LISTEN={subject.transport}:{PROXY}:{place.proxy_port}",
        f'NEXT="sip:{place.callee}{suffix}"',
        f"WORKERS={WORKERS}",
        f'SOURCES="{sources}"',
        f'CONTROL="unix:{files}/control"',
        f'HIDDEN="{HIDDEN}"',
    ]
    if cached:
        definitions.append("CACHE")
    if subject.transport != "udp":
        definitions.append("STREAMS")
    if subject.transport == "tls":
        (files / "tls.cfg").write_text(_proof(certificates.issue(place.folder)), encoding="ascii")
        definitions += ["SECURE", f'PROOF="{files}/tls.cfg"']
    return definitions


def _proof(issued: Certificates) -> str:
    """Return a tls.cfg that shows a certificate and asks for one, as client and as server."""
    rows = ["method = TLSv1.2+", "verify_certificate = yes", "require_certificate = yes"]
    rows += [f"private_key = {issued.proxy.private_key}", f"certificate = {issued.proxy.certificate}"]
    rows += [f"ca_list = {issued.authority}"]
    return "\n".join(["[server:default]", *rows, "[client:default]", *rows, ""])


def _with_own_resolver(command: list[str], files: Path) -> list[str]:
    """Let libc's resolver ask our name server: it reads /etc/resolv.conf, so the process gets one of its own."""
    if os.geteuid() != 0:
        raise MissingError("ENUM of Kamailio needs root: libc's resolver knows only port 53 and /etc/resolv.conf")
    if shutil.which("unshare") is None:
        raise MissingError("unshare is not installed: apt-get install util-linux")
    own = files / "resolv.conf"
    own.write_text(f"nameserver {NAME_SERVER}\noptions timeout:2 attempts:2\n", encoding="ascii")
    inner = f"mount --bind {shlex.quote(str(own))} /etc/resolv.conf && exec {shlex.join(command)}"
    return ["unshare", "-m", "sh", "-c", inner]
