"""The table of `README.md`: every target with its figures, and what each peer costs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, get_args

from benchmarks.figures import UNKNOWN, Figure, Key, figure, problem, quotient
from benchmarks.peers import PEERS
from benchmarks.results import Run, Sitting
from benchmarks.subject import Subject, Transport
from benchmarks.targets import TARGETS, TRANSIT_RATES, Target

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from benchmarks.results import Record
    from benchmarks.work import Generator

BEGIN, END = "<!-- figures: begin -->", "<!-- figures: end -->"
MARKS = {"disturbed": " ~", "generator": " ≥"}
"""Behind a figure: others used the machine; the generator could not do more."""
NO_SITTING = "Not measured yet: `make bench`."
NOTHING = "–"
SHOWN_US = 0.5
"""What takes less is not worth a line of a profile."""
CALLERS: dict[Generator, str] = {"sipp": "SIPp calls", "load": "our generator calls"}


@dataclass(frozen=True)
class Row:
    """One line of the table of targets."""

    target: Target
    ours: str
    against: str
    quotient: str
    verdict: str


def rows(runs: Sequence[Run]) -> list[Row]:
    """Return a row for each target."""
    return [_row(target, runs) for target in TARGETS]


def _row(target: Target, runs: Sequence[Run]) -> Row:
    ours, other = figure(runs, target.ours), None
    text, against = _text(ours, target.ours, runs), NOTHING
    if target.against is not None:
        other = figure(runs, target.against)
        against = f"{_text(other, target.against, runs)} ({target.against.subject}{_state(target.against)})"
    value = _value(target, ours, other)
    if value is None:
        return Row(target, text, against, NOTHING, "no figure")
    bounded = other is not None and "generator" in {other.verdict, ours.verdict if ours else ""}
    quotient = f"{value:.2f}" if target.against is not None else NOTHING
    verdict = "met" if target.is_met(value) else "generator's limit" if bounded else "not met"
    return Row(target, text, against, quotient, verdict)


def _value(target: Target, ours: Figure | None, other: Figure | None) -> float | None:
    if ours is None:
        return None
    if target.against is None:
        return ours.median
    return None if other is None else quotient(ours, other)


def _state(key: Key) -> str:
    return f", {key.state}" if key.state else ""


def _text(found: Figure | None, key: Key, runs: Sequence[Run]) -> str:
    if found is None:
        return problem(runs, key)
    spread = f" ({_short(found.low)}..{_short(found.high)})" if found.runs > 1 else ""
    return f"{_short(found.median)}{spread}{MARKS.get(found.verdict, '')}"


def _short(value: float) -> str:
    """Write three digits or all of those before the point.

    >>> _short(3.14159), _short(98.76), _short(1234.5)
    ('3.14', '98.8', '1,234')
    """
    if value < 10:
        return f"{value:.2f}"
    return f"{value:.1f}" if value < 100 else f"{value:,.0f}"


def bound(target: Target) -> str:
    """Write the bound of a target."""
    sign = "≥" if target.at_least else "≤"
    return f"{sign} {target.bound:g}" + (" ×" if target.against is not None else f" {target.unit}")


def targets_table(runs: Sequence[Run]) -> str:
    """Return the table of targets."""
    lines = ["| | ours | against | quotient | target | |", "|---|---|---|---|---|---|"]
    for row in rows(runs):
        unit = "" if row.ours in (NOTHING, UNKNOWN) else f" {row.target.unit}"
        cells = (row.target.what, row.ours + unit, row.against, row.quotient, bound(row.target), row.verdict)
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def costs_table(runs: Sequence[Run], generator: Generator) -> str:
    """Return what a call of one generator costs each peer at each rate; the two load a peer in different ways."""
    costs = [run for run in runs if run.kind == "cost" and run.generator == generator]
    rates = sorted({run.rate for run in costs})
    lines = [f"| CPU a call, µs, {CALLERS[generator]} | {' | '.join(f'{rate:,}/s' for rate in rates)} |"]
    lines.append("|---" * (len(rates) + 1) + "|")
    for subject in _subjects(costs):
        keys = [Key("cost", subject, rate=rate, generator=generator) for rate in rates]
        cells = [_text(figure(runs, key), key, runs) for key in keys]
        lines.append(f"| {title(subject)} | {' | '.join('' if cell == UNKNOWN else cell for cell in cells)} |")
    return "\n".join(lines)


def limits_table(runs: Sequence[Run]) -> str:
    """Return how far each peer goes."""
    lines = ["| highest clean rate on one core | calls/s |", "|---|---|"]
    for subject in _subjects(runs, kind="limit"):
        key = Key("limit", subject, "rate")
        lines.append(f"| {title(subject)} | {_text(figure(runs, key), key, runs)} |")
    return "\n".join(lines)


def transit_table(runs: Sequence[Run]) -> str:
    """Return how long an INVITE takes through each peer."""
    lines = [f"| transit of an INVITE, µs, p50 / p99 | {' | '.join(f'{rate:,}/s' for rate in TRANSIT_RATES)} |"]
    lines.append("|---" * (len(TRANSIT_RATES) + 1) + "|")
    for subject in _subjects(runs, kind="transit"):
        cells = []
        for rate in TRANSIT_RATES:
            keys = [Key("transit", subject, f"invite_{name}", rate) for name in ("p50", "p99")]
            cells.append(" / ".join(_text(figure(runs, key), key, runs) for key in keys))
        lines.append(f"| {title(subject)} | {' | '.join(cells)} |")
    return "\n".join(lines)


def memory_table(runs: Sequence[Run]) -> str:
    """Return what a call takes of memory."""
    states = ("ringing", "answered")
    lines = ["| memory of a call, bytes | ringing | answered |", "|---|---|---|"]
    for subject in _subjects(runs, kind="memory"):
        keys = [Key("memory", subject, "bytes", state=state) for state in states]
        lines.append(f"| {title(subject)} | {' | '.join(_text(figure(runs, key), key, runs) for key in keys)} |")
    return "\n".join(lines)


def profile_table(runs: Sequence[Run]) -> str:
    """Return what the CPU of a call is spent on, of runs under a profiler (which takes its own part)."""
    found = {title(str(Subject.parse(subject))): _newest(runs, subject) for subject in _subjects(runs, kind="profile")}
    names = {name for run in found.values() for name, us in run.parts_us.items() if us >= SHOWN_US}
    order = sorted(
        names, key=lambda name: (name.split(":")[0], -max(run.parts_us.get(name, 0) for run in found.values()))
    )
    rate = next((run.rate for run in found.values()), 0)
    lines = [
        f"| what a call spends its time on, µs, {rate:,}/s | {' | '.join(found)} |",
        "|---" * (len(found) + 1) + "|",
    ]
    for name in order:
        cells = (f"{run.parts_us[name]:.1f}" if name in run.parts_us else "" for run in found.values())
        lines.append(f"| {name} | {' | '.join(cells)} |")
    rest = (sum(us for name, us in run.parts_us.items() if name not in names) for run in found.values())
    lines.append(f"| everything else | {' | '.join(f'{us:.1f}' for us in rest)} |")
    lines.append(f"| together | {' | '.join(f'{run.proxy_us or 0:.1f}' for run in found.values())} |")
    return "\n".join(lines)


def _newest(runs: Sequence[Run], subject: str) -> Run:
    return [run for run in runs if Key("profile", subject).takes(run)][-1]


def _subjects(runs: Iterable[Run], *, kind: str = "cost") -> list[str]:
    """Return the subjects that were measured, in the order of the peers."""
    found = {
        Subject(run.peer, run.level, run.transport)  # type: ignore[arg-type]  # was one when it was written
        for run in runs
        if run.kind == kind and run.peer in PEERS
    }
    peers, transports = list(PEERS), list(get_args(Transport))
    order = {one: (peers.index(one.peer), one.level, transports.index(one.transport)) for one in found}
    return [str(subject) for subject in sorted(found, key=lambda one: order[one])]


def title(subject: str) -> str:
    """Name a subject for people."""
    parsed = Subject.parse(subject)
    peer = PEERS[parsed.peer]
    level = f", L{parsed.level}" if len(peer.levels) > 1 else ""
    transport = f", {parsed.transport.upper()}" if parsed.transport != "udp" else ""
    return f"{peer.title}{level}{transport}"


def head(sitting: Sitting) -> str:
    """Say where and with what it was measured."""
    versions = ", ".join(f"{name} {version}" for name, version in sitting.versions.items())
    alone = "the proxy alone on one core" if sitting.proxy_alone else "the proxy and the generator on one core"
    quick = " A quick run: short, and not repeated." if sitting.quick else ""
    return (
        f"Measured {sitting.started[:16].replace('T', ' ')} UTC on {sitting.cpu}, {sitting.cores} cores, "
        f"{sitting.memory_gib} GiB, Linux {sitting.kernel}; {alone}. Commit {sitting.commit}; {versions}.{quick}"
    )


def page(records: Sequence[Record]) -> str:
    """Return all tables of the last sitting, with what earlier ones measured of the same commit on the same machine."""
    last, runs = _last(records)
    return "\n\n".join([summary(records), *_details(runs)]) if last else NO_SITTING


def summary(records: Sequence[Record]) -> str:
    """Return where that was, and the table of targets."""
    last, runs = _last(records)
    return f"{head(last)}\n\n{targets_table(runs)}" if last else NO_SITTING


def _last(records: Sequence[Record]) -> tuple[Sitting | None, list[Run]]:
    last = next((record for record in reversed(records) if isinstance(record, Sitting)), None)
    runs: list[Run] = []
    same = False
    for record in records if last else ():
        if isinstance(record, Sitting):
            same = last is not None and (record.commit, record.cpu, record.quick) == (last.commit, last.cpu, last.quick)
        elif same:
            runs.append(record)
    return last, runs


def _details(runs: Sequence[Run]) -> Iterator[str]:
    for generator in CALLERS:
        if any(run.kind == "cost" and run.generator == generator for run in runs):
            yield costs_table(runs, generator)
    for kind, make in (
        ("limit", limits_table),
        ("transit", transit_table),
        ("memory", memory_table),
        ("profile", profile_table),
    ):
        if _subjects(runs, kind=kind):
            yield make(runs)


def put(path: Path, text: str) -> None:
    """Put *text* between the markers of a page.

    Raises:
        ValueError: the page has no markers.
    """
    before, begin, rest = path.read_text(encoding="utf-8").partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{path} has no lines {BEGIN} and {END}")
    path.write_text(f"{before}{BEGIN}\n\n{text}\n\n{END}{after}", encoding="utf-8")
