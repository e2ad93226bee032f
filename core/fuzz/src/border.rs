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
//! | a peer that is located                      | where, over which transport                                          |
//! | time                                        | how much                                                             |
//!
//! [`judge`] looks at everything that leaves; at the end time runs until no timer is left, and nothing else may be either.

mod judge;
mod side;
mod text;

use std::net::SocketAddr;
use std::sync::Arc;

use ibcf_sip::input::{Answer, AnswerBody, EnumOutcome, TargetSet};
use ibcf_sip::output::QuestionId;
use ibcf_sip::parse::{Fault, Frame, Framer};
use ibcf_sip::snapshot::document::Target;
use ibcf_sip::snapshot::{ListenerIndex, Transport};
use ibcf_sip::statistics::Shared;
use ibcf_sip::{Border, BorderConfig, Flow, Input, Now, Outputs, Time};

use crate::bytes::Bytes;
use crate::policy;
use judge::{Cause, Judge};
use side::{SIDES, at_the_other_end, is_stream};

/// Bounds the time that one input takes.
const STEPS_MAX: usize = 160;
/// So many messages are remembered, to be answered or repeated.
const REMEMBERED_MAX: usize = 24;
/// More timers than this in a row without an end are a loop.
const TICKS_MAX: usize = 40_000;
const UNIX_MS: u64 = 1_700_000_000_000;

const PAUSES_MS: [u64; 8] = [1, 100, 500, 2_000, 6_001, 32_000, 186_000, 700_000];
const NUMBERS_FOUND: [&[&str]; 6] = [
    &["sip:+441632960083@b.example;user=phone"],
    &["sip:a@b.example", "sip:x@one.six.example", "sip:nowhere.invalid"],
    &["tel:+441632960099"],
    &["", "sip:", "<sip:a@b>", "sip:b.example?Subject=x"],
    &["sip:a b@c", "sip:\r\nVia: x@b.example"],
    &[],
];

/// Where the fourth peer is located: over TLS, over TCP, both, where nothing of it listens, and nowhere.
const LOCATED: [&[(&str, Transport)]; 5] = [
    &[(policy::FOURTH, Transport::Tls)],
    &[("198.51.100.40:5060", Transport::Tcp)],
    &[(policy::FOURTH, Transport::Tls), ("198.51.100.40:5060", Transport::Tcp)],
    &[("198.51.100.40:5060", Transport::Udp), ("[2001:db8::40]:5061", Transport::Tls)],
    &[],
];

/// A message that left the border, or came in.
#[derive(Clone, Debug)]
struct Passed {
    /// On which way.
    flow: Flow,
    bytes: Vec<u8>,
}

struct World {
    border: Border,
    shared: Arc<Shared>,
    out: Outputs,
    now: Now,
    judge: Judge,
    received: Vec<Passed>,
    requests: Vec<Passed>,
    responses: Vec<Passed>,
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
                let side = *bytes.choose(&SIDES);
                let request = text::request(side, bytes);
                self.receive(side.flow(), request.into_bytes());
            }
            2..=4 => self.respond(bytes),
            5 => self.inside_dialog(bytes),
            6 => self.follow_up(bytes),
            7 => self.repeat(bytes),
            8 => {
                let side = *bytes.choose(&SIDES);
                let length = usize::from(bytes.byte());
                self.receive(side.flow(), bytes.take(length).to_vec());
            }
            9 => self.answer(bytes),
            10 => self.unreachable(bytes),
            11 => {
                let snapshot = Arc::clone(bytes.choose(policy::snapshots()));
                self.handle(Input::Apply(snapshot), &Cause::Other);
                self.judge.on_reload();
            }
            12 if bytes.byte() == 0 => self.handle(Input::Drain, &Cause::Other),
            12 => self.locate(bytes),
            13 => self.now.unix_ms = UNIX_MS.wrapping_add(u64::from(bytes.number()) << 20),
            _ => {
                let pause = *bytes.choose(&PAUSES_MS);
                self.advance(pause);
            }
        }
    }

    /// Hands in what came from one of the sides: a datagram, or what the framer makes of a piece of a stream.
    fn receive(&mut self, flow: Flow, bytes: Vec<u8>) {
        if !is_stream(flow) {
            return self.receive_message(flow, bytes);
        }
        let limits = self.border.snapshot().limits;
        let (mut framer, mut input) = (Framer::default(), &bytes[..]);
        while let Some(frame) = framer.next(&mut input, &limits) {
            match frame {
                Frame::Message(message) => self.receive_message(flow, message.to_vec()),
                Frame::Broken { head, fault } => self.receive_broken(flow, head, fault),
                Frame::Ping => {}
            }
        }
        if let Some(Frame::Broken { head, fault }) = framer.end() {
            self.receive_broken(flow, head, fault);
        }
    }

    /// Due timers fire before, so that what leaves is the message's doing.
    fn receive_message(&mut self, flow: Flow, message: Vec<u8>) {
        self.handle(Input::Tick, &Cause::Other);
        let before = self.border.transactions();
        self.out.clear();
        self.border.handle(Input::Message { flow, bytes: &message }, self.now, &mut self.out);
        let has_begun = self.border.transactions() > before;
        self.look(&Cause::Message { bytes: &message, source: flow.remote, has_begun });
        remember(&mut self.received, Passed { flow, bytes: message });
    }

    fn receive_broken(&mut self, flow: Flow, head: &[u8], fault: Fault) {
        self.handle(Input::Tick, &Cause::Other);
        let cause = Cause::Message { bytes: head, source: flow.remote, has_begun: false };
        self.handle(Input::Broken { flow, head, fault }, &cause);
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
            remember(kept, Passed { flow: send.flow, bytes });
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
        let side = match bytes.byte() {
            byte @ 240.. => SIDES[usize::from(byte) % SIDES.len()],
            _ => at_the_other_end(request.flow),
        };
        self.receive(side.flow(), response);
    }

    fn inside_dialog(&mut self, bytes: &mut Bytes<'_>) {
        let from_callee = bytes.byte() % 2 == 1;
        let known = if from_callee { &self.requests } else { &self.responses };
        let begun: Vec<&Passed> = known.iter().filter(|message| text::is_of_dialog(&message.bytes)).collect();
        let Some(message) = bytes.latest(&begun).map(|message| (*message).clone()) else { return };
        let side = at_the_other_end(message.flow);
        let request = text::inside_dialog(&message.bytes, side, from_callee, bytes);
        self.receive(side.flow(), request);
    }

    fn follow_up(&mut self, bytes: &mut Bytes<'_>) {
        let begun: Vec<&Passed> =
            self.received.iter().filter(|message| text::begins_transaction(&message.bytes)).collect();
        let Some(message) = bytes.latest(&begun).map(|message| (*message).clone()) else { return };
        let to_tag = self.responses.last().and_then(|response| text::to_tag(&response.bytes));
        let request = text::follow_up(&message.bytes, to_tag.as_deref(), bytes);
        self.receive(message.flow, request);
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
        let flow = match bytes.byte() {
            byte @ 200.. => SIDES[usize::from(byte) % SIDES.len()].flow(),
            _ => at_the_other_end(message.flow).flow(),
        };
        self.receive(flow, copy);
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

    fn locate(&mut self, bytes: &mut Bytes<'_>) {
        let targets = bytes.choose(&LOCATED).iter().enumerate().map(|(nth, (address, transport))| Target {
            id: nth.to_string(),
            address: address.parse().expect("an address"),
            transport: *transport,
            priority: nth as u16,
            weight: 1,
            server: None,
        });
        let peer = (*bytes.choose(&["fourth", "fourth", "core", "nobody"])).to_owned();
        self.handle(Input::Targets(TargetSet { peer, targets: targets.collect() }), &Cause::Other);
    }

    fn unreachable(&mut self, bytes: &mut Bytes<'_>) {
        let Some(request) = bytes.latest(&self.requests).cloned() else { return };
        let length = request.bytes.len().saturating_sub(usize::from(bytes.byte()) * 4);
        let excerpt = request.bytes.get(..length).unwrap_or_default();
        self.handle(Input::Unreachable { destination: request.flow.remote, excerpt }, &Cause::Other);
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

fn remember(kept: &mut Vec<Passed>, message: Passed) {
    if kept.len() == REMEMBERED_MAX {
        kept.remove(0);
    }
    kept.push(message);
}
