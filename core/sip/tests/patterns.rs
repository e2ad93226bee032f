//! Patterns of fraud and attack: found in the calls that are over, told once, and held against for a time.
//!
//! ```text
//!     A                 border                 B
//!     | INVITE ---------> | INVITE ----------> |    short calls of one range, or failed ones
//!     |          ... so many within the window: found ...
//!     | INVITE ---------> |                    |
//!     | <-------- 403     |                    |    others, and emergency calls, go on
//!     |          ... the time is over: told ...
//!     | INVITE ---------> | INVITE ----------> |
//! ```

mod support;

use std::sync::Arc;

use ibcf_sip::Input;
use ibcf_sip::event::Event;
use serde_json::{Value, json};
use support::*;

const TO_B: &str = "sip:+441632960083@b.example;user=phone";

/// Three failed calls of a range of callers within a minute block it for ten.
fn failing() -> Value {
    json!({
        "id": "scan", "methods": ["INVITE"], "counted": ["failed_calls"], "short_ms": 5_000, "by": "calling", "digits": 6,
        "window_ms": 60_000, "threshold": 3, "keys_max": 100, "action": {"kind": "block", "status": 403},
        "for_ms": 600_000, "refused": ["calling"],
    })
}

fn world_with(pattern: &Value) -> World {
    let mut policy = policy();
    policy["patterns"] = json!([pattern]);
    policy["emergency"] = json!({"numbers": ["112"]});
    World::with(&policy)
}

fn invite_from(world: &mut World, number: &str, to: &str, call: &str) -> Vec<Sent> {
    let asserted = format!("P-Asserted-Identity: <tel:{number}>");
    world.receive(A, &request("INVITE", to, call, 1, "", &[&asserted], ""))
}

/// A call that B refuses; tells whether it came so far.
fn refused(world: &mut World, number: &str, call: &str) -> bool {
    let sent = invite_from(world, number, TO_B, call);
    let Some(invite) = sent.iter().find(|sent| sent.start().starts_with("INVITE")) else { return false };
    world.receive(B, &respond(&invite.clone(), "404 Not Found", "tb", &[]));
    true
}

/// Fetches what is over, as the control plane does; returns what patterns tell of it.
fn told(world: &mut World) -> Vec<String> {
    let events = std::mem::take(&mut world.events);
    let told = world.shared.detectors.observe(&events, world.now().unix_ms);
    told.iter().map(text).collect()
}

fn text(event: &Event) -> String {
    match event {
        Event::PatternState { pattern, change, action, key, counted, of, .. } => {
            format!("{pattern} {change:?} {action} {key} {counted}/{of}")
        }
        other => format!("{other:?}"),
    }
}

/// Three failed calls of the range +441632.
fn found(world: &mut World) {
    for nth in 0..3 {
        assert!(refused(world, &format!("+44163299900{nth}"), &format!("f{nth}")));
    }
}

#[test]
fn what_is_found_is_told_once_blocked_for_its_time_and_told_again() {
    let mut world = world_with(&failing());
    found(&mut world);
    assert_eq!(told(&mut world), ["scan Found block +441632 3/3"]);
    let sent = invite_from(&mut world, "+441632999009", TO_B, "b1");
    assert_eq!(only(&sent, "SIP/2.0 403").start(), "SIP/2.0 403 Forbidden");
    let records = world.records();
    assert_eq!(records.last().and_then(|record| record.reason), Some("decide.blocked"));
    assert!(told(&mut world).is_empty(), "what is refused says nothing new");
    only(&invite_from(&mut world, "+331420000000", TO_B, "b2"), "INVITE");
    only(&invite_from(&mut world, "+441632999009", "sip:112@b.example", "b3"), "INVITE");
    assert_eq!(world.metric("ibcf_pattern_requests_total", &["scan", "refused"]), 1);
    assert_eq!(world.metric("ibcf_pattern_held", &["scan", "block"]), 1);
    assert_eq!(world.metric("ibcf_rejections_total", &["decide.blocked"]), 1);
    world.advance(600_000);
    only(&invite_from(&mut world, "+441632999009", TO_B, "b4"), "INVITE");
    assert_eq!(told(&mut world), ["scan Over block +441632 3/3"]);
    assert_eq!(world.metric("ibcf_pattern_held", &["scan"]), 0);
    assert_eq!(world.metric("ibcf_pattern_found_total", &["scan", "block"]), 1);
}

#[test]
fn what_is_spread_over_a_longer_time_is_no_pattern() {
    let mut world = world_with(&failing());
    for nth in 0..6 {
        assert!(refused(&mut world, "+441632999000", &format!("s{nth}")));
        assert!(told(&mut world).is_empty());
        world.advance(30_001);
    }
}

#[test]
fn a_share_of_failures_is_asked_for_too() {
    let mut pattern = failing();
    pattern["share"] = json!(90);
    let mut world = world_with(&pattern);
    let (invite, answer) = {
        let sent = invite_from(&mut world, "+441632999000", TO_B, "up");
        let invite = only(&sent, "INVITE").clone();
        let sent = world.receive(B, &respond(&invite, "200 OK", "tb", &[]));
        (invite, only(&sent, "SIP/2.0 200").clone())
    };
    assert!(invite.header("Call-ID").starts_with("up"));
    let lines = routes(&answer);
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    world.receive(A, &request("BYE", &format!("sip:bob@{B}"), "up", 2, "tb", &lines, ""));
    for nth in 0..8 {
        assert!(refused(&mut world, "+441632999000", &format!("h{nth}")));
    }
    assert!(told(&mut world).is_empty(), "8 of 9");
    assert!(refused(&mut world, "+441632999000", "h8"));
    assert_eq!(told(&mut world), ["scan Found block +441632 9/10"]);
}

#[test]
fn short_calls_count_by_their_length_and_calls_back_may_be_refused_too() {
    let mut pattern = failing();
    pattern["counted"] = json!(["short_calls"]);
    pattern["refused"] = json!(["calling", "called"]);
    let mut world = world_with(&pattern);
    for (nth, millis) in [1_000, 6_000, 2_000, 4_999].into_iter().enumerate() {
        assert!(told(&mut world).is_empty());
        let call = format!("w{nth}");
        let sent = invite_from(&mut world, "+441632999000", TO_B, &call);
        let sent = world.receive(B, &respond(&only(&sent, "INVITE").clone(), "200 OK", "tb", &[]));
        let answer = only(&sent, "SIP/2.0 200").clone();
        world.advance(millis);
        let lines = routes(&answer);
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        world.receive(A, &request("BYE", &format!("sip:bob@{B}"), &call, 2, "tb", &lines, ""));
    }
    assert_eq!(told(&mut world), ["scan Found block +441632 3/4"]);
    let back = from_side(B, "fb", "INVITE", "sip:+441632999000@a.example;user=phone", "back", 1, "", &[], "");
    only(&world.receive(B, &back), "SIP/2.0 403");
}

#[test]
fn different_numbers_are_counted_where_that_is_asked_for() {
    let mut pattern = failing();
    pattern["distinct"] = json!("called");
    pattern["counted"] = json!(["attempts"]);
    pattern["by"] = json!("peer");
    pattern["digits"] = Value::Null;
    pattern["refused"] = json!(["peer"]);
    let mut world = world_with(&pattern);
    let call = |world: &mut World, number: &str, call: &str| {
        let uri = format!("sip:{number}@b.example;user=phone");
        let sent = invite_from(world, "+331420000000", &uri, call);
        if let Some(invite) = sent.iter().find(|sent| sent.start().starts_with("INVITE")) {
            world.receive(B, &respond(&invite.clone(), "404 Not Found", "tb", &[]));
        }
    };
    for (nth, number) in ["+441", "+442", "+441", "+442"].into_iter().enumerate() {
        call(&mut world, number, &format!("d{nth}"));
    }
    assert!(told(&mut world).is_empty());
    call(&mut world, "+443", "d9");
    assert_eq!(told(&mut world), ["scan Found block carrier_a 3/5"]);
    only(&invite_from(&mut world, "+491", TO_B, "d10"), "SIP/2.0 403");
}

#[test]
fn a_tag_says_which_calls_are_counted_and_which_are_refused() {
    let mut pattern = failing();
    pattern["tag"] = json!("costly");
    pattern["counted"] = json!(["call_seconds"]);
    pattern["threshold"] = json!(90);
    let mut policy = policy();
    policy["patterns"] = json!([pattern]);
    let tag = json!({"id": "note", "condition": {"number": {"prefixes": ["+449"]}}, "action": {"kind": "tag", "tag": "costly"}});
    let routes_of = policy["routes"].as_array_mut().expect("routes");
    routes_of.remove(0);
    routes_of.insert(0, tag);
    let mut world = World::with(&policy);
    let costly = "sip:+44901234567@b.example;user=phone";
    for (nth, uri) in [TO_B, costly].into_iter().enumerate() {
        let call = format!("t{nth}");
        let sent = invite_from(&mut world, "+441632999000", uri, &call);
        let sent = world.receive(B, &respond(&only(&sent, "INVITE").clone(), "200 OK", "tb", &[]));
        let answer = only(&sent, "SIP/2.0 200").clone();
        world.advance(89_500);
        let lines = routes(&answer);
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        world.receive(A, &request("BYE", &format!("sip:bob@{B}"), &call, 2, "tb", &lines, ""));
    }
    assert_eq!(told(&mut world), ["scan Found block +441632 90/1"]);
    only(&invite_from(&mut world, "+441632999000", costly, "t8"), "SIP/2.0 403");
    only(&invite_from(&mut world, "+441632999000", TO_B, "t9"), "INVITE");
}

#[test]
fn a_throttle_lets_calls_pass_at_its_rate() {
    let mut pattern = failing();
    pattern["action"] =
        json!({"kind": "throttle", "rate": {"count": 1, "per_ms": 60_000, "burst": 1}, "status": 486});
    let mut world = world_with(&pattern);
    found(&mut world);
    assert_eq!(told(&mut world), ["scan Found throttle +441632 3/3"]);
    only(&invite_from(&mut world, "+441632999000", TO_B, "r1"), "INVITE");
    assert_eq!(
        only(&invite_from(&mut world, "+441632999001", TO_B, "r2"), "SIP/2.0 486").start(),
        "SIP/2.0 486 Busy Here"
    );
    world.advance(60_000);
    only(&invite_from(&mut world, "+441632999000", TO_B, "r3"), "INVITE");
    assert_eq!(world.metric("ibcf_pattern_requests_total", &["scan", "passed"]), 2);
    assert_eq!(world.metric("ibcf_pattern_requests_total", &["scan", "refused"]), 1);
}

#[test]
fn an_alarm_is_told_once_and_stops_nobody() {
    let mut pattern = failing();
    pattern["action"] = json!({"kind": "alarm"});
    let mut world = world_with(&pattern);
    found(&mut world);
    assert_eq!(told(&mut world), ["scan Found alarm +441632 3/3"]);
    for nth in 3..9 {
        assert!(refused(&mut world, "+441632999000", &format!("a{nth}")));
    }
    assert!(told(&mut world).is_empty());
    world.advance(600_000);
    assert_eq!(told(&mut world), ["scan Over alarm +441632 3/3"]);
}

#[test]
fn an_operator_lets_go_what_is_held() {
    let mut world = world_with(&failing());
    found(&mut world);
    told(&mut world);
    assert_eq!(world.shared.detectors.held()[0].key, "+441632");
    assert!(world.shared.detectors.lift(Some("scan"), Some("+33"), 0).is_empty());
    let lifted = world.shared.detectors.lift(None, Some("+441632"), 0);
    assert_eq!(text(&lifted[0]), "scan Lifted block +441632 3/3");
    only(&invite_from(&mut world, "+441632999000", TO_B, "l1"), "INVITE");
}

#[test]
fn a_reload_keeps_windows_and_what_is_held_and_forgets_patterns_that_are_gone() {
    let mut policy = policy();
    policy["patterns"] = json!([failing()]);
    let mut world = World::with(&policy);
    assert!(refused(&mut world, "+441632999000", "k1"));
    assert!(refused(&mut world, "+441632999000", "k2"));
    told(&mut world);
    policy["generation"] = json!(2);
    world.handle(Input::Apply(Arc::new(load(&policy))));
    assert!(refused(&mut world, "+441632999000", "k3"));
    assert_eq!(told(&mut world), ["scan Found block +441632 3/3"]);
    world.handle(Input::Apply(Arc::new(load(&policy))));
    only(&invite_from(&mut world, "+441632999000", TO_B, "k4"), "SIP/2.0 403");
    policy["patterns"] = json!([]);
    world.handle(Input::Apply(Arc::new(load(&policy))));
    only(&invite_from(&mut world, "+441632999000", TO_B, "k5"), "INVITE");
}

#[test]
fn whoever_varies_the_number_takes_no_memory_and_hides_nobody() {
    let mut pattern = failing();
    pattern["digits"] = Value::Null;
    pattern["keys_max"] = json!(16);
    let mut world = world_with(&pattern);
    for nth in 0..2 {
        assert!(refused(&mut world, "+441632999000", &format!("h{nth}")));
    }
    for nth in 0..500 {
        assert!(refused(&mut world, &format!("+3314200{nth:05}"), &format!("v{nth}")));
    }
    assert!(told(&mut world).is_empty());
    assert!(refused(&mut world, "+441632999000", "h9"));
    assert_eq!(told(&mut world), ["scan Found block +441632999000 3/3"], "the one that does most stays");
    assert_eq!(world.metric("ibcf_pattern_keys", &["scan"]), 16);
    assert!(world.metric("ibcf_pattern_keys_evicted_total", &["scan"]) > 400);
}

#[test]
fn a_pattern_with_a_fault_is_refused_with_its_place() {
    for (key, value, text) in [
        ("methods", json!([]), "patterns[0].methods: at least one"),
        ("counted", json!([]), "patterns[0].counted: at least one"),
        ("by", json!("source"), "patterns[0].by: peer, calling or called"),
        ("digits", json!(0), "patterns[0].digits: 1 to 15, of a number"),
        ("window_ms", json!(0), "patterns[0].window_ms: more than 0"),
        ("threshold", json!(0), "patterns[0].threshold: more than 0"),
        ("share", json!(101), "patterns[0].share: 0 to 100"),
        ("keys_max", json!(0), "patterns[0].keys_max: 1 to 1000000"),
        ("action", json!({"kind": "block", "status": 200}), "patterns[0].action: a status from 400 to 699"),
        ("refused", json!(["peer"]), "patterns[0].refused: of the kind of by"),
    ] {
        let mut pattern = failing();
        pattern[key] = value;
        let mut policy = policy();
        policy["patterns"] = json!([pattern]);
        let refused = ibcf_sip::Snapshot::load(policy.to_string().as_bytes()).unwrap_err();
        assert_eq!(refused.to_string(), text);
    }
}
