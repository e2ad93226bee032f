"""`extends`: an agreement that is as another one, but for what it says itself.

Done on the plain values before anything is checked, so that what is taken over is checked like what is written, and its
faults stand where it stands.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ibcf.config.fault import unknown

if TYPE_CHECKING:
    from ibcf.config.fault import Fault
    from ibcf.config.tree import Path, Tree

SECTION = "agreements"
KEY = "extends"
_OWN = ("id", KEY)
"""Not taken over."""


def extend(tree: Tree) -> list[Fault]:
    """Complete each agreement of *tree* that extends another one; returns what is wrong with that."""
    items = tree.get((SECTION,))
    if not isinstance(items, tuple):
        return []
    places: dict[object, int] = {}
    for at, item in enumerate(items):
        if isinstance(item, dict):
            places.setdefault(item.get("id"), at)
    faults: list[Fault] = []
    done: set[int] = set()
    for at, item in enumerate(items):
        if isinstance(item, dict) and isinstance(item.get(KEY), str):
            faults += _complete(tree, at, places, done, ())
    return faults


def _complete(tree: Tree, at: int, places: dict[object, int], done: set[int], way: tuple[int, ...]) -> list[Fault]:
    item = tree.get((SECTION, at))
    if at in done or not isinstance(item, dict) or not isinstance(item.get(KEY), str):
        return []
    path = (SECTION, at, KEY)
    if at in way:
        ids = [str(tree.get((SECTION, place, "id"))) for place in (*way[way.index(at) :], at)]
        done.update(way)
        return [tree.fault(path, f"goes round: {' extends '.join(ids)}")]
    base = places.get(item[KEY])
    if base is None:
        done.add(at)
        return [tree.fault(path, unknown("agreement", item[KEY], [str(name) for name in places]))]
    faults = _complete(tree, base, places, done, (*way, at))
    done.add(at)
    of_base = tree.get((SECTION, base))
    if isinstance(of_base, dict) and not faults:
        _take_over(tree, (SECTION, base), of_base, (SECTION, at), item)
    return faults


def _take_over(tree: Tree, source: Path, base: dict[str, object], path: Path, values: dict[str, object]) -> None:
    """Put what *base* says into *values*, where they do not; mappings inside are completed, lists stay as they are."""
    for name, value in base.items():
        mine = values.get(name)
        if name in values and isinstance(mine, dict) and isinstance(value, dict):
            _take_over(tree, (*source, name), value, (*path, name), mine)
        elif name not in values and (len(path) > 2 or name not in _OWN):
            values[name] = value
            _point(tree, (*source, name), (*path, name))


def _point(tree: Tree, source: Path, path: Path) -> None:
    """Let faults in what was taken over stand where it stands."""
    for marks in (tree.values, tree.keys):
        marks.update({(*path, *at[len(source) :]): mark for at, mark in marks.items() if at[: len(source)] == source})
    tree.written.update(
        {(*path, *at[len(source) :]): text for at, text in tree.written.items() if at[: len(source)] == source}
    )
