"""`ibcf run`: the border as a service."""

from __future__ import annotations

import asyncio
from importlib import metadata
from pathlib import Path
from typing import Annotated

import typer

from ibcf.cli.terminal import EXIT_USAGE, print_error
from ibcf.config.values import parse_duration
from ibcf.core_module import CoreModule
from ibcf.errors import ListenError, SnapshotRefusedError
from ibcf.service import Service

EXIT_LISTEN = 3
NICENESS = 5
"""A third of the weight of a worker: enough for what Python does, and no slice of time that a message waits for."""


def run(
    file: Annotated[Path, typer.Argument(help="The configuration.", show_default=False)],
    *,
    json_logs: Annotated[
        bool, typer.Option("--json-logs/--no-json-logs", help="JSON lines, or lines for people.")
    ] = True,
    drain_timeout: Annotated[
        str, typer.Option(help="How long SIGTERM waits for calls that are being set up.")
    ] = "240s",
) -> None:
    """Run the border until SIGTERM or SIGINT; SIGHUP reloads the configuration.

    Exit status: 0 stopped in order, 2 faults in the configuration (nothing was bound), 3 a listener cannot be bound.
    """
    try:
        drain_seconds = parse_duration(drain_timeout).total_seconds()
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--drain-timeout") from error
    service = Service(
        file,
        CoreModule.compiled(),
        version=_version(),
        json_logs=json_logs,
        drain_seconds_max=drain_seconds,
        niceness=NICENESS,
    )
    try:
        asyncio.run(service.run())
    except ListenError as error:
        print_error(f"{error}; free the address or change it in {file}")
        raise typer.Exit(EXIT_LISTEN) from error
    except SnapshotRefusedError as error:
        print_error(f"{file}: {error}")
        raise typer.Exit(EXIT_USAGE) from error


def _version() -> str:
    try:
        return metadata.version("ibcf")
    except metadata.PackageNotFoundError:  # run from the source tree
        return "0+source"
