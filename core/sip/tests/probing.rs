//! Probes: what an OPTIONS at intervals finds out of a target, and what calls make of that.
//!
//!     border                 b1
//!     |-- OPTIONS ----------->|   every 30 s
//!     |<-- 200, 404 ... ------|   it is there
//!     |-- OPTIONS ----------->|
//!     |       (silence)       |   three in a row: down, calls go elsewhere
//!     |<-- 200, 200 ----------|   two in a row: up

mod support;

use ibcf_sip::Input;
use ibcf_sip::event::Event;
use serde_json::json;
use support::{A, B, BORDER_PEER, PEER, Sent, World, only, policy, request, respond};

/// Carrier B is probed every 30 s.
fn world(accept: &str) -> World {
    let mut policy = policy();
    policy["peers"][1]["probe"] = json!({
        "interval_ms": 30_000, "timeout_ms": 4_000, "down_after": 3, "up_after": 2, "accept": accept,
    });
    World::with(&policy)
}

/// Lets time pass until the next probe leaves, and returns it.
fn next_probe(world: &mut World) -> Sent {
    for _ in 0..500 {
        let sent = world.advance(100);
        if let Some(probe) = sent.iter().find(|sent| sent.start().starts_with("OPTIONS")) {
            return probe.clone();
        }
    }
    panic!("no probe in 50 s");
}

fn fail(world: &mut World) {
    next_probe(world);
    let again = world.advance(4_100);
    assert!(again.iter().any(|sent| sent.start().starts_with("OPTIONS")), "repeated while nobody answers");
}

fn answer(world: &mut World, status: &str) {
    let probe = next_probe(world);
    let sent = world.receive(B, &respond(&probe, status, "b", &[]));
    assert!(sent.is_empty(), "{sent:?}");
}

/// Changes told since this was last asked.
fn changes(world: &mut World) -> Vec<(String, String)> {
    let told = world.events.drain(..).filter_map(|event| match event {
        Event::TargetState { target, state, cause, .. } => Some((target, format!("{state:?} by {cause:?}"))),
        _ => None,
    });
    told.collect()
}

/// Where a call goes first.
fn first_try(world: &mut World, call: &str) -> String {
    let sent = world.receive(A, &request("INVITE", "sip:bob@b.example", call, 1, "", &[], ""));
    let invite = only(&sent, "INVITE").clone();
    world.receive(&invite.to.to_string(), &respond(&invite, "486 Busy Here", "x", &[]));
    invite.to.to_string()
}

#[test]
fn a_probe_is_an_options_of_our_own_from_the_listener_that_faces_the_peer() {
    let mut world = world("any");
    let probe = next_probe(&mut world);
    assert_eq!((probe.start(), probe.listener), (&*format!("OPTIONS sip:{B} SIP/2.0"), PEER));
    assert_eq!(probe.to, B.parse().unwrap());
    assert_eq!(probe.headers("Via").len(), 1);
    assert!(probe.header("Via").starts_with(&format!("SIP/2.0/UDP {BORDER_PEER};rport;branch=z9hG4bK")));
    assert!(probe.header("From").starts_with("<sip:ibcf.a.example>;tag="));
    assert_eq!(probe.header("Max-Forwards"), "70");
    assert_eq!(world.metric("ibcf_sip_messages_total", &["carrier_b", "sent", "OPTIONS"]), 1);
}

#[test]
fn three_silences_take_a_target_down_and_two_answers_up_again() {
    let mut world = world("any");
    fail(&mut world);
    fail(&mut world);
    assert_eq!(changes(&mut world), []);
    assert_eq!(first_try(&mut world, "before"), B);
    fail(&mut world);
    // The call in between was answered, so those before it do not count.
    assert_eq!(changes(&mut world), []);
    fail(&mut world);
    fail(&mut world);
    assert_eq!(changes(&mut world), [("b1".to_owned(), "Down by Probe".to_owned())]);
    assert_ne!(first_try(&mut world, "down"), B);
    answer(&mut world, "200 OK");
    assert_ne!(first_try(&mut world, "one"), B);
    answer(&mut world, "404 Not Found");
    assert_eq!(changes(&mut world), [("b1".to_owned(), "Up by Probe".to_owned())]);
    assert_eq!(first_try(&mut world, "up"), B);
    assert_eq!(world.metric("ibcf_probes_total", &["carrier_b", "timeout"]), 5);
    assert_eq!(world.metric("ibcf_probes_total", &["carrier_b", "answered"]), 2);
}

#[test]
fn which_answers_count_is_agreed() {
    for (accept, status, is_taken) in [
        ("any", "503 Service Unavailable", true),
        ("not_503", "503 Service Unavailable", false),
        ("not_503", "405 Method Not Allowed", true),
        ("2xx", "405 Method Not Allowed", false),
        ("2xx", "200 OK", true),
    ] {
        let mut world = world(accept);
        for _ in 0..3 {
            answer(&mut world, status);
        }
        assert_eq!(changes(&mut world).is_empty(), is_taken, "{accept}: {status}");
        assert_eq!(world.metric("ibcf_peer_up", &["carrier_b"]), u64::from(is_taken));
    }
}

#[test]
fn what_the_network_gives_back_fails_a_probe_at_once() {
    let mut world = world("any");
    for _ in 0..3 {
        let probe = next_probe(&mut world);
        world.handle(Input::Unreachable { destination: probe.to, excerpt: probe.text.as_bytes() });
    }
    assert_eq!(changes(&mut world), [("b1".to_owned(), "Down by Probe".to_owned())]);
    assert_eq!(world.metric("ibcf_probes_total", &["carrier_b", "unreachable"]), 3);
}

#[test]
fn a_late_or_forged_answer_counts_for_nothing() {
    let mut world = world("any");
    let first = next_probe(&mut world);
    world.advance(4_100);
    let second = next_probe(&mut world);
    world.receive(B, &respond(&first, "200 OK", "b", &[]));
    let forged = respond(&second, "200 OK", "b", &[]).replace("z9hG4bK0", "z9hG4bK1");
    world.receive(B, &forged);
    assert_eq!(world.metric("ibcf_probes_total", &["carrier_b", "answered"]), 0);
    assert_eq!(world.metric("ibcf_stray_responses_total", &[]), 1, "an earlier probe");
    assert_eq!(world.metric("ibcf_messages_dropped_total", &[]), 1, "no branch of ours, and nobody asked");
    world.receive(B, &respond(&second, "200 OK", "b", &[]));
    world.receive(B, &respond(&second, "200 OK", "b", &[]));
    assert_eq!(world.metric("ibcf_probes_total", &["carrier_b", "answered"]), 1);
}

#[test]
fn a_reload_without_probes_ends_them_and_draining_does_not() {
    let mut world = world("any");
    next_probe(&mut world);
    world.handle(Input::Drain);
    next_probe(&mut world);
    let mut without = policy();
    without["generation"] = json!(2);
    world.handle(Input::Apply(std::sync::Arc::new(support::load(&without))));
    let sent = world.advance(200_000);
    assert!(sent.iter().all(|sent| !sent.start().starts_with("OPTIONS")), "{sent:?}");
    world.assert_quiet();
}
