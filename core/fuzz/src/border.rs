//! `border`: a sequence of inputs with time. The bytes are a small language: one byte chooses what happens, the next ones how.
//!
//! | what happens                                | how                                                                  |
//! |---------------------------------------------|----------------------------------------------------------------------|
//! | a request from one of the sides             | method, URI, Call-ID, CSeq, tags, header lines, body                 |
//! | a response to a request that the border sent | which one, status, To tag, header lines                              |
//! | a request inside a dialog that the border let begin | which one, from which end, method                            |
//! | ACK or CANCEL to a request that came in     | which one                                                            |
//! | a message once more, as it was or mangled   | which one, from where, changes                                       |
//! | raw bytes                                   | from where                                                           |
//! | an answer to a question, right or stale     | outcome, URIs, how long it holds                                     |
//! | ICMP, a reload, draining, the wall clock    | excerpt, which snapshot                                              |
//! | time                                        | how much                                                             |
//!
//! [`judge`] looks at everything that leaves; at the end time runs until no timer is left, and nothing else may be either.

mod judge;
mod text;

use std::net::SocketAddr;
use std::sync::Arc;

use ibcf_sip::input::{Answer, AnswerBody, EnumOutcome};
use ibcf_sip::output::QuestionId;
use ibcf_sip::snapshot::ListenerIndex;
use ibcf_sip::statistics::Shared;
use ibcf_sip::{Border, BorderConfig, Flow, Input, Now, Outputs, Time};

use crate::bytes::Bytes;
use crate::policy;
use judge::{Cause, Judge};

/// Bounds the time that one input takes.
const STEPS_MAX: usize = 160;
/// So many messages are remembered, to be answered or repeated.
const REMEMBERED_MAX: usize = 24;
/// More timers than this in a row without an end are a loop.
const TICKS_MAX: usize = 40_000;
const UNIX_MS: u64 = 1_700_000_000_000;

/// Who may speak, and on which listener.
const SIDES: [(&str, u16); 6] = [
    (policy::HOME, 0),
    (policy::PEER, 1),
    (policy::SECOND, 1),
    (policy::SIXTH, 2),
    (policy::STRANGER, 0),
    (policy::PEER, 0), // a peer at the listener of the other side
];
const PAUSES_MS: [u64; 8] = [1, 100, 500, 2_000, 6_001, 32_000, 186_000, 700_000];
const NUMBERS_FOUND: [&[&str]; 6] = [
    &["sip:+441632960083@b.example;user=phone"],
    &["sip:a@b.example", "sip:x@one.six.example", "sip:nowhere.invalid"],
    &["tel:+441632960099"],
    &["", "sip:", "<sip:a@b>", "sip:b.example?Subject=x"],
    &["sip:a b@c", "sip:\r\nVia: x@b.example"],
    &[],
];

/// A message that left the border, or came in.
#[derive(Clone, Debug)]
struct Datagram {
    /// Where it came from or went to.
    address: SocketAddr,
    bytes: Vec<u8>,
}

struct World {
    border: Border,
    shared: Arc<Shared>,
    out: Outputs,
    now: Now,
    judge: Judge,
    received: Vec<Datagram>,
    requests: Vec<Datagram>,
    responses: Vec<Datagram>,
    questions: Vec<QuestionId>,
}

/// Makes the input of a datagram.
pub(crate) fn received(listener: u16, source: SocketAddr, bytes: &[u8]) -> Input<'_> {
    Input::Message { flow: Flow::datagram(ListenerIndex(listener), source), bytes }
}

/// The target `border`.
///
/// # Panics
///
/// When the border does, or when it breaks an invariant.
pub fn border(bytes: &[u8]) {
    let mut bytes = Bytes(bytes);
    let mut world = World::new();
    for _ in 0..STEPS_MAX {
        if bytes.is_empty() {
            break;
        }
        world.step(&mut bytes);
    }
    world.run_out();
}

impl World {
    fn new() -> Self {
        let snapshot = Arc::clone(&policy::snapshots()[0]);
        let shared = Arc::new(Shared::new(1));
        let listeners = snapshot.listeners.iter().map(|listener| listener.address).collect();
        let config =
            BorderConfig { worker: 0, workers: 1, seed: [3; 32], listeners, shared: Arc::clone(&shared) };
        Self {
            border: Border::new(config, snapshot),
            shared,
            out: Outputs::default(),
            now: Now { time: Time::from_millis(1_000), unix_ms: UNIX_MS },
            judge: Judge::default(),
            received: Vec::new(),
            requests: Vec::new(),
            responses: Vec::new(),
            questions: Vec::new(),
        }
    }

    fn step(&mut self, bytes: &mut Bytes<'_>) {
        match bytes.byte() % 16 {
            0 | 1 => {
                let &(side, listener) = bytes.choose(&SIDES);
                let request = text::request(side, bytes);
                self.receive(side, listener, request.into_bytes());
            }
            2..=4 => self.respond(bytes),
            5 => self.inside_dialog(bytes),
            6 => self.follow_up(bytes),
            7 => self.repeat(bytes),
            8 => {
                let &(side, listener) = bytes.choose(&SIDES);
                let length = usize::from(bytes.byte());
                self.receive(side, listener, bytes.take(length).to_vec());
            }
            9 => self.answer(bytes),
            10 => self.unreachable(bytes),
            11 => {
                let snapshot = Arc::clone(bytes.choose(policy::snapshots()));
                self.handle(Input::Apply(snapshot), &Cause::Other);
                self.judge.on_reload();
            }
            12 if bytes.byte() == 0 => self.handle(Input::Drain, &Cause::Other),
            13 => self.now.unix_ms = UNIX_MS.wrapping_add(u64::from(bytes.number()) << 20),
            _ => {
                let pause = *bytes.choose(&PAUSES_MS);
                self.advance(pause);
            }
        }
    }

    /// Hands in what came from one of the sides. Due timers fire before, so that what leaves is its doing.
    fn receive(&mut self, side: &str, listener: u16, message: Vec<u8>) {
        let source = side.parse().expect("an address");
        self.handle(Input::Tick, &Cause::Other);
        let before = self.border.transactions();
        self.out.clear();
        self.border.handle(received(listener, source, &message), self.now, &mut self.out);
        let has_begun = self.border.transactions() > before;
        self.look(&Cause::Message { bytes: &message, source, has_begun });
        remember(&mut self.received, Datagram { address: source, bytes: message });
    }

    fn handle(&mut self, input: Input<'_>, cause: &Cause<'_>) {
        self.out.clear();
        self.border.handle(input, self.now, &mut self.out);
        self.look(cause);
    }

    fn look(&mut self, cause: &Cause<'_>) {
        self.judge.on_outputs(&self.out, cause, self.now.time);
        for send in self.out.sends() {
            let bytes = self.out.bytes(send).to_vec();
            let kept = if bytes.starts_with(b"SIP/") { &mut self.responses } else { &mut self.requests };
            remember(kept, Datagram { address: send.flow.remote, bytes });
        }
        let asked = self.out.questions.drain(..).map(|question| question.id);
        self.questions.extend(asked);
        let surplus = self.questions.len().saturating_sub(REMEMBERED_MAX);
        self.questions.drain(..surplus);
    }

    fn respond(&mut self, bytes: &mut Bytes<'_>) {
        let Some(request) = bytes.latest(&self.requests).cloned() else { return };
        let response = text::response(&request.bytes, bytes);
        // Mostly from where the request went to.
        let (side, listener) = match bytes.byte() {
            byte @ 250.. => SIDES[usize::from(byte) % SIDES.len()],
            _ => side_of(request.address),
        };
        self.receive(side, listener, response);
    }

    fn inside_dialog(&mut self, bytes: &mut Bytes<'_>) {
        let from_callee = bytes.byte() % 2 == 1;
        let known = if from_callee { &self.requests } else { &self.responses };
        let begun: Vec<&Datagram> =
            known.iter().filter(|message| text::is_of_dialog(&message.bytes)).collect();
        let Some(message) = bytes.latest(&begun).map(|message| (*message).clone()) else { return };
        let (side, listener) = side_of(message.address);
        let request = text::inside_dialog(&message.bytes, side, from_callee, bytes);
        self.receive(side, listener, request);
    }

    fn follow_up(&mut self, bytes: &mut Bytes<'_>) {
        let begun: Vec<&Datagram> =
            self.received.iter().filter(|message| text::begins_transaction(&message.bytes)).collect();
        let Some(message) = bytes.latest(&begun).map(|message| (*message).clone()) else { return };
        let (side, listener) = side_of(message.address);
        let to_tag = self.responses.last().and_then(|response| text::to_tag(&response.bytes));
        let request = text::follow_up(&message.bytes, to_tag.as_deref(), bytes);
        self.receive(side, listener, request);
    }

    /// A retransmission, a request that the far side sends back (a loop), or something that was changed on its way.
    fn repeat(&mut self, bytes: &mut Bytes<'_>) {
        let known = match bytes.byte() % 4 {
            0 | 1 => &self.received,
            2 => &self.requests,
            _ => &self.responses,
        };
        let Some(message) = bytes.latest(known).cloned() else { return };
        let mut copy = message.bytes;
        for _ in 0..bytes.byte() % 4 {
            let at = usize::from(bytes.number()) % (copy.len() + 1);
            let removed = usize::from(bytes.byte()).min(copy.len() - at);
            let length = usize::from(bytes.byte() % 16);
            drop(copy.splice(at..at + removed, bytes.take(length).iter().copied()));
        }
        let (side, listener) = match bytes.byte() {
            byte @ 200.. => SIDES[usize::from(byte) % SIDES.len()],
            _ => side_of(message.address),
        };
        self.receive(side, listener, copy);
    }

    fn answer(&mut self, bytes: &mut Bytes<'_>) {
        let known = bytes.latest(&self.questions).copied();
        let id = known.unwrap_or_else(|| QuestionId(u64::from(bytes.number())));
        let outcome = *bytes.choose(&[EnumOutcome::Found, EnumOutcome::NotFound, EnumOutcome::Failed]);
        let candidates = bytes.choose(&NUMBERS_FOUND).iter().map(|uri| (*uri).to_owned()).collect();
        let ttl_ms = *bytes.choose(&[0, 1_000, 3_600_000, u64::MAX]);
        let body = AnswerBody::Enum { outcome, class: "FOUND".to_owned(), candidates, ttl_ms };
        self.handle(Input::Answer(Answer { id, body }), &Cause::Other);
    }

    fn unreachable(&mut self, bytes: &mut Bytes<'_>) {
        let Some(request) = bytes.latest(&self.requests).cloned() else { return };
        let length = request.bytes.len().saturating_sub(usize::from(bytes.byte()) * 4);
        let excerpt = request.bytes.get(..length).unwrap_or_default();
        self.handle(Input::Unreachable { destination: request.address, excerpt }, &Cause::Other);
    }

    fn advance(&mut self, millis: u64) {
        let end = self.now.time + std::time::Duration::from_millis(millis);
        while let Some(due) = self.border.next_due().filter(|due| *due <= end) {
            self.now.unix_ms += due.since(self.now.time).as_millis() as u64;
            self.now.time = self.now.time.max(due);
            self.handle(Input::Tick, &Cause::Other);
        }
        self.now.time = end;
    }

    fn run_out(&mut self) {
        for _ in 0..TICKS_MAX {
            let Some(due) = self.border.next_due() else { break };
            self.now.time = self.now.time.max(due);
            self.handle(Input::Tick, &Cause::Other);
        }
        self.judge.on_end(&self.border, &self.shared);
    }
}

fn remember(kept: &mut Vec<Datagram>, message: Datagram) {
    if kept.len() == REMEMBERED_MAX {
        kept.remove(0);
    }
    kept.push(message);
}

/// The side that has this address, or would have it.
fn side_of(address: SocketAddr) -> (&'static str, u16) {
    let has =
        |side: &&(&str, u16)| side.0.parse::<SocketAddr>().is_ok_and(|known| known.ip() == address.ip());
    SIDES.iter().find(has).copied().unwrap_or(SIDES[0])
}
