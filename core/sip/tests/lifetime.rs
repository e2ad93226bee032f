//! How calls end that nobody ends, and what a reload and a stop do to calls that are up.

mod support;

use std::sync::Arc;

use ibcf_sip::Input;
use ibcf_sip::event::{Outcome, ReleasedBy};
use serde_json::json;
use support::*;

fn answered_with(world: &mut World, call: &str, extra: &[&str]) -> Sent {
    let sent = world.receive(A, &request("INVITE", "sip:bob@b.example", call, 1, "", &[], ""));
    let invite = only(&sent, "INVITE").clone();
    let sent = world.receive(B, &respond(&invite, "200 OK", "tb", extra));
    only(&sent, "SIP/2.0 200").clone()
}

#[test]
fn a_session_that_nobody_refreshes_is_closed_with_its_reason() {
    let mut world = World::new();
    answered_with(&mut world, "s1", &["Session-Expires: 90;refresher=uac"]);
    world.advance(121_000);
    assert!(world.records().is_empty());
    world.advance(2_000);
    let record = &world.records()[0];
    assert_eq!((record.outcome, record.reason), (Outcome::Answered, Some("forward.session_expired")));
    assert_eq!(record.released_by, Some(ReleasedBy::Border));
    world.assert_quiet();
}

#[test]
fn a_refresh_moves_the_end() {
    let mut world = World::new();
    let answer = answered_with(&mut world, "s2", &["Session-Expires: 90;refresher=uac"]);
    let lines = routes(&answer);
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    world.advance(60_000);
    let sent = world.receive(A, &request("UPDATE", &format!("sip:bob@{B}"), "s2", 2, "tb", &lines, ""));
    world.receive(B, &respond(only(&sent, "UPDATE"), "200 OK", "tb", &["x: 90;refresher=uac"]));
    world.advance(100_000);
    assert!(world.records().is_empty(), "still within the refreshed session");
    world.advance(30_000);
    assert_eq!(world.records().len(), 1);
}

#[test]
fn a_call_that_ended_leaves_no_timer_for_the_hours_that_it_might_have_lasted() {
    let mut world = World::new();
    for nth in 0..100 {
        let call = format!("w{nth}");
        let (_, answer) = answered_call(&mut world, &call);
        let lines = routes(&answer);
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        let bye = world.receive(A, &request("BYE", &format!("sip:bob@{B}"), &call, 2, "tb", &lines, ""));
        world.receive(B, &respond(only(&bye, "BYE"), "200 OK", "", &[]));
    }
    assert_eq!(world.records().len(), 100);
    world.assert_quiet();
}

#[test]
fn session_intervals_that_rise_and_fall_do_not_fill_the_wheel() {
    let mut world = World::new();
    let answer = answered_with(&mut world, "w", &[]);
    let lines = routes(&answer);
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    for cseq in 2..500 {
        let sent = world.receive(A, &request("UPDATE", &format!("sip:bob@{B}"), "w", cseq, "tb", &lines, ""));
        let interval = if cseq % 2 == 0 { "x: 1" } else { "x: 40000" };
        world.receive(B, &respond(only(&sent, "UPDATE"), "200 OK", "tb", &[interval]));
        world.advance(20_000);
        assert_eq!(world.metric("ibcf_dialogs_tracked", &[]), 1);
    }
    world.advance(32_000);
    let pending = world.metric("ibcf_timers_pending", &[]);
    assert!(pending <= 4, "{pending} timers for one call");
}

#[test]
fn a_stop_writes_the_records_of_calls_that_are_up() {
    let mut world = World::new();
    answered_with(&mut world, "s3", &[]);
    world.advance(5_000);
    world.handle(Input::Close);
    let record = &world.records()[0];
    assert_eq!((record.reason, record.outcome), (Some("forward.node_stopped"), Outcome::Answered));
    assert_eq!(world.metric("ibcf_calls_active", &[]), 0);
    world.assert_quiet();
}

#[test]
fn a_stop_answers_what_waits_and_writes_its_record() {
    let mut world = World::new();
    let sent = world.receive(A, &request("INVITE", "sip:bob@b.example", "s4", 1, "", &[], ""));
    world.receive(B, &respond(only(&sent, "INVITE"), "180 Ringing", "tb", &[]));
    world.receive(A, &request("INVITE", "tel:+441632960083", "s5", 1, "", &[], ""));
    assert!(!world.border.is_idle());
    let sent = world.handle(Input::Close);
    assert_eq!(sent.iter().filter(|sent| sent.start().starts_with("SIP/2.0 503")).count(), 2);
    assert_eq!(only(&sent, "CANCEL").to.to_string(), B, "what rings must stop");
    assert!(world.border.is_idle());
    let reasons: Vec<_> = world.records().iter().map(|record| record.reason).collect();
    assert_eq!(reasons, [Some("forward.node_stopped"); 2]);
    world.advance(70_000);
    world.assert_quiet();
}

#[test]
fn new_calls_see_the_new_policy_and_dialogs_keep_theirs() {
    let mut world = World::new();
    let answer = answered_with(&mut world, "g1", &[]);
    let mut next = policy();
    next["generation"] = json!(2);
    next["routes"] = json!([{"id": "closed", "action": {"kind": "reject", "reason": "decide.forbidden"}}]);
    next["agreements"][1]["sent_rules"] = json!(["mark"]);
    next["header_rules"] = json!([{"id": "mark", "rules": [{"id": "m", "header": "X-Mark", "action": {"kind": "add", "value": "new"}}]}]);
    let next = Arc::new(load(&next));
    world.border.check_successor(&next).expect("the listeners are the same");
    world.handle(Input::Apply(next));
    assert_eq!(world.metric("ibcf_config_generation", &[]), 2);
    let sent = world.receive(A, &request("INVITE", "sip:bob@b.example", "g2", 1, "", &[], ""));
    only(&sent, "SIP/2.0 403");
    let lines = routes(&answer);
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    let sent = world.receive(A, &request("BYE", &format!("sip:bob@{B}"), "g1", 2, "tb", &lines, ""));
    assert!(only(&sent, "BYE").headers("X-Mark").is_empty(), "the dialog stays on its generation");
}

#[test]
fn changed_listeners_are_refused_as_a_reload() {
    let world = World::new();
    for key in ["address", "advertised"] {
        let mut next = policy();
        next["listeners"][0][key] = json!("192.0.2.9:5060");
        assert!(world.border.check_successor(&load(&next)).is_err(), "{key}");
    }
}

#[test]
fn a_session_interval_beyond_all_time_is_bounded_by_the_longest_call() {
    let mut world = World::new();
    answered_with(&mut world, "s6", &["Session-Expires: 18446744073709551615"]);
    world.advance(12 * 3_600_000 + 1_000);
    assert_eq!(world.records().len(), 1);
    world.assert_quiet();
}

#[test]
fn a_response_that_only_the_new_limits_let_in_still_ends_the_call() {
    let mut small = policy();
    small["limits"] = json!({"message_bytes_max": 1_500});
    let mut world = World::with(&small);
    let sent = world.receive(A, &request("INVITE", "sip:bob@b.example", "g3", 1, "", &[], ""));
    let invite = only(&sent, "INVITE").clone();
    let mut next = policy();
    next["generation"] = json!(2);
    world.handle(Input::Apply(Arc::new(load(&next))));
    let long = format!("X-Long: {}", "x".repeat(2_000));
    let sent = world.receive(B, &respond(&invite, "486 Busy Here", "tb", &[&long]));
    only(&sent, "SIP/2.0 486");
    world.receive(A, &request("ACK", "sip:bob@b.example", "g3", 1, "tb", &[], ""));
    world.assert_quiet();
}

#[test]
fn an_invite_at_the_limits_is_acknowledged_and_cancelled() {
    let long = format!("X-Long: {}", "x".repeat(900));
    let invite = request("INVITE", "sip:bob@b.example", "g4", 1, "", &[&long], "");
    let mut tight = policy();
    tight["limits"] = json!({"message_bytes_max": invite.len()});
    let mut world = World::with(&tight);
    let sent = world.receive(A, &invite);
    let forwarded = only(&sent, "INVITE").clone();
    world.receive(B, &respond(&forwarded, "180 Ringing", "tb", &[]));
    let sent = world.receive(A, &request("CANCEL", "sip:bob@b.example", "g4", 1, "", &[], ""));
    let cancel = only(&sent, "CANCEL sip:bob@b.example").clone();
    assert_eq!(cancel.header("CSeq"), "1 CANCEL");
    assert_eq!(cancel.header("Call-ID"), forwarded.header("Call-ID"));
    let sent = world.receive(B, &respond(&forwarded, "487 Request Terminated", "tb", &[]));
    assert_eq!(only(&sent, "ACK").header("Call-ID"), forwarded.header("Call-ID"));
}
