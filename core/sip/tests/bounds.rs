//! Every table says how much it may hold and how much it held, and does what was promised when it is full.
//! Rates and places for calls: `limits.rs`.

mod support;

use std::sync::Arc;

use ibcf_sip::Input;
use ibcf_sip::event::Event;
use ibcf_sip::input::EnumOutcome;
use serde_json::{Value, json};
use support::*;

fn bounded(limits: Value) -> World {
    let mut policy = policy();
    policy["limits"] = limits;
    World::with(&policy)
}

fn invite(world: &mut World, uri: &str, call: &str) -> Vec<Sent> {
    world.receive(A, &request("INVITE", uri, call, 1, "", &[], ""))
}

fn bye(world: &mut World, answer: &Sent, call: &str) -> Vec<Sent> {
    let lines = routes(answer);
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    world.receive(A, &request("BYE", &format!("sip:bob@{B}"), call, 2, "tb", &lines, ""))
}

#[test]
fn each_table_tells_its_limit_and_its_peak() {
    let mut world = bounded(
        json!({"transactions_max": 100, "calls_max": 50, "questions_max": 7, "answers_max": 9, "locations_max": 11}),
    );
    for (name, max) in [
        ("transactions", 100),
        ("calls", 50),
        ("timers", 100 * 8 + 50 * 4),
        ("questions", 7),
        ("answers", 9),
        ("locations", 11),
    ] {
        assert_eq!(world.metric("ibcf_limits", &[name]), max, "{name}");
        assert_eq!(world.metric("ibcf_table_peak", &[name]), 0, "{name}");
    }
    invite(&mut world, "tel:+441632960083", "q");
    world.answer(EnumOutcome::Found, &["sip:bob@b.example"], 60_000);
    answered_call(&mut world, "c");
    world.advance(43_300_000);
    for (name, peak) in [("transactions", 2), ("calls", 1), ("questions", 1), ("answers", 1)] {
        assert_eq!(world.metric("ibcf_table_peak", &[name]), peak, "{name}");
    }
    assert!((4..20).contains(&world.metric("ibcf_table_peak", &["timers"])));
    world.assert_quiet();
}

#[test]
fn a_full_table_of_calls_refuses_the_next_call_and_ends_those_that_are_up() {
    let mut world = bounded(json!({"calls_max": 2}));
    let (_, first) = answered_call(&mut world, "f1");
    world.advance(40_000); // an INVITE counts until its transaction is over
    answered_call(&mut world, "f2");
    world.advance(40_000);
    only(&invite(&mut world, "sip:bob@b.example", "f3"), "SIP/2.0 503");
    only(&bye(&mut world, &first, "f1"), "BYE");
    only(&invite(&mut world, "sip:bob@b.example", "f4"), "INVITE");
}

#[test]
fn a_wheel_full_of_timers_refuses_new_work_until_they_fired() {
    let mut policy = policy();
    policy["limits"] = json!({"transactions_max": 20, "calls_max": 20});
    let targets: Vec<Value> = (0..200)
        .map(|nth| json!({"id": format!("t{nth}"), "address": format!("198.51.100.20:{}", 6_000 + nth)}))
        .collect();
    policy["peers"][1]["targets"] = json!(targets);
    policy["routes"][2]["action"]["attempts_max"] = json!(200);
    let mut world = World::with(&policy);
    let (_, answer) = {
        let sent = invite(&mut world, "sip:bob@b.example", "w0");
        let forwarded = only(&sent, "INVITE").clone();
        let sent = world.receive(B, &respond(&forwarded, "200 OK", "tb", &[]));
        (forwarded, only(&sent, "SIP/2.0 200").clone())
    };
    // Each target that is not there leaves its Timers A and B behind.
    let mut sent = invite(&mut world, "sip:bob@b.example", "w1");
    while world.metric("ibcf_timers_pending", &[]) < world.metric("ibcf_limits", &["timers"]) {
        let tried = only(&sent, "INVITE").clone();
        sent = world.handle(Input::Unreachable { destination: tried.to, excerpt: tried.text.as_bytes() });
    }
    only(&invite(&mut world, "sip:bob@b.example", "w2"), "SIP/2.0 503");
    assert_eq!(world.metric("ibcf_rejections_total", &["admit.overload"]), 1);
    only(&bye(&mut world, &answer, "w0"), "BYE");
    world.advance(33_000);
    only(&invite(&mut world, "sip:bob@b.example", "w3"), "INVITE");
}

#[test]
fn timer_c_of_a_call_that_was_answered_is_not_in_the_wheel_for_its_three_minutes() {
    let mut world = World::new();
    let (_, answer) = answered_call(&mut world, "tc");
    let sent = bye(&mut world, &answer, "tc");
    world.receive(B, &respond(only(&sent, "BYE"), "200 OK", "", &[]));
    world.advance(33_000);
    assert_eq!(world.metric("ibcf_timers_pending", &[]), 0);
}

#[test]
fn with_as_many_questions_open_as_may_be_the_next_look_up_counts_as_failed() {
    let mut world = bounded(json!({"questions_max": 1}));
    invite(&mut world, "tel:+441632960083", "q1");
    let sent = invite(&mut world, "tel:+441632960084", "q2");
    only(&sent, "SIP/2.0 500");
    assert_eq!(world.metric("ibcf_rejections_total", &["decide.enum_failed"]), 1);
    assert_eq!(world.records()[0].enum_class.as_deref(), Some("OVERLOAD"));
    invite(&mut world, "tel:+441632960083", "q3");
    assert_eq!(world.metric("ibcf_questions_open", &[]), 1, "who asks the same joins");
    only(&world.answer(EnumOutcome::Found, &["sip:bob@b.example"], 0)[..1], "INVITE");
    invite(&mut world, "tel:+441632960084", "q4");
    assert_eq!(world.metric("ibcf_questions_open", &[]), 1);
}

#[test]
fn a_full_cache_forgets_what_is_out_of_date_else_what_nobody_used() {
    let mut world = bounded(json!({"answers_max": 1}));
    for (nth, ttl_ms) in [(1, 60_000), (2, 5_000), (3, 60_000)] {
        invite(&mut world, &format!("tel:+44163296008{nth}"), &format!("a{nth}"));
        world.answer(EnumOutcome::Found, &["sip:bob@b.example"], ttl_ms);
        world.advance(10_000);
    }
    assert_eq!(world.metric("ibcf_answer_cache_entries", &[]), 1);
    for reason in ["unused", "expired"] {
        assert_eq!(world.metric("ibcf_answer_cache_evictions_total", &[reason]), 1, "{reason}");
    }
}

#[test]
fn the_oldest_of_four_generations_goes_and_the_one_in_force_serves_its_dialogs() {
    let mut world = World::new();
    let (_, answer) = answered_call(&mut world, "g1");
    for generation in 2..=8 {
        let mut next = policy();
        next["generation"] = json!(generation);
        world.handle(Input::Apply(Arc::new(load(&next))));
        assert_eq!(world.metric("ibcf_config_generations_kept", &[]), generation.min(4));
    }
    only(&bye(&mut world, &answer, "g1"), "BYE");
    assert_eq!(world.records()[0].generation, 1, "the record says what decided");
}

#[test]
fn refusals_above_their_rate_are_counted_and_left_out_of_the_log() {
    let mut world = World::new();
    let refuse = |world: &mut World, call: &str| {
        world.receive(STRANGER, &request("INVITE", "sip:bob@b.example", call, 1, "", &[], ""));
    };
    (0..30).for_each(|nth| refuse(&mut world, &format!("r{nth}")));
    assert_eq!(world.events.len(), 10);
    assert_eq!(world.metric("ibcf_refusal_events_suppressed_total", &[]), 20);
    world.advance(1_000);
    refuse(&mut world, "later");
    let told = world.events.last();
    assert!(matches!(told, Some(Event::MessageRefused { suppressed: 20, .. })), "{told:?}");
    assert_eq!(world.metric("ibcf_rejections_total", &["admit.unknown_source"]), 31);
}

#[test]
fn a_peer_tells_how_many_of_its_places_are_taken() {
    let mut policy = policy();
    policy["peers"][0]["limits"] = json!({"calls_max": 2});
    let mut world = World::with(&policy);
    answered_call(&mut world, "p1");
    assert_eq!(world.metric("ibcf_peer_calls", &["carrier_a"]), 1);
    assert_eq!(world.metric("ibcf_peer_calls", &["carrier_b"]), 1);
    assert_eq!(world.metric("ibcf_peer_calls_limit", &["carrier_a"]), 2);
    let limits = world.shared.families(world.now().time);
    let limits = limits.iter().find(|family| family.name == "ibcf_peer_calls_limit").expect("the metric");
    assert_eq!(limits.samples.len(), 1, "a peer without a bound has no sample");
}
