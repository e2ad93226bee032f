"""`ibcf policy diff`: what would another policy do otherwise with the traffic that was recorded?"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.progress import MofNCompleteColumn, Progress, SpinnerColumn, TextColumn

from ibcf.cli.comparison import print_comparison
from ibcf.cli.terminal import EXIT_FINDINGS, EXIT_OK, console, print_json, visible
from ibcf.config import read
from ibcf.config.fault import unknown
from ibcf.observe.logs import configure
from ibcf.policy.replay import Comparison, Policy, Replay, as_json
from ibcf.policy.traffic import captures, read_capture

if TYPE_CHECKING:
    from ibcf.config import Loaded


def diff(
    old: Annotated[Path, typer.Argument(help="The policy in force.", show_default=False)],
    new: Annotated[Path, typer.Argument(help="The policy that would follow it.", show_default=False)],
    *,
    traffic: Annotated[
        Path, typer.Option("--traffic", help="A capture (pcap, pcapng), or a folder of them.", show_default=False)
    ],
    sender: Annotated[
        str | None, typer.Option("--from", help="The peer that all requests are from; told by their addresses.")
    ] = None,
    ask_enum: Annotated[
        bool, typer.Option("--ask-enum", help="Ask the ENUM servers; otherwise look-ups there fail.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Decide the requests of a capture by two policies and show those that are decided otherwise, by rule.

    Only requests that the rules decide count: no responses, none inside of a dialog, and each once. What the border
    itself writes (Via, Record-Route) does not count either. Exit status: 0 no difference, 1 differences, 2 faults.
    """
    configure(level="warning", numbers="full", json=False, stream=sys.stderr)
    before, after = read(old), read(new)
    for loaded in (before, after) if sender is not None else ():
        known = [peer.id for peer in loaded.config.peers]
        if sender not in known:
            raise typer.BadParameter(unknown("peer", sender or "", known), param_hint="--from")
    found = asyncio.run(_replay(before, after, traffic, sender, ask=ask_enum, quiet=json))
    told = as_json(found, visible)
    if json:
        print_json(told)
    else:
        print_comparison(told)
    raise typer.Exit(EXIT_FINDINGS if found.groups else EXIT_OK)


async def _replay(
    before: Loaded, after: Loaded, traffic: Path, sender: str | None, *, ask: bool, quiet: bool
) -> Comparison:
    policies = [Policy(loaded, ask=ask) for loaded in (before, after)]
    replay = Replay(policies[0], policies[1], sender)
    columns = (SpinnerColumn(), TextColumn("{task.description}"), MofNCompleteColumn())
    try:
        with Progress(*columns, console=console(stderr=True), transient=True, disable=quiet) as bar:
            for file in captures(traffic):
                task = bar.add_task(f"{file}: messages")
                for captured in read_capture(file):
                    await replay.take(captured)
                    bar.advance(task)
    finally:
        for policy in policies:
            await policy.close()
    return replay.found
