"""What a hook may answer, and how that is looked at before it crosses to the core, which looks again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from ibcf.boundary import (
    HookAdd,
    HookChanges,
    HookContinue,
    HookReject,
    HookRemove,
    HookRoute,
    HookSet,
    HookVerdict,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence


@dataclass(frozen=True, slots=True)
class SetHeader:
    """Leaves exactly one header of that name, with this value."""

    name: str
    value: str


@dataclass(frozen=True, slots=True)
class AddHeader:
    """Puts one more header of that name behind the others."""

    name: str
    value: str


@dataclass(frozen=True, slots=True)
class RemoveHeader:
    """Takes out every header of that name."""

    name: str


Edit = SetHeader | AddHeader | RemoveHeader


@dataclass(frozen=True, slots=True)
class Continue:
    """The next rule follows."""

    edits: Sequence[Edit] = ()
    """Done in their order on every copy of the request that leaves, behind the header rules for what was received."""
    request_uri: str | None = None
    """The new Request-URI: the rules behind see it, and its number."""
    tag: str | None = None
    """A name for record, log and counter; one that the rule lists under `tags`."""


@dataclass(frozen=True, slots=True)
class Route:
    """It goes to this peer, and no other rule is asked."""

    peer: str
    edits: Sequence[Edit] = ()
    request_uri: str | None = None
    tag: str | None = None


@dataclass(frozen=True, slots=True)
class Reject:
    """It is refused."""

    reason: str = "decide.forbidden"
    """Id of the catalogue of reasons."""
    status: int | None = None
    """Another status than the catalogue's."""
    phrase: str | None = None
    """Another phrase than the catalogue's."""
    retry_after: int | None = None
    """So many seconds the sender should stay away."""


Verdict = Continue | Route | Reject


class NonsenseError(Exception):
    """A hook answered what is no verdict, or one that cannot be followed."""


def checked(answer: object, *, tags: Collection[str], peers: Collection[str], uri_bytes_max: int) -> HookVerdict:
    """Return *answer* as it crosses to the core.

    Raises:
        NonsenseError: it is no verdict, or names what the policy does not have or no hook may touch.
    """
    verdict = _typed(answer)
    if isinstance(verdict, HookContinue | HookRoute):
        tag = verdict.changes.tag
        if tag is not None and tag not in tags:
            raise NonsenseError(f'the rule does not list the tag "{tag}"')
    if isinstance(verdict, HookRoute) and verdict.peer not in peers:
        raise NonsenseError(f'no peer "{verdict.peer}"')
    from ibcf import _core  # noqa: PLC0415 - whoever writes a hook does without the compiled core

    if (fault := _core.hook_fault(msgspec.json.encode(verdict), uri_bytes_max)) is not None:
        raise NonsenseError(fault)
    return verdict


def _typed(answer: object) -> HookVerdict:
    if not isinstance(answer, Verdict):
        raise NonsenseError(f"it answered {_kind(answer)}, which is no Continue, Route or Reject")
    try:
        if isinstance(answer, Reject):
            written: dict[str, object] = {
                "reason": answer.reason,
                "status": answer.status,
                "phrase": answer.phrase,
                "retry_after_s": answer.retry_after,
            }
            return msgspec.convert({"verdict": "reject", **written}, HookReject)
        edits = tuple(_edit(edit) for edit in _listed(answer.edits))
        changes = msgspec.convert({"request_uri": answer.request_uri, "tag": answer.tag}, HookChanges)
        changes = msgspec.structs.replace(changes, edits=edits)
        if isinstance(answer, Route):
            peer = msgspec.convert(answer.peer, str)
            return HookRoute(peer, changes)
        return HookContinue(changes)
    except msgspec.ValidationError as error:
        raise NonsenseError(f"{type(answer).__name__}: {error}") from error


def _listed(edits: object) -> Sequence[object]:
    if not isinstance(edits, tuple | list):
        raise NonsenseError(f"edits is {_kind(edits)}, and no list")
    return edits


def _edit(edit: object) -> HookSet | HookAdd | HookRemove:
    match edit:
        case SetHeader():
            return HookSet(msgspec.convert(edit.name, str), msgspec.convert(edit.value, str))
        case AddHeader():
            return HookAdd(msgspec.convert(edit.name, str), msgspec.convert(edit.value, str))
        case RemoveHeader():
            return HookRemove(msgspec.convert(edit.name, str))
        case _:
            raise NonsenseError(f"{_kind(edit)} among the edits, which is no SetHeader, AddHeader or RemoveHeader")


def _kind(value: object) -> str:
    return "nothing" if value is None else f"a value of type {type(value).__name__}"
