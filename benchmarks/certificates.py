"""Certificates for the runs over TLS: one authority, the proxy, and the networks on both sides."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmarks.place import CALLEE, CALLER, PROXY
from tests.system.support.certificates import Authority, Issued, Names

if TYPE_CHECKING:
    from pathlib import Path

CALLER_NAME, CALLEE_NAME = "caller.example", "callee.example"
"""Both ends are one process, which shows one certificate: who connects is the first that it names."""


@dataclass(frozen=True)
class Certificates:
    """The files."""

    authority: Path
    proxy: Issued
    ends: Issued


def issue(folder: Path) -> Certificates:
    """Make them anew, or return those that are there: proxy and generator start one after the other."""
    files = folder / "certificates"
    authority = files / "bench.authority.pem"
    if not authority.exists():
        files.mkdir(exist_ok=True)
        made = Authority("bench", files)
        made.issue("proxy", Names(uris=("sip:ibcf.example",), hosts=("ibcf.example",), addresses=(PROXY,)))
        made.issue("ends", Names(uris=(f"sip:{CALLER_NAME}", f"sip:{CALLEE_NAME}"), addresses=(CALLER, CALLEE)))
    proxy, ends = (Issued(files / f"{name}.pem", files / f"{name}.key", 0) for name in ("proxy", "ends"))
    return Certificates(authority, proxy, ends)
