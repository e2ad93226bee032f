"""`ibcf policy reload` and `ibcf policy rollback`: what policy is in force, at a border that runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.text import Text

from ibcf.admin import client
from ibcf.cli.terminal import EXIT_FINDINGS, EXIT_OK, console, print_faults, print_json

if TYPE_CHECKING:
    from collections.abc import Mapping

ADMIN = "127.0.0.1:9090"
Address = Annotated[str, typer.Option("--admin", help="Where the border's admin endpoint is (admin.address).")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]


def reload(
    *,
    hooks: Annotated[bool, typer.Option("--hooks", help="Import the modules of hooks anew.")] = False,
    admin: Address = ADMIN,
    json: Json = False,
) -> None:
    """Tell a border that runs to read its configuration again: checked, its cases tried, in force between two messages.

    Exit status: 0 in force, 1 refused (the old one stays), and why.
    """
    _told(client.post(admin, "/policy/reload", hooks=hooks), json=json)


def rollback(
    *,
    to: Annotated[int | None, typer.Option("--to", help="A generation that is kept; else the one before.")] = None,
    admin: Address = ADMIN,
    json: Json = False,
) -> None:
    """Tell a border that runs to go back to a configuration that was in force before. The file stays as it is.

    Exit status: 0 in force, 1 refused, and why.
    """
    _told(client.post(admin, "/policy/rollback", generation=to), json=json)


def _told(told: Mapping[str, Any], *, json: bool) -> None:
    if json:
        print_json(told)
    elif told["ok"]:
        as_before = f", as generation {told['as_generation']}" if told["as_generation"] else ""
        cases = "" if told["cases"] is None else f", {told['cases']} cases passed"
        console().print(Text(f"generation {told['generation']} is in force{as_before}{cases}", style="green"))
    else:
        out = console(stderr=True)
        print_faults(told["faults"], to=out)
        out.print(Text(f"refused: generation {told['generation']} stays in force", style="red"))
    raise typer.Exit(EXIT_OK if told["ok"] else EXIT_FINDINGS)
