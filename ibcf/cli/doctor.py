"""`ibcf doctor`: can this host serve that configuration, and what is to be set first?"""

from __future__ import annotations

import socket
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from ibcf.cli.terminal import EXIT_FINDINGS, EXIT_OK, console, print_json, visible
from ibcf.config import load
from ibcf.host.doctor import examine
from ibcf.host.machine import ThisMachine

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from ibcf.host.doctor import Examined

machine = ThisMachine
"""Makes the machine that is examined; a test puts another one here."""

STYLES: Final = {"fine": "green", "todo": "bold red", "unknown": "yellow"}
HINTS: Final = {"todo": "should be", "unknown": "to tell"}
WORDS: Final = {"todo": "to do", "unknown": "unknown", "fine": "fine"}


def doctor(
    file: Annotated[Path | None, typer.Argument(help="The configuration.", show_default=False)] = None,
    *,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
    strict: Annotated[bool, typer.Option("--strict", help="What cannot be told is something to do: exit 1.")] = False,
) -> None:
    """Examine this host for serving a configuration: what was found, what it should be and why, the command to run.

    Nothing is changed. Run it as the user that runs the border; without a configuration only the host is looked at.

    Exit status: 0 nothing to do, 1 something to do (with --strict: or unknown), 2 wrong usage or configuration.
    """
    config = None if file is None else load(file)
    found = list(examine(machine(), config))
    counts: Counter[str] = Counter(one.finding.state for one in found)
    if json:
        print_json({"file": None if file is None else str(file), "counts": counts, "findings": _as_json(found)})
    else:
        _print(console(), found, counts, file)
    is_well = not counts["todo"] and not (strict and counts["unknown"])
    raise typer.Exit(EXIT_OK if is_well else EXIT_FINDINGS)


def _as_json(found: Sequence[Examined]) -> list[dict[str, object]]:
    return [
        {
            "check": one.check,
            "state": one.finding.state,
            "found": one.finding.found,
            "wanted": one.finding.wanted or None,
            "commands": one.finding.commands,
        }
        for one in found
    ]


def _print(out: Console, found: Sequence[Examined], counts: Counter[str], file: Path | None) -> None:
    width = max(len(one.check) for one in found)
    for one in found:
        out.print(f"{one.finding.state:<8}", style=STYLES[one.finding.state], end="")
        out.print(visible(f"{one.check:<{width}}  {one.finding.found}"))
        if one.finding.wanted:
            out.print(visible(f"{'':8}{'':{width}}  {HINTS[one.finding.state]}: {one.finding.wanted}"))
        for command in one.finding.commands:
            out.print(visible(f"{'':8}{'':{width}}  $ {command}"), style="bold")
    told = ", ".join(f"{counts[state]} {word}" for state, word in WORDS.items() if counts[state])
    what = "this host" if file is None else str(file)
    worst = next(state for state in WORDS if counts[state])
    out.print(visible(f"{what} on {socket.gethostname()}: {told}"), style=STYLES[worst])
