//! One dialog crosses the border twice: each crossing is a call of its own, with its own record.
//!
//! ```text
//!     A              border              B (transit)          C
//!     | INVITE b ----> | INVITE b --------> |                  |
//!     |                | <------- INVITE c  |                  |
//!     |                | INVITE c --------------------------> |
//!     |                | <-------------------------- 200      |
//!     |                | 200 -------------> |                  |
//!     | <-------- 200  | <------------ 200  |                  |
//! ```

mod support;

use ibcf_sip::Input;
use serde_json::{Value, json};
use support::*;

fn transit_policy() -> Value {
    let mut policy = policy();
    let to_c = json!({"id": "to_c", "condition": {"domains": ["c.example"]}, "action": {"kind": "route", "to": [{"peer": "carrier_c"}]}});
    policy["routes"].as_array_mut().unwrap().insert(0, to_c);
    policy
}

/// Puts another hop's Via on top, as a proxy that sends the request on does.
fn proxied(request: &Sent, by: &str, uri: &str) -> String {
    let (start, rest) = request.text.split_once("\r\n").unwrap();
    let method = start.split(' ').next().unwrap();
    format!("{method} {uri} SIP/2.0\r\nVia: SIP/2.0/UDP {by};branch=z9hG4bKproxy{method}\r\n{rest}")
}

/// Takes the topmost Via off, as the proxy does on the way back.
fn returned(response: &Sent) -> String {
    let (start, rest) = response.text.split_once("\r\n").unwrap();
    let (_, rest) = rest.split_once("\r\n").unwrap();
    format!("{start}\r\n{rest}")
}

/// A calls B, B sends the call back through us to C, C answers; returns the 200 that B saw and the one that A saw.
fn spiralled(world: &mut World) -> (Sent, Sent) {
    let sent = world.receive(A, &request("INVITE", "sip:bob@b.example", "sp", 1, "", &[], ""));
    let to_b = only(&sent, "INVITE").clone();
    let sent = world.receive(B, &proxied(&to_b, B, "sip:bob@c.example"));
    let to_c = only(&sent, "INVITE").clone();
    assert_eq!(to_c.to, C.parse().unwrap());
    let sent = world.receive(C, &respond(&to_c, "200 OK", "tc", &[]));
    let at_b = only(&sent, "SIP/2.0 200").clone();
    assert_eq!(at_b.to, B.parse().unwrap());
    let sent = world.receive(B, &returned(&at_b));
    let at_a = only(&sent, "SIP/2.0 200").clone();
    (at_b, at_a)
}

#[test]
fn both_crossings_of_one_dialog_end_with_a_record() {
    let mut world = World::with(&transit_policy());
    let (_, at_a) = spiralled(&mut world);
    assert_eq!(world.metric("ibcf_dialogs_tracked", &[]), 2);
    let lines = routes(&at_a);
    let mine: Vec<&str> = lines.iter().map(String::as_str).collect();
    let sent = world.receive(A, &request("BYE", &format!("sip:bob@{B}"), "sp", 2, "tc", &mine[..2], ""));
    assert_eq!(only(&sent, "BYE").to, B.parse().unwrap());
    assert_eq!(world.records().len(), 1);
    let named = |world: &World, nth: usize| {
        let record = &world.records()[nth];
        (record.peer_in.clone(), record.peer_out.clone().unwrap())
    };
    assert_eq!(named(&world, 0), ("carrier_a".into(), "carrier_b".into()));
    let onward = request("BYE", &format!("sip:bob@{C}"), "sp", 2, "tc", &mine[2..], "")
        .replace(&format!("Via: SIP/2.0/UDP {A}"), &format!("Via: SIP/2.0/UDP {B}"));
    let onward = world.receive(B, &onward);
    assert_eq!(only(&onward, "BYE").to, C.parse().unwrap());
    assert_eq!(named(&world, 1), ("carrier_b".into(), "carrier_c".into()));
    assert_eq!(world.records().len(), 2);
    world.receive(C, &respond(only(&onward, "BYE"), "200 OK", "", &[]));
    world.receive(B, &respond(only(&sent, "BYE"), "200 OK", "", &[]));
    world.assert_quiet();
}

#[test]
fn both_crossings_that_nobody_ends_are_closed_in_time() {
    let mut world = World::with(&transit_policy());
    spiralled(&mut world);
    world.advance(43_300_000);
    assert_eq!(world.records().len(), 2);
    world.assert_quiet();
}

#[test]
fn a_stop_writes_the_records_of_both_crossings() {
    let mut world = World::with(&transit_policy());
    spiralled(&mut world);
    world.handle(Input::Close);
    assert_eq!(world.records().len(), 2);
    world.assert_quiet();
}
