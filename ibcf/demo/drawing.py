"""Draws a ladder as text: one lifeline a participant, arrows between them, and under a message what was changed.

The lines are plain characters with styles beside them, so that a terminal shows colours and a file shows the same text.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from rich.text import Text

from ibcf.demo.ladder import BORDER
from ibcf.policy.explain import Change

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from ibcf.demo.ladder import Rung

INDENT = 3
_SHARES = {2: (0.0, 0.37), 3: (0.0, 0.37, 1.0), 4: (0.0, 0.34, 0.82, 1.0)}
"""Where lifelines stand: what leaves the border has the longer Request-URI."""
_SIGNS = {"removed": ("-", "red"), "changed": ("~", "yellow"), "added": ("+", "green")}
_NAME_WIDTH = 19
_SAME = "= the same changes as in the {} above"


@dataclass(frozen=True, slots=True)
class Picture:
    """Where the lifelines stand, and what is put in the place of addresses."""

    participants: tuple[str, ...]
    """Ids from left to right; the border is one of them."""
    names: Mapping[str, str]
    width: int
    mask: Callable[[str], str]
    rules: Mapping[str, str] = field(default_factory=dict)
    """Which rule of the policy touched a header of the first request; names in lower case."""

    def column(self, participant: str) -> int:
        """Return the column of a lifeline."""
        share = _SHARES[len(self.participants)][self.participants.index(participant)]
        return INDENT + round((self.width - INDENT - 2) * share)

    def draw(self, rungs: Sequence[Rung]) -> list[Text]:
        """Return the lines of the ladder; a list of changes that stands above already is only referred to."""
        rest = Text("".join(self._row()), style="dim")
        lines = [self._head(), rest]
        above: dict[tuple[tuple[str, str], ...], str] = {}
        for rung in rungs:
            lines.append(self._arrow(rung))
            changes = tuple(self._changes(rung))
            if len(changes) > 1 and changes in above:
                lines.append(self._over(_SAME.format(above[changes]), "dim"))
            else:
                lines += [self._over(text, style) for text, style in changes]
                above[changes] = rung.message.method if rung.message.status is None else str(rung.message.status)
            if changes:
                lines.append(rest)
        return lines if lines[-1] is rest else [*lines, rest]

    def label(self, rung: Rung) -> str:
        """Return what stands on the arrow: method and Request-URI without parameters, or status and phrase."""
        message = rung.message
        if message.status is not None:
            return f"{message.status} {message.phrase}"
        return f"{message.method} {self.mask(message.request_uri).partition(';')[0]}"

    def _head(self) -> Text:
        row = [" "] * self.width
        for at, participant in enumerate(self.participants):
            name = self.names[participant]
            column = self.column(participant)
            first = column if at == 0 else min(column - len(name) // 2, self.width - len(name) - 1)
            row[first : first + len(name)] = name
        return Text("".join(row).rstrip(), style="bold")

    def _row(self) -> list[str]:
        row = [" "] * (self.column(self.participants[-1]) + 1)
        for participant in self.participants:
            row[self.column(participant)] = "│"
        return row

    def _arrow(self, rung: Rung) -> Text:
        left, right = sorted((self.column(rung.source), self.column(rung.target)))
        goes_right = self.column(rung.source) < self.column(rung.target)
        room = right - left - 1
        line = fitting(f" {self.label(rung)} ", room - 4).center(room - 1, "─")
        shaft = f"{line}>" if goes_right else f"<{line}"
        row = "".join(self._row())
        style = "cyan" if rung.source == BORDER else "bold"
        return Text.assemble((row[: left + 1], "dim"), (shaft, style), (row[right:], "dim"))

    def _over(self, text: str, style: str) -> Text:
        """Lay *text* over the lifelines, behind the first of them."""
        row = "".join(self._row())
        start = INDENT + 3
        behind = row[start + len(text) + 1 :]
        return Text.assemble((row[:start], "dim"), (text, style), (f" {behind}".rstrip(), "dim"))

    def _changes(self, rung: Rung) -> list[tuple[str, str]]:
        is_first = rung.message.status is None and rung.message.method == "INVITE"
        lines: list[tuple[str, str]] = []
        if rung.source == BORDER and not rung.crossed and (rung.message.status or 0) >= 300:
            reasons = [Change("added", "Reason", None, reason) for reason in rung.message.lines("Reason")]
            lines += [line for reason in reasons for line in self._change(reason)]
        for change in rung.changes:
            told = self._change(change)
            rule = self.rules.get(change.name.lower()) if is_first else None
            if rule:
                text, style = told[-1]
                told[-1] = (fitting(f"{text}  [{rule}]", self.width - INDENT - 4), style)
            lines += told
        return lines

    def _change(self, change: Change) -> list[tuple[str, str]]:
        """Return a change as lines that fit: what is new or gone, or both one below the other."""
        sign, style = _SIGNS[change.kind]
        room = self.width - INDENT - 4
        before, after = (self.mask(value) if value is not None else None for value in (change.before, change.after))
        if not change.name and before and after and not before.startswith("SIP/2.0"):
            before, after = before.split(" ")[1], after.split(" ")[1]
            head = f"{sign} {'Request-URI':<{_NAME_WIDTH}} "
        else:
            head = f"{sign} {change.name or 'status line':<{_NAME_WIDTH}} "
        if before is None or after is None:
            return [(fitting(head + (before or after or ""), room), style)]
        told = shorter(before, after)
        if len(head) + len(told) <= room:
            return [(head + told, style)]
        arrow = "→ ".rjust(len(head))
        return [(fitting(head + before, room), style), (fitting(arrow + after, room), style)]


def shorter(before: str, after: str) -> str:
    """Return a change in as few characters as are clear: only the parameters, when the rest is the same.

    >>> shorter("icid-value=1;fe-identifier=x", "icid-value=1;orig-ioi=a.example")
    '-fe-identifier=x  +orig-ioi=a.example'
    """
    old, new = ([part.strip() for part in value.split(";")] for value in (before, after))
    if old[0] == new[0]:
        gone = [f"-{part}" for part in old if part not in new]
        come = [f"+{part}" for part in new if part not in old]
        if gone or come:
            return "  ".join((*gone, *come))
    return f"{before} → {after}"


def fitting(text: str, width: int) -> str:
    """Return *text*, cut where it is too long.

    >>> fitting("INVITE sip:+441632960083@ims.b.example", 20)
    'INVITE sip:+4416329…'
    """
    return text if len(text) <= width else f"{text[: width - 1]}…"
