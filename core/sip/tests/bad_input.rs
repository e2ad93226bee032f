//! Input that is wrong in a way that an operator meets: what its sender hears, and under which name it is counted.

mod support;

use ibcf_sip::Reason;
use ibcf_sip::event::Event;
use ibcf_sip::parse::{Frame, Framer};
use ibcf_sip::snapshot::Limits;
use serde_json::json;
use support::*;

const MALFORMED: (&str, &str) = ("ibcf_parse_errors_total", "parse.malformed");
const TOO_LARGE: (&str, &str) = ("ibcf_parse_errors_total", "parse.too_large");

/// Sends *text* as carrier A; returns the first lines of what leaves, and checks what was counted.
fn answered(world: &mut World, text: &str, (name, label): (&str, &str)) -> Vec<String> {
    let before = world.metric(name, &["carrier_a", label]);
    let sent = world.receive(A, text);
    assert_eq!(world.metric(name, &["carrier_a", label]), before + 1, "{name} {label}");
    assert_eq!(world.border.transactions(), 0, "nothing is kept for it");
    sent.iter().map(|sent| sent.start().to_owned()).collect()
}

#[test]
fn a_body_shorter_than_its_content_length_gets_400() {
    let mut world = World::new();
    let text = request("INVITE", "sip:bob@b.example", "s1", 1, "", &[], "v=0\r\n");
    let short = text.replace("Content-Length: 5", "Content-Length: 6");
    assert_eq!(answered(&mut world, &short, MALFORMED), ["SIP/2.0 400 Bad Request"]);
    let told = world.events.iter().find_map(|event| match event {
        Event::MessageRefused { reason, detail, .. } => Some((*reason, detail.clone())),
        _ => None,
    });
    let (reason, detail) = told.expect("the log hears of it");
    assert_eq!(reason, "parse.malformed");
    assert!(detail.contains("Content-Length: the body is shorter"), "{detail}");
    world.assert_quiet();
}

#[test]
fn a_response_with_a_body_shorter_than_its_content_length_is_dropped() {
    let mut world = World::new();
    let sent = world.receive(A, &request("INVITE", "sip:bob@b.example", "s2", 1, "", &[], ""));
    let answer = respond(only(&sent, "INVITE"), "200 OK", "tb", &[]);
    assert!(world.receive(B, &answer.replace("Content-Length: 0", "Content-Length: 1")).is_empty());
    assert_eq!(world.metric("ibcf_messages_dropped_total", &[]), 1);
    only(&world.receive(B, &answer), "SIP/2.0 200");
}

#[test]
fn ten_thousand_vias_get_513() {
    let mut world = World::new();
    let text = request("INVITE", "sip:bob@b.example", "v1", 1, "", &[], "");
    let lines = text.replace("Max-Forwards", &format!("{}Max-Forwards", "v:a\r\n".repeat(10_000)));
    assert!(lines.len() < 65_535, "it fits into a datagram");
    assert_eq!(answered(&mut world, &lines, TOO_LARGE), ["SIP/2.0 513 Message Too Large"]);
    let one_line = text.replace("Max-Forwards", &format!("v: a{}\r\nMax-Forwards", ",a".repeat(9_999)));
    assert_eq!(answered(&mut world, &one_line, TOO_LARGE), ["SIP/2.0 513 Message Too Large"]);
    // The answer carries the Via that leads back, and not ten thousand more than a message may have.
    let sent = world.receive(A, &lines);
    assert!(only(&sent, "SIP/2.0 513").text.len() < 10_000, "no amplifier");
    world.assert_quiet();
}

#[test]
fn ten_thousand_whole_vias_do_not_fit_into_a_message() {
    let mut world = World::new();
    let text = request("INVITE", "sip:bob@b.example", "v2", 1, "", &[], "");
    let via = "Via: SIP/2.0/UDP 192.0.2.10;branch=z9hG4bK1\r\n";
    let text = text.replace("Max-Forwards", &format!("{}Max-Forwards", via.repeat(10_000)));
    // No datagram is so long. From a stream the framer lets no more through than a message may have.
    assert!(answered(&mut world, &text, MALFORMED).is_empty());
    assert_eq!(world.metric("ibcf_messages_dropped_total", &[]), 1);
    let (mut framer, mut input) = (Framer::default(), text.as_bytes());
    let limits = Limits::default();
    let Some(Frame::Broken { head, fault }) = framer.next(&mut input, &limits) else { panic!("too long") };
    assert!(fault.reason == Reason::TooLarge && head.len() <= limits.message_bytes_max + 2);
    assert_eq!(framer.next(&mut input, &limits), None);
}

#[test]
fn a_response_with_ten_thousand_vias_is_dropped() {
    let mut world = World::new();
    let sent = world.receive(A, &request("INVITE", "sip:bob@b.example", "v3", 1, "", &[], ""));
    let answer = respond(only(&sent, "INVITE"), "200 OK", "tb", &[]);
    let many = answer.replace("From:", &format!("{}From:", "v:a\r\n".repeat(10_000)));
    assert!(world.receive(B, &many).is_empty());
    assert_eq!(world.metric("ibcf_messages_dropped_total", &[]), 1);
    only(&world.receive(B, &answer), "SIP/2.0 200");
}

#[test]
fn a_content_length_of_two_to_the_32_gets_400_and_breaks_a_stream() {
    let mut world = World::new();
    let text = request("INVITE", "sip:bob@b.example", "l1", 1, "", &[], "");
    for length in ["4294967296", "4294967295", "4294967328", "18446744073709551616"] {
        let text = text.replace("Content-Length: 0", &format!("Content-Length: {length}"));
        assert_eq!(answered(&mut world, &text, MALFORMED), ["SIP/2.0 400 Bad Request"], "{length}");
        let (mut framer, mut input) = (Framer::default(), text.as_bytes());
        let frame = framer.next(&mut input, &Limits::default());
        let Some(Frame::Broken { head, fault }) = frame else { panic!("{length}: {frame:?}") };
        assert_eq!(
            (head, fault.reason),
            (text.as_bytes(), Reason::TooLarge),
            "{length}: 513 can be answered"
        );
        assert!(framer.kept_bytes() <= 65_538, "no room is made for what is only promised");
    }
    world.assert_quiet();
}

#[test]
fn a_response_to_nothing_is_dropped() {
    let mut world = World::new();
    let sent = world.receive(A, &request("INVITE", "sip:bob@b.example", "n1", 1, "", &[], ""));
    let answer = respond(only(&sent, "INVITE"), "200 OK", "tb", &[]);
    let branch = answer.split_once("branch=z9hG4bK").expect("a branch").1.get(..42).expect("ours").to_owned();
    let strays = [
        answer.replace(&branch, &"0".repeat(42)),
        answer.replace(&branch, "1"),
        answer.replace(&branch, &format!("{}0", &branch[..41])),
        answer.replace("CSeq: 1 INVITE", "CSeq: 1 CANCEL"),
    ];
    for (nth, stray) in strays.iter().take(3).enumerate() {
        assert!(world.receive(B, stray).is_empty(), "{stray}");
        assert_eq!(world.metric("ibcf_stray_responses_total", &[]), nth as u64 + 1);
    }
    assert!(world.receive(B, &strays[3]).is_empty(), "no CANCEL was sent");
    only(&world.receive(B, &answer), "SIP/2.0 200");
}

#[test]
fn a_cancel_after_the_200_is_answered_and_reaches_nobody() {
    let mut world = World::new();
    answered_call(&mut world, "c1");
    for nth in 1..=3 {
        let sent = world.receive(A, &request("CANCEL", "sip:bob@b.example", "c1", 1, "", &[], ""));
        assert_eq!(sent.len(), 1);
        assert_eq!(only(&sent, "SIP/2.0 200").header("CSeq"), "1 CANCEL");
        let cancels = |labels: &[&str]| world.metric("ibcf_sip_messages_total", labels);
        assert_eq!(cancels(&["carrier_a", "received", "request", "CANCEL"]), nth);
        assert_eq!(cancels(&["carrier_b", "sent", "request", "CANCEL"]), 0);
        assert_eq!(world.metric("ibcf_sip_responses_total", &["carrier_a", "sent", "CANCEL", "200"]), nth);
    }
    assert_eq!(world.metric("ibcf_dialogs_tracked", &[]), 1, "the call is still up");
    // Once the transaction is gone there is nothing to cancel.
    world.advance(33_000);
    let sent = world.receive(A, &request("CANCEL", "sip:bob@b.example", "c1", 1, "", &[], ""));
    only(&sent, "SIP/2.0 481");
    assert_eq!(world.metric("ibcf_rejections_total", &["forward.no_transaction"]), 1);
    world.advance(43_300_000);
    assert_eq!(world.records().len(), 1);
    world.assert_quiet();
}

/// A BYE of the call *call*, set up in *world*.
fn bye(world: &mut World, call: &str) -> String {
    let (_, answer) = answered_call(world, call);
    let lines = routes(&answer);
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    request("BYE", &format!("sip:bob@{B}"), call, 2, "tb", &lines, "")
}

fn token_alarms(world: &World) -> Vec<String> {
    let details = world.events.iter().filter_map(|event| match event {
        Event::Alarm { name: "token_open_failed", detail, .. } => Some(detail.clone()),
        _ => None,
    });
    details.collect()
}

#[test]
fn a_token_that_was_tampered_with_or_sealed_by_an_unknown_key_gets_403_and_an_alarm() {
    let mut foreign = policy();
    foreign["keys"] = json!([{"id": 7, "secret": "22".repeat(32)}]);
    let unknown_key = bye(&mut World::with(&foreign), "t1");
    let tampered = {
        let whole = bye(&mut World::new(), "t1");
        let at = whole.find("Route: <sip:ai").or_else(|| whole.find("<sip:ai")).expect("a token") + 40;
        let other = if whole.as_bytes()[at] == b'a' { "b" } else { "a" };
        format!("{}{other}{}", &whole[..at], &whole[at + 1..])
    };
    for (text, why) in [
        (tampered, "altered, or sealed by somebody else"),
        (unknown_key, "sealed with a key that is not in the ring"),
    ] {
        let mut world = World::new();
        bye(&mut world, "t1");
        let sent = world.receive(A, &text);
        assert_eq!(sent.len(), 1, "it reaches nobody");
        let answer = only(&sent, "SIP/2.0 403 Forbidden");
        assert_eq!(answer.header("Reason"), "Q.850;cause=57;text=\"rewrite.token_invalid\"");
        assert_eq!(world.metric("ibcf_rejections_total", &["carrier_a", "rewrite.token_invalid"]), 1);
        assert_eq!(world.metric("ibcf_topology_tokens_total", &["open", "refused"]), 1);
        assert_eq!(token_alarms(&world), [format!("peer carrier_a: {why}")]);
        for nth in 0..20 {
            world.receive(A, &text.replace("bKt1", &format!("bKt1{nth}")));
        }
        assert_eq!(world.metric("ibcf_topology_tokens_total", &["open", "refused"]), 21);
        assert_eq!(token_alarms(&world).len(), 1, "one alarm a second");
        assert_eq!(world.metric("ibcf_dialogs_tracked", &[]), 1, "the call goes on");
    }
}
