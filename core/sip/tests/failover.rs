//! A target fails and the next one is tried; what must not be passed on becomes an answer of our own.
//!
//! ```text
//!     A                 border          B          C
//!     | INVITE ---------> | INVITE ---> |          |
//!     |                   | <---- 503   |          |
//!     |                   | ACK ------> |          |
//!     |                   | INVITE --------------> |
//!     | <-------- 200     | <-------------- 200    |
//! ```

mod support;

use ibcf_sip::Input;
use ibcf_sip::event::Outcome;
use ibcf_sip::input::EnumOutcome;
use serde_json::json;
use support::*;

fn invited(world: &mut World, call: &str) -> Sent {
    let sent = world.receive(A, &request("INVITE", "sip:bob@b.example", call, 1, "", &[], ""));
    only(&sent, "INVITE").clone()
}

#[test]
fn a_503_moves_the_call_to_the_next_peer() {
    let mut world = World::new();
    let first = invited(&mut world, "c1");
    let sent = world.receive(B, &respond(&first, "503 Service Unavailable", "tb", &["Retry-After: 10"]));
    assert_eq!(only(&sent, "ACK").to, B.parse().unwrap());
    let second = only(&sent, "INVITE").clone();
    assert_eq!(second.to, C.parse().unwrap());
    assert_ne!(first.header("Via"), second.header("Via"), "a new branch (LOC-31)");
    assert_eq!(second.headers("Via").len(), 2, "edits are not cumulative");
    assert_eq!(second.headers("Record-Route").len(), first.headers("Record-Route").len());
    assert_eq!(
        second.header("P-Charging-Vector"),
        first.header("P-Charging-Vector"),
        "the call keeps its ICID"
    );
    let sent = world.receive(C, &respond(&second, "200 OK", "tc", &[]));
    only(&sent, "SIP/2.0 200");
    world.advance(43_300_000);
    let record = &world.records()[0];
    assert_eq!(record.outcome, Outcome::Answered);
    assert_eq!(record.peer_out.as_deref(), Some("carrier_c"));
    assert_eq!(record.neighbour.as_ref().and_then(|neighbour| neighbour.address), C.parse().ok());
    let tried: Vec<_> = record.attempts.iter().map(|attempt| (&*attempt.peer, attempt.status)).collect();
    assert_eq!(tried, [("carrier_b", Some(503)), ("carrier_c", Some(200))]);
    world.assert_quiet();
}

#[test]
fn what_the_peer_said_stands_beside_our_reason() {
    let mut policy = policy();
    policy["agreements"][0]["warning_header"] = json!(true);
    let mut world = World::with(&policy);
    let first = invited(&mut world, "c1");
    world.receive(
        B,
        &respond(&first, "503 Out of Lines", "tb", &["Reason: Q.850;cause=34;text=\"no circuit\""]),
    );
    let sent = world.advance(40_000);
    let answer = sent.iter().find(|sent| sent.to == A.parse().unwrap()).expect("an answer");
    assert_eq!(answer.start(), "SIP/2.0 408 Request Timeout");
    let ours = "Q.850;cause=18;text=\"forward.timeout\"";
    assert_eq!(answer.headers("Reason"), [ours, "Q.850;cause=34;text=\"no circuit\""]);
    let warning = "399 ibcf.a.example \"forward.timeout: no target answered in time\"";
    assert_eq!(answer.header("Warning"), warning);
    let record = &world.records()[0];
    let tried: Vec<_> =
        record.attempts.iter().map(|attempt| (attempt.status, attempt.cause.as_deref())).collect();
    assert_eq!(tried, [(Some(503), Some("Q.850;cause=34;text=\"no circuit\"")), (None, None)]);
}

#[test]
fn a_503_from_the_last_target_leaves_as_500() {
    let mut world = World::new();
    let first = invited(&mut world, "c2");
    let sent = world.receive(B, &respond(&first, "503 Service Unavailable", "tb", &[]));
    let second = only(&sent, "INVITE").clone();
    let sent = world.receive(C, &respond(&second, "503 Service Unavailable", "tc", &[]));
    let answer = only(&sent, "SIP/2.0 500");
    assert_eq!(answer.header("Reason"), "Q.850;cause=41;text=\"forward.all_targets_failed\"");
    assert_eq!(world.records()[0].reason, Some("forward.all_targets_failed"));
    world.receive(A, &request("ACK", "sip:bob@b.example", "c2", 1, "x", &[], ""));
    world.assert_quiet();
}

#[test]
fn busy_is_no_reason_to_try_elsewhere() {
    let mut world = World::new();
    let invite = invited(&mut world, "c3");
    let sent = world.receive(B, &respond(&invite, "486 Busy Here", "tb", &["X-Peer: says"]));
    let answer = only(&sent, "SIP/2.0 486");
    assert_eq!(answer.header("X-Peer"), "says");
    assert_eq!(sent.len(), 2, "the ACK and the answer");
    let record = &world.records()[0];
    assert_eq!((record.outcome, record.status, record.reason), (Outcome::Failed, 486, None));
    assert_eq!(record.attempts[0].phrase.as_deref(), Some("Busy Here"));
    assert!(world.receive(A, &request("ACK", "sip:bob@b.example", "c3", 1, "tb", &[], "")).is_empty());
    world.assert_quiet();
}

#[test]
fn a_failure_is_repeated_until_it_is_acknowledged() {
    let mut world = World::new();
    let invite = invited(&mut world, "c4");
    world.receive(B, &respond(&invite, "404 Not Found", "tb", &[]));
    let again = world.advance(1_600);
    assert_eq!(again.iter().filter(|sent| sent.start().starts_with("SIP/2.0 404")).count(), 2);
    let acked = world.receive(B, &respond(&invite, "404 Not Found", "tb", &[]));
    only(&acked, "ACK");
    world.receive(A, &request("ACK", "sip:bob@b.example", "c4", 1, "tb", &[], ""));
    assert!(world.advance(20_000).is_empty());
    world.assert_quiet();
}

#[test]
fn silence_moves_the_call_on_and_then_ends_it_with_408() {
    let mut world = World::new();
    invited(&mut world, "c5");
    let sent = world.advance(32_100);
    let second = sent.iter().find(|sent| sent.to == C.parse().unwrap()).expect("the second target is tried");
    assert!(second.start().starts_with("INVITE"));
    let sent = world.advance(32_100);
    assert!(sent.iter().any(|sent| sent.start().starts_with("SIP/2.0 408")));
    let record = &world.records()[0];
    assert_eq!(record.reason, Some("forward.timeout"));
    assert_eq!(record.attempts[0].reason, Some("forward.timeout"));
    world.assert_quiet();
}

#[test]
fn an_icmp_error_moves_the_call_on_at_once() {
    let mut world = World::new();
    let first = invited(&mut world, "c6");
    let excerpt = &first.text.as_bytes()[..200.min(first.text.len())];
    let sent = world.handle(Input::Unreachable { destination: B.parse().unwrap(), excerpt });
    let second = only(&sent, "INVITE").clone();
    assert_eq!(second.to, C.parse().unwrap());
    let sent =
        world.handle(Input::Unreachable { destination: C.parse().unwrap(), excerpt: second.text.as_bytes() });
    only(&sent, "SIP/2.0 500");
    assert_eq!(world.records()[0].reason, Some("forward.unreachable"));
    world.receive(A, &request("ACK", "sip:bob@b.example", "c6", 1, "x", &[], ""));
    world.assert_quiet();
}

#[test]
fn a_forged_icmp_error_moves_nothing() {
    let mut world = World::new();
    let first = invited(&mut world, "c7");
    let forged = first.text.replace("z9hG4bK0", "z9hG4bK1");
    assert!(
        world
            .handle(Input::Unreachable { destination: B.parse().unwrap(), excerpt: forged.as_bytes() })
            .is_empty()
    );
    assert!(
        world
            .handle(Input::Unreachable { destination: C.parse().unwrap(), excerpt: first.text.as_bytes() })
            .is_empty()
    );
}

#[test]
fn the_better_of_two_failures_goes_upstream() {
    let mut world = World::new();
    let first = invited(&mut world, "c8");
    let sent = world.receive(B, &respond(&first, "503 Service Unavailable", "tb", &[]));
    let second = only(&sent, "INVITE").clone();
    let sent = world.receive(C, &respond(&second, "404 Not Found", "tc", &[]));
    only(&sent, "SIP/2.0 404");
    world.receive(A, &request("ACK", "sip:bob@b.example", "c8", 1, "tc", &[], ""));
    world.assert_quiet();
}

#[test]
fn more_targets_than_a_branch_can_number_end_before_the_numbers_repeat() {
    let mut many = policy();
    let targets: Vec<_> = (0..60)
        .map(|nth| json!({"id": format!("b{nth}"), "address": format!("198.51.100.20:{}", 6000 + nth)}))
        .collect();
    many["peers"][1]["targets"] = json!(targets);
    many["enums"][0]["candidates_max"] = json!(16);
    many["routes"][2]["action"] = json!({"kind": "route", "to": [{"peer": "carrier_b"}], "attempts_max": 64});
    let mut world = World::with(&many);
    world.receive(A, &request("INVITE", "tel:+441632960083", "c9", 1, "", &[], ""));
    let candidates: Vec<String> = (0..16).map(|nth| format!("sip:+44163296008{nth}@b.example")).collect();
    let candidates: Vec<&str> = candidates.iter().map(String::as_str).collect();
    let mut sent = world.answer(EnumOutcome::Found, &candidates, 0);
    let mut tried = 0;
    while let Some(invite) = sent.iter().find(|sent| sent.start().starts_with("INVITE")).cloned() {
        tried += 1;
        sent = world.receive(B, &respond(&invite, "503 Service Unavailable", "tb", &[]));
    }
    only(&sent, "SIP/2.0 500");
    assert_eq!(tried, 255);
}

#[test]
fn a_refusal_that_comes_after_its_target_was_given_up_is_acknowledged_and_goes_no_further() {
    let mut policy = policy();
    policy["timers"] = json!({"first_response_ms": 2_000});
    let mut world = World::with(&policy);
    let sent = world.receive(A, &request("INVITE", "sip:bob@b.example", "late", 1, "", &[], ""));
    let first = only(&sent, "INVITE").clone();
    let sent = world.advance(2_100);
    let second = sent.iter().find(|sent| sent.to == C.parse().unwrap()).expect("the next target").clone();
    for _ in 0..2 {
        let sent = world.receive(B, &respond(&first, "486 Busy Here", "tb", &[]));
        assert_eq!(sent.len(), 1);
        assert_eq!(only(&sent, "ACK").to, first.to);
    }
    let sent = world.receive(C, &respond(&second, "200 OK", "tc", &[]));
    only(&sent, "SIP/2.0 200");
}
