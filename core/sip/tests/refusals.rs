//! What does not cross, and what its sender hears (RFC 3261 §16.3; the agreement; the catalogue of reasons).

mod support;

use ibcf_sip::event::{Event, Neighbour, Outcome};
use serde_json::json;
use support::*;

/// Sends *text* from A and returns the first line and reason metric that it led to.
fn refused(text: &str, reason: &str) -> String {
    let mut world = World::new();
    let sent = world.receive(A, text);
    assert_eq!(sent.len(), 1, "{reason}: {:?}", sent.iter().map(Sent::start).collect::<Vec<_>>());
    assert_eq!(world.metric("ibcf_rejections_total", &[reason]), 1, "{reason} is counted");
    let start = sent[0].start().to_owned();
    world.assert_quiet();
    start
}

#[test]
fn each_screening_rule_answers_with_its_status() {
    let invite =
        |extra: &[&str], body: &str| request("INVITE", "sip:bob@b.example", "r1", 1, "", extra, body);
    let cases = [
        (
            invite(&[], "").replace("Max-Forwards: 70", "Max-Forwards: 0"),
            "SIP/2.0 483",
            "screen.max_forwards",
        ),
        (invite(&["Proxy-Require: nothing-we-know"], ""), "SIP/2.0 420", "screen.option_tag"),
        (request("PUBLISH", "sip:bob@b.example", "r1", 1, "", &[], ""), "SIP/2.0 405", "screen.method"),
        (request("INVITE", "mailto:bob@b.example", "r1", 1, "", &[], ""), "SIP/2.0 416", "screen.uri_scheme"),
        (
            request("INVITE", "sip:bob@b.example?Route=%3Csip:x%3E", "r1", 1, "", &[], ""),
            "SIP/2.0 400",
            "parse.malformed",
        ),
        (invite(&[], "").replace("SIP/2.0\r\nVia", "SIP/3.0\r\nVia"), "SIP/2.0 505", "parse.version"),
        (invite(&[], "").replace("CSeq: 1 INVITE", "CSeq: 1 OPTIONS"), "SIP/2.0 400", "parse.malformed"),
        (
            invite(&[], "").replace("Content-Length: 0", "Content-Length: 900"),
            "SIP/2.0 400",
            "parse.malformed",
        ),
        (
            request("INVITE", "sip:nobody@nowhere.example", "r1", 1, "", &[], ""),
            "SIP/2.0 404",
            "decide.no_route",
        ),
        (request("INVITE", "tel:+449012345678", "r1", 1, "", &[], ""), "SIP/2.0 403", "decide.forbidden"),
    ];
    for (text, status, reason) in cases {
        let start = refused(&text, reason);
        assert!(start.starts_with(status), "{reason}: {start}");
    }
}

#[test]
fn a_refusal_by_policy_carries_its_phrase_and_makes_a_record() {
    let mut world = World::new();
    let sent = world.receive(A, &request("INVITE", "tel:+44-90-1234-5678", "r2", 1, "", &[], ""));
    let answer = only(&sent, "SIP/2.0 403 Premium rate barred");
    assert_eq!(answer.header("Reason"), "Q.850;cause=21;text=\"decide.forbidden\"");
    assert!(answer.header("To").contains(";tag="));
    let record = &world.records()[0];
    assert_eq!(
        (record.outcome, record.reason, record.route.as_deref()),
        (Outcome::Rejected, Some("decide.forbidden"), Some("no_premium"))
    );
    assert_eq!(record.number.as_deref(), Some("+449012345678"));
    assert!(world.questions.is_empty(), "a refused number is not asked for");
    world.receive(A, &request("ACK", "tel:+44-90-1234-5678", "r2", 1, "x", &[], ""));
    world.assert_quiet();
}

#[test]
fn an_unsupported_option_is_named_and_allow_lists_the_methods() {
    let mut world = World::new();
    let sent = world.receive(
        A,
        &request("INVITE", "sip:bob@b.example", "r3", 1, "", &["Proxy-Require: timer, foo, bar"], ""),
    );
    assert_eq!(only(&sent, "SIP/2.0 420").header("Unsupported"), "foo, bar");
    let sent = world.receive(A, &request("PUBLISH", "sip:bob@b.example", "r4", 1, "", &[], ""));
    assert!(only(&sent, "SIP/2.0 405").header("Allow").starts_with("INVITE, ACK"));
}

#[test]
fn a_body_above_the_agreement_gets_413() {
    let mut world = World::new();
    let body = "x".repeat(4_001);
    let text = from_side(B, "fb", "INVITE", "sip:alice@a.example", "r5", 1, "", &[], &body);
    only(&world.receive(B, &text), "SIP/2.0 413");
}

#[test]
fn an_unknown_source_is_refused_for_a_while_and_then_met_with_silence() {
    let mut world = World::new();
    let mut answered = 0;
    for nth in 0..50 {
        let sent =
            world.receive(STRANGER, &request("OPTIONS", "sip:192.0.2.1", &format!("u{nth}"), 1, "", &[], ""));
        answered += sent.iter().filter(|sent| sent.start().starts_with("SIP/2.0 403")).count();
    }
    assert_eq!(answered, 10);
    assert_eq!(world.metric("ibcf_rejections_total", &["unknown", "admit.unknown_source"]), 50);
    let told = world.events.iter().filter(|event| matches!(event, Event::MessageRefused { .. })).count();
    assert_eq!(told, 10, "the events are limited too");
    assert_eq!(world.border.transactions(), 0, "no state for strangers");
}

#[test]
fn an_unknown_source_can_be_met_with_silence_from_the_start() {
    let mut silent = policy();
    silent["unknown_source"] = json!({"reject": false});
    let mut world = World::with(&silent);
    assert!(
        world.receive(STRANGER, &request("INVITE", "sip:bob@b.example", "u1", 1, "", &[], "")).is_empty()
    );
}

#[test]
fn an_untrusted_peer_cannot_ask_for_originating_service() {
    let mut untrusting = policy();
    untrusting["agreements"][1]["trusted"] = json!(false);
    let mut world = World::with(&untrusting);
    let text = from_side(
        B,
        "fb",
        "INVITE",
        "sip:alice@a.example",
        "t1",
        1,
        "",
        &["Route: <sip:ibcf.a.example;lr;orig>"],
        "",
    );
    only(&world.receive(B, &text), "SIP/2.0 403");
    let text = from_side(
        B,
        "fb",
        "INVITE",
        "sip:alice@a.example",
        "t2",
        1,
        "",
        &["P-Asserted-Identity: <sip:ceo@a.example>"],
        "",
    );
    let sent = world.receive(B, &text);
    assert!(only(&sent, "INVITE").headers("P-Asserted-Identity").is_empty());
    world.advance(400_000);
    let record =
        world.records().into_iter().find(|record| record.call_id.starts_with("t2")).expect("a record");
    assert_eq!(
        record.neighbour,
        Some(Neighbour { trusted: false, address: None }),
        "CH-44: the one that sent"
    );
    assert!(record.calling.is_empty(), "whose word is not believed");
}

#[test]
fn a_request_that_comes_back_is_a_loop() {
    let mut world = World::new();
    let sent = world.receive(A, &request("INVITE", "sip:bob@b.example", "l1", 1, "", &[], ""));
    let looped = only(&sent, "INVITE").text.clone();
    let via = format!("Via: SIP/2.0/UDP {B};branch=z9hG4bKb1\r\nVia: SIP/2.0/UDP 198");
    let looped = looped.replacen("Via: SIP/2.0/UDP 198", &via, 1);
    only(&world.receive(B, &looped), "SIP/2.0 482");
}

#[test]
fn garbage_is_dropped_and_counted_and_keep_alives_are_neither() {
    let mut world = World::new();
    for garbage in [
        &b"\x00\xff\xfe\x01binary"[..],
        b"GET / HTTP/1.1\r\n\r\n",
        b"INVITE",
        b"INVITE sip:a SIP/2.0\r\nVia: x",
    ] {
        let sent = world.receive_on(HOME, A, garbage);
        assert!(sent.iter().all(|sent| sent.start().starts_with("SIP/2.0 4")), "{garbage:?}");
    }
    let before = world.metric("ibcf_messages_dropped_total", &[]);
    assert!(before >= 3);
    for keep_alive in [&b"\r\n\r\n"[..], b"\r\n", b"\0\0\0\0", b""] {
        world.receive_on(HOME, A, keep_alive);
    }
    assert_eq!(world.metric("ibcf_messages_dropped_total", &[]), before);
    world.assert_quiet();
}

#[test]
fn a_response_without_the_callers_via_or_with_a_broken_one_is_dropped() {
    let mut world = World::new();
    let sent = world.receive(A, &request("INVITE", "sip:bob@b.example", "v1", 1, "", &[], ""));
    let invite = only(&sent, "INVITE").clone();
    let caller_via = format!("Via: {}\r\n", invite.headers("Via")[1]);
    let answer = respond(&invite, "200 OK", "tb", &[]);
    for broken in ["", "Via: x\r\n", "Via: SIP/2.0/UDP 192.0.2.10;\u{fffd}<x>\r\n", "Via: SIP/2.0/UDP\r\n"] {
        assert!(world.receive(B, &answer.replace(&caller_via, broken)).is_empty(), "{broken}");
    }
    assert_eq!(world.metric("ibcf_messages_dropped_total", &[]), 4);
    only(&world.receive(B, &answer), "SIP/2.0 200");
}
