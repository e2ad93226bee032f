"""What one part of the file says about another: ids, networks, addresses.

Works on the plain values and not on the models, so that these faults are told in the same run as those of the parts.
A value that is broken in itself is passed over here; its section tells.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ibcf.boundary import decode_reasons
from ibcf.config.fault import unknown
from ibcf.config.listeners import TRANSPORTS
from ibcf.config.sets import check_sets
from ibcf.config.tree import render
from ibcf.config.values import HostPort, parse_bind_address, parse_network

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from ipaddress import IPv4Network, IPv6Network

    from ibcf.config.fault import Fault
    from ibcf.config.tree import Path, Tree


@dataclass(frozen=True, slots=True)
class _Reference:
    kind: str
    """What is named, for the text of the fault."""
    section: str
    """Where it must stand."""
    places: tuple[tuple[str, ...], ...]
    """Where it is named."""


_REFERENCES = (
    _Reference("agreement", "agreements", (("peers", "*", "agreement"),)),
    _Reference("listener", "listeners", (("peers", "*", "listeners", "*"),)),
    _Reference("certificate", "tls", (("listeners", "*", "tls"),)),
    _Reference("peer", "peers", (("routes", "*", "to", "*", "peer"),)),
    _Reference("enum service", "enum", (("routes", "*", "enum"),)),
    _Reference("list", "lists", (("emergency", "lists", "*"), ("emergency", "lists", "*", "list"))),
    _Reference("limiter", "limiters", (("routes", "*", "limit"),)),
    _Reference(
        "header rule set",
        "header_rules",
        (
            ("agreements", "*", "header_rules", "received", "*"),
            ("agreements", "*", "header_rules", "sent", "*"),
            ("routes", "*", "rewrite", "headers", "*"),
        ),
    ),
)

# The same in matchers, at any depth of `all`, `any` and `not`.
_MATCHERS = (
    _Reference("set", "sets", (("set", "*"),)),
    _Reference("peer", "peers", (("peer", "*"),)),
    _Reference("listener", "listeners", (("listener", "*"),)),
    _Reference(
        "list",
        "lists",
        (("number_list", "*"), ("number_list", "*", "list"), ("calling_list", "*"), ("calling_list", "*", "list")),
    ),
)

# Where ids stand and within what each must be unique: `@` is one parent at a time.
_UNIQUE = (
    ("keys", "*"),
    ("tls", "*"),
    ("listeners", "*"),
    ("agreements", "*"),
    ("peers", "*"),
    ("peers", "@", "targets", "*"),
    ("header_rules", "*"),
    ("header_rules", "@", "rules", "*"),
    ("lists", "*"),
    ("sets", "*"),
    ("enum", "*"),
    ("limiters", "*"),
    ("patterns", "*"),
    ("routes", "*"),
)


def check_references(tree: Tree, *, reasons: Collection[str] | None) -> Iterator[Fault]:
    """Yield every fault between parts; *reasons* are the ids of the catalogue, `None` when it is not at hand."""
    yield from _repeated_ids(tree)
    yield from _unknown_ids(tree)
    yield from _unknown_ids_of_matchers(tree)
    yield from check_sets(tree)
    yield from _overlapping_sources(tree)
    yield from _repeated_addresses(tree)
    yield from _wrong_listeners(tree)
    yield from _untraceable(tree)
    if reasons is not None:
        for place in (("reject", "reason"), ("hook", "reject", "reason")):
            for path, value in tree.find("routes", "*", *place):
                if isinstance(value, str) and value not in reasons:
                    yield tree.fault(path, unknown("reason", value, reasons))


def _parents(tree: Tree, pattern: tuple[str, ...]) -> Iterator[tuple[Path, object]]:
    """Yield the lists that *pattern* means, each with its path."""
    if "@" not in pattern:
        yield from tree.find(*pattern[:-1])
        return
    at = pattern.index("@")
    for path, value in tree.find(*pattern[:at], "*"):
        if isinstance(value, dict):
            name = pattern[at + 1]
            yield (*path, name), value.get(name)


def _repeated_ids(tree: Tree) -> Iterator[Fault]:
    for pattern in _UNIQUE:
        for path, items in _parents(tree, pattern):
            if not isinstance(items, tuple):
                continue
            first: dict[object, Path] = {}
            for at, item in enumerate(items):
                name = item.get("id") if isinstance(item, dict) else None
                if not isinstance(name, str | int):
                    continue
                if name in first:
                    here = (*path, at, "id")
                    line = tree.fault(first[name], "").line
                    yield tree.fault(here, f'"{name}" stands twice (first in line {line})')
                first.setdefault(name, (*path, at, "id"))


def _ids(tree: Tree, section: str) -> set[str]:
    return {value for _, value in tree.find(section, "*", "id") if isinstance(value, str)}


def _unknown_ids(tree: Tree) -> Iterator[Fault]:
    for reference in _REFERENCES:
        known = _ids(tree, reference.section)
        for place in reference.places:
            for path, value in tree.find(*place):
                if isinstance(value, str) and value not in known:
                    yield tree.fault(path, unknown(reference.kind, value, known))


def _unknown_ids_of_matchers(tree: Tree) -> Iterator[Fault]:
    known = {reference.section: _ids(tree, reference.section) for reference in _MATCHERS}
    waiting = [path for section in ("routes", "sets") for path, _ in tree.find(section, "*", "match")]
    while waiting:
        path = waiting.pop()
        inner = (*tree.find("all", "*", at=path), *tree.find("any", "*", at=path), *tree.find("not", at=path))
        waiting += [found for found, _ in inner]
        for reference in _MATCHERS:
            for place in reference.places:
                for found, value in tree.find(*place, at=path):
                    if isinstance(value, str) and value not in known[reference.section]:
                        yield tree.fault(found, unknown(reference.kind, value, known[reference.section]))


def _overlapping_sources(tree: Tree) -> Iterator[Fault]:
    networks: list[tuple[IPv4Network | IPv6Network, int, Path]] = []
    for path, value in tree.find("peers", "*", "sources", "*"):
        peer = path[1]
        try:
            network = parse_network(value)
        except ValueError:
            continue
        if isinstance(peer, int):
            networks.append((network, peer, path))
    # Sorted by first address, then the wider first: whatever overlaps has the wider one on the stack of open networks.
    networks.sort(key=lambda entry: (entry[0].version, int(entry[0].network_address), entry[0].prefixlen, entry[1]))
    enclosing: list[tuple[IPv4Network | IPv6Network, int, Path]] = []
    for network, peer, path in networks:
        while enclosing and (
            enclosing[-1][0].version != network.version
            or int(enclosing[-1][0].broadcast_address) < int(network.network_address)
        ):
            enclosing.pop()
        for other, owner, place in enclosing:
            if owner != peer:
                name = tree.get(("peers", owner, "id"))
                problem = f'{network} overlaps {other} of peer "{name}" ({render(place)}): who sends must be clear'
                yield tree.fault(path, problem)
                break
        enclosing.append((network, peer, path))


def _address(value: object) -> HostPort | None:
    try:
        return parse_bind_address(value)
    except ValueError:
        return None


def _repeated_addresses(tree: Tree) -> Iterator[Fault]:
    first: dict[tuple[HostPort, bool], Path] = {}
    for path, value in tree.find("listeners", "*", "address"):
        place = _address(value)
        if place is None or place.port == 0:
            continue
        key = (place, tree.get((*path[:-1], "transport")) == "udp")  # the ports of UDP and TCP are different ones
        if key in first:
            yield tree.fault(path, f"{place} is bound by {render(first[key][:-1])} already")
        first.setdefault(key, path)


def _wrong_listeners(tree: Tree) -> Iterator[Fault]:
    listeners: dict[object, dict[str, object]] = {
        item["id"]: item
        for _, item in tree.find("listeners", "*")
        if isinstance(item, dict) and isinstance(item.get("id"), str)
    }
    for path, peer in tree.find("peers", "*"):
        if isinstance(peer, dict):
            yield from _listeners_of_the_other_side(tree, path, peer, listeners)
            yield from _unreachable_targets(tree, path, peer, listeners)
            yield from _unlocatable(tree, path, peer, listeners)


def _names(peer: dict[str, object]) -> Iterator[tuple[Path, object]]:
    named = peer.get("listeners")
    if isinstance(named, tuple):
        yield from ((("listeners", at), name) for at, name in enumerate(named))
    else:
        yield ("listeners",), named


def _listeners_of_the_other_side(
    tree: Tree, path: Path, peer: dict[str, object], listeners: dict[object, dict[str, object]]
) -> Iterator[Fault]:
    for place, name in _names(peer):
        if not isinstance(name, str) or name not in listeners:
            continue
        sides = (peer.get("side"), listeners[name].get("side"))
        if sides in (("home", "peer"), ("peer", "home")):
            problem = f'listener "{name}" faces side {sides[1]}, but the peer is of side {sides[0]}'
            yield tree.fault((*path, *place), problem)
        if listeners[name].get("transport") == "tls" and "tls" not in peer:
            yield tree.fault((*path, *place), f'listener "{name}" is tls, so the peer needs a section tls of its own')


def _unreachable_targets(
    tree: Tree, path: Path, peer: dict[str, object], listeners: dict[object, dict[str, object]]
) -> Iterator[Fault]:
    own = [listeners[name] for _, name in _names(peer) if isinstance(name, str) and name in listeners]
    bound = [(listener.get("transport"), _address(listener.get("address"))) for listener in own]
    if len(own) < sum(1 for _ in _names(peer)) or any(address is None for _, address in bound):
        return  # told elsewhere
    reached = {(transport, address.address.version) for transport, address in bound if address is not None}
    targets = peer.get("targets")
    for at, target in enumerate(targets if isinstance(targets, tuple) else ()):
        place = _address(target.get("address")) if isinstance(target, dict) else None
        if place is None:
            continue
        wanted = (target.get("transport", "udp"), place.address.version)
        if wanted not in reached:
            ways = ", ".join(sorted(f"{transport} over IPv{version}" for transport, version in reached))
            problem = f"{wanted[0]} over IPv{wanted[1]}, but the listeners of the peer are {ways}"
            yield tree.fault((*path, "targets", at, "address"), problem)


def _unlocatable(
    tree: Tree, path: Path, peer: dict[str, object], listeners: dict[object, dict[str, object]]
) -> Iterator[Fault]:
    located = next((name for name in ("domain", "locate") if name in peer), None)
    if located is None:
        return
    locator = tree.get(("locator",))
    if locator is None:
        yield tree.fault((*path, located), "needs the section locator, which says where to look it up")
    named = [name for _, name in _names(peer)]
    if not all(isinstance(name, str) and name in listeners for name in named):
        return  # told elsewhere
    own = [listeners[name] for name in named]
    spoken = {listener.get("transport") for listener in own}
    transport = peer.get("transport")
    if transport in TRANSPORTS and transport not in spoken:
        ways = ", ".join(sorted(str(way) for way in spoken))
        yield tree.fault((*path, "transport"), f"{transport}, but the listeners of the peer are {ways}")
    bound = [_address(listener.get("address")) for listener in own]
    reached = {f"ipv{place.address.version}" for place in bound if place is not None}
    families = locator.get("families") if isinstance(locator, dict) else None
    named_families = families if isinstance(families, tuple) else (families,)
    asked = {name for name in named_families if name in ("ipv4", "ipv6")}
    if reached and asked and not reached & asked:
        problem = f"the listeners of the peer are {', '.join(sorted(reached))}, but locator.families has none of these"
        yield tree.fault((*path, located), problem)


def _untraceable(tree: Tree) -> Iterator[Fault]:
    if tree.get(("trace",)) is None:
        for path, _ in tree.find("routes", "*", "mirror"):
            yield tree.fault(path, "needs the section trace, which says where the messages go")


def known_reasons() -> Collection[str] | None:
    """Return the ids of the catalogue, or `None` where the compiled core is not at hand (pure unit tests, docs)."""
    try:
        from ibcf import _core  # noqa: PLC0415  # a broken or missing build must not keep `check` from the rest
    except ImportError:
        return None
    return [reason.id for reason in decode_reasons(_core.reasons())]
