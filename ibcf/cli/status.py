"""`ibcf status`: how is the border that runs here, and which configuration is in force?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import typer
from rich import box
from rich.table import Table
from rich.text import Text

from ibcf.admin import client
from ibcf.cli.policy_control import ADMIN, Address, Json
from ibcf.cli.terminal import EXIT_FINDINGS, EXIT_OK, console, print_json, visible

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rich.console import Console


def status(*, admin: Address = ADMIN, json: Json = False) -> None:
    """Show how a border that runs is: peers, records, the configuration in force, and why the last one was refused.

    Exit status: 0 it serves with the configuration that it was given last, 1 it does not.
    """
    told = client.get(admin, "/status")
    if json:
        print_json(told)
    else:
        _print(told, console())
    is_well = told["state"] == "serving" and told["policy"]["refused"] is None
    raise typer.Exit(EXIT_OK if is_well else EXIT_FINDINGS)


def _print(told: Mapping[str, Any], out: Console) -> None:
    style = "green" if told["state"] == "serving" else "red"
    out.print(Text.assemble((told["node"], "bold"), "  ", (told["state"], style), f"  {told['version']}"))
    listeners = ", ".join(f"{one['id']} {one['address']}" for one in told["listeners"])
    out.print(f"listeners: {listeners}")
    _print_policy(told["policy"], out)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in ("peer", "side", "targets", "down"):
        table.add_column(name, overflow="fold")
    for peer in told["peers"]:
        cells = (peer["id"], peer["side"], ", ".join(peer["targets"]), ", ".join(peer["down"]))
        table.add_row(*(Text(visible(cell)) for cell in cells))
    out.print(table, soft_wrap=False)
    if told["held"]:
        _print_held(told["held"], out)
    cdr = told["cdr"]
    failing = ", writing fails" if cdr["failing"] else ""
    out.print(f"records: {cdr['waiting']} waiting, {cdr['lost']} lost{failing}")


def _print_held(held: Sequence[Mapping[str, Any]], out: Console) -> None:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in ("pattern", "action", "by", "key", "counted", "since", "until"):
        table.add_column(name, overflow="fold")
    for one in held:
        counted = f"{one['counted']} of {one['of']}"
        cells = (one["pattern"], one["action"], one["by"], one["key"], counted, one["since"], one["until"])
        table.add_row(*(Text(visible(cell)) for cell in cells))
    out.print(table, soft_wrap=False)


def _print_policy(policy: Mapping[str, Any], out: Console) -> None:
    out.print(f"configuration: {policy['file']}")
    for mark, one in (("in force", policy["in_force"]), *(("kept", kept) for kept in policy["kept"])):
        as_before = f", as {one['as_generation']}" if one["as_generation"] else ""
        cases = "" if one["cases"] is None else f", {one['cases']} cases passed"
        warnings = f", {one['warnings']} warnings" if one["warnings"] else ""
        out.print(f"  {one['generation']} {mark}: {one['cause']} at {one['at']}{as_before}{cases}{warnings}")
    if (refused := policy["refused"]) is not None:
        out.print(Text(f"  refused ({refused['cause']} at {refused['at']}):", style="red"))
        for fault in refused["faults"]:
            out.print(Text(f"    {visible(fault)}", style="red"))
