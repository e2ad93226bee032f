"""The verbs of `python -m benchmarks`."""

from __future__ import annotations

import datetime as dt
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from benchmarks import results
from benchmarks.cost import cost
from benchmarks.errors import RigError
from benchmarks.machine import sitting
from benchmarks.meter import wait_quiet
from benchmarks.place import Place
from benchmarks.subject import Subject
from benchmarks.words import line
from benchmarks.work import WARM_S, Generator, Work
from ibcf.cli.terminal import console, print_error

RESULTS = Path(__file__).parent / "results"
QUIET_WAIT_S = 30.0

app = typer.Typer(add_completion=False, no_args_is_help=True, rich_markup_mode=None)

Subjects = Annotated[list[str], typer.Argument(help="What to measure: ibcf:L2, kamailio:L1:tls, forwarder, direct.")]
Out = Annotated[Path | None, typer.Option(help="File of results; today's in benchmarks/results unless set.")]


@app.callback()
def about() -> None:
    """Measure what a call costs through the border, beside Kamailio and a bare forwarder."""


@app.command()
def run(
    subjects: Subjects,
    *,
    rate: Annotated[int, typer.Option(help="Calls a second.")] = 400,
    seconds: Annotated[float, typer.Option(help="How long to measure.")] = 20.0,
    warm: Annotated[float, typer.Option(help="How long the same load runs before.")] = WARM_S,
    repeat: Annotated[int, typer.Option(help="How often each is measured, in turns.")] = 1,
    generator: Annotated[Generator, typer.Option(help="Who places the calls.")] = "sipp",
    keep: Annotated[Path | None, typer.Option(help="Keep the work folders here.")] = None,
    out: Out = None,
) -> None:
    """Measure the CPU of a call, once for each subject or several times in turns."""
    wanted = [Subject.parse(text) for text in subjects]
    path = out or RESULTS / f"{dt.datetime.now(tz=dt.UTC):%Y-%m-%d}.jsonl"
    results.append(path, sitting())
    work = Work(rate=rate, seconds=seconds, warm_s=warm)
    for at in range(repeat):
        for subject in wanted:
            with tempfile.TemporaryDirectory(prefix="ibcf-bench-") as folder:
                place = Place((keep / f"{subject}-{at}".replace(":", "-")).absolute() if keep else Path(folder))
                place.folder.mkdir(parents=True, exist_ok=True)
                wait_quiet(QUIET_WAIT_S)
                record = cost(subject, work, place, generator=generator)
            results.append(path, record)
            console().print(line(record))


def main() -> None:
    """Run a verb; what cannot be measured is one line on stderr."""
    try:
        app()
    except RigError as error:
        print_error(str(error))
        raise SystemExit(1) from error
