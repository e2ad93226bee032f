"""One thing wrong with a configuration, and where it stands."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

KNOWN_SHOWN_MAX = 12
_ONE_LINE = {code: f"\\x{code:02x}" for code in range(0x20)} | {ord("\n"): "\\n", ord("\r"): "\\r", ord("\t"): "\\t"}


@dataclass(frozen=True, slots=True, order=True)
class Fault:
    """A place in a file and what is wrong with it; line and column count from 1, as editors do."""

    file: str
    line: int
    column: int
    key: str
    problem: str

    def __str__(self) -> str:
        """Return `file:line:column key: what is wrong`."""
        place = f"{self.file}:{self.line}:{self.column}"
        text = f"{place} {self.key}: {self.problem}" if self.key else f"{place}: {self.problem}"
        return text.translate(_ONE_LINE)


def suggestion(name: str, known: Iterable[str]) -> str | None:
    """Return the one of *known* that *name* was probably meant to be.

    >>> suggestion("sourcs", ["sources", "targets"])
    'sources'
    """
    # Case and the choice between - and _ are the commonest slips: compared away, so that they always find their match.
    folded = {candidate.casefold().replace("-", "_"): candidate for candidate in known}
    close = difflib.get_close_matches(name.casefold().replace("-", "_"), folded, n=1, cutoff=0.6)
    return folded[close[0]] if close else None


def unknown(kind: str, name: str, known: Iterable[str]) -> str:
    """Return the problem text for a name that stands for nothing.

    >>> unknown("peer", "bt-uk", ["bt_uk", "kpn"])
    'unknown peer "bt-uk"; did you mean "bt_uk"? (known: bt_uk, kpn)'
    """
    names = sorted(known)
    likely = suggestion(name, names)
    hint = f'; did you mean "{likely}"?' if likely else ""
    shown = ", ".join(names[:KNOWN_SHOWN_MAX]) or "none"
    more = f" and {len(names) - KNOWN_SHOWN_MAX} more" if len(names) > KNOWN_SHOWN_MAX else ""
    return f'unknown {kind} "{name}"{hint} (known: {shown}{more})'
