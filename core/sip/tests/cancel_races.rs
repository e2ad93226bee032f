//! CANCEL in every state that an INVITE can be in, and against everything that may cross it (RFC 3261 §9, §16.10).
//!
//! Each story ends the same way: the CANCEL has one answer, the INVITE one final response and one record, and nothing is
//! left. `ladder` lists what A sees, in order:
//!
//! ```text
//!     A                 border          B          C
//!     | INVITE ---------> | ...         |          |
//!     | CANCEL ---------> |             |          |
//!     | <--- 200 (CANCEL) | ...         |          |
//!     | <---- 487 or 200  |             |          |
//! ```

mod support;

use ibcf_sip::event::Outcome;
use ibcf_sip::input::EnumOutcome;
use serde_json::json;
use support::*;

const BOB: &str = "sip:bob@b.example";

/// One call of A, and all that came back to it.
struct Call {
    world: World,
    seen: Vec<String>,
    invite: Sent,
}

impl Call {
    fn new() -> Self {
        let mut world = World::new();
        let sent = world.receive(A, &request("INVITE", BOB, "c", 1, "", &[], ""));
        let invite = only(&sent, "INVITE").clone();
        let mut call = Self { world, seen: Vec::new(), invite };
        call.note(&sent);
        call
    }

    fn note(&mut self, sent: &[Sent]) {
        let to_a = sent.iter().filter(|sent| sent.to == A.parse().unwrap());
        self.seen.extend(to_a.map(|sent| {
            let method = sent.header("CSeq").split(' ').nth(1).unwrap();
            format!("{} {method}", &sent.start()[8..11])
        }));
    }

    fn cancel(&mut self) -> Vec<Sent> {
        let sent =
            self.world.receive(A, &request("CANCEL", BOB, "c", 1, "", &["Reason: Q.850;cause=16"], ""));
        self.note(&sent);
        sent
    }

    /// B answers the INVITE.
    fn answer(&mut self, status: &str) -> Vec<Sent> {
        let text = respond(&self.invite, status, if status.starts_with("100") { "" } else { "tb" }, &[]);
        let sent = self.world.receive(B, &text);
        self.note(&sent);
        sent
    }

    fn wait(&mut self, millis: u64) -> Vec<Sent> {
        let sent = self.world.advance(millis);
        self.note(&sent);
        sent
    }

    /// A acknowledges a failure, all ends; A saw exactly *ladder*, and there is one record with this outcome.
    fn assert_ends(mut self, ladder: &[&str], outcome: Outcome) {
        assert_eq!(self.seen, ladder);
        if outcome != Outcome::Answered {
            assert!(self.world.receive(A, &request("ACK", BOB, "c", 1, "x", &[], "")).is_empty());
        }
        self.world.advance(43_300_000);
        let outcomes: Vec<_> = self.world.records().iter().map(|record| record.outcome).collect();
        assert_eq!(outcomes, [outcome]);
        self.world.assert_quiet();
    }
}

fn cancels(sent: &[Sent]) -> usize {
    sent.iter().filter(|sent| sent.start().starts_with("CANCEL")).count()
}

#[test]
fn before_100() {
    let mut call = Call::new();
    assert_eq!(cancels(&call.cancel()), 0);
    assert_eq!(cancels(&call.answer("100 Trying")), 1);
    call.answer("487 Request Terminated");
    call.assert_ends(&["100 INVITE", "200 CANCEL", "487 INVITE"], Outcome::Cancelled);
}

#[test]
fn before_100_and_the_callee_never_says_anything() {
    let mut call = Call::new();
    call.cancel();
    let sent = call.wait(32_100);
    assert_eq!(cancels(&sent), 0, "never before a provisional response");
    assert!(sent.iter().all(|sent| sent.to != C.parse().unwrap()), "and nobody else is tried");
    let ladder = ["100 INVITE", "200 CANCEL", "487 INVITE"];
    call.assert_ends(&ladder, Outcome::Cancelled);
}

#[test]
fn before_100_and_a_final_response_comes_first() {
    for (status, last, outcome) in [
        ("200 OK", "200 INVITE", Outcome::Answered),
        ("486 Busy Here", "486 INVITE", Outcome::Cancelled),
        ("503 Service Unavailable", "487 INVITE", Outcome::Cancelled),
        ("302 Moved Temporarily", "302 INVITE", Outcome::Cancelled),
        ("603 Decline", "603 INVITE", Outcome::Cancelled),
    ] {
        let mut call = Call::new();
        call.cancel();
        assert_eq!(cancels(&call.answer(status)), 0);
        call.assert_ends(&["100 INVITE", "200 CANCEL", last], outcome);
    }
}

#[test]
fn after_100_before_180() {
    let mut call = Call::new();
    call.answer("100 Trying");
    let sent = call.cancel();
    let cancel = only(&sent, "CANCEL");
    assert_eq!(cancel.header("Reason"), "Q.850;cause=16", "the Reason is kept");
    assert_eq!(cancel.headers("Via"), [call.invite.header("Via")], "one Via, that of the INVITE");
    assert_eq!(cancel.header("CSeq"), "1 CANCEL");
    assert_eq!(cancel.header("To"), BOB.replace("sip:bob@b.example", "<sip:bob@b.example>"));
    call.answer("487 Request Terminated");
    call.assert_ends(&["100 INVITE", "200 CANCEL", "487 INVITE"], Outcome::Cancelled);
}

#[test]
fn after_180_and_more_ringing_crosses_it() {
    let mut call = Call::new();
    call.answer("180 Ringing");
    assert_eq!(cancels(&call.cancel()), 1);
    assert_eq!(cancels(&call.answer("180 Ringing")), 0, "one CANCEL a branch");
    call.answer("487 Request Terminated");
    let ladder = ["100 INVITE", "180 INVITE", "200 CANCEL", "180 INVITE", "487 INVITE"];
    call.assert_ends(&ladder, Outcome::Cancelled);
}

#[test]
fn a_final_response_crosses_it() {
    for (status, last, outcome) in [
        ("200 OK", "200 INVITE", Outcome::Answered),
        ("486 Busy Here", "486 INVITE", Outcome::Cancelled),
        ("503 Service Unavailable", "487 INVITE", Outcome::Cancelled),
    ] {
        let mut call = Call::new();
        call.answer("180 Ringing");
        call.cancel();
        let sent = call.answer(status);
        assert!(sent.iter().all(|sent| sent.to != C.parse().unwrap()), "nobody else is tried");
        call.assert_ends(&["100 INVITE", "180 INVITE", "200 CANCEL", last], outcome);
    }
}

#[test]
fn a_200_comes_late_and_again() {
    let mut call = Call::new();
    call.answer("180 Ringing");
    call.cancel();
    call.wait(20_000);
    call.answer("200 OK");
    call.answer("200 OK");
    let ladder = ["100 INVITE", "180 INVITE", "200 CANCEL", "200 INVITE", "200 INVITE"];
    call.assert_ends(&ladder, Outcome::Answered);
}

#[test]
fn the_487_never_comes() {
    let mut call = Call::new();
    call.answer("180 Ringing");
    call.cancel();
    call.wait(33_000);
    assert!(call.answer("200 OK").is_empty(), "the caller has its 487");
    // Timer G repeats the 487 until it is acknowledged; that it does is another story's.
    call.seen.dedup();
    call.assert_ends(&["100 INVITE", "180 INVITE", "200 CANCEL", "487 INVITE"], Outcome::Cancelled);
}

#[test]
fn the_cancel_is_refused_and_the_callee_goes_on_ringing() {
    let mut call = Call::new();
    call.answer("180 Ringing");
    let sent = call.cancel();
    let cancel = only(&sent, "CANCEL").clone();
    let sent = call.world.receive(B, &respond(&cancel, "481 Call/Transaction Does Not Exist", "tb", &[]));
    assert!(sent.is_empty(), "an answer to our CANCEL is ours");
    assert_eq!(cancels(&call.wait(31_000)), 0, "it was answered: no repetition");
    call.wait(2_000);
    call.seen.dedup();
    call.assert_ends(&["100 INVITE", "180 INVITE", "200 CANCEL", "487 INVITE"], Outcome::Cancelled);
}

#[test]
fn it_is_repeated() {
    let mut call = Call::new();
    call.answer("180 Ringing");
    let first = call.cancel();
    let again = call.cancel();
    assert_eq!(cancels(&again), 0);
    assert_eq!(only(&again, "SIP/2.0 200").text, only(&first, "SIP/2.0 200").text, "the same answer again");
    call.answer("487 Request Terminated");
    call.cancel();
    let ladder = ["100 INVITE", "180 INVITE", "200 CANCEL", "200 CANCEL", "487 INVITE", "200 CANCEL"];
    call.assert_ends(&ladder, Outcome::Cancelled);
}

#[test]
fn after_a_final_response() {
    for (status, outcome) in [("200 OK", Outcome::Answered), ("486 Busy Here", Outcome::Failed)] {
        let mut call = Call::new();
        call.answer(status);
        let sent = call.cancel();
        assert_eq!(sent.len(), 1, "it goes nowhere");
        let last = format!("{} INVITE", &status[..3]);
        call.assert_ends(&["100 INVITE", &last, "200 CANCEL"], outcome);
    }
}

#[test]
fn while_the_next_target_is_tried() {
    let mut call = Call::new();
    let sent = call.answer("503 Service Unavailable");
    let second = only(&sent, "INVITE").clone();
    assert_eq!(cancels(&call.cancel()), 0);
    let sent = call.world.receive(C, &respond(&second, "180 Ringing", "tc", &[]));
    call.note(&sent);
    assert_eq!(only(&sent, "CANCEL").to, C.parse().unwrap());
    let sent = call.world.receive(C, &respond(&second, "487 Request Terminated", "tc", &[]));
    call.note(&sent);
    call.assert_ends(&["100 INVITE", "200 CANCEL", "180 INVITE", "487 INVITE"], Outcome::Cancelled);
}

#[test]
fn while_the_first_target_is_silent_and_the_next_would_be_due() {
    let mut call = Call::new();
    call.wait(31_000);
    call.cancel();
    let sent = call.wait(32_000);
    assert!(sent.iter().all(|sent| sent.to != C.parse().unwrap()));
    call.seen.dedup();
    call.assert_ends(&["100 INVITE", "200 CANCEL", "487 INVITE"], Outcome::Cancelled);
}

#[test]
fn while_the_number_of_the_next_candidate_is_asked_for() {
    let mut policy = policy();
    policy["routes"][2]["action"]["to"] = json!([{"peer": "carrier_b"}]);
    policy["routes"].as_array_mut().unwrap().insert(
        2,
        json!({"id": "again", "condition": {"domains": ["again.example"]}, "action": {"kind": "enum", "service": "carrier_enum"}}),
    );
    let mut world = World::with(&policy);
    world.receive(A, &request("INVITE", "tel:+441632960083", "c", 1, "", &[], ""));
    let sent = world.answer(
        EnumOutcome::Found,
        &["sip:1@b.example", "sip:+441632960084@again.example;user=phone"],
        0,
    );
    let first = only(&sent, "INVITE").clone();
    let sent = world.receive(B, &respond(&first, "503 Service Unavailable", "tb", &[]));
    assert_eq!(sent.len(), 1, "the ACK, and a question");
    let sent = world.receive(A, &request("CANCEL", "tel:+441632960083", "c", 1, "", &[], ""));
    only(&sent, "SIP/2.0 200");
    only(&sent, "SIP/2.0 487");
    assert!(world.answer(EnumOutcome::Found, &["sip:2@b.example"], 0).is_empty());
    world.receive(A, &request("ACK", "tel:+441632960083", "c", 1, "x", &[], ""));
    assert_eq!(world.records().len(), 1);
    world.assert_quiet();
}

#[test]
fn of_another_transaction_it_is_none() {
    let cancel = request("CANCEL", BOB, "c", 1, "", &[], "");
    for (from, text) in [
        (B, cancel.clone()),
        (A, cancel.replace("z9hG4bKc1INVITE", "z9hG4bKother")),
        (A, cancel.replace(&format!("Via: SIP/2.0/UDP {A}"), "Via: SIP/2.0/UDP 192.0.2.10:5070")),
    ] {
        let mut call = Call::new();
        call.answer("180 Ringing");
        let sent = call.world.receive(from, &text);
        assert_eq!((sent.len(), sent[0].start()), (1, "SIP/2.0 481 Call/Transaction Does Not Exist"));
        call.answer("486 Busy Here");
        call.assert_ends(&["100 INVITE", "180 INVITE", "486 INVITE"], Outcome::Failed);
    }
}

#[test]
fn the_same_branch_written_in_other_ways_is_the_same() {
    let cancel = request("CANCEL", BOB, "c", 1, "", &[], "");
    for text in [
        cancel.replace(&format!("Via: SIP/2.0/UDP {A}"), &format!("v: SIP / 2.0 / UDP {A} ;rport")),
        cancel.replace("CSeq: 1 CANCEL", "CSeq: 0001 CANCEL"),
    ] {
        let mut call = Call::new();
        call.answer("180 Ringing");
        let sent = call.world.receive(A, &text);
        call.note(&sent);
        assert_eq!(cancels(&sent), 1);
        call.answer("487 Request Terminated");
        call.assert_ends(&["100 INVITE", "180 INVITE", "200 CANCEL", "487 INVITE"], Outcome::Cancelled);
    }
}

#[test]
fn of_a_message_it_ends_nothing() {
    let mut world = World::new();
    let sent = world.receive(A, &request("MESSAGE", BOB, "c", 1, "", &[], "hello"));
    let message = only(&sent, "MESSAGE").clone();
    let cancel = request("CANCEL", BOB, "c", 1, "", &[], "").replace("z9hG4bKc1INVITE", "z9hG4bKc1MESSAGE");
    only(&world.receive(A, &cancel), "SIP/2.0 481");
    only(&world.receive(B, &respond(&message, "200 OK", "tb", &[])), "SIP/2.0 200");
    world.assert_quiet();
}

#[test]
fn of_a_reinvite_it_leaves_the_call_up() {
    let mut world = World::new();
    let (_, answer) = answered_call(&mut world, "c");
    let lines = routes(&answer);
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    let target = format!("sip:bob@{B}");
    let sent = world.receive(A, &request("INVITE", &target, "c", 2, "tb", &lines, ""));
    let reinvite = only(&sent, "INVITE").clone();
    world.receive(B, &respond(&reinvite, "100 Trying", "", &[]));
    let sent = world.receive(A, &request("CANCEL", &target, "c", 2, "tb", &lines, ""));
    only(&sent, "CANCEL");
    only(&world.receive(B, &respond(&reinvite, "487 Request Terminated", "", &[])), "SIP/2.0 487");
    world.receive(A, &request("ACK", &target, "c", 2, "tb", &lines, ""));
    assert_eq!(world.metric("ibcf_dialogs_tracked", &[]), 1);
    world.advance(43_300_000);
    assert_eq!(world.records().len(), 1);
    world.assert_quiet();
}
