//! What the border tells the control plane: charging records, and things worth a log line or an alarm.

use serde::Serialize;

use crate::decide::{Cause, Change};

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// A call or a standalone transaction is over: exactly one for each one admitted (invariant 2). Never dropped silently.
    CallFinished(Box<CallRecord>),
    /// A message was refused before it became a call (unknown source, broken bytes, rate). Rate-limited, with a count of what was left out.
    MessageRefused {
        /// Id of the catalogue.
        reason: &'static str,
        /// The peer's id, when the source belongs to one.
        peer: Option<String>,
        /// Address of the sender.
        source: String,
        /// What was wrong and where.
        detail: String,
        /// How many more were refused since the last such event.
        suppressed: u64,
        /// When, in milliseconds since 1970.
        unix_ms: u64,
    },
    /// A target can be reached again, or cannot any more; once for each change, over all workers.
    TargetState {
        /// The peer's id.
        peer: String,
        /// The target's id.
        target: String,
        /// Which of the two.
        state: Change,
        /// What showed it.
        cause: Cause,
        /// When, in milliseconds since 1970.
        unix_ms: u64,
    },
    /// Something an operator should look at.
    Alarm {
        /// A stable name: `panic`, `token_open_failed`, `late_answer` ...
        name: &'static str,
        /// The same in words.
        detail: String,
        /// When, in milliseconds since 1970.
        unix_ms: u64,
    },
}

/// What kind of charging record it is (TS 32.260 §5.2.1: session or event).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RecordKind {
    /// An INVITE, answered or not.
    Call,
    /// A standalone transaction: MESSAGE, SUBSCRIBE, PUBLISH, REFER, NOTIFY, REGISTER (CH-14).
    Event,
}

/// How it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// 2xx.
    Answered,
    /// The far side said no (486, 404, 603 ...), or no target could be reached; then `reason` says why.
    Failed,
    /// The caller gave up.
    Cancelled,
    /// This border refused it; `reason` says why.
    Rejected,
}

/// Who ended an answered call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ReleasedBy {
    /// BYE from the caller's side.
    Upstream,
    /// BYE from the called side.
    Downstream,
    /// Nobody: the session timer or the audit closed it.
    Border,
}

/// One try at a target.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Attempt {
    /// The peer's id.
    pub peer: String,
    /// The target's id.
    pub target: String,
    /// The final status it gave; `None` when it gave none.
    pub status: Option<u16>,
    /// The peer's reason phrase, as it came.
    pub phrase: Option<String>,
    /// Why the border gave up on it, when it did: an id of the catalogue.
    pub reason: Option<&'static str>,
}

/// All that charging and the log line need. Times are milliseconds since 1970-01-01 UTC.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CallRecord {
    /// Session or event record.
    pub record: RecordKind,
    /// Method of the request.
    pub method: String,
    /// Call-ID as received.
    pub call_id: String,
    /// `icid-value` of the P-Charging-Vector that left.
    pub icid: Option<String>,
    /// `orig-ioi` that left.
    pub orig_ioi: Option<String>,
    /// `term-ioi` that came back or was added.
    pub term_ioi: Option<String>,
    /// Local half of Session-ID (RFC 7989), as it came.
    pub session_id: Option<String>,
    /// Peer that sent the request.
    pub peer_in: String,
    /// Peer that it went to; `None` when it went to nobody.
    pub peer_out: Option<String>,
    /// `exit` (home to peer) or `entry` (from a peer).
    pub direction: &'static str,
    /// P-Asserted-Identity values as received and believed, else empty (CH-04 makes that `unknown`).
    pub calling: Vec<String>,
    /// From URI as received.
    pub from: String,
    /// Request-URI as received.
    pub called: String,
    /// Request-URI as sent, after ENUM and rules.
    pub request_uri_out: Option<String>,
    /// The global number looked at, if there was one.
    pub number: Option<String>,
    /// Class of the ENUM answer (ENUM-46), if it was asked.
    pub enum_class: Option<String>,
    /// Id of the route that decided.
    pub route: Option<String>,
    /// How it ended.
    pub outcome: Outcome,
    /// The final status sent upstream.
    pub status: u16,
    /// Our reason, an id of the catalogue, when this border refused, failed or ended it.
    pub reason: Option<&'static str>,
    /// Whose fault, when there is a reason.
    pub source: Option<crate::reason::Source>,
    /// Every target tried, in order.
    pub attempts: Vec<Attempt>,
    /// Request received.
    pub start_ms: u64,
    /// First 18x passed on.
    pub ring_ms: Option<u64>,
    /// Final 2xx passed on.
    pub answer_ms: Option<u64>,
    /// Over.
    pub end_ms: u64,
    /// Who ended an answered call.
    pub released_by: Option<ReleasedBy>,
    /// Reason header of the BYE or CANCEL, as it came.
    pub release_reason: Option<String>,
    /// Policy generation that decided.
    pub generation: u64,
}
