//! The called side answers 3xx: passed back, refused, or followed where the policy leads (RFC 3261 §16.7 (4), PX-23).
//!
//! ```text
//!     A                 border          B          C
//!     | INVITE bob@b ---> | INVITE ---> |          |
//!     |                   | <---- 302 Contact: bob@c
//!     |                   | ACK ------> |          |
//!     |                   | INVITE bob@c --------> |
//!     | <-------- 200     | <-------------- 200    |
//! ```

mod support;

use ibcf_sip::event::Outcome;
use ibcf_sip::input::EnumOutcome;
use serde_json::{Value, json};
use support::*;

fn redirecting(what: &str) -> Value {
    let mut policy = policy();
    policy["routes"][2]["action"] =
        json!({"kind": "route", "redirects": what, "to": [{"peer": "carrier_b"}]});
    let to_c = json!({"id": "to_c", "condition": {"domains": ["c.example"]},
        "action": {"kind": "route", "redirects": what, "to": [{"peer": "carrier_c"}]}});
    policy["routes"].as_array_mut().unwrap().insert(3, to_c);
    policy
}

/// A calls B, which answers 302 with these Contacts; returns what left then.
fn redirected(world: &mut World, call: &str, contacts: &[&str]) -> Vec<Sent> {
    let sent = world.receive(A, &request("INVITE", "sip:bob@b.example", call, 1, "", &[], ""));
    let invite = only(&sent, "INVITE").clone();
    let text = respond(&invite, "302 Moved Temporarily", "tb", &[])
        .replace(&format!("Contact: <sip:bob@{B}>"), &format!("Contact: {}", contacts.join(", ")));
    world.receive(B, &text)
}

fn acknowledge(world: &mut World, call: &str) {
    world.receive(A, &request("ACK", "sip:bob@b.example", call, 1, "x", &[], ""));
}

#[test]
fn by_default_the_caller_hears_of_it() {
    let mut world = World::with(&redirecting("pass"));
    let sent = redirected(&mut world, "r1", &["<sip:bob@c.example>"]);
    assert_eq!(only(&sent, "SIP/2.0 302").header("Contact"), "<sip:bob@c.example>");
    acknowledge(&mut world, "r1");
    world.assert_quiet();
}

#[test]
fn a_route_that_allows_none_makes_it_a_480() {
    let mut world = World::with(&redirecting("reject"));
    let sent = redirected(&mut world, "r2", &["<sip:bob@c.example>"]);
    let answer = only(&sent, "SIP/2.0 480");
    assert!(answer.headers("Contact").is_empty(), "the caller learns no address");
    assert_eq!(answer.header("Reason"), "Q.850;cause=23;text=\"forward.redirect_refused\"");
    let record = &world.records()[0];
    assert_eq!((record.reason, record.attempts[0].status), (Some("forward.redirect_refused"), Some(302)));
    acknowledge(&mut world, "r2");
    world.assert_quiet();
}

#[test]
fn a_contact_that_the_policy_routes_is_followed() {
    let mut world = World::with(&redirecting("recurse"));
    let sent = redirected(&mut world, "r3", &["\"Bob\" <sip:bob@c.example>;q=0.7"]);
    only(&sent, "ACK");
    let followed = only(&sent, "INVITE sip:bob@c.example SIP/2.0").clone();
    assert_eq!(followed.to, C.parse().unwrap());
    only(&world.receive(C, &respond(&followed, "200 OK", "tc", &[])), "SIP/2.0 200");
    world.advance(43_300_000);
    let record = &world.records()[0];
    assert_eq!((record.outcome, record.peer_out.as_deref()), (Outcome::Answered, Some("carrier_c")));
    assert_eq!(
        (record.route.as_deref(), record.request_uri_out.as_deref()),
        (Some("to_c"), Some("sip:bob@c.example"))
    );
    world.assert_quiet();
}

#[test]
fn contacts_are_tried_by_their_q_and_the_best_answer_counts() {
    let mut world = World::with(&redirecting("recurse"));
    let contacts =
        ["<sip:last@c.example>;q=0.1", "<sip:first@c.example>;q=0.9", "<sip:second@c.example>;q=0.5"];
    let mut sent = redirected(&mut world, "r4", &contacts);
    for user in ["first", "second", "last"] {
        let invite = only(&sent, &format!("INVITE sip:{user}@c.example")).clone();
        sent = world.receive(C, &respond(&invite, "486 Busy Here", "tc", &[]));
    }
    only(&sent, "SIP/2.0 486");
    acknowledge(&mut world, "r4");
    world.assert_quiet();
}

#[test]
fn nobody_who_is_not_configured_is_ever_sent_to() {
    for contact in [
        "<sip:bob@nowhere.example>",
        "<sip:bob@192.0.2.99>",
        "<sip:bob@198.51.100.20:9>",
        "<sip:bob@ibcf.a.example>",
        "<sip:bob@192.0.2.1>",
        "<sip:bob@c.example?Route=%3Csip:x%3E>",
        "<sip:bob@c.example;method=BYE>",
        "<mailto:bob@c.example>",
        "<sip:+449012345678@c.example;user=phone>",
        "<sip:bob@b.example>",
    ] {
        let mut world = World::with(&redirecting("recurse"));
        let sent = redirected(&mut world, "r5", &[contact]);
        assert_eq!(only(&sent, "SIP/2.0 302").header("Contact"), contact, "it goes back as it came");
        assert!(sent.iter().all(|sent| !sent.start().starts_with("INVITE")), "{contact}");
        acknowledge(&mut world, "r5");
        world.assert_quiet();
    }
}

#[test]
fn an_address_of_a_peers_target_is_followed() {
    let mut world = World::with(&redirecting("recurse"));
    let sent = redirected(&mut world, "r6", &[&format!("<sip:bob@{C}>")]);
    let followed = only(&sent, &format!("INVITE sip:bob@{C}")).clone();
    assert_eq!(followed.to, C.parse().unwrap());
    world.receive(C, &respond(&followed, "486 Busy Here", "tc", &[]));
    acknowledge(&mut world, "r6");
    world.assert_quiet();
}

#[test]
fn redirects_that_point_at_each_other_end() {
    let mut world = World::with(&redirecting("recurse"));
    let mut sent = redirected(&mut world, "r7", &["<sip:1@c.example>"]);
    let mut followed = 0;
    while let Some(invite) = sent.iter().find(|sent| sent.start().starts_with("INVITE")).cloned() {
        followed += 1;
        let next = format!("Contact: <sip:{}@c.example>, <sip:bob@b.example>", followed + 1);
        let text = respond(&invite, "302 Moved Temporarily", "tc", &[])
            .replace(&format!("Contact: <sip:bob@{C}>"), &next);
        sent = world.receive(C, &text);
    }
    assert_eq!(followed, 5, "so many Contacts are followed for one call");
    only(&sent, "SIP/2.0 302");
    acknowledge(&mut world, "r7");
    world.assert_quiet();
}

#[test]
fn a_contact_with_a_number_is_looked_up_like_any_number() {
    let mut world = World::with(&redirecting("recurse"));
    let sent = redirected(&mut world, "r8", &["<tel:+441632960083>"]);
    assert_eq!(sent.len(), 1, "parked, after the ACK");
    let sent = world.answer(EnumOutcome::Found, &["sip:+441632960083@c.example;user=phone"], 0);
    let followed = only(&sent, "INVITE sip:+441632960083@c.example").clone();
    let sent = world.receive(C, &respond(&followed, "503 Service Unavailable", "tc", &[]));
    only(&sent, "SIP/2.0 500");
    acknowledge(&mut world, "r8");
    world.assert_quiet();
}

#[test]
fn a_number_that_nobody_knows_gives_the_redirect_back() {
    let mut policy = redirecting("recurse");
    policy["routes"].as_array_mut().unwrap().pop(); // without the transit for unknown numbers
    let mut world = World::with(&policy);
    redirected(&mut world, "r9", &["<tel:+441632960083>"]);
    only(&world.answer(EnumOutcome::NotFound, &[], 0), "SIP/2.0 302");
    acknowledge(&mut world, "r9");
    world.assert_quiet();
}

#[test]
fn after_the_contacts_the_next_uri_of_enum_is_tried() {
    let mut policy = redirecting("recurse");
    policy["routes"][2]["action"]["failover_statuses"] = json!([503]);
    policy["routes"][3]["action"]["failover_statuses"] = json!([480]);
    let mut world = World::with(&policy);
    world.receive(A, &request("INVITE", "tel:+441632960083", "r10", 1, "", &[], ""));
    let sent = world.answer(EnumOutcome::Found, &["sip:1@b.example", "sip:2@b.example"], 0);
    let first = only(&sent, "INVITE sip:1@b.example").clone();
    let text = respond(&first, "302 Moved Temporarily", "tb", &[])
        .replace(&format!("Contact: <sip:bob@{B}>"), "Contact: <sip:x@c.example>");
    let sent = world.receive(B, &text);
    let followed = only(&sent, "INVITE sip:x@c.example").clone();
    let sent = world.receive(C, &respond(&followed, "480 Temporarily Unavailable", "tc", &[]));
    let second = only(&sent, "INVITE sip:2@b.example").clone();
    only(&world.receive(B, &respond(&second, "200 OK", "tb", &[])), "SIP/2.0 200");
    world.advance(43_300_000);
    assert_eq!(world.records()[0].number.as_deref(), Some("+441632960083"));
    world.assert_quiet();
}

#[test]
fn a_cancelled_call_follows_nobody() {
    let mut world = World::with(&redirecting("recurse"));
    let sent = world.receive(A, &request("INVITE", "sip:bob@b.example", "r11", 1, "", &[], ""));
    let invite = only(&sent, "INVITE").clone();
    world.receive(B, &respond(&invite, "180 Ringing", "tb", &[]));
    world.receive(A, &request("CANCEL", "sip:bob@b.example", "r11", 1, "", &[], ""));
    let text = respond(&invite, "302 Moved Temporarily", "tb", &[])
        .replace(&format!("Contact: <sip:bob@{B}>"), "Contact: <sip:x@c.example>");
    let sent = world.receive(B, &text);
    assert!(sent.iter().all(|sent| !sent.start().starts_with("INVITE")));
    acknowledge(&mut world, "r11");
    world.assert_quiet();
}
