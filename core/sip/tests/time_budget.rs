//! How long a call set-up may search, and whose timers hold on which side (RFC 3261 §16.6 to §16.8, RFC 4321).
//!
//! ```text
//!     A                 border          B          C
//!     | INVITE ---------> | INVITE ---> |          |   0 s
//!     |                   |    silence for first_response
//!     |                   | INVITE --------------> |   8 s
//!     |                   |    no longer than the budget
//!     | <-------- 408     |                           10 s
//! ```

mod support;

use serde_json::{Value, json};
use support::*;

fn budgeted(seconds: u64, first_response_ms: u64) -> Value {
    let mut policy = policy();
    policy["timers"] = json!({"first_response_ms": first_response_ms});
    policy["routes"][2]["action"]["time_budget_ms"] = json!(seconds * 1_000);
    policy
}

fn invited(world: &mut World, call: &str) -> Sent {
    let sent = world.receive(A, &request("INVITE", "sip:bob@b.example", call, 1, "", &[], ""));
    only(&sent, "INVITE").clone()
}

fn times(sent: &[Sent], start: &str, to: &str) -> usize {
    sent.iter().filter(|sent| sent.start().starts_with(start) && sent.to == to.parse().unwrap()).count()
}

#[test]
fn the_last_target_has_what_remains_of_the_budget() {
    let mut world = World::with(&budgeted(10, 8_000));
    invited(&mut world, "b1");
    assert_eq!(times(&world.advance(7_900), "INVITE", C), 0);
    assert!(times(&world.advance(1_000), "INVITE", C) > 0);
    assert_eq!(times(&world.advance(1_000), "SIP/2.0 408", A), 0);
    assert_eq!(times(&world.advance(300), "SIP/2.0 408", A), 1);
    assert_eq!(world.records()[0].reason, Some("forward.timeout"));
    world.receive(A, &request("ACK", "sip:bob@b.example", "b1", 1, "x", &[], ""));
    world.assert_quiet();
}

#[test]
fn no_target_is_tried_after_it() {
    let mut world = World::with(&budgeted(10, 20_000));
    let first = invited(&mut world, "b2");
    world.receive(B, &respond(&first, "100 Trying", "", &[]));
    world.advance(11_000);
    let sent = world.receive(B, &respond(&first, "503 Service Unavailable", "tb", &[]));
    only(&sent, "SIP/2.0 500");
    assert_eq!(times(&sent, "INVITE", C), 0);
    world.receive(A, &request("ACK", "sip:bob@b.example", "b2", 1, "x", &[], ""));
    world.assert_quiet();
}

#[test]
fn ringing_is_never_cut() {
    let mut world = World::with(&budgeted(10, 8_000));
    let first = invited(&mut world, "b3");
    world.receive(B, &respond(&first, "180 Ringing", "tb", &[]));
    assert!(world.advance(120_000).is_empty());
    only(&world.receive(B, &respond(&first, "200 OK", "tb", &[])), "SIP/2.0 200");
    world.advance(43_300_000);
    world.assert_quiet();
}

/// A with T1 = 1 s, B with T1 = 100 ms, C with the usual.
fn own_timers() -> Value {
    let mut policy = policy();
    policy["peers"][0]["timers"] = json!({"t1_ms": 1_000});
    policy["peers"][1]["timers"] = json!({"t1_ms": 100, "c_ms": 200_000});
    policy
}

#[test]
fn the_branch_has_the_timers_of_the_peer_that_it_was_sent_to() {
    let mut world = World::with(&own_timers());
    invited(&mut world, "b4");
    let sent = world.advance(720);
    assert_eq!(times(&sent, "INVITE", B), 3, "Timer A at 100, 300 and 700 ms");
    let sent = world.advance(6_000);
    assert_eq!(times(&sent, "INVITE", C), 1, "Timer B after 6.4 s; then the usual 500 ms");
    world.advance(500);
    world.advance(40_000);
    world.receive(A, &request("ACK", "sip:bob@b.example", "b4", 1, "x", &[], ""));
    world.assert_quiet();
}

#[test]
fn the_server_side_has_the_timers_of_the_peer_that_sent_it() {
    let mut world = World::with(&own_timers());
    let first = invited(&mut world, "b5");
    world.receive(B, &respond(&first, "486 Busy Here", "tb", &[]));
    let sent = world.advance(3_100);
    assert_eq!(times(&sent, "SIP/2.0 486", A), 2, "Timer G at 1 and 3 s");
    let sent = world.advance(62_000);
    assert!(times(&sent, "SIP/2.0 486", A) > 10, "Timer H is 64 s");
    world.assert_quiet();
}

#[test]
fn timer_c_is_that_of_the_peer_that_rings() {
    let mut world = World::with(&own_timers());
    let first = invited(&mut world, "b6");
    world.receive(B, &respond(&first, "180 Ringing", "tb", &[]));
    world.advance(100_000);
    world.receive(B, &respond(&first, "100 Trying", "", &[]));
    assert_eq!(times(&world.advance(99_000), "CANCEL", B), 0);
    assert!(times(&world.advance(1_100), "CANCEL", B) > 0, "a 100 does not start it anew");
    world.receive(B, &respond(&first, "487 Request Terminated", "tb", &[]));
    world.receive(A, &request("ACK", "sip:bob@b.example", "b6", 1, "x", &[], ""));
    world.assert_quiet();
}

#[test]
fn timer_c_without_any_provisional_response_is_a_408() {
    let mut policy = policy();
    policy["peers"][1]["timers"] = json!({"t1_ms": 10_000, "c_ms": 185_000});
    policy["routes"][2]["action"]["to"] = json!([{"peer": "carrier_b"}]);
    let mut world = World::with(&policy);
    let first = invited(&mut world, "b7");
    let sent = world.advance(185_100);
    assert_eq!(times(&sent, "CANCEL", B), 0);
    assert_eq!(times(&sent, "SIP/2.0 408", A), 1);
    world.receive(A, &request("ACK", "sip:bob@b.example", "b7", 1, "x", &[], ""));
    let sent = world.advance(200_000);
    assert_eq!(times(&sent, "INVITE", B), 0, "and the INVITE is not repeated");
    assert!(world.receive(B, &respond(&first, "200 OK", "tb", &[])).is_empty(), "too late");
    world.assert_quiet();
}
