//! Everything that may leave the border: datagrams, questions, events.

use std::net::SocketAddr;
use std::ops::Range;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::event::Event;
use crate::flow::{ConnectionId, Flow};
use crate::input::EnumOutcome;
use crate::snapshot::{Direction, Side, Transport};
use crate::time::Time;
use crate::trace::Trace;

/// What one or more inputs led to. Reused from batch to batch, so that the byte arena keeps its capacity.
#[derive(Debug, Default)]
pub struct Outputs {
    arena: Vec<u8>,
    sends: Vec<Send>,
    /// Connections that the other end opened and that may carry requests to the address beside them, since it said so in
    /// its Via (RFC 5923 §5).
    pub aliases: Vec<(ConnectionId, SocketAddr)>,
    /// What only the outside world can answer.
    pub questions: Vec<Question>,
    /// What happened, for charging, logs and alarms.
    pub events: Vec<Event>,
    /// Requests that somebody wants to see, while somebody does.
    pub samples: Vec<SampledRequest>,
    /// Messages of calls that a rule wants to have in a trace.
    pub mirrored: Vec<MirroredMessage>,
    /// The stages' steps, when somebody asked for them.
    pub trace: Trace,
}

/// A message to send; its bytes lie in the arena of the `Outputs` it came with.
#[derive(Clone, Debug)]
pub struct Send {
    /// From which listener, where to, on which connection.
    pub flow: Flow,
    bytes: Range<usize>,
}

impl Outputs {
    /// Forgets everything but the capacity (and whether steps are kept).
    pub fn clear(&mut self) {
        self.arena.clear();
        self.sends.clear();
        self.aliases.clear();
        self.questions.clear();
        self.events.clear();
        self.samples.clear();
        self.mirrored.clear();
        self.trace.take();
    }

    /// Queues a message whose bytes *write* appends to the arena.
    pub fn send_with(&mut self, flow: Flow, write: impl FnOnce(&mut Vec<u8>)) {
        let start = self.arena.len();
        write(&mut self.arena);
        self.sends.push(Send { flow, bytes: start..self.arena.len() });
    }

    /// Queues a message with a copy of *bytes*.
    pub fn send(&mut self, flow: Flow, bytes: &[u8]) {
        self.send_with(flow, |arena| arena.extend_from_slice(bytes));
    }

    /// The messages in the order in which they are to be sent.
    pub fn sends(&self) -> &[Send] {
        &self.sends
    }

    /// The bytes of *send*.
    pub fn bytes(&self, send: &Send) -> &[u8] {
        self.arena.get(send.bytes.clone()).unwrap_or_default()
    }
}

/// Names a question; unique for the life of the process (worker, slot and generation inside).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct QuestionId(pub u64);

/// A request that begins something, as it was decided: for whoever wants to know how another policy would decide.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SampledRequest {
    /// Id of the peer that sent it.
    pub peer: String,
    /// Id of the listener that it came to.
    pub listener: String,
    /// Address of the sender.
    pub source: String,
    /// When it came, in milliseconds since 1970.
    pub unix_ms: u64,
    /// The rule that decided; `None` when a stage before the rules refused.
    pub rule: Option<String>,
    /// The global number that is called.
    pub number: Option<String>,
    /// What ENUM said about that number.
    pub answers: Vec<SampledAnswer>,
    /// The request as it came, a character a byte (ISO 8859-1).
    pub message: String,
}

/// A message of a call that a rule wants to have in a trace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct MirroredMessage {
    /// It came in; else it was sent.
    pub is_received: bool,
    /// Address of our listener.
    pub local: String,
    /// Address of the other end.
    pub remote: String,
    /// When, in milliseconds since 1970.
    pub unix_ms: u64,
    /// The message, a character a byte (ISO 8859-1).
    pub message: String,
}

/// An answer that a sampled request was decided with, or that was there for it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SampledAnswer {
    /// Id of the ENUM service.
    pub service: String,
    /// Found, not found or failed.
    pub outcome: EnumOutcome,
    /// The finer class.
    pub class: String,
    /// The URIs, best first.
    pub candidates: Vec<String>,
}

/// A question to the outside world. The core goes on serving; an answer after the deadline is counted and dropped.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Question {
    /// To be given back with the answer.
    pub id: QuestionId,
    /// Until when an answer is of use.
    #[serde(skip)]
    pub deadline: Time,
    /// The same, as milliseconds from when it was asked.
    pub deadline_ms: u64,
    /// What is asked.
    pub body: QuestionBody,
}

/// What a hook may look at; nothing of it can be changed there.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct HookView {
    /// Id of the rule.
    pub rule: String,
    /// What is called: `module:function`.
    pub call: String,
    /// Id of the peer that sent the request.
    pub peer: String,
    /// Its side.
    pub side: Side,
    /// Way across the border.
    pub direction: Direction,
    /// Is the peer in our trust domain?
    pub trusted: bool,
    /// The method.
    pub method: String,
    /// The Request-URI as it is now.
    pub request_uri: String,
    /// The global number (`+` and digits) that is called.
    pub number: Option<String>,
    /// The global number that calls.
    pub calling: Option<String>,
    /// What the last look-up led to.
    pub enum_outcome: Option<EnumOutcome>,
    /// The finer class of the same.
    pub enum_class: Option<String>,
    /// The URIs that it gave, best first.
    pub enum_candidates: Vec<String>,
    /// When the request came, in milliseconds since 1970.
    pub unix_ms: u64,
    /// The request as it came, a character a byte (ISO 8859-1): not all of it need be Unicode.
    pub message: String,
}

/// What only the outside world knows.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum QuestionBody {
    /// The URIs of a number (RFC 6116).
    Enum {
        /// The id of the `enum` section that says where to look.
        service: String,
        /// The Application Unique String: `+` and digits (RFC 6116 §3.1).
        number: String,
    },
    /// What a function of the operator's says. Large, and held in several places: shared.
    Hook(Arc<HookView>),
    /// The servers of the next hop (RFC 3263).
    Locate {
        /// The id of the peer that they belong to.
        peer: String,
        /// Host of the URI to be resolved, in lower case.
        host: String,
        /// Its port, if it has one.
        port: Option<u16>,
        /// Its `transport` parameter, if it has one that we know.
        transport: Option<Transport>,
        /// Is it a `sips` URI?
        secure: bool,
    },
}
