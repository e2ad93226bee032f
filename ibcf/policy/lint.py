"""Looks a policy over for what is allowed and was hardly meant. Warnings, never faults: the border would start."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Protocol

from ibcf.config.certificates import chain_ends, list_ends
from ibcf.config.fault import suggestion
from ibcf.config.sets import inner_matches, named_sets
from ibcf.config.tls import read_pem
from ibcf.errors import NumberingError
from ibcf.numbering.zone import parse_zone
from ibcf.policy.ranges import gaps, overlaps
from ibcf.policy.reach import may_meet, unreachable
from ibcf.policy.rewrites import idle_rewrites
from ibcf.policy.screened import needed_headers, useless_types
from ibcf.policy.signatures import broken_signatures

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from ibcf.config import Config, Fault, Loaded
    from ibcf.config.header_rules import HeaderRule
    from ibcf.config.match import Match, NumberList
    from ibcf.config.tree import Path

    Finding = tuple[Path, str]  # where, and what is odd there

CERTIFICATE_DAYS_LEFT = timedelta(days=30)

METHODS = (
    *("INVITE", "ACK", "BYE", "CANCEL", "OPTIONS", "REGISTER", "PRACK", "UPDATE", "INFO", "MESSAGE", "REFER"),
    *("SUBSCRIBE", "NOTIFY", "PUBLISH"),
)
CALL_METHODS = ("ACK", "BYE", "CANCEL")


class Named(Protocol):
    """An item of a section that others name by its id."""

    @property
    def id(self) -> str:
        """Return its id."""
        ...


def lint(loaded: Loaded) -> list[Fault]:
    """Return what an operator should look at again, in the order of the file."""
    config = loaded.config
    checks = (
        *(_keys, _certificates, _agreements, _peers, _enum_services, _routes, _ranges, _returns, _loops, _lookups),
        *(_header_rules, broken_signatures, needed_headers, useless_types, idle_rewrites, _limits, _patterns, _unused),
    )
    findings = [finding for check in checks for finding in check(config)]
    return sorted(loaded.tree.fault(path, problem) for path, problem in findings)


def _certificates(config: Config) -> Iterator[Finding]:
    now = datetime.now(tz=UTC)
    for at, identity in enumerate(config.tls):
        end = chain_ends(read_pem(identity.certificate))
        if end is not None and end < now + CERTIFICATE_DAYS_LEFT:
            said = "expired" if end < now else "expires"
            yield ("tls", at, "certificate"), f"{said} on {end:%Y-%m-%d %H:%M} UTC: renew it, then reload"
    for at, peer in enumerate(config.peers):
        if peer.tls is None:
            continue
        end = chain_ends(read_pem(peer.tls.authorities))
        if end is not None and end < now + CERTIFICATE_DAYS_LEFT:
            problem = f'an authority of peer "{peer.id}" ends on {end:%Y-%m-%d %H:%M} UTC'
            yield ("peers", at, "tls", "authorities"), problem
        end = None if peer.tls.revocations is None else list_ends(read_pem(peer.tls.revocations))
        if end is not None and end < now:
            problem = f"out of date since {end:%Y-%m-%d %H:%M} UTC: what was revoked later is not in it"
            yield ("peers", at, "tls", "revocations"), problem


def _keys(config: Config) -> Iterator[Finding]:
    for at, key in enumerate(config.keys):
        if key.secret.generate:
            yield ("keys", at, "secret"), "made up at start: calls that are up do not survive a restart"


def _agreements(config: Config) -> Iterator[Finding]:
    for at, agreement in enumerate(config.agreements):
        for position, method in enumerate(agreement.methods):
            likely = suggestion(method, METHODS)
            if method not in METHODS and likely:
                yield ("agreements", at, "methods", position), f'no method of IMS; did you mean "{likely}"?'
        missing = [method for method in CALL_METHODS if method not in agreement.methods]
        if "INVITE" in agreement.methods and missing:
            yield ("agreements", at, "methods"), f"INVITE without {', '.join(missing)}: calls cannot be ended"


def _peers(config: Config) -> Iterator[Finding]:
    routed = {peer.peer for route in config.routes for peer in route.to or ()}
    for at, peer in enumerate(config.peers):
        limits = peer.limits
        lacking = [name for name in ("requests_per_second", "calls_max") if getattr(limits, name) is None]
        if lacking:
            yield ("peers", at, "limits"), f'peer "{peer.id}" has no {" and no ".join(lacking)}: it may take everything'
        if not peer.targets and not peer.is_located and peer.id in routed:
            yield ("peers", at, "targets"), f'peer "{peer.id}" has no targets, but routes send to it'


def _enum_services(config: Config) -> Iterator[Finding]:
    for at, service in enumerate(config.enum):
        if service.zone_file is None:
            continue
        try:
            parse_zone(service.zone_file.read_text(encoding="utf-8"), source=str(service.zone_file))
        except (OSError, UnicodeDecodeError, NumberingError) as error:
            yield ("enum", at, "zone_file"), f"every look-up will fail: {error}"


def _routes(config: Config) -> Iterator[Finding]:
    for at, before in unreachable(config.routes):
        yield ("routes", at, "id"), f'never reached: "{config.routes[before].id}" takes all that it would match'
    if not any(not route.goes_on and _is_catch_all(route.match) for route in config.routes):
        problem = "no last rule: what matches nothing is refused with decide.no_route; say so in a rule without match"
        yield ("routes", len(config.routes) - 1, "id"), problem


def _ranges(config: Config) -> Iterator[Finding]:
    yield from overlaps(config.routes)
    yield from gaps(config.routes)


def _returns(config: Config) -> Iterator[Finding]:
    """A request that goes back to where it came from goes round until its hops are used up."""
    sides = {peer.id: peer.side for peer in config.peers}
    for at, route in enumerate(config.routes):
        for position, choice in enumerate(route.to or ()):
            path = ("routes", at, "to", position, "peer")
            if route.match.peer is not None and choice.peer in route.match.peer:
                yield path, f'what came from "{choice.peer}" is sent back to it'
            elif route.match.direction == "exit" and sides[choice.peer] == "home" and route.match.peer is None:
                yield path, f'what our core sends out goes back to it: "{choice.peer}" is a peer of the side home'


def _loops(config: Config) -> Iterator[Finding]:
    """Two rules that send the same calls to and fro between two other networks: between ours and one, both call."""
    sides = {peer.id: peer.side for peer in config.peers}
    ways: dict[tuple[str, str], int] = {}
    for at, route in enumerate(config.routes):
        for position, choice in enumerate(route.to or ()):
            for sender in route.match.peer or ():
                if sides[sender] == "home" or sides[choice.peer] == "home":
                    continue
                back = ways.get((choice.peer, sender))
                if back is not None and may_meet(config.routes[back].match, route.match):
                    there = f'sends what came from "{sender}" to "{choice.peer}"'
                    yield (
                        ("routes", at, "to", position, "peer"),
                        f'{there}, and "{config.routes[back].id}" sends it back',
                    )
                ways.setdefault((sender, choice.peer), at)


def _header_rules(config: Config) -> Iterator[Finding]:
    """A rule that edits a header which a rule before it took away."""
    for at, one in enumerate(config.header_rules):
        removed: dict[str, str] = {}
        for position, rule in enumerate(one.rules):
            name = rule.edited.lower()
            if name in removed and rule.add is None and rule.set is None:
                path = ("header_rules", at, "rules", position, "id")
                yield path, f'never changes anything: "{removed[name]}" before it removes {rule.edited}'
            elif (rule.remove is not None or rule.rename is not None) and _is_for_all(rule):
                removed[name] = rule.id
            if rule.written is not None:
                removed.pop(rule.written.lower(), None)


def _is_for_all(rule: HeaderRule) -> bool:
    return rule.on == "any" and not (rule.methods or rule.statuses or rule.values)


def _lookups(config: Config) -> Iterator[Finding]:
    looked_up = False
    for at, route in enumerate(config.routes):
        if route.match.enum is not None and not looked_up:
            yield ("routes", at, "match", "enum"), "never matches: no rule before it looks a number up"
        if route.enum is None:
            continue
        looked_up = True
        if not any(_tests_failure(later.match) for later in config.routes[at + 1 :]):
            problem = "no later rule says what happens when the number is not found, or the look-up failed"
            yield ("routes", at, "enum"), problem


def _tests_failure(match: Match) -> bool:
    return match.enum is not None and set(match.enum) != {"found"}


def _limits(config: Config) -> Iterator[Finding]:
    """A rule whose limiter counts nothing of what it matches."""
    limiters = {limiter.id: limiter for limiter in config.limiters}
    for at, route in enumerate(config.routes):
        if route.limit is None:
            continue
        limiter = limiters[route.limit]
        if limiter.rate is None and route.match.method is not None and "INVITE" not in route.match.method:
            methods = ", ".join(route.match.method)
            problem = f'limits nothing: "{limiter.id}" counts calls, and {methods} makes none; give it a rate'
            yield ("routes", at, "limit"), problem


def _patterns(config: Config) -> Iterator[Finding]:
    """A pattern of calls that no rule tags."""
    tags = {route.tag for route in config.routes}
    for at, pattern in enumerate(config.patterns):
        if pattern.tag is not None and pattern.tag not in tags:
            yield ("patterns", at, "tag"), f'never found: no rule gives the tag "{pattern.tag}"'


def _unused(config: Config) -> Iterator[Finding]:
    rules = [agreement.header_rules for agreement in config.agreements]
    edits = {name for rule in rules for name in (*rule.received, *rule.sent)}
    edits |= {name for route in config.routes if route.rewrite for name in route.rewrite.headers or ()}
    matches = [*(route.match for route in config.routes), *(one.match for one in config.sets)]
    lists = {name for match in matches for name in _lists(match)}
    sections: tuple[tuple[str, Sequence[Named], set[str], str], ...] = (
        ("agreements", config.agreements, {peer.agreement for peer in config.peers}, "no peer has the agreement"),
        ("header_rules", config.header_rules, edits, "no agreement and no route uses the rule set"),
        ("sets", config.sets, set(named_sets(matches)), "no rule asks for the set"),
        ("lists", config.lists, lists.union(_members(config.emergency.lists)), "no rule asks for the list"),
        ("enum", config.enum, {route.enum for route in config.routes if route.enum}, "no route looks up in"),
        ("limiters", config.limiters, {route.limit for route in config.routes if route.limit}, "no rule limits by"),
    )
    for section, items, used, problem in sections:
        for at, item in enumerate(items):
            if item.id not in used:
                yield (section, at, "id"), f'{problem} "{item.id}"'
    if config.locator is not None and not any(peer.is_located for peer in config.peers):
        yield ("locator",), "no peer has a domain or is located by Request-URI"


def _lists(match: Match) -> Iterator[str]:
    yield from _members((*(match.number_list or ()), *(match.calling_list or ())))
    for inner in inner_matches(match):
        yield from _lists(inner)


def _members(members: Iterable[str | NumberList]) -> Iterator[str]:
    for member in members:
        yield member if isinstance(member, str) else member.list


def _is_catch_all(match: Match) -> bool:
    return not match.model_dump(exclude_none=True)
