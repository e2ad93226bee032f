"""What the border relies on: its addresses, the clock, the folder of records, DNS, certificates."""

from __future__ import annotations

import errno
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from ibcf.config.certificates import chain_ends, list_ends
from ibcf.config.tls import read_pem
from ibcf.config.values import Size
from ibcf.dns.records import Class, is_not_found
from ibcf.host.finding import Finding, fine, todo, unknown

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime
    from pathlib import Path

    from ibcf.config import Config
    from ibcf.config.values import HostPort
    from ibcf.host.machine import Machine

CLOCK_ERROR_MAX_US: Final = 100_000
ROTATIONS_MIN: Final = 10
"""There is to be room for so many record files of full length."""
DNS_SECONDS_MAX: Final = 2.0
CERTIFICATE_TIME_LEFT: Final = timedelta(days=30)
_ENDS: Final = "renew it, then reload (SIGHUP): connections that are up stay up"


def listeners(machine: Machine, config: Config) -> Iterable[Finding]:
    """Bind every address once, and let it go again."""
    for listener in config.listeners:
        yield _place(machine, f"listener {listener.id}", listener.address, stream=listener.transport != "udp")
    yield _place(machine, "admin", config.admin.address, stream=True)


def _place(machine: Machine, what: str, address: HostPort, *, stream: bool) -> Finding:
    problem = machine.bind(address, stream=stream)
    found = f"{what}: {address}"
    if problem == 0:
        return fine(f"{found} can be bound")
    if problem == errno.EADDRINUSE:
        return _held(machine, found, address, stream=stream)
    if problem == errno.EADDRNOTAVAIL:
        command = f"ip address add {address.address}/{address.address.max_prefixlen} dev INTERFACE"
        return todo(f"{found} is no address of this host", "one of this host, or the start fails", command)
    if problem == errno.EACCES:
        command = f"sysctl -w net.ipv4.ip_unprivileged_port_start={address.port}"
        return todo(f"{found} needs a privilege", "a port that this user may bind (CAP_NET_BIND_SERVICE)", command)
    name = errno.errorcode.get(problem, str(problem))
    return unknown(f"{found} cannot be bound: {name}", "see what the system says at a start")


def _held(machine: Machine, found: str, address: HostPort, *, stream: bool) -> Finding:
    look = f"ss -lnp{'t' if stream else 'u'} 'sport = :{address.port}'"
    holder = machine.holder(address, stream=stream)
    if holder is None:
        return unknown(
            f"{found} is held by a process that we may not see",
            "ask as root; it should be ibcf run, or nobody",
            f"sudo {look}",
        )
    if holder.is_border:
        return fine(f"{found} is held by ibcf run, process {holder.pid}")
    return todo(f"{found} is held by process {holder.pid}: {holder.command}", "free: a start fails otherwise", look)


def clock(machine: Machine, _config: Config) -> Iterable[Finding]:
    """Ask the kernel whether somebody keeps its clock."""
    state = machine.clock()
    if state is None:
        yield unknown("the kernel does not say how well its clock is kept", "ask chronyc tracking on the host")
        return
    if state.is_synchronised and state.error_us_max <= CLOCK_ERROR_MAX_US:
        yield fine(f"the clock is synchronised, to {state.error_us_max / 1000:.0f} ms or better")
        return
    how = f"may be wrong by {state.error_us_max / 1000:.0f} ms" if state.is_synchronised else "is not synchronised"
    yield todo(
        f"the clock {how}",
        "synchronised: records (TS 32.298) bear its time, nodes tell the age of dialogs by it, certificates end by it",
        "timedatectl set-ntp true",
    )


def records(machine: Machine, config: Config) -> Iterable[Finding]:
    """Look whether records can be written, and for how long."""
    folder = config.charging.directory
    room = machine.room(folder)
    if room is None:
        yield unknown(f"{folder} cannot be looked at")
        return
    if not room.is_writable:
        yield todo(
            f"{room.folder} cannot be written by this user",
            f"writable: records of calls go to {folder}, and wait in memory until they are lost",
            f"install -d -o ibcf -g ibcf -m 0750 {folder}",
        )
        return
    wanted = Size(ROTATIONS_MIN * config.charging.rotate_size)
    found = f"{folder} is writable, {room.free_bytes // 1024**2}MiB are free"
    if room.free_bytes >= wanted:
        yield fine(found)
        return
    yield todo(
        found,
        f"{wanted}, {ROTATIONS_MIN} record files of charging.rotate_size: a full disk loses records",
        f"df -h {room.folder}",
    )


def dns(machine: Machine, config: Config) -> Iterable[Finding]:
    """Ask each server of ENUM and of the locator once."""
    asked: dict[str, tuple[str, str, float]] = {}
    for service in config.enum:
        for server in service.servers or ():
            asked.setdefault(str(server), (f"enum {service.id}", service.apexes[0], service.timeout.total_seconds()))
        if service.zone_file is not None:
            yield _zone(machine, service.id, service.zone_file)
    if config.locator is not None:
        domains = [peer.domain for peer in config.peers if peer.domain is not None]
        name = domains[0] if domains else config.node.domain
        for server in config.locator.servers:
            asked.setdefault(str(server), ("locator", name, config.locator.timeout.total_seconds()))
    for place, (what, name, timeout_s) in asked.items():
        yield _server(machine.ask_dns(place, name, min(timeout_s, DNS_SECONDS_MAX)), what, place, name)
    if not asked and not config.enum:
        yield fine("no DNS server is configured")


def _server(class_: Class, what: str, server: str, name: str) -> Finding:
    found = f"{what}: {server} answers {class_} for {name}"
    if class_ is Class.FOUND or is_not_found(class_):
        return fine(found)
    host, _, port = server.rpartition(":")
    command = f"dig @{host.strip('[]')} -p {port} {name} NAPTR +tries=1"
    if class_ in (Class.TIMEOUT, Class.UNREACHABLE):
        found = f"{what}: {server} gives no answer ({class_})"
    return todo(found, "an answer: without it numbers and next hops are looked up in vain, until a deadline", command)


def _zone(machine: Machine, service: str, path: Path) -> Finding:
    if machine.permissions(path) is not None:
        return fine(f"enum {service}: {path} is there")
    return todo(f"enum {service}: {path} is not there", "a zone file: look-ups fail until it comes", f"ls -l {path}")


def certificates(machine: Machine, config: Config) -> Iterable[Finding]:
    """Look at when what we show and what we believe ends, and who may read our keys."""
    now = machine.now()
    for identity in config.tls:
        yield _end(f"certificate {identity.id}", chain_ends(read_pem(identity.certificate)), now)
        yield _key(machine, f"key of {identity.id}", identity.private_key)
    for peer in config.peers:
        if peer.tls is None:
            continue
        yield _end(f"authorities of {peer.id}", chain_ends(read_pem(peer.tls.authorities)), now)
        if peer.tls.revocations is not None:
            end = list_ends(read_pem(peer.tls.revocations))
            yield _end(f"revocation list of {peer.id}", end, now, left=timedelta(0))
    if not config.tls and all(peer.tls is None for peer in config.peers):
        yield fine("no certificate is configured")


def _end(what: str, end: datetime | None, now: datetime, *, left: timedelta = CERTIFICATE_TIME_LEFT) -> Finding:
    if end is None:
        return unknown(f"{what}: when it ends cannot be read")
    said = f"{what} {'ended' if end < now else 'ends'} on {end:%Y-%m-%d %H:%M} UTC"
    return todo(said, _ENDS, "kill -HUP $(pgrep -f 'ibcf run')") if end < now + left else fine(said)


def _key(machine: Machine, what: str, path: Path) -> Finding:
    permissions = machine.permissions(path)
    if permissions is None:
        return unknown(f"{what}: {path} cannot be looked at")
    if permissions & 0o007:
        wanted = "for its owner only: whoever has it can be us towards every peer"
        return todo(f"{what}: everybody may read {path} ({permissions:04o})", wanted, f"chmod 0600 {path}")
    return fine(f"{what}: not everybody may read {path} ({permissions:04o})")
