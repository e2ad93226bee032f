"""The charging record of a call (TS 32.298 IBCFRecord, TS 32.260 table 6.1.3.10.1; CH-40 to CH-49).

Two halves. The first has the fields of the standard under its names in snake case, ``null`` when there is nothing to
say. The second is the call as the border saw it, under the names of the logs, with times in milliseconds since 1970.
Every line has every field, so that a column never comes and goes. Numbers are never masked here: billing needs them.
"""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Final, Literal

import msgspec

from ibcf.boundary import Attempt, Outcome, Source  # noqa: TC001 - msgspec reads the annotations

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ibcf.boundary import CallFinished

RECORD_TYPE: Final = 82
"""iBCFRecord (CH-40)."""
SERVICE_CONTEXT: Final = "17.32260@3gpp.org"
SCHEMA_VERSION: Final = 1


class InterOperatorIdentifier(msgspec.Struct, frozen=True):
    """Names of the two networks (`orig-ioi`, `term-ioi`)."""

    originating_ioi: str | None = None
    terminating_ioi: str | None = None


class NniInformation(msgspec.Struct, frozen=True):
    """What lies on the other side of the border (CH-44)."""

    session_direction: Literal["inbound", "outbound"]
    nni_type: Literal["non_roaming"]
    relationship_mode: Literal["trusted", "non_trusted"]
    neighbour_node_address: str | None = None


class Cdr(msgspec.Struct, frozen=True, kw_only=True):
    """One record."""

    schema: int
    record_type: int
    local_record_sequence_number: int
    """Rises by one for each record of this node; a gap means records that never reached the disk."""
    role_of_node: Literal["originating", "terminating"]
    node_address: str
    session_id: str
    """Call-ID."""
    ims_charging_identifier: str | None = None
    """`icid-value`."""
    sip_method: str | None = None
    """Only in records of standalone transactions (CH-43)."""
    list_of_calling_party_address: tuple[str, ...]
    """P-Asserted-Identity, or `unknown`."""
    called_party_address: str
    """Request-URI as received."""
    from_address: str
    service_request_time_stamp: str
    service_delivery_start_time_stamp: str | None = None
    service_delivery_end_time_stamp: str | None = None
    record_opening_time: str | None = None
    record_closure_time: str
    cause_for_record_closing: int
    """0 end of a successful session, 1 unsuccessful, 3 time limit, 5 management (CH-46)."""
    incomplete_cdr_indication: bool | None = None
    """The end of the session was never seen here."""
    service_reason_return_code: int
    """Final status sent upstream; 0 for an answered call that a BYE ended (CH-30)."""
    inter_operator_identifiers: tuple[InterOperatorIdentifier, ...] = ()
    list_of_reason_header: tuple[str, ...] = ()
    nni_information: tuple[NniInformation, ...] = ()
    service_context_id: str

    record: Literal["call", "event"]
    call_id: str
    icid: str | None = None
    sip_session_id: str | None = None
    """Session-ID (RFC 7989)."""
    method: str
    direction: Literal["exit", "entry"]
    peer_in: str
    peer_out: str | None = None
    calling: tuple[str, ...] = ()
    called: str
    request_uri_out: str | None = None
    number: str | None = None
    enum_class: str | None = None
    route: str | None = None
    outcome: Outcome
    status: int
    """Final status sent upstream."""
    reason: str | None = None
    source: Source | None = None
    attempts: tuple[Attempt, ...] = ()
    orig_ioi: str | None = None
    term_ioi: str | None = None
    start_ms: int
    ring_ms: int | None = None
    answer_ms: int | None = None
    end_ms: int
    ring_s: float | None = None
    """Request to the first 18x: post-dial delay."""
    setup_s: float | None = None
    """Request to answer."""
    duration_s: float | None = None
    """Answer to end; 0.0 is a duration too (CH-49)."""
    released_by: Literal["upstream", "downstream", "border"] | None = None
    release_reason: str | None = None
    node: str
    generation: int


class PeerFacts(msgspec.Struct, frozen=True):
    """What a record says of a peer beyond its id."""

    side: str
    trusted: bool
    addresses: Mapping[str, str] = msgspec.field(default_factory=dict)
    """Of its targets, by their ids."""


def make_cdr(call: CallFinished, *, sequence: int, node: str, node_address: str, peers: Mapping[str, PeerFacts]) -> Cdr:
    """Return the record of a finished call."""
    answered = call.answer_ms is not None
    is_call = call.record == "call"
    iois = InterOperatorIdentifier(call.orig_ioi, call.term_ioi)
    return Cdr(
        schema=SCHEMA_VERSION,
        record_type=RECORD_TYPE,
        local_record_sequence_number=sequence,
        role_of_node="originating" if call.direction == "exit" else "terminating",
        node_address=node_address,
        session_id=call.call_id,
        ims_charging_identifier=call.icid,
        sip_method=None if is_call else call.method,
        list_of_calling_party_address=call.calling or ("unknown",),
        called_party_address=call.called,
        from_address=call.from_uri,
        service_request_time_stamp=_time(call.start_ms),
        service_delivery_start_time_stamp=_time_or_none(call.answer_ms),
        service_delivery_end_time_stamp=_time(call.end_ms) if answered and is_call else None,
        record_opening_time=_time_or_none(call.answer_ms) if is_call else None,
        record_closure_time=_time(call.end_ms),
        cause_for_record_closing=_closing_cause(call),
        incomplete_cdr_indication=True if answered and is_call and call.released_by == "border" else None,
        service_reason_return_code=0 if call.outcome == "answered" and is_call else call.status,
        inter_operator_identifiers=(iois,) if call.orig_ioi or call.term_ioi else (),
        list_of_reason_header=(call.release_reason,) if call.release_reason else (),
        nni_information=_nni(call, peers),
        service_context_id=SERVICE_CONTEXT,
        record=call.record,
        call_id=call.call_id,
        icid=call.icid,
        sip_session_id=call.session_id,
        method=call.method,
        direction=call.direction,
        peer_in=call.peer_in,
        peer_out=call.peer_out,
        calling=call.calling,
        called=call.called,
        request_uri_out=call.request_uri_out,
        number=call.number,
        enum_class=call.enum_class,
        route=call.route,
        outcome=call.outcome,
        status=call.status,
        reason=call.reason,
        source=call.source,
        attempts=call.attempts,
        orig_ioi=call.orig_ioi,
        term_ioi=call.term_ioi,
        start_ms=call.start_ms,
        ring_ms=call.ring_ms,
        answer_ms=call.answer_ms,
        end_ms=call.end_ms,
        ring_s=_seconds(call.start_ms, call.ring_ms),
        setup_s=_seconds(call.start_ms, call.answer_ms),
        duration_s=_seconds(call.answer_ms, call.end_ms) if is_call else None,
        released_by=call.released_by,
        release_reason=call.release_reason,
        node=node,
        generation=call.generation,
    )


def _closing_cause(call: CallFinished) -> int:
    if call.reason == "forward.session_expired":
        return 3
    if call.reason == "forward.node_stopped":
        return 5
    return 0 if call.outcome == "answered" else 1


def _nni(call: CallFinished, peers: Mapping[str, PeerFacts]) -> tuple[NniInformation, ...]:
    """Describe the other network: where the request came from on entry, where it went on exit."""
    outbound = call.direction == "exit"
    neighbour = call.peer_out if outbound else call.peer_in
    facts = peers.get(neighbour) if neighbour is not None else None
    if facts is None:
        return ()
    target = call.attempts[-1].target if outbound and call.attempts else None
    return (
        NniInformation(
            session_direction="outbound" if outbound else "inbound",
            nni_type="non_roaming",
            relationship_mode="trusted" if facts.trusted else "non_trusted",
            neighbour_node_address=None if target is None else _address_of(target, facts),
        ),
    )


def _address_of(target: str, facts: PeerFacts) -> str | None:
    """The id of a target that was located is its address and transport, which no configured id can look like."""
    address, is_located, _ = target.partition(";")
    return address if is_located else facts.addresses.get(target)


def _seconds(start_ms: int | None, end_ms: int | None) -> float | None:
    return None if start_ms is None or end_ms is None else (end_ms - start_ms) / 1000


def _time(unix_ms: int) -> str:
    seconds, milliseconds = divmod(unix_ms, 1000)
    return f"{_second(seconds)}.{milliseconds:03d}Z"


@lru_cache(maxsize=1024)
def _second(unix_s: int) -> str:
    """Most of the times that are written lie in the same few seconds."""
    return datetime.fromtimestamp(unix_s, UTC).isoformat(timespec="seconds").removesuffix("+00:00")


def _time_or_none(unix_ms: int | None) -> str | None:
    return None if unix_ms is None else _time(unix_ms)
