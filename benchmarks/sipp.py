"""SIPp as a load generator: one process calls, one answers, over one UDP socket each.

It sees times in steps of a kernel tick (4 ms) only, so it serves for CPU and not for transit times.
"""

from __future__ import annotations

import contextlib
import csv
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.called_numbers import write_for_sipp
from benchmarks.children import Child, program
from benchmarks.errors import RigError
from benchmarks.levels import GONE
from benchmarks.meter import Meter, Spent
from benchmarks.outcome import Outcome, Tally
from benchmarks.place import CALLEE, CALLER
from tests.system.support.ports import is_bound

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.stage import Stage
    from benchmarks.work import Scenario, Work

TEMPLATES = Path(__file__).parent / "sipp"
START_S = 10
CALLEE_LIMIT_S = 900
RECEIVE_TIMEOUT_MS = 20_000
BUFFER_BYTES = 4 << 20
CALLS_MAX = 400_000
WARM_SLACK_S = 30.0
PROOF_RATE = 50
PROOF_CALLS = 10
PROOF_DEADLINE_S = 30.0
ERROR_SHOWN = 3_000
OBJECTION = "regexp match"
"""What SIPp says when it missed something, and when it found what should not be there (in lower case)."""
COMMON = ("-t", "u1", "-nostdin", "-buff_size", str(BUFFER_BYTES), "-max_recv_loops", "1000", "-fd", "1")

URI = "&lt;[^&gt;]+&gt;"
TAKE_ROUTE = {
    0: "",
    1: f'<ereg regexp="{URI}" search_in="hdr" header="Record-Route:" check_it="true" assign_to="r1"/>',
    2: f'<ereg regexp="({URI})[^&lt;]*({URI})" search_in="hdr" header="Record-Route:" check_it="true" '
    'assign_to="both,r1,r2"/>',
}
"""Takes from the answer what the proxy put on top of the Record-Route of the networks behind the caller."""
ROUTE = {0: "", 1: "Route: [$r1]\n", 2: "Route: [$r2],[$r1]\n"}
UNUSED = {0: "", 1: '<Reference variables="r1"/>', 2: '<Reference variables="both,r1,r2"/>'}


def tally_of(text: str) -> Tally:
    """Read SIPp's statistics: the last row counts."""
    rows = list(csv.DictReader(text.splitlines(), delimiter=";"))
    if not rows:
        return Tally()
    last = rows[-1]
    causes = {
        name.removesuffix("(C)"): int(value)
        for name, value in last.items()
        if name and name.startswith("Failed") and name.endswith("(C)") and name != "FailedCall(C)" and int(value or 0)
    }
    return Tally(int(last["SuccessfulCall(C)"]), int(last["FailedCall(C)"]), int(last["Retransmissions(C)"]), causes)


def render(name: str, stage: Stage, work: Work, *, proof: bool) -> str:
    """Fill a scenario in for a peer."""
    routes = stage.peer.record_routes
    checks = proofs(stage.subject.level, work.scenario) if proof and stage.proxy is not None else []
    unused = UNUSED[routes] if "caller" in name else ""
    if checks and "callee" in name:
        names = ",".join(f"p{at}" for at in range(len(checks)))
        unused = f'<Reference variables="{names}"/>'
    text = (TEMPLATES / f"{name}.xml").read_text(encoding="utf-8")
    for word, value in {
        "@TAKE_ROUTE@": TAKE_ROUTE[routes],
        "@ROUTE@\n": ROUTE[routes],
        "@UNUSED@": unused,
        "@HOLD_MS@": str(work.hold_ms),
        "@RING_MS@": str(work.ring_ms),
        "@PROOF@": "<action>" + "".join(checks) + "</action>" if checks else "",
    }.items():
        text = text.replace(word, value)
    return text


def proofs(level: int, scenario: Scenario) -> list[str]:
    """Return what the called side looks for, to see that a peer does the work of its level."""
    checks = []
    if scenario == "call":
        checks.append('regexp="Record-Route: *&lt;sip:[^&gt;]*127[.]0[.]0[.]1" search_in="msg" check_it="true"')
    if level > 1:
        host = "peer1" if level == 2 else "peer[1-7]"
        start = "MESSAGE|INVITE" if scenario != "register" else "REGISTER"
        if scenario != "register":
            checks.append(f'regexp="^({start}) sip:[+0-9]+@{host}[.]example" search_in="msg" check_it="true"')
        checks += [f'regexp="{name}:" search_in="msg" check_it_inverse="true"' for name in GONE]
        checks.append('regexp="orig-ioi=.?home1[.]example" search_in="hdr" header="P-Charging-Vector:" check_it="true"')
    return [f'<ereg {check} assign_to="p{at}"/>' for at, check in enumerate(checks)]


class Sipp:
    """A called side that is up, and callers one after the other."""

    name = "sipp"

    def __init__(self, stage: Stage, work: Work, callee: Child) -> None:
        """Send through *stage*."""
        self._stage = stage
        self._work = work
        self._callee = callee

    def run(self, rate: int, calls: int, *, deadline_s: float) -> Outcome:
        """Call so often; the outcome is what this took."""
        place, folder = self._stage.place, self._stage.place.folder
        statistics = folder / "caller.csv"
        statistics.unlink(missing_ok=True)
        command: list[str | Path] = [
            _program(),
            self._stage.target,
            "-sf",
            folder / "caller.xml",
            "-inf",
            folder / "numbers.csv",
        ]
        command += ["-i", CALLER, "-p", str(place.caller_port), "-bind_local", *COMMON]
        command += ["-r", str(rate), "-m", str(calls), "-l", str(CALLS_MAX), "-timeout", str(int(deadline_s))]
        command += ["-max_sched_loops", "1000", "-timer_resol", "1"]
        command += ["-recv_timeout", str(RECEIVE_TIMEOUT_MS + self._work.ring_ms)]
        command += ["-trace_stat", "-stf", statistics]
        command += ["-trace_err", "-error_file", folder / "caller.errors", "-error_overwrite", "true"]
        meter = Meter(proxy=self._stage.proxy, callee=self._callee, dns=self._stage.dns)
        before = meter.read()
        with Child(command, folder=folder, name="caller", cpus=place.cores.others, environment=ENVIRONMENT) as caller:
            meter.watch(caller=caller)
            after = meter.until_end(caller, deadline_s=deadline_s)
        text = statistics.read_text(encoding="utf-8") if statistics.exists() else ""
        return Outcome(tally_of(text), Spent.between(before, after))


ENVIRONMENT = {"TERM": "xterm"}
"""SIPp draws its screens with ncurses, which refuses to start without a type of terminal."""


def _program() -> str:
    return program("sipp", remedy="apt-get install sip-tester")


def measure(up: Stage, work: Work, *, during: contextlib.AbstractContextManager[None] | None = None) -> Outcome:
    """Warm up, then measure, inside of *during* if it is given."""
    with sipp(up, work) as generator:
        if work.warm_s:
            generator.run(
                work.rate, round(work.rate * work.warm_s), deadline_s=work.warm_s + work.call_s + WARM_SLACK_S
            )
        with during or contextlib.nullcontext():
            return generator.run(work.rate, work.calls, deadline_s=work.deadline_s)


def prove(up: Stage, work: Work) -> None:
    """Place a few calls whose called side looks whether the peer does the work of its level.

    Raises:
        RigError: it does not; what it costs would be the cost of something else.
    """
    if not up.peer.is_proxy:
        return
    with sipp(up, work, proof=True) as generator:
        tally = generator.run(PROOF_RATE, PROOF_CALLS, deadline_s=PROOF_DEADLINE_S).tally
    # SIPp goes on with a call whose check failed, so the caller hears nothing of it
    said = (up.place.folder / "callee.errors").read_text(encoding="utf-8", errors="replace")
    at = said.lower().find(OBJECTION)
    if tally.failed or tally.ok < PROOF_CALLS or at >= 0:
        text = said[max(at, 0) :][:ERROR_SHOWN]
        raise RigError(f"{up.subject} does not do the work of its level: {tally.causes}\n{text}")


@contextlib.contextmanager
def sipp(stage: Stage, work: Work, *, proof: bool = False) -> Iterator[Sipp]:
    """Answer at the called side as long as the block lasts; with *proof* it looks at what a level has to do."""
    if stage.subject.transport != "udp":
        raise RigError("SIPp carries UDP only here: use --generator load")
    place, folder = stage.place, stage.place.folder
    write_for_sipp(folder / "numbers.csv")
    scenario = work.scenario if work.scenario in ("register", "message") else "call"
    for role in ("caller", "callee"):
        text = render(f"{scenario}-{role}", stage, work, proof=proof)
        (folder / f"{role}.xml").write_text(text, encoding="utf-8")
    command: list[str | Path] = [
        _program(),
        "-sf",
        folder / "callee.xml",
        "-i",
        CALLEE,
        "-p",
        str(place.callee_port),
        "-bind_local",
    ]
    command += [*COMMON, "-l", str(CALLS_MAX), "-rtcheck", "loose", "-timeout", str(CALLEE_LIMIT_S)]
    command += ["-trace_err", "-error_file", folder / "callee.errors", "-error_overwrite", "true"]
    with Child(command, folder=folder, name="callee", cpus=place.cores.others, environment=ENVIRONMENT) as callee:
        callee.wait_for(
            lambda: is_bound(CALLEE, place.callee_port), deadline_s=START_S, what="the called side is there"
        )
        yield Sipp(stage, work, callee)
