//! ENUM: the border asks, goes on serving, and uses the answer for everybody who waits and for the next calls.
//!
//! ```text
//!     A                 border            control plane        B
//!     | INVITE tel: ----> | question ----------> |             |
//!     | <-------- 100     | <----------- answer  |             |
//!     |                   | INVITE sip: --------------------> |
//! ```

mod support;

use ibcf_sip::Input;
use ibcf_sip::input::{Answer, AnswerBody, EnumOutcome};
use ibcf_sip::output::QuestionBody;
use support::*;

const NUMBER: &str = "tel:+44-1632-960083";
const FOUND: &str = "sip:+441632960083@b.example;user=phone";

#[test]
fn a_tel_uri_becomes_the_uri_that_enum_gives() {
    let mut world = World::new();
    let sent = world.receive(A, &request("INVITE", NUMBER, "e1", 1, "", &[], ""));
    only(&sent, "SIP/2.0 100");
    assert_eq!(
        world.questions[0].body,
        QuestionBody::Enum { service: "carrier_enum".into(), number: "+441632960083".into() }
    );
    let sent = world.answer(EnumOutcome::Found, &[FOUND], 60_000);
    assert_eq!(only(&sent, "INVITE").start(), format!("INVITE {FOUND} SIP/2.0"));
    assert_eq!(only(&sent, "INVITE").header("To"), format!("<{NUMBER}>"), "only the Request-URI changes");
}

#[test]
fn the_next_call_to_the_number_asks_nobody_until_the_ttl_is_over() {
    let mut world = World::new();
    world.receive(A, &request("INVITE", NUMBER, "e2", 1, "", &[], ""));
    world.answer(EnumOutcome::Found, &[FOUND], 60_000);
    let sent = world.receive(A, &request("INVITE", NUMBER, "e3", 1, "", &[], ""));
    only(&sent, "INVITE");
    assert!(world.questions.is_empty());
    assert_eq!(world.metric("ibcf_answer_cache_lookups_total", &["hit"]), 1);
    world.advance(61_000);
    world.receive(A, &request("INVITE", NUMBER, "e4", 1, "", &[], ""));
    assert_eq!(world.questions.len(), 1, "the answer is too old");
}

#[test]
fn a_hundred_calls_to_one_number_ask_once() {
    let mut world = World::new();
    for nth in 0..100 {
        world.receive(A, &request("INVITE", NUMBER, &format!("s{nth}"), 1, "", &[], ""));
    }
    assert_eq!(world.questions.len(), 1);
    let sent = world.answer(EnumOutcome::Found, &[FOUND], 0);
    assert_eq!(sent.iter().filter(|sent| sent.start().starts_with("INVITE")).count(), 100);
    world.receive(A, &request("INVITE", NUMBER, "s100", 1, "", &[], ""));
    assert_eq!(world.questions.len(), 1, "a TTL of 0 is used once");
}

#[test]
fn an_unknown_number_takes_the_fallback_route() {
    let mut world = World::new();
    world.receive(A, &request("INVITE", NUMBER, "e5", 1, "", &[], ""));
    let sent = world.answer(EnumOutcome::NotFound, &[], 1_000);
    let invite = only(&sent, "INVITE").clone();
    assert_eq!(invite.to, C.parse().unwrap());
    assert_eq!(invite.start(), format!("INVITE {NUMBER} SIP/2.0"), "the number goes on as it came");
    world.receive(C, &respond(&invite, "404 Not Found", "tc", &[]));
    let record = &world.records()[0];
    assert_eq!((record.route.as_deref(), record.enum_class.as_deref()), (Some("transit"), Some("NXDOMAIN")));
}

#[test]
fn no_answer_before_the_deadline_counts_as_failed_and_a_late_one_finds_nobody() {
    let mut world = World::new();
    world.receive(A, &request("INVITE", NUMBER, "e6", 1, "", &[], ""));
    assert!(world.advance(1_900).is_empty());
    let sent = world.advance(200);
    only(&sent, "SIP/2.0 500");
    assert_eq!(world.records()[0].reason, Some("decide.enum_failed"));
    assert_eq!(world.records()[0].source, Some(ibcf_sip::reason::Source::Dns));
    assert!(world.answer(EnumOutcome::Found, &[FOUND], 60_000).is_empty());
    assert_eq!(world.metric("ibcf_questions_total", &["late"]), 1);
    assert_eq!(world.metric("ibcf_questions_total", &["fallback"]), 1);
    world.receive(A, &request("ACK", NUMBER, "e6", 1, "x", &[], ""));
    world.assert_quiet();
}

#[test]
fn an_answer_to_nothing_is_counted() {
    let mut world = World::new();
    let body = AnswerBody::Enum {
        outcome: EnumOutcome::Found,
        class: "FOUND".into(),
        candidates: vec![],
        ttl_ms: 0,
    };
    world.handle(Input::Answer(Answer { id: ibcf_sip::output::QuestionId(42), body }));
    assert_eq!(world.metric("ibcf_questions_total", &["late"]), 1);
}

#[test]
fn a_local_number_is_never_asked_for() {
    let mut world = World::new();
    let sent = world.receive(A, &request("INVITE", "tel:7042;phone-context=a.example", "e7", 1, "", &[], ""));
    only(&sent, "SIP/2.0 484");
    assert_eq!(world.records()[0].reason, Some("decide.number_incomplete"));
    assert!(world.questions.is_empty());
}

#[test]
fn a_number_that_was_looked_up_elsewhere_is_not_looked_up_again() {
    let mut world = World::new();
    let sent = world.receive(A, &request("INVITE", "tel:+441632960083;npdi", "e9", 1, "", &[], ""));
    only(&sent, "SIP/2.0 404");
    assert!(world.questions.is_empty(), "ENUM-06");
}

#[test]
fn the_second_candidate_is_tried_when_the_first_fails() {
    let mut world = World::new();
    world.receive(A, &request("INVITE", NUMBER, "e8", 1, "", &[], ""));
    let sent = world.answer(
        EnumOutcome::Found,
        &["sip:+441632960083@b.example", "sip:+441632960083@a.example"],
        60_000,
    );
    let mut invite = only(&sent, "INVITE").clone();
    for (peer, next) in [(B, C), (C, A)] {
        let sent = world.receive(peer, &respond(&invite, "503 Service Unavailable", "t", &[]));
        invite = only(&sent, "INVITE").clone();
        assert_eq!(invite.to, next.parse().unwrap());
    }
    assert_eq!(invite.start(), "INVITE sip:+441632960083@a.example SIP/2.0");
}

#[test]
fn a_uri_that_may_be_no_request_uri_is_no_answer() {
    // RFC 3261 §19.1.1 table 1: headers in a Request-URI would become headers of the request at a careless next hop.
    for unusable in ["sip:bob@b.example?Route=%3Csip:x%3E", "sip:", "mailto:bob@b.example", "bob"] {
        let mut world = World::new();
        world.receive(A, &request("INVITE", NUMBER, "e9", 1, "", &[], ""));
        let sent = world.answer(EnumOutcome::Found, &[unusable], 60_000);
        let invite = only(&sent, "INVITE").clone();
        assert_eq!((invite.to, invite.start()), (C.parse().unwrap(), &*format!("INVITE {NUMBER} SIP/2.0")));
        world.receive(C, &respond(&invite, "486 Busy Here", "tc", &[]));
        assert_eq!(world.records()[0].enum_class.as_deref(), Some("NO_USABLE_RECORD"));
        let mut world = World::new();
        world.receive(A, &request("INVITE", NUMBER, "e10", 1, "", &[], ""));
        let sent = world.answer(EnumOutcome::Found, &[unusable, FOUND], 60_000);
        assert_eq!(only(&sent, "INVITE").start(), format!("INVITE {FOUND} SIP/2.0"));
    }
}
