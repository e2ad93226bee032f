//! Rules that change a request: what the rules behind them, ENUM, the far side and the record then see.
//!
//! ```text
//! A            border             ENUM        B
//! |-- INVITE 0044… -->|             |          |
//! |                   |-- +44… ---->|          |
//! |                   |<- sip:…@b --|          |
//! |                   |-- INVITE sip:…@ims.b ->|
//! ```

mod support;

use ibcf_sip::input::EnumOutcome;
use serde_json::{Value, json};
use support::*;

const DIALLED: &str = "sip:00441632960083@a.example;user=phone";

fn rewrite(id: &str, condition: &Value, mut rewrite: Value) -> Value {
    rewrite["kind"] = json!("rewrite");
    json!({"id": id, "condition": condition, "action": rewrite})
}

fn with_rules(rules: &[Value]) -> Value {
    let mut policy = policy();
    let routes = policy["routes"].as_array_mut().expect("routes");
    let rest = std::mem::take(routes);
    routes.extend_from_slice(rules);
    routes.extend(rest);
    policy
}

fn internationally() -> Value {
    rewrite("plus", &json!({"users": ["^00"]}), json!({"number": {"strip": 2, "prefix": "+"}, "form": "tel"}))
}

#[test]
fn enum_and_the_rules_behind_see_the_number_that_a_rule_made() {
    let mut world = World::with(&with_rules(&[internationally()]));
    world.receive(A, &request("INVITE", DIALLED, "r1", 1, "", &[], ""));
    let asked = serde_json::to_value(&world.questions[0].body).expect("a question");
    assert_eq!(asked["number"], "+441632960083");
    let sent = world.answer(EnumOutcome::Found, &["sip:bob@b.example"], 0);
    assert_eq!(
        only(&sent, "INVITE").start(),
        "INVITE sip:bob@b.example SIP/2.0",
        "what ENUM says goes before"
    );
    world.handle(ibcf_sip::Input::Close);
    let record = &world.records()[0];
    assert_eq!(record.number.as_deref(), Some("+441632960083"));
    assert_eq!(record.called, DIALLED, "as it came");

    let mut world = World::with(&with_rules(&[internationally()]));
    let premium = DIALLED.replace("441632960083", "44901");
    let sent = world.receive(A, &request("INVITE", &premium, "r2", 1, "", &[], ""));
    assert_eq!(only(&sent, "SIP/2.0 403").start(), "SIP/2.0 403 Premium rate barred");
}

#[test]
fn each_uri_of_a_look_up_is_rewritten_anew() {
    let changed = rewrite(
        "to_ims",
        &json!({"domains": ["b.example", "c.example"]}),
        json!({"host": "b.example", "set_parameters": [["x", "1"]], "number": {"prefix": "+9"}}),
    );
    let mut policy = with_rules(&[internationally()]);
    let routes = policy["routes"].as_array_mut().expect("routes");
    routes.insert(3, changed);
    policy["routes"][4]["action"]["to"] = json!([{"peer": "carrier_b"}]);
    let mut world = World::with(&policy);
    world.receive(A, &request("INVITE", DIALLED, "r3", 1, "", &[], ""));
    let sent =
        world.answer(EnumOutcome::Found, &["sip:+1@b.example;user=phone", "sip:+2@c.example;user=phone"], 0);
    let first = only(&sent, "INVITE").clone();
    assert_eq!(first.start(), "INVITE sip:+91@b.example;user=phone;x=1 SIP/2.0");
    let sent = world.receive(B, &respond(&first, "503 Service Unavailable", "tb", &[]));
    let second = sent.iter().find(|sent| sent.start().starts_with("INVITE")).expect("the next URI").clone();
    assert_eq!(second.start(), "INVITE sip:+92@b.example;user=phone;x=1 SIP/2.0");
}

#[test]
fn a_followed_contact_begins_anew_and_leaves_nothing_of_what_was_changed() {
    let changed = rewrite(
        "mark",
        &json!({"users": ["^bob"], "domains": ["b.example"]}),
        json!({"set_parameters": [["x", "1"]]}),
    );
    let mut policy = with_rules(&[changed]);
    policy["routes"][3]["action"]["redirects"] = json!("recurse");
    let mut world = World::with(&policy);
    let sent = world.receive(A, &request("INVITE", "sip:bob@b.example", "r4", 1, "", &[], ""));
    let first = only(&sent, "INVITE").clone();
    assert_eq!(first.start(), "INVITE sip:bob@b.example;x=1 SIP/2.0");
    let sent = world.receive(B, &respond(&first, "302 Moved Temporarily", "tb", &[]));
    let next = sent.iter().find(|sent| sent.start().starts_with("INVITE")).expect("the Contact").clone();
    assert_eq!(next.start(), format!("INVITE sip:bob@{B} SIP/2.0"));
}

#[test]
fn headers_and_the_calling_number_change_in_the_request_that_leaves() {
    let changed =
        rewrite("ours", &json!({}), json!({"calling": {"strip": 1, "prefix": "+44"}, "headers": ["mark"]}));
    let mut policy = with_rules(&[changed]);
    policy["header_rules"] = json!([
        {"id": "mark", "rules": [{"id": "m", "header": "X-Mark", "action": {"kind": "set", "value": "${peer.to}"}}]},
        {"id": "last", "rules": [{"id": "l", "header": "X-Mark", "action": {"kind": "replace", "pattern": "_", "regex": false, "with": "-"}}]},
    ]);
    policy["agreements"][1]["sent_rules"] = json!(["last"]);
    let mut world = World::with(&policy);
    let asserted =
        "P-Asserted-Identity: \"A, B\" <sip:0163@a.example;user=phone>, <tel:0163;phone-context=+44>";
    let sent = world.receive(A, &request("INVITE", "sip:bob@b.example", "r5", 1, "", &[asserted], ""));
    let invite = only(&sent, "INVITE").clone();
    assert_eq!(
        invite.header("P-Asserted-Identity"),
        "\"A, B\" <sip:+44163@a.example;user=phone>, <tel:+44163>"
    );
    assert_eq!(invite.header("X-Mark"), "carrier-b", "the sets of the peer that it goes to come last");
    assert_eq!(invite.start(), "INVITE sip:bob@b.example SIP/2.0");
    // The next target gets the same.
    let sent = world.receive(B, &respond(&invite, "503 Service Unavailable", "tb", &[]));
    let again = sent.iter().find(|sent| sent.start().starts_with("INVITE")).expect("the second target");
    assert_eq!(again.header("X-Mark"), "carrier-c");
}

#[test]
fn a_rule_that_would_break_the_request_uri_refuses_it_with_a_reason_that_is_counted() {
    let changed = rewrite("strip", &json!({}), json!({"number": {"strip": 9}}));
    let mut world = World::with(&with_rules(&[changed]));
    for (call, uri) in [("r6", "tel:+4416329"), ("r7", "tel:+441632960083")] {
        let sent = world.receive(A, &request("INVITE", uri, call, 1, "", &[], ""));
        assert_eq!(only(&sent, "SIP/2.0 404").start(), "SIP/2.0 404 Not Found");
    }
    world.handle(ibcf_sip::Input::Close);
    let records = world.records();
    assert_eq!(records[0].reason, Some("decide.rewrite_invalid"));
    assert_eq!(records[0].route.as_deref(), Some("strip"));
    let sent = world.receive(A, &request("INVITE", "sip:bob@b.example", "r8", 1, "", &[], ""));
    assert_eq!(only(&sent, "INVITE").start(), "INVITE sip:bob@b.example SIP/2.0", "a name has no number");
}
