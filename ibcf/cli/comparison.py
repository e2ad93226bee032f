"""Prints what two policies decide otherwise, by rule: for `ibcf policy diff` and `ibcf policy shadow status`."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from rich.text import Text

from ibcf.cli.terminal import console, counted, visible

if TYPE_CHECKING:
    from collections.abc import Mapping


def print_comparison(told: Mapping[str, Any]) -> None:
    """Print what `ibcf.policy.replay.as_json` made: the largest groups first."""
    out = console()
    for group in sorted(told["groups"], key=lambda group: -group["count"]):
        before, after = group["before"], group["after"]
        out.print(Text.assemble((f"{counted(group['count'], 'request')}: ", "bold"), _title(before, after)))
        if group["headers"]:
            out.print(f"  {before['way']}, but with other {', '.join(map(visible, group['headers']))}")
        else:
            out.print(Text(f"  - {before['way']}", style="red"))
            out.print(Text(f"  + {after['way']}", style="green"))
        for example in group["examples"]:
            out.print(Text(f"    {_place(example)}: {visible(example['request'])}", style="dim"))
    style = "red" if told["groups"] else "green"
    out.print(Text(f"{counted(told['decided'], 'request')} decided, {told['different']} otherwise", style=style))
    for cause, count in told["skipped"].items():
        out.print(Text(f"  {count} not looked at: {cause}", style="dim"))
    if told["look_ups_not_asked"]:
        text = f"{counted(told['look_ups_not_asked'], 'look-up')} failed: {_WHY_FAILED[_is_live(told)]}"
        out.print(f"  {text}")
    if told["hooks_not_run"]:
        out.print(f"  {counted(told['hooks_not_run'], 'hook')} not run: their fallbacks followed")


_WHY_FAILED = {
    False: "ENUM servers are asked with --ask-enum only",
    True: "the policy in force did not ask that service for that number",
}


def _is_live(told: Mapping[str, Any]) -> bool:
    return "running" in told


def _title(before: Mapping[str, str], after: Mapping[str, str]) -> str:
    return before["rule"] if before["rule"] == after["rule"] else f"{before['rule']} → {after['rule']}"


def _place(example: Mapping[str, Any]) -> str:
    if "file" in example:
        return f"{example['file']} frame {example['frame']}, from {example['source']}"
    at = datetime.fromtimestamp(example["unix_ms"] / 1000, UTC)
    return f"{at:%H:%M:%S}Z, from {example['source']}"
