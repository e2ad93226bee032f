//! The charging record of a call as it is on disk (TS 32.298 IBCFRecord, TS 32.260 table 6.1.3.10.1; CH-40 to CH-49).
//!
//! Two halves. The first has the fields of the standard under its names in snake case, `null` when there is nothing to
//! say. The second is the call as the border saw it, under the names of the logs, with times in milliseconds since 1970.
//! Every line has every field, so that a column never comes and goes. Numbers are never masked here: billing needs them.
//!
//! The line is one object of JSON. Its number is given by whoever writes it to the disk, so it is made of [`CDR_HEAD`], the
//! number, and what [`write_cdr`] writes.

use std::borrow::Cow;

use super::call_record::{Attempt, CallRecord, Neighbour, Outcome, RecordKind, ReleasedBy};
use super::json::{Array, Seconds, Stamp, Value, members};
use crate::reason::Reason;
use crate::snapshot::Direction;

/// How every line begins: version of these fields, iBCFRecord (CH-40), and the number, which rises by one for each record of
/// this node; a gap means records that never reached the disk.
pub const CDR_HEAD: &str = r#"{"schema":1,"record_type":82,"local_record_sequence_number":"#;

const SERVICE_CONTEXT: &str = "17.32260@3gpp.org";

/// Who wrote the record.
#[derive(Clone, Debug)]
pub struct NodeNames {
    /// Name of the node.
    pub node: String,
    /// Address of its first listener.
    pub address: String,
}

/// Writes the line of *record* from behind its number to its end.
#[rustfmt::skip] // a field a line, each with what it means
pub fn write_cdr(record: &CallRecord<'_>, names: &NodeNames, out: &mut Vec<u8>) {
    let is_call = record.record == RecordKind::Call;
    let is_outbound = record.direction == Direction::Exit.name();
    members!(out;
        "role_of_node": if is_outbound { "originating" } else { "terminating" },
        "node_address": names.address.as_str(),
        // Call-ID.
        "session_id": &record.call_id,
        // `icid-value`.
        "ims_charging_identifier": record.icid.as_deref(),
        // Only in records of standalone transactions (CH-43).
        "sip_method": (!is_call).then_some(&record.method),
        // P-Asserted-Identity, or `unknown`.
        "list_of_calling_party_address": CallingParties(&record.calling),
        // Request-URI as received.
        "called_party_address": &record.called,
        "from_address": &record.from,
        "service_request_time_stamp": Stamp(record.start_ms),
        "service_delivery_start_time_stamp": record.answer_ms.map(Stamp),
        "service_delivery_end_time_stamp": (is_call && record.answer_ms.is_some()).then_some(Stamp(record.end_ms)),
        "record_opening_time": record.answer_ms.filter(|_| is_call).map(Stamp),
        "record_closure_time": Stamp(record.end_ms),
        // 0 end of a successful session, 1 unsuccessful, 3 time limit, 5 management (CH-46).
        "cause_for_record_closing": closing_cause(record),
        // The end of the session was never seen here.
        "incomplete_cdr_indication": is_incomplete(record).then_some(true),
        // Final status sent upstream; 0 for an answered call that a BYE ended (CH-30).
        "service_reason_return_code": if is_call && record.outcome == Outcome::Answered { 0 } else { record.status },
        // Names of the two networks (`orig-ioi`, `term-ioi`).
        "inter_operator_identifiers": Array(inter_operator_identifiers(record)),
        "list_of_reason_header": Array(record.release_reason.as_deref().filter(|reason| !reason.is_empty())),
        // What lies on the other side of the border (CH-44).
        "nni_information": Array(record.neighbour.as_ref().map(|neighbour| NniInformation { neighbour, is_outbound })),
        "service_context_id": SERVICE_CONTEXT,

        "record": record.record.name(),
        "call_id": &record.call_id,
        "icid": record.icid.as_deref(),
        // Session-ID (RFC 7989).
        "sip_session_id": record.session_id.as_deref(),
        "method": &record.method,
        "direction": record.direction,
        "peer_in": &record.peer_in,
        "peer_out": record.peer_out.as_deref(),
        "calling": Array(&record.calling),
        "called": &record.called,
        "request_uri_out": record.request_uri_out.as_deref(),
        "number": record.number.as_deref(),
        "enum_class": record.enum_class.as_deref(),
        "route": record.route.as_deref(),
        "tags": Array(&record.tags),
        "outcome": record.outcome.name(),
        // Final status sent upstream.
        "status": record.status,
        "reason": record.reason,
        "source": record.source.map(crate::reason::Source::name),
        "attempts": Array(&record.attempts),
        "orig_ioi": record.orig_ioi.as_deref(),
        "term_ioi": record.term_ioi.as_deref(),
        "start_ms": record.start_ms,
        "ring_ms": record.ring_ms,
        "answer_ms": record.answer_ms,
        "end_ms": record.end_ms,
        // Request to the first 18x: post-dial delay.
        "ring_s": Seconds::between(Some(record.start_ms), record.ring_ms),
        // Request to answer.
        "setup_s": Seconds::between(Some(record.start_ms), record.answer_ms),
        // Answer to end; 0.0 is a duration too (CH-49).
        "duration_s": Seconds::between(record.answer_ms.filter(|_| is_call), Some(record.end_ms)),
        "released_by": record.released_by.map(ReleasedBy::name),
        "release_reason": record.release_reason.as_deref(),
        "node": names.node.as_str(),
        "generation": record.generation,
    );
    out.push(b'}');
}

fn closing_cause(record: &CallRecord<'_>) -> u16 {
    match record.reason {
        Some(id) if id == Reason::SessionExpired.id() => 3,
        Some(id) if id == Reason::NodeStopped.id() => 5,
        _ => u16::from(record.outcome != Outcome::Answered),
    }
}

fn is_incomplete(record: &CallRecord<'_>) -> bool {
    record.record == RecordKind::Call
        && record.answer_ms.is_some()
        && record.released_by == Some(ReleasedBy::Border)
}

fn inter_operator_identifiers<'r>(record: &'r CallRecord<'_>) -> Option<InterOperatorIdentifier<'r>> {
    let (originating, terminating) = (record.orig_ioi.as_deref(), record.term_ioi.as_deref());
    let is_known = [originating, terminating].into_iter().flatten().any(|name| !name.is_empty());
    is_known.then_some(InterOperatorIdentifier { originating, terminating })
}

struct CallingParties<'a>(&'a [Cow<'a, str>]);

impl Value for CallingParties<'_> {
    fn write(self, out: &mut Vec<u8>) {
        match self.0 {
            [] => Array(["unknown"]).write(out),
            parties => Array(parties).write(out),
        }
    }
}

struct InterOperatorIdentifier<'a> {
    originating: Option<&'a str>,
    terminating: Option<&'a str>,
}

impl Value for InterOperatorIdentifier<'_> {
    fn write(self, out: &mut Vec<u8>) {
        out.extend_from_slice(br#"{"originating_ioi":"#);
        self.originating.write(out);
        members!(out; "terminating_ioi": self.terminating);
        out.push(b'}');
    }
}

struct NniInformation<'a> {
    neighbour: &'a Neighbour,
    is_outbound: bool,
}

impl Value for NniInformation<'_> {
    fn write(self, out: &mut Vec<u8>) {
        out.extend_from_slice(br#"{"session_direction":"#);
        (if self.is_outbound { "outbound" } else { "inbound" }).write(out);
        members!(out;
            "nni_type": "non_roaming",
            "relationship_mode": if self.neighbour.trusted { "trusted" } else { "non_trusted" },
            "neighbour_node_address": self.neighbour.address,
        );
        out.push(b'}');
    }
}

impl Value for &Attempt<'_> {
    fn write(self, out: &mut Vec<u8>) {
        out.extend_from_slice(br#"{"peer":"#);
        self.peer.write(out);
        members!(out;
            "target": &self.target,
            "status": self.status,
            "phrase": self.phrase.as_deref(),
            "cause": self.cause.as_deref(),
            "reason": self.reason,
        );
        out.push(b'}');
    }
}

#[cfg(test)]
mod tests {
    use super::super::call_record::tests::answered;
    use super::*;
    use serde_json::{Value as Json, json};
    use smallvec::{SmallVec, smallvec};

    fn line(record: &CallRecord<'_>) -> String {
        let names = NodeNames { node: "ibcf-1".into(), address: "192.0.2.9:5060".into() };
        let mut out = Vec::new();
        write_cdr(record, &names, &mut out);
        format!("{CDR_HEAD}7{}", String::from_utf8(out).unwrap())
    }

    fn cdr(record: &CallRecord<'_>) -> Json {
        serde_json::from_str(&line(record)).unwrap()
    }

    #[test]
    fn the_line_of_an_answered_call_is_these_bytes() {
        let expected = concat!(
            r#"{"schema":1,"record_type":82,"local_record_sequence_number":7,"role_of_node":"originating","#,
            r#""node_address":"192.0.2.9:5060","session_id":"+441632960083@host","ims_charging_identifier":"icid-1","#,
            r#""sip_method":null,"list_of_calling_party_address":["tel:+441632960000"],"#,
            r#""called_party_address":"tel:+441632960083","from_address":"sip:a@a.example","#,
            r#""service_request_time_stamp":"2026-11-23T04:14:00.000Z","#,
            r#""service_delivery_start_time_stamp":"2026-11-23T04:14:01.000Z","#,
            r#""service_delivery_end_time_stamp":"2026-11-23T04:14:11.250Z","#,
            r#""record_opening_time":"2026-11-23T04:14:01.000Z","record_closure_time":"2026-11-23T04:14:11.250Z","#,
            r#""cause_for_record_closing":0,"incomplete_cdr_indication":null,"service_reason_return_code":0,"#,
            r#""inter_operator_identifiers":[{"originating_ioi":"a.example","terminating_ioi":null}],"#,
            r#""list_of_reason_header":[],"nni_information":[{"session_direction":"outbound","nni_type":"non_roaming","#,
            r#""relationship_mode":"non_trusted","neighbour_node_address":"192.0.2.1:5060"}],"#,
            r#""service_context_id":"17.32260@3gpp.org","record":"call","call_id":"+441632960083@host","#,
            r#""icid":"icid-1","sip_session_id":null,"method":"INVITE","direction":"exit","peer_in":"carrier_a","#,
            r#""peer_out":"carrier_b","calling":["tel:+441632960000"],"called":"tel:+441632960083","#,
            r#""request_uri_out":null,"number":"+441632960083","enum_class":null,"route":null,"tags":[],"outcome":"answered","#,
            r#""status":200,"reason":null,"source":null,"attempts":[{"peer":"carrier_b","target":"b1","status":200,"#,
            r#""phrase":"OK","cause":null,"reason":null}],"orig_ioi":"a.example","term_ioi":null,"start_ms":1795407240000,"#,
            r#""ring_ms":1795407240500,"answer_ms":1795407241000,"end_ms":1795407251250,"ring_s":0.5,"setup_s":1.0,"#,
            r#""duration_s":10.25,"released_by":"upstream","release_reason":null,"node":"ibcf-1","generation":3}"#,
        );
        assert_eq!(line(&answered()), expected);
    }

    #[test]
    fn a_call_of_no_length_has_a_duration() {
        let record = CallRecord { end_ms: 1_795_407_241_000, ..answered() };
        assert_eq!(cdr(&record)["duration_s"], json!(0.0), "CH-49");
    }

    #[test]
    fn every_record_has_every_field_in_the_same_order() {
        let keys = |line: &str| -> Vec<String> {
            let found = line.match_indices("\":").map(|(end, _)| &line[..end]);
            found.map(|text| text.rsplit('"').next().unwrap().into()).collect()
        };
        let nested = ["peer", "target", "phrase", "cause", "originating_ioi", "terminating_ioi"];
        let nested = [&nested[..], &["session_direction", "nni_type", "relationship_mode"]].concat();
        let fields = |record: &CallRecord<'_>| -> Vec<String> {
            let is_own = |key: &String| !nested.contains(&key.as_str()) && key != "neighbour_node_address";
            keys(&line(record)).into_iter().filter(is_own).collect()
        };
        let bare = CallRecord {
            outcome: Outcome::Rejected,
            status: 403,
            answer_ms: None,
            peer_out: None,
            neighbour: None,
            attempts: SmallVec::new(),
            orig_ioi: None,
            ..answered()
        };
        let mut whole = fields(&answered());
        // Of the attempt, whose keys are those of fields too.
        for key in ["status", "reason"] {
            let at = whole.iter().rposition(|field| field == key).unwrap();
            whole.remove(at);
        }
        assert_eq!(whole, fields(&bare));
        assert_eq!(whole.len(), cdr(&bare).as_object().unwrap().len());
    }

    #[test]
    fn the_closing_cause_follows_the_outcome() {
        // CH-30, CH-46: cause and return code tell an ended session from one that never was, or that nobody ended.
        let ended = |outcome, status| CallRecord { outcome, status, answer_ms: None, ..answered() };
        let by_border = |reason: Reason| CallRecord {
            reason: Some(reason.id()),
            released_by: Some(ReleasedBy::Border),
            ..answered()
        };
        let cases = [
            (answered(), 0, 0, Json::Null),
            (ended(Outcome::Failed, 486), 1, 486, Json::Null),
            (ended(Outcome::Cancelled, 487), 1, 487, Json::Null),
            (ended(Outcome::Rejected, 403), 1, 403, Json::Null),
            (by_border(Reason::SessionExpired), 3, 0, json!(true)),
            (by_border(Reason::NodeStopped), 5, 0, json!(true)),
        ];
        for (record, cause, code, incomplete) in cases {
            let cdr = cdr(&record);
            assert_eq!(cdr["cause_for_record_closing"], json!(cause));
            assert_eq!(cdr["service_reason_return_code"], json!(code));
            assert_eq!(cdr["incomplete_cdr_indication"], incomplete);
        }
    }

    #[test]
    fn a_call_without_an_answer_has_no_times_of_a_session() {
        let cdr = cdr(&CallRecord { outcome: Outcome::Failed, status: 486, answer_ms: None, ..answered() });
        let none = [
            "service_delivery_start_time_stamp",
            "service_delivery_end_time_stamp",
            "record_opening_time",
            "setup_s",
            "duration_s",
        ];
        assert!(none.iter().all(|field| cdr[*field].is_null()));
        assert_eq!(cdr["record_closure_time"], json!("2026-11-23T04:14:11.250Z"));
    }

    #[test]
    fn an_unknown_caller_is_written_as_such() {
        let cdr = cdr(&CallRecord { calling: SmallVec::new(), ..answered() });
        assert_eq!(cdr["list_of_calling_party_address"], json!(["unknown"]), "CH-42");
        assert_eq!(cdr["calling"], json!([]));
    }

    #[test]
    fn a_standalone_transaction_names_its_method_and_has_no_session() {
        // CH-14, CH-43.
        let cdr = cdr(&CallRecord {
            record: RecordKind::Event,
            method: "MESSAGE".into(),
            status: 202,
            ..answered()
        });
        assert_eq!(
            (&cdr["sip_method"], &cdr["service_reason_return_code"]),
            (&json!("MESSAGE"), &json!(202))
        );
        for field in ["record_opening_time", "service_delivery_end_time_stamp", "duration_s"] {
            assert!(cdr[field].is_null(), "{field}");
        }
        assert_eq!(cdr["record"], json!("event"));
    }

    #[test]
    fn on_entry_the_session_is_inbound_and_the_neighbour_the_one_that_sent() {
        // CH-44.
        let neighbour = Some(Neighbour { trusted: true, address: None });
        let cdr = cdr(&CallRecord { direction: Direction::Entry.name(), neighbour, ..answered() });
        assert_eq!(cdr["role_of_node"], json!("terminating"));
        assert_eq!(
            cdr["nni_information"],
            json!([{
                "session_direction": "inbound",
                "nni_type": "non_roaming",
                "relationship_mode": "trusted",
                "neighbour_node_address": null,
            }])
        );
    }

    #[test]
    fn a_request_that_went_to_nobody_has_no_neighbour() {
        let cdr = cdr(&CallRecord { neighbour: None, peer_out: None, ..answered() });
        assert_eq!(cdr["nni_information"], json!([]));
    }

    #[test]
    fn what_the_far_side_said_is_kept_as_it_came() {
        let text = "Q.850;cause=16;text=\"Terminated\" \\ — später\t";
        let cdr = cdr(&CallRecord {
            release_reason: Some(text.into()),
            term_ioi: Some("b.example".into()),
            attempts: smallvec![Attempt {
                peer: "carrier_b".into(),
                target: "b1".into(),
                status: None,
                phrase: None,
                cause: None,
                reason: Some(Reason::Timeout.id()),
            }],
            ..answered()
        });
        assert_eq!(cdr["list_of_reason_header"], json!([text]));
        assert_eq!(cdr["release_reason"], json!(text));
        assert_eq!(
            cdr["inter_operator_identifiers"],
            json!([{"originating_ioi": "a.example", "terminating_ioi": "b.example"}])
        );
        assert_eq!(
            cdr["attempts"],
            json!([{"peer": "carrier_b", "target": "b1", "status": null, "phrase": null, "cause": null, "reason": "forward.timeout"}])
        );
    }
}
