"""Which rules of routing can never decide, because an earlier one takes all that they would match.

A policy may hold tens of thousands of rules, so not every pair is compared: an earlier rule is kept under one of its
conditions, and only those are looked at whose condition the later rule could be inside of.
"""

from __future__ import annotations

from collections import defaultdict
from itertools import accumulate
from typing import TYPE_CHECKING, Any

from ibcf.config.match import given
from ibcf.config.sets import inner_matches

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from ibcf.config.match import Match
    from ibcf.config.routes import Route


def unreachable(routes: Sequence[Route]) -> Iterator[tuple[int, int]]:
    """Yield the position of each rule that is never reached, with that of the first rule that stands in its way."""
    lookups = list(accumulate((route.enum is not None or route.hook is not None for route in routes), initial=0))
    rewrites = list(accumulate((route.rewrite is not None or route.hook is not None for route in routes), initial=0))
    earlier = _Earlier()
    for at, route in enumerate(routes):
        found = [
            before
            for before in earlier.candidates(route.match)
            if _shadows(
                routes[before].match,
                route.match,
                changed=(
                    *(TARGET if lookups[at] > lookups[before] or rewrites[at] > rewrites[before] else ()),
                    *(NUMBER if rewrites[at] > rewrites[before] else ()),
                ),
            )
        ]
        if found:
            yield at, min(found)  # and what it would shadow itself, the other one shadows too
        elif not route.goes_on:  # then it stands in nobody's way
            earlier.add(at, route.match)


def may_meet(one: Match, other: Match) -> bool:
    """Tell whether a request could be matched by both, but for the peer that it comes from; `False` when unsure."""
    for name, meets in (("number_prefix", _begin_alike), ("domain", _share), ("method", _share), ("scheme", _share)):
        here, there = getattr(one, name), getattr(other, name)
        if here is not None and there is not None and not meets(here, there):
            return False
    compared = {"peer", "side", "direction", "listener", "number_prefix", "domain", "method", "scheme"}
    return one.model_dump(exclude=compared, exclude_none=True) == other.model_dump(exclude=compared, exclude_none=True)


def _begin_alike(one: tuple[str, ...], other: tuple[str, ...]) -> bool:
    return any(here.startswith(there) or there.startswith(here) for here in one for there in other)


def _share(one: tuple[str, ...], other: tuple[str, ...]) -> bool:
    return not set(one).isdisjoint(other)


_KEYS = ("number_list", "calling_list", "user", "peer")
"""Matchers of which a rule has few values and other rules have others: one of a later rule has to be among them."""
_OTHERS = ("", "")


class _Earlier:
    """The rules so far, each under the names of one of its conditions."""

    def __init__(self) -> None:
        self.places: defaultdict[tuple[str, object], list[int]] = defaultdict(list)

    def add(self, at: int, match: Match) -> None:
        """Keep a rule: by its domains, else by its prefixes, else by what is first of `_KEYS`, else with the others."""
        keys: list[tuple[str, object]]
        if match.domain:
            keys = [("domain", name.lower()) for name in match.domain]
        elif match.number_prefix:
            keys = [("prefix", prefix) for prefix in match.number_prefix]
        else:
            name = next((name for name in _KEYS if getattr(match, name)), None)
            keys = [(name, value) for value in getattr(match, name)] if name else [_OTHERS]
        for key in keys:
            self.places[key].append(at)

    def candidates(self, match: Match) -> set[int]:
        """Return the rules that could take all that *match* would: one value of each condition tells."""
        keys: list[tuple[str, object]] = [_OTHERS]
        if match.domain:
            name = match.domain[0].lower()
            labels = name.split(".")
            keys += [("domain", name), *(("domain", ".".join(["*", *labels[at:]])) for at in range(1, len(labels)))]
        if match.number_prefix:
            prefix = match.number_prefix[0]
            keys += [("prefix", prefix[:length]) for length in range(2, len(prefix) + 1)]
        keys += [(name, getattr(match, name)[0]) for name in _KEYS if getattr(match, name)]
        return {at for key in keys for at in self.places.get(key, ())}


def _shadows(wide: Match, narrow: Match, *, changed: tuple[str, ...]) -> bool:
    """Tell whether the rule of *wide* decides whatever the later rule of *narrow* could match.

    What the *changed* matchers look at is another one for the later rule.
    """
    if _reads(wide, changed):
        return False
    asked = given(wide)
    of_narrow = given(narrow)
    return all(
        name in of_narrow and _COMPARISONS.get(name, _same)(value, of_narrow[name])
        for name, value in asked.items()
        if value is not None
    )


def _reads(match: Match, names: tuple[str, ...]) -> bool:
    """Has it, or one inside of it, one of these matchers?"""
    is_asked = any(getattr(match, name) is not None for name in names)
    return is_asked or any(_reads(one, names) for one in inner_matches(match))


TARGET = ("domain", "scheme", "user", "iotl", "emergency", "enum", "number_prefix")
"""Matchers whose value is another one behind a look-up or a hook; of the number, whether there is one."""
NUMBER = ("number_range", "number_length", "number_list")
"""The same behind a rewrite or a hook."""


def _same(wide: object, narrow: object) -> bool:
    return wide == narrow


def _one_of_them(wide: tuple[object, ...], narrow: tuple[object, ...] | None) -> bool:
    return narrow is not None and all(value in wide for value in narrow)


def _all_of_them(wide: tuple[object, ...], narrow: tuple[object, ...] | None) -> bool:
    return narrow is not None and all(value in narrow for value in wide)


def _within(wide: tuple[int, int], narrow: tuple[int, int] | None) -> bool:
    return narrow is not None and wide[0] <= narrow[0] and narrow[1] <= wide[1]


def _at_least(wide: float, narrow: float | None) -> bool:
    return narrow is not None and wide >= narrow


def _inside(wide: tuple[tuple[str, str], ...], narrow: tuple[tuple[str, str], ...] | None) -> bool:
    def is_inside(inner: tuple[str, str]) -> bool:
        return any(len(first) == len(inner[0]) and first <= inner[0] and inner[1] <= last for first, last in wide)

    return narrow is not None and all(map(is_inside, narrow))


def _all_begin(wide: tuple[str, ...], narrow: tuple[str, ...] | None) -> bool:
    return narrow is not None and all(prefix.startswith(wide) for prefix in narrow)


def _all_below(wide: tuple[str, ...], narrow: tuple[str, ...] | None) -> bool:
    names = {name.lower() for name in wide}
    below = tuple(name[1:] for name in names if name.startswith("*."))
    return narrow is not None and all(name.lower() in names or name.lower().endswith(below) for name in narrow)


_COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    **dict.fromkeys(
        ("peer", "listener", "transport", "method", "scheme", "user", "number_list", "calling_list", "body_type"),
        _one_of_them,
    ),
    **dict.fromkeys(("media", "codec", "option_tag", "resource_priority", "enum", "iotl", "time", "any"), _one_of_them),
    **dict.fromkeys(("header", "all"), _all_of_them),
    **dict.fromkeys(("number_length", "calling_length"), _within),
    **dict.fromkeys(("number_range", "calling_range"), _inside),
    **dict.fromkeys(("number_prefix", "calling_prefix"), _all_begin),
    "domain": _all_below,
    "percentage": _at_least,
}
"""When a matcher holds whenever another of the same name does; those that are not here, when both are the same."""
