"""The demonstration for people, and the same for programs."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from rich.text import Text

from ibcf.demo.border import POLICY
from ibcf.demo.drawing import INDENT, Picture, fitting
from ibcf.demo.stories import A

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ibcf.demo.border import Record
    from ibcf.demo.ladder import Rung
    from ibcf.demo.play import Played
    from ibcf.demo.run import Result, Scene
    from ibcf.policy.explain import Step

WIDTH = 100
TICK, CROSS = "✓", "✗"
_LABEL_WIDTH = 11
_RECORD_FIELDS = (
    "call_id",
    "icid",
    "peer_in",
    "peer_out",
    "called",
    "request_uri_out",
    "number",
    "enum_class",
    "direction",
    "route",
    "outcome",
    "status",
    "reason",
    "source",
    "attempts",
    "orig_ioi",
    "term_ioi",
    "released_by",
    "record_type",
    "cause_for_record_closing",
)
"""What is shown of a record: nothing that differs from run to run."""
_COLUMN_WIDTH = 43


def _line(label: str, text: str | Text, style: str = "") -> Text:
    head = " " * INDENT + f"{label:<{_LABEL_WIDTH}}"
    return Text.assemble((head, "bold"), text if isinstance(text, Text) else (text, style))


@dataclass(frozen=True, slots=True)
class Report:
    """Says how it went, line by line."""

    scene: Scene
    width: int = WIDTH

    def opening(self) -> Iterator[Text]:
        """Yield who is there."""
        yield Text("One border between three networks, all on loopback: every message below crossed real sockets.")
        yield Text("")
        shipped = " as shipped" if self.scene.policy == POLICY else ""
        yield _line("border", f"{self.scene.names['border']}, policy {self.scene.policy.name}{shipped}")
        for name, place in self.scene.places.items():
            role = "our own core" if name == A else "another operator"
            yield _line(self.scene.names[name], f"{role}, on {place}")
        yield _line("metrics", f"{self.scene.metrics} (while this runs)")
        yield Text("")

    def story(self, played: Played) -> Iterator[Text]:
        """Yield a story: ladder, decision, charging record, metrics and whether it went as told."""
        story = played.story
        yield Text(f"{story.number}. {story.title}", style="bold")
        yield Text(f"{' ' * INDENT}{story.text}")
        yield Text("")
        picture = Picture(story.participants, self.scene.names, self.width, self.scene.mask, rules_of(played))
        drawn = [rung for rung in played.rungs if {rung.source, rung.target} <= set(story.participants)]
        yield from picture.draw(drawn)
        yield Text("")
        yield from self._decision(played)
        if played.record is not None:
            yield from _record(played.record)
        label = "metrics"
        for name, count in played.grown:
            if count:
                yield _line(label, f"+{count:g} {name}")
                label = ""
        yield from self.verdict(played)
        yield Text("")

    def _decision(self, played: Played) -> Iterator[Text]:
        told = played.explanation
        if told is None:
            return
        for at, step in enumerate(step for step in told.steps if step.stage == "decide"):
            matched = step.outcome in {"matched", "refused"}
            text = f"{step.rule or '':<16} {step.outcome:<9} {self.scene.mask(step.detail).strip()}"
            room = self.width - INDENT - _LABEL_WIDTH
            yield _line("decision" if at == 0 else "", fitting(text, room), "bold" if matched else "dim")

    def verdict(self, played: Played) -> Iterator[Text]:
        """Yield the line with the tick, or what was different."""
        story, broken = played.story, played.checks.broken()
        if not broken:
            count = len(played.checks.items)
            yield Text(f"{' ' * INDENT}{TICK} {story.number} {story.ending} ({count} checks)", style="bold green")
            return
        yield Text(f"{' ' * INDENT}{CROSS} {story.number} did not go as told", style="bold red")
        for check in broken:
            yield Text(f"{' ' * INDENT}    {check}", style="red")

    def closing(self, result: Result) -> Iterator[Text]:
        """Yield the last line, and what was wrong with the whole."""
        for check in result.closing.broken():
            yield Text(f"{CROSS} {check}", style="red")
        good = sum(played.went_as_told for played in result.played)
        count = len(result.played)
        if result.went_as_told:
            what = "all four stories" if count == 4 else f"{count} of {count} stories"
            yield Text(f"{TICK} {what} went as told", style="bold green")
        else:
            yield Text(f"{CROSS} {good} of {count} stories went as told", style="bold red")


def _record(record: Record) -> Iterator[Text]:
    """Yield the charging record in two columns where two fit."""
    cells = [f"{name:<15} {_value(record[name])}" for name in _RECORD_FIELDS if record.get(name) not in (None, "", [])]
    label = "CDR"
    while cells:
        text = cells.pop(0)
        if len(text) < _COLUMN_WIDTH and cells and len(cells[0]) < _COLUMN_WIDTH:
            text = f"{text:<{_COLUMN_WIDTH}}{cells.pop(0)}"
        yield _line(label, text)
        label = ""


def _value(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(f"{one['peer']}/{one['target']} {one['status']} {one['phrase']}" for one in value) or "none"
    return str(value)


def rules_of(played: Played) -> dict[str, str]:
    """Return which rule, or which clause, touched a header of the request that left."""
    steps = played.explanation.steps if played.explanation else []
    return {
        step.detail.partition(":")[0].lower(): _rule_name(step)
        for step in steps
        if step.stage == "rewrite" and ":" in step.detail and (step.rule or step.clause)
    }


def _rule_name(step: Step) -> str:
    return step.rule or step.clause or ""


def as_json(result: Result, scene: Scene) -> dict[str, Any]:
    """Return all of it, nothing masked."""
    return {
        "went_as_told": result.went_as_told,
        "policy": str(scene.policy),
        "metrics": scene.metrics,
        "stories": [_story_json(played) for played in result.played],
        "closing": [asdict(check) | {"holds": check.holds} for check in result.closing],
    }


def _story_json(played: Played) -> Mapping[str, Any]:
    told = played.explanation
    return {
        "number": played.story.number,
        "title": played.story.title,
        "went_as_told": played.went_as_told,
        "ladder": [_rung_json(rung) for rung in played.rungs],
        "steps": told.steps if told else [],
        "lookups": [asdict(lookup) for lookup in told.lookups] if told else [],
        "record": played.record,
        "metrics": [{"sample": name, "growth": count} for name, count in played.grown],
        "checks": [asdict(check) | {"holds": check.holds} for check in played.checks],
    }


def _rung_json(rung: Rung) -> Mapping[str, Any]:
    return {
        "from": rung.source,
        "to": rung.target,
        "crossed": rung.crossed,
        "message": rung.message.encode().decode("utf-8", "backslashreplace"),
        "changes": [asdict(change) for change in rung.changes],
    }
