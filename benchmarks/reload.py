"""How long a reload of a large policy takes, and the longest silence of the data path meanwhile.

The policy is that of the core's bench of rules: 1,000 rules, a table of 1,000,000 prefixes in 900 classes, a block list
of 1,000,000 numbers. Each reload reads a table of other prefixes. Every 2 ms an OPTIONS asks the border whether it is
there; the longest wait for an answer is the gap, beside that of a time without a reload, which is the machine's.

    python3 -m benchmarks.reload             a million, three times
    python3 -m benchmarks.reload --entries 10000
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import socket
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.children import NICE, Child
from benchmarks.place import Cores
from ibcf.admin.client import post

RULES = 998
CLASSES = 900
PACE_S = 0.002
QUIET_S = 5.0
START_S = 120.0
DOMAIN = "border.example"


def table(path: Path, entries: int, seed: int) -> None:
    """Write a table of so many prefixes, each of a class."""
    dice = random.Random(seed)  # noqa: S311 - no secret
    prefixes = dice.sample(range(10**8, 10**10), entries)
    path.write_text("".join(f"+{prefix},c{prefix % CLASSES}\n" for prefix in prefixes), encoding="utf-8")


def document(folder: Path) -> dict[str, Any]:
    """Return the policy; its lists are `carriers.csv` and `blocked.csv` beside it."""
    member = [{"list": "carriers", "class": f"c{at % CLASSES}"} for at in range(RULES)]
    nowhere = {"reason": "decide.no_route"}
    return {
        "version": 1,
        "node": {"name": "bench", "domain": DOMAIN},
        "keys": [{"id": 1, "secret": {"generate": True}}],
        "admin": {"address": "127.0.0.1:0"},
        "charging": {"directory": str(folder / "cdr")},
        "listeners": [{"id": "udp", "side": "home", "transport": "udp", "address": "127.0.0.1:0"}],
        "lists": [{"id": name, "file": f"{name}.csv"} for name in ("carriers", "blocked")],
        "agreements": [{"id": "own", "trusted": True, "methods": ["INVITE", "ACK", "BYE", "CANCEL", "OPTIONS"]}],
        "peers": [
            {"id": "core", "side": "home", "agreement": "own", "listeners": ["udp"], "sources": ["127.0.0.1/32"]}
        ],
        "routes": [
            {"id": "blocked", "match": {"calling_list": "blocked"}, "reject": {"reason": "decide.forbidden"}},
            *({"id": f"r{at}", "match": {"number_list": one}, "reject": nowhere} for at, one in enumerate(member)),
            {"id": "rest", "reject": nowhere},
        ],
    }


@dataclass
class Probe:
    """Asks the border again and again whether it is there, on a thread of its own."""

    address: tuple[str, int]
    waits: list[tuple[float, float]] = field(default_factory=list)
    """When it was asked, and for how long, in seconds."""
    _ended: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        """Begin."""
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def longest_ms(self, since: float) -> float:
        """Return the longest wait for an answer to what was asked from that moment on."""
        return max(wait for at, wait in list(self.waits) if at >= since) * 1000

    def stop(self) -> None:
        """Ask no more."""
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        with contextlib.suppress(PermissionError):  # as the border: else it is this thread that waits for a core
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICE)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
            udp.bind(("127.0.0.1", 0))
            udp.settimeout(5)
            number = 0
            while not self._ended.wait(PACE_S):
                number += 1
                request = self._request(udp.getsockname()[1], number)
                asked = time.monotonic()
                udp.sendto(request, self.address)
                udp.recv(2_000)
                self.waits.append((asked, time.monotonic() - asked))

    @staticmethod
    def _request(port: int, number: int) -> bytes:
        lines = (
            f"OPTIONS sip:{DOMAIN} SIP/2.0",
            f"Via: SIP/2.0/UDP 127.0.0.1:{port};branch=z9hG4bKprobe{number}",
            "Max-Forwards: 70",
            f"From: <sip:probe@{DOMAIN}>;tag=1",
            f"To: <sip:{DOMAIN}>",
            f"Call-ID: probe{number}",
            "CSeq: 1 OPTIONS",
            "Content-Length: 0",
        )
        return "\r\n".join((*lines, "", "")).encode()


def ready(child: Child) -> dict[str, Any]:
    """Return the line that says where a border serves."""

    def lines() -> list[str]:
        return [line for line in child.text().splitlines() if '"border.ready"' in line]

    child.wait_for(lambda: bool(lines()), deadline_s=START_S, what="ready")
    told: dict[str, Any] = json.loads(lines()[0])
    return told


def say(text: str) -> None:
    """Print a line at once: the next one takes a while."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def measure(folder: Path, entries: int, rounds: int) -> None:
    """Start a border in *folder*, reload it, and print what it took."""
    table(folder / "carriers.csv", entries, 0)
    (folder / "blocked.csv").write_text("".join(f"+{447 * 10**9 + at}\n" for at in range(entries)), encoding="utf-8")
    (folder / "ibcf.yaml").write_text(json.dumps(document(folder)), encoding="utf-8")
    cores = Cores.of(os.sched_getaffinity(0))
    command = [sys.executable, "-m", "ibcf.cli.main", "run", "ibcf.yaml"]
    begun = time.monotonic()
    environment = {"PYTHONPATH": str(Path(__file__).parents[1])}
    with Child(
        command, folder=folder, name="border", cpus=cores.proxy | cores.others, environment=environment
    ) as child:
        told = ready(child)
        say(f"start: {time.monotonic() - begun:.2f} s")
        host, _, port = told["listeners"][0]["address"].rpartition(":")
        probe = Probe((host, int(port)))
        since = time.monotonic()
        time.sleep(QUIET_S)
        say(f"no reload: longest wait for an answer {probe.longest_ms(since):.2f} ms in {QUIET_S:g} s")
        for nth in range(1, rounds + 1):
            table(folder / "carriers.csv", entries, nth)
            since = time.monotonic()
            outcome = post(told["admin"], "/policy/reload")
            took = time.monotonic() - since
            time.sleep(PACE_S * 50)
            assert outcome["ok"], outcome  # noqa: S101 - else there is nothing to tell
            say(f"reload {nth}: {took:.2f} s, longest wait for an answer {probe.longest_ms(since):.2f} ms")
        probe.stop()


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description="How long a reload takes, and the gap in the data path.")
    parser.add_argument("--entries", type=int, default=1_000_000, help="of each list")
    parser.add_argument("--rounds", type=int, default=3, help="reloads")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="ibcf-reload-") as folder:
        measure(Path(folder), arguments.entries, arguments.rounds)


if __name__ == "__main__":
    main()
