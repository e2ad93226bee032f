"""Examines this host for serving a configuration: the table of checks, and what one run of it finds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from ibcf.config import read_text
from ibcf.host.checks import datagrams, process, surroundings
from ibcf.host.finding import Check, unknown

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ibcf.config import Config
    from ibcf.host.finding import Finding
    from ibcf.host.machine import Machine

CHECKS: Final = (
    Check("socket_buffers", datagrams.socket_buffers),
    Check("udp_memory", datagrams.udp_memory),
    Check("receive_drops", datagrams.receive_drops),
    Check("backlog", datagrams.backlog),
    Check("steering", datagrams.steering, of_host=False),
    Check("conntrack", datagrams.conntrack),
    Check("ports", datagrams.ports),
    Check("descriptors", process.descriptors),
    Check("workers", process.workers, of_host=False),
    Check("clock", surroundings.clock),
    Check("listeners", surroundings.listeners, of_host=False),
    Check("records", surroundings.records, of_host=False),
    Check("dns", surroundings.dns, of_host=False),
    Check("certificates", surroundings.certificates, of_host=False),
)

PLAIN: Final = """\
version: 1
node: {name: ibcf, domain: border.invalid}
keys: [{id: 1, secret: {generate: true}}]
charging: {directory: cdr}
listeners:
  - {id: udp, side: peer, transport: udp, address: "0.0.0.0:5060", advertised: "192.0.2.1:5060"}
  - {id: tcp, side: peer, transport: tcp, address: "0.0.0.0:5060", advertised: "192.0.2.1:5060"}
agreements: [{id: any, trusted: false, methods: [INVITE]}]
peers:
  - id: any
    side: peer
    agreement: any
    listeners: [udp]
    sources: ["192.0.2.2"]
    targets: [{id: one, address: "192.0.2.2:5060"}]
    limits: {requests_per_second: 1, calls_max: 1}
routes: [{id: all, to: [{peer: any}]}]
"""
"""A border with all defaults, for a host that is examined without a configuration."""


@dataclass(frozen=True, slots=True)
class Examined:
    """What one check found."""

    check: str
    finding: Finding


def examine(machine: Machine, config: Config | None) -> Iterator[Examined]:
    """Run the checks in the order of the table; without *config*, those that look at the host alone."""
    examined = read_text(PLAIN).config if config is None else config
    for check in CHECKS:
        if config is not None or check.of_host:
            for finding in _findings(check, machine, examined):
                yield Examined(check.id, finding)


def _findings(check: Check, machine: Machine, config: Config) -> list[Finding]:
    try:
        return list(check.examine(machine, config))
    except (ValueError, IndexError) as error:  # another kernel, a sandbox: their files may read otherwise
        return [unknown(f"what the system says cannot be read: {error}", "run ibcf doctor on the host too")]
