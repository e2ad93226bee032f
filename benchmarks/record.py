"""Puts what was measured into a record, and judges it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from benchmarks.results import Run
from benchmarks.verdict import judge

if TYPE_CHECKING:
    from benchmarks.outcome import Outcome
    from benchmarks.results import Kind
    from benchmarks.stage import Stage
    from benchmarks.work import Generator, Work


def record(
    up: Stage, work: Work, outcome: Outcome, *, generator: Generator, kind: Kind, direct_limit: int | None = None
) -> Run:
    """Return the record of an outcome."""
    tally, spent = outcome.tally, outcome.spent
    ok = tally.ok or float("inf")  # of calls that all failed there is no cost
    used = {name: round(usage.total_us / ok, 2) for name, usage in spent.usages.items()}
    proxy = spent.usages.get("proxy")
    threads = {} if proxy is None else proxy.by_name()
    run = Run(
        kind=kind,
        peer=up.subject.peer,
        level=up.subject.level,
        transport=up.subject.transport,
        generator=generator,
        scenario=work.scenario,
        rate=work.rate,
        at=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        calls=work.calls,
        ok=tally.ok,
        failed=tally.failed,
        retransmissions=tally.retransmissions,
        causes=tally.causes,
        seconds=round(spent.seconds, 2),
        proxy_us=used.pop("proxy", None),
        threads_us={name: round(us / ok, 2) for name, us in threads.items() if us >= ok / 10},
        cpu_us=used,
        others_cpu=spent.others_cpu,
        lag_us=tally.lag_us,
        invite_us=tally.invite_us,
        answer_us=tally.answer_us,
    )
    run.verdict = judge(run, expected_s=work.seconds + work.call_s, direct_limit=direct_limit)
    return run
