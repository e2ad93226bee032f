"""What screening takes away and rules still ask for: warnings of `ibcf check`."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ibcf.config import Config
    from ibcf.config.agreements import Agreement
    from ibcf.config.match import Match
    from ibcf.config.tree import Path

    Finding = tuple[Path, str]


def needed_headers(config: Config) -> Iterator[Finding]:
    """Yield the rules that need a header which no message has behind screening."""
    yield from _edits(config)
    agreements = {agreement.id: agreement for agreement in config.agreements}
    for at, route in enumerate(config.routes):
        senders = [
            agreements[peer.agreement]
            for peer in config.peers
            if (route.match.peer is None or peer.id in route.match.peer)
            and (route.match.side is None or peer.side == route.match.side)
            and (route.match.direction is None or (peer.side == "home") == (route.match.direction == "exit"))
        ]
        for path, name in _headers(route.match, ("routes", at, "match")):
            if by := _taken_by(senders, name):
                yield path, f"never there: screening of {by} takes {name} away"


def useless_types(config: Config) -> Iterator[Finding]:
    """Yield the types of bodies that are allowed where no body is."""
    for at, agreement in enumerate(config.agreements):
        if agreement.screening is not None and agreement.screening.bodies.allow and agreement.body_size_max == 0:
            path = ("agreements", at, "screening", "bodies", "allow")
            yield path, "no body passes: body_size_max is 0B"


def _edits(config: Config) -> Iterator[Finding]:
    for at, rule_set in enumerate(config.header_rules):
        users = [
            agreement
            for agreement in config.agreements
            if rule_set.id in (*agreement.header_rules.received, *agreement.header_rules.sent)
        ]
        written: set[str] = set()
        for position, rule in enumerate(rule_set.rules):
            is_made = rule.add is not None or rule.set is not None or rule.edited.lower() in written
            if not is_made and (by := _taken_by(users, rule.edited)):
                path = ("header_rules", at, "rules", position, "id")
                yield path, f"never changes anything: screening of {by} takes {rule.edited} away before"
            if rule.written is not None:
                written.add(rule.written.lower())


def _taken_by(agreements: list[Agreement], name: str) -> str:
    """Return the agreements in words, if each of them takes the header *name* away; else nothing."""
    if not agreements or not all(_takes(agreement, name) for agreement in agreements):
        return ""
    return " and ".join(f'"{name}"' for name in sorted({agreement.id for agreement in agreements}))


def _takes(agreement: Agreement, name: str) -> bool:
    if agreement.screening is None:
        return False
    headers = agreement.screening.headers
    return name.lower() in {taken.lower() for taken in (*headers.remove, *headers.refuse)}


def _headers(match: Match, path: Path) -> Iterator[tuple[Path, str]]:
    """Yield the headers that must be there for *match* to hold; what stands below `not` or `any` need not."""
    for at, header in enumerate(match.header or ()):
        if header.present is not False:
            yield (*path, "header", at, "name"), header.name
    for at, inner in enumerate(match.all or ()):
        yield from _headers(inner, (*path, "all", at))
