"""What all verbs do with the terminal: colour where it is wanted, faults as lines, text that cannot play tricks."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import msgspec
from rich.console import Console
from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Iterable

EXIT_OK = 0
EXIT_FINDINGS = 1
EXIT_USAGE = 2

FILE_COLUMNS = 140  # for tables, where no terminal says how wide it is

_VISIBLE = {code: f"\\x{code:02x}" for code in (*range(0x20), *range(0x7F, 0xA0)) if chr(code) not in "\n\t"}


def console(*, stderr: bool = False) -> Console:
    """Return a console that never wraps lines, and colours only a terminal without NO_COLOR."""
    out = Console(stderr=stderr, highlight=False, soft_wrap=True, emoji=False, markup=False)
    if not out.is_terminal:
        out.width = max(out.width, FILE_COLUMNS)
    return out


def visible(data: bytes | str) -> str:
    r"""Return *data* for people: what could move the cursor or change colours is spelt out.

    >>> visible(b"a\x1b[2Jb")
    'a\\x1b[2Jb'
    """
    text = data.decode("utf-8", "backslashreplace") if isinstance(data, bytes) else data
    return text.replace("\r\n", "\n").translate(_VISIBLE)


def counted(number: int, noun: str) -> str:
    """Return *number* with its noun.

    >>> counted(1, "rule"), counted(2, "rule")
    ('1 rule', '2 rules')
    """
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def fault_line(fault: object, *, style: str) -> Text:
    """Return *fault* as a line; the place stands out."""
    place, separator, rest = str(fault).partition(" ")
    return Text.assemble((visible(place), style), separator, visible(rest))


def print_faults(faults: Iterable[object], *, to: Console, style: str = "bold red") -> None:
    """Print each of *faults* on a line of its own."""
    for fault in faults:
        to.print(fault_line(fault, style=style))


def print_error(text: str) -> None:
    """Print an error on stderr."""
    console(stderr=True).print(Text.assemble(("error: ", "bold red"), visible(text)))


def print_json(value: object) -> None:
    """Print *value* as one JSON document."""
    sys.stdout.write(msgspec.json.format(msgspec.json.encode(value), indent=2).decode() + "\n")
