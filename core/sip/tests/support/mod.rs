//! A border between two hand-played sides, on a clock that only the story moves.

#![allow(dead_code, unreachable_pub)] // each story uses its part

pub mod big_policy;
pub mod burst;
pub mod calls;
pub mod counting;
pub mod heap;
#[path = "../torture/ims.rs"]
pub mod ims;
pub mod stages;

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::Arc;

use ibcf_sip::event::{CallRecord, Event};
use ibcf_sip::input::{Answer, AnswerBody, EnumOutcome};
use ibcf_sip::output::Question;
use ibcf_sip::snapshot::ListenerIndex;
use ibcf_sip::statistics::Shared;
use ibcf_sip::{Border, BorderConfig, Flow, Input, Now, Outputs, Snapshot, Time};
use serde_json::{Value, json};

pub const HOME: ListenerIndex = ListenerIndex(0);
pub const PEER: ListenerIndex = ListenerIndex(1);
pub const A: &str = "192.0.2.10:5060";
pub const B: &str = "198.51.100.20:5060";
pub const C: &str = "203.0.113.30:5060";
pub const STRANGER: &str = "192.0.2.66:5060";
pub const BORDER_HOME: &str = "192.0.2.1:5060";
pub const BORDER_PEER: &str = "198.51.100.1:5060";

/// A datagram that left the border.
#[derive(Clone, Debug)]
pub struct Sent {
    pub listener: ListenerIndex,
    pub to: SocketAddr,
    pub text: String,
}

impl Sent {
    /// The first line.
    pub fn start(&self) -> &str {
        self.text.lines().next().unwrap_or_default()
    }

    /// Values of a header, in order.
    pub fn headers(&self, name: &str) -> Vec<&str> {
        let head = self.text.split("\r\n\r\n").next().unwrap_or_default();
        head.split("\r\n")
            .filter_map(|line| line.split_once(':'))
            .filter(|(found, _)| found.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.trim())
            .collect()
    }

    /// The first value of a header.
    pub fn header(&self, name: &str) -> &str {
        self.headers(name).first().copied().unwrap_or_default()
    }
}

/// The border and its world.
pub struct World {
    pub border: Border,
    pub shared: Arc<Shared>,
    pub out: Outputs,
    pub ms: u64,
    pub events: Vec<Event>,
    pub questions: Vec<Question>,
}

/// The policy of most stories: carrier A (home) calls carrier B, C is the second choice; ENUM first for tel URIs.
pub fn policy() -> Value {
    let methods = [
        "INVITE",
        "ACK",
        "BYE",
        "CANCEL",
        "OPTIONS",
        "PRACK",
        "UPDATE",
        "INFO",
        "MESSAGE",
        "SUBSCRIBE",
        "NOTIFY",
    ];
    json!({
        "version": 1, "generation": 1,
        "node": {"name": "ibcf-1", "domain": "ibcf.a.example"},
        "keys": [{"id": 1, "secret": "11".repeat(32)}],
        "listeners": [
            {"id": "home_udp", "side": "home", "transport": "udp", "address": BORDER_HOME},
            {"id": "peer_udp", "side": "peer", "transport": "udp", "address": BORDER_PEER},
        ],
        "agreements": [
            {"id": "home", "trusted": true, "methods": methods, "option_tags": ["100rel", "timer"], "reason_header": true},
            {"id": "peering", "trusted": true, "methods": methods, "option_tags": ["100rel", "timer"],
             "body_bytes_max": 4000, "charging": {"orig_ioi": "a.example"}},
        ],
        "peers": [
            {"id": "carrier_a", "side": "home", "agreement": "home", "listeners": ["home_udp"], "sources": ["192.0.2.10/32"],
             "targets": [{"id": "a1", "address": A}]},
            {"id": "carrier_b", "side": "peer", "agreement": "peering", "listeners": ["peer_udp"], "sources": ["198.51.100.20/32"],
             "targets": [{"id": "b1", "address": B}]},
            {"id": "carrier_c", "side": "peer", "agreement": "peering", "listeners": ["peer_udp"], "sources": ["203.0.113.30/32"],
             "targets": [{"id": "c1", "address": C}]},
        ],
        "enums": [{"id": "carrier_enum", "deadline_ms": 2000, "digits_min": 7}],
        "routes": [
            {"id": "no_premium", "condition": {"number": {"prefixes": ["+4490"]}},
             "action": {"kind": "reject", "reason": "decide.forbidden", "status": 403, "phrase": "Premium rate barred"}},
            {"id": "look_up", "condition": {"schemes": ["tel"]}, "action": {"kind": "enum", "service": "carrier_enum"}},
            {"id": "to_b", "condition": {"domains": ["b.example"]},
             "action": {"kind": "route", "to": [{"peer": "carrier_b", "priority": 1}, {"peer": "carrier_c", "priority": 2}]}},
            {"id": "to_a", "condition": {"domains": ["a.example"]}, "action": {"kind": "route", "to": [{"peer": "carrier_a"}]}},
            {"id": "transit", "condition": {"enum_outcomes": ["not_found"]}, "action": {"kind": "route", "to": [{"peer": "carrier_c"}]}},
        ],
    })
}

impl World {
    /// A world with the usual policy.
    pub fn new() -> Self {
        Self::with(&policy())
    }

    /// A world with a policy of its own.
    pub fn with(policy: &Value) -> Self {
        Self::worker(policy, 0, &Arc::new(Shared::new(1)))
    }

    /// Two workers of one node, each with a world of its own and the same clock reading.
    pub fn pair(policy: &Value) -> (Self, Self) {
        let shared = Arc::new(Shared::new(2));
        (Self::worker(policy, 0, &shared), Self::worker(policy, 1, &shared))
    }

    fn worker(policy: &Value, worker: u8, shared: &Arc<Shared>) -> Self {
        let snapshot = Arc::new(load(policy));
        let shared = Arc::clone(shared);
        let listeners = snapshot.listeners.iter().map(|listener| listener.address).collect();
        let workers = shared.workers() as u8;
        let config =
            BorderConfig { worker, workers, seed: [7 + worker; 32], listeners, shared: Arc::clone(&shared) };
        let border = Border::new(config, snapshot);
        Self { border, shared, out: Outputs::default(), ms: 1_000, events: Vec::new(), questions: Vec::new() }
    }

    /// The moment that the next input is handled at.
    pub fn now(&self) -> Now {
        Now { time: Time::from_millis(self.ms), unix_ms: 1_700_000_000_000 + self.ms }
    }

    /// Hands one input in and returns what left.
    pub fn handle(&mut self, input: Input<'_>) -> Vec<Sent> {
        self.out.clear();
        let now = self.now();
        self.border.handle(input, now, &mut self.out);
        self.events.append(&mut self.out.events);
        self.questions.append(&mut self.out.questions);
        self.sent()
    }

    /// What the last input sent.
    pub fn sent(&self) -> Vec<Sent> {
        let text = |send| String::from_utf8_lossy(self.out.bytes(send)).into_owned();
        self.out
            .sends()
            .iter()
            .map(|send| Sent { listener: send.flow.listener, to: send.flow.remote, text: text(send) })
            .collect()
    }

    /// A datagram comes in from *source*, on the listener of its side.
    pub fn receive(&mut self, source: &str, text: &str) -> Vec<Sent> {
        self.receive_bytes(source, text.as_bytes())
    }

    /// The same with bytes that need not be text.
    pub fn receive_bytes(&mut self, source: &str, bytes: &[u8]) -> Vec<Sent> {
        let listener = if source == A || source == STRANGER { HOME } else { PEER };
        self.receive_on(listener, source, bytes)
    }

    /// A datagram comes in from *source* on *listener*.
    pub fn receive_on(&mut self, listener: ListenerIndex, source: &str, bytes: &[u8]) -> Vec<Sent> {
        let flow = Flow::datagram(listener, source.parse().expect("an address"));
        self.handle(Input::Message { flow, bytes })
    }

    /// Lets *millis* pass, timer by timer.
    pub fn advance(&mut self, millis: u64) -> Vec<Sent> {
        let end = self.ms + millis;
        let mut sent = Vec::new();
        while let Some(due) = self.border.next_due().filter(|due| due.as_millis() < end) {
            self.ms = self.ms.max(due.as_nanos().div_ceil(1_000_000));
            sent.extend(self.handle(Input::Tick));
        }
        self.ms = end;
        sent.extend(self.handle(Input::Tick));
        sent
    }

    /// Answers the oldest open question.
    pub fn answer(&mut self, outcome: EnumOutcome, candidates: &[&str], ttl_ms: u64) -> Vec<Sent> {
        let question = self.questions.remove(0);
        let class = if outcome == EnumOutcome::Found { "FOUND" } else { "NXDOMAIN" };
        let body = AnswerBody::Enum {
            outcome,
            class: class.to_owned(),
            candidates: candidates.iter().map(|uri| (*uri).to_owned()).collect(),
            ttl_ms,
        };
        self.handle(Input::Answer(Answer { id: question.id, body }))
    }

    /// Answers the oldest open question, which is about a host; *targets* in the order of their priorities.
    pub fn answer_where(&mut self, targets: &[&str], ttl_ms: u64) -> Vec<Sent> {
        let question = self.questions.remove(0);
        let target =
            |(at, address): (usize, &&str)| json!({"id": address, "address": address, "priority": at});
        let targets: Vec<Value> = targets.iter().enumerate().map(target).collect();
        let answer =
            json!({"id": question.id, "body": {"kind": "locate", "targets": targets, "ttl_ms": ttl_ms}});
        self.handle(Input::Answer(serde_json::from_value(answer).expect("an answer")))
    }

    /// The charging records so far. Their bytes are leaked, so that one may be looked at while the world goes on.
    pub fn records(&self) -> Vec<CallRecord<'static>> {
        let records = self.events.iter().filter_map(|event| match event {
            Event::CallFinished(packed) => Some(Box::leak(Box::new(packed.clone())).record()),
            _ => None,
        });
        records.collect()
    }

    /// The changes of targets told so far: target, `up` or `down`, cause.
    pub fn changes(&self) -> Vec<String> {
        let told = self.events.iter().filter_map(|event| match event {
            Event::TargetState { peer, target, state, cause, .. } => {
                Some(format!("{peer}/{target} {state:?} {cause:?}"))
            }
            _ => None,
        });
        told.collect()
    }

    /// The state of a target.
    pub fn state_of(&self, target: &str) -> String {
        let families = self.shared.families(self.now().time);
        let family = families.iter().find(|family| family.name == "ibcf_target_state").expect("the family");
        let mut samples = family.samples.iter().filter(|sample| sample.value > 0.0);
        let found = samples.find(|sample| sample.labels[1] == target);
        found.map(|sample| sample.labels[2].clone()).unwrap_or_default()
    }

    /// The value of a metric, summed over the samples that have all of *labels* among their label values.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // counts
    pub fn metric(&self, name: &str, labels: &[&str]) -> u64 {
        let families = self.shared.families(self.now().time);
        let family =
            families.iter().find(|family| family.name == name).unwrap_or_else(|| panic!("no metric {name}"));
        let samples = family.samples.iter();
        samples
            .filter(|sample| labels.iter().all(|label| sample.labels.iter().any(|value| value == label)))
            .map(|sample| sample.value.round() as u64)
            .sum()
    }

    /// Lets every timer run out and tells that nothing is left behind.
    pub fn assert_quiet(&mut self) {
        self.advance(400_000);
        assert!(self.border.is_idle(), "a request without a final response is stuck");
        assert_eq!(self.border.transactions(), 0, "a transaction is stuck");
        for gauge in [
            "ibcf_transactions_active",
            "ibcf_calls_active",
            "ibcf_dialogs_tracked",
            "ibcf_questions_open",
            "ibcf_timers_pending",
        ] {
            assert_eq!(self.metric(gauge, &[]), 0, "{gauge} did not return to zero");
        }
    }
}

/// Loads a policy document.
pub fn load(policy: &Value) -> Snapshot {
    Snapshot::load(policy.to_string().as_bytes()).expect("the policy loads")
}

/// A request as carrier A's core sends it; *extra* holds whole header lines.
pub fn request(
    method: &str,
    uri: &str,
    call: &str,
    cseq: u32,
    to_tag: &str,
    extra: &[&str],
    body: &str,
) -> String {
    from_side(A, "fa", method, uri, call, cseq, to_tag, extra, body)
}

/// A request as the core at *side* sends it.
#[allow(clippy::too_many_arguments)]
pub fn from_side(
    side: &str,
    from_tag: &str,
    method: &str,
    uri: &str,
    call: &str,
    cseq: u32,
    to_tag: &str,
    extra: &[&str],
    body: &str,
) -> String {
    let to_tag = if to_tag.is_empty() { String::new() } else { format!(";tag={to_tag}") };
    let branch_method = if method == "ACK" || method == "CANCEL" { "INVITE" } else { method };
    let mut text = format!(
        "{method} {uri} SIP/2.0\r\n\
         Via: SIP/2.0/UDP {side};branch=z9hG4bK{call}{cseq}{branch_method}\r\n\
         Max-Forwards: 70\r\n\
         From: \"Alice\" <sip:alice@a.example>;tag={from_tag}\r\n\
         To: <{uri}>{to_tag}\r\n\
         Call-ID: {call}@a.example\r\n\
         CSeq: {cseq} {method}\r\n\
         Contact: <sip:alice@{side}>\r\n"
    );
    for line in extra {
        text.push_str(line);
        text.push_str("\r\n");
    }
    write!(text, "Content-Length: {}\r\n\r\n{body}", body.len()).expect("memory");
    text
}

/// A response to *request* (as the border sent it), with a To tag.
pub fn respond(request: &Sent, status: &str, tag: &str, extra: &[&str]) -> String {
    let mut text = format!("SIP/2.0 {status}\r\n");
    for via in request.headers("Via") {
        write!(text, "Via: {via}\r\n").expect("memory");
    }
    if !status.starts_with("100") {
        for route in request.headers("Record-Route") {
            write!(text, "Record-Route: {route}\r\n").expect("memory");
        }
    }
    let to = request.header("To");
    let to = if tag.is_empty() || to.contains("tag=") { to.to_owned() } else { format!("{to};tag={tag}") };
    write!(
        text,
        "From: {}\r\nTo: {to}\r\nCall-ID: {}\r\nCSeq: {}\r\nContact: <sip:bob@{}>\r\n",
        request.header("From"),
        request.header("Call-ID"),
        request.header("CSeq"),
        request.to
    )
    .expect("memory");
    for line in extra {
        text.push_str(line);
        text.push_str("\r\n");
    }
    text.push_str("Content-Length: 0\r\n\r\n");
    text
}

/// The one datagram in *sent* whose first line begins with *start*.
pub fn only<'s>(sent: &'s [Sent], start: &str) -> &'s Sent {
    let found: Vec<_> = sent.iter().filter(|sent| sent.start().starts_with(start)).collect();
    let starts: Vec<_> = sent.iter().map(Sent::start).collect();
    assert_eq!(found.len(), 1, "one `{start}` expected among {starts:?}");
    found[0]
}

/// Sets up a call from A to B and answers it; returns the INVITE that B saw and the 200 that A saw.
pub fn answered_call(world: &mut World, call: &str) -> (Sent, Sent) {
    let sent = world.receive(A, &request("INVITE", "sip:bob@b.example", call, 1, "", &[], ""));
    let invite = only(&sent, "INVITE").clone();
    world.receive(B, &respond(&invite, "180 Ringing", "tb", &[]));
    let sent = world.receive(B, &respond(&invite, "200 OK", "tb", &[]));
    let answer = only(&sent, "SIP/2.0 200").clone();
    (invite, answer)
}

/// The Route lines of a request from A inside the dialog that *answer* set up: its Record-Route upside down.
pub fn routes(answer: &Sent) -> Vec<String> {
    let values: Vec<&str> = answer.headers("Record-Route");
    values.iter().rev().map(|value| format!("Route: {value}")).collect()
}
