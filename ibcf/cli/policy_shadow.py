"""`ibcf policy shadow`: a candidate decides a share of the live traffic too, and touches no call."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.text import Text

from ibcf.admin import client
from ibcf.cli.comparison import print_comparison
from ibcf.cli.policy_control import ADMIN, Address, Json
from ibcf.cli.terminal import EXIT_FINDINGS, EXIT_OK, console, print_faults, print_json
from ibcf.config.values import parse_duration

if TYPE_CHECKING:
    from collections.abc import Mapping

shadow = typer.Typer(
    name="shadow",
    help="Let a candidate decide a share of the live traffic too; no call is touched.",
    no_args_is_help=True,
)


@shadow.command("start")
def start(
    file: Annotated[
        Path, typer.Argument(help="The candidate; beside the configuration in force, or below.", show_default=False)
    ],
    *,
    sample: Annotated[
        float, typer.Option("--sample", help="How many of a hundred requests, told by their Call-IDs.")
    ] = 5.0,
    time: Annotated[str, typer.Option("--for", help="For how long: 10m, 1h, 7d at most.")] = "1h",
    admin: Address = ADMIN,
    json: Json = False,
) -> None:
    """Begin: the border reads and checks the candidate, and decides a sample of new requests by both policies.

    Exit status: 0 begun, 1 refused, and why.
    """
    try:
        seconds = parse_duration(time).total_seconds()
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--for") from error
    told = client.post(admin, "/policy/shadow/start", file=str(file.resolve()), percent=sample, seconds=seconds)
    if json:
        print_json(told)
    elif told["ok"]:
        console().print(Text(f"{file} decides {sample:g} % of the requests too, for {time}", style="green"))
    else:
        print_faults(told["faults"], to=console(stderr=True))
    raise typer.Exit(EXIT_OK if told["ok"] else EXIT_FINDINGS)


@shadow.command("status")
def status(*, admin: Address = ADMIN, json: Json = False) -> None:
    """Show what it decided otherwise so far, by rule. Exit status: 0 nothing, 1 something."""
    _told(client.get(admin, "/policy/shadow"), json=json)


@shadow.command("stop")
def stop(*, admin: Address = ADMIN, json: Json = False) -> None:
    """End it, and show what it decided otherwise, by rule. Exit status: 0 nothing, 1 something."""
    _told(client.post(admin, "/policy/shadow/stop"), json=json)


def _told(told: Mapping[str, Any], *, json: bool) -> None:
    if json:
        print_json(told)
    elif told["file"] is None:
        console().print("no candidate was tried since the border began")
    else:
        console().print(Text(_heading(told), style="bold"))
        print_comparison(told)
    raise typer.Exit(EXIT_FINDINGS if told.get("groups") else EXIT_OK)


def _heading(told: Mapping[str, Any]) -> str:
    share = f"{told['file']}: {told['percent']:g} % of the requests"
    if told["running"]:
        return f"{share}, {told['elapsed_s']:.0f} s of {told['seconds']:.0f} s"
    return f"{share}, over: {_ENDS[told['end']]}" + (f" ({told['error']})" if told["error"] else "")


_ENDS = {
    "stopped": "it was stopped",
    "time": "its time was up",
    "reload": "another policy came into force",
    "failed": "it failed",
}
