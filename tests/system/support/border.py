"""The border as a child process, watched the way an operator watches it: log lines, CDR files, metrics, health."""

import http.client
import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any, Self

from tests.system.support.children import Child, wait_until
from tests.system.support.metrics import Metrics

Record = dict[str, Any]
READY = "border.ready"
START_S = 20
REPOSITORY = Path(__file__).parents[3]


def command(*arguments: str) -> list[str]:
    """Return the command line of one `ibcf` verb."""
    return [sys.executable, "-m", "ibcf.cli.main", *arguments]


def as_record(line: str) -> Record:
    """Read one log line; what is not JSON (a traceback) has no keys."""
    try:
        found = json.loads(line)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


class Border:
    """One running border."""

    def __init__(self, configuration: Path, *, cdr: Path) -> None:
        """Start it; it is not ready yet."""
        self.configuration = configuration
        self._cdr = cdr
        self.child = Child(command("run", str(configuration)), folder=REPOSITORY)
        self.listeners: dict[str, tuple[str, int]] = {}
        self.admin = ("", 0)

    def __enter__(self) -> Self:
        """Wait until it serves."""
        try:
            ready = self.wait_for_log(READY, deadline_s=START_S)
        except BaseException:
            self.child.stop()
            raise
        self.listeners = {entry["id"]: split(entry["address"]) for entry in ready["listeners"]}
        self.admin = split(ready["admin"])
        return self

    def __exit__(self, *_: object) -> None:
        """End it; the second signal says that nobody waits for what is still in progress."""
        if self.child.code is None:
            self.child.signal(signal.SIGINT)
        self.child.stop()

    def verb(self, *arguments: str) -> Record:
        """Run a verb against it and return what it printed."""
        host, port = self.admin
        argv = command(*arguments, "--admin", f"{host}:{port}", "--json")
        done = subprocess.run(argv, check=False, capture_output=True, text=True, timeout=60)  # noqa: S603 - ours
        assert done.stdout, done.stderr
        told: Record = json.loads(done.stdout)
        return told

    def target(self, listener: str) -> str:
        """Return the bound address of a listener as SIPp wants it."""
        host, port = self.listeners[listener]
        return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"

    def wait_for_log(self, event: str, *, deadline_s: float = 10, since: int = 0, **fields: object) -> Record:
        """Return the first log line with this event name and these fields."""

        def wanted(line: str) -> bool:
            record = as_record(line)
            return record.get("event") == event and all(record.get(key) == value for key, value in fields.items())

        what = f"log line {event} {fields}"
        return as_record(self.child.wait_for_line(wanted, deadline_s=deadline_s, what=what, since=since))

    def log(self, event: str) -> list[Record]:
        """Return all log lines so far with this event name."""
        return [record for record in map(as_record, list(self.child.lines)) if record.get("event") == event]

    def records(self) -> list[Record]:
        """Return what stands in the CDR files now."""
        files = sorted(self._cdr.glob("*.jsonl*"))  # with `.open` behind it while it is being written
        return [json.loads(line) for path in files for line in path.read_text().splitlines() if line.endswith("}")]

    def wait_for_records(self, count: int, *, deadline_s: float = 10) -> list[Record]:
        """Return the CDRs as soon as there are *count*; there must not be more."""
        wait_until(
            lambda: len(self.records()) >= count,
            deadline_s=deadline_s,
            what=f"{count} CDRs; the border said: {self.child.describe()}",
        )
        found = self.records()
        assert len(found) == count, f"{len(found)} CDRs instead of {count}: {found}"
        return found

    def get(self, path: str) -> tuple[int, str]:
        """Ask the admin endpoint."""
        connection = http.client.HTTPConnection(*self.admin, timeout=5)
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            return response.status, response.read().decode()
        finally:
            connection.close()

    def metrics(self) -> Metrics:
        """Scrape the border."""
        status, text = self.get("/metrics")
        assert status == 200, text
        return Metrics(text)

    def reload(self) -> None:
        """Ask it to read its configuration again."""
        self.child.signal(signal.SIGHUP)

    def drain(self) -> None:
        """Ask it to finish what it has and go."""
        self.child.signal(signal.SIGTERM)


def split(address: str) -> tuple[str, int]:
    """Take `host:port` apart.

    >>> split("[::1]:5060")
    ('::1', 5060)
    """
    host, _, port = address.rpartition(":")
    return host.strip("[]"), int(port)
