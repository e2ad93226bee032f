"""Which rules of routing can never decide, because an earlier one takes all that they would match.

A policy may hold tens of thousands of rules, so not every pair is compared: an earlier rule is kept under one of its
conditions, and only those are looked at whose condition the later rule could be inside of.
"""

from __future__ import annotations

from collections import defaultdict
from itertools import accumulate
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ibcf.config.routes import Match, Route


def unreachable(routes: Sequence[Route]) -> Iterator[tuple[int, int]]:
    """Yield the position of each rule that is never reached, with that of the first rule that stands in its way."""
    lookups = list(accumulate((route.enum is not None for route in routes), initial=0))
    earlier = _Earlier()
    for at, route in enumerate(routes):
        found = [
            before
            for before in earlier.candidates(route.match)
            if _shadows(routes[before].match, route.match, looked_up_between=lookups[at] > lookups[before])
        ]
        if found:
            yield at, min(found)  # and what it would shadow itself, the other one shadows too
        elif route.enum is None:  # a look-up goes on with the next rule: it stands in nobody's way
            earlier.add(at, route.match)


class _Earlier:
    """The rules so far, each under the names of one of its conditions."""

    def __init__(self) -> None:
        self.places: defaultdict[tuple[str, str], list[int]] = defaultdict(list)

    def add(self, at: int, match: Match) -> None:
        """Keep a rule: by its domains, else by its prefixes, else by its peers, else with those that have none."""
        if match.domain:
            keys = [("domain", name.lower()) for name in match.domain]
        elif match.number_prefix:
            keys = [("prefix", prefix) for prefix in match.number_prefix]
        else:
            keys = [("peer", peer) for peer in match.peer or ("",)]
        for key in keys:
            self.places[key].append(at)

    def candidates(self, match: Match) -> set[int]:
        """Return the rules that could take all that *match* would: one value of each condition tells."""
        keys = [("peer", "")]
        if match.domain:
            name = match.domain[0].lower()
            labels = name.split(".")
            keys += [("domain", name), *(("domain", ".".join(["*", *labels[at:]])) for at in range(1, len(labels)))]
        if match.number_prefix:
            prefix = match.number_prefix[0]
            keys += [("prefix", prefix[:length]) for length in range(2, len(prefix) + 1)]
        if match.peer:
            keys.append(("peer", match.peer[0]))
        return {at for key in keys for at in self.places.get(key, ())}


def _shadows(wide: Match, narrow: Match, *, looked_up_between: bool) -> bool:
    """Tell whether the rule of *wide* decides whatever the later rule of *narrow* could match."""
    if looked_up_between and (wide.domain or wide.scheme or wide.enum or wide.number_prefix):
        return False  # the look-up changes what these are compared with
    return (
        wide.direction in {None, narrow.direction}
        and _holds(wide.peer, narrow.peer)
        and _holds(wide.method, narrow.method)
        and _holds(wide.scheme, narrow.scheme)
        and _holds(wide.enum, narrow.enum)
        and _all_begin(wide.number_prefix, narrow.number_prefix)
        and _all_below(wide.domain, narrow.domain)
    )


def _holds(wide: tuple[str, ...] | None, narrow: tuple[str, ...] | None) -> bool:
    return wide is None or (narrow is not None and set(narrow) <= set(wide))


def _all_begin(wide: tuple[str, ...] | None, narrow: tuple[str, ...] | None) -> bool:
    return wide is None or (narrow is not None and all(prefix.startswith(wide) for prefix in narrow))


def _all_below(wide: tuple[str, ...] | None, narrow: tuple[str, ...] | None) -> bool:
    if wide is None:
        return True
    names = {name.lower() for name in wide}
    below = tuple(name[1:] for name in names if name.startswith("*."))
    return narrow is not None and all(name.lower() in names or name.lower().endswith(below) for name in narrow)
