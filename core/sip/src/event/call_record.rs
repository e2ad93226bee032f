//! The record of a finished call or standalone transaction: what the two lines about it are written from.

use std::borrow::Cow;
use std::net::SocketAddr;

use smallvec::SmallVec;

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
pub struct Attempt<'a> {
    /// The peer's id.
    pub peer: Cow<'a, str>,
    /// The target's id.
    pub target: Cow<'a, str>,
    /// The final status it gave; `None` when it gave none.
    pub status: Option<u16>,
    /// The peer's reason phrase, as it came.
    pub phrase: Option<Cow<'a, str>>,
    /// Its Reason header (RFC 3326), as it came.
    pub cause: Option<Cow<'a, str>>,
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

/// All that charging and the log line need, a view of where it is known. Times are milliseconds since 1970-01-01 UTC.
///
/// Of a text that came in, what is not UTF-8 is replaced (U+FFFD): a record can always be written.
#[derive(Clone, Debug, PartialEq)]
pub struct CallRecord<'a> {
    /// Session or event record.
    pub record: RecordKind,
    /// Method of the request.
    pub method: Cow<'a, str>,
    /// Call-ID as received.
    pub call_id: Cow<'a, str>,
    /// `icid-value` of the P-Charging-Vector that left.
    pub icid: Option<Cow<'a, str>>,
    /// `orig-ioi` that left.
    pub orig_ioi: Option<Cow<'a, str>>,
    /// `term-ioi` that came back or was added.
    pub term_ioi: Option<Cow<'a, str>>,
    /// Local half of Session-ID (RFC 7989), as it came.
    pub session_id: Option<Cow<'a, str>>,
    /// Peer that sent the request.
    pub peer_in: Cow<'a, str>,
    /// Peer that it went to; `None` when it went to nobody.
    pub peer_out: Option<Cow<'a, str>>,
    /// The other network, seen from ours; `None` when the request went to nobody.
    pub neighbour: Option<Neighbour>,
    /// `exit` (home to peer) or `entry` (from a peer).
    pub direction: &'static str,
    /// P-Asserted-Identity values as received and believed, else empty (CH-04 makes that `unknown`).
    pub calling: SmallVec<[Cow<'a, str>; 2]>,
    /// From URI as received.
    pub from: Cow<'a, str>,
    /// Request-URI as received.
    pub called: Cow<'a, str>,
    /// Request-URI as sent, after ENUM and rules.
    pub request_uri_out: Option<Cow<'a, str>>,
    /// The global number looked at, if there was one.
    pub number: Option<Cow<'a, str>>,
    /// Class of the ENUM answer (ENUM-46), if it was asked.
    pub enum_class: Option<Cow<'a, str>>,
    /// Id of the route that decided.
    pub route: Option<Cow<'a, str>>,
    /// Names that rules gave it.
    pub tags: SmallVec<[Cow<'a, str>; 2]>,
    /// How it ended.
    pub outcome: Outcome,
    /// The final status sent upstream.
    pub status: u16,
    /// Our reason, an id of the catalogue, when this border refused, failed or ended it.
    pub reason: Option<&'static str>,
    /// Whose fault, when there is a reason.
    pub source: Option<Source>,
    /// Every target tried, in order.
    pub attempts: SmallVec<[Attempt<'a>; 2]>,
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
    pub release_reason: Option<Cow<'a, str>>,
    /// Policy generation that decided.
    pub generation: u64,
}

/// What of a [`CallRecord`] is only known when an answered call ends: fields of the same names.
#[derive(Debug)]
pub(crate) struct Ending<'a> {
    pub(crate) end_ms: u64,
    pub(crate) released_by: Option<ReleasedBy>,
    pub(crate) release_reason: Option<Cow<'a, str>>,
    pub(crate) reason: Option<&'static str>,
    pub(crate) source: Option<Source>,
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use smallvec::smallvec;

    /// A call that was answered after a second and ended by the caller.
    pub(in crate::event) fn answered<'a>() -> CallRecord<'a> {
        CallRecord {
            record: RecordKind::Call,
            method: "INVITE".into(),
            call_id: "+441632960083@host".into(),
            icid: Some("icid-1".into()),
            orig_ioi: Some("a.example".into()),
            term_ioi: None,
            session_id: None,
            peer_in: "carrier_a".into(),
            peer_out: Some("carrier_b".into()),
            neighbour: Some(Neighbour { trusted: false, address: "192.0.2.1:5060".parse().ok() }),
            direction: "exit",
            calling: smallvec!["tel:+441632960000".into()],
            from: "sip:a@a.example".into(),
            called: "tel:+441632960083".into(),
            request_uri_out: None,
            number: Some("+441632960083".into()),
            enum_class: None,
            route: None,
            tags: SmallVec::new(),
            outcome: Outcome::Answered,
            status: 200,
            reason: None,
            source: None,
            attempts: smallvec![Attempt {
                peer: "carrier_b".into(),
                target: "b1".into(),
                status: Some(200),
                phrase: Some("OK".into()),
                cause: None,
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
