//! The session timer as a proxy sees to it (RFC 4028 §8, PX-60, EX-23).
//!
//! ```text
//!     A                          border                       B
//!     | INVITE                   | INVITE                     |
//!     |   Supported: timer ----> |   Session-Expires: 1800 -> |
//!     | <---- 200                | <------------------- 200   |
//!     |   Session-Expires: 1800;refresher=uac                 |
//!     |   Require: timer         |                            |
//! ```

mod support;

use ibcf_sip::event::ReleasedBy;
use serde_json::{Value, json};
use support::*;

fn timed() -> Value {
    let mut policy = policy();
    policy["agreements"][0]["session_timer"] =
        json!({"expires_ms_max": 1_800_000, "expires_ms_min": 120_000});
    policy["agreements"][1]["session_timer"] = json!({"expires_ms_max": 3_600_000, "expires_ms_min": 90_000});
    policy
}

fn invited(world: &mut World, call: &str, extra: &[&str]) -> Vec<Sent> {
    world.receive(A, &request("INVITE", "sip:bob@b.example", call, 1, "", extra, ""))
}

#[test]
fn a_callee_that_does_not_know_the_timer_makes_the_caller_refresh() {
    let mut world = World::with(&timed());
    let invite = only(&invited(&mut world, "t1", &["Supported: timer"]), "INVITE").clone();
    assert_eq!(invite.headers("Session-Expires"), ["1800"], "no refresher in a request");
    let sent = world.receive(B, &respond(&invite, "200 OK", "tb", &[]));
    let answer = only(&sent, "SIP/2.0 200");
    assert_eq!(answer.headers("Session-Expires"), ["1800;refresher=uac"]);
    assert_eq!(answer.headers("Require"), ["timer"]);
    world.advance(1_800_000 + 33_000);
    let record = &world.records()[0];
    assert_eq!(
        (record.reason, record.released_by),
        (Some("forward.session_expired"), Some(ReleasedBy::Border))
    );
    world.assert_quiet();
}

#[test]
fn what_the_callee_grants_passes_as_it_is() {
    let mut world = World::with(&timed());
    let invite =
        only(&invited(&mut world, "t2", &["Supported: timer", "Session-Expires: 7200"]), "INVITE").clone();
    assert_eq!(invite.headers("Session-Expires"), ["1800"], "lowered");
    let granted = ["Session-Expires: 600;refresher=uas", "Require: timer"];
    let sent = world.receive(B, &respond(&invite, "200 OK", "tb", &granted));
    let answer = only(&sent, "SIP/2.0 200");
    assert_eq!(answer.headers("Session-Expires"), ["600;refresher=uas"]);
    assert_eq!(answer.headers("Require"), ["timer"]);
    world.advance(43_300_000);
    world.assert_quiet();
}

#[test]
fn a_caller_that_does_not_know_the_timer_is_told_nothing() {
    let mut world = World::with(&timed());
    let invite = only(&invited(&mut world, "t3", &[]), "INVITE").clone();
    assert_eq!(invite.headers("Session-Expires"), ["1800"], "the callee may refresh alone");
    let sent = world.receive(B, &respond(&invite, "200 OK", "tb", &[]));
    let answer = only(&sent, "SIP/2.0 200");
    assert!(answer.headers("Session-Expires").is_empty() && answer.headers("Require").is_empty());
    world.advance(2_000_000);
    assert!(world.records().is_empty(), "a session without a timer");
    world.advance(43_300_000);
    world.assert_quiet();
}

#[test]
fn an_interval_that_is_too_short_gets_422_and_our_least() {
    let mut world = World::with(&timed());
    let sent = invited(&mut world, "t4", &["Supported: timer", "Session-Expires: 90"]);
    let answer = only(&sent, "SIP/2.0 422 Session Interval Too Small");
    assert_eq!(answer.header("Min-SE"), "120");
    assert_eq!(world.records()[0].reason, Some("screen.session_interval"));
    world.receive(A, &request("ACK", "sip:bob@b.example", "t4", 1, "x", &[], ""));
    world.assert_quiet();
}

#[test]
fn a_caller_that_could_not_obey_a_422_has_its_interval_raised() {
    let mut world = World::with(&timed());
    let invite = only(&invited(&mut world, "t5", &["Session-Expires: 90"]), "INVITE").clone();
    assert_eq!((invite.headers("Session-Expires"), invite.headers("Min-SE")), (vec!["120"], vec!["120"]));
}

#[test]
fn a_min_se_of_the_caller_is_kept() {
    let mut world = World::with(&timed());
    let extra = ["Supported: timer", "Session-Expires: 7200", "Min-SE: 3000"];
    let invite = only(&invited(&mut world, "t6", &extra), "INVITE").clone();
    assert_eq!((invite.headers("Session-Expires"), invite.headers("Min-SE")), (vec!["3000"], vec!["3000"]));
}

#[test]
fn a_refresh_by_update_from_either_side_is_seen_to_as_well() {
    let mut world = World::with(&timed());
    let invite = only(&invited(&mut world, "t7", &["Supported: timer"]), "INVITE").clone();
    let sent = world.receive(B, &respond(&invite, "200 OK", "tb", &[]));
    let lines = routes(only(&sent, "SIP/2.0 200"));
    let mut extra: Vec<&str> = lines.iter().map(String::as_str).collect();
    extra.extend(["Supported: timer", "Session-Expires: 9000;refresher=uac"]);
    world.advance(900_000);
    let sent = world.receive(A, &request("UPDATE", &format!("sip:bob@{B}"), "t7", 2, "tb", &extra, ""));
    let update = only(&sent, "UPDATE").clone();
    assert_eq!(
        update.headers("Session-Expires"),
        ["1800;refresher=uac"],
        "what the caller wrote behind it stands"
    );
    let sent = world.receive(B, &respond(&update, "200 OK", "", &[]));
    assert_eq!(only(&sent, "SIP/2.0 200").headers("Session-Expires"), ["1800;refresher=uac"]);
    world.advance(1_700_000);
    assert!(world.records().is_empty(), "the refresh moved the end");
    let back: Vec<String> =
        invite.headers("Record-Route").iter().map(|value| format!("Route: {value}")).collect();
    let mut extra: Vec<&str> = back.iter().map(String::as_str).collect();
    extra.extend(["Supported: timer", "Session-Expires: 100"]);
    let update = from_side(B, "tb", "UPDATE", &format!("sip:alice@{A}"), "t7", 1, "fa", &extra, "");
    let sent = world.receive(B, &update);
    assert_eq!(only(&sent, "UPDATE").headers("Session-Expires"), ["100"], "B's own agreement allows that");
    world.advance(200_000);
    assert_eq!(world.records().len(), 1);
}

#[test]
fn a_refresh_that_grants_no_interval_ends_the_timer() {
    let mut world = World::new();
    let invite = only(&invited(&mut world, "t8", &[]), "INVITE").clone();
    let sent = world.receive(B, &respond(&invite, "200 OK", "tb", &["Session-Expires: 90;refresher=uas"]));
    let lines = routes(only(&sent, "SIP/2.0 200"));
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    let sent = world.receive(A, &request("UPDATE", &format!("sip:bob@{B}"), "t8", 2, "tb", &lines, ""));
    world.receive(B, &respond(only(&sent, "UPDATE"), "200 OK", "", &[]));
    world.advance(1_000_000);
    assert!(world.records().is_empty(), "RFC 4028 §7.2");
    world.advance(43_300_000);
    assert_eq!(world.records().len(), 1);
    world.assert_quiet();
}

#[test]
fn without_an_agreement_on_it_everything_passes() {
    let mut world = World::new();
    let extra = ["Supported: timer", "Session-Expires: 30", "Min-SE: 7"];
    let invite = only(&invited(&mut world, "t9", &extra), "INVITE").clone();
    assert_eq!((invite.headers("Session-Expires"), invite.headers("Min-SE")), (vec!["30"], vec!["7"]));
}
