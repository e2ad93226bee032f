"""`ibcf policy diff`: what would another policy do otherwise with the traffic that was recorded?"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.progress import MofNCompleteColumn, Progress, SpinnerColumn, TextColumn
from rich.text import Text

from ibcf.cli.terminal import EXIT_FINDINGS, EXIT_OK, console, counted, print_json, visible
from ibcf.config import read
from ibcf.config.fault import unknown
from ibcf.observe.logs import configure
from ibcf.policy.replay import Comparison, Policy, Replay
from ibcf.policy.traffic import captures, read_capture

if TYPE_CHECKING:
    from ibcf.config import Loaded
    from ibcf.policy.replay import Key
    from ibcf.policy.traffic import Captured


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
    if json:
        print_json(_as_json(found))
    else:
        _print(found)
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


def _print(found: Comparison) -> None:
    out = console()
    for key, group in sorted(found.groups.items(), key=lambda item: -item[1].count):
        out.print(Text.assemble((f"{counted(group.count, 'request')}: ", "bold"), _title(key)))
        if key.headers:
            out.print(f"  {key.way_before}, but with other {', '.join(map(visible, key.headers))}")
        else:
            out.print(Text(f"  - {key.way_before}", style="red"))
            out.print(Text(f"  + {key.way_after}", style="green"))
        for captured in group.examples:
            out.print(Text(f"    {_place(captured)}: {visible(_first_line(captured))}", style="dim"))
    style = "red" if found.groups else "green"
    out.print(Text(f"{counted(found.decided, 'request')} decided, {found.different} otherwise", style=style))
    for cause, count in found.skipped.items():
        out.print(Text(f"  {count} not looked at: {cause}", style="dim"))
    if found.not_asked:
        out.print(f"  {counted(found.not_asked, 'look-up')} failed: ENUM servers are asked with --ask-enum only")
    if found.hooks_not_asked:
        out.print(f"  {counted(found.hooks_not_asked, 'hook')} not run: their fallbacks followed")


def _title(key: Key) -> str:
    return key.rule_before if key.rule_before == key.rule_after else f"{key.rule_before} → {key.rule_after}"


def _place(captured: Captured) -> str:
    return f"{captured.file} frame {captured.frame}, from {captured.source}"


def _first_line(captured: Captured) -> str:
    return captured.data.lstrip(b"\r\n").partition(b"\r\n")[0].decode("utf-8", "backslashreplace")


def _as_json(found: Comparison) -> dict[str, object]:
    return {
        "decided": found.decided,
        "different": found.different,
        "skipped": found.skipped,
        "look_ups_not_asked": found.not_asked,
        "hooks_not_run": found.hooks_not_asked,
        "groups": [
            {
                "count": group.count,
                "before": {"rule": key.rule_before, "way": key.way_before},
                "after": {"rule": key.rule_after, "way": key.way_after},
                "headers": key.headers,
                "examples": [
                    {"file": one.file, "frame": one.frame, "source": one.source, "request": visible(_first_line(one))}
                    for one in group.examples
                ],
            }
            for key, group in found.groups.items()
        ],
    }
