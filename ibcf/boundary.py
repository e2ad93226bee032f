"""The JSON that crosses between Python and the Rust core, as types.

Mirrors `core/sip/src/{event/mod,input,output,reason,statistics}.rs`; what each field means is documented there. No
other module knows that it is JSON. Finished calls cross as the lines that are written about them, which are read by
nobody here.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

Source = Literal["upstream", "downstream", "internal", "policy", "dns"]
EnumOutcome = Literal["found", "not_found", "failed"]


class EnumQuestion(msgspec.Struct, frozen=True, tag_field="kind", tag="enum"):
    """The URIs of a number are wanted."""

    service: str
    number: str


class LocateQuestion(msgspec.Struct, frozen=True, tag_field="kind", tag="locate"):
    """The servers of a host are wanted (RFC 3263)."""

    peer: str
    host: str
    port: int | None = None
    transport: Literal["udp", "tcp", "tls"] | None = None
    secure: bool = False


class HookQuestion(msgspec.Struct, frozen=True, tag_field="kind", tag="hook"):
    """A function of the operator's is to decide; what it may look at."""

    rule: str
    call: str
    peer: str
    side: Literal["home", "peer"]
    direction: Literal["exit", "entry"]
    trusted: bool
    method: str
    request_uri: str
    number: str | None
    calling: str | None
    enum_outcome: EnumOutcome | None
    enum_class: str | None
    enum_candidates: tuple[str, ...]
    unix_ms: int
    message: str
    """The request, a character a byte (ISO 8859-1)."""


class Question(msgspec.Struct, frozen=True):
    """What the core asks; it goes on serving meanwhile."""

    id: int
    deadline_ms: int
    body: EnumQuestion | LocateQuestion | HookQuestion


class EnumAnswer(msgspec.Struct, frozen=True, tag_field="kind", tag="enum"):
    """What ENUM knows."""

    outcome: EnumOutcome
    class_: str = msgspec.field(name="class")
    candidates: tuple[str, ...] = ()
    ttl_ms: int = 0


class LocatedTarget(msgspec.Struct, frozen=True):
    """An address to send to; a lower priority is tried first."""

    id: str
    address: str
    transport: Literal["udp", "tcp", "tls"] = "udp"
    priority: int = 0
    weight: int = 1
    server: int | None = None


class LocateAnswer(msgspec.Struct, frozen=True, tag_field="kind", tag="locate"):
    """What the DNS knows of a host."""

    targets: tuple[LocatedTarget, ...] = ()
    ttl_ms: int = 0


class TargetSet(msgspec.Struct, frozen=True):
    """Where a peer is found."""

    peer: str
    targets: tuple[LocatedTarget, ...]


class HookSet(msgspec.Struct, frozen=True, tag_field="kind", tag="set"):
    """Exactly one header of that name is left."""

    header: str
    value: str


class HookAdd(msgspec.Struct, frozen=True, tag_field="kind", tag="add"):
    """One more header of that name stands behind the others."""

    header: str
    value: str


class HookRemove(msgspec.Struct, frozen=True, tag_field="kind", tag="remove"):
    """No header of that name is left."""

    header: str


class HookChanges(msgspec.Struct, frozen=True):
    """What a hook wants otherwise."""

    edits: tuple[HookSet | HookAdd | HookRemove, ...] = ()
    request_uri: str | None = None
    tag: str | None = None


class HookContinue(msgspec.Struct, frozen=True, tag_field="verdict", tag="continue"):
    """The next rule follows."""

    changes: HookChanges = HookChanges()


class HookRoute(msgspec.Struct, frozen=True, tag_field="verdict", tag="route"):
    """It goes to this peer."""

    peer: str
    changes: HookChanges = HookChanges()


class HookReject(msgspec.Struct, frozen=True, tag_field="verdict", tag="reject"):
    """It is refused."""

    reason: str
    status: Annotated[int, msgspec.Meta(ge=400, le=699)] | None = None
    phrase: str | None = None
    retry_after_s: Annotated[int, msgspec.Meta(ge=1, le=86_400)] | None = None


class HookFailed(msgspec.Struct, frozen=True, tag_field="verdict", tag="failed"):
    """There is no usable answer: what the rule has for that case follows at once."""


HookVerdict = HookContinue | HookRoute | HookReject | HookFailed


class HookAnswer(msgspec.Struct, frozen=True, tag_field="kind", tag="hook"):
    """What a hook decided."""

    verdict: HookVerdict


class Answer(msgspec.Struct, frozen=True):
    """The answer to the question of that id."""

    id: int
    body: EnumAnswer | LocateAnswer | HookAnswer


class MessageRefused(msgspec.Struct, frozen=True, tag_field="event", tag="message_refused"):
    """A message was refused before it became a call."""

    reason: str
    source: str
    detail: str
    suppressed: int
    unix_ms: int
    peer: str | None = None


class TargetState(msgspec.Struct, frozen=True, tag_field="event", tag="target_state"):
    """A target can be reached again, or cannot any more."""

    peer: str
    target: str
    state: Literal["up", "down"]
    cause: Literal["answered", "timeout", "unreachable", "probe"]
    unix_ms: int


class MirroredMessage(msgspec.Struct, frozen=True):
    """A message of a call that a rule wants to have in a trace."""

    is_received: bool
    local: str
    remote: str
    unix_ms: int
    message: str
    """The message, a character a byte (ISO 8859-1)."""


class SampledAnswer(msgspec.Struct, frozen=True):
    """What ENUM said about the number of a sampled request."""

    service: str
    outcome: EnumOutcome
    class_: str = msgspec.field(name="class")
    candidates: tuple[str, ...] = ()


class SampledRequest(msgspec.Struct, frozen=True):
    """A copy of a request, and what it was decided with."""

    peer: str
    listener: str
    source: str
    unix_ms: int
    rule: str | None
    number: str | None
    answers: tuple[SampledAnswer, ...]
    message: str
    """The request, a character a byte (ISO 8859-1)."""


class PatternState(msgspec.Struct, frozen=True, tag_field="event", tag="pattern_state"):
    """A pattern of fraud or attack was found, or what followed is over."""

    pattern: str
    change: Literal["found", "full", "over", "lifted"]
    action: Literal["alarm", "throttle", "block"]
    by: Literal["peer", "calling", "called"]
    key: str
    counted: int
    of: int
    until_ms: int
    unix_ms: int


class Held(msgspec.Struct, frozen=True):
    """A key that a pattern was found of, until its time is over."""

    pattern: str
    action: Literal["alarm", "throttle", "block"]
    by: Literal["peer", "calling", "called"]
    key: str
    counted: int
    of: int
    since_ms: int
    until_ms: int


class Alarm(msgspec.Struct, frozen=True, tag_field="event", tag="alarm"):
    """Something an operator should look at."""

    name: str
    detail: str
    unix_ms: int


Event = MessageRefused | TargetState | PatternState | Alarm


class Cdr(msgspec.Struct, frozen=True):
    """What is read of a charging record; all that it has: `core/sip/src/event/cdr.rs`."""

    reason: str | None


class Sample(msgspec.Struct, frozen=True):
    """One combination of labels; `buckets` are cumulative, the last one for +Inf."""

    labels: tuple[str, ...]
    value: float
    buckets: tuple[int, ...] = ()


class Family(msgspec.Struct, frozen=True):
    """One metric."""

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    help: str
    labels: tuple[str, ...]
    samples: tuple[Sample, ...]
    bounds: tuple[float, ...] = ()


class Reason(msgspec.Struct, frozen=True):
    """One entry of the closed catalogue of reasons."""

    id: str
    status: int
    phrase: str
    q850: int
    source: Source
    text: str
    clause: str
    advice: str


_questions = msgspec.json.Decoder(list[Question])
_events = msgspec.json.Decoder(list[Event])
_event = msgspec.json.Decoder(Event)
_raw = msgspec.json.Decoder(list[msgspec.Raw])
_cdr = msgspec.json.Decoder(Cdr)
_held = msgspec.json.Decoder(list[Held])
_families = msgspec.json.Decoder(list[Family])
_reasons = msgspec.json.Decoder(list[Reason])
_mirrored = msgspec.json.Decoder(list[MirroredMessage])
_samples = msgspec.json.Decoder(list[SampledRequest])
_encoder = msgspec.json.Encoder()


def decode_questions(data: bytes) -> list[Question]:
    """Read what `Core.questions` gave."""
    return _questions.decode(data)


def decode_events(data: bytes) -> tuple[list[Event], list[str]]:
    """Read the events that `Core.events` gave, and return also the text of those that this version cannot read.

    One event of an unknown form must not take the others along.
    """
    try:
        return _events.decode(data), []
    except msgspec.ValidationError:
        pass
    events: list[Event] = []
    unread: list[str] = []
    for raw in _raw.decode(data):
        try:
            events.append(_event.decode(raw))
        except msgspec.ValidationError as error:
            unread.append(f"{error}: {bytes(raw).decode(errors='replace')}")
    return events, unread


def decode_samples(data: bytes) -> list[SampledRequest]:
    """Read what `Core.samples` gave."""
    return _samples.decode(data)


def decode_mirrored(data: bytes) -> list[MirroredMessage]:
    """Read what `Core.mirrored` gave."""
    return _mirrored.decode(data)


def decode_cdrs(data: bytes) -> list[Cdr]:
    """Read what `Engine` gave as charging records."""
    return _cdr.decode_lines(data)


def encode_answers(answers: list[Answer]) -> bytes:
    """Write what `Core.answer` takes."""
    return _encoder.encode(answers)


def encode_target_sets(sets: list[TargetSet]) -> bytes:
    """Write what `Core.set_targets` takes."""
    return _encoder.encode(sets)


def decode_held(data: bytes) -> list[Held]:
    """Read what `Core.held` gave."""
    return _held.decode(data)


def decode_families(data: bytes) -> list[Family]:
    """Read what `Core.statistics` gave."""
    return _families.decode(data)


def decode_reasons(data: bytes) -> list[Reason]:
    """Read what `reasons` gave."""
    return _reasons.decode(data)


class ListFault(msgspec.Struct, frozen=True):
    """A line of a list of numbers that is wrong."""

    line: int
    column: int
    problem: str


class ListFaults(msgspec.Struct, frozen=True):
    """The first lines of a list that are wrong, and how many there are."""

    count: int
    faults: tuple[ListFault, ...]
