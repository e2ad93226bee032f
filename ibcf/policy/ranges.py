"""Ranges of numbers that overlap between rules, and small gaps between ranges: mostly slips of the pen."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ibcf.config.match import Match
    from ibcf.config.routes import Route
    from ibcf.config.tree import Path

NAMES = ("number_range", "calling_range")
GAP_MAX = 0.05
"""A gap is odd when it is at most so large a part of the smaller one of its neighbours."""


@dataclass(frozen=True, slots=True, order=True)
class _Range:
    digits: int
    first: str
    last: str
    rule: int
    path: Path


def overlaps(routes: Sequence[Route]) -> Iterator[tuple[Path, str]]:
    """Yield each range that shares numbers with one of an earlier rule which looks at nothing else that differs.

    A range that lies in an earlier one altogether is none of them: its rule is never reached, which is told as such.
    """
    for name in NAMES:
        begun: list[_Range] = []
        for one in _ranges(routes, name):
            begun = [other for other in begun if other.digits == one.digits and other.last >= one.first]
            for other in begun:
                earlier, later = sorted((other, one), key=lambda found: found.rule)
                is_inside = earlier.first <= later.first and later.last <= earlier.last
                is_apart = earlier.rule == later.rule or is_inside
                if not is_apart and _alike(routes[earlier.rule].match, routes[later.rule].match, name):
                    shared = _shown(one.first, min(other.last, one.last))
                    yield later.path, f'"{routes[earlier.rule].id}" takes {shared} before it'
            begun.append(one)


def gaps(routes: Sequence[Route]) -> Iterator[tuple[Path, str]]:
    """Yield each small gap between two ranges of one rule, or of two rules that differ in nothing else."""
    for name in NAMES:
        for before, behind in pairwise(_ranges(routes, name)):
            missing = int(behind.first) - int(before.last) - 1
            smaller = min(int(one.last) - int(one.first) for one in (before, behind)) + 1
            if before.digits != behind.digits or not 0 < missing <= smaller * GAP_MAX:
                continue
            if _alike(routes[before.rule].match, routes[behind.rule].match, name):
                digits = before.digits - 1  # less the +
                ends = (f"+{number:0{digits}}" for number in (int(before.last) + 1, int(behind.first) - 1))
                yield behind.path, f"{_shown(*ends)} before it is in no range: is it meant?"


def _ranges(routes: Sequence[Route], name: str) -> list[_Range]:
    return sorted(
        _Range(len(first), first, last, at, ("routes", at, "match", name, position))
        for at, route in enumerate(routes)
        for position, (first, last) in enumerate(getattr(route.match, name) or ())
    )


def _shown(first: str, last: str) -> str:
    return first if first == last else f"{first}-{last}"


def _alike(one: Match, other: Match, name: str) -> bool:
    """Do two rules look at the same besides that matcher?"""
    return one.model_dump(exclude={name}, exclude_none=True) == other.model_dump(exclude={name}, exclude_none=True)
