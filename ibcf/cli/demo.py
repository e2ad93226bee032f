"""`ibcf demo`: four calls across a real border between toy networks, each checked against what it tells."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from ibcf.cli.terminal import EXIT_FINDINGS, EXIT_USAGE, print_error, print_json
from ibcf.demo.border import POLICY
from ibcf.demo.report import WIDTH, Report, as_json
from ibcf.demo.run import demonstrate
from ibcf.demo.stories import STORIES

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rich.text import Text

    from ibcf.demo.play import Played
    from ibcf.demo.run import Scene

WIDTH_MIN = 80
_ASCII = str.maketrans("│─→✓✗…", "|->vx~")


def demo(
    *,
    story: Annotated[int | None, typer.Option("--story", min=1, max=len(STORIES), help="Play only this one.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON document, with every message in full.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print only how each story ended.")] = False,
    policy: Annotated[
        Path, typer.Option("--policy", help="Another policy with the peers of the shipped one.", show_default=False)
    ] = POLICY,
) -> None:
    """Show the border at work: a call, a refusal, an unknown number, a carrier that is out of order.

    Starts the border and three toy IMS cores on loopback ports that the system chooses; needs no root and no DNS
    server. Exit status: 0 all went as told, 1 something did not (it is said what), 2 the policy has faults.
    """
    if not policy.is_file():
        print_error(f"{policy}: no such policy; run in the source tree or name one with --policy")
        raise typer.Exit(EXIT_USAGE)
    stories = [one for one in STORIES if story in {None, one.number}]
    stage = _Front(quiet=quiet or json, silent=json)
    try:
        result = asyncio.run(demonstrate(policy, stories, on_ready=stage.open, on_played=stage.show))
    except ImportError as error:
        print_error(f"the core is not built ({error}); run `make setup`")
        raise typer.Exit(EXIT_FINDINGS) from error
    except OSError as error:
        print_error(f"no loopback address can be used: {(error.strerror or str(error)).lower()}")
        raise typer.Exit(EXIT_FINDINGS) from error
    if json:
        print_json(as_json(result, stage.report.scene))
    else:
        stage.print(stage.report.closing(result))
    if not result.went_as_told:
        raise typer.Exit(EXIT_FINDINGS)


class _Front:
    """What the audience sees, as it happens."""

    def __init__(self, *, quiet: bool, silent: bool) -> None:
        self.quiet = quiet
        self.silent = silent
        self.console, self.width = _console()

    def open(self, scene: Scene) -> None:
        self.report = Report(scene, self.width)
        if not self.quiet:
            self.print(self.report.opening())

    def show(self, played: Played) -> None:
        self.print(self.report.verdict(played) if self.quiet else self.report.story(played))

    def print(self, lines: Iterable[Text]) -> None:
        if self.silent:
            return
        is_unicode = (sys.stdout.encoding or "").lower().replace("-", "").startswith("utf")
        for line in lines:
            if not is_unicode:
                line.plain = line.plain.translate(_ASCII)
            self.console.print(line)


def _console() -> tuple[Console, int]:
    """Return a console that writes nothing but text where there is no terminal, and its width."""
    is_terminal = sys.stdout.isatty()
    plain = not is_terminal or bool(os.environ.get("NO_COLOR"))
    console = Console(
        color_system=None if plain else "auto", highlight=False, soft_wrap=True, emoji=False, markup=False
    )
    return console, max(WIDTH_MIN, min(console.width, WIDTH)) if is_terminal else WIDTH
