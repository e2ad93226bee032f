"""The way of a datagram through the kernel: from the interface over its queues to the socket of a worker."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ibcf.config.values import Size
from ibcf.host.finding import Finding, fine, sysctl, sysctl_path, todo, unknown, unreadable

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ibcf.config import Config
    from ibcf.config.listeners import Listener
    from ibcf.host.machine import Machine

BACKLOG_MIN: Final = 10_000
"""Packets: a tenth of a second of 100,000 a second."""
DROPS_OF: Final = 100_000
"""One datagram dropped of so many is what a burst leaves behind; more is a lack of room."""
SQUEEZES_OF: Final = 1_000


def _datagram_listeners(config: Config) -> list[Listener]:
    return [listener for listener in config.listeners if listener.transport == "udp"]


def socket_buffers(machine: Machine, config: Config) -> Iterable[Finding]:
    """Ask for the largest buffers of the configuration, as the core will."""
    listeners = _datagram_listeners(config)
    if not listeners:
        yield fine("no listener for datagrams")
        return
    asked = (
        max(listener.receive_buffer_size for listener in listeners),
        max(listener.send_buffer_size for listener in listeners),
    )
    given = machine.given_buffers(*asked)
    if given is None:
        yield unknown("no socket can be made here", "run ibcf doctor as the user that runs the border")
        return
    names = ("net.core.rmem_max", "net.core.wmem_max")
    for name, way, wanted, got in zip(names, ("receive", "send"), asked, given, strict=True):
        if got >= wanted:
            yield fine(f"a socket gets the {wanted} that it asks for to {way}")
            continue
        reason = (
            f"{wanted}, so that a burst waits instead of being dropped (RFC 3261 §17.1.1.2 repeats it after 500 ms)"
        )
        yield todo(f"a socket gets {Size(got)} of {wanted} to {way}", reason, *sysctl(name, int(wanted)))


def udp_memory(machine: Machine, config: Config) -> Iterable[Finding]:
    """Compare what all sockets together may hold with what the kernel gives to UDP as a whole."""
    listeners = _datagram_listeners(config)
    sizes = (listener.receive_buffer_size + listener.send_buffer_size for listener in listeners)
    bytes_max = 2 * config.node.workers * sum(sizes)  # the kernel counts each twice
    name = "net.ipv4.udp_mem"
    text = machine.read(sysctl_path(name))
    if text is None:
        yield unreadable(sysctl_path(name))
        return
    page = machine.page_bytes()
    low, pressure, high = (int(number) for number in text.split())
    if bytes_max <= high * page:
        yield fine(f"all sockets together may hold {_mib(bytes_max)}, {name} allows {_mib(high * page)}")
        return
    pages = -(-bytes_max // page)
    yield todo(
        f"all sockets together may hold {_mib(bytes_max)}, {name} allows {_mib(high * page)}",
        "at least as much, or full sockets take from one another: smaller buffers do as well",
        *sysctl(name, f"{low} {max(pressure, pages)} {max(high, pages)}"),
    )


def _mib(count: int) -> str:
    return f"{count / 1024**2:.0f}MiB"


def receive_drops(machine: Machine, _config: Config) -> Iterable[Finding]:
    """Look at what was dropped since the host started, because some socket was full."""
    texts = (machine.read("/proc/net/snmp"), machine.read("/proc/net/snmp6"))
    counted = [counts for counts in (_snmp(texts[0]), _snmp6(texts[1])) if counts is not None]
    if not counted:
        yield unreadable("/proc/net/snmp", "/proc/net/snmp6")
        return
    received = sum(count for count, _ in counted)
    dropped = sum(count for _, count in counted)
    found = f"{dropped} of {received + dropped} datagrams were dropped at full sockets since the host started"
    if dropped * DROPS_OF <= received:
        yield fine(found)
        return
    yield todo(
        found,
        f"fewer than 1 of {DROPS_OF}; if the count still grows while the border serves, "
        "it needs larger buffers or more workers (ibcf_socket_receive_drops_total says which listener)",
        "nstat -az UdpRcvbufErrors Udp6RcvbufErrors",
    )


def _snmp(text: str | None) -> tuple[int, int] | None:
    """Return received and dropped of `/proc/net/snmp`: a line of names, then one of numbers."""
    lines = [line.split() for line in (text or "").splitlines() if line.startswith("Udp:")]
    if len(lines) != 2:
        return None
    counts = dict(zip(*lines, strict=False))
    return int(counts.get("InDatagrams", 0)), int(counts.get("RcvbufErrors", 0))


def _snmp6(text: str | None) -> tuple[int, int] | None:
    """Return the same of `/proc/net/snmp6`: a line a number."""
    if text is None:
        return None
    counts = dict(line.split() for line in text.splitlines() if len(line.split()) == 2)
    return int(counts.get("Udp6InDatagrams", 0)), int(counts.get("Udp6RcvbufErrors", 0))


def backlog(machine: Machine, _config: Config) -> Iterable[Finding]:
    """Look at the queue between an interface and the protocols: its length, and what it lost so far."""
    name = "net.core.netdev_max_backlog"
    length, rows = machine.read(sysctl_path(name)), machine.read("/proc/net/softnet_stat")
    if length is None:
        yield unreadable(sysctl_path(name))
    elif int(length) < BACKLOG_MIN:
        yield todo(
            f"{name} is {length.strip()}",
            f"{BACKLOG_MIN}: between virtual interfaces, and where RPS spreads packets over CPUs, a burst waits there",
            *sysctl(name, BACKLOG_MIN),
        )
    else:
        yield fine(f"{name} is {length.strip()}")
    if rows is None:
        yield unreadable("/proc/net/softnet_stat")
        return
    columns = [[int(number, 16) for number in row.split()[:3]] for row in rows.splitlines()]
    processed, dropped, squeezed = (sum(column) for column in zip(*columns, strict=True))
    if dropped:
        current = int(length or BACKLOG_MIN)
        yield todo(
            f"{dropped} packets were dropped before any protocol saw them, since the host started",
            "none: a longer queue, and interrupts spread over more CPUs",
            *sysctl(name, max(2 * current, BACKLOG_MIN)),
        )
    else:
        yield fine("no packet was dropped before the protocols saw it")
    if squeezed * SQUEEZES_OF > processed:
        yield todo(
            f"the kernel left {squeezed} turns of receiving unfinished, for {processed} packets",
            f"fewer than 1 for {SQUEEZES_OF} packets: it may take more of them a turn",
            *sysctl("net.core.netdev_budget", 600),
            *sysctl("net.core.netdev_budget_usecs", 8_000),
        )


def steering(machine: Machine, config: Config) -> Iterable[Finding]:
    """Look whether the interfaces of the listeners spread what they receive over CPUs (RSS, else RPS)."""
    cpus, workers = machine.cpus(), config.node.workers
    if min(cpus, workers) == 1:
        yield fine(f"{workers} worker(s) on {cpus} CPU(s): nothing to spread")
        return
    known = machine.addresses()
    if known is None:
        yield unknown("the interfaces of the addresses cannot be told", "run ibcf doctor on the host too")
        return
    binds = {listener.address.address for listener in config.listeners}
    versions = {address.version for address in binds if address.is_unspecified}
    used = {name for address, name in known.items() if address in binds or address.version in versions}
    for interface in sorted(used - {"lo"}):
        yield _steering_of(machine, interface, min(cpus, workers))
    if not used - {"lo"}:
        yield fine("the listeners are on no interface but lo, which the sending CPU serves")


def _steering_of(machine: Machine, interface: str, workers: int) -> Finding:
    folder = f"/sys/class/net/{interface}/queues"
    queues = machine.paths(f"{folder}/rx-*")
    masks = [machine.read(f"{queue}/rps_cpus") for queue in queues]
    if not queues or None in masks:
        return unreadable(f"{folder}/rx-*/rps_cpus")
    flows = machine.read(sysctl_path("net.core.rps_sock_flow_entries"))
    follows = "RFS on" if flows is not None and int(flows) > 0 else "RFS off"
    spread = [mask for mask in masks if mask is not None and mask.replace(",", "").strip("0\n")]
    found = f"{interface}: {len(queues)} receive queue(s), RPS on {len(spread)} of them, {follows}"
    if len(queues) >= workers or len(spread) == len(queues):
        return fine(found)
    mask = rps_mask(machine.cpus())
    return todo(
        found,
        f"at least {workers} queues, or RPS on all of them: else {len(queues)} CPU(s) take every packet for "
        f"{workers} workers",
        f"ethtool -L {interface} combined {workers}",
        f"for queue in {folder}/rx-*; do echo {mask} > $queue/rps_cpus; done",
    )


def rps_mask(cpus: int) -> str:
    """Return the first *cpus* CPUs as the kernel writes a set of them.

    >>> rps_mask(4), rps_mask(40)
    ('f', 'ff,ffffffff')
    """
    digits = f"{(1 << cpus) - 1:x}"
    groups: list[str] = []
    while digits:
        groups.insert(0, digits[-8:])
        digits = digits[:-8]
    return ",".join(groups)


def conntrack(machine: Machine, config: Config) -> Iterable[Finding]:
    """Look whether a firewall follows the connections of SIP, and whether its table has room."""
    count, most = (machine.read(sysctl_path(f"net.netfilter.nf_conntrack_{name}")) for name in ("count", "max"))
    if count is None or most is None:
        if machine.read("/proc/net/snmp") is None:
            yield unreadable("/proc/sys/net/netfilter")
        else:
            yield fine("nf_conntrack is not loaded")
        return
    ports = sorted({listener.address.port for listener in config.listeners} - {0})
    numbers = ", ".join(map(str, ports))
    rules = [
        f"nft 'add table inet ibcf; add chain inet ibcf sip_{chain} {{ type filter hook {hook} priority raw; }}; "
        f"add rule inet ibcf sip_{chain} meta l4proto {{ tcp, udp }} th {end} {{ {numbers} }} notrack'"
        for chain, hook, end in (("in", "prerouting", "dport"), ("out", "output", "sport"))
    ]
    found = f"nf_conntrack holds {count.strip()} of {most.strip()} entries"
    if int(count) * 5 > int(most) * 4:
        wanted = "below four fifths: a full table drops what is new, calls too; SIP should not be tracked at all"
        yield todo(found, wanted, *sysctl("net.netfilter.nf_conntrack_max", 2 * int(most)), *rules)
        return
    if int(count) == 0:
        yield fine(f"{found}: no rule makes it follow anything")
        return
    table = machine.read("/proc/net/nf_conntrack")
    exempt = "SIP is to be exempt: tracking costs each packet time, and a full table drops calls"
    if table is None:
        yield unknown(found, f"run ibcf doctor as root; {exempt}", *rules)
    elif any(f"dport={port} " in line for line in table.splitlines() for port in ports):
        yield todo(f"{found}, SIP among them", "none of SIP: tracking costs each packet time", *rules)
    elif any(machine.bind(one.address, stream=one.transport != "udp") for one in config.listeners):
        yield fine(f"{found}, none of SIP")
    else:
        yield unknown(f"{found}, none of SIP, but no border runs", f"look again while one serves; {exempt}", *rules)


def ports(machine: Machine, config: Config) -> Iterable[Finding]:
    """Look whether the kernel may give a port of ours to somebody else's connection."""
    name, reserved_name = "net.ipv4.ip_local_port_range", "net.ipv4.ip_local_reserved_ports"
    text, reserved = machine.read(sysctl_path(name)), machine.read(sysctl_path(reserved_name))
    if text is None or reserved is None:
        yield unreadable(sysctl_path(name), sysctl_path(reserved_name))
        return
    first, last = (int(number) for number in text.split())
    kept = _ports_in(reserved)
    own = sorted({listener.address.port for listener in config.listeners} | {config.admin.address.port})
    open_to_others = [port for port in own if first <= port <= last and port not in kept]
    if not open_to_others:
        yield fine(f"no port of ours is among the {first} to {last} that outgoing connections take")
        return
    taken = ", ".join(map(str, open_to_others))
    value = ",".join([*([reserved.strip()] if reserved.strip() else []), *map(str, open_to_others)])
    yield todo(
        f"outgoing connections take ports {first} to {last}, {taken} of ours among them",
        "reserved: else a start may find its port taken",
        *sysctl(reserved_name, value),
    )


def _ports_in(text: str) -> set[int]:
    """Return the ports in a list like `8080,9148-9150`."""
    found: set[int] = set()
    for part in filter(None, text.strip().split(",")):
        first, _, last = part.partition("-")
        found.update(range(int(first), int(last or first) + 1))
    return found
