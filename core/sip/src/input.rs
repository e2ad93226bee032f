//! Everything that may enter the border.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;

use crate::decide::HookVerdict;
use crate::flow::Flow;
use crate::output::QuestionId;
use crate::parse::Fault;
use crate::snapshot::{Snapshot, document};

/// One thing for the border to handle.
#[derive(Debug)]
pub enum Input<'a> {
    /// A message came in: a datagram, or what [`Framer`](crate::parse::Framer) cut out of a stream.
    Message {
        /// From whom, and on which listener.
        flow: Flow,
        /// The bytes, at most 65,535.
        bytes: &'a [u8],
    },
    /// A stream broke ([`Frame::Broken`](crate::parse::Frame)): what can be answered is, before the connection is closed.
    Broken {
        /// From whom, on which connection.
        flow: Flow,
        /// What there is to answer; may be empty.
        head: &'a [u8],
        /// What was wrong.
        fault: Fault,
    },
    /// The network says that a message sent earlier did not arrive (an ICMP error, a failed send, a connection that could
    /// not be made or broke before the message was written).
    Unreachable {
        /// Where it was going.
        destination: SocketAddr,
        /// The first bytes of what was sent, as far as the network gave them back.
        excerpt: &'a [u8],
    },
    /// The outside world answered a question.
    Answer(Answer),
    /// So long the message that comes next waited in the queue of the kernel. One of each batch says so.
    QueueDelay(Duration),
    /// Time passed: due timers fire. Every other input fires them too.
    Tick,
    /// A peer was located: from now on these are its targets (RFC 3263).
    Targets(TargetSet),
    /// A new snapshot takes effect, for all that begins from now on.
    Apply(Arc<Snapshot>),
    /// Take no new work: 503 to initial requests, the rest goes on.
    Drain,
    /// The process ends: write the records of the calls that are still up.
    Close,
}

/// Where a peer is found, as the control plane located it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TargetSet {
    /// The peer's id. A set for a peer that is not, or no longer, located is ignored.
    pub peer: String,
    /// Its targets; the priorities hold the order of NAPTR, SRV and address families.
    pub targets: Vec<document::Target>,
}

/// The answer to a question.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Answer {
    /// The id that the question had.
    pub id: QuestionId,
    /// What is the case.
    pub body: AnswerBody,
}

/// What the outside world knows.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum AnswerBody {
    /// The outcome of an ENUM resolution (RFC 6116).
    Enum {
        /// Found, not found or failed: decides how routing goes on.
        outcome: EnumOutcome,
        /// The finer class for logs and metrics: `FOUND`, `NXDOMAIN`, `TIMEOUT` ... (ENUM-46).
        class: String,
        /// The URIs, best first; empty unless `Found`.
        #[serde(default)]
        candidates: Vec<String>,
        /// How long the answer may be used again; 0 for this question only.
        #[serde(default)]
        ttl_ms: u64,
    },
    /// What a hook of the policy decided.
    Hook {
        /// Fit for use or not: that is looked at when it is taken.
        verdict: HookVerdict,
    },
    /// The servers of a host (RFC 3263).
    Locate {
        /// Where to send, in the order that their priorities tell; empty when there is no such host or nobody knows.
        #[serde(default)]
        targets: Vec<document::Target>,
        /// How long the answer may be used again; 0 for this question only.
        #[serde(default)]
        ttl_ms: u64,
    },
}

/// The outcome of an ENUM resolution, as routing sees it (ENUM-47).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum EnumOutcome {
    /// At least one usable URI.
    Found,
    /// An authoritative no: no name, no data, no usable record.
    NotFound,
    /// Nobody knows: servers failed, timed out, or the deadline passed.
    Failed,
}
