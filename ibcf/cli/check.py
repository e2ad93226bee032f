"""`ibcf check`: is this configuration usable, and is it what was meant?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ibcf.cli.terminal import EXIT_FINDINGS, EXIT_OK, EXIT_USAGE, console, counted, print_faults, print_json
from ibcf.config import Fault, read
from ibcf.errors import ConfigError
from ibcf.policy.compile import checked_snapshot
from ibcf.policy.lint import lint

if TYPE_CHECKING:
    from collections.abc import Sequence


def check(
    file: Annotated[Path, typer.Argument(help="The configuration.", show_default=False)],
    *,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
    strict: Annotated[bool, typer.Option("--strict", help="Warnings are findings: exit 1.")] = False,
) -> None:
    """Check a configuration: every fault, with its line and column.

    Exit status: 0 usable, 1 usable but with warnings (with --strict), 2 faults.
    """
    faults: Sequence[object] = ()
    warnings: Sequence[Fault] = ()
    try:
        loaded = read(file)
        checked_snapshot(loaded)
        warnings = lint(loaded)
    except ConfigError as error:
        faults = error.faults
    if json:
        print_json({"file": str(file), "ok": not faults, "faults": faults, "warnings": warnings})
    else:
        _print(file, faults, warnings)
    raise typer.Exit(EXIT_USAGE if faults else EXIT_FINDINGS if warnings and strict else EXIT_OK)


def _print(file: Path, faults: Sequence[object], warnings: Sequence[object]) -> None:
    out = console()
    print_faults(faults, to=out)
    print_faults((f"{warning} (warning)" for warning in warnings), to=out, style="bold yellow")
    said = counted(len(faults), "fault") if faults else "ok"
    if warnings:
        said += f", {counted(len(warnings), 'warning')}"
    out.print(f"{file}: {said}", style="red" if faults else "green")
