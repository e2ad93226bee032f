"""`ibcf policy unblock`: lets numbers and peers go that a pattern holds, at a border that runs."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.text import Text

from ibcf.admin import client
from ibcf.cli.policy_control import ADMIN, Address, Json
from ibcf.cli.terminal import EXIT_FINDINGS, EXIT_OK, console, print_json


def unblock(
    key: Annotated[
        str | None, typer.Argument(help="The number, its first digits or the peer, as `ibcf status` shows it.")
    ] = None,
    *,
    pattern: Annotated[str | None, typer.Option("--pattern", help="Only what this pattern holds.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Everything that is held.")] = False,
    admin: Address = ADMIN,
    json: Json = False,
) -> None:
    """Let go what a pattern holds, before its time. It is found again when it does the same again.

    Exit status: 0 something was let go, 1 there was nothing of that.
    """
    if (key is None and pattern is None) != everything:
        raise typer.BadParameter("say a key, --pattern, or --all")
    told = client.post(admin, "/policy/unblock", key=key, pattern=pattern)
    if json:
        print_json(told)
    else:
        count = told["lifted"]
        console().print(Text(f"{count} let go" if count else "nothing of that is held"))
    raise typer.Exit(EXIT_OK if told["lifted"] else EXIT_FINDINGS)
