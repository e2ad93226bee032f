"""`ibcf enum`: what ENUM knows of a number, and why a record was taken or not."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ibcf.cli.terminal import EXIT_FINDINGS, EXIT_OK, EXIT_USAGE, console, print_error, print_json, visible
from ibcf.config import load
from ibcf.errors import NumberingError
from ibcf.numbering.e164 import check_e164
from ibcf.numbering.enum_lookup import EnumResolver, EnumResult, EnumSettings
from ibcf.observe import logs
from ibcf.policy.resolvers import enum_settings

if TYPE_CHECKING:
    from rich.console import Console

    from ibcf.numbering.naptr import Judgement
    from ibcf.numbering.walk import Step


def enum_lookup(
    number: Annotated[str, typer.Argument(help="+ and digits.", show_default=False)],
    *,
    config: Annotated[Path, typer.Option("--config", help="The configuration.", show_default=False)],
    service: Annotated[
        str | None, typer.Option(help="Id of one enum section; all of them unless given.", show_default=False)
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Look a number up as the border would: names asked, records in order, what was taken or skipped and why.

    Exit status: 0 found, 1 not found or failed, 2 wrong usage or configuration.
    """
    try:
        check_e164(number)
    except NumberingError as error:
        print_error(str(error))
        raise typer.Exit(EXIT_USAGE) from error
    sections = [section for section in load(config).enum if service in {None, section.id}]
    if not sections:
        print_error(f"{config}: no enum section" + (f" with the id {service}" if service else ""))
        raise typer.Exit(EXIT_USAGE)
    logs.configure(level="error", json=False, stream=sys.stderr)
    settings = [enum_settings(section) for section in sections]
    results = asyncio.run(_resolve_all(number, settings))
    if json:
        found = zip(settings, results, strict=True)
        print_json({"number": number, "services": [_as_json(one, result) for one, result in found]})
    else:
        for one, result in zip(settings, results, strict=True):
            _print(console(), number, one, result)
    raise typer.Exit(EXIT_OK if any(result.outcome == "found" for result in results) else EXIT_FINDINGS)


async def _resolve_all(number: str, settings: list[EnumSettings]) -> list[EnumResult]:
    results = []
    for one in settings:
        resolver = EnumResolver(one, one.open_source())
        try:
            results.append(await resolver.resolve(number))
        finally:
            await resolver.close()
    return results


def _print(out: Console, number: str, settings: EnumSettings, result: EnumResult) -> None:
    place = f"zone file {settings.zone_file}" if settings.zone_file else f"servers {', '.join(settings.servers)}"
    out.print(f"{number}  by {settings.id}: {place}", style="bold")
    for step in result.steps:
        detail = f": {step.answer.detail}" if step.answer.detail else ""
        indent = "  " * (step.hop + 1)
        out.print(visible(f"{indent}{step.name}  {step.answer.class_}{detail}"))
        for judgement in step.judgements:
            out.print(visible(f"{indent}  {judgement.record}"))
            out.print(visible(f"{indent}    {_words(judgement)}"), style=_style(judgement))
    detail = f": {result.detail}" if result.detail else ""
    style = "green" if result.outcome == "found" else "red"
    out.print(visible(f"{result.outcome} ({result.class_}){detail}, kept for {result.ttl_ms / 1000:g} s"), style=style)
    for rank, uri in enumerate(result.candidates, start=1):
        out.print(visible(f"  {rank}. {uri}"))


def _words(judgement: Judgement) -> str:
    if judgement.skip is not None:
        return f"skipped ({judgement.skip}): {judgement.detail}"
    return f"taken: {judgement.uri}" if judgement.uri is not None else f"followed: {judgement.next_name}"


def _style(judgement: Judgement) -> str:
    return "yellow" if judgement.skip is not None else "green"


def _as_json(settings: EnumSettings, result: EnumResult) -> dict[str, Any]:
    return {
        "service": settings.id,
        "outcome": result.outcome,
        "class": result.class_,
        "candidates": result.candidates,
        "ttl_ms": result.ttl_ms,
        "detail": result.detail,
        "steps": [_step_as_json(step) for step in result.steps],
    }


def _step_as_json(step: Step) -> dict[str, Any]:
    return {
        "name": step.name,
        "hop": step.hop,
        "class": step.answer.class_,
        "detail": step.answer.detail,
        "records": [
            {
                "record": str(judgement.record),
                "ttl_s": judgement.record.ttl_s,
                "uri": judgement.uri,
                "next_name": judgement.next_name,
                "skip": judgement.skip,
                "detail": judgement.detail,
            }
            for judgement in step.judgements
        ],
    }
