"""A border, its three neighbours and a DNS server on loopback: what every system test plays on."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.system.support import sipp
from tests.system.support.border import Border, Record
from tests.system.support.configuration import Carrier, Carriers
from tests.system.support.metrics import Metrics, increase

NUMBER_OF_B = "+441632960083"
CALLER_NUMBER = "+441632960100"
UNKNOWN_NUMBER = "+441632960999"
PREMIUM_NUMBER = "+449098790001"
ENDS = {"answered": "finished", "failed": "failed", "cancelled": "cancelled", "rejected": "rejected"}


@dataclass
class Stage:
    """A running border and the carriers around it; every SIPp that it starts ends with it."""

    border: Border
    carriers: Carriers
    folder: Path
    _ends: ExitStack
    _before: Metrics = field(init=False)

    def __post_init__(self) -> None:
        """Remember the metrics of an idle border."""
        self._before = self.border.metrics()

    def uas(
        self,
        scenario: str,
        carrier: Carrier,
        *,
        calls: int = 1,
        timeout_s: int = 30,
        pause_ms: int = 0,
        transport: str = "udp",
    ) -> sipp.Sipp:
        """Start the called side at its carrier's target."""
        options = [*limits(calls, timeout_s), "-d", str(pause_ms)]
        return self.play(scenario, options, address=carrier.address, port=carrier.port, transport=transport)

    def uac(
        self,
        scenario: str,
        number: str,
        carrier: Carrier | None = None,
        *,
        calls: int = 1,
        rate: int = 10,
        pause_ms: int = 100,
        timeout_s: int = 30,
        address: str | None = None,
        listener: str | None = None,
        transport: str = "udp",
    ) -> sipp.Sipp:
        """Start the calling side, carrier A unless told otherwise; it does not wait for the end."""
        origin = carrier or self.carriers.a
        target = self.border.target(listener or origin.listener)
        options = [*limits(calls, timeout_s), *load(number, calls=calls, rate=rate, pause_ms=pause_ms), target]
        return self.play(scenario, options, address=address or origin.address, transport=transport, called=False)

    def play(
        self,
        scenario: str,
        options: list[str],
        *,
        address: str,
        port: int | None = None,
        prefix: tuple[str, ...] = (),
        transport: str = "udp",
        called: bool = True,
    ) -> sipp.Sipp:
        """Start SIPp with options of the test's own; it ends with the stage."""
        process = sipp.start(
            scenario,
            options,
            address=address,
            port=port,
            folder=self.folder,
            prefix=prefix,
            transport=transport,
            called=called,
        )
        self._ends.callback(process.stop)
        return process

    def grown(self, name: str, /, **labels: str) -> float:
        """Return by how much a metric grew since the stage was set."""
        return increase(self._before, self.border.metrics(), name, **labels)

    def record(self) -> Record:
        """Return the one CDR there is, after checking that the log tells the same story."""
        [record] = self.border.wait_for_records(1)
        area = "call" if record["record"] == "call" else "transaction"
        line = self.border.wait_for_log(f"{area}.{ENDS[record['outcome']]}", call_id=record["call_id"])
        for key in ("status", "reason", "peer_in", "peer_out", "route", "setup_s", "duration_s", "generation"):
            assert line.get(key) == record.get(key), f"{key}: the log says {line}, the CDR {record}"
        return record


def limits(calls: int, timeout_s: int) -> list[str]:
    """Return the options that make SIPp end by itself."""
    return ["-m", str(calls), "-timeout", str(timeout_s), "-timeout_error"]


def load(number: str, *, calls: int, rate: int, pause_ms: int) -> list[str]:
    """Return the options that make SIPp place calls to *number*."""
    # SIPp bounds the calls at once by the rate unless told otherwise, and would then send slower than asked
    return ["-r", str(rate), "-l", str(calls + 1), "-d", str(pause_ms), "-s", number]


@contextmanager
def stage(border: Border, carriers: Carriers, folder: Path) -> Iterator[Stage]:
    """Start *border* and set the stage around it."""
    with ExitStack() as ends:
        yield Stage(ends.enter_context(border), carriers, folder, ends)
