"""What each check says of a machine: how it is, how it should be, and the command; for every outcome that it has."""

import errno
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from ibcf.config import read_text
from ibcf.dns.records import Class
from ibcf.host.clock import ClockState
from ibcf.host.doctor import CHECKS, examine
from ibcf.host.finding import Finding
from ibcf.host.machine import Room
from ibcf.host.sockets import Holder
from tests.unit.config.pairs import SECTIONS, sound
from tests.unit.host.machine import FakeMachine

FOUR = "node: {name: n, domain: a.example, workers: 4}\n"
ON_ETH0 = """\
listeners:
  - {id: home_udp, side: home, transport: udp, address: "192.0.2.1:5060"}
  - {id: peer_udp, side: peer, transport: udp, address: "127.0.0.1:5070"}
"""
EVERYWHERE = ON_ETH0.replace('"192.0.2.1:5060"', '"0.0.0.0:5060", advertised: "192.0.2.1:5060"')
STREAMS = ON_ETH0 + '  - {id: peer_tcp, side: peer, transport: tcp, address: "127.0.0.1:5070"}\n'
NO_DATAGRAMS = {
    "listeners": ON_ETH0.replace("transport: udp", "transport: tcp"),
    "peers": SECTIONS["peers"].replace('"}]', '", transport: tcp}]'),
}
LOCATOR = {"locator": 'locator: {servers: ["[::1]:53"]}\n'}
ZONE = {"enum": "enum:\n  - {id: numbers, apexes: [e164.arpa], zone_file: numbers.zone}\n"}
LARGE = ON_ETH0.replace("transport: udp", "transport: udp, receive_buffer_size: 256MiB")
MEM = "/proc/sys/net/ipv4/udp_mem"
SNMP, SNMP6, SOFTNET = "/proc/net/snmp", "/proc/net/snmp6", "/proc/net/softnet_stat"
BACKLOG = "/proc/sys/net/core/netdev_max_backlog"
COUNT, MOST = "/proc/sys/net/netfilter/nf_conntrack_count", "/proc/sys/net/netfilter/nf_conntrack_max"
TRACKED = "/proc/net/nf_conntrack"
RANGE, RESERVED = "/proc/sys/net/ipv4/ip_local_port_range", "/proc/sys/net/ipv4/ip_local_reserved_ports"
QUEUE = "/sys/class/net/eth0/queues/rx-0/rps_cpus"
OTHER_QUEUE = "/sys/class/net/eth0/queues/rx-1/rps_cpus"
GROUP = "/proc/self/cgroup"
CPU_MAX = "/sys/fs/cgroup/system.slice/cpu.max"
OWN_CPU_MAX = "/sys/fs/cgroup/system.slice/ibcf.service/cpu.max"
LOST = "Udp: InDatagrams NoPorts InErrors OutDatagrams RcvbufErrors\nUdp: 1000000 3 500 900000 500\n"


@dataclass(frozen=True)
class Case:
    """A machine and a configuration, and what one check says: its first finding that is not fine, else the first."""

    check: str
    state: str
    found: str
    command: str = ""
    machine: dict[str, Any] = field(default_factory=dict)
    sections: dict[str, str] = field(default_factory=dict)


def files(**named: str | None) -> dict[str, Any]:
    """Change files of the kernel; the names are those of the constants here."""
    return {"changed": {globals()[name]: text for name, text in named.items()}}


CASES = [
    Case("socket_buffers", "fine", "a socket gets the 4MiB that it asks for to receive"),
    Case("socket_buffers", "fine", "no listener for datagrams", sections=NO_DATAGRAMS),
    Case("socket_buffers", "unknown", "no socket can be made here", machine={"buffers": None}),
    Case(
        "socket_buffers", "todo", "a socket gets 208KiB of 4MiB to receive", "sysctl -w net.core.rmem_max=4194304",
        machine={"buffers": (212_992, 1 << 30)},
    ),
    Case(
        "socket_buffers", "todo", "a socket gets 208KiB of 4MiB to send", "sysctl -w net.core.wmem_max=4194304",
        machine={"buffers": (1 << 30, 212_992)},
    ),
    Case("udp_memory", "fine", "all sockets together may hold 32MiB, net.ipv4.udp_mem allows 1172MiB"),
    Case("udp_memory", "unknown", "/proc/sys/net/ipv4/udp_mem cannot be read here", machine=files(MEM=None)),
    Case(
        "udp_memory", "todo", "all sockets together may hold 4160MiB, net.ipv4.udp_mem allows 1172MiB",
        "sysctl -w net.ipv4.udp_mem='100000 1064960 1064960'", sections={"node": FOUR, "listeners": LARGE},
    ),
    Case("receive_drops", "fine", "10 of 1500010 datagrams were dropped at full sockets"),
    Case("receive_drops", "todo", "500 of 1500500 datagrams", "nstat -az UdpRcvbufErrors", machine=files(SNMP=LOST)),
    Case("receive_drops", "fine", "0 of 500000 datagrams", machine=files(SNMP=None)),
    Case("receive_drops", "unknown", "cannot be read here", machine=files(SNMP=None, SNMP6=None)),
    Case("backlog", "fine", "net.core.netdev_max_backlog is 20000"),
    Case(
        "backlog", "todo", "net.core.netdev_max_backlog is 1000", "sysctl -w net.core.netdev_max_backlog=10000",
        machine=files(BACKLOG="1000\n"),
    ),
    Case("backlog", "unknown", f"{BACKLOG} cannot be read here", machine=files(BACKLOG=None)),
    Case("backlog", "unknown", f"{SOFTNET} cannot be read here", machine=files(SOFTNET=None)),
    Case(
        "backlog", "todo", "31 packets were dropped before any protocol saw them",
        "sysctl -w net.core.netdev_max_backlog=40000", machine=files(SOFTNET="000f4240 0000001f 00000001 0\n"),
    ),
    Case(
        "backlog", "todo", "the kernel left 2000 turns of receiving unfinished, for 1000000 packets",
        "sysctl -w net.core.netdev_budget=600", machine=files(SOFTNET="000f4240 00000000 000007d0 0\n"),
    ),
    Case("steering", "fine", "1 worker(s) on 4 CPU(s): nothing to spread"),
    Case("steering", "fine", "the listeners are on no interface but lo", sections={"node": FOUR}),
    Case(
        "steering", "todo", "eth0: 2 receive queue(s), RPS on 0 of them, RFS off", "ethtool -L eth0 combined 4",
        sections={"node": FOUR, "listeners": ON_ETH0},
    ),
    Case(
        "steering", "todo", "eth0: 2 receive queue(s), RPS on 1 of them", "ethtool -L eth0 combined 4",
        machine=files(QUEUE="f\n"), sections={"node": FOUR, "listeners": EVERYWHERE},
    ),
    Case(
        "steering", "fine", "eth0: 2 receive queue(s), RPS on 2 of them, RFS on",
        machine={"changed": {QUEUE: "f\n", OTHER_QUEUE: "0000000f,00000000\n",
                             "/proc/sys/net/core/rps_sock_flow_entries": "32768\n"}},
        sections={"node": FOUR, "listeners": ON_ETH0},
    ),
    Case(
        "steering", "fine", "eth0: 2 receive queue(s), RPS on 0 of them", machine={"cpu_count": 2},
        sections={"node": FOUR, "listeners": ON_ETH0},
    ),
    Case(
        "steering", "unknown", "/sys/class/net/eth0/queues/rx-*/rps_cpus cannot be read here",
        machine=files(QUEUE=None, OTHER_QUEUE=None), sections={"node": FOUR, "listeners": ON_ETH0},
    ),
    Case(
        "steering", "unknown", "the interfaces of the addresses cannot be told", machine={"places": None},
        sections={"node": FOUR, "listeners": ON_ETH0},
    ),
    Case("conntrack", "fine", "nf_conntrack is not loaded"),
    Case("conntrack", "unknown", "/proc/sys/net/netfilter cannot be read here", machine=files(SNMP=None)),
    Case(
        "conntrack", "todo", "nf_conntrack holds 900 of 1000 entries",
        "sysctl -w net.netfilter.nf_conntrack_max=2000", machine=files(COUNT="900\n", MOST="1000\n"),
    ),
    Case(
        "conntrack", "unknown", "nf_conntrack holds 9 of 1000 entries", "nft 'add table inet ibcf;",
        machine=files(COUNT="9\n", MOST="1000\n"),
    ),
    Case(
        "conntrack", "todo", "nf_conntrack holds 9 of 1000 entries, SIP among them", "{ 5060, 5070 } notrack'",
        machine=files(COUNT="9\n", MOST="1000\n", TRACKED="ipv4 2 udp 17 29 src=1 dst=2 sport=5060 dport=5070 x\n"),
    ),
    Case(
        "conntrack", "unknown", "none of SIP, but no border runs", "notrack'",
        machine=files(COUNT="9\n", MOST="1000\n", TRACKED="ipv4 2 tcp 6 9 src=1 dst=2 sport=50600 dport=50700 x\n"),
    ),
    Case(
        "conntrack", "fine", "nf_conntrack holds 9 of 1000 entries, none of SIP",
        machine={**files(COUNT="9\n", MOST="1000\n", TRACKED="\n"), "errnos": {"udp 127.0.0.1:5060": errno.EADDRINUSE}},
    ),
    Case(
        "conntrack", "fine", "no rule makes it follow anything", machine=files(COUNT="0\n", MOST="9\n", TRACKED="\n"),
    ),
    Case("ports", "fine", "no port of ours is among the 32768 to 60999"),
    Case("ports", "unknown", "cannot be read here", machine=files(RANGE=None)),
    Case(
        "ports", "todo", "outgoing connections take ports 5000 to 60999, 5060, 9090 of ours among them",
        "sysctl -w net.ipv4.ip_local_reserved_ports=5065-5075,5060,9090",
        machine=files(RANGE="5000 60999\n", RESERVED="5065-5075\n"),
    ),
    Case("ports", "fine", "no port of ours", machine=files(RANGE="5000 60999\n", RESERVED="5060,5070,9000-9100\n")),
    Case("descriptors", "fine", "the border may need 265 descriptors, the hard limit is 1048576"),
    Case("descriptors", "fine", "the hard limit is none", machine={"descriptors": (10, -1)}),
    Case(
        "descriptors", "todo", "the border may need 10267 descriptors, the hard limit is 4096",
        "LimitNOFILE=10267", machine={"descriptors": (1_024, 4_096)}, sections={"listeners": STREAMS},
    ),
    Case(
        "descriptors", "todo", "the border may need 10267 descriptors", "sysctl -w fs.nr_open=10267",
        machine={"descriptors": (1_024, 4_096), "changed": {"/proc/sys/fs/nr_open": "8192\n"}},
        sections={"listeners": STREAMS},
    ),
    Case("workers", "fine", "1 worker(s) on 4 CPU(s)"),
    Case("workers", "todo", "4 workers on 2 CPU(s)", machine={"cpu_count": 2}, sections={"node": FOUR}),
    Case(
        "workers", "todo", "the control group may use 1.5 CPU(s), for 4 worker(s)",
        "systemctl set-property ibcf CPUQuota=",
        machine=files(CPU_MAX="150000 100000\n", OWN_CPU_MAX="800000 100000\n"), sections={"node": FOUR},
    ),
    Case(
        "workers", "todo", "the control group may use 0.5 CPU(s)",
        machine={"changed": {GROUP: "4:cpu,cpuacct:/pod\n3:memory:/\n",
                             "/sys/fs/cgroup/cpu/pod/cpu.cfs_quota_us": "50000\n",
                             "/sys/fs/cgroup/cpu/pod/cpu.cfs_period_us": "100000\n"}},
    ),
    Case("workers", "unknown", "/proc/self/cgroup cannot be read here", machine=files(GROUP=None)),
    Case(
        "workers", "unknown", "cpu.max of our control group cannot be read here",
        machine=files(CPU_MAX=None, OWN_CPU_MAX=None),
    ),
    Case("clock", "fine", "the clock is synchronised, to 4 ms or better"),
    Case("clock", "unknown", "the kernel does not say", machine={"clock_state": None}),
    Case(
        "clock", "todo", "the clock is not synchronised", "timedatectl set-ntp true",
        machine={"clock_state": ClockState(is_synchronised=False, error_us_max=16_000_000)},
    ),
    Case(
        "clock", "todo", "the clock may be wrong by 400 ms",
        machine={"clock_state": ClockState(is_synchronised=True, error_us_max=400_000)},
    ),
    Case("listeners", "fine", "listener home_udp: 127.0.0.1:5060 can be bound"),
    Case(
        "listeners", "todo", "listener home_udp: 127.0.0.1:5060 is no address of this host",
        "ip address add 127.0.0.1/32 dev INTERFACE", machine={"errnos": {"udp 127.0.0.1:5060": errno.EADDRNOTAVAIL}},
    ),
    Case(
        "listeners", "todo", "needs a privilege", "sysctl -w net.ipv4.ip_unprivileged_port_start=5060",
        machine={"errnos": {"udp 127.0.0.1:5060": errno.EACCES}},
    ),
    Case(
        "listeners", "todo", "admin: 127.0.0.1:9090 is held by process 7: prometheus --web", "ss -lnpt 'sport = :9090'",
        machine={"errnos": {"tcp 127.0.0.1:9090": errno.EADDRINUSE},
                 "holders": {"tcp 127.0.0.1:9090": Holder(7, "prometheus --web")}},
    ),
    Case(
        "listeners", "fine", "127.0.0.1:5060 is held by ibcf run, process 7",
        machine={"errnos": {"udp 127.0.0.1:5060": errno.EADDRINUSE},
                 "holders": {"udp 127.0.0.1:5060": Holder(7, "/opt/python3 /opt/ibcf run border.yaml")}},
    ),
    Case(
        "listeners", "unknown", "127.0.0.1:5060 is held by a process that we may not see", "sudo ss -lnpu",
        machine={"errnos": {"udp 127.0.0.1:5060": errno.EADDRINUSE}},
    ),
    Case("listeners", "unknown", "cannot be bound: ENOBUFS", machine={"errnos": {"udp 127.0.0.1:5060": errno.ENOBUFS}}),
    Case("records", "fine", "cdr is writable, 1048576MiB are free"),
    Case("records", "unknown", "cdr cannot be looked at", machine={"disk": None}),
    Case(
        "records", "todo", "/var cannot be written by this user", "install -d -o ibcf -g ibcf -m 0750 cdr",
        machine={"disk": Room(Path("/var"), is_writable=False, free_bytes=1 << 40)},
    ),
    Case(
        "records", "todo", "cdr is writable, 100MiB are free", "df -h cdr",
        machine={"disk": Room(Path("cdr"), is_writable=True, free_bytes=100 << 20)},
    ),
    Case("dns", "fine", "enum numbers: 127.0.0.1:53 answers NODATA for e164.arpa"),
    Case(
        "dns", "todo", "enum numbers: 127.0.0.1:53 gives no answer (TIMEOUT)",
        "dig @127.0.0.1 -p 53 e164.arpa NAPTR +tries=1", machine={"answers": {"127.0.0.1:53": Class.TIMEOUT}},
    ),
    Case(
        "dns", "todo", "enum numbers: 127.0.0.1:53 answers REFUSED for e164.arpa",
        machine={"answers": {"127.0.0.1:53": Class.REFUSED}},
    ),
    Case(
        "dns", "todo", "locator: [::1]:53 gives no answer (UNREACHABLE)",
        "dig @::1 -p 53 ibcf.a.example NAPTR +tries=1",
        machine={"answers": {"[::1]:53": Class.UNREACHABLE}}, sections=LOCATOR,
    ),
    Case(
        "dns", "todo", "enum numbers: numbers.zone is not there", "ls -l numbers.zone",
        sections=ZONE,
    ),
    Case(
        "dns", "fine", "enum numbers: numbers.zone is there", machine={"modes": {"numbers.zone": 0o644}},
        sections=ZONE,
    ),
    Case("certificates", "fine", "no certificate is configured"),
]  # fmt: skip


def said_by(check: str, machine: FakeMachine, **sections: str) -> list[Finding]:
    """Return what one check finds."""
    found = examine(machine, read_text(sound(**sections)).config)
    return [one.finding for one in found if one.check == check]


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.check}: {case.found}")
def test_each_machine_leads_to_the_finding(case: Case) -> None:
    """The check says how the machine is; what is to be done comes with the reason, and with the command to run."""
    findings = said_by(case.check, FakeMachine(**case.machine), **case.sections)
    finding = next((one for one in findings if one.state != "fine"), findings[0])
    assert (finding.state, case.found in finding.found) == (case.state, True), findings
    assert case.command in "\n".join(finding.commands)
    assert bool(finding.wanted) or finding.state == "fine" or "looked at" in finding.found
    assert not finding.commands or finding.state != "fine"


def test_every_check_has_a_case_for_each_state_that_it_can_have() -> None:
    """No row of the table goes untested; certificates have their own tests, with files."""
    seen = {(case.check, case.state) for case in CASES}
    assert {check for check, _ in seen} == {check.id for check in CHECKS}
    assert {check for check, state in seen if state == "todo"} == {check.id for check in CHECKS} - {"certificates"}


def test_settings_are_shown_for_now_and_for_the_next_boot() -> None:
    """A variable of the kernel comes with two commands: one for now, one that keeps it."""
    [finding, _] = said_by("socket_buffers", FakeMachine(buffers=(212_992, 1 << 30)))
    assert finding.commands == (
        "sysctl -w net.core.rmem_max=4194304",
        "echo 'net.core.rmem_max = 4194304' >> /etc/sysctl.d/90-ibcf.conf",
    )


def test_a_server_is_asked_once_however_many_use_it() -> None:
    """ENUM and the locator share servers; each gets one bounded question."""
    machine = FakeMachine()
    said_by(
        "dns", machine, locator='locator: {servers: ["127.0.0.1:53", "127.0.0.2:53"], timeout: 30s, deadline: 40s}\n'
    )
    assert machine.asked == [("127.0.0.1:53", "e164.arpa", 0.5), ("127.0.0.2:53", "ibcf.a.example", 2.0)]


def test_a_machine_of_which_nothing_can_be_read_is_unknown_and_not_fine() -> None:
    """Where the kernel hides everything, no check that reads it says that all is well."""
    machine = FakeMachine(places=None, buffers=None, clock_state=None, disk=None)
    machine.changed = dict.fromkeys(machine._files())
    found = list(examine(machine, read_text(sound(node=FOUR)).config))
    reads = {"socket_buffers", "udp_memory", "receive_drops", "backlog", "steering", "conntrack", "ports", "clock"}
    assert {one.check for one in found if one.finding.state == "unknown"} >= reads | {"records", "workers"}
    assert not [one for one in found if one.check in reads and one.finding.state == "fine"]


@pytest.mark.parametrize("text", ["", "\n", "max\n", "Udp: x y\nUdp: 1 2\n", "0::\n:\n"])
def test_files_of_another_form_are_unknown_and_no_traceback(text: str) -> None:
    """Whatever the files of a kernel say, every check comes to its end, and none takes them for good news."""
    machine = FakeMachine()
    machine.changed = dict.fromkeys([*machine._files(), COUNT, MOST], text)
    found = list(examine(machine, read_text(sound(node=FOUR, listeners=ON_ETH0)).config))
    assert {one.check for one in found} == {check.id for check in CHECKS}
    for check in ("udp_memory", "backlog", "conntrack", "ports"):
        assert {one.finding.state for one in found if one.check == check} == {"unknown"}, found


def test_without_a_configuration_the_host_alone_is_examined() -> None:
    """The defaults of a border stand in, and nothing is said of addresses, records, DNS and certificates."""
    checks = {one.check for one in examine(FakeMachine(), None)}
    assert checks == {check.id for check in CHECKS if check.of_host}
    assert "listeners" not in checks
    assert {"socket_buffers", "descriptors", "clock"} <= checks
