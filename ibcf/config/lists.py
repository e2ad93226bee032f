"""Section `lists`: files of numbers and prefixes, as many as a million, which rules name."""

from __future__ import annotations

from ibcf.config.section import Section
from ibcf.config.values import FilePath, Id


class NumberListFile(Section):
    """A list of numbers or prefixes: CSV, a line an entry (`+4490` or `+4490,premium`), `#` begins a comment."""

    id: Id
    """Stable name for rules and metrics."""
    file: FilePath
    """Path, relative to this file."""
