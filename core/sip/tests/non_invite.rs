//! Requests other than INVITE: page-mode messages, pings, subscriptions (RFC 3261 §17.1.2, §17.2.2; RFC 4320).
//!
//! ```text
//!     A                 border                 B
//!     | MESSAGE --------> | MESSAGE ---------> |
//!     | <-------- 200     | <-------- 200      |
//! ```

mod support;

use ibcf_sip::event::{Outcome, RecordKind};
use support::*;

#[test]
fn a_page_mode_message_makes_an_event_record() {
    let mut world = World::new();
    let sent = world.receive(
        A,
        &request("MESSAGE", "sip:bob@b.example", "m1", 1, "", &["Content-Type: text/plain"], "hello"),
    );
    let message = only(&sent, "MESSAGE").clone();
    assert!(message.text.ends_with("\r\n\r\nhello"));
    assert!(message.headers("Record-Route").is_empty());
    assert_eq!(sent.len(), 1, "no 100 at once (RFC 4320)");
    let sent = world.receive(B, &respond(&message, "202 Accepted", "tb", &[]));
    only(&sent, "SIP/2.0 202");
    let record = &world.records()[0];
    assert_eq!((record.record, record.outcome, record.status), (RecordKind::Event, Outcome::Answered, 202));
    world.assert_quiet();
}

#[test]
fn silence_is_answered_with_silence_after_a_late_100() {
    let mut world = World::new();
    let text = request("MESSAGE", "sip:bob@b.example", "m2", 1, "", &[], "hello");
    world.receive(A, &text);
    assert!(world.receive(A, &text).is_empty(), "a retransmission before 100 is absorbed");
    let sent = world.advance(3_600);
    assert_eq!(sent.iter().filter(|sent| sent.start() == "SIP/2.0 100 Trying").count(), 1);
    let sent = world.advance(28_500);
    assert!(
        sent.iter().all(|sent| sent.to == B.parse().unwrap()),
        "nobody waits for the next target (LOC-35)"
    );
    assert_eq!(world.records().len(), 1, "whoever asked gave up now");
    let sent = world.advance(64_200);
    assert!(sent.is_empty(), "never a 408 (RFC 4320 §4.2)");
    assert_eq!(world.records()[0].reason, Some("forward.timeout"));
    world.assert_quiet();
}

#[test]
fn a_final_response_is_repeated_for_a_retransmission() {
    let mut world = World::new();
    let text = request("MESSAGE", "sip:bob@b.example", "m3", 1, "", &[], "hello");
    let sent = world.receive(A, &text);
    let message = only(&sent, "MESSAGE").clone();
    let first = world.receive(B, &respond(&message, "200 OK", "tb", &[]));
    let again = world.receive(A, &text);
    assert_eq!(only(&again, "SIP/2.0 200").text, only(&first, "SIP/2.0 200").text);
    assert!(
        world.receive(B, &respond(&message, "200 OK", "tb", &[])).is_empty(),
        "a second answer is absorbed"
    );
    world.assert_quiet();
}

#[test]
fn an_options_for_the_border_is_answered_by_it() {
    let mut world = World::new();
    for uri in ["sip:192.0.2.1:5060", "sip:ibcf.a.example", "sip:ibcf-1"] {
        let sent = world.receive(A, &request("OPTIONS", uri, &format!("o{}", uri.len()), 1, "", &[], ""));
        let answer = only(&sent, "SIP/2.0 200");
        assert!(answer.header("Allow").contains("INVITE"));
    }
    let sent = world.receive(A, &request("OPTIONS", "sip:bob@b.example", "o9", 1, "", &[], ""));
    only(&sent, "OPTIONS");
    assert!(world.records().is_empty());
}

#[test]
fn an_options_for_the_border_may_be_at_its_last_hop_and_others_may_not() {
    let mut world = World::new();
    let last_hop = |uri: &str, call: &str| {
        request("OPTIONS", uri, call, 1, "", &[], "").replace("Max-Forwards: 70", "Max-Forwards: 0")
    };
    only(&world.receive(A, &last_hop("sip:192.0.2.1:5060", "h1")), "SIP/2.0 200");
    only(&world.receive(A, &last_hop("sip:bob@b.example", "h2")), "SIP/2.0 483");
    let message = request("MESSAGE", "sip:192.0.2.1:5060", "h3", 1, "", &[], "x");
    only(&world.receive(A, &message.replace("Max-Forwards: 70", "Max-Forwards: 0")), "SIP/2.0 483");
}

#[test]
fn a_late_100_says_how_late_it_is() {
    let mut world = World::new();
    world.receive(A, &request("MESSAGE", "sip:bob@b.example", "d1", 1, "", &["Timestamp: 54"], "x"));
    let sent = world.advance(3_600);
    let trying = sent.iter().find(|sent| sent.start() == "SIP/2.0 100 Trying").expect("the late 100");
    assert_eq!(trying.header("Timestamp"), "54 3.5", "RFC 3261 §8.2.6.1");
    let sent = world.receive(A, &request("INVITE", "sip:bob@b.example", "d2", 1, "", &["Timestamp: 55"], ""));
    assert_eq!(only(&sent, "SIP/2.0 100").header("Timestamp"), "55", "no delay to speak of");
}

#[test]
fn a_provisional_response_to_a_non_invite_goes_one_hop() {
    let mut world = World::new();
    let sent = world.receive(A, &request("MESSAGE", "sip:bob@b.example", "m5", 1, "", &[], "hello"));
    let message = only(&sent, "MESSAGE").clone();
    assert!(world.receive(B, &respond(&message, "183 Odd", "tb", &[])).is_empty());
    world.receive(B, &respond(&message, "200 OK", "tb", &[]));
    world.assert_quiet();
}

#[test]
fn a_subscription_is_record_routed_and_its_notify_comes_back_by_token() {
    let mut world = World::new();
    let sent = world.receive(
        A,
        &request("SUBSCRIBE", "sip:bob@b.example", "s1", 1, "", &["Event: presence", "Expires: 60"], ""),
    );
    let subscribe = only(&sent, "SUBSCRIBE").clone();
    assert_eq!(subscribe.headers("Record-Route").len(), 2);
    world.receive(B, &respond(&subscribe, "200 OK", "tb", &["Expires: 60"]));
    let back: Vec<String> =
        subscribe.headers("Record-Route").iter().map(|value| format!("Route: {value}")).collect();
    let back: Vec<&str> = back.iter().map(String::as_str).collect();
    let notify = from_side(B, "tb", "NOTIFY", &format!("sip:alice@{A}"), "s1", 1, "fa", &back, "");
    let sent = world.receive(B, &notify);
    assert_eq!(only(&sent, "NOTIFY").to, A.parse().unwrap());
}

/// The next target is tried after four seconds of silence.
fn impatient() -> serde_json::Value {
    let mut policy = policy();
    policy["timers"] = serde_json::json!({"first_response_ms": 4_000});
    policy
}

#[test]
fn a_target_that_is_tried_late_has_no_longer_than_whoever_asked() {
    let mut policy = impatient();
    policy["timers"]["first_response_ms"] = serde_json::json!(20_000);
    let mut world = World::with(&policy);
    world.receive(A, &request("MESSAGE", "sip:bob@b.example", "m7", 1, "", &[], "hello"));
    let sent = world.advance(20_100);
    let second = sent.iter().find(|sent| sent.to == C.parse().unwrap()).expect("the second target").clone();
    world.receive(C, &respond(&second, "100 Trying", "", &[]));
    assert!(world.records().is_empty());
    world.advance(12_000);
    assert_eq!(world.records().len(), 1, "64 × T1 of the caller are over");
    let late = world.receive(C, &respond(&second, "200 OK", "tc", &[]));
    assert!(late.is_empty(), "a late response is discarded (RFC 4320 §4.2)");
    world.assert_quiet();
}

#[test]
fn an_answer_of_the_second_target_counts_more_than_the_silence_of_the_first() {
    let mut world = World::with(&impatient());
    world.receive(A, &request("MESSAGE", "sip:bob@b.example", "m6", 1, "", &[], "hello"));
    let sent = world.advance(4_100);
    let second = sent.iter().find(|sent| sent.to == C.parse().unwrap()).expect("the second target").clone();
    let sent = world.receive(C, &respond(&second, "480 Temporarily Unavailable", "tc", &[]));
    only(&sent, "SIP/2.0 480");
    assert_eq!(world.records()[0].status, 480);
    world.assert_quiet();
}
