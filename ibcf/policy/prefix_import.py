"""Makes a list of section `lists` out of a table of prefixes as somebody else wrote it.

Numbers are put into one form, classes become ids, what cannot be used is refused with its place; all of it is written,
or nothing.
"""

from __future__ import annotations

import csv
import os
import re
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from ibcf.config.fault import Fault
from ibcf.config.values import shown
from ibcf.errors import PolicyError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

ENTRIES_MAX = 20_000_000
"""Those of the core (`core/sip/src/decide/number_table.rs`)."""
HEADING = "prefix,class\n"
_DELIMITERS = ",;\t|"
_FILLING = re.compile(r"[\s\-./()\u00a0]+")
_NUMBER = re.compile(r"\+[0-9]{1,15}")
_NO_WORD = re.compile(r"[^a-z0-9]+")


@dataclass(frozen=True, slots=True)
class Form:
    """How the table is written."""

    number: str = "1"
    """Column of the number: its heading, or its place from 1."""
    klass: str | None = None
    """Column of the class; without one, no entry has a class."""
    delimiter: str | None = None
    """What parts columns; found out unless said."""
    encoding: str = "utf-8-sig"
    international_prefix: str | None = None
    """What stands for the `+`: "00", "011", or "" when numbers have neither."""


@dataclass(slots=True)
class Imported:
    """What was found in a table."""

    lines: int = 0
    entries: dict[str, str] = field(default_factory=dict)
    """Classes by number; an empty one is none."""
    repeated: int = 0
    """Lines that say again what one before them said."""
    refused: list[tuple[Fault, str]] = field(default_factory=list)
    """What is wrong with a line, and the line."""


@dataclass(frozen=True, slots=True)
class Changes:
    """How a list differs from the file that it replaces."""

    added: int
    removed: int
    changed: int


def import_table(path: Path, form: Form, *, progress: Callable[[int], None] = lambda _bytes: None) -> Imported:
    """Read the table at *path*; tells *progress* how many bytes of it are done.

    Raises:
        PolicyError: the file cannot be read, or has no such column.
    """
    found = Imported()
    first_lines: dict[str, int] = {}
    try:
        with path.open("r", encoding=form.encoding, newline="") as stream:
            rows = csv.reader(_counted(stream, path, progress), delimiter=form.delimiter or _delimiter(path, form))
            places: tuple[int, int] | None = None
            for cells in rows:
                if not any(cell.strip() for cell in cells) or cells[0].lstrip().startswith("#"):
                    continue
                if places is None:
                    places, is_heading = _columns(cells, form, path)
                    if is_heading:
                        continue
                found.lines += 1
                _take(found, first_lines, _Row(str(path), rows.line_num, cells, *places), form)
    except UnicodeDecodeError as error:
        problem = f"is not {form.encoding} at byte {error.start} of a block ({error.reason}): say --encoding"
        raise PolicyError(f"{path}: {problem}") from error
    except LookupError as error:
        raise PolicyError(f"{error}: an encoding is utf-8, latin-1, cp1252, utf-16") from error
    except csv.Error as error:
        raise PolicyError(f"{path}: {error}") from error
    except OSError as error:
        raise PolicyError(f"{path}: {error.strerror or error}") from error
    return found


def write_list(path: Path, entries: dict[str, str]) -> Changes:
    """Replace the list at *path*, all of it at once; tells what is different.

    Raises:
        PolicyError: it cannot be written; what was there is untouched.
    """
    before = _read_list(path)
    with_classes = any(entries.values())
    lines = (f"{number},{name}\n" if name else f"{number}\n" for number, name in sorted(entries.items()))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
                stream.write(HEADING if with_classes else "prefix\n")
                stream.writelines(lines)
                stream.flush()
                os.fsync(stream.fileno())
            Path(temporary).chmod(0o644)
            Path(temporary).replace(path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise PolicyError(f"{path}: {error.strerror or error}") from error
    return Changes(
        added=sum(number not in before for number in entries),
        removed=sum(number not in entries for number in before),
        changed=sum(before.get(number, name) != name for number, name in entries.items()),
    )


@dataclass(frozen=True, slots=True)
class _Row:
    file: str
    line: int
    cells: Sequence[str]
    number_at: int
    class_at: int

    def fault(self, at: int, problem: str) -> tuple[Fault, str]:
        """Return *problem* with the place of a cell, as far as no quotes stand before it."""
        column = 1 + sum(len(cell) + 1 for cell in self.cells[:at])
        return Fault(self.file, self.line, column, "", problem), ",".join(self.cells)


def _take(found: Imported, first_lines: dict[str, int], row: _Row, form: Form) -> None:
    cells = row.cells
    if len(cells) <= max(row.number_at, row.class_at):
        found.refused.append(row.fault(len(cells), f"has {len(cells)} columns"))
        return
    number = _number(cells[row.number_at], form.international_prefix)
    if number is None:
        problem = f"{shown(cells[row.number_at])} is no global number of + and 1 to 15 digits"
        found.refused.append(row.fault(row.number_at, problem))
        return
    name = "" if row.class_at < 0 else class_id(cells[row.class_at])
    earlier = found.entries.get(number)
    if earlier is not None and earlier != name:
        problem = f"{number} is {name or 'without a class'} here and {earlier or 'without one'} in line"
        found.refused.append(row.fault(row.number_at, f"{problem} {first_lines[number]}"))
    elif earlier is not None:
        found.repeated += 1
    elif len(found.entries) >= ENTRIES_MAX:
        found.refused.append(row.fault(row.number_at, f"more than {ENTRIES_MAX:,} entries"))
    else:
        found.entries[number] = name
        first_lines[number] = row.line


def _number(cell: str, international_prefix: str | None) -> str | None:
    text = _FILLING.sub("", cell)
    if international_prefix is not None and not text.startswith("+"):
        if not text.startswith(international_prefix):
            return None
        text = f"+{text[len(international_prefix) :]}"
    return text if _NUMBER.fullmatch(text) else None


def class_id(text: str) -> str:
    """Return the id of a class.

    >>> class_id("UK Mobile (EE)")
    'uk_mobile_ee'
    """
    return _NO_WORD.sub("_", text.lower()).strip("_")


def _columns(cells: Sequence[str], form: Form, path: Path) -> tuple[tuple[int, int], bool]:
    """Return the places of number and class (-1: none), and whether *cells*, the first line, are a heading."""
    names = [cell.strip().lower() for cell in cells]
    number_at = _place(form.number, names, path)
    class_at = -1 if form.klass is None else _place(form.klass, names, path)
    return (number_at, class_at), not any(character.isdigit() for character in cells[number_at])


def _place(column: str, names: Sequence[str], path: Path) -> int:
    if column.isdecimal():
        return int(column) - 1 if 1 <= int(column) <= len(names) else _no_column(column, names, path)
    return names.index(column.lower()) if column.lower() in names else _no_column(column, names, path)


def _no_column(column: str, names: Sequence[str], path: Path) -> int:
    raise PolicyError(f'{path}: no column "{column}" (the first line has: {", ".join(names)})')


def _delimiter(path: Path, form: Form) -> str:
    """Return what parts columns: of the characters that may, the one that stands most often in the first line."""
    with path.open("r", encoding=form.encoding, newline="") as stream:
        line = stream.readline(65_536)
    return max(_DELIMITERS, key=line.count)


def _counted(stream: Iterator[str], path: Path, progress: Callable[[int], None]) -> Iterator[str]:
    done = 0
    for at, line in enumerate(stream, start=1):
        if "\0" in line:
            raise PolicyError(f"{path}:{at}: holds a NUL: is it UTF-16? say --encoding utf-16")
        yield line
        done += len(line)
        if at % 10_000 == 0:
            progress(done)
    progress(done)


def _read_list(path: Path) -> dict[str, str]:
    """Return what an older list says, as far as it can be read."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError):
        return {}
    rows = (line.partition("#")[0].partition(",") for line in text.splitlines())
    return {number.strip(): name.strip() for number, _, name in rows if number.strip().startswith("+")}
