//! Watches the border from outside, and knows nothing of its inside: invariants 1 and 2.
//!
//! - Every request that came in gets exactly one final response (an INVITE: any number of 2xx, or one failure). A non-INVITE
//!   that nobody answered downstream gets none: RFC 4320 §4.2 forbids the 408.
//! - Every call and every standalone MESSAGE that came in makes exactly one record, and the record tells what was answered.
//! - When traffic stopped, nothing is left: no transaction, no call, no timer, no question, no place with a peer.
//! - Neither side of a call waits in vain, unless the other one is gone.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use ibcf_sip::Time;
use ibcf_sip::event::{CallRecord, Outcome, RecordKind};
use ibcf_sip::statistics::{Kind as FamilyKind, Shared};

use crate::peer::{Agent, call_of};
use crate::plan::{Behaviour, Kind, Plan};
use crate::text::Text;

/// What went wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The call in which it showed, when there is one.
    pub call: Option<u64>,
    /// In words.
    pub what: String,
}

/// A request that came to the border.
#[derive(Debug)]
struct Seen {
    call: u64,
    at: Time,
    /// From tag and `CSeq` number: the same on both legs.
    origin: (String, u32),
    is_initial: bool,
    answer: Option<Answer>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Answer {
    status: u16,
    /// A hash of its bytes; 0 for the 2xx to an INVITE, which may differ.
    bytes: u64,
}

/// Keeps what it saw.
#[derive(Debug, Default)]
pub struct Checker {
    /// Is the network good enough for nobody to wait in vain?
    hears_complaints: bool,
    /// By branch and method.
    seen: HashMap<(String, String), Seen>,
    /// Requests other than INVITE that were answered downstream in time: From tag, `CSeq` number, method.
    answered: HashMap<(String, u32, String), Time>,
    records: HashMap<u64, Vec<CallRecord>>,
    failures: Vec<Failure>,
}

/// Up to this share of loss, seven sendings of one request are not all lost in the lifetime of a test.
pub const LOSS_BORNE: f64 = 0.06;
/// A caller waits this long for an answer; what comes later need not be passed on.
const PATIENCE: Duration = Duration::from_secs(30);

impl Checker {
    /// Begins to watch a border on a network that loses this share.
    pub fn new(loss: f64) -> Self {
        Self { hears_complaints: loss <= LOSS_BORNE, ..Self::default() }
    }

    /// Notes what went wrong.
    pub fn fail(&mut self, call: Option<u64>, what: impl Into<String>) {
        self.failures.push(Failure { call, what: what.into() });
    }

    /// Notes a message that an agent sent and that reached the border.
    pub fn on_received(&mut self, text: &Text<'_>, now: Time) {
        let Some(call) = call_of(text.call_id()) else { return };
        let origin = (text.tag("From").unwrap_or_default().to_owned(), text.cseq());
        let method = text.method();
        match text.status() {
            Some(200..) if method != "INVITE" => {
                self.answered.entry((origin.0, origin.1, method.to_owned())).or_insert(now);
            }
            None if method != "ACK" => {
                let is_initial = text.tag("To").is_none();
                self.seen.entry((text.branch().to_owned(), method.to_owned())).or_insert(Seen {
                    call,
                    at: now,
                    origin,
                    is_initial,
                    answer: None,
                });
            }
            _ => {}
        }
    }

    /// Notes a message that the border sent.
    pub fn on_sent(&mut self, text: &Text<'_>, bytes: &[u8]) {
        let Some((call, status)) = call_of(text.call_id()).zip(text.status()) else { return };
        let key = (text.branch().to_owned(), text.method().to_owned());
        let Some(seen) = self.seen.get_mut(&key) else {
            self.fail(Some(call), format!("a response to a {} that never came: {}", key.1, text.start));
            return;
        };
        if status < 200 {
            return;
        }
        let is_success = key.1 == "INVITE" && status < 300;
        let answer = Answer { status, bytes: if is_success { 0 } else { hash(bytes) } };
        let Some(first) = seen.answer else {
            seen.answer = Some(answer);
            return;
        };
        let is_allowed = first == answer || (is_success && first.bytes == 0);
        if !is_allowed {
            self.fail(
                Some(call),
                format!("a second final response to one {}: {}, then {status}", key.1, first.status),
            );
        }
    }

    /// Notes a charging record.
    pub fn on_record(&mut self, record: &CallRecord) {
        if let Some(call) = call_of(&record.call_id) {
            self.records.entry(call).or_default().push(record.clone());
        }
    }

    /// Judges what is left when all is over.
    pub fn on_end(&mut self, shared: &Shared) {
        // Those that do not count what is in progress.
        const STANDING: [&str; 9] = [
            "ibcf_answer_cache_entries",
            "ibcf_location_cache_entries",
            "ibcf_config_generation",
            "ibcf_config_generations_kept",
            "ibcf_limits",
            "ibcf_peer_calls_limit",
            "ibcf_peer_up",
            "ibcf_table_peak",
            "ibcf_target_state",
        ];
        let families = shared.families(ibcf_sip::Time::ZERO);
        for family in families.iter().filter(|family| family.kind == FamilyKind::Gauge) {
            let is_live = !STANDING.contains(&family.name);
            for sample in family.samples.iter().filter(|sample| is_live && sample.value != 0.0) {
                self.fail(
                    None,
                    format!("{}{:?} is {} when traffic stopped", family.name, sample.labels, sample.value),
                );
            }
        }
        self.judge_requests();
    }

    fn judge_requests(&mut self) {
        let mut failures = Vec::new();
        for ((_, method), seen) in &self.seen {
            let origin = (seen.origin.0.clone(), seen.origin.1, method.clone());
            let must = match method.as_str() {
                "INVITE" | "CANCEL" => true,
                _ => {
                    self.answered.get(&origin).is_some_and(|at| *at < seen.at + PATIENCE)
                        && !(seen.is_initial && self.was_given_up(seen.call))
                }
            };
            if must && seen.answer.is_none() {
                failures.push((seen.call, format!("the {method} {} got no final response", seen.origin.1)));
            }
        }
        failures.sort();
        for (call, what) in failures {
            self.fail(Some(call), what);
        }
    }

    /// Did the border hear of no target in time? What came later it dropped, as it must (RFC 4320 §4.2).
    fn was_given_up(&self, call: u64) -> bool {
        let mut attempts = self.records.get(&call).into_iter().flatten().flat_map(|record| &record.attempts);
        attempts.all(|attempt| attempt.status.is_none())
    }

    /// Judges one call: its record, and what its agents complain of.
    pub fn on_call_end(&mut self, call: u64, plan: &Plan, agents: &[Agent]) {
        let first = self.first_request(call).map(|seen| seen.answer);
        let records = self.records.get(&call).cloned().unwrap_or_default();
        let expected = usize::from(first.is_some() && plan.kind != Kind::Ping);
        if records.len() != expected {
            let found: Vec<_> =
                records.iter().map(|record| (record.outcome, record.status, record.reason)).collect();
            self.fail(Some(call), format!("{} records instead of {expected}: {found:?}", records.len()));
        }
        let record = records.first();
        if let Some((record, answer)) = record.zip(first) {
            self.judge_record(call, plan, record, answer);
        }
        if self.hears_complaints && !may_complain(plan, record) {
            for complaint in agents.iter().flat_map(|agent| &agent.complaints) {
                self.fail(Some(call), complaint.clone());
            }
        }
    }

    /// The request that began the call, if it ever came.
    fn first_request(&self, call: u64) -> Option<&Seen> {
        ["INVITE", "MESSAGE", "OPTIONS"].iter().find_map(|method| {
            let key = (format!("z9hG4bK{call}c.1"), (*method).to_owned());
            self.seen.get(&key).filter(|seen| seen.is_initial)
        })
    }

    fn judge_record(&mut self, call: u64, plan: &Plan, record: &CallRecord, answer: Option<Answer>) {
        let kind = if plan.kind == Kind::Call { RecordKind::Call } else { RecordKind::Event };
        if record.record != kind {
            self.fail(Some(call), format!("the record is a {:?}", record.record));
        }
        let Some(answer) = answer else { return };
        let is_answered = record.outcome == Outcome::Answered;
        if record.status != answer.status || is_answered != (answer.status < 300) {
            let what =
                format!("{} was answered but {:?} {} recorded", answer.status, record.outcome, record.status);
            self.fail(Some(call), what);
        }
    }

    /// All that went wrong, once each.
    pub fn into_failures(self) -> Vec<Failure> {
        let mut known = HashSet::new();
        self.failures
            .into_iter()
            .filter(|failure| known.insert((failure.call, failure.what.clone())))
            .collect()
    }
}

/// May somebody wait in vain in this call, and nobody is to blame?
fn may_complain(plan: &Plan, record: Option<&CallRecord>) -> bool {
    let is_mute = |behaviour: &Behaviour| {
        matches!(behaviour, Behaviour::Silent | Behaviour::Unreachable | Behaviour::RingForever)
    };
    // A target whose answers were all lost in four seconds: the border went on to the next one, and drops what comes late.
    let was_lost =
        record.is_some_and(|record| record.attempts.iter().any(|attempt| attempt.reason.is_some()));
    plan.vanish_ms.is_some() || was_lost || (plan.kind == Kind::Message && plan.called.iter().any(is_mute))
}

fn hash(bytes: &[u8]) -> u64 {
    // FNV-1a, never zero.
    bytes
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
            (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
        })
        .max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const INVITE: &str = "INVITE sip:b SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK7c.1\r\nFrom: <sip:a>;tag=f\r\n\
        To: <sip:b>\r\nCall-ID: call-7@sim.example\r\nCSeq: 1 INVITE\r\n\r\n";

    fn checker_with_invite() -> Checker {
        let mut checker = Checker::default();
        checker.on_received(&Text::read(INVITE.as_bytes()).unwrap(), Time::ZERO);
        checker
    }

    fn send(checker: &mut Checker, status: &str, extra: &str) {
        let text =
            INVITE.replace("INVITE sip:b SIP/2.0", &format!("SIP/2.0 {status}")).replace("\r\n\r\n", extra);
        checker.on_sent(&Text::read(text.as_bytes()).unwrap(), text.as_bytes());
    }

    #[test]
    fn one_failure_sent_twice_is_one_response() {
        let mut checker = checker_with_invite();
        send(&mut checker, "100 Trying", "\r\n\r\n");
        send(&mut checker, "486 Busy", "\r\n\r\n");
        send(&mut checker, "486 Busy", "\r\n\r\n");
        checker.judge_requests();
        assert_eq!(checker.into_failures(), []);
    }

    #[test]
    fn two_different_answers_are_one_too_many() {
        for second in ["487 Terminated", "200 OK"] {
            let mut checker = checker_with_invite();
            send(&mut checker, "486 Busy", "\r\n\r\n");
            send(&mut checker, second, "\r\n\r\n");
            assert_eq!(checker.into_failures().len(), 1);
        }
        let mut checker = checker_with_invite();
        send(&mut checker, "200 OK", "\r\n\r\n");
        send(&mut checker, "200 OK", "\r\nX: 1\r\n\r\n");
        assert_eq!(checker.into_failures(), []);
    }

    #[test]
    fn silence_is_a_failure() {
        let mut checker = checker_with_invite();
        checker.judge_requests();
        let failures = checker.into_failures();
        assert_eq!(failures[0].call, Some(7));
        assert!(failures[0].what.contains("no final response"));
    }

    #[test]
    fn what_is_left_over_is_a_failure() {
        let mut checker = Checker::default();
        let shared = Shared::new(1);
        shared.worker(0).calls.set(1);
        shared.peer("carrier_b").take_call(None);
        checker.on_end(&shared);
        assert_eq!(checker.into_failures().len(), 2);
    }

    #[test]
    fn a_call_without_a_record_is_a_failure() {
        let mut checker = checker_with_invite();
        let plan =
            Plan { vanish_ms: None, kind: Kind::Call, ..Plan::draw(&mut crate::random::Random::new(1, 1)) };
        checker.on_call_end(7, &plan, &[]);
        assert!(checker.into_failures()[0].what.contains("0 records instead of 1"));
    }
}
