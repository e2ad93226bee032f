//! A route that asks several peers at once, and what becomes of their answers (RFC 3261 §16.6, §16.7; RFC 5393 §5).
//!
//! ```text
//!     A                 border          B          C
//!     | INVITE ---------> | INVITE ---> |          |
//!     |                   | INVITE --------------> |
//!     | <-------- 180     | <---- 180   |          |
//!     |                   | <-------------- 180    |
//!     | <-------- 180     |             |          |
//!     |                   | <-------------- 200    |
//!     | <-------- 200     | CANCEL ---> |          |
//!     |                   | <---- 487   |          |
//!     |                   | ACK ------> |          |
//! ```

mod support;

use ibcf_sip::event::Outcome;
use serde_json::{Value, json};
use support::*;

const D: &str = "203.0.113.40:5060";

/// B and C at once, D when both failed.
fn forking() -> Value {
    let mut policy = policy();
    let carrier_d = json!({"id": "carrier_d", "side": "peer", "agreement": "peering", "listeners": ["peer_udp"],
        "sources": ["203.0.113.40/32"], "targets": [{"id": "d1", "address": D}]});
    policy["peers"].as_array_mut().unwrap().push(carrier_d);
    policy["routes"][2]["action"] = json!({"kind": "route", "fork": "parallel", "attempts_max": 8, "to": [
        {"peer": "carrier_b", "priority": 1}, {"peer": "carrier_c", "priority": 1}, {"peer": "carrier_d", "priority": 2},
    ]});
    policy
}

fn invites(sent: &[Sent]) -> Vec<Sent> {
    sent.iter().filter(|sent| sent.start().starts_with("INVITE")).cloned().collect()
}

fn at(sent: &[Sent], address: &str) -> Sent {
    let found: Vec<_> = sent.iter().filter(|sent| sent.to == address.parse().unwrap()).collect();
    assert_eq!(found.len(), 1, "one message to {address} among {sent:?}");
    found[0].clone()
}

/// Sends an INVITE and returns what B and C got.
fn forked(world: &mut World, call: &str, extra: &[&str]) -> (Sent, Sent) {
    let sent = world.receive(A, &request("INVITE", "sip:bob@b.example", call, 1, "", extra, ""));
    let invites = invites(&sent);
    assert_eq!(invites.len(), 2, "{sent:?}");
    (at(&invites, B), at(&invites, C))
}

fn acknowledge(world: &mut World, call: &str, tag: &str) {
    assert!(world.receive(A, &request("ACK", "sip:bob@b.example", call, 1, tag, &[], "")).is_empty());
}

#[test]
fn the_first_to_answer_gets_the_call_and_the_others_are_called_off() {
    let mut world = World::with(&forking());
    let (b, c) = forked(&mut world, "f1", &[]);
    assert_ne!(b.header("Via"), c.header("Via"), "a branch each");
    only(&world.receive(B, &respond(&b, "180 Ringing", "tb", &[])), "SIP/2.0 180");
    only(&world.receive(C, &respond(&c, "180 Ringing", "tc", &[])), "SIP/2.0 180");
    let sent = world.receive(C, &respond(&c, "200 OK", "tc", &[]));
    assert!(only(&sent, "SIP/2.0 200").header("To").ends_with("tc"));
    let cancel = only(&sent, "CANCEL").clone();
    assert_eq!((cancel.to, cancel.header("Via")), (B.parse().unwrap(), b.header("Via")));
    assert_eq!(cancel.header("Reason"), "SIP;cause=200;text=\"Call completed elsewhere\"");
    world.receive(B, &respond(&cancel, "200 OK", "tb", &[]));
    let sent = world.receive(B, &respond(&b, "487 Request Terminated", "tb", &[]));
    assert_eq!((sent.len(), only(&sent, "ACK").to), (1, B.parse().unwrap()));
    world.advance(43_300_000);
    let records = world.records();
    assert_eq!((records.len(), records[0].outcome), (1, Outcome::Answered));
    assert_eq!(records[0].peer_out.as_deref(), Some("carrier_c"));
    world.assert_quiet();
}

#[test]
fn a_branch_without_a_provisional_response_is_called_off_when_one_comes() {
    let mut world = World::with(&forking());
    let (b, c) = forked(&mut world, "f2", &[]);
    let sent = world.receive(C, &respond(&c, "200 OK", "tc", &[]));
    assert_eq!(sent.len(), 1, "no CANCEL before a provisional response (RFC 3261 §9.1)");
    let sent = world.receive(B, &respond(&b, "180 Ringing", "tb", &[]));
    assert_eq!((sent.len(), only(&sent, "CANCEL").to), (1, B.parse().unwrap()), "and the 180 goes nowhere");
    world.receive(B, &respond(&b, "487 Request Terminated", "tb", &[]));
    world.advance(43_300_000);
    world.assert_quiet();
}

#[test]
fn a_loser_that_never_confirms_the_cancel_is_forgotten() {
    let mut world = World::with(&forking());
    let (b, c) = forked(&mut world, "f3", &[]);
    world.receive(B, &respond(&b, "180 Ringing", "tb", &[]));
    world.receive(C, &respond(&c, "200 OK", "tc", &[]));
    world.advance(90_000);
    assert_eq!(world.border.transactions(), 0);
    world.advance(43_300_000);
    world.assert_quiet();
}

#[test]
fn two_answers_are_two_calls_each_with_its_place() {
    let mut policy = forking();
    policy["peers"][1]["limits"] = json!({"calls_max": 1});
    policy["peers"][2]["limits"] = json!({"calls_max": 1});
    let mut world = World::with(&policy);
    let (b, c) = forked(&mut world, "f4", &[]);
    world.receive(B, &respond(&b, "180 Ringing", "tb", &[]));
    let sent = world.receive(C, &respond(&c, "200 OK", "tc", &[]));
    let answer = only(&sent, "SIP/2.0 200").clone();
    only(&world.receive(B, &respond(&b, "200 OK", "tb", &[])), "SIP/2.0 200");
    assert_eq!(world.metric("ibcf_dialogs_tracked", &[]), 2);
    // Both peers are full: the next call goes to D alone.
    let sent = world.receive(A, &request("INVITE", "sip:bob@b.example", "f4b", 1, "", &[], ""));
    let third = at(&invites(&sent), D);
    world.receive(D, &respond(&third, "486 Busy Here", "td", &[]));
    acknowledge(&mut world, "f4b", "td");
    // The place with C is free again when the call there ends.
    let lines = routes(&answer);
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    let bye = world.receive(A, &request("BYE", &format!("sip:bob@{C}"), "f4", 2, "tc", &lines, ""));
    world.receive(C, &respond(only(&bye, "BYE"), "200 OK", "", &[]));
    let sent = world.receive(A, &request("INVITE", "sip:bob@b.example", "f4c", 1, "", &[], ""));
    let fourth = at(&invites(&sent), C);
    world.receive(C, &respond(&fourth, "486 Busy Here", "tc", &[]));
    acknowledge(&mut world, "f4c", "tc");
    world.advance(43_300_000);
    let answered: Vec<_> = world
        .records()
        .iter()
        .filter(|record| record.outcome == Outcome::Answered)
        .map(|record| record.peer_out.clone().unwrap())
        .collect();
    assert_eq!(answered, ["carrier_c", "carrier_b"]);
    world.assert_quiet();
}

#[test]
fn the_place_of_a_branch_that_failed_is_free_while_the_others_ring() {
    let mut policy = forking();
    policy["peers"][1]["limits"] = json!({"calls_max": 1});
    let mut world = World::with(&policy);
    let (b, c) = forked(&mut world, "f5", &[]);
    world.receive(C, &respond(&c, "180 Ringing", "tc", &[]));
    world.receive(B, &respond(&b, "486 Busy Here", "tb", &[]));
    let (_, c2) = forked(&mut world, "f5b", &[]);
    world.receive(C, &respond(&c2, "180 Ringing", "tc", &[]));
    world.assert_quiet();
}

#[test]
fn the_best_failure_goes_upstream_when_all_have_answered() {
    for (from_b, from_c, best) in [
        ("486 Busy Here", "404 Not Found", "SIP/2.0 486"),
        ("404 Not Found", "484 Address Incomplete", "SIP/2.0 484"),
        ("500 Server Internal Error", "480 Temporarily Unavailable", "SIP/2.0 480"),
        ("302 Moved Temporarily", "404 Not Found", "SIP/2.0 302"),
        ("503 Service Unavailable", "486 Busy Here", "SIP/2.0 486"),
    ] {
        let mut world = World::with(&forking());
        let (b, c) = forked(&mut world, "f6", &[]);
        let sent = world.receive(B, &respond(&b, from_b, "tb", &[]));
        assert_eq!((sent.len(), only(&sent, "ACK").to), (1, B.parse().unwrap()), "C still rings");
        let sent = world.receive(C, &respond(&c, from_c, "tc", &[]));
        only(&sent, best);
        assert!(invites(&sent).is_empty(), "somebody gave an answer that ends the search");
        acknowledge(&mut world, "f6", "x");
        world.assert_quiet();
    }
}

#[test]
fn a_603_calls_the_others_off_and_goes_upstream_when_they_are_over() {
    let mut world = World::with(&forking());
    let (b, c) = forked(&mut world, "f7", &[]);
    world.receive(C, &respond(&c, "180 Ringing", "tc", &[]));
    let sent = world.receive(B, &respond(&b, "603 Decline", "tb", &[]));
    assert_eq!(only(&sent, "CANCEL").to, C.parse().unwrap());
    assert!(sent.iter().all(|sent| !sent.start().starts_with("SIP/2.0")), "not before the others ended");
    assert!(world.receive(C, &respond(&c, "183 Session Progress", "tc", &[])).is_empty());
    let sent = world.receive(C, &respond(&c, "487 Request Terminated", "tc", &[]));
    only(&sent, "SIP/2.0 603");
    acknowledge(&mut world, "f7", "tb");
    world.assert_quiet();
}

#[test]
fn a_2xx_that_crosses_the_603_wins() {
    let mut world = World::with(&forking());
    let (b, c) = forked(&mut world, "f8", &[]);
    world.receive(C, &respond(&c, "180 Ringing", "tc", &[]));
    world.receive(B, &respond(&b, "603 Decline", "tb", &[]));
    only(&world.receive(C, &respond(&c, "200 OK", "tc", &[])), "SIP/2.0 200");
    world.advance(43_300_000);
    assert_eq!(world.records().len(), 1);
    world.assert_quiet();
}

#[test]
fn challenges_of_all_branches_come_back_together() {
    let mut world = World::with(&forking());
    let (b, c) = forked(&mut world, "f9", &[]);
    let (digest_b, digest_c) = ("Digest realm=\"b\", nonce=\"1\"", "Digest realm=\"c\", nonce=\"2\"");
    let proxy = format!("Proxy-Authenticate: {digest_b}");
    let www = format!("WWW-Authenticate: {digest_c}");
    world.receive(B, &respond(&b, "407 Proxy Authentication Required", "tb", &[&proxy]));
    let sent = world.receive(C, &respond(&c, "401 Unauthorized", "tc", &[&www]));
    let best = only(&sent, "SIP/2.0 407");
    assert_eq!(best.headers("Proxy-Authenticate"), [digest_b]);
    assert_eq!(best.headers("WWW-Authenticate"), [digest_c]);
    acknowledge(&mut world, "f9", "tb");
    world.assert_quiet();
}

#[test]
fn the_next_priority_is_asked_when_none_of_the_first_is_there() {
    let mut world = World::with(&forking());
    let (b, c) = forked(&mut world, "f10", &[]);
    assert!(invites(&world.receive(B, &respond(&b, "503 Service Unavailable", "tb", &[]))).is_empty());
    let sent = world.receive(C, &respond(&c, "503 Service Unavailable", "tc", &[]));
    let d = at(&invites(&sent), D);
    only(&world.receive(D, &respond(&d, "200 OK", "td", &[])), "SIP/2.0 200");
    world.advance(43_300_000);
    let record = &world.records()[0];
    let tried: Vec<_> = record.attempts.iter().map(|attempt| (&*attempt.peer, attempt.status)).collect();
    assert_eq!(tried, [("carrier_b", Some(503)), ("carrier_c", Some(503)), ("carrier_d", Some(200))]);
    world.assert_quiet();
}

#[test]
fn the_second_target_of_a_peer_stands_in_for_its_first_and_is_never_asked_beside_it() {
    let mut policy = forking();
    policy["peers"][1]["targets"] = json!([{"id": "b1", "address": B, "priority": 1}, {"id": "b2", "address": "198.51.100.20:5070", "priority": 2}]);
    let mut world = World::with(&policy);
    let (b, c) = forked(&mut world, "f11", &[]);
    world.receive(C, &respond(&c, "180 Ringing", "tc", &[]));
    let sent = world.receive(B, &respond(&b, "503 Service Unavailable", "tb", &[]));
    let second = at(&invites(&sent), "198.51.100.20:5070");
    let sent = world.receive(B, &respond(&second, "200 OK", "tb", &[]));
    assert_eq!(only(&sent, "CANCEL").to, C.parse().unwrap());
    world.receive(C, &respond(&c, "487 Request Terminated", "tc", &[]));
    world.advance(43_300_000);
    world.assert_quiet();
}

#[test]
fn the_caller_may_give_up_while_several_ring() {
    let mut world = World::with(&forking());
    let (b, c) = forked(&mut world, "f12", &[]);
    world.receive(B, &respond(&b, "180 Ringing", "tb", &[]));
    let sent = world
        .receive(A, &request("CANCEL", "sip:bob@b.example", "f12", 1, "", &["Reason: SIP;cause=200"], ""));
    only(&sent, "SIP/2.0 200");
    assert_eq!(only(&sent, "CANCEL").to, B.parse().unwrap());
    let sent = world.receive(C, &respond(&c, "180 Ringing", "tc", &[]));
    let late = only(&sent, "CANCEL");
    assert_eq!((late.to, late.header("Reason")), (C.parse().unwrap(), "SIP;cause=200"));
    let sent = world.receive(B, &respond(&b, "487 Request Terminated", "tb", &[]));
    assert_eq!(sent.len(), 1, "C has not confirmed");
    only(&world.receive(C, &respond(&c, "487 Request Terminated", "tc", &[])), "SIP/2.0 487");
    acknowledge(&mut world, "f12", "tb");
    assert_eq!(world.records()[0].outcome, Outcome::Cancelled);
    world.assert_quiet();
}

#[test]
fn one_branch_that_rings_too_long_is_called_off_and_the_other_goes_on() {
    let mut world = World::with(&forking());
    let (b, c) = forked(&mut world, "f13", &[]);
    world.receive(B, &respond(&b, "180 Ringing", "tb", &[]));
    world.receive(C, &respond(&c, "180 Ringing", "tc", &[]));
    world.advance(180_000);
    world.receive(C, &respond(&c, "180 Ringing", "tc", &[]));
    let sent = world.advance(6_000);
    assert!(sent.iter().any(|sent| sent.start().starts_with("CANCEL")));
    assert!(sent.iter().all(|sent| sent.to == B.parse().unwrap()), "Timer C is a branch's own");
    world.receive(B, &respond(&b, "487 Request Terminated", "tb", &[]));
    only(&world.receive(C, &respond(&c, "200 OK", "tc", &[])), "SIP/2.0 200");
    world.advance(43_300_000);
    world.assert_quiet();
}

#[test]
fn max_breadth_is_shared_between_the_branches() {
    for (header, share) in [(None, "30"), (Some("Max-Breadth: 9"), "4"), (Some("Max-Breadth: 2"), "1")] {
        let mut world = World::with(&forking());
        let (b, c) = forked(&mut world, "f14", header.as_slice());
        assert_eq!((b.headers("Max-Breadth"), c.headers("Max-Breadth")), (vec![share], vec![share]));
    }
}

#[test]
fn with_a_breadth_of_one_the_peers_are_asked_one_after_the_other() {
    let mut world = World::with(&forking());
    let sent =
        world.receive(A, &request("INVITE", "sip:bob@b.example", "f15", 1, "", &["Max-Breadth: 1"], ""));
    let first = invites(&sent);
    assert_eq!((first.len(), first[0].header("Max-Breadth")), (1, "1"));
    let from = first[0].to.to_string();
    let sent = world.receive(&from, &respond(&first[0], "486 Busy Here", "t1", &[]));
    let second = invites(&sent);
    assert_eq!(second.len(), 1, "those of one priority are all asked");
    assert_ne!(second[0].to, first[0].to);
    let from = second[0].to.to_string();
    only(&world.receive(&from, &respond(&second[0], "486 Busy Here", "t2", &[])), "SIP/2.0 486");
    acknowledge(&mut world, "f15", "t1");
    world.assert_quiet();
}

#[test]
fn a_breadth_of_zero_is_refused_and_without_a_fork_nothing_is_written() {
    let mut world = World::with(&forking());
    let sent =
        world.receive(A, &request("INVITE", "sip:bob@b.example", "f16", 1, "", &["Max-Breadth: 0"], ""));
    only(&sent, "SIP/2.0 440 Max-Breadth Exceeded");
    assert_eq!(world.metric("ibcf_rejections_total", &["screen.max_breadth"]), 1);
    let mut serial = World::new();
    let sent = serial.receive(A, &request("INVITE", "sip:bob@b.example", "f16", 1, "", &[], ""));
    assert!(only(&sent, "INVITE").headers("Max-Breadth").is_empty());
    acknowledge(&mut world, "f16", "x");
    world.assert_quiet();
}

#[test]
fn a_message_is_never_delivered_twice() {
    let mut world = World::with(&forking());
    let sent = world.receive(A, &request("MESSAGE", "sip:bob@b.example", "f17", 1, "", &[], "hello"));
    assert_eq!(sent.len(), 1, "a fork is for INVITE");
}

#[test]
fn silence_of_one_does_not_hold_up_the_answer_of_the_other() {
    let mut world = World::with(&forking());
    let (_, c) = forked(&mut world, "f18", &[]);
    world.receive(C, &respond(&c, "486 Busy Here", "tc", &[]));
    let sent = world.advance(32_100);
    only(&sent[sent.len() - 1..], "SIP/2.0 486");
    let record = &world.records()[0];
    assert_eq!(record.attempts[0].reason.or(record.attempts[1].reason), Some("forward.timeout"));
    acknowledge(&mut world, "f18", "tc");
    world.assert_quiet();
}
