//! Hooks: a rule asks a function of the operator's, the request waits, and what comes back counts only if it is fit for use.
//!
//! ```text
//!     A                 border            control plane        B
//!     | INVITE -------->  | question (hook) ---> |             |
//!     | <-------- 100     | <---------- verdict  |             |
//!     |                   | INVITE with its edits ----------> |
//! ```

mod support;

use ibcf_sip::Input;
use ibcf_sip::output::{HookView, QuestionBody};
use serde_json::{Value, json};
use support::*;

const BOB: &str = "sip:+441632960083@b.example;user=phone";

/// Asks for a hook before anything else; without an answer in 50 ms *fallback* follows.
fn with_hook(fallback: &Value) -> World {
    let mut policy = policy();
    let routes = policy["routes"].as_array_mut().expect("routes");
    let hook = json!({"kind": "hook", "call": "roaming:check", "deadline_ms": 50, "tags": ["roamer"], "fallback": fallback});
    routes.insert(0, json!({"id": "roaming_check", "condition": {"methods": ["INVITE"]}, "action": hook}));
    World::with(&policy)
}

fn invite(call: &str) -> String {
    request("INVITE", BOB, call, 1, "", &["Subject: caf\u{e9}", "X-Number: +15551234567"], "v=0\r\n")
}

/// Hands the verdict in for the oldest open question.
fn answer(world: &mut World, verdict: &Value) -> Vec<Sent> {
    let id = world.questions.remove(0).id;
    let answer = json!({"id": id, "body": {"kind": "hook", "verdict": verdict}});
    world.handle(Input::Answer(serde_json::from_value(answer).expect("an answer")))
}

fn view(world: &World) -> HookView {
    match &world.questions[0].body {
        QuestionBody::Hook(view) => (**view).clone(),
        other => panic!("{other:?}"),
    }
}

fn continued(changes: &Value) -> Value {
    json!({"verdict": "continue", "changes": changes})
}

#[test]
fn a_hook_sees_the_request_and_the_next_rule_follows_its_go_ahead() {
    let mut world = with_hook(&Value::Null);
    let text = invite("h1");
    only(&world.receive(A, &text), "SIP/2.0 100");
    let seen = view(&world);
    assert_eq!((seen.rule.as_str(), seen.call.as_str()), ("roaming_check", "roaming:check"));
    assert_eq!((seen.peer.as_str(), seen.method.as_str(), seen.trusted), ("carrier_a", "INVITE", true));
    assert_eq!((seen.number.as_deref(), seen.request_uri.as_str()), (Some("+441632960083"), BOB));
    let bytes: Vec<u8> =
        seen.message.chars().map(|one| u8::try_from(u32::from(one)).expect("a byte")).collect();
    assert_eq!(bytes, text.as_bytes(), "the request as it came, byte for byte");
    let sent = answer(&mut world, &continued(&json!({})));
    assert_eq!(only(&sent, "INVITE").to, B.parse().unwrap());
    assert_eq!(world.metric("ibcf_questions_total", &["hook", "answered"]), 1);
}

#[test]
fn edits_a_new_request_uri_and_a_tag_reach_the_wire_and_the_record() {
    let mut world = with_hook(&Value::Null);
    world.receive(A, &invite("h2"));
    let changes = json!({
        "request_uri": "sip:+441632960999@a.example", "tag": "roamer",
        "edits": [
            {"kind": "set", "header": "Subject", "value": "abroad"},
            {"kind": "remove", "header": "X-Number"},
            {"kind": "add", "header": "X-Roaming", "value": "yes"},
        ],
    });
    let sent = answer(&mut world, &continued(&changes));
    let out = only(&sent, "INVITE").clone();
    assert_eq!(out.start(), "INVITE sip:+441632960999@a.example SIP/2.0", "rules behind it see the new URI");
    assert_eq!(out.to, A.parse().unwrap());
    assert_eq!((out.header("Subject"), out.header("X-Roaming")), ("abroad", "yes"));
    assert!(out.headers("X-Number").is_empty());
    world.receive(A, &respond(&out, "486 Busy Here", "tb", &[]));
    assert_eq!(world.records()[0].tags.as_slice(), ["roamer"]);
    assert_eq!(world.metric("ibcf_calls_tagged_total", &["roamer"]), 1);
}

#[test]
fn every_try_has_the_edits_once() {
    let mut world = with_hook(&Value::Null);
    world.receive(A, &invite("h3"));
    let changes = json!({"edits": [{"kind": "add", "header": "X-Roaming", "value": "yes"}]});
    let sent = answer(&mut world, &continued(&changes));
    let first = only(&sent, "INVITE").clone();
    let sent = world.receive(B, &respond(&first, "503 Service Unavailable", "tb", &[]));
    let second = only(&sent, "INVITE");
    assert_eq!(second.to, C.parse().unwrap());
    assert_eq!(second.headers("X-Roaming"), ["yes"]);
}

#[test]
fn a_hook_refuses_with_a_reason_of_the_catalogue_or_picks_the_peer() {
    let mut world = with_hook(&Value::Null);
    world.receive(A, &invite("h4"));
    let verdict =
        json!({"verdict": "reject", "reason": "decide.forbidden", "status": 480, "retry_after_s": 60});
    let sent = answer(&mut world, &verdict);
    assert_eq!(only(&sent, "SIP/2.0 480").header("Retry-After"), "60");
    let record = &world.records()[0];
    assert_eq!((record.reason, record.route.as_deref()), (Some("decide.forbidden"), Some("roaming_check")));
    world.receive(A, &invite("h5"));
    let sent = answer(&mut world, &json!({"verdict": "route", "peer": "carrier_c"}));
    assert_eq!(only(&sent, "INVITE").to, C.parse().unwrap());
}

#[test]
fn without_an_answer_in_time_the_rule_says_what_follows_and_a_late_one_finds_nobody() {
    let mut world = with_hook(&Value::Null);
    world.receive(A, &invite("h6"));
    assert!(world.advance(40).is_empty());
    assert_eq!(only(&world.advance(20), "INVITE").to, B.parse().unwrap());
    assert!(answer(&mut world, &json!({"verdict": "reject", "reason": "decide.forbidden"})).is_empty());
    assert_eq!(world.metric("ibcf_questions_total", &["hook", "fallback"]), 1);
    assert_eq!(world.metric("ibcf_questions_total", &["hook", "late"]), 1);

    let mut world = with_hook(&json!({"reason": "decide.hook_failed", "status": 480, "phrase": "Ask Later"}));
    world.receive(A, &invite("h7"));
    only(&world.advance(60), "SIP/2.0 480 Ask Later");
    assert_eq!(world.records()[0].reason, Some("decide.hook_failed"));
}

#[test]
fn an_answer_that_is_not_fit_for_use_counts_as_none() {
    let fallback = json!({"reason": "decide.hook_failed"});
    for verdict in [
        json!({"verdict": "failed"}),
        json!({"verdict": "route", "peer": "nobody"}),
        json!({"verdict": "reject", "reason": "decide.nothing"}),
        continued(&json!({"tag": "not_listed"})),
        continued(&json!({"request_uri": "sip:a@b.example?Route=x"})),
        continued(&json!({"edits": [{"kind": "set", "header": "Via", "value": "x"}]})),
        continued(&json!({"edits": [{"kind": "add", "header": "X-A", "value": "a\r\nVia: x"}]})),
    ] {
        let mut world = with_hook(&fallback);
        world.receive(A, &invite("h8"));
        only(&answer(&mut world, &verdict), "SIP/2.0 500");
        assert_eq!(world.records()[0].reason, Some("decide.hook_failed"), "{verdict}");
        world.receive(A, &request("ACK", BOB, "h8", 1, "x", &[], ""));
        world.assert_quiet();
    }
}

#[test]
fn a_call_that_is_given_up_while_its_hook_thinks_is_answered_and_leaves_nothing() {
    let mut world = with_hook(&Value::Null);
    world.receive(A, &invite("h9"));
    let sent = world.receive(A, &request("CANCEL", BOB, "h9", 1, "", &[], ""));
    only(&sent, "SIP/2.0 487");
    assert!(answer(&mut world, &continued(&json!({}))).is_empty());
    world.receive(A, &request("ACK", BOB, "h9", 1, "x", &[], ""));
    world.assert_quiet();
}

#[test]
fn hooks_have_a_bound_of_their_own_and_leave_room_for_enum() {
    let mut world = with_hook(&Value::Null);
    for nth in 0..1_024 {
        let sent = world.receive(A, &invite(&format!("m{nth}")));
        only(&sent, "SIP/2.0 100");
    }
    assert_eq!(world.questions.len(), 1_024);
    let sent = world.receive(A, &invite("one_more"));
    only(&sent, "INVITE"); // it goes on without
    world.receive(A, &request("MESSAGE", "tel:+441632960083", "e1", 1, "", &[], ""));
    let last = world.questions.last().expect("a question");
    assert!(matches!(last.body, QuestionBody::Enum { .. }), "{last:?}");
}

#[test]
fn what_enum_found_is_seen_and_each_candidate_has_the_hook_asked_anew() {
    let mut policy = policy();
    let routes = policy["routes"].as_array_mut().expect("routes");
    let hook = json!({"kind": "hook", "call": "roaming:check", "deadline_ms": 50});
    routes.insert(2, json!({"id": "behind", "action": hook}));
    policy["enums"][0]["candidates_max"] = json!(2);
    let mut world = World::with(&policy);
    world.receive(A, &request("INVITE", "tel:+441632960083", "h10", 1, "", &[], ""));
    let found = ["sip:+441632960083@b.example", "sip:+441632960083@a.example"];
    world.answer(ibcf_sip::input::EnumOutcome::Found, &found, 0);
    let seen = view(&world);
    assert_eq!((seen.request_uri.as_str(), seen.enum_candidates.len()), (found[0], 2));
    let add =
        |value: &str| continued(&json!({"edits": [{"kind": "add", "header": "X-Try", "value": value}]}));
    let sent = answer(&mut world, &add("1"));
    let first = only(&sent, "INVITE").clone();
    let sent = world.receive(B, &respond(&first, "503 Service Unavailable", "t", &[]));
    let second = only(&sent, "INVITE").clone();
    assert_eq!(second.headers("X-Try"), ["1"], "the other peer for the same URI");
    world.receive(C, &respond(&second, "503 Service Unavailable", "t", &[]));
    assert_eq!(view(&world).request_uri, found[1]);
    let sent = answer(&mut world, &add("2"));
    assert_eq!(only(&sent, "INVITE").headers("X-Try"), ["2"], "the first edit went with its URI");
}
