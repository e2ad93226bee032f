"""The ladder of a story: which message led to which, and what the border made of each that crossed.

Works on what the cores saw, never on what the border says of itself. Messages stand in the order of cause and not of
arrival: a core that reads its socket a little later must not change the picture.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ibcf.policy.explain import Change, compare

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ibcf.demo.message import Message
    from ibcf.demo.wire import Seen

BORDER = "border"


@dataclass(frozen=True, slots=True)
class Rung:
    """One message on its way between a core and the border."""

    source: str
    target: str
    message: Message
    changes: tuple[Change, ...] = ()
    """What the border changed, when it passed the message on."""
    crossed: bool = False
    """It is what another core sent; otherwise the border or the core made it."""


def build(seen: Sequence[Seen]) -> list[Rung]:
    """Return the rungs of what was *seen*, causes first."""
    sent = [index for index, one in enumerate(seen) if one.way == "sent"]
    led_to: dict[int | None, list[tuple[int, Rung]]] = {}
    for index, one in enumerate(seen):
        if one.way == "received":
            origin = _origin(index, seen)
            led_to.setdefault(_cause(index, origin, seen), []).append((index, _rung_from_border(one, origin, seen)))
    rungs: list[Rung] = []
    for index in sent:
        one = seen[index]
        rungs.append(Rung(one.core, BORDER, one.message))
        rungs += _in_order(led_to.pop(index, []))
    for left in led_to.values():  # what nobody asked for stands at the end, where it is noticed
        rungs += _in_order(left)
    return rungs


def _in_order(group: list[tuple[int, Rung]]) -> list[Rung]:
    """Put what the border says for itself (100, ACK) before what it passes on."""
    return [rung for _, rung in sorted(group, key=lambda entry: (entry[1].crossed, entry[0]))]


def _rung_from_border(one: Seen, origin: int | None, seen: Sequence[Seen]) -> Rung:
    if origin is None:
        return Rung(BORDER, one.core, one.message)
    return Rung(BORDER, one.core, one.message, _changes(seen[origin].data, one.data), crossed=True)


def _changes(before: bytes, after: bytes) -> tuple[Change, ...]:
    """Return what is different; a header whose only value is another one now is changed, however little it is alike."""
    changes = compare(before, after)
    for one in list(changes):
        same = [change for change in changes if change.name == one.name]
        if one.name and [change.kind for change in same] == ["removed", "added"] and same[0] is one:
            changes[changes.index(one)] = Change("changed", one.name, one.before, same[1].after)
            changes.remove(same[1])
    return tuple(changes)


def _key(message: Message) -> tuple[str, str, int | None]:
    return message.call_id, message.first("CSeq"), message.status


def _origin(index: int, seen: Sequence[Seen]) -> int | None:
    """Return which message another core sent is the one received at *index*, if one is."""
    one = seen[index]
    if one.message.status == 100 or _is_own_ack(one, seen):
        return None  # both go from hop to hop (RFC 3261 §16.2, §17.1.1.3)
    same = (
        at
        for at in range(index - 1, -1, -1)
        if seen[at].way == "sent" and seen[at].core != one.core and _key(seen[at].message) == _key(one.message)
    )
    return next(same, None)


def _is_own_ack(one: Seen, seen: Sequence[Seen]) -> bool:
    """Tell whether it is the border's ACK for a failure: it has the branch of the INVITE (RFC 3261 §17.1.1.3)."""
    return (
        one.message.status is None
        and one.message.method == "ACK"
        and any(
            other.core == one.core
            and other.way == "received"
            and other.message.status is None
            and other.message.method == "INVITE"
            and other.message.branch == one.message.branch
            for other in seen
        )
    )


def _cause(index: int, origin: int | None, seen: Sequence[Seen]) -> int | None:
    """Return the message sent that led to the one received at *index*."""
    one = seen[index]
    if origin is not None and one.message.method != "INVITE":
        return origin
    if one.message.method == "ACK":
        return _last(index, seen, core=one.core, failed=True)
    if origin is not None and one.message.status is None:
        return _last(index, seen, failed=True, call=one.message.call_id) or origin
    if origin is not None:
        return origin
    if one.message.status != 100:
        failure = _last(index, seen, failed=True, call=one.message.call_id)
        if failure is not None:
            return failure
    return _last(index, seen, core=one.core)


def _last(
    index: int, seen: Sequence[Seen], *, core: str | None = None, failed: bool = False, call: str | None = None
) -> int | None:
    """Return the last message sent before *index* that is such a one: by *core*, a failure, of *call*."""
    for at in range(index - 1, -1, -1):
        one = seen[at]
        if (
            one.way == "sent"
            and core in {None, one.core}
            and call in {None, one.message.call_id}
            and (not failed or (one.message.status or 0) >= 300)
        ):
            return at
    return None
