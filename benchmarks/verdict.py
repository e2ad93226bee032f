"""Whether a run may be used as a figure of the peer."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from benchmarks.results import Run, Verdict

OTHERS_CORES_MAX = 0.25
"""More than this of others makes a run disturbed; it is then repeated once."""
RETRANSMISSIONS_SHARE_MAX = 0.001
LATE_SHARE_MAX = 0.06
LATE_S_MAX = 1.0
"""A generator that took so much longer than it should did not make the rate."""
LAG_P99_US_MAX = 5_000.0
"""How late a generator may send: later, and it is the generator that is measured."""
DIRECT_SHARE_MAX = 0.9
"""A rate within a tenth of what the generator makes alone is the generator's limit."""


def judge(run: Run, *, expected_s: float, direct_limit: int | None = None) -> Verdict:
    """Say what a run is worth; the gravest comes first."""
    if run.failed or run.ok < run.calls or run.retransmissions > RETRANSMISSIONS_SHARE_MAX * run.calls:
        return "failed"
    if run.seconds > expected_s * (1 + LATE_SHARE_MAX) + LATE_S_MAX:
        return "generator"
    if run.lag_us is not None and run.lag_us.p99 > LAG_P99_US_MAX:
        return "generator"
    if direct_limit is not None and run.kind == "step" and run.rate > DIRECT_SHARE_MAX * direct_limit:
        return "generator"
    if run.others_cpu > OTHERS_CORES_MAX:
        return "disturbed"
    return "good"
