"""Section `sets`: matchers under a name, for rules that ask the same."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from ibcf.config.match import Match
from ibcf.config.section import Section
from ibcf.config.values import Id

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from ibcf.config.configuration import Config
    from ibcf.config.fault import Fault
    from ibcf.config.tree import Path, Tree


MATCHES_MAX = 1_000
"""In one set, with those in it: sets of sets could grow without end."""


class NamedSet(Section):
    """Matchers that rules name instead of repeating them."""

    id: Id
    """What rules name, with `set`."""
    match: Match
    """What holds for a request that is in the set."""


def inner_matches(match: Match) -> Iterator[Match]:
    """Yield what stands in `all`, `any` and `not` of *match*."""
    yield from match.all or ()
    yield from match.any or ()
    if match.not_ is not None:
        yield match.not_


def named_sets(matches: Iterable[Match]) -> Iterator[str]:
    """Yield the sets that *matches* name, at any depth."""
    for match in matches:
        yield from match.set or ()
        yield from named_sets(inner_matches(match))


def check_sets(tree: Tree) -> Iterator[Fault]:
    """Yield a fault for each circle of sets, or else for each set that is too much when it is written out."""
    places = {value: path for path, value in tree.find("sets", "*", "id") if isinstance(value, str)}
    named = {name: list(_named(tree, (*path[:-1], "match"))) for name, path in places.items()}
    circles = {min(way): way for name in named if (way := _way_back(name, named))}
    for name, way in circles.items():
        yield tree.fault(places[name], f"goes round: {' asks for '.join((*way, way[0]))}")
    if circles:
        return
    sizes: dict[str, int] = {}
    for name in named:
        if _size(name, named, sizes) > MATCHES_MAX:
            yield tree.fault(places[name], f"is more than {MATCHES_MAX:,} matchers when the sets in it are written out")


def _size(name: str, named: Mapping[str, list[str]], sizes: dict[str, int]) -> int:
    if name not in sizes:
        inner = sum(_size(following, named, sizes) for following in named.get(name, ()))
        sizes[name] = min(1 + inner, MATCHES_MAX + 1)
    return sizes[name]


def _named(tree: Tree, path: Path) -> Iterator[str]:
    for _, value in tree.find("set", "*", at=path):
        if isinstance(value, str):
            yield value
    for inner in (("all", "*"), ("any", "*"), ("not",)):
        for found, _ in tree.find(*inner, at=path):
            yield from _named(tree, found)


def _way_back(name: str, named: Mapping[str, list[str]]) -> tuple[str, ...]:
    """Return the sets on a shortest way from *name* to itself, or nothing."""
    before: dict[str, str] = {}
    waiting = deque([name])
    while waiting:
        here = waiting.popleft()
        for following in named.get(here, ()):
            if following not in before:
                before[following] = here
                waiting.append(following)
    way = [name] if name in before else []
    while way and before[way[0]] != name:
        way.insert(0, before[way[0]])
    return (name, *way[:-1]) if way else ()


def expanded(config: Config) -> Config:
    """Return *config* with what its rules ask of sets written out; it must be free of faults."""
    if not config.sets:
        return config
    matches = {one.id: one.match for one in config.sets}
    routes = tuple(
        route.model_copy(update={"match": _expand(route.match, matches)}) if any(named_sets([route.match])) else route
        for route in config.routes
    )
    return config.model_copy(update={"routes": routes})


def _expand(match: Match, sets: Mapping[str, Match]) -> Match:
    update: dict[str, object] = {
        name: tuple(_expand(inner, sets) for inner in getattr(match, name))
        for name in ("all", "any")
        if getattr(match, name)
    }
    if match.not_ is not None:
        update["not_"] = _expand(match.not_, sets)
    match = match.model_copy(update=update)
    members = [_expand(sets[name], sets) for name in match.set or ()]
    if not members:
        return match
    return _both(match, members[0] if len(members) == 1 else Match(any=tuple(members)))


def _both(match: Match, other: Match) -> Match:
    """Return what holds when both do: in one piece where it can be, since only that is found through tables."""
    asked = {
        name: getattr(other, name) for name in other.model_fields_set - {"set"} if getattr(other, name) is not None
    }
    if all(getattr(match, name) is None for name in asked):
        return match.model_copy(update=asked)
    return match.model_copy(update={"all": (*(match.all or ()), other)})
