"""How a run is told on the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.subject import Subject

if TYPE_CHECKING:
    from benchmarks.results import Run


def line(run: Run) -> str:
    """Return one line for a run."""
    subject = Subject(run.peer, run.level, run.transport)  # type: ignore[arg-type]  # was one when it was written
    parts = [f"{run.kind:<7} {subject!s:<18} {run.rate:>5}/s {run.generator:<4} ok {run.ok} failed {run.failed}"]
    if run.retransmissions:
        parts.append(f"retransmitted {run.retransmissions}")
    if run.proxy_us is not None:
        threads = " ".join(f"{name} {us:.1f}" for name, us in list(run.threads_us.items())[:4])
        parts.append(f"{run.proxy_us:.1f} µs/call ({threads})")
    parts.append(" ".join(f"{name} {us:.0f}" for name, us in run.cpu_us.items()))
    parts.append(f"others {run.others_cpu:.2f}")
    if run.invite_us is not None:
        parts.append(f"INVITE {run.invite_us.p50:.0f}/{run.invite_us.p99:.0f} µs")
    if run.lag_us is not None:
        parts.append(f"lag p99 {run.lag_us.p99:.0f} µs")
    if run.call_bytes is not None:
        parts.append(f"{run.call_bytes:.0f} bytes a call {run.state}")
    elif run.state:
        parts.append(run.state)
    if run.problem:
        parts.append(run.problem.splitlines()[0])
    if run.causes:
        parts.append(" ".join(f"{name} {count}" for name, count in run.causes.items()))
    if run.verdict != "good":
        parts.append(run.verdict.upper())
    return " | ".join(parts)
