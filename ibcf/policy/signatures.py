"""What breaks a signature of the caller's network: a warning of `ibcf check` (SC-08)."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ibcf.config import Config
    from ibcf.config.tree import Path

SIGNED = "date"
"""Of what Identity signs, the one header that an edit can reach (RFC 8224 §4.1); From and To cannot be edited."""
SIGNATURE = "identity"
PROBLEM = (
    "Identity signs Date (RFC 8224): without it, or with another, whoever verifies it refuses; remove Identity too"
)


def broken_signatures(config: Config) -> Iterator[tuple[Path, str]]:
    """Yield what takes away or changes what is signed, and leaves the signature."""
    for at, one in enumerate(config.header_rules):
        if SIGNATURE in {(rule.remove or "").lower() for rule in one.rules}:
            continue
        for position, rule in enumerate(one.rules):
            changed = {rule.written} if rule.copy_ is not None else {rule.edited, rule.written}
            if SIGNED in _lower(name for name in changed if name is not None):
                yield ("header_rules", at, "rules", position, "id"), PROBLEM
    for at, agreement in enumerate(config.agreements):
        if agreement.screening is None:
            continue
        removed = _lower(agreement.screening.headers.remove)
        if SIGNED in removed and SIGNATURE not in removed:
            yield ("agreements", at, "screening", "headers", "remove"), PROBLEM


def _lower(names: Iterable[str]) -> set[str]:
    return {name.lower() for name in names}
