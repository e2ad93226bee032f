"""Our own load generator (crate `core/load`): both ends in one thread, each answer validated, times in microseconds."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from benchmarks import certificates
from benchmarks.called_numbers import write_plain
from benchmarks.children import Child
from benchmarks.errors import RigError
from benchmarks.forwarder import binary
from benchmarks.levels import BORDER, CHARGED, GONE, NETWORK, NUMBERS, RELAY
from benchmarks.meter import Meter, Spent
from benchmarks.outcome import Outcome, Tally
from benchmarks.results import Percentiles

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from benchmarks.meter import Reading
    from benchmarks.stage import Stage
    from benchmarks.work import Work

CONNECTIONS = 2
START_SLACK_S = 20.0

WITHOUT = [word for header in GONE for word in ("--expect-absent", header)]
EXPECTED: dict[int, list[str]] = {
    RELAY: [],
    BORDER: ["--expect-request-uri-host", NETWORK, "--expect-contains", CHARGED, *WITHOUT],
    NUMBERS: ["--expect-contains", CHARGED, *WITHOUT],
}
"""What the generator looks for in every first request, to see that a peer does the work of its level."""


class LoadRun:
    """One process of the generator, from its start to its result."""

    def __init__(self, up: Stage, work: Work, *, name: str = "load") -> None:
        """Start it; nothing is measured yet."""
        command: list[str | Path] = [binary("ibcf-load"), *words(up, work)]
        folder, cores = up.place.folder, up.place.cores
        self.child = Child(command, folder=folder, name=name, cpus=cores.others)
        self.meter = Meter(proxy=up.proxy, load=self.child, dns=up.dns)

    def wait_for(self, event: str, *, deadline_s: float) -> Reading:
        """Return the clocks when the generator says so."""
        self.child.wait_for(lambda: event in events(self.child.text()), deadline_s=deadline_s, what=event)
        return self.meter.read()

    def finish(self, before: Reading, *, deadline_s: float) -> Outcome:
        """Wait for the result."""
        after = self.meter.until_end(self.child, deadline_s=deadline_s)
        self.child.stop()
        said = result(self.child.text())
        if said is None:
            raise RigError(f"the load generator ended without a result: {self.child.describe()}")
        return Outcome(tally_of(said), Spent.between(before, after))


def measure(up: Stage, work: Work, *, beside: Child | None = None) -> Outcome:
    """Warm up and measure in one process; another generator may run *beside* it."""
    running = LoadRun(up, work)
    running.meter.watch(wall=beside)
    with running.child:
        before = running.wait_for("measuring", deadline_s=work.warm_s + START_SLACK_S)
        return running.finish(before, deadline_s=work.deadline_s)


def words(up: Stage, work: Work) -> list[str]:
    """Return the command line behind the name of the program."""
    place, subject = up.place, up.subject
    found = ["--scenario", work.scenario, "--proxy", "direct" if up.proxy is None else place.proxy]
    found += ["--uac", place.caller, "--uas", place.callee, "--transport", subject.transport]
    found += ["--rate", str(work.rate), "--calls", str(work.calls), "--warm", f"{work.warm_s:g}"]
    found += ["--ring-ms", str(work.ring_ms), "--hold-ms", str(work.hold_ms)]
    found += ["--numbers", str(write_plain(place.folder / "numbers.txt"))]
    if up.peer.is_proxy:
        found += _expected(up, work)
    elif up.proxy is not None:
        found.append("--transparent")
    if subject.transport != "udp":
        found += ["--connections", str(CONNECTIONS)]
    if subject.transport == "tls":
        issued = certificates.issue(place.folder)
        found += ["--certificate", str(issued.ends.certificate), "--key", str(issued.ends.private_key)]
        found += ["--authority", str(issued.authority)]
    return found


def _expected(up: Stage, work: Work) -> list[str]:
    found = list(EXPECTED[up.subject.level]) if work.scenario != "register" else []
    if work.scenario in ("call", "ringing", "answered"):
        found.append("--expect-record-route")
    if up.peer.masks_call_id and up.subject.level == NUMBERS:
        found.append("--call-id-masked")
    return found


def events(text: str) -> dict[str, Any]:
    """Return what the generator told while it ran, by name.

    >>> events('{"event":"wall","calls":7}')["wall"]["calls"]
    7
    """
    return {str(record["event"]): record for record in _records(text) if "event" in record}


def result(text: str) -> dict[str, Any] | None:
    """Return the last line, if it is the result."""
    found = [record for record in _records(text) if "event" not in record and "ok" in record]
    return found[-1] if found else None


def _records(text: str) -> list[dict[str, Any]]:
    records = []
    for row in text.splitlines():
        try:
            record = json.loads(row)
        except ValueError:
            continue  # half a line, or words
        if isinstance(record, dict):
            records.append(record)
    return records


def tally_of(said: Mapping[str, Any]) -> Tally:
    """Read a result."""
    causes = {str(cause): int(count) for cause, count in said.get("causes", {}).items()}
    # neither is a call that counts, but a run with either is not clean
    beside = {name: int(said.get(key, 0)) for name, key in (("warm-up", "warm_failed"), ("stray", "strays"))}
    causes |= {name: count for name, count in beside.items() if count}
    again = said.get("retransmissions", {})
    return Tally(
        ok=int(said["ok"]),
        failed=int(said["failed"]) + sum(beside.values()),
        retransmissions=int(again.get("seen", 0)) + int(again.get("sent", 0)),
        causes=causes,
        lag_us=percentiles_of(said.get("lag_us")),
        invite_us=percentiles_of(said.get("invite_us")),
        answer_us=percentiles_of(said.get("answer_us")),
    )


def percentiles_of(said: object) -> Percentiles | None:
    """Read percentiles; none of nothing."""
    if not isinstance(said, dict) or said.get("p50") is None or said.get("p99") is None:
        return None
    return Percentiles(float(said["p50"]), float(said["p99"]))
