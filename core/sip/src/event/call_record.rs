//! The record of a finished call or standalone transaction: what the two lines about it are written from.

use std::net::SocketAddr;

use crate::reason::Source;

/// What kind of charging record it is (TS 32.260 §5.2.1: session or event).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordKind {
    /// An INVITE, answered or not.
    Call,
    /// A standalone transaction: MESSAGE, SUBSCRIBE, PUBLISH, REFER, NOTIFY, REGISTER (CH-14).
    Event,
}

impl RecordKind {
    /// Returns the name used in records and logs.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Call => "call",
            Self::Event => "event",
        }
    }
}

/// How it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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

impl Outcome {
    /// Returns the name used in records and logs.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Answered => "answered",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::Rejected => "rejected",
        }
    }
}

/// Who ended an answered call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReleasedBy {
    /// BYE from the caller's side.
    Upstream,
    /// BYE from the called side.
    Downstream,
    /// Nobody: the session timer or the audit closed it.
    Border,
}

impl ReleasedBy {
    /// Returns the name used in records and logs.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Upstream => "upstream",
            Self::Downstream => "downstream",
            Self::Border => "border",
        }
    }
}

/// One try at a target.
#[derive(Clone, Debug, PartialEq, Eq)]
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

/// The network on the other side of the border: where the request came from on entry, where it went on exit (CH-44).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Neighbour {
    /// Is it in our trust domain?
    pub trusted: bool,
    /// On exit, the address of the target that was tried last there.
    pub address: Option<SocketAddr>,
}

/// All that charging and the log line need. Times are milliseconds since 1970-01-01 UTC.
#[derive(Clone, Debug, PartialEq)]
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
    /// The other network, seen from ours; `None` when the request went to nobody.
    pub neighbour: Option<Neighbour>,
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
    pub source: Option<Source>,
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

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A call that was answered after a second and ended by the caller.
    pub(in crate::event) fn answered() -> CallRecord {
        CallRecord {
            record: RecordKind::Call,
            method: "INVITE".to_owned(),
            call_id: "+441632960083@host".to_owned(),
            icid: Some("icid-1".to_owned()),
            orig_ioi: Some("a.example".to_owned()),
            term_ioi: None,
            session_id: None,
            peer_in: "carrier_a".to_owned(),
            peer_out: Some("carrier_b".to_owned()),
            neighbour: Some(Neighbour { trusted: false, address: "192.0.2.1:5060".parse().ok() }),
            direction: "exit",
            calling: vec!["tel:+441632960000".to_owned()],
            from: "sip:a@a.example".to_owned(),
            called: "tel:+441632960083".to_owned(),
            request_uri_out: None,
            number: Some("+441632960083".to_owned()),
            enum_class: None,
            route: None,
            outcome: Outcome::Answered,
            status: 200,
            reason: None,
            source: None,
            attempts: vec![Attempt {
                peer: "carrier_b".to_owned(),
                target: "b1".to_owned(),
                status: Some(200),
                phrase: Some("OK".to_owned()),
                reason: None,
            }],
            start_ms: 1_795_407_240_000,
            ring_ms: Some(1_795_407_240_500),
            answer_ms: Some(1_795_407_241_000),
            end_ms: 1_795_407_251_250,
            released_by: Some(ReleasedBy::Upstream),
            release_reason: None,
            generation: 3,
        }
    }
}
