"""`ibcf explain`: what would happen to this message, stage by stage, and which bytes would leave?"""

from __future__ import annotations

import asyncio
import re
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich import box
from rich.table import Table
from rich.text import Text

from ibcf.cli.terminal import console, print_json, visible
from ibcf.config import read
from ibcf.config.fault import unknown
from ibcf.hooks.runner import HookRunner
from ibcf.observe.hooks import HookReport
from ibcf.observe.logs import configure
from ibcf.policy.cases import parse_moment
from ibcf.policy.compile import checked_snapshot, open_engine
from ibcf.policy.explain import Arrival, Explanation, find_peer, target_at
from ibcf.policy.explain import explain as explain_message
from ibcf.policy.locations import Locations
from ibcf.policy.replay import sender_at
from ibcf.policy.resolvers import open_resolvers
from ibcf.policy.specimen import request_to, with_line_ends
from ibcf.policy.traffic import read_capture

if TYPE_CHECKING:
    from rich.console import Console

    from ibcf.config import Config
    from ibcf.config.peers import Peer
    from ibcf.policy.compile import Snapshot
    from ibcf.policy.traffic import Captured

MESSAGE_BYTES_MAX = 65_535
FRAMES_SHOWN = 20


def explain(
    *,
    config: Annotated[Path, typer.Option("--config", "-c", help="The configuration.", show_default=False)],
    sender: Annotated[
        str | None, typer.Option("--from", help="Id of the peer that the message comes from; of a capture, known.")
    ] = None,
    message: Annotated[
        Path | None, typer.Option("--message", help="A file with the SIP message; - is standard input.")
    ] = None,
    capture: Annotated[Path | None, typer.Option("--pcap", help="A capture, pcap or pcapng, and in it ...")] = None,
    frame: Annotated[int, typer.Option("--frame", min=1, help="... the frame that the message ends in.")] = 1,
    number: Annotated[str | None, typer.Option("--number", help="A number to call instead: +441632960083.")] = None,
    calling: Annotated[str | None, typer.Option("--calling", help="With --number: the number that calls.")] = None,
    method: Annotated[str, typer.Option("--method", help="With --number: another method.")] = "INVITE",
    at: Annotated[
        str | None,
        typer.Option("--at", help="When it comes, for rules with a time: 2026-11-30T08:30Z. Now, unless set."),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Tell, stage by stage, what the border would do with a message, and show what would leave.

    Asks the DNS servers and the hooks of the configuration; sends no SIP.
    """
    configure(level="warning", numbers="full", json=False, stream=sys.stderr)
    loaded = read(config)
    if sum(given is not None for given in (message, capture, number)) != 1:
        raise typer.BadParameter("give one of --message, --pcap and --number")
    if calling is not None and number is None:
        raise typer.BadParameter("belongs to --number", param_hint="--calling")
    captured = None if capture is None else _captured(capture, frame)
    peer = _peer(sender, captured, loaded.config)
    if captured is not None:
        now_ms = captured.unix_ms if at is None else _moment_ms(at)
        arrival = Arrival(peer, captured.data, now_ms)
    else:
        made = None if number is None else _made(number, calling, method, peer, loaded.config)
        arrival = Arrival(peer, _message(message) if made is None else made, _moment_ms(at))
    told = asyncio.run(_explain(checked_snapshot(loaded), arrival, loaded.config))
    if json:
        print_json(_as_json(told, loaded.config))
    else:
        _print(told, loaded.config)


def _captured(capture: Path, frame: int) -> Captured:
    """Return the message of a frame."""
    frames = []
    for captured in read_capture(capture):
        if captured.frame == frame:
            return captured
        frames.append(captured.frame)
    known = ", ".join(map(str, frames[:FRAMES_SHOWN])) or "none"
    raise typer.BadParameter(f"no SIP message ends in frame {frame} (those that do: {known})", param_hint="--frame")


def _peer(sender: str | None, captured: Captured | None, config: Config) -> Peer:
    if sender is None:
        if captured is None:
            raise typer.BadParameter("say who sends it", param_hint="--from")
        peer = sender_at(config, captured.source)
        if peer is None:
            raise typer.BadParameter(f"no peer sends from {captured.source}: say who it is", param_hint="--from")
        return peer
    peer = find_peer(config, sender)
    if peer is None:
        raise typer.BadParameter(unknown("peer", sender, [peer.id for peer in config.peers]), param_hint="--from")
    return peer


def _made(number: str, calling: str | None, method: str, peer: Peer, config: Config) -> bytes:
    """Return a request from one number to another."""
    if not re.fullmatch(r"[A-Z]{1,32}", method):
        raise typer.BadParameter("a method is written in capitals: INVITE, MESSAGE", param_hint="--method")
    caller = None if calling is None else _global(calling, "--calling")
    return request_to(_global(number, "--number"), peer=peer, config=config, method=method, calling=caller)


def _global(number: str, option: str) -> str:
    plain = re.sub(r"[-.() ]", "", number)
    if not re.fullmatch(r"\+[0-9]{1,15}", plain):
        raise typer.BadParameter(f'"{number}" is not + and up to 15 digits', param_hint=option)
    return plain


def _message(path: Path | None) -> bytes:
    try:
        if str(path) == "-":
            data = sys.stdin.buffer.read(MESSAGE_BYTES_MAX + 1)
        else:
            with Path(path or "").open("rb") as stream:
                data = stream.read(MESSAGE_BYTES_MAX + 1)
    except OSError as error:
        raise typer.BadParameter(f"{path}: {error.strerror or error}", param_hint="--message") from error
    return with_line_ends(data)[:MESSAGE_BYTES_MAX]


def _moment_ms(at: str | None) -> int:
    if at is None:
        return round(time.time() * 1000)
    try:
        return round(parse_moment(at).timestamp() * 1000)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--at") from error


async def _explain(snapshot: Snapshot, arrival: Arrival, config: Config) -> Explanation:
    resolvers = open_resolvers(config)
    locations = Locations(config)
    hooks = HookRunner(HookReport())
    hooks.switch(config, snapshot.hooks)
    try:
        return await explain_message(open_engine(snapshot, trace=True), arrival, resolvers, locations, hooks)
    finally:
        hooks.close()
        await locations.close()
        for resolver in resolvers.values():
            await resolver.close()


def decision(told: Explanation, config: Config) -> str:
    """Return what comes of it in one line."""
    request, answer = told.forwarded, told.answered
    if request is not None:
        place = target_at(config, told.located, request.destination)
        whom = f"peer {place[0]}, target {place[1]} at {request.destination}" if place else request.destination
        return f"forward to {whom}, from listener {request.listener}"
    if answer is not None:
        line = answer.data.partition(b"\r\n")[0].decode("utf-8", "backslashreplace").removeprefix("SIP/2.0 ")
        return f"answer {line}" + (f" (reason {told.reason})" if told.reason else "")
    return "drop it: nothing would leave" + (f" (reason {told.reason})" if told.reason else "")


def _as_json(told: Explanation, config: Config) -> dict[str, object]:
    request = told.forwarded
    return {
        "from": {"peer": told.peer, "source": told.source, "listener": told.listener},
        "received": visible(told.received),
        "steps": told.steps,
        "lookups": [asdict(lookup) for lookup in told.lookups],
        "located": told.located,
        "decision": {
            "text": decision(told, config),
            "verdict": "forward" if request else "answer" if told.answered else "drop",
            "reason": told.reason,
        },
        "changes": told.changes(),
        "sent": [
            {"listener": sent.listener, "destination": sent.destination, "message": visible(sent.data)}
            for sent in told.sent
        ],
    }


def _print(told: Explanation, config: Config) -> None:
    out = console()
    first = visible(told.received.partition(b"\r\n")[0])
    out.print(Text.assemble(("from ", "dim"), f"{told.peer} ", (f"{told.source} → {told.listener}  ", "dim"), first))
    print_steps(told, out)
    for lookup in told.lookups:
        found = ", ".join(lookup.candidates) or lookup.outcome.replace("_", " ")
        out.print(
            Text.assemble(("enum ", "dim"), visible(f"{lookup.service} {lookup.number} {lookup.class_}: {found}"))
        )
    for one in told.located:
        targets = ", ".join(target.id for target in one.targets) or "nowhere"
        out.print(Text.assemble(("located ", "dim"), visible(f"{one.peer}: {targets}")))
    out.print()
    style = "bold green" if told.forwarded else "bold red"
    out.print(Text.assemble(("decision: ", "bold"), (visible(decision(told, config)), style)))
    if told.forwarded:
        _print_changes(told, out)
    if sent := told.forwarded or told.answered:
        out.print()
        out.print(Text(f"bytes to {sent.destination} ({len(sent.data)}):", style="bold"))
        out.print(Text(visible(sent.data).rstrip("\n")))


def print_steps(told: Explanation, out: Console) -> None:
    """Print what each stage did, as a table."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in ("stage", "rule", "outcome", "detail", "clause"):
        table.add_column(name, overflow="fold", no_wrap=name not in {"detail", "clause"})
    previous = None
    for step in told.steps:
        stage = "" if step.stage == previous else step.stage
        previous = step.stage
        cells = (stage, step.rule or "", step.outcome, step.detail, step.clause or "")
        table.add_row(*(Text(visible(cell)) for cell in cells))
    out.print(table, soft_wrap=False)


def _print_changes(told: Explanation, out: Console) -> None:
    out.print()
    out.print(Text("changes:", style="bold"))
    for change in told.changes():
        name = f"{change.name}: " if change.name else ""
        if change.before is not None:
            out.print(Text(visible(f"  - {name}{change.before}"), style="red"))
        if change.after is not None:
            out.print(Text(visible(f"  + {name}{change.after}"), style="green"))
