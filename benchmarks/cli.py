"""The verbs of `python -m benchmarks`."""

from __future__ import annotations

import datetime as dt
import signal
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from benchmarks import results, table
from benchmarks.errors import RigError
from benchmarks.machine import sitting
from benchmarks.peers import peer_of
from benchmarks.plan import PARTS, QUICK, WHOLE, Part, Task, plan
from benchmarks.subject import Subject
from benchmarks.suite import QUIET_WAIT_S, Suite
from benchmarks.words import line
from benchmarks.work import HOLD_MS, RING_MS, WARM_S, Generator, Scenario, Work
from ibcf.cli.terminal import console, print_error

HERE = Path(__file__).parent
RESULTS = HERE / "results"
README = HERE / "README.md"
FRONT_PAGE = HERE.parent / "README.md"
TERMINATED = 128 + signal.SIGTERM

app = typer.Typer(add_completion=False, no_args_is_help=True, rich_markup_mode=None, pretty_exceptions_enable=False)

Subjects = Annotated[list[str], typer.Argument(help="What to measure: ibcf:L2, kamailio:L1:tls, forwarder, direct.")]
Out = Annotated[Path | None, typer.Option(help="File of results; today's in benchmarks/results unless set.")]
Keep = Annotated[Path | None, typer.Option(help="Keep the work folders here: configurations, logs, records.")]
Rate = Annotated[int, typer.Option(help="Calls a second.")]
Seconds = Annotated[float, typer.Option(help="How long to measure.")]
Warm = Annotated[float, typer.Option(help="How long the same load runs before.")]
Wait = Annotated[float, typer.Option(help="How long to wait for others to leave the machine alone.")]
Repeat = Annotated[int, typer.Option(help="How often each is measured, in turns.")]


@app.callback()
def about() -> None:
    """Measure what a call costs through the border, beside Kamailio and a bare forwarder."""


@app.command()
def run(
    subjects: Subjects,
    *,
    rate: Rate = 400,
    seconds: Seconds = 20.0,
    warm: Warm = WARM_S,
    repeat: Repeat = 1,
    scenario: Annotated[Scenario, typer.Option(help="call, register or message.")] = "call",
    ring_ms: Annotated[int, typer.Option(help="From 180 to 200.")] = RING_MS,
    hold_ms: Annotated[int, typer.Option(help="From ACK to BYE.")] = HOLD_MS,
    generator: Annotated[Generator, typer.Option(help="Who places the calls: sipp, or our own.")] = "sipp",
    wait: Wait = QUIET_WAIT_S,
    keep: Keep = None,
    out: Out = None,
) -> None:
    """Measure the CPU of a call, and over our own generator how long an INVITE takes."""
    work = Work(rate, seconds, scenario=scenario, warm_s=warm, ring_ms=ring_ms, hold_ms=hold_ms)
    part: Part = "cost" if scenario == "call" else "storms"
    tasks = [Task(part, Subject.parse(text), work, generator) for text in subjects] * repeat
    _carry_out(tasks, out=out, keep=keep, wait=wait)


@app.command()
def limit(
    subjects: Subjects,
    *,
    rate: Annotated[int, typer.Option(help="Where the search begins.")] = 1_000,
    seconds: Seconds = 6.0,
    warm: Warm = 2.0,
    wait: Wait = QUIET_WAIT_S,
    keep: Keep = None,
    out: Out = None,
) -> None:
    """Find the highest rate at which every call goes well; `direct` first tells what the generator makes."""
    tasks = [Task("limit", Subject.parse(text), Work(rate, seconds, warm_s=warm)) for text in subjects]
    _carry_out(tasks, out=out, keep=keep, wait=wait)


@app.command()
def memory(
    subjects: Subjects,
    *,
    state: Annotated[str, typer.Option(help="ringing or answered.")] = "ringing",
    calls: Annotated[int, typer.Option(help="How many.")] = 100_000,
    rate: Rate = 1_000,
    wait: Wait = QUIET_WAIT_S,
    keep: Keep = None,
    out: Out = None,
) -> None:
    """Put up a wall of calls, and tell what each of them takes of memory."""
    work = Work(rate, calls / rate)
    _carry_out(
        [Task("memory", Subject.parse(text), work, state=state) for text in subjects], out=out, keep=keep, wait=wait
    )


@app.command()
def profile(
    subjects: Subjects,
    *,
    rate: Rate = 1_500,
    seconds: Seconds = 10.0,
    wait: Wait = QUIET_WAIT_S,
    keep: Keep = None,
    out: Out = None,
) -> None:
    """Tell what the CPU of a call is spent on: `perf` while SIPp calls."""
    tasks = [Task("profile", Subject.parse(text), Work(rate, seconds), "sipp") for text in subjects]
    path = _carry_out(tasks, out=out, keep=keep, wait=wait)
    runs = [record for record in results.read(path) if isinstance(record, results.Run)]
    console().print(table.profile_table(runs))


@app.command(name="all")
def everything(
    *,
    quick: Annotated[bool, typer.Option("--quick", help="Short runs, not repeated: a quarter of an hour.")] = False,
    part: Annotated[list[str] | None, typer.Option(help=f"Only this; may be given again: {', '.join(PARTS)}.")] = None,
    wait: Wait = QUIET_WAIT_S,
    keep: Keep = None,
    out: Out = None,
) -> None:
    """Measure everything, and write the tables of both READMEs."""
    unknown = [name for name in part or () if name not in PARTS]
    if unknown:
        raise RigError(f'no part "{unknown[0]}" (known: {", ".join(PARTS)})')
    chosen = [name for name in PARTS if name in (part or ())]
    path = _carry_out(plan(QUICK if quick else WHOLE, chosen), out=out, keep=keep, wait=wait, quick=quick)
    _write_table(path)


@app.command(name="table")
def write_table(
    file: Annotated[Path | None, typer.Argument(help="Results; the newest file unless given.")] = None,
) -> None:
    """Write the tables of both READMEs from results that are there."""
    files = sorted(RESULTS.glob("*.jsonl"))
    if file is None and not files:
        raise RigError("no results yet: make bench")
    _write_table(file or files[-1])


def _write_table(path: Path) -> None:
    records = results.read(path)
    text = table.page(records)
    table.put(README, text)
    table.put(FRONT_PAGE, table.summary(records))
    console().print(text)


def _carry_out(tasks: list[Task], *, out: Path | None, keep: Path | None, wait: float, quick: bool = False) -> Path:
    path = out or RESULTS / f"{dt.datetime.now(tz=dt.UTC):%Y-%m-%d}.jsonl"
    for task in tasks:
        peer_of(task.subject)  # says what is misspelt before anything is measured
    results.append(path, sitting(quick=quick))
    terminal = console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
    with Progress(*columns, console=terminal, disable=not terminal.is_terminal, transient=True) as progress:
        bar = progress.add_task("measuring", total=sum(task.expected_s for task in tasks))
        suite = Suite(path, tell=lambda run: progress.console.print(line(run)), keep=keep, quiet_wait_s=wait)
        suite.carry_out(tasks, done=lambda task: progress.advance(bar, task.expected_s))
    return path


def main() -> None:
    """Run a verb; what cannot be measured is one line on stderr, and whoever ends us ends what we started."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(TERMINATED))
    try:
        app()
    except RigError as error:
        print_error(str(error))
        raise SystemExit(1) from error
