"""SIPp as the two cores: one process plays one side of one numbered flow."""

import csv
import os
import shutil
import signal
from dataclasses import dataclass
from pathlib import Path

from tests.system.support.children import Child, ChildError, wait_until
from tests.system.support.ports import free_port, is_bound

SCENARIOS = Path(__file__).parents[3] / "sipp-scenarios"
TRIES = 5
COULD_NOT_START = 255
SOCKETS = {"udp": "u1", "tcp": "t1"}
"""SIPp's names for one socket for all calls."""


def program() -> str | None:
    """Return the path of SIPp, if it is installed."""
    return shutil.which("sipp")


@dataclass(frozen=True)
class Tally:
    """How the calls of one SIPp process ended."""

    code: int
    successful: int
    failed: int
    retransmissions: int


class Sipp:
    """One running SIPp."""

    def __init__(
        self,
        scenario: str,
        arguments: list[str],
        *,
        address: str,
        port: int,
        folder: Path,
        prefix: tuple[str, ...] = (),
        transport: str = "udp",
    ) -> None:
        """Start the scenario with the source address and port given; *prefix* runs it in another namespace."""
        found = program()
        if found is None:
            raise ChildError("sipp is not installed: apt-get install sip-tester")
        self.name = f"{scenario} at {address}"
        self.scenario = SCENARIOS / scenario
        self.address = address
        self.port = port
        self.transport = transport
        stem = f"{self.scenario.parent.name}-{self.scenario.stem}-{transport}-{port}"
        self._statistics = folder / f"{stem}.csv"
        self._errors = folder / f"{stem}.errors"
        self._messages = folder / f"{stem}.messages"
        command = [*prefix, found, "-sf", str(self.scenario), "-i", address, "-p", str(port), "-bind_local", "-nostdin"]
        command += ["-t", SOCKETS[transport]]
        command += ["-trace_stat", "-stf", str(self._statistics), "-trace_err", "-error_file", str(self._errors)]
        command += ["-trace_msg", "-message_file", str(self._messages), *arguments]
        # SIPp draws its screens with ncurses, which refuses to start without a terminal type
        self.child = Child(command, folder=folder, environment={**os.environ, "TERM": "xterm"})

    def wait_bound(self) -> None:
        """Return when the process can be sent to."""
        wait_until(
            lambda: (
                is_bound(self.address, self.port, transport=self.transport, pid=self.child.pid)
                or self.child.code is not None
            ),
            deadline_s=10,
            what=f"{self.name} has bound port {self.port}",
        )
        if self.child.code is not None:
            raise ChildError(f"{self.name} ended with code {self.child.code}\n{self.story()}")

    def finish(self, deadline_s: float = 30) -> Tally:
        """Wait for the end and count."""
        code = self.child.wait(deadline_s)
        if not self._statistics.exists():
            return Tally(code, 0, 0, 0)
        with self._statistics.open(newline="") as file:
            last = list(csv.DictReader(file, delimiter=";"))[-1]
        return Tally(code, int(last["SuccessfulCall(C)"]), int(last["FailedCall(C)"]), int(last["Retransmissions(C)"]))

    def expect(self, calls: int = 1, deadline_s: float = 30) -> Tally:
        """Wait for the end; every one of *calls* must have gone as the scenario tells."""
        tally = self.finish(deadline_s)
        if (tally.code, tally.successful, tally.failed) != (0, calls, 0):
            raise ChildError(f"{self.name}: {tally}, expected {calls} good calls\n{self.story()}")
        return tally

    def story(self) -> str:
        """Return what SIPp complained about and the messages it saw, for the text of a failure."""
        parts = [path.read_text(errors="replace")[-6000:] for path in (self._errors, self._messages) if path.exists()]
        return "\n".join(parts)

    def messages(self) -> str:
        """Return every message sent and received, as SIPp logged them."""
        return self._messages.read_text(errors="replace")

    def stop(self) -> None:
        """End the process; asked politely, SIPp would wait for its calls."""
        if self.child.code is None:
            self.child.signal(signal.SIGKILL)
        self.child.stop()


def start(
    scenario: str,
    arguments: list[str],
    *,
    address: str,
    folder: Path,
    port: int | None = None,
    prefix: tuple[str, ...] = (),
    transport: str = "udp",
    called: bool = True,
) -> Sipp:
    """Start SIPp on *port*, or on one that the system chooses, and wait until it can be sent to.

    One that calls over TCP opens a connection and listens nowhere: it is not *called*.
    """
    for attempt in range(TRIES):
        chosen = port or free_port(address)
        sipp = Sipp(
            scenario, arguments, address=address, port=chosen, folder=folder, prefix=prefix, transport=transport
        )
        if transport == "tcp" and not called:
            return sipp
        try:
            sipp.wait_bound()
        except ChildError:
            taken = sipp.child.code == COULD_NOT_START and port is None
            sipp.stop()
            if taken and attempt + 1 < TRIES:
                continue
            raise
        return sipp
    raise ChildError(f"no free port for {scenario} in {TRIES} tries")
