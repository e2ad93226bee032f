"""`ibcf reasons`: the closed catalogue of why the border refuses or gives up, with what to do about it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer
from rich import box
from rich.table import Table
from rich.text import Text

from ibcf.boundary import decode_reasons
from ibcf.cli.terminal import console, print_json
from ibcf.config.fault import unknown

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ibcf.boundary import Reason

HEADING = """\
# Reasons

Why the border refuses a request, or gives it up: the one catalogue, as `ibcf reasons` prints it. The same id stands in
the log line, the record (`reason`), the metric (`ibcf_rejections_total`), `ibcf explain`, and, where the agreement has
`reason_header` or `warning_header`, in the Reason or Warning header of the response. A rule names one with
`reject: {reason: ...}`, and may give another status and phrase. What a peer itself said stands beside it: `attempts` of
a record have each status, phrase and Reason header (`cause`) as they came, and where the border answers for a peer that
failed, its Reason stands behind ours.
"""


def reasons(
    name: Annotated[
        str | None, typer.Argument(help="Only this one, with all there is to say.", show_default=False)
    ] = None,
    *,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print the page `docs/reasons.md`.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Print the catalogue of reasons: what each means, and what to do when it comes up."""
    from ibcf import _core  # noqa: PLC0415  # verbs that need no core work without it

    found = decode_reasons(_core.reasons())
    if name is not None:
        known = [reason.id for reason in found]
        if name not in known:
            raise typer.BadParameter(unknown("reason", name, known))
        found = [reason for reason in found if reason.id == name]
    if json:
        print_json(found)
    elif markdown:
        console().print(page(found), end="")
    elif name is not None:
        _print_one(found[0])
    else:
        _print_all(found)


def page(found: Sequence[Reason]) -> str:
    """Return the page on reasons."""
    lines = [HEADING, "| reason | answer | Q.850 | what happened | what to do | source |", "|---|---|---|---|---|---|"]
    for reason in found:
        answer = f"{reason.status} {reason.phrase}"
        cells = (f"`{reason.id}`", answer, str(reason.q850), reason.text, reason.advice, reason.clause)
        lines.append(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |")
    return "\n".join([*lines, ""])


def _print_one(reason: Reason) -> None:
    out = console()
    out.print(Text(reason.id, style="bold"))
    out.print(f"answer: {reason.status} {reason.phrase} (Q.850 cause {reason.q850})")
    out.print(f"what happened: {reason.text}")
    out.print(f"what to do: {reason.advice}")
    out.print(f"source: {reason.clause}" if reason.clause else "source: the border itself")


def _print_all(found: Sequence[Reason]) -> None:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in ("reason", "answer", "what happened", "what to do"):
        table.add_column(heading, overflow="fold")
    for reason in found:
        table.add_row(reason.id, f"{reason.status} {reason.phrase}", reason.text, reason.advice)
    console().print(table, soft_wrap=False)
