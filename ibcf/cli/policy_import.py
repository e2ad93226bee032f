"""`ibcf policy import`: a table of prefixes, as a carrier or a regulator sends it, becomes a list for rules."""

from __future__ import annotations

import csv
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.text import Text

from ibcf.cli.terminal import EXIT_FINDINGS, EXIT_OK, console, counted, print_faults, print_json
from ibcf.errors import PolicyError
from ibcf.policy.prefix_import import Form, Imported, import_table, write_list

if TYPE_CHECKING:
    from ibcf.policy.prefix_import import Changes

REFUSED_SHOWN = 20


def import_list(
    table: Annotated[Path, typer.Argument(help="The table: CSV.", show_default=False)],
    *,
    to: Annotated[
        Path, typer.Option("--to", help="The list to write, as section `lists` names it.", show_default=False)
    ],
    number: Annotated[str, typer.Option("--number", help="Column of the number: its heading, or its place.")] = "1",
    klass: Annotated[str | None, typer.Option("--class", help="Column of the class: the same.")] = None,
    delimiter: Annotated[str | None, typer.Option("--delimiter", help="What parts columns; found out.")] = None,
    encoding: Annotated[str, typer.Option("--encoding", help="utf-8, latin-1, utf-16, ...")] = "utf-8-sig",
    international_prefix: Annotated[
        str | None, typer.Option("--international-prefix", help='What stands for the +: 00, 011, or "" for nothing.')
    ] = None,
    skip_refused: Annotated[
        bool, typer.Option("--skip-refused", help="Write what can be used, although lines are refused.")
    ] = False,
    refused: Annotated[
        Path | None, typer.Option("--refused", help="Write the lines that are refused there, each with its fault.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Make a list of numbers or prefixes out of a table: one form for all numbers, ids for classes, each line checked.

    Blanks, hyphens, dots and brackets in numbers do not count. With a line that cannot be used nothing is written,
    unless --skip-refused is given. Exit status: 0 written, 1 lines were refused, 2 wrong usage.
    """
    form = Form(number, klass, delimiter, encoding, international_prefix)
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %"),
        TimeRemainingColumn(),
        console=console(stderr=True),
        transient=True,
        disable=json,
    ) as bar:
        size = table.stat().st_size if table.exists() else None
        task = bar.add_task(str(table), total=size)
        found = import_table(table, form, progress=lambda done: bar.update(task, completed=done))
    if refused is not None:
        _write_refused(refused, found)
    changes = None
    if not found.refused or skip_refused:
        changes = write_list(to, found.entries)
    if json:
        print_json(_as_json(found, to, changes))
    else:
        _print(found, table, to, changes)
    raise typer.Exit(EXIT_FINDINGS if found.refused else EXIT_OK)


def _write_refused(path: Path, found: Imported) -> None:
    try:
        with path.open("w", encoding="utf-8", newline="") as stream:
            rows = csv.writer(stream, lineterminator="\n")
            rows.writerow(("line", "problem", "text"))
            rows.writerows((fault.line, fault.problem, text) for fault, text in found.refused)
    except OSError as error:
        raise PolicyError(f"{path}: {error.strerror or error}") from error


def _print(found: Imported, table: Path, to: Path, changes: Changes | None) -> None:
    out = console()
    print_faults((fault for fault, _ in found.refused[:REFUSED_SHOWN]), to=out)
    if (more := len(found.refused) - REFUSED_SHOWN) > 0:
        out.print(f"... and {counted(more, 'more line')}")
    classes = len(set(found.entries.values()) - {""})
    taken = f"{len(found.entries):,} entries in {counted(classes, 'class') if classes == 1 else f'{classes} classes'}"
    out.print(f"{table}: {found.lines:,} lines; {taken}, {found.repeated:,} repeated, {len(found.refused):,} refused")
    if changes is None:
        out.print(Text(f"{to}: not written; mend the lines, or give --skip-refused", style="red"))
        return
    said = f"{changes.added:,} added, {changes.removed:,} removed, {changes.changed:,} with another class"
    out.print(Text(f"{to}: written; {said}", style="green"))


def _as_json(found: Imported, to: Path, changes: Changes | None) -> dict[str, object]:
    return {
        "to": str(to),
        "written": changes is not None,
        "lines": found.lines,
        "entries": len(found.entries),
        "repeated": found.repeated,
        "refused": [{**asdict(fault), "text": text} for fault, text in found.refused],
        "changes": changes,
    }
