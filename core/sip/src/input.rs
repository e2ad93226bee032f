//! Everything that may enter the border.

use std::net::SocketAddr;
use std::sync::Arc;

use serde::Deserialize;

use crate::output::QuestionId;
use crate::snapshot::{ListenerIndex, Snapshot};

/// One thing for the border to handle.
#[derive(Debug)]
pub enum Input<'a> {
    /// A datagram came in.
    Datagram {
        /// The listener whose socket received it.
        listener: ListenerIndex,
        /// Where it came from.
        source: SocketAddr,
        /// The bytes, at most 65,535.
        bytes: &'a [u8],
    },
    /// The network says that a datagram sent earlier did not arrive (an ICMP error, a failed send).
    Unreachable {
        /// Where it was going.
        destination: SocketAddr,
        /// The first bytes of what was sent, as far as the network gave them back.
        excerpt: &'a [u8],
    },
    /// The outside world answered a question.
    Answer(Answer),
    /// Time passed: due timers fire. Every other input fires them too.
    Tick,
    /// A new snapshot takes effect, for all that begins from now on.
    Apply(Arc<Snapshot>),
    /// Take no new work: 503 to initial requests, the rest goes on.
    Drain,
    /// The process ends: write the records of the calls that are still up.
    Close,
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
