"""`ibcf locate`: where the servers of a host are, and why a record was used or not."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ibcf.cli.terminal import EXIT_FINDINGS, EXIT_OK, EXIT_USAGE, console, print_error, print_json, visible
from ibcf.config import load
from ibcf.config.fault import unknown
from ibcf.observe import logs
from ibcf.policy.explain import find_peer
from ibcf.policy.resolvers import locator_settings, peer_domains, peer_preferences
from ibcf.routing.location import Destination, Located, Preferences, Step, Target
from ibcf.routing.locator import Locator, LocatorSettings
from ibcf.routing.transports import TRANSPORTS

if TYPE_CHECKING:
    from rich.console import Console


def locate(
    host: Annotated[str | None, typer.Argument(help="A domain, a host, or an IP address.", show_default=False)] = None,
    *,
    config: Annotated[Path, typer.Option("--config", help="The configuration.", show_default=False)],
    peer: Annotated[
        str | None,
        typer.Option(help="Id of a peer: its domain unless there is a HOST, by its listeners.", show_default=False),
    ] = None,
    port: Annotated[int | None, typer.Option(min=1, max=65_535, help="Port of the URI.", show_default=False)] = None,
    transport: Annotated[
        str | None, typer.Option(help="Transport of the URI: udp, tcp or tls.", show_default=False)
    ] = None,
    sips: Annotated[bool, typer.Option("--sips", help="It is a sips URI.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Locate the servers of a host as the border would: names asked, records, what was used or skipped, the targets.

    Exit status: 0 found, 1 not found or failed, 2 wrong usage or configuration.
    """
    loaded = load(config)
    if loaded.locator is None:
        raise _usage(f"{config}: no section locator")
    wanted = next((one for one in TRANSPORTS if one == transport), None)
    if transport is not None and wanted is None:
        raise _usage(f"{transport} is no transport: udp, tcp or tls")
    settings = locator_settings(loaded.locator)
    destination = None if host is None else Destination(host, port, wanted, sips)
    preferences = Preferences(TRANSPORTS, settings.families)
    if peer is not None:
        section = find_peer(loaded, peer)
        if section is None:
            raise _usage(unknown("peer", peer, [one.id for one in loaded.peers]))
        preferences = peer_preferences(loaded, section)
        domains = {one.peer: one.destination for one in peer_domains(loaded)}
        destination = destination or domains.get(peer)
    if destination is None:
        raise _usage("give a HOST, or with --peer a peer that has a domain")
    logs.configure(level="error", json=False, stream=sys.stderr)
    located = asyncio.run(_locate(destination, settings, preferences))
    if json:
        print_json(_as_json(destination, settings, located))
    else:
        _print(console(), destination, settings, located)
    raise typer.Exit(EXIT_OK if located.outcome == "found" else EXIT_FINDINGS)


def _usage(problem: str) -> typer.Exit:
    print_error(problem)
    return typer.Exit(EXIT_USAGE)


async def _locate(destination: Destination, settings: LocatorSettings, preferences: Preferences) -> Located:
    locator = Locator(settings, settings.open_source())
    try:
        return await locator.locate(destination, preferences)
    finally:
        await locator.close()


def _print(out: Console, destination: Destination, settings: LocatorSettings, located: Located) -> None:
    out.print(visible(f"{destination}  by servers {', '.join(settings.servers)}"), style="bold")
    for step in located.steps:
        detail = f": {step.detail}" if step.detail else ""
        out.print(visible(f"  {step.query.kind} {step.query.name}  {step.class_}{detail}"))
        for judgement in step.judgements:
            words = f"skipped: {judgement.skipped}" if judgement.skipped else "used"
            out.print(visible(f"    {judgement.record}"))
            out.print(visible(f"      {words}"), style="yellow" if judgement.skipped else "green")
    detail = f": {located.detail}" if located.detail else ""
    partly = ", incomplete" if located.is_partial else ""
    style = "green" if located.outcome == "found" else "red"
    result = f"{located.outcome} ({located.class_}){partly}{detail}, kept for {located.ttl_ms / 1000:g} s"
    out.print(visible(result), style=style)
    for target in located.targets:
        out.print(visible(f"  priority {target.priority}, weight {target.weight}: {target} ({target.name})"))


def _as_json(destination: Destination, settings: LocatorSettings, located: Located) -> dict[str, Any]:
    return {
        "destination": str(destination),
        "servers": settings.servers,
        "outcome": located.outcome,
        "class": located.class_,
        "incomplete": located.is_partial,
        "detail": located.detail,
        "ttl_ms": located.ttl_ms,
        "targets": [_target_as_json(target) for target in located.targets],
        "steps": [_step_as_json(step) for step in located.steps],
    }


def _target_as_json(target: Target) -> dict[str, Any]:
    return {
        "name": target.name,
        "address": str(target.address),
        "port": target.port,
        "transport": target.transport,
        "priority": target.priority,
        "weight": target.weight,
    }


def _step_as_json(step: Step) -> dict[str, Any]:
    return {
        "type": step.query.kind,
        "name": step.query.name,
        "class": step.class_,
        "detail": step.detail,
        "records": [{"record": one.record, "skipped": one.skipped or None} for one in step.judgements],
    }
