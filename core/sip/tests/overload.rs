//! Overload control with both neighbours (RFC 7339): heeding what a target asks for, and asking for less ourselves.
//!
//! ```text
//!     A                     border                      B
//!     | INVITE ;oc ------->  | INVITE ;oc ------------->  |   each announces itself in its own Via
//!     |                      | <-------- 180 ;oc=50       |   B: half as many, please
//!     | <--- 180 ;oc=0       |                            |   what B asks is not A's concern; what we ask is
//!     | INVITE ----------->  |                            |
//!     | <------------ 503    |                            |   held back, and no other target
//!     | INVITE urn:sos --->  | INVITE ----------------->  |   never held back
//! ```

mod support;

use std::time::Duration;

use ibcf_sip::Input;
use serde_json::{Value, json};
use support::*;

const OURS: &str = ";oc;oc-algo=\"loss\"";

/// Both agreements have overload control; calls to b.example go to B alone.
fn agreed() -> Value {
    let mut policy = policy();
    for agreement in 0..2 {
        policy["agreements"][agreement]["overload_control"] = json!("loss");
    }
    let to_b = json!({"kind": "route", "to": [{"peer": "carrier_b"}]});
    policy["routes"] = json!([{"id": "to_b", "action": to_b}]);
    policy
}

/// An INVITE of A, whose Via has *params* too.
fn call(world: &mut World, name: &str, uri: &str, params: &str) -> Vec<Sent> {
    let text = request("INVITE", uri, name, 1, "", &[], "");
    world.receive(A, &text.replacen("INVITE\r\n", &format!("INVITE{params}\r\n"), 1))
}

fn invite(world: &mut World, name: &str) -> Vec<Sent> {
    call(world, name, "sip:bob@b.example", "")
}

/// The response of B to *invite*, whose topmost Via says *params* instead of our announcement.
fn respond_with(invite: &Sent, status: &str, params: &str) -> String {
    let text = respond(invite, status, "tb", &[]);
    assert!(text.contains(OURS), "{text}");
    text.replacen(OURS, params, 1)
}

/// B asks for so many percent fewer requests.
fn ask(world: &mut World, percent: u8, sequence: u32) {
    let invite = only(&call(world, &format!("ask{sequence}"), "urn:service:sos", ""), "INVITE").clone();
    let params = format!(";oc={percent};oc-algo=\"loss\";oc-validity=10000;oc-seq={sequence}.0");
    world.receive(B, &respond_with(&invite, "486 Busy Here", &params));
}

#[test]
fn each_announces_itself_and_what_one_neighbour_says_never_reaches_the_other() {
    let mut world = World::with(&agreed());
    let sent = call(&mut world, "c1", "sip:bob@b.example", OURS);
    let forwarded = only(&sent, "INVITE").clone();
    let vias = forwarded.headers("Via");
    assert!(vias[0].ends_with(OURS), "{vias:?}");
    assert!(!vias[1].contains(";oc"), "{vias:?}");
    let trying = only(&sent, "SIP/2.0 100").clone();
    let zero = format!(";oc=0;oc-algo=\"loss\";oc-validity=0;oc-seq={}.000", 1_700_000_001);
    assert!(trying.header("Via").ends_with(&zero), "{}", trying.header("Via"));

    // B also writes into the Via of A, in our name.
    let response = respond_with(&forwarded, "180 Ringing", ";oc=100;oc-algo=\"loss\";oc-seq=1.1");
    let response = response.replacen("INVITE;received", "INVITE;oc=100;oc-seq=9.9;received", 1);
    let response = response.replacen("cINVITE\r\n", "cINVITE;oc=100;oc-seq=9.9\r\n", 1);
    let passed = world.receive(B, &response);
    let via = only(&passed, "SIP/2.0 180").header("Via");
    assert_eq!(via.matches(";oc=").count(), 1, "{via}");
    assert!(via.ends_with(&zero), "{via}");
}

#[test]
fn without_the_agreement_nothing_is_announced_heeded_or_asked_for() {
    let mut policy = agreed();
    for agreement in 0..2 {
        policy["agreements"][agreement]["overload_control"] = Value::Null;
    }
    let mut world = World::with(&policy);
    let sent = call(&mut world, "c1", "sip:bob@b.example", OURS);
    let forwarded = only(&sent, "INVITE").clone();
    assert!(!forwarded.text.contains(";oc"), "{}", forwarded.text);
    assert!(!only(&sent, "SIP/2.0 100").header("Via").contains(";oc"));
    let response = respond(&forwarded, "180 Ringing", "tb", &[]);
    let response = response.replacen(";rport", ";rport;oc=100;oc-seq=1.1", 1);
    let response = response.replacen("CINVITE\r\n", "CINVITE;oc=100;oc-seq=9.9\r\n", 1);
    let passed = world.receive(B, &response);
    assert!(!only(&passed, "SIP/2.0 180").header("Via").contains(";oc"));
    only(&invite(&mut world, "c2"), "INVITE");
}

#[test]
fn a_target_gets_as_much_less_as_it_asks_for_and_emergency_calls_are_not_in_it() {
    let mut world = World::with(&agreed());
    ask(&mut world, 50, 1);
    assert_eq!(world.metric("ibcf_target_overload_percent", &["b1"]), 50);
    let mut held = 0;
    for nth in 0..100 {
        let sent = invite(&mut world, &format!("n{nth}"));
        let refusals: Vec<&Sent> =
            sent.iter().filter(|sent| sent.start().starts_with("SIP/2.0 503")).collect();
        held += refusals.len();
        for refusal in refusals {
            assert!(refusal.headers("Retry-After").is_empty(), "the call may be tried elsewhere (§5.10)");
        }
        only(&call(&mut world, &format!("e{nth}"), "urn:service:sos", ""), "INVITE");
    }
    assert_eq!(
        held, 99,
        "of 200 requests half but for a rest, all of them calls that are none of an emergency"
    );
    assert_eq!(world.metric("ibcf_requests_held_back_total", &["b1"]), 99);
    assert_eq!(world.metric("ibcf_rejections_total", &["forward.peer_overload"]), 99);
    let records = world.records();
    let record =
        records.iter().find(|record| record.reason == Some("forward.peer_overload")).expect("a record");
    assert_eq!((record.status, record.attempts.len()), (503, 0));
    world.advance(10_000);
    assert_eq!(world.metric("ibcf_target_overload_percent", &["b1"]), 0);
    only(&invite(&mut world, "over"), "INVITE");
}

#[test]
fn another_target_takes_what_one_cannot() {
    let mut policy = agreed();
    policy["routes"][0]["action"]["to"] =
        json!([{"peer": "carrier_b", "priority": 1}, {"peer": "carrier_c", "priority": 2}]);
    let mut world = World::with(&policy);
    ask(&mut world, 100, 1);
    for nth in 0..10 {
        assert_eq!(only(&invite(&mut world, &format!("n{nth}")), "INVITE").to, C.parse().unwrap());
    }
    ask(&mut world, 0, 2);
    assert_eq!(only(&invite(&mut world, "n10"), "INVITE").to, B.parse().unwrap());
}

#[test]
fn requests_inside_dialogs_go_and_others_are_held_back_in_their_place() {
    let mut world = World::with(&agreed());
    let (_, answer) = answered_call(&mut world, "d1");
    ask(&mut world, 20, 1);
    let lines = routes(&answer);
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    for cseq in 2..22 {
        let info = request("INFO", &format!("sip:bob@{B}"), "d1", cseq, "tb", &lines, "");
        only(&world.receive(A, &info), "INFO");
    }
    let refused = (0..5)
        .filter(|nth| invite(&mut world, &format!("n{nth}")).iter().any(|sent| sent.start().contains("503")));
    assert_eq!(refused.count(), 5, "20 % of 25 requests");
}

#[test]
fn a_node_whose_queue_is_long_refuses_new_work_and_asks_for_less() {
    let mut world = World::with(&agreed());
    let (_, answer) = answered_call(&mut world, "up");
    // 100 looks in each of 30 intervals, each after half a second in the queue.
    for _ in 0..3_000 {
        world.ms += 1;
        world.handle(Input::QueueDelay(Duration::from_millis(500)));
    }
    assert_eq!(world.metric("ibcf_overload_percent", &[]), 95);
    let mut refused = 0;
    for nth in 0..100 {
        let sent = call(&mut world, &format!("n{nth}"), "sip:bob@b.example", OURS);
        if let Some(refusal) = sent.iter().find(|sent| sent.start().starts_with("SIP/2.0 503")) {
            refused += 1;
            assert!(refusal.header("Via").contains(";oc=95;oc-algo=\"loss\";oc-validity=500;oc-seq="));
            assert!(refusal.headers("Retry-After").is_empty());
        }
        only(&call(&mut world, &format!("e{nth}"), "urn:service:sos", ""), "INVITE");
    }
    assert_eq!(refused, 95);
    assert_eq!(world.metric("ibcf_rejections_total", &["admit.queue_delay"]), 95);
    let lines = routes(&answer);
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    let bye = request("BYE", &format!("sip:bob@{B}"), "up", 2, "tb", &lines, "");
    only(&world.receive(A, &bye), "BYE");
    // The queue is empty again.
    for _ in 0..10_000 {
        world.ms += 1;
        world.handle(Input::QueueDelay(Duration::ZERO));
    }
    assert_eq!(world.metric("ibcf_overload_percent", &[]), 0);
    only(&invite(&mut world, "after"), "INVITE");
}
