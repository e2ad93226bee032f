//! Limiters that rules name: rates and calls by key, given back however a call ends, over workers and reloads.
//!
//! ```text
//!     A                 border                 B
//!     | INVITE (1) -----> | INVITE ----------> |    a limiter with room for one call
//!     | INVITE (2) -----> |                    |
//!     | <-------- 503     |                    |
//!     |          ... the first call ends, somehow ...
//!     | INVITE (3) -----> | INVITE ----------> |
//! ```

mod support;

use std::sync::Arc;

use ibcf_sip::Input;
use ibcf_sip::event::Outcome;
use ibcf_sip::input::EnumOutcome;
use serde_json::{Value, json};
use support::*;

const URI: &str = "sip:+441632960083@b.example;user=phone";

/// The usual policy, with a rule for all that names this limiter before the others.
fn limited(limiter: &Value) -> Value {
    let mut policy = policy();
    policy["limiters"] = json!([limiter]);
    let rule =
        json!({"id": "cap", "action": {"kind": "limit", "limiter": limiter["id"].as_str().expect("an id")}});
    policy["routes"].as_array_mut().expect("routes").insert(0, rule);
    policy
}

fn one_call() -> Value {
    json!({"id": "one", "calls_max": 1})
}

fn invite_to(world: &mut World, uri: &str, call: &str) -> Vec<Sent> {
    world.receive(A, &request("INVITE", uri, call, 1, "", &[], ""))
}

/// Does a call to *uri* pass?
fn passes(world: &mut World, uri: &str, call: &str) -> bool {
    let sent = invite_to(world, uri, call);
    let passed = sent.iter().any(|sent| sent.start().starts_with("INVITE"));
    assert!(passed || sent.iter().any(|sent| sent.start().starts_with("SIP/2.0 503")), "{sent:?}");
    passed
}

/// Tells that the limiter is full, and that it has room again after *end* did something to the call.
fn is_given_back(end: impl FnOnce(&mut World, &Sent)) {
    let mut world = World::with(&limited(&one_call()));
    let sent = invite_to(&mut world, URI, "g1");
    let invite = only(&sent, "INVITE").clone();
    assert_eq!(world.metric("ibcf_limiter_calls", &["one"]), 1);
    assert!(!passes(&mut world, URI, "g2"));
    end(&mut world, &invite);
    assert_eq!(world.metric("ibcf_limiter_calls", &["one"]), 0);
    assert!(passes(&mut world, URI, "g3"));
    world.advance(400_000);
    assert_eq!(world.metric("ibcf_limiter_calls", &["one"]), 0);
    world.assert_quiet();
}

#[test]
fn what_finds_no_room_gets_the_answer_of_the_limiter_and_a_record() {
    let limiter = json!({"id": "slow", "rate": {"count": 2, "per_ms": 60_000, "burst": 2}, "status": 480, "retry_after_s": 30});
    let mut world = World::with(&limited(&limiter));
    for call in ["r1", "r2"] {
        only(&invite_to(&mut world, URI, call), "INVITE");
    }
    let sent = invite_to(&mut world, URI, "r3");
    let refused = only(&sent, "SIP/2.0 480");
    assert_eq!(refused.start(), "SIP/2.0 480 Temporarily Unavailable");
    assert_eq!(refused.header("Retry-After"), "30");
    let record = &world.records()[0];
    assert_eq!((record.outcome, record.reason), (Outcome::Rejected, Some("decide.limit")));
    assert_eq!(record.route.as_deref(), Some("cap"));
    assert_eq!(world.metric("ibcf_limiter_requests_total", &["slow", "passed"]), 2);
    assert_eq!(world.metric("ibcf_limiter_requests_total", &["slow", "refused"]), 1);
    assert_eq!(world.metric("ibcf_rejections_total", &["decide.limit"]), 1);
    world.advance(30_000);
    only(&invite_to(&mut world, URI, "r4"), "INVITE");
}

#[test]
fn a_503_of_a_limiter_does_not_send_the_peer_away_for_everything() {
    let mut world = World::with(&limited(&one_call()));
    only(&invite_to(&mut world, URI, "n1"), "INVITE");
    let sent = invite_to(&mut world, URI, "n2");
    assert!(only(&sent, "SIP/2.0 503").headers("Retry-After").is_empty());
}

#[test]
fn a_call_that_is_refused_gives_its_place_back() {
    is_given_back(|world, invite| {
        world.receive(B, &respond(invite, "486 Busy Here", "tb", &[]));
    });
}

#[test]
fn a_call_that_is_cancelled_gives_its_place_back() {
    is_given_back(|world, invite| {
        world.receive(B, &respond(invite, "180 Ringing", "tb", &[]));
        world.receive(A, &request("CANCEL", URI, "g1", 1, "", &[], ""));
        world.receive(B, &respond(invite, "487 Request Terminated", "tb", &[]));
    });
}

#[test]
fn a_call_that_is_up_keeps_its_place_until_the_bye() {
    is_given_back(|world, invite| {
        let sent = world.receive(B, &respond(invite, "200 OK", "tb", &[]));
        let answer = only(&sent, "SIP/2.0 200").clone();
        world.advance(40_000); // the transaction is over
        assert_eq!(world.metric("ibcf_limiter_calls", &["one"]), 1);
        let lines = routes(&answer);
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        let bye = world.receive(A, &request("BYE", &format!("sip:bob@{B}"), "g1", 2, "tb", &lines, ""));
        world.receive(B, &respond(only(&bye, "BYE"), "200 OK", "", &[]));
    });
}

#[test]
fn a_call_whose_end_nobody_says_gives_its_place_back_to_the_audit() {
    is_given_back(|world, invite| {
        world.receive(B, &respond(invite, "200 OK", "tb", &[]));
        world.advance(43_300_000);
    });
}

#[test]
fn a_call_that_no_target_answers_gives_its_place_back() {
    is_given_back(|world, _| {
        world.advance(200_000);
    });
}

#[test]
fn a_reload_leaks_no_place_and_gives_no_free_burst() {
    let limiter = json!({"id": "both", "calls_max": 2, "rate": {"count": 1, "per_ms": 60_000, "burst": 3}});
    let mut policy = limited(&limiter);
    let mut world = World::with(&policy);
    let sent = invite_to(&mut world, URI, "l1");
    let invite = only(&sent, "INVITE").clone();
    policy["generation"] = json!(2);
    world.handle(Input::Apply(Arc::new(load(&policy))));
    assert_eq!(world.metric("ibcf_limiter_calls", &["both"]), 1, "a call of the generation before");
    assert!(passes(&mut world, URI, "l2"));
    assert!(!passes(&mut world, URI, "l3"), "two calls");
    world.receive(B, &respond(&invite, "486 Busy Here", "tb", &[]));
    assert!(passes(&mut world, URI, "l4"), "the third of the burst");
    assert_eq!(world.metric("ibcf_limiter_calls", &["both"]), 2);
    policy["limiters"][0]["calls_max"] = json!(9);
    world.handle(Input::Apply(Arc::new(load(&policy))));
    assert!(!passes(&mut world, URI, "l5"), "the burst is used up, whatever else is new");
    policy["limiters"][0]["rate"]["per_ms"] = json!(1_000);
    world.handle(Input::Apply(Arc::new(load(&policy))));
    assert!(passes(&mut world, URI, "l6"), "another rate begins with its burst");
    world.advance(500_000);
    assert_eq!(world.metric("ibcf_limiter_calls", &["both"]), 0);
}

#[test]
fn each_key_is_counted_for_itself() {
    let limiter = json!({"id": "range", "calls_max": 1, "by": "called", "digits": 4});
    let mut world = World::with(&limited(&limiter));
    let number = |digits: &str| format!("sip:+{digits}@b.example;user=phone");
    assert!(passes(&mut world, &number("4416329600"), "k1"));
    assert!(!passes(&mut world, &number("4416111111"), "k2"), "the same four digits");
    assert!(passes(&mut world, &number("4420111111"), "k3"));
    assert!(passes(&mut world, "sip:bob@b.example", "k4"), "no number is a key too");
    assert!(!passes(&mut world, "sip:carol@b.example", "k5"));
    assert_eq!(world.metric("ibcf_limiter_keys", &["range"]), 3);
    assert_eq!(world.metric("ibcf_limiter_keys_limit", &["range"]), 10_000);
}

#[test]
fn the_caller_is_the_one_that_is_believed() {
    let limiter =
        json!({"id": "caller", "rate": {"count": 1, "per_ms": 60_000, "burst": 1}, "by": "calling"});
    let mut world = World::with(&limited(&limiter));
    let from = |world: &mut World, number: &str, call: &str| {
        let asserted = format!("P-Asserted-Identity: <tel:{number}>");
        world.receive(A, &request("INVITE", URI, call, 1, "", &[&asserted], ""))
    };
    only(&from(&mut world, "+441632960001", "b1"), "INVITE");
    only(&from(&mut world, "+441632960001", "b2"), "SIP/2.0 503");
    only(&from(&mut world, "+441632960002", "b3"), "INVITE");
}

#[test]
fn a_number_is_counted_as_the_rules_before_made_it() {
    let mut policy = limited(&json!({"id": "one", "calls_max": 1, "by": "called"}));
    let plus = json!({"id": "plus", "condition": {"users": ["^00"]},
        "action": {"kind": "rewrite", "number": {"strip": 2, "prefix": "+"}, "form": "tel"}});
    let routes = policy["routes"].as_array_mut().expect("routes");
    routes.insert(0, plus);
    routes.push(json!({"id": "rest", "action": {"kind": "route", "to": [{"peer": "carrier_b"}]}}));
    routes.retain(|rule| rule["id"] != "look_up");
    let mut world = World::with(&policy);
    only(&invite_to(&mut world, "sip:00441632960083@b.example;user=phone", "n1"), "INVITE");
    assert!(!passes(&mut world, "tel:+441632960083", "n2"));
}

#[test]
fn a_peer_and_an_address_are_keys_too() {
    for by in ["peer", "source"] {
        let limiter = json!({"id": "sender", "calls_max": 1, "by": by});
        let mut world = World::with(&limited(&limiter));
        assert!(passes(&mut world, URI, "s1"));
        assert!(!passes(&mut world, URI, "s2"));
        let other =
            from_side(B, "fb", "INVITE", "sip:+331420000000@a.example;user=phone", "s3", 1, "", &[], "");
        only(&world.receive(B, &other), "INVITE");
    }
}

#[test]
fn emergency_calls_and_requests_inside_dialogs_are_not_counted() {
    let mut policy = limited(&one_call());
    let sos = json!({"id": "sos", "condition": {"schemes": ["urn"]}, "action": {"kind": "route", "to": [{"peer": "carrier_b"}]}});
    policy["routes"].as_array_mut().expect("routes").insert(1, sos);
    let mut world = World::with(&policy);
    let (_, answer) = answered_call(&mut world, "e1");
    for nth in 0..3 {
        let call = format!("e2{nth}");
        only(&invite_to(&mut world, "urn:service:sos.fire", &call), "INVITE");
    }
    assert_eq!(world.metric("ibcf_limiter_requests_total", &["one", "exempt"]), 3);
    let lines = routes(&answer);
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    let sent = world.receive(A, &request("INVITE", &format!("sip:bob@{B}"), "e1", 2, "tb", &lines, ""));
    only(&sent, "INVITE");
    assert_eq!(world.metric("ibcf_limiter_requests_total", &["one", "passed"]), 1);
}

#[test]
fn a_request_that_makes_no_call_takes_a_token_and_no_place() {
    let limiter = json!({"id": "both", "calls_max": 1, "rate": {"count": 1, "per_ms": 60_000, "burst": 3}});
    let mut world = World::with(&limited(&limiter));
    for nth in 0..3 {
        let sent = world.receive(A, &request("MESSAGE", URI, &format!("m{nth}"), 1, "", &[], ""));
        only(&sent, "MESSAGE");
    }
    assert_eq!(world.metric("ibcf_limiter_calls", &["both"]), 0);
    only(&world.receive(A, &request("MESSAGE", URI, "m9", 1, "", &[], "")), "SIP/2.0 503");
}

#[test]
fn a_call_is_counted_once_however_many_targets_are_tried() {
    let limiter = json!({"id": "tries", "calls_max": 5, "rate": {"count": 1, "per_ms": 60_000, "burst": 9}});
    let mut policy = limited(&limiter);
    let routes = policy["routes"].as_array_mut().expect("routes");
    let cap = routes.remove(0);
    routes.insert(2, cap); // behind the look-up, so that each URI that ENUM gave passes it
    let mut world = World::with(&policy);
    world.receive(A, &request("INVITE", "tel:+441632960083", "f1", 1, "", &[], ""));
    let uris = ["sip:+441632960083@b.example;user=phone", "sip:bob@b.example"];
    let mut sent = world.answer(EnumOutcome::Found, &uris, 0);
    for source in [B, C] {
        let invite = only(&sent, "INVITE").clone();
        sent = world.receive(source, &respond(&invite, "503 Service Unavailable", "tb", &[]));
    }
    only(&sent, "INVITE sip:bob@b.example");
    assert_eq!(world.metric("ibcf_limiter_requests_total", &["tries", "passed"]), 1);
    assert_eq!(world.metric("ibcf_limiter_calls", &["tries"]), 1);
}

#[test]
fn the_workers_of_a_node_share_a_limiter() {
    let (mut one, mut other) = World::pair(&limited(&one_call()));
    assert!(passes(&mut one, URI, "w1"));
    assert!(!passes(&mut other, URI, "w2"));
    one.advance(200_000);
    assert!(passes(&mut other, URI, "w3"));
}

#[test]
fn a_limiter_with_a_fault_is_refused_with_its_place() {
    let faults = [
        (json!({"id": "l"}), "limiters[0].rate: neither a rate nor calls_max"),
        (
            json!({"id": "l", "rate": {"count": 0, "per_ms": 1000, "burst": 1}}),
            "limiters[0].rate: counts and times are more than 0",
        ),
        (json!({"id": "l", "calls_max": 16_777_216}), "limiters[0].calls_max: at most 16777215"),
        (json!({"id": "l", "calls_max": 1, "digits": 4}), "limiters[0].digits: 1 to 15, of a number"),
        (
            json!({"id": "l", "calls_max": 1, "by": "called", "digits": 16}),
            "limiters[0].digits: 1 to 15, of a number",
        ),
        (json!({"id": "l", "calls_max": 1, "keys_max": 0}), "limiters[0].keys_max: 1 to 1000000"),
        (json!({"id": "l", "calls_max": 1, "status": 302}), "limiters[0].status: 302 is not 400 to 699"),
    ];
    for (limiter, text) in faults {
        let refused = ibcf_sip::Snapshot::load(limited(&limiter).to_string().as_bytes()).unwrap_err();
        assert_eq!(refused.to_string(), text);
    }
    let mut policy = limited(&one_call());
    policy["routes"][0]["action"]["limiter"] = json!("two");
    let refused = ibcf_sip::Snapshot::load(policy.to_string().as_bytes()).unwrap_err();
    assert_eq!(refused.to_string(), "routes[0].action.limiter: unknown limiter \"two\"");
}

/// A peer at all its limits; 112 is an emergency number, and wps a priority that is agreed.
fn tight() -> World {
    let mut policy = limited(&one_call());
    policy["peers"][0]["limits"] = json!({"requests_per_second": 1, "burst": 1, "calls_max": 1});
    policy["peers"][1]["limits"] = json!({"calls_max": 1});
    policy["emergency"] = json!({"numbers": ["112"]});
    policy["agreements"][0]["resource_priorities"] = json!(["wps", "ets.0"]);
    let to_b = json!({"kind": "route", "to": [{"peer": "carrier_b"}]});
    let sos = json!({"id": "sos", "condition": {"emergency": true}, "action": to_b});
    let routes = policy["routes"].as_array_mut().expect("routes");
    routes.retain(|rule| rule["id"] == "cap");
    routes.push(sos);
    routes.push(json!({"id": "rest", "action": to_b}));
    let mut world = World::with(&policy);
    only(&invite_to(&mut world, URI, "first"), "INVITE");
    world
}

#[test]
fn calls_to_configured_emergency_numbers_pass_every_limit() {
    let mut world = tight();
    for (nth, uri) in
        ["tel:112;phone-context=+44", "sip:112@b.example", "urn:service:sos"].into_iter().enumerate()
    {
        only(&invite_to(&mut world, uri, &format!("e{nth}")), "INVITE");
    }
    only(&invite_to(&mut world, "sip:1120@b.example", "e9"), "SIP/2.0 503");
    world.receive(A, &request("CANCEL", URI, "first", 1, "", &[], ""));
    world.advance(400_000);
    let routes: Vec<_> = world.records().iter().filter_map(|record| record.route.clone()).collect();
    assert_eq!(routes.iter().filter(|rule| *rule == "sos").count(), 3, "the matcher holds too: {routes:?}");
    world.assert_quiet();
}

#[test]
fn a_priority_that_is_agreed_passes_every_limit_and_no_other_does() {
    let mut world = tight();
    for (nth, priority) in ["wps.1", "dsn.flash, ets.0"].into_iter().enumerate() {
        let line = format!("Resource-Priority: {priority}");
        let text = request("INVITE", URI, &format!("p{nth}"), 1, "", &[&line], "");
        only(&world.receive(A, &text), "INVITE");
    }
    let text = request("INVITE", URI, "p9", 1, "", &["Resource-Priority: ets.1"], "");
    only(&world.receive(A, &text), "SIP/2.0 503");
    assert_eq!(world.metric("ibcf_limiter_requests_total", &["one", "exempt"]), 2);
}

#[test]
fn the_last_tenth_of_a_table_is_for_emergency_calls_and_not_for_priority() {
    let mut policy = policy();
    policy["limits"] = json!({"transactions_max": 10});
    policy["agreements"][0]["resource_priorities"] = json!(["wps"]);
    policy["emergency"] = json!({"numbers": ["112"]});
    let mut world = World::with(&policy);
    for nth in 0..9 {
        invite_to(&mut world, URI, &format!("t{nth}"));
    }
    let text = request("INVITE", URI, "t91", 1, "", &["Resource-Priority: wps.0"], "");
    only(&world.receive(A, &text), "SIP/2.0 503");
    only(&invite_to(&mut world, "sip:112@b.example", "t92"), "INVITE");
}

#[test]
fn priority_is_only_agreed_with_a_network_that_is_trusted() {
    let mut policy = policy();
    policy["agreements"][1] =
        json!({"id": "peering", "trusted": false, "methods": ["INVITE"], "resource_priorities": ["wps"]});
    let refused = ibcf_sip::Snapshot::load(policy.to_string().as_bytes()).unwrap_err();
    assert_eq!(refused.to_string(), "agreements[1].resource_priorities: only of a trusted network");
}
