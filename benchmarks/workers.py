"""Calls per second of the core alone, with one worker and with two: `core/net/src/worker/scaling.rs` says what they do.

No sockets and no generator: two cores would not be enough for them beside two workers.
"""

from __future__ import annotations

import re
import resource
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from benchmarks.accounting import busy_us
from benchmarks.children import program
from benchmarks.errors import RigError
from benchmarks.results import Run
from benchmarks.verdict import OTHERS_CORES_MAX

if TYPE_CHECKING:
    from benchmarks.subject import Subject

CORE: Final = Path(__file__).parent.parent / "core"
MEASURE: Final = ("--package", "ibcf-net", "--lib", "scaling::measure", "--", "--ignored", "--nocapture")
DEADLINE_S: Final = 900.0
"""With its build."""
STATES: Final = {
    "one": "one worker",
    "two": "two workers, each message at its owner",
    "one flow": "two workers, every message arrives at one",
}
"""How the program calls them."""


def workers(subject: Subject, state: str) -> Run:
    """Measure, and return the record of one of the states.

    Raises:
        RigError: it does not build, or does not say what it should.
    """
    command = [program("cargo", remedy="rustup"), "test", "--locked", "--quiet", "--release", *MEASURE]
    begun, busy, own = time.monotonic(), busy_us(), _own_us()
    try:
        told = subprocess.run(command, cwd=CORE, check=True, timeout=DEADLINE_S, capture_output=True, text=True)  # noqa: S603
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
        raise RigError(f"the core's own bench of workers: {error}") from error
    others = (busy_us() - busy - (_own_us() - own)) / 1e6 / (time.monotonic() - begun)
    return Run(
        kind="workers",
        peer=subject.peer,
        level=subject.level,
        transport=subject.transport,
        generator="core",
        scenario="call",
        rate=rate_of(told.stdout, state),
        at=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        state=state,
        others_cpu=round(others, 3),
        verdict="disturbed" if others > OTHERS_CORES_MAX else "good",
    )


def _own_us() -> float:
    """Return what the rig and what it started have used: all of it counts as ours, a build too."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used) * 1e6


def rate_of(text: str, state: str) -> int:
    """Return the calls per second of one state.

    >>> rate_of("one worker                   42000 calls/s", "one")
    42000

    Raises:
        RigError: it is not there.
    """
    found = re.search(rf"^{re.escape(STATES[state])}.*? +([0-9]+) calls/s", text, re.MULTILINE)
    if found is None:
        raise RigError(f"the core's own bench of workers says nothing of {STATES[state]}")
    return int(found[1])
