"""The charging record (CH-40 to CH-49)."""

import json
from typing import Any

import msgspec
import pytest

from ibcf.boundary import Attempt, CallFinished
from ibcf.charging.cdr import PeerFacts, make_cdr

PEERS = {
    "carrier_a": PeerFacts("home", trusted=True),
    "carrier_b": PeerFacts("peer", trusted=False, addresses={"b1": "192.0.2.1:5060"}),
}


def record(**fields: Any) -> dict[str, Any]:
    """Return the record of a call as it is on disk."""
    given: dict[str, Any] = {
        "record": "call",
        "method": "INVITE",
        "call_id": "c1",
        "peer_in": "carrier_a",
        "peer_out": "carrier_b",
        "direction": "exit",
        "called": "tel:+441632960083",
        "from_uri": "sip:a@a.example",
        "outcome": "answered",
        "status": 200,
        "icid": "icid-1",
        "orig_ioi": "a.example",
        "calling": ("tel:+441632960000",),
        "start_ms": 1_795_407_240_000,
        "ring_ms": 1_795_407_240_500,
        "answer_ms": 1_795_407_241_000,
        "end_ms": 1_795_407_251_250,
        "released_by": "upstream",
        "generation": 1,
        "attempts": (Attempt("carrier_b", "b1", 200, "OK"),),
    }
    call = CallFinished(**(given | fields))
    cdr = make_cdr(call, sequence=7, node="ibcf-1", node_address="192.0.2.9:5060", peers=PEERS)
    found: dict[str, Any] = json.loads(msgspec.json.encode(cdr))
    return found


def test_mandatory_fields_of_an_answered_call_are_there() -> None:
    """CH-40 to CH-44: the fields that operators must have carry the standard's names and values."""
    cdr = record()
    expected = {
        "record_type": 82,
        "local_record_sequence_number": 7,
        "role_of_node": "originating",
        "node_address": "192.0.2.9:5060",
        "session_id": "c1",
        "ims_charging_identifier": "icid-1",
        "list_of_calling_party_address": ["tel:+441632960000"],
        "called_party_address": "tel:+441632960083",
        "from_address": "sip:a@a.example",
        "service_request_time_stamp": "2026-11-23T04:14:00.000Z",
        "service_delivery_start_time_stamp": "2026-11-23T04:14:01.000Z",
        "service_delivery_end_time_stamp": "2026-11-23T04:14:11.250Z",
        "record_closure_time": "2026-11-23T04:14:11.250Z",
        "cause_for_record_closing": 0,
        "service_reason_return_code": 0,
        "inter_operator_identifiers": [{"originating_ioi": "a.example", "terminating_ioi": None}],
        "service_context_id": "17.32260@3gpp.org",
        "sip_method": None,
    }
    assert {key: cdr[key] for key in expected} == expected
    assert cdr["nni_information"] == [
        {
            "session_direction": "outbound",
            "nni_type": "non_roaming",
            "relationship_mode": "non_trusted",
            "neighbour_node_address": "192.0.2.1:5060",
        }
    ]


def test_our_half_repeats_the_call_as_it_was() -> None:
    """The second half has times in milliseconds, durations in seconds, and the attempts."""
    cdr = record()
    assert (cdr["setup_s"], cdr["duration_s"]) == (1.0, 10.25)
    assert (cdr["start_ms"], cdr["answer_ms"]) == (1_795_407_240_000, 1_795_407_241_000)
    assert cdr["attempts"] == [{"peer": "carrier_b", "target": "b1", "status": 200, "phrase": "OK", "reason": None}]
    assert (cdr["outcome"], cdr["status"], cdr["reason"], cdr["schema"]) == ("answered", 200, None, 1)


def test_call_of_no_length_has_a_duration() -> None:
    """CH-49: an answered call of 0 seconds gives a record, with a duration of 0."""
    assert record(end_ms=1_795_407_241_000)["duration_s"] == 0.0


def test_every_record_has_every_field() -> None:
    """A column is there whether or not it has a value."""
    assert record().keys() == record(outcome="rejected", status=403, answer_ms=None, peer_out=None).keys()


@pytest.mark.parametrize(
    ("fields", "cause", "code"),
    [
        ({"outcome": "failed", "status": 486, "answer_ms": None}, 1, 486),
        ({"outcome": "cancelled", "status": 487, "answer_ms": None}, 1, 487),
        ({"outcome": "rejected", "status": 403, "answer_ms": None}, 1, 403),
        ({"reason": "forward.session_expired", "released_by": "border"}, 3, 0),
        ({"reason": "forward.node_stopped", "released_by": "border"}, 5, 0),
    ],
)
def test_closing_cause_follows_the_outcome(fields: dict[str, Any], cause: int, code: int) -> None:
    """CH-30, CH-46: cause and return code tell an ended session from one that never was, or that nobody ended."""
    cdr = record(**fields)
    assert (cdr["cause_for_record_closing"], cdr["service_reason_return_code"]) == (cause, code)
    assert cdr["incomplete_cdr_indication"] is (True if fields.get("released_by") == "border" else None)


def test_unknown_caller_is_written_as_such() -> None:
    """CH-42: without an asserted identity the calling party is `unknown`."""
    assert record(calling=())["list_of_calling_party_address"] == ["unknown"]


def test_standalone_transaction_names_its_method() -> None:
    """CH-14, CH-43: an event record has the method and no session times."""
    cdr = record(record="event", method="MESSAGE", status=202)
    assert (cdr["sip_method"], cdr["service_reason_return_code"]) == ("MESSAGE", 202)
    assert cdr["record_opening_time"] is cdr["service_delivery_end_time_stamp"] is cdr["duration_s"] is None


def test_entry_names_the_neighbour_that_sent() -> None:
    """CH-44: on entry the session is inbound and the neighbour is the peer that the request came from."""
    cdr = record(direction="entry", peer_in="carrier_b", peer_out="carrier_a")
    assert cdr["role_of_node"] == "terminating"
    assert cdr["nni_information"][0]["session_direction"] == "inbound"
    assert record(peer_out="gone")["nni_information"] == []
