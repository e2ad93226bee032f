//! When a request goes to the next target, and when it must not (RFC 3263 §4.3, RFC 4321, LOC-30 to LOC-36).
//!
//! ```text
//!     A                  border              B           C
//!     | MESSAGE -------> | MESSAGE --------> |           |
//!     |                  | <------ 100       |           |   B has it:
//!     |                  |    Timer F        |           |   C must not get it (LOC-32)
//! ```

mod support;

use ibcf_sip::Input;
use serde_json::json;
use support::*;

fn is_to_c(sent: &Sent) -> bool {
    sent.to == C.parse().unwrap()
}

#[test]
fn a_message_whose_target_said_100_goes_nowhere_else() {
    let mut policy = policy();
    policy["timers"] = json!({"first_response_ms": 4_000});
    let mut world = World::with(&policy);
    let sent = world.receive(A, &request("MESSAGE", "sip:bob@b.example", "n1", 1, "", &[], "hello"));
    let message = only(&sent, "MESSAGE").clone();
    world.receive(B, &respond(&message, "100 Trying", "", &[]));
    assert!(!world.advance(64_000).iter().any(is_to_c), "it would be delivered twice");
    assert!(world.changes().is_empty(), "B is there");
    world.assert_quiet();
}

#[test]
fn the_second_try_of_a_message_ends_when_whoever_asked_gives_up() {
    let mut policy = policy();
    policy["timers"] = json!({"first_response_ms": 20_000});
    let mut world = World::with(&policy);
    world.receive(A, &request("MESSAGE", "sip:bob@b.example", "n2", 1, "", &[], "hello"));
    assert!(world.advance(20_100).iter().any(is_to_c), "12 s are left");
    world.advance(12_000);
    let record = &world.records()[0];
    assert_eq!(record.attempts.len(), 2);
    assert!(record.end_ms - record.start_ms <= 32_100, "not 20 s more");
    assert!(!world.advance(40_000).iter().any(is_to_c), "nothing is sent for nobody");
    world.assert_quiet();
}

#[test]
fn an_invite_that_rings_stays_where_it_rings() {
    let mut world = World::new();
    let sent = world.receive(A, &request("INVITE", "sip:bob@b.example", "n3", 1, "", &[], ""));
    let invite = only(&sent, "INVITE").clone();
    world.receive(B, &respond(&invite, "180 Ringing", "tb", &[]));
    let sent = world.handle(Input::Unreachable { destination: invite.to, excerpt: invite.text.as_bytes() });
    assert!(sent.is_empty(), "the network is late: B has it");
    assert!(!world.advance(190_000).iter().any(is_to_c), "Timer C calls it off, and that is all");
    assert!(world.changes().is_empty());
}

#[test]
fn only_430_and_503_go_to_the_next_target_unless_the_route_says_more() {
    let goes_on = |world: &mut World, call: &str, status: &str| {
        let sent = world.receive(A, &request("INVITE", "sip:bob@b.example", call, 1, "", &[], ""));
        let invite = only(&sent, "INVITE").clone();
        let sent = world.receive(B, &respond(&invite, status, "tb", &[]));
        sent.iter().any(is_to_c)
    };
    let mut world = World::new();
    let mut listed = policy();
    listed["routes"][2]["action"]["failover_statuses"] = json!([500, 502, 503, 504]);
    let mut more = World::with(&listed);
    for (status, by_default, when_listed) in [
        ("403 Forbidden", false, false),
        ("408 Request Timeout", false, false),
        ("430 Flow Failed", true, false),
        ("486 Busy Here", false, false),
        ("500 Server Internal Error", false, true),
        ("502 Bad Gateway", false, true),
        ("503 Service Unavailable", true, true),
        ("504 Server Time-out", false, true),
        ("600 Busy Everywhere", false, false),
    ] {
        let code = &status[..3];
        assert_eq!(goes_on(&mut world, &format!("d{code}"), status), by_default, "{status}");
        assert_eq!(goes_on(&mut more, &format!("l{code}"), status), when_listed, "{status}, listed");
    }
}

#[test]
fn the_other_family_of_a_target_is_tried_before_the_next_one() {
    // LOC-12: the order of what the locator hands in is the order of the tries.
    let mut dual = policy();
    dual["listeners"].as_array_mut().unwrap().push(
        json!({"id": "peer_udp6", "side": "peer", "transport": "udp", "address": "[2001:db8::1]:5060"}),
    );
    dual["peers"][1]["listeners"] = json!(["peer_udp", "peer_udp6"]);
    dual["peers"][1]["targets"] = json!([]);
    dual["peers"][1]["location"] = json!({"kind": "domain"});
    dual["peers"][1]["sources"] = json!(["198.51.100.0/24", "2001:db8:b::/48"]);
    let mut world = World::with(&dual);
    let target =
        |id: &str, address: &str, priority: u16| json!({"id": id, "address": address, "priority": priority});
    let located = json!({"peer": "carrier_b", "targets": [
        target("first6", "[2001:db8:b::1]:5060", 0),
        target("first4", "198.51.100.20:5060", 1),
        target("second6", "[2001:db8:b::2]:5060", 2),
    ]});
    world.handle(Input::Targets(serde_json::from_value(located).unwrap()));
    let mut sent = world.receive(A, &request("INVITE", "sip:bob@b.example", "n4", 1, "", &[], ""));
    for place in ["[2001:db8:b::1]:5060", "198.51.100.20:5060", "[2001:db8:b::2]:5060", C] {
        let invite = only(&sent, "INVITE").clone();
        assert_eq!(invite.to, place.parse().unwrap());
        sent = world.handle(Input::Unreachable { destination: invite.to, excerpt: invite.text.as_bytes() });
    }
    only(&sent, "SIP/2.0 500");
    assert_eq!(world.changes().len(), 4, "each is told of");
    assert_eq!(world.state_of("first6"), "quarantined", "located targets are watched as well");
}

#[test]
fn every_target_failed_each_in_its_way() {
    // LOC-36: a 503 never leaves as such, silence is 408 to an INVITE.
    let mut fast = policy();
    fast["timers"] = json!({"first_response_ms": 2_000});
    let mut world = World::with(&fast);
    let sent = world.receive(A, &request("INVITE", "sip:bob@b.example", "n5", 1, "", &[], ""));
    let invite = only(&sent, "INVITE").clone();
    world.receive(B, &respond(&invite, "503 Service Unavailable", "tb", &["Retry-After: 30"]));
    let sent = world.advance(2_100);
    let answer = sent.iter().find(|sent| sent.start().starts_with("SIP/2.0")).expect("an answer");
    assert!(answer.start().starts_with("SIP/2.0 408"), "{}", answer.start());
    assert!(answer.header("Retry-After").is_empty());
}
