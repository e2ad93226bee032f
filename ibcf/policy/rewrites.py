"""Rules with `rewrite` that cannot change anything."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ibcf.config import Config
    from ibcf.config.rewrite import Rewrite
    from ibcf.config.routes import Route
    from ibcf.config.tree import Path

_SIP = {"sip", "sips"}


def idle_rewrites(config: Config) -> Iterator[tuple[Path, str]]:
    """Yield each change that nobody would see, and why."""
    for_requests = {
        one.id for one in config.header_rules if any(rule.on != "responses" and not rule.statuses for rule in one.rules)
    }
    for at, route in enumerate(config.routes):
        if route.rewrite is None:
            continue
        path = ("routes", at, "rewrite")
        if at == len(config.routes) - 1:
            yield path, "changes nothing: no rule follows that sends the request"
        for key, why in (*_idle_by_scheme(route, route.rewrite), *_idle_by_sender(route, route.rewrite)):
            yield (*path, key), f"changes nothing: {why}"
        for position, name in enumerate(route.rewrite.headers or ()):
            if name not in for_requests:
                place = (*path, "headers", position) if len(route.rewrite.headers or ()) > 1 else (*path, "headers")
                yield place, f'changes nothing: no edit of "{name}" is for requests'


def _idle_by_scheme(route: Route, rewrite: Rewrite) -> Iterator[tuple[str, str]]:
    schemes = set(route.match.scheme or ())
    if not schemes:
        return
    if schemes <= {"urn"}:
        for key in ("number", "user", "form", "host", "parameters"):
            if getattr(rewrite, key) is not None:
                yield key, "the rule is for urn, which stays as it is"
    if schemes <= {"tel"} and rewrite.form == "tel":
        yield "form", "the rule is for tel already"
    if schemes <= _SIP and rewrite.form == "sip":
        yield "form", "the rule is for sip already"
    if schemes <= {"tel"} and rewrite.host is not None and rewrite.form != "sip":
        yield "host", "the rule is for tel, which has no host"


def _idle_by_sender(route: Route, rewrite: Rewrite) -> Iterator[tuple[str, str]]:
    if rewrite.calling is not None and route.match.trusted is False:
        yield "calling", "P-Asserted-Identity of a sender that is not trusted does not cross"
