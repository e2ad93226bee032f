//! Classes 17, 18 and 19: events that cross, in every order and with any of them left out; and what is left when all is over.
//!
//! After each order time runs out, and then: the INVITE had one final response, there is one record that tells the same, and
//! the border holds nothing.

use super::*;
use ibcf_sip::Input;
use ibcf_sip::event::Outcome;
use ibcf_sip::input::EnumOutcome;
use serde_json::json;

/// What can happen in a call, once its INVITE came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Event {
    Again,
    Cancel,
    Ringing,
    Answered,
    Terminated,
    CancelAnswered,
    Ack,
    Found,
    Deadline,
    EarlyBye,
    ByeFromCallee,
    ByeAnswered,
}

/// One call of many in the same border.
struct Call<'w> {
    world: &'w mut World,
    id: String,
    uri: String,
    sent: Vec<Sent>,
    cseq: u32,
}

/// Both are tried: over a stream nothing is sent twice, and so other timers end the transactions.
const TRANSPORTS: [&str; 2] = ["udp", "tcp"];

/// The policy of a border in which a call without an end is over after a minute.
fn impatient_policy(transport: &str) -> serde_json::Value {
    let mut policy = policy();
    policy["limits"] = json!({"call_duration_ms_max": 60_000});
    for listener in policy["listeners"].as_array_mut().expect("a list") {
        listener["transport"] = json!(transport);
    }
    for peer in policy["peers"].as_array_mut().expect("a list") {
        peer["targets"][0]["transport"] = json!(transport);
    }
    policy
}

fn impatient(transport: &str) -> World {
    World::with(&impatient_policy(transport))
}

impl<'w> Call<'w> {
    fn begin(world: &'w mut World, nth: usize, uri: &str) -> Self {
        let mut call = Self { world, id: format!("r{nth}"), uri: uri.to_owned(), sent: Vec::new(), cseq: 1 };
        let text = request("INVITE", &call.uri, &call.id, 1, "", &[], "");
        call.receive(A, &text);
        call
    }

    fn receive(&mut self, source: &str, text: &str) {
        self.sent.extend(self.world.receive(source, text));
    }

    fn last_sent(&self, start: &str) -> Option<Sent> {
        self.sent.iter().rev().find(|sent| sent.start().starts_with(start)).cloned()
    }

    fn answer(&mut self, request: &str, status: &str) {
        if let Some(sent) = self.last_sent(request) {
            self.receive(B, &respond(&sent, status, "tb", &[]));
        }
    }

    fn happens(&mut self, event: Event) {
        match event {
            Event::Again => self.receive(A, &request("INVITE", &self.uri, &self.id, 1, "", &[], "")),
            Event::Cancel => self.receive(A, &request("CANCEL", &self.uri, &self.id, 1, "", &[], "")),
            Event::Ringing => self.answer("INVITE", "180 Ringing"),
            Event::Answered => self.answer("INVITE", "200 OK"),
            Event::Terminated => self.answer("INVITE", "487 Request Terminated"),
            Event::CancelAnswered => self.answer("CANCEL", "200 OK"),
            Event::ByeAnswered => self.answer("BYE", "200 OK"),
            Event::Ack => self.ack(),
            Event::Found => {
                if let Some(id) = self.world.questions.last().map(|question| question.id) {
                    let body = ibcf_sip::input::AnswerBody::Enum {
                        outcome: EnumOutcome::Found,
                        class: "FOUND".to_owned(),
                        candidates: vec!["sip:bob@b.example".to_owned()],
                        ttl_ms: 0,
                    };
                    let sent = self.world.handle(Input::Answer(ibcf_sip::input::Answer { id, body }));
                    self.sent.extend(sent);
                }
            }
            Event::Deadline => self.sent.extend(self.world.advance(2_100)),
            Event::EarlyBye => self.bye_from_caller(),
            Event::ByeFromCallee => self.bye_from_callee(),
        }
    }

    /// The ACK of a failure follows the INVITE's way, that of a 2xx the dialog's.
    fn ack(&mut self) {
        let Some(last) = self.finals().last().cloned() else { return };
        if last.start().starts_with("SIP/2.0 2") {
            self.inside_dialog("ACK", &last);
        } else {
            self.receive(A, &request("ACK", &self.uri, &self.id, 1, "tb", &[], ""));
        }
    }

    fn inside_dialog(&mut self, method: &str, response: &Sent) {
        let lines = routes(response);
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        self.cseq += 1;
        let cseq = if method == "ACK" { 1 } else { self.cseq };
        let text = request(method, &format!("sip:bob@{B}"), &self.id, cseq, "tb", &lines, "");
        let text =
            if method == "ACK" { text.replace("1INVITE", &format!("1ACK{}", self.cseq)) } else { text };
        self.receive(A, &text);
    }

    fn bye_from_caller(&mut self) {
        let response = self
            .sent
            .iter()
            .rev()
            .find(|sent| sent.start().starts_with("SIP/2.0") && !sent.header("Record-Route").is_empty());
        if let Some(response) = response.cloned() {
            self.inside_dialog("BYE", &response);
        }
    }

    fn bye_from_callee(&mut self) {
        let Some(invite) = self.last_sent("INVITE") else { return };
        let lines: Vec<String> =
            invite.headers("Record-Route").iter().map(|value| format!("Route: {value}")).collect();
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        let text = from_side(B, "tb", "BYE", &format!("sip:alice@{A}"), &self.id, 7, "fa", &lines, "");
        let swapped = text.replace("From: \"Alice\" <sip:alice@a.example>", &format!("From: <{}>", self.uri));
        self.receive(B, &swapped);
    }

    /// The final responses to the INVITE.
    fn finals(&self) -> Vec<Sent> {
        let is_final = |sent: &&Sent| {
            sent.start().starts_with("SIP/2.0")
                && !sent.start().starts_with("SIP/2.0 1")
                && sent.header("CSeq") == "1 INVITE"
        };
        self.sent.iter().filter(is_final).cloned().collect()
    }

    /// Lets time run out and looks at what came of it.
    fn end(mut self, order: &[Event]) {
        self.sent.extend(self.world.advance(400_000));
        let finals = self.finals();
        assert!(!finals.is_empty(), "{order:?}: no final response");
        let starts: std::collections::BTreeSet<&str> = finals.iter().map(Sent::start).collect();
        assert_eq!(starts.len(), 1, "{order:?}: {starts:?}");
        let is_answered = finals[0].start().starts_with("SIP/2.0 2");
        let call_id = format!("{}@a.example", self.id);
        let records: Vec<_> =
            self.world.records().into_iter().filter(|record| record.call_id == call_id).collect();
        assert_eq!(records.len(), 1, "{order:?}: {records:?}");
        assert_eq!(records[0].outcome == Outcome::Answered, is_answered, "{order:?}: {records:?}");
        assert!(finals[0].start().contains(&records[0].status.to_string()), "{order:?}: {records:?}");
        for sent in self.sent.iter().filter(|sent| sent.header("CSeq").ends_with("CANCEL")) {
            let is_expected =
                ["CANCEL", "SIP/2.0 200", "SIP/2.0 481"].iter().any(|start| sent.start().starts_with(start));
            assert!(is_expected, "{order:?}: {}", sent.start());
        }
        assert_eq!(self.world.border.transactions(), 0, "{order:?}");
        assert_eq!(self.world.border.next_due(), None, "{order:?}");
        self.world.events.clear();
        self.world.questions.clear();
    }
}

/// Visits every order of every choice among *events*.
fn for_each_order(events: &[Event], mut visit: impl FnMut(&[Event])) {
    fn go(left: &mut Vec<Event>, order: &mut Vec<Event>, visit: &mut impl FnMut(&[Event])) {
        visit(order);
        for at in 0..left.len() {
            let event = left.remove(at);
            order.push(event);
            go(left, order, visit);
            order.pop();
            left.insert(at, event);
        }
    }
    go(&mut events.to_vec(), &mut Vec::new(), &mut visit);
}

fn play(transport: &str, uri: impl Fn(usize) -> String, events: &[Event], orders: usize) {
    let mut world = impatient(transport);
    let mut nth = 0;
    for_each_order(events, |order| {
        nth += 1;
        let mut call = Call::begin(&mut world, nth, &uri(nth));
        for event in order {
            call.happens(*event);
        }
        call.end(order);
    });
    assert_eq!(nth, orders);
    world.assert_quiet();
}

/// Class 17.
#[test]
fn cancel_and_invite_in_every_order() {
    use Event::{Ack, Again, Answered, Cancel, CancelAnswered, Ringing, Terminated};
    let events = [Cancel, Ringing, Answered, Terminated, CancelAnswered, Ack];
    for transport in TRANSPORTS {
        play(transport, |_| "sip:bob@b.example".to_owned(), &events, 1_957);
        play(transport, |_| "sip:bob@b.example".to_owned(), &[Again, Cancel, Ringing, Answered, Ack], 326);
    }
}

/// Class 17: CANCEL during the look-up, the answer after it, and both after the deadline.
#[test]
fn cancel_while_enum_is_asked_in_every_order() {
    use Event::{Again, Answered, Cancel, Deadline, Found};
    for transport in TRANSPORTS {
        let number = |nth| format!("tel:+4416329{nth:06}");
        play(transport, number, &[Cancel, Found, Deadline, Again, Answered], 326);
    }
}

/// A CANCEL that comes before its INVITE finds nothing, and the INVITE that comes after it is a call.
#[test]
fn a_cancel_before_its_invite() {
    let mut world = impatient("udp");
    let cancel = request("CANCEL", "sip:bob@b.example", "r1", 1, "", &[], "");
    only(&world.receive(A, &cancel), "SIP/2.0 481");
    let mut call = Call::begin(&mut world, 1, "sip:bob@b.example");
    call.happens(Event::Answered);
    call.end(&[Event::Cancel, Event::Answered]);
}

/// Class 19: BYE from either end against 18x, 200 and ACK.
#[test]
fn bye_and_200_in_every_order() {
    use Event::{Ack, Answered, ByeAnswered, ByeFromCallee, EarlyBye, Ringing, Terminated};
    let events = [Ringing, Answered, EarlyBye, ByeFromCallee, ByeAnswered, Ack];
    for transport in TRANSPORTS {
        let mut world = impatient(transport);
        let mut nth = 0;
        for_each_order(&events, |order| {
            nth += 1;
            let mut call = Call::begin(&mut world, nth, "sip:bob@b.example");
            for event in order {
                call.happens(*event);
            }
            call.happens(Terminated); // an early BYE ends the INVITE with 487 (RFC 3261 §15.1.2), unless it was answered
            call.end(order);
        });
        assert_eq!(nth, 1_957);
        world.assert_quiet();
    }
}

type Ending = (&'static str, fn(&mut World, &Sent, &str));

/// How an INVITE can end: what happens after it left for B.
const ENDINGS: &[Ending] = &[
    ("busy", |world, invite, _| drop(world.receive(B, &respond(invite, "486 Busy Here", "tb", &[])))),
    ("declined", |world, invite, _| drop(world.receive(B, &respond(invite, "603 Decline", "tb", &[])))),
    ("moved", |world, invite, _| {
        world.receive(B, &respond(invite, "302 Moved", "tb", &["Contact: <sip:x@y>"]));
    }),
    ("unavailable, and the next one is silent", |world, invite, _| {
        world.receive(B, &respond(invite, "503 Service Unavailable", "tb", &[]));
    }),
    ("silence", |_, _, _| {}),
    ("ringing without end", |world, invite, _| {
        for _ in 0..9 {
            world.receive(B, &respond(invite, "180 Ringing", "tb", &[]));
            world.advance(100_000);
        }
    }),
    ("a failed send", |world, invite, _| {
        world.handle(Input::Unreachable { destination: invite.to, excerpt: invite.text.as_bytes() });
    }),
    ("a failed send everywhere", |world, invite, _| {
        let mut invite = invite.clone();
        loop {
            let sent =
                world.handle(Input::Unreachable { destination: invite.to, excerpt: invite.text.as_bytes() });
            let Some(next) = sent.into_iter().find(|sent| sent.start().starts_with("INVITE")) else { break };
            invite = next;
        }
    }),
    ("a response that is dropped", |world, invite, _| {
        let answer = respond(invite, "200 OK", "tb", &[]);
        let own = format!("Via: {}\r\n", invite.headers("Via")[1]);
        world.receive(B, &answer.replace(&own, ""));
    }),
    ("an answer that nobody acknowledges", |world, invite, _| {
        world.receive(B, &respond(invite, "200 OK", "tb", &[]));
    }),
    ("nine answers", |world, invite, _| {
        for nth in 0..9 {
            world.receive(B, &respond(invite, "200 OK", &format!("t{nth}"), &[]));
        }
    }),
    ("an answer with the longest session", |world, invite, _| {
        world.receive(B, &respond(invite, "200 OK", "tb", &["Session-Expires: 18446744073709551615"]));
    }),
    ("a reload", |world, invite, transport| {
        let mut next = impatient_policy(transport);
        next["generation"] = json!(2);
        next["peers"].as_array_mut().expect("a list").remove(1);
        next["routes"] = json!([]);
        world.handle(Input::Apply(std::sync::Arc::new(load(&next))));
        world.receive(B, &respond(invite, "200 OK", "tb", &[]));
    }),
    ("a drain", |world, invite, _| {
        world.handle(Input::Drain);
        world.receive(B, &respond(invite, "486 Busy Here", "tb", &[]));
    }),
    ("a stop", |world, _, _| drop(world.handle(Input::Close))),
    ("a stop while it is up", |world, invite, _| {
        world.receive(B, &respond(invite, "200 OK", "tb", &[]));
        world.handle(Input::Close);
    }),
];

/// Class 18: whatever ends an INVITE, every gauge returns to zero, and the record is written.
#[test]
fn every_ending_leaves_nothing_behind() {
    for transport in TRANSPORTS {
        for (name, end) in ENDINGS {
            let mut world = impatient(transport);
            let sent = world.receive(A, &request("INVITE", "sip:bob@b.example", "e1", 1, "", &[], ""));
            end(&mut world, only(&sent, "INVITE"), transport);
            world.advance(400_000);
            let wanted = if *name == "nine answers" { 8 } else { 1 };
            assert_eq!(world.records().len(), wanted, "{name} over {transport}");
            assert_eq!(world.metric("ibcf_timers_pending", &[]), 0, "{name} over {transport}");
            world.assert_quiet();
        }
    }
}

/// Classes 18 and 25: requests outside calls, with an answer, without one, and with one that says it is over.
#[test]
fn every_other_transaction_leaves_nothing_behind() {
    const NAMES: [&str; 7] = ["MESSAGE", "OPTIONS", "SUBSCRIBE", "NOTIFY", "INFO", "UPDATE", "BYE"];
    for (name, transport) in NAMES.iter().flat_map(|name| TRANSPORTS.map(|transport| (*name, transport))) {
        for status in ["200 OK", "202 Accepted", "481 Gone", "503 Service Unavailable", "100 Trying", ""] {
            let mut world = impatient(transport);
            let text = request(name, "sip:bob@b.example", "n1", 1, "", &["Expires: 0", "Event: reg"], "");
            let sent = world.receive(A, &text);
            for forwarded in sent.iter().filter(|sent| sent.start().starts_with(name)) {
                if !status.is_empty() {
                    world.receive(B, &respond(forwarded, status, "tb", &["Subscription-State: terminated"]));
                    world.receive(B, &respond(forwarded, status, "tb", &[]));
                }
            }
            world.receive(A, &text);
            world.advance(400_000);
            assert_eq!(world.metric("ibcf_timers_pending", &[]), 0, "{name} {status} {transport}");
            world.assert_quiet();
        }
    }
}
