"""A machine that is as a test says."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatch
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path

from ibcf.config.values import HostPort
from ibcf.dns.records import Class
from ibcf.host.clock import ClockState
from ibcf.host.machine import Room
from ibcf.host.sockets import Holder

Addresses = dict[IPv4Address | IPv6Address, str]

HEALTHY = {
    "/proc/sys/net/ipv4/udp_mem": "100000\t200000\t300000\n",
    "/proc/net/snmp": (
        "Tcp: ActiveOpens\nTcp: 4\n"
        "Udp: InDatagrams NoPorts InErrors OutDatagrams RcvbufErrors\nUdp: 1000000 3 10 900000 10\n"
    ),
    "/proc/net/snmp6": "Udp6InDatagrams                 \t500000\nUdp6RcvbufErrors                \t0\n",
    "/proc/sys/net/core/netdev_max_backlog": "20000\n",
    "/proc/net/softnet_stat": "000f4240 00000000 00000001 00000000\n000f4240 00000000 00000000 00000000\n",
    "/proc/sys/net/ipv4/ip_local_port_range": "32768\t60999\n",
    "/proc/sys/net/ipv4/ip_local_reserved_ports": "\n",
    "/proc/self/cgroup": "0::/system.slice/ibcf.service\n",
    "/sys/fs/cgroup/system.slice/ibcf.service/cpu.max": "max 100000\n",
    "/sys/fs/cgroup/system.slice/cpu.max": "max 100000\n",
    "/sys/class/net/eth0/queues/rx-0/rps_cpus": "00\n",
    "/sys/class/net/eth0/queues/rx-1/rps_cpus": "00\n",
    "/proc/sys/net/core/rps_sock_flow_entries": "0\n",
}


KEPT = ClockState(is_synchronised=True, error_us_max=4_000)
ROOMY = Room(Path("cdr"), is_writable=True, free_bytes=1 << 40)


@dataclass
class FakeMachine:
    """A healthy machine of four CPUs, but for what a test changes."""

    changed: dict[str, str | None] = field(default_factory=dict)
    """Files with another content, or `None` for those that cannot be read."""
    buffers: tuple[int, int] | None = (1 << 30, 1 << 30)
    cpu_count: int = 4
    descriptors: tuple[int, int] = (1_024, 1_048_576)
    places: dict[str, str] | None = field(default_factory=lambda: {"127.0.0.1": "lo", "192.0.2.1": "eth0"})
    errnos: dict[str, int] = field(default_factory=dict)
    holders: dict[str, Holder] = field(default_factory=dict)
    clock_state: ClockState | None = KEPT
    disk: Room | None = ROOMY
    later: timedelta = timedelta(0)
    modes: dict[str, int] = field(default_factory=dict)
    answers: dict[str, Class] = field(default_factory=dict)
    asked: list[tuple[str, str, float]] = field(default_factory=list)

    def _files(self) -> dict[str, str | None]:
        return {**HEALTHY, **self.changed}

    def read(self, path: str) -> str | None:
        """Return what the test says, else what a healthy machine says."""
        return self._files().get(path)

    def paths(self, pattern: str) -> tuple[str, ...]:
        """Look for the pattern in the folders of the files."""
        depth = pattern.count("/")
        found = {"/".join(path.split("/")[: depth + 1]) for path, text in self._files().items() if text is not None}
        return tuple(sorted(path for path in found if fnmatch(path, pattern)))

    def page_bytes(self) -> int:
        """Return the usual size."""
        return 4_096

    def cpus(self) -> int:
        """Return what the test says."""
        return self.cpu_count

    def descriptor_limits(self) -> tuple[int, int]:
        """Return what the test says."""
        return self.descriptors

    def given_buffers(self, receive_bytes: int, send_bytes: int) -> tuple[int, int] | None:
        """Give what is asked for, up to what the test says."""
        if self.buffers is None:
            return None
        return min(receive_bytes, self.buffers[0]), min(send_bytes, self.buffers[1])

    def addresses(self) -> Addresses | None:
        """Return what the test says."""
        return None if self.places is None else {ip_address(text): name for text, name in self.places.items()}

    def bind(self, address: HostPort, *, stream: bool) -> int:
        """Refuse what the test says."""
        return self.errnos.get(f"{'tcp' if stream else 'udp'} {address}", 0)

    def holder(self, address: HostPort, *, stream: bool) -> Holder | None:
        """Return what the test says."""
        return self.holders.get(f"{'tcp' if stream else 'udp'} {address}")

    def clock(self) -> ClockState | None:
        """Return what the test says."""
        return self.clock_state

    def now(self) -> datetime:
        """Look at the clock, since certificates are made by it, and add what the test says."""
        return datetime.now(tz=UTC) + self.later

    def room(self, folder: Path) -> Room | None:
        """Return what the test says."""
        return self.disk

    def permissions(self, path: Path) -> int | None:
        """Return what the test says."""
        return self.modes.get(path.name)

    def ask_dns(self, server: str, name: str, timeout_s: float) -> Class:
        """Answer as the test says."""
        self.asked.append((server, name, timeout_s))
        return self.answers.get(server, Class.NODATA)
