//! A peer that is located by the Request-URI: an address is used as it is, a name is asked for once (RFC 3263, LOC-01 to LOC-05).
//!
//! ```text
//!     A                  border                 control plane     D
//!     | INVITE sip:d --> | where is d.example? ------> |          |
//!     | <------- 100     | <-------------- its servers |          |
//!     |                  | INVITE ------------------------------> |
//!     | INVITE sip:d --> | INVITE ------------------------------> |   nobody is asked again
//! ```

mod support;

use ibcf_sip::Input;
use ibcf_sip::output::QuestionBody;
use ibcf_sip::snapshot::Transport;
use serde_json::{Value, json};
use support::*;

const D1: &str = "198.51.100.41:5060";
const D2: &str = "198.51.100.42:5060";

/// Calls to d.example go where its name leads, then to carrier C.
fn anywhere() -> Value {
    let mut policy = policy();
    policy["peers"].as_array_mut().unwrap().push(json!({
        "id": "anywhere", "side": "peer", "agreement": "peering", "listeners": ["peer_udp"],
        "sources": ["198.51.100.40/29"], "location": {"kind": "request_uri", "deadline_ms": 1500},
    }));
    policy["routes"].as_array_mut().unwrap().extend([
        json!({"id": "to_d", "condition": {"domains": ["d.example"]}, "action": {"kind": "route",
               "to": [{"peer": "anywhere", "priority": 1}, {"peer": "carrier_c", "priority": 2}]}}),
        json!({"id": "to_e", "condition": {"domains": ["e.example"]}, "action": {"kind": "route",
               "to": [{"peer": "carrier_c", "priority": 1}, {"peer": "anywhere", "priority": 2}]}}),
        json!({"id": "rest", "action": {"kind": "route", "to": [{"peer": "anywhere"}]}}),
    ]);
    policy
}

fn invite(world: &mut World, uri: &str, call: &str) -> Vec<Sent> {
    world.receive(A, &request("INVITE", uri, call, 1, "", &[], ""))
}

fn is_to(sent: &[Sent], place: &str) -> bool {
    only(sent, "INVITE").to == place.parse().unwrap()
}

#[test]
fn a_name_is_asked_for_once_and_its_servers_serve_until_the_ttl_is_over() {
    let mut world = World::with(&anywhere());
    only(&invite(&mut world, "sip:bob@D.example", "n1"), "SIP/2.0 100");
    assert!(
        invite(&mut world, "sip:eve@d.example", "n2").iter().all(|sent| !sent.start().starts_with("INVITE"))
    );
    assert_eq!(world.questions.len(), 1, "one question for both");
    let asked = QuestionBody::Locate {
        peer: "anywhere".into(),
        host: "d.example".into(),
        port: None,
        transport: None,
        secure: false,
    };
    assert_eq!((&world.questions[0].body, world.questions[0].deadline_ms), (&asked, 1_500));
    let sent = world.answer_where(&[D1, D2], 60_000);
    assert_eq!(sent.iter().filter(|sent| sent.to == D1.parse().unwrap()).count(), 2);
    assert!(is_to(&invite(&mut world, "sip:mia@d.example", "n3"), D1));
    assert!(world.questions.is_empty());
    assert_eq!(world.metric("ibcf_location_cache_lookups_total", &["hit"]), 1);
    assert_eq!(world.metric("ibcf_location_cache_entries", &[]), 1);
    assert_eq!(world.metric("ibcf_questions_total", &["locate", "answered"]), 1);
    assert_eq!(world.metric("ibcf_questions_total", &["enum"]), 0);
    world.advance(60_000);
    invite(&mut world, "sip:bob@d.example", "n4");
    assert_eq!(world.questions.len(), 1, "the answer is too old");
}

#[test]
fn a_full_cache_of_locations_forgets_what_is_out_of_date_else_what_nobody_used() {
    let mut policy = anywhere();
    policy["limits"] = json!({"locations_max": 1});
    let mut world = World::with(&policy);
    for (nth, ttl_ms) in [(1, 60_000), (2, 5_000), (3, 60_000)] {
        invite(&mut world, &format!("sip:bob@d{nth}.example"), &format!("f{nth}"));
        assert!(is_to(&world.answer_where(&[D1], ttl_ms), D1));
        world.advance(10_000);
    }
    assert_eq!(world.metric("ibcf_location_cache_entries", &[]), 1);
    for reason in ["unused", "expired"] {
        assert_eq!(world.metric("ibcf_location_cache_evictions_total", &[reason]), 1, "{reason}");
    }
}

#[test]
fn port_transport_and_scheme_are_part_of_the_question() {
    let mut world = World::with(&anywhere());
    for (nth, uri) in ["sip:d.example", "sip:d.example:5070", "sip:d.example;transport=tcp", "sips:d.example"]
        .iter()
        .enumerate()
    {
        invite(&mut world, uri, &format!("q{nth}"));
    }
    let asked: Vec<_> = world
        .questions
        .iter()
        .map(|question| match &question.body {
            QuestionBody::Locate { port, transport, secure, .. } => (*port, *transport, *secure),
            other => panic!("not about a host: {other:?}"),
        })
        .collect();
    let expected = [
        (None, None, false),
        (Some(5070), None, false),
        (None, Some(Transport::Tcp), false),
        (None, None, true),
    ];
    assert_eq!(asked, expected);
}

#[test]
fn an_address_needs_no_question() {
    let mut world = World::with(&anywhere());
    assert!(is_to(&invite(&mut world, "sip:bob@198.51.100.43", "a1"), "198.51.100.43:5060"));
    assert!(is_to(&invite(&mut world, "sip:bob@198.51.100.43:5070", "a2"), "198.51.100.43:5070"));
    assert!(is_to(&invite(&mut world, "sip:bob@d2.example;maddr=198.51.100.44", "a3"), "198.51.100.44:5060"));
    for (uri, call) in [
        ("sip:bob@[2001:db8::9]", "a4"),
        ("sip:bob@198.51.100.43;transport=tcp", "a5"),
        ("sips:bob@198.51.100.43", "a6"),
    ] {
        only(&invite(&mut world, uri, call), "SIP/2.0 500");
        assert_eq!(
            world.records().last().unwrap().reason,
            Some("decide.location_failed"),
            "{uri}: no listener"
        );
    }
    assert!(world.questions.is_empty());
}

#[test]
fn the_servers_of_a_name_fail_over_and_are_watched() {
    let mut world = World::with(&anywhere());
    invite(&mut world, "sip:bob@d.example", "f1");
    let sent = world.answer_where(&[D1, D2], 60_000);
    let first = only(&sent, "INVITE").clone();
    let sent = world.handle(Input::Unreachable { destination: first.to, excerpt: first.text.as_bytes() });
    assert!(is_to(&sent, D2));
    assert_eq!(world.changes(), [format!("anywhere/{D1} Down Unreachable")]);
    assert_eq!(world.state_of(D1), "quarantined", "shown while something speaks against it");
    assert_eq!(world.state_of(D2), "", "and not otherwise: they are any number");
    assert!(is_to(&invite(&mut world, "sip:bob@d.example", "f2"), D2));
}

#[test]
fn a_dns_that_is_silent_costs_the_deadline_and_the_next_peer_takes_the_call() {
    let mut world = World::with(&anywhere());
    invite(&mut world, "sip:bob@d.example", "s1");
    assert!(world.advance(1_400).is_empty());
    assert!(is_to(&world.advance(200), C));
    assert!(world.answer_where(&[D1], 60_000).is_empty(), "too late for this one");
    assert_eq!(world.metric("ibcf_questions_total", &["locate", "fallback"]), 1);
    assert_eq!(world.metric("ibcf_questions_total", &["locate", "late"]), 1);
}

#[test]
fn a_name_that_leads_nowhere_ends_the_call_with_its_own_reason() {
    let mut world = World::with(&anywhere());
    invite(&mut world, "sip:bob@nowhere.example", "w1");
    only(&world.answer_where(&[], 30_000), "SIP/2.0 500");
    let record = &world.records()[0];
    assert_eq!(record.reason, Some("decide.location_failed"));
    assert_eq!(record.source, Some(ibcf_sip::reason::Source::Dns));
    only(&invite(&mut world, "sip:eve@nowhere.example", "w2"), "SIP/2.0 500");
    assert!(world.questions.is_empty(), "the no is kept too");
    world.advance(31_000);
    invite(&mut world, "tel:+441632960083", "w3");
    assert!(matches!(world.questions[0].body, QuestionBody::Enum { .. }));
}

#[test]
fn nobody_is_asked_before_it_is_that_peers_turn() {
    let mut world = World::with(&anywhere());
    let sent = invite(&mut world, "sip:bob@e.example", "t1");
    assert!(is_to(&sent, C));
    assert!(world.questions.is_empty());
    let first = only(&sent, "INVITE").clone();
    let sent = world.receive(C, &respond(&first, "503 Service Unavailable", "tc", &[]));
    assert_eq!(sent.len(), 1, "the ACK");
    assert_eq!(world.questions.len(), 1);
    assert!(is_to(&world.answer_where(&[D1], 0), D1));
}

#[test]
fn servers_that_no_listener_reaches_are_left_out() {
    let mut world = World::with(&anywhere());
    invite(&mut world, "sip:bob@d.example", "l1");
    assert!(is_to(&world.answer_where(&["[2001:db8::9]:5060", D2], 0), D2));
}

#[test]
fn a_call_that_was_given_up_while_it_waited_goes_nowhere() {
    let mut world = World::with(&anywhere());
    invite(&mut world, "sip:bob@d.example", "c1");
    let sent = world.receive(A, &request("CANCEL", "sip:bob@d.example", "c1", 1, "", &[], ""));
    only(&sent, "SIP/2.0 487");
    assert!(world.answer_where(&[D1], 0).is_empty());
    world.receive(A, &request("ACK", "sip:bob@d.example", "c1", 1, "x", &[], ""));
    world.assert_quiet();
}

#[test]
fn an_answer_about_something_else_counts_as_none() {
    let mut world = World::with(&anywhere());
    invite(&mut world, "sip:bob@d.example", "x1");
    let sent = world.answer(ibcf_sip::input::EnumOutcome::Found, &["sip:a@b.example"], 60_000);
    assert!(is_to(&sent, C));
}

#[test]
fn more_questions_than_may_be_open_go_to_the_next_peer() {
    let mut tight = anywhere();
    tight["limits"] = json!({"questions_max": 1});
    let mut world = World::with(&tight);
    invite(&mut world, "sip:bob@d.example", "o1");
    assert!(is_to(&invite(&mut world, "sip:bob@d.example:5070", "o2"), C));
}

#[test]
fn the_topmost_route_leads_before_the_request_uri() {
    let mut world = World::with(&anywhere());
    let route = ["Route: <sip:198.51.100.44:5062;lr>"];
    let sent = world.receive(A, &request("INVITE", "sip:bob@d.example", "r1", 1, "", &route, ""));
    assert!(is_to(&sent, "198.51.100.44:5062"), "LOC-01");
}

#[test]
fn a_reload_keeps_what_was_located() {
    let mut world = World::with(&anywhere());
    invite(&mut world, "sip:bob@d.example", "g1");
    world.answer_where(&[D1], 60_000);
    let mut next = anywhere();
    next["generation"] = json!(2);
    world.handle(Input::Apply(std::sync::Arc::new(load(&next))));
    assert!(is_to(&invite(&mut world, "sip:bob@d.example", "g2"), D1));
}

#[test]
fn inside_a_dialog_a_name_leads_where_it_was_found_to_lead() {
    let mut world = World::with(&anywhere());
    invite(&mut world, "sip:bob@d.example", "i1");
    let sent = world.answer_where(&[D1], 60_000);
    let invite = only(&sent, "INVITE").clone();
    let sent = world.receive(D1, &respond(&invite, "200 OK", "td", &[]));
    let routes = routes(only(&sent, "SIP/2.0 200"));
    let routes: Vec<&str> = routes.iter().map(String::as_str).collect();
    let sent = world.receive(A, &request("ACK", "sip:bob@d.example", "i1", 1, "td", &routes, ""));
    assert_eq!(only(&sent, "ACK").to, D1.parse().unwrap());
    assert!(world.questions.is_empty());
}

#[test]
fn a_fork_asks_where_before_anybody_rings_and_stands_with_those_that_are_found() {
    for (servers, expected) in [(&[D1, D2][..], vec![D1, C]), (&[], vec![C])] {
        let mut policy = anywhere();
        policy["routes"][5]["action"] = json!({"kind": "route", "fork": "parallel",
            "to": [{"peer": "anywhere", "priority": 1}, {"peer": "carrier_c", "priority": 1}]});
        let mut world = World::with(&policy);
        let sent = invite(&mut world, "sip:bob@d.example", "f1");
        assert_eq!(sent.len(), 1, "100, and a question");
        let sent = world.answer_where(servers, 60_000);
        let mut invites: Vec<_> = sent.iter().filter(|sent| sent.start().starts_with("INVITE")).collect();
        invites.sort_by_key(|sent| sent.to);
        let to: Vec<_> = invites.iter().map(|sent| sent.to.to_string()).collect();
        assert_eq!(to, expected);
        let c = (*invites.last().unwrap()).clone();
        only(&world.receive(C, &respond(&c, "180 Ringing", "tc", &[])), "SIP/2.0 180");
        if !servers.is_empty() {
            let sent = world.receive(D1, &respond(invites[0], "503 Service Unavailable", "td", &[]));
            let second =
                sent.iter().find(|sent| sent.start().starts_with("INVITE")).expect("its other server");
            assert_eq!(second.to, D2.parse().unwrap());
            world.receive(D2, &respond(second, "486 Busy Here", "td", &[]));
        }
        only(&world.receive(C, &respond(&c, "486 Busy Here", "tc", &[])), "SIP/2.0 486");
        world.receive(A, &request("ACK", "sip:bob@d.example", "f1", 1, "x", &[], ""));
        world.assert_quiet();
    }
}

#[test]
fn a_call_cancelled_while_a_fork_asks_where_rings_nobody() {
    let mut policy = anywhere();
    policy["routes"][5]["action"]["fork"] = json!("parallel");
    let mut world = World::with(&policy);
    invite(&mut world, "sip:bob@d.example", "f2");
    let sent = world.receive(A, &request("CANCEL", "sip:bob@d.example", "f2", 1, "", &[], ""));
    only(&sent, "SIP/2.0 487");
    assert!(world.answer_where(&[D1], 60_000).is_empty());
    world.receive(A, &request("ACK", "sip:bob@d.example", "f2", 1, "x", &[], ""));
    world.assert_quiet();
}
