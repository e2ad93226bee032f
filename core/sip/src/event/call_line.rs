//! The one log line of a finished call or standalone transaction, the only line whose number grows with the traffic.
//!
//! It has the keys of every line of the log (`ts level event node`), then what it is about; what is not known is left out.

use super::call_record::{Attempt, CallRecord, Outcome, RecordKind, ReleasedBy};
use super::json::{Array, Seconds, Stamp, Value, escape_from, known_members, members};
use super::masking::mask;
use crate::reason::Source;

/// How much a line matters; a log that begins at one level leaves out those below it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs)] // the names say it
pub enum Level {
    Debug,
    Info,
    Warning,
    Error,
}

impl Level {
    /// Returns the level of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Debug, Self::Info, Self::Warning, Self::Error].into_iter().find(|level| level.name() == name)
    }

    /// Returns its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }

    /// The level of the line about *record*: a fault that an operator must look at warns.
    pub fn of(record: &CallRecord<'_>) -> Self {
        match record.source {
            Some(Source::Internal | Source::Dns) => Self::Warning,
            _ => Self::Info,
        }
    }
}

/// What lines have in common.
#[derive(Clone, Copy, Debug)]
pub struct CallLineForm<'a> {
    /// When they are written, in milliseconds since 1970.
    pub unix_ms: u64,
    /// Name of the node.
    pub node: &'a str,
    /// Are numbers hidden, other than in what identifies the call (ENUM-52)?
    pub masked: bool,
}

/// Writes the line of *record*, one object of JSON.
#[rustfmt::skip] // a key a line
pub fn write_call_line(record: &CallRecord<'_>, form: CallLineForm<'_>, out: &mut Vec<u8>) {
    let masked = |text| Masked { text, is_hidden: form.masked };
    out.extend_from_slice(br#"{"ts":"#);
    Stamp(form.unix_ms).write(out);
    members!(out;
        "level": Level::of(record).name(),
        "event": event_name(record),
        "node": form.node,
        "call_id": &record.call_id,
    );
    known_members!(out;
        "icid": record.icid.as_deref(),
        "session_id": record.session_id.as_deref(),
    );
    members!(out;
        "method": &record.method,
        "direction": record.direction,
        "peer_in": &record.peer_in,
    );
    known_members!(out;
        "peer_out": record.peer_out.as_deref(),
        "number": record.number.as_deref().map(masked),
    );
    members!(out; "called": masked(&record.called));
    known_members!(out;
        "request_uri_out": record.request_uri_out.as_deref().map(masked),
        "route": record.route.as_deref(),
        "tags": (!record.tags.is_empty()).then_some(Array(&record.tags)),
        "enum_class": record.enum_class.as_deref(),
    );
    members!(out; "status": record.status);
    known_members!(out;
        "reason": record.reason,
        "source": record.source.map(Source::name),
        "setup_s": Seconds::between(Some(record.start_ms), record.answer_ms),
        "ring_s": Seconds::between(Some(record.start_ms), record.ring_ms),
        "duration_s": Seconds::between(record.answer_ms, Some(record.end_ms)),
    );
    if !record.attempts.is_empty() {
        let tries = record.attempts.iter().map(|attempt| Try { attempt, is_hidden: form.masked });
        members!(out; "attempts": Array(tries));
    }
    known_members!(out;
        "released_by": record.released_by.map(ReleasedBy::name),
        "release_reason": record.release_reason.as_deref().map(masked),
        "orig_ioi": record.orig_ioi.as_deref().map(masked),
        "term_ioi": record.term_ioi.as_deref().map(masked),
    );
    members!(out; "generation": record.generation);
    out.push(b'}');
}

const fn event_name(record: &CallRecord<'_>) -> &'static str {
    match (record.record, record.outcome) {
        (RecordKind::Call, Outcome::Answered) => "call.finished",
        (RecordKind::Call, Outcome::Failed) => "call.failed",
        (RecordKind::Call, Outcome::Cancelled) => "call.cancelled",
        (RecordKind::Call, Outcome::Rejected) => "call.rejected",
        (RecordKind::Event, Outcome::Answered) => "transaction.finished",
        (RecordKind::Event, Outcome::Failed) => "transaction.failed",
        (RecordKind::Event, Outcome::Cancelled) => "transaction.cancelled",
        (RecordKind::Event, Outcome::Rejected) => "transaction.rejected",
    }
}

/// A text whose numbers may have to be hidden.
struct Masked<'a> {
    text: &'a str,
    is_hidden: bool,
}

impl Value for Masked<'_> {
    fn write(self, out: &mut Vec<u8>) {
        string(out, self.is_hidden, |out| out.extend_from_slice(self.text.as_bytes()));
    }
}

/// One try, as `carrier_b/b1 503 Service Unavailable`.
struct Try<'a> {
    attempt: &'a Attempt<'a>,
    is_hidden: bool,
}

impl Value for Try<'_> {
    fn write(self, out: &mut Vec<u8>) {
        let Attempt { peer, target, status, phrase, cause, reason } = self.attempt;
        string(out, self.is_hidden, |out| {
            let start = out.len();
            out.extend_from_slice(peer.as_bytes());
            out.push(b'/');
            out.extend_from_slice(target.as_bytes());
            if let Some(status) = status {
                out.push(b' ');
                status.write(out);
            }
            for word in phrase.as_deref().into_iter().chain(cause.as_deref()).chain(*reason) {
                out.push(b' ');
                out.extend_from_slice(word.as_bytes());
            }
            let end = start + out[start..].trim_ascii_end().len(); // a phrase may be empty
            out.truncate(end);
        });
    }
}

/// Writes a string of what *fill* adds, which is masked before it is escaped: a backslash would hide where a number ends.
fn string(out: &mut Vec<u8>, is_hidden: bool, fill: impl FnOnce(&mut Vec<u8>)) {
    out.push(b'"');
    let start = out.len();
    fill(out);
    if is_hidden {
        mask(&mut out[start..]);
    }
    escape_from(out, start);
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use super::super::call_record::tests::answered;
    use super::*;
    use crate::reason::Reason;
    use serde_json::{Value as Json, json};
    use smallvec::{SmallVec, smallvec};

    const FORM: CallLineForm<'_> = CallLineForm { unix_ms: 1_795_407_251_300, node: "ibcf-1", masked: true };

    fn text(record: &CallRecord<'_>, form: CallLineForm<'_>) -> String {
        let mut out = Vec::new();
        write_call_line(record, form, &mut out);
        String::from_utf8(out).unwrap()
    }

    fn line(record: &CallRecord<'_>) -> Json {
        serde_json::from_str(&text(record, FORM)).unwrap()
    }

    #[test]
    fn the_line_of_a_finished_call_is_these_bytes() {
        // Times are in seconds; numbers are masked, identifiers are not.
        let expected = concat!(
            r#"{"ts":"2026-11-23T04:14:11.300Z","level":"info","event":"call.finished","node":"ibcf-1","#,
            r#""call_id":"+441632960083@host","icid":"icid-1","method":"INVITE","direction":"exit","#,
            r#""peer_in":"carrier_a","peer_out":"carrier_b","number":"+44163296xxxx","called":"tel:+44163296xxxx","#,
            r#""status":200,"setup_s":1.0,"ring_s":0.5,"duration_s":10.25,"attempts":["carrier_b/b1 200 OK"],"#,
            r#""released_by":"upstream","orig_ioi":"a.example","generation":3}"#,
        );
        assert_eq!(text(&answered(), FORM), expected);
    }

    #[test]
    fn all_that_is_known_has_its_key_in_its_place() {
        let known = |text: &'static str| Some(text.into());
        let record = CallRecord {
            session_id: known("ab30317f1a784dc48ff824d0d3715d86"),
            request_uri_out: known("sip:+441632960083@b.example"),
            route: known("to_b"),
            enum_class: known("FOUND"),
            reason: Some(Reason::SessionExpired.id()),
            source: Some(Source::Downstream),
            release_reason: known("Q.850;cause=16;text=\"01632960083 tel:01632960083\""),
            term_ioi: known("+441632960083.example"),
            ..answered()
        };
        let expected = concat!(
            r#""session_id":"ab30317f1a784dc48ff824d0d3715d86","method":"INVITE","direction":"exit","#,
            r#""peer_in":"carrier_a","peer_out":"carrier_b","number":"+44163296xxxx","called":"tel:+44163296xxxx","#,
            r#""request_uri_out":"sip:+44163296xxxx@b.example","route":"to_b","enum_class":"FOUND","status":200,"#,
            r#""reason":"forward.session_expired","source":"downstream","setup_s":1.0,"ring_s":0.5,"duration_s":10.25,"#,
            r#""attempts":["carrier_b/b1 200 OK"],"released_by":"upstream","#,
            r#""release_reason":"Q.850;cause=16;text=\"01632960083 tel:0163296xxxx\"","orig_ioi":"a.example","#,
            r#""term_ioi":"+44163296xxxx.example","generation":3}"#,
        );
        let line = text(&record, FORM);
        assert!(line.ends_with(expected), "{line}");
    }

    #[test]
    fn numbers_are_full_when_the_operator_wants_it() {
        let line = text(&answered(), CallLineForm { masked: false, ..FORM });
        assert!(line.contains(r#""number":"+441632960083","called":"tel:+441632960083""#), "{line}");
    }

    #[test]
    fn each_outcome_has_its_event_and_what_an_operator_must_look_at_warns() {
        let ended = |outcome, reason: Option<Reason>| CallRecord {
            outcome,
            answer_ms: None,
            reason: reason.map(Reason::id),
            source: reason.map(|reason| reason.entry().source),
            ..answered()
        };
        let event = CallRecord { record: RecordKind::Event, method: "MESSAGE".into(), ..answered() };
        let cases = [
            (ended(Outcome::Failed, None), "call.failed", "info"),
            (ended(Outcome::Cancelled, None), "call.cancelled", "info"),
            (ended(Outcome::Rejected, Some(Reason::Forbidden)), "call.rejected", "info"),
            (ended(Outcome::Rejected, Some(Reason::EnumFailed)), "call.rejected", "warning"),
            (ended(Outcome::Failed, Some(Reason::NodeStopped)), "call.failed", "warning"),
            (event.clone(), "transaction.finished", "info"),
            (CallRecord { outcome: Outcome::Failed, ..event.clone() }, "transaction.failed", "info"),
            (CallRecord { outcome: Outcome::Cancelled, ..event.clone() }, "transaction.cancelled", "info"),
            (CallRecord { outcome: Outcome::Rejected, ..event }, "transaction.rejected", "info"),
        ];
        for (record, event, level) in cases {
            let line = line(&record);
            assert_eq!((&line["event"], &line["level"]), (&json!(event), &json!(level)));
            assert_eq!(line.get("reason"), record.reason.map(|reason| json!(reason)).as_ref());
        }
    }

    #[test]
    fn a_call_that_ended_at_once_lasted_a_time() {
        let line = line(&CallRecord { end_ms: 1_795_407_241_000, ..answered() });
        assert_eq!(line["duration_s"], json!(0.0));
    }

    #[test]
    fn what_is_not_known_is_left_out() {
        let bare = CallRecord {
            icid: None,
            peer_out: None,
            number: None,
            ring_ms: None,
            answer_ms: None,
            attempts: SmallVec::new(),
            released_by: None,
            orig_ioi: None,
            ..answered()
        };
        let keys: Vec<String> = line(&bare).as_object().unwrap().keys().cloned().collect();
        let mut expected = [
            "ts",
            "level",
            "event",
            "node",
            "call_id",
            "method",
            "direction",
            "peer_in",
            "called",
            "status",
            "generation",
        ];
        expected.sort_unstable();
        assert_eq!(keys, expected);
    }

    #[test]
    fn every_try_is_told_in_words() {
        let attempt = |status, phrase: Option<&'static str>, reason: Option<Reason>| Attempt {
            peer: "carrier_b".into(),
            target: "b1".into(),
            status,
            phrase: phrase.map(Into::into),
            cause: (status == Some(503)).then(|| "Q.850;cause=41".into()),
            reason: reason.map(Reason::id),
        };
        let attempts = smallvec![
            attempt(None, None, Some(Reason::Timeout)),
            attempt(Some(503), Some("Try \"+441632960083\""), None),
            attempt(Some(486), Some(""), None),
        ];
        let line = line(&CallRecord { attempts, ..answered() });
        let expected = [
            "carrier_b/b1 forward.timeout",
            "carrier_b/b1 503 Try \"+44163296xxxx\" Q.850;cause=41",
            "carrier_b/b1 486",
        ];
        assert_eq!(line["attempts"], json!(expected));
    }

    #[test]
    fn levels_have_an_order_and_names() {
        for level in [Level::Debug, Level::Info, Level::Warning, Level::Error] {
            assert_eq!(Level::from_name(level.name()), Some(level));
        }
        assert!(Level::Debug < Level::Info && Level::Info < Level::Warning && Level::Warning < Level::Error);
        assert_eq!(Level::from_name("loud"), None);
    }
}
