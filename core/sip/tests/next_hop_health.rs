//! A target that failed is left alone for a while, tried by one, and taken back; nobody's call fails for it.
//!
//! ```text
//!     A                 border            B (silent)   C
//!     | INVITE 1 -----> | INVITE ------->  |           |
//!     |                 |    Timer B       |           |   B: Quarantined for 32 s
//!     |                 | INVITE --------------------> |
//!     | INVITE 2 -----> | INVITE --------------------> |   nobody waits for B again
//!     |                 |    32 s later    |           |   B: half open
//!     | INVITE 3 -----> | INVITE ------->  |           |   the one trial
//!     | INVITE 4 -----> | INVITE --------------------> |
//!     |                 | <------- 180     |           |   B: Up
//! ```

mod support;

use ibcf_sip::Input;
use serde_json::{Value, json};
use support::*;

/// Calls to b.example try B within two seconds, then C.
fn two_seconds() -> Value {
    let mut policy = policy();
    policy["timers"] = json!({"first_response_ms": 2_000});
    policy
}

fn invite(world: &mut World, call: &str) -> Sent {
    let mut sent = world.receive(A, &request("INVITE", "sip:bob@b.example", call, 1, "", &[], ""));
    sent.retain(|sent| sent.header("Call-ID") == format!("{call}@a.example")); // no repetitions of other calls
    only(&sent, "INVITE").clone()
}

fn is_to(sent: &Sent, place: &str) -> bool {
    sent.to == place.parse().unwrap()
}

/// One call finds out that B is silent, and ends at C.
fn quarantine_b(world: &mut World, call: &str) {
    assert!(is_to(&invite(world, call), B));
    let sent = world.advance(2_100);
    let second = sent.iter().find(|sent| is_to(sent, C)).expect("C is tried").clone();
    world.receive(C, &respond(&second, "404 Not Found", "tc", &[]));
    world.receive(A, &request("ACK", "sip:bob@b.example", call, 1, "tc", &[], ""));
}

#[test]
fn a_target_that_was_silent_costs_only_one_call_its_time() {
    let mut world = World::with(&two_seconds());
    quarantine_b(&mut world, "q1");
    assert_eq!(world.changes(), ["carrier_b/b1 Down Timeout"]);
    assert_eq!(world.state_of("b1"), "quarantined");
    assert_eq!(world.metric("ibcf_peer_up", &["b1"]), 0);
    assert_eq!(world.metric("ibcf_peer_up", &["c1"]), 1);
    for call in ["q2", "q3"] {
        assert!(is_to(&invite(&mut world, call), C), "{call} goes to C at once");
    }
    assert_eq!(world.changes().len(), 1, "told once");
}

#[test]
fn after_the_quarantine_one_call_is_the_trial_and_the_others_still_stay_away() {
    let mut world = World::with(&two_seconds());
    quarantine_b(&mut world, "t1");
    world.advance(32_000);
    assert_eq!(world.state_of("b1"), "half_open");
    let trial = invite(&mut world, "t2");
    assert!(is_to(&trial, B));
    assert!(is_to(&invite(&mut world, "t3"), C), "one is enough");
    world.receive(B, &respond(&trial, "100 Trying", "", &[]));
    assert_eq!(world.changes(), ["carrier_b/b1 Down Timeout", "carrier_b/b1 Up Answered"]);
    assert!(is_to(&invite(&mut world, "t4"), B));
    assert_eq!(world.state_of("b1"), "up");
}

#[test]
fn a_trial_that_fails_begins_the_quarantine_anew() {
    let mut world = World::with(&two_seconds());
    quarantine_b(&mut world, "f1");
    world.advance(32_000);
    quarantine_b(&mut world, "f2");
    let third = invite(&mut world, "f3");
    assert!(is_to(&third, C));
    world.receive(C, &respond(&third, "404 Not Found", "tc", &[]));
    world.advance(29_000);
    assert!(is_to(&invite(&mut world, "f4"), C), "32 s from the second failure");
    assert_eq!(world.changes().len(), 1, "it was down all the time");
}

#[test]
fn a_trial_that_is_called_off_leaves_the_next_one_to_another_call() {
    let mut world = World::with(&two_seconds());
    quarantine_b(&mut world, "o1");
    world.advance(32_000);
    assert!(is_to(&invite(&mut world, "o2"), B));
    world.receive(A, &request("CANCEL", "sip:bob@b.example", "o2", 1, "", &[], ""));
    assert!(is_to(&invite(&mut world, "o3"), C));
    world.advance(32_000);
    assert!(is_to(&invite(&mut world, "o4"), B));
}

#[test]
fn when_all_are_held_out_they_are_tried_in_their_order() {
    let mut world = World::with(&two_seconds());
    let first = invite(&mut world, "a1");
    world.handle(Input::Unreachable { destination: first.to, excerpt: first.text.as_bytes() });
    let second = world.sent()[0].clone();
    world.handle(Input::Unreachable { destination: second.to, excerpt: second.text.as_bytes() });
    assert_eq!(world.changes(), ["carrier_b/b1 Down Unreachable", "carrier_c/c1 Down Unreachable"]);
    let first = invite(&mut world, "a2");
    assert!(is_to(&first, B), "better than nothing (LOC-34)");
    let sent = world.receive(B, &respond(&first, "503 Service Unavailable", "tb", &[]));
    assert!(is_to(only(&sent, "INVITE"), C));
    assert_eq!(world.changes().last().unwrap(), "carrier_b/b1 Up Answered", "a 503 is an answer");
}

#[test]
fn what_one_worker_finds_out_holds_for_all() {
    let (mut one, mut other) = World::pair(&two_seconds());
    quarantine_b(&mut one, "w1");
    other.ms = one.ms;
    let second = invite(&mut other, "w2");
    assert!(is_to(&second, C));
    other.receive(C, &respond(&second, "404 Not Found", "tc", &[]));
    one.ms += 32_000;
    other.ms += 32_000;
    let trial = invite(&mut other, "w3");
    assert!(is_to(&trial, B));
    assert!(is_to(&invite(&mut one, "w4"), C), "the other worker has the trial");
    other.receive(B, &respond(&trial, "486 Busy Here", "tb", &[]));
    assert!(is_to(&invite(&mut one, "w5"), B));
    assert_eq!((one.changes().len(), other.changes().len()), (1, 1), "one told of down, the other of up");
}

#[test]
fn a_reload_forgets_nothing_of_a_target_that_stays() {
    let mut world = World::with(&two_seconds());
    quarantine_b(&mut world, "r1");
    let mut next = two_seconds();
    next["generation"] = json!(2);
    world.handle(Input::Apply(std::sync::Arc::new(load(&next))));
    assert!(is_to(&invite(&mut world, "r2"), C));
    next["generation"] = json!(3);
    next["peers"][1]["targets"] = json!([{"id": "b2", "address": "198.51.100.20:5080"}]);
    world.handle(Input::Apply(std::sync::Arc::new(load(&next))));
    assert!(is_to(&invite(&mut world, "r3"), "198.51.100.20:5080"));
    assert_eq!(world.state_of("b1"), "", "gone");
}

#[test]
fn a_quarantine_of_0_holds_nothing_out() {
    let mut policy = two_seconds();
    policy["peers"][1]["health"] = json!({"quarantine_ms": 0});
    let mut world = World::with(&policy);
    quarantine_b(&mut world, "z1");
    assert!(is_to(&invite(&mut world, "z2"), B));
    assert!(world.changes().is_empty());
}

#[test]
fn a_503_with_retry_after_keeps_new_calls_away_for_as_long() {
    let mut world = World::new();
    let first = invite(&mut world, "p1");
    world.receive(B, &respond(&first, "503 Service Unavailable", "tb", &["Retry-After: 10 (busy)"]));
    assert_eq!(world.state_of("b1"), "blocked");
    assert_eq!(world.metric("ibcf_peer_up", &["b1"]), 1, "it is there, and says so");
    assert!(is_to(&invite(&mut world, "p2"), C));
    world.advance(9_000);
    assert!(is_to(&invite(&mut world, "p3"), C));
    world.advance(1_000);
    assert!(is_to(&invite(&mut world, "p4"), B));
    assert!(world.changes().is_empty(), "no fault of B");
}

#[test]
fn a_retry_after_is_honoured_up_to_300_s() {
    let mut world = World::new();
    let first = invite(&mut world, "m1");
    world.receive(B, &respond(&first, "503 Service Unavailable", "tb", &["Retry-After: 86400"]));
    world.advance(299_000);
    assert!(is_to(&invite(&mut world, "m2"), C));
    world.advance(1_000);
    assert!(is_to(&invite(&mut world, "m3"), B));
}

#[test]
fn a_503_without_retry_after_holds_nothing_back_unless_configured() {
    let mut world = World::new();
    let first = invite(&mut world, "n1");
    world.receive(B, &respond(&first, "503 Service Unavailable", "tb", &[]));
    assert!(is_to(&invite(&mut world, "n2"), B));
    let mut policy = policy();
    policy["peers"][1]["health"] = json!({"block_on_503_ms": 10_000});
    let mut world = World::with(&policy);
    let first = invite(&mut world, "n3");
    world.receive(B, &respond(&first, "503 Service Unavailable", "tb", &[]));
    assert!(is_to(&invite(&mut world, "n4"), C));
    world.advance(10_000);
    assert!(is_to(&invite(&mut world, "n5"), B));
}

/// Only B serves b.example; emergency calls go there too.
fn only_b() -> Value {
    let mut policy = policy();
    policy["routes"][2]["action"] = json!({"kind": "route", "to": [{"peer": "carrier_b"}]});
    policy["routes"].as_array_mut().unwrap().push(
        json!({"id": "sos", "condition": {"schemes": ["urn"]}, "action": {"kind": "route", "to": [{"peer": "carrier_b"}]}}),
    );
    policy
}

#[test]
fn calls_to_nobody_else_fail_at_once_while_emergency_calls_are_tried() {
    let mut world = World::with(&only_b());
    let first = invite(&mut world, "e1");
    world.receive(B, &respond(&first, "503 Service Unavailable", "tb", &["Retry-After: 60"]));
    let sent = world.receive(A, &request("INVITE", "sip:bob@b.example", "e2", 1, "", &[], ""));
    let answer = only(&sent, "SIP/2.0 500");
    assert!(answer.header("Retry-After").is_empty(), "others may be reached");
    assert!(answer.header("Reason").contains("forward.blocked"));
    assert_eq!(world.records().last().unwrap().reason, Some("forward.blocked"));
    let sent = world.receive(A, &request("INVITE", "urn:service:sos.fire", "e3", 1, "", &[], ""));
    assert!(is_to(only(&sent, "INVITE"), B));
}

#[test]
fn an_emergency_call_is_no_trial() {
    let mut world = World::with(&{
        let mut policy = two_seconds();
        policy["routes"].as_array_mut().unwrap().push(json!({"id": "sos", "condition": {"schemes": ["urn"]},
            "action": {"kind": "route", "to": [{"peer": "carrier_b", "priority": 1}, {"peer": "carrier_c", "priority": 2}]}}));
        policy
    });
    quarantine_b(&mut world, "g1");
    world.advance(32_000);
    let sent = world.receive(A, &request("INVITE", "urn:service:sos", "g2", 1, "", &[], ""));
    assert!(is_to(only(&sent, "INVITE"), C));
    assert!(is_to(&invite(&mut world, "g3"), B), "it is left to others");
}

#[test]
fn a_call_that_is_up_goes_on_with_a_target_that_is_held_out_or_blocked() {
    let mut world = World::with(&two_seconds());
    let (_, answer) = answered_call(&mut world, "d1");
    let other = invite(&mut world, "d2");
    world.receive(B, &respond(&other, "503 Service Unavailable", "tb", &["Retry-After: 60"]));
    let other = invite(&mut world, "d3");
    world.handle(Input::Unreachable { destination: other.to, excerpt: other.text.as_bytes() });
    let routes = routes(&answer);
    let routes: Vec<&str> = routes.iter().map(String::as_str).collect();
    for (method, cseq) in [("ACK", 1), ("UPDATE", 2), ("BYE", 3)] {
        let uri = format!("sip:bob@{B}");
        let sent = world.receive(A, &request(method, &uri, "d1", cseq, "tb", &routes, ""));
        assert!(is_to(only(&sent, method), B), "{method}");
    }
}
