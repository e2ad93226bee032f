//! Bounds: rates, places for calls, full tables, draining; what still passes when they are reached.

mod support;

use ibcf_sip::Input;
use serde_json::json;
use support::*;

fn limited(limits: serde_json::Value) -> World {
    let mut policy = policy();
    policy["peers"][0]["limits"] = limits;
    World::with(&policy)
}

fn invite(world: &mut World, call: &str) -> Vec<Sent> {
    world.receive(A, &request("INVITE", "sip:bob@b.example", call, 1, "", &[], ""))
}

#[test]
fn a_peer_above_its_rate_gets_503_without_retry_after() {
    let mut world = limited(json!({"requests_per_second": 10, "burst": 5}));
    let refused: Vec<Sent> = (0..8)
        .flat_map(|nth| invite(&mut world, &format!("r{nth}")))
        .filter(|sent| sent.start().starts_with("SIP/2.0 503"))
        .collect();
    assert_eq!(refused.len(), 3);
    assert!(
        refused[0].header("Retry-After").is_empty(),
        "so that the peer fails over for this call, not for all"
    );
    assert_eq!(world.metric("ibcf_rejections_total", &["admit.rate"]), 3);
    world.advance(1_000);
    only(&invite(&mut world, "later"), "INVITE");
}

#[test]
fn a_repetition_of_what_was_refused_is_refused_again_when_there_is_room() {
    let mut world = limited(json!({"requests_per_second": 10, "burst": 1}));
    only(&invite(&mut world, "first"), "INVITE");
    let refused = only(&invite(&mut world, "second"), "SIP/2.0 503").clone();
    world.advance(1_000);
    let again = invite(&mut world, "second");
    assert_eq!(only(&again, "SIP/2.0 503").text, refused.text, "one request has one final response");
    only(&invite(&mut world, "third"), "INVITE");
}

#[test]
fn emergency_calls_and_dialogs_pass_the_rate() {
    let mut policy = policy();
    policy["peers"][0]["limits"] = json!({"requests_per_second": 1, "burst": 1, "calls_max": 2});
    let sos = json!({"id": "sos", "condition": {"schemes": ["urn"]}, "action": {"kind": "route", "to": [{"peer": "carrier_b"}]}});
    policy["routes"].as_array_mut().unwrap().insert(0, sos);
    let mut world = World::with(&policy);
    let (_, answer) = answered_call(&mut world, "c1");
    for nth in 0..5 {
        let sent =
            world.receive(A, &request("INVITE", "urn:service:sos.fire", &format!("s{nth}"), 1, "", &[], ""));
        only(&sent, "INVITE");
    }
    let lines = routes(&answer);
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    let sent = world.receive(A, &request("BYE", &format!("sip:bob@{B}"), "c1", 2, "tb", &lines, ""));
    only(&sent, "BYE");
}

#[test]
fn places_for_calls_are_taken_and_given_back() {
    let mut world = limited(json!({"calls_max": 2}));
    let first = invite(&mut world, "p1");
    let first = only(&first, "INVITE").clone();
    invite(&mut world, "p2");
    only(&invite(&mut world, "p3"), "SIP/2.0 503");
    assert_eq!(world.metric("ibcf_calls_active", &["carrier_a", "exit"]), 2);
    world.receive(B, &respond(&first, "486 Busy Here", "tb", &[]));
    assert_eq!(world.metric("ibcf_calls_active", &["carrier_a", "exit"]), 1);
    only(&invite(&mut world, "p4"), "INVITE");
    assert_eq!(world.metric("ibcf_rejections_total", &["decide.peer_capacity"]), 1);
}

#[test]
fn a_full_target_is_passed_over() {
    let mut policy = policy();
    policy["peers"][1]["limits"] = json!({"calls_max": 1});
    let mut world = World::with(&policy);
    assert_eq!(only(&invite(&mut world, "f1"), "INVITE").to, B.parse().unwrap());
    assert_eq!(only(&invite(&mut world, "f2"), "INVITE").to, C.parse().unwrap());
}

#[test]
fn a_full_table_refuses_new_work_but_not_the_end_of_a_call() {
    let mut policy = policy();
    policy["limits"] = json!({"transactions_max": 10});
    let mut world = World::with(&policy);
    let (_, answer) = answered_call(&mut world, "full0");
    let sent: Vec<Sent> = (1..20).flat_map(|nth| invite(&mut world, &format!("full{nth}"))).collect();
    let refused = sent.iter().filter(|sent| sent.start().starts_with("SIP/2.0 503")).count();
    assert_eq!(refused, 19 - 8, "nine tenths are for new work");
    assert_eq!(world.metric("ibcf_rejections_total", &["admit.overload"]), 11);
    let lines = routes(&answer);
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    only(&world.receive(A, &request("BYE", &format!("sip:bob@{B}"), "full0", 2, "tb", &lines, "")), "BYE");
}

#[test]
fn a_draining_node_ends_what_it_has_and_takes_no_more() {
    let mut world = World::new();
    let (_, answer) = answered_call(&mut world, "d1");
    world.handle(Input::Drain);
    let sent = invite(&mut world, "d2");
    assert_eq!(only(&sent, "SIP/2.0 503").header("Retry-After"), "60");
    let sent = world.receive(A, &request("OPTIONS", "sip:ibcf.a.example", "d3", 1, "", &[], ""));
    only(&sent, "SIP/2.0 503");
    let lines = routes(&answer);
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    let bye = world.receive(A, &request("BYE", &format!("sip:bob@{B}"), "d1", 2, "tb", &lines, ""));
    world.receive(B, &respond(only(&bye, "BYE"), "200 OK", "", &[]));
    assert_eq!(world.metric("ibcf_drain_state", &[]), 1);
    world.assert_quiet();
}

#[test]
fn a_callee_that_answers_without_end_cannot_fill_the_table_of_calls() {
    let mut world = World::new();
    let sent = world.receive(A, &request("INVITE", "sip:bob@b.example", "fk", 1, "", &[], ""));
    let invite = only(&sent, "INVITE").clone();
    let mut passed = 0;
    for nth in 0..1_000 {
        passed += world.receive(B, &respond(&invite, "200 OK", &format!("t{nth}"), &[])).len() as u64;
    }
    let kept = world.metric("ibcf_dialogs_tracked", &[]);
    assert!((2..=8).contains(&kept), "{kept} calls of one INVITE");
    assert_eq!(passed, kept, "what makes no record does not pass");
    world.advance(43_300_000);
    assert_eq!(world.records().len() as u64, kept);
    world.assert_quiet();
}
