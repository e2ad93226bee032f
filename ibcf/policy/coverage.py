"""Which rules of a policy its cases reach."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ibcf.policy.explain import target_at

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ibcf.config import Config
    from ibcf.config.tree import Path
    from ibcf.policy.explain import Explanation


def matched_rules(told: Explanation) -> Iterator[str]:
    """Yield the rules of `routes` that held, in their order."""
    for step in told.steps:
        if step.stage == "decide" and step.outcome == "matched" and step.rule is not None:
            yield step.rule


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule and where it stands."""

    section: str
    id: str
    path: Path


@dataclass(frozen=True, slots=True)
class Coverage:
    """The rules of a policy, and those that no case reached."""

    rules: tuple[Rule, ...]
    missed: tuple[Rule, ...]

    @property
    def percent(self) -> float:
        """Return how many of a hundred were reached; all of none."""
        return 100.0 if not self.rules else 100.0 * (len(self.rules) - len(self.missed)) / len(self.rules)


def cover(config: Config, told: Iterable[Explanation]) -> Coverage:
    """Return which rules decided or changed something in what the border did.

    A rule of `header_rules` counts for the sets that the agreements of both peers and the rules that held name: ids are
    unique within a set.
    """
    reached: set[tuple[str, str]] = set()
    rewrites = {route.id: route.rewrite.headers or () for route in config.routes if route.rewrite is not None}
    agreements = {agreement.id: agreement.header_rules for agreement in config.agreements}
    used = {peer.id: agreements[peer.agreement] for peer in config.peers}
    for one in told:
        reached |= {("", rule) for rule in matched_rules(one)}
        request = one.forwarded
        place = None if request is None else target_at(config, one.located, request.destination)
        peers = {one.peer, *(place or ())[:1]}
        sets = {name for peer in peers for name in (*used[peer].received, *used[peer].sent)}
        sets |= {name for rule in matched_rules(one) for name in rewrites.get(rule, ())}
        reached |= {(name, rule) for name in sets for rule in one.edits()}
    places = [
        (Rule("routes", route.id, ("routes", at, "id")), ("", route.id)) for at, route in enumerate(config.routes)
    ]
    places += [
        (Rule(f"header_rules {one.id}", rule.id, ("header_rules", at, "rules", position, "id")), (one.id, rule.id))
        for at, one in enumerate(config.header_rules)
        for position, rule in enumerate(one.rules)
    ]
    return Coverage(tuple(rule for rule, _ in places), tuple(rule for rule, key in places if key not in reached))
