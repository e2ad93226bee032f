//! Requests inside a dialog: the sealed token alone says where they go, so a border that never saw the call serves them.
//!
//! ```text
//!     A              border 1          border 2             B
//!     | INVITE/200/ACK  |  ------------------------------->  |
//!     |                 x (restart)       |                  |
//!     | BYE ----------------------------> | BYE -----------> |
//! ```

mod support;

use serde_json::json;
use support::*;

fn lines(answer: &Sent) -> Vec<String> {
    routes(answer)
}

fn strs(lines: &[String]) -> Vec<&str> {
    lines.iter().map(String::as_str).collect()
}

fn target() -> String {
    format!("sip:bob@{B}")
}

#[test]
fn another_node_with_the_same_keys_serves_the_dialog() {
    let (_, answer) = answered_call(&mut World::new(), "c1");
    let mut restarted = World::new();
    let lines = lines(&answer);
    let sent = restarted.receive(A, &request("BYE", &target(), "c1", 2, "tb", &strs(&lines), ""));
    assert_eq!(only(&sent, "BYE").to, B.parse().unwrap());
}

#[test]
fn reinvite_update_prack_and_info_follow_the_token() {
    let mut world = World::new();
    let (_, answer) = answered_call(&mut world, "c2");
    let lines = lines(&answer);
    for (nth, method) in ["INVITE", "UPDATE", "PRACK", "INFO"].into_iter().enumerate() {
        let cseq = 2 + nth as u32;
        let sent = world.receive(A, &request(method, &target(), "c2", cseq, "tb", &strs(&lines), ""));
        let forwarded = only(&sent, method).clone();
        assert!(forwarded.headers("Route").is_empty());
        assert!(forwarded.headers("Record-Route").is_empty(), "the route set is fixed already");
        let sent = world.receive(B, &respond(&forwarded, "200 OK", "tb", &[]));
        only(&sent, "SIP/2.0 200");
    }
    let bye = world.receive(A, &request("BYE", &target(), "c2", 9, "tb", &strs(&lines), ""));
    world.receive(B, &respond(only(&bye, "BYE"), "200 OK", "", &[]));
    assert_eq!(world.records().len(), 1, "only the call makes a record");
    world.assert_quiet();
}

#[test]
fn a_route_behind_ours_is_followed_when_it_is_the_peers() {
    let mut world = World::new();
    let (_, answer) = answered_call(&mut world, "c3");
    let mut lines = lines(&answer);
    lines.push("Route: <sip:198.51.100.20:5070;lr>".to_owned());
    let sent =
        world.receive(A, &request("UPDATE", "sip:bob@10.9.9.9:5060", "c3", 2, "tb", &strs(&lines), ""));
    let update = only(&sent, "UPDATE");
    assert_eq!(update.to, "198.51.100.20:5070".parse().unwrap());
    assert_eq!(update.headers("Route"), ["<sip:198.51.100.20:5070;lr>"]);
}

#[test]
fn a_contact_elsewhere_cannot_aim_our_datagrams() {
    let mut world = World::new();
    let (_, answer) = answered_call(&mut world, "c4");
    let lines = lines(&answer);
    for (nth, contact) in ["sip:bob@203.0.113.99:25", "sip:bob@internal.example", "sip:bob@[2001:db8::1]:53"]
        .into_iter()
        .enumerate()
    {
        let sent =
            world.receive(A, &request("INFO", contact, &format!("c4{nth}"), 2, "tb", &strs(&lines), ""));
        assert_eq!(only(&sent, "INFO").to, B.parse().unwrap(), "{contact}: the peer's own target instead");
    }
}

#[test]
fn a_tampered_token_is_refused_at_every_character() {
    let mut world = World::new();
    let (_, answer) = answered_call(&mut world, "c5");
    let lines = lines(&answer);
    let line = lines.iter().find(|line| line.contains('@')).expect("a line with a token").clone();
    let (start, end) = (line.find("sip:").unwrap() + 4, line.find('@').unwrap());
    for at in start..end {
        let mut bytes = line.clone().into_bytes();
        bytes[at] = if bytes[at] == b'a' { b'b' } else { b'a' };
        let forged = String::from_utf8(bytes).unwrap();
        let sent = world.receive(A, &request("BYE", &target(), &format!("f{at}"), 2, "tb", &[&forged], ""));
        only(&sent, "SIP/2.0 403");
    }
    assert_eq!(world.metric("ibcf_topology_tokens_total", &["open", "refused"]), (end - start) as u64);
    assert_eq!(world.metric("ibcf_rejections_total", &["rewrite.token_invalid"]), (end - start) as u64);
}

#[test]
fn a_token_of_an_unknown_key_is_refused() {
    let (_, answer) = answered_call(&mut World::new(), "c6");
    let mut other = policy();
    other["keys"] = json!([{"id": 2, "secret": "22".repeat(32)}]);
    let mut world = World::with(&other);
    let lines = lines(&answer);
    let sent = world.receive(A, &request("BYE", &target(), "c6", 2, "tb", &strs(&lines), ""));
    only(&sent, "SIP/2.0 403");
}

#[test]
fn an_old_key_still_opens() {
    let (_, answer) = answered_call(&mut World::new(), "c7");
    let mut rotated = policy();
    rotated["keys"] = json!([{"id": 2, "secret": "22".repeat(32)}, {"id": 1, "secret": "11".repeat(32)}]);
    let mut world = World::with(&rotated);
    let lines = lines(&answer);
    let sent = world.receive(A, &request("BYE", &target(), "c7", 2, "tb", &strs(&lines), ""));
    only(&sent, "BYE");
}

#[test]
fn a_peer_outside_the_dialog_cannot_use_its_token() {
    let mut world = World::new();
    let (_, answer) = answered_call(&mut world, "c8");
    let lines = lines(&answer);
    let sent = world.receive(C, &from_side(C, "fa", "BYE", &target(), "c8", 2, "tb", &strs(&lines), ""));
    assert_eq!(only(&sent, "SIP/2.0 403").to, C.parse().unwrap());
    assert_eq!(world.metric("ibcf_rejections_total", &["rewrite.wrong_side"]), 1);
}

#[test]
fn without_a_token_there_is_no_dialog() {
    let mut world = World::new();
    let sent = world.receive(A, &request("BYE", &target(), "c9", 2, "tb", &[], ""));
    only(&sent, "SIP/2.0 481");
    assert!(
        world.receive(A, &request("ACK", &target(), "c9", 1, "tb", &[], "")).is_empty(),
        "an ACK is never answered"
    );
    world.assert_quiet();
}

#[test]
fn crossing_byes_end_the_call_once() {
    let mut world = World::new();
    let (invite, answer) = answered_call(&mut world, "c10");
    let lines = lines(&answer);
    let to_b = world.receive(A, &request("BYE", &target(), "c10", 2, "tb", &strs(&lines), ""));
    let back: Vec<String> =
        invite.headers("Record-Route").iter().map(|value| format!("Route: {value}")).collect();
    let bye = from_side(B, "tb", "BYE", &format!("sip:alice@{A}"), "c10", 1, "fa", &strs(&back), "");
    let to_a = world.receive(B, &bye);
    world.receive(B, &respond(only(&to_b, "BYE"), "481 Gone", "", &[]));
    world.receive(A, &respond(only(&to_a, "BYE"), "200 OK", "", &[]));
    assert_eq!(world.records().len(), 1);
    world.assert_quiet();
}

#[test]
fn one_listener_for_both_sides_needs_one_record_route() {
    let mut one = policy();
    one["listeners"] =
        json!([{"id": "home_udp", "side": "home", "transport": "udp", "address": BORDER_HOME}]);
    for peer in one["peers"].as_array_mut().unwrap() {
        peer["listeners"] = json!(["home_udp"]);
    }
    let mut world = World::with(&one);
    let sent = world.receive(A, &request("INVITE", "sip:bob@b.example", "c11", 1, "", &[], ""));
    assert_eq!(only(&sent, "INVITE").headers("Record-Route").len(), 1);
}

#[test]
fn a_contact_of_another_address_family_is_passed_over() {
    let mut dual = policy();
    dual["peers"][1]["sources"] = json!(["198.51.100.20/32", "2001:db8::20/128"]);
    let mut world = World::with(&dual);
    let (_, answer) = answered_call(&mut world, "c12");
    let lines = lines(&answer);
    let bye = request("BYE", "sip:bob@[2001:db8::20]:5060", "c12", 2, "tb", &strs(&lines), "");
    let sent = world.receive(A, &bye);
    assert_eq!(only(&sent, "BYE").to, B.parse().unwrap(), "the listener towards B has no IPv6");
}

#[test]
fn a_dialog_stays_with_the_target_that_took_it_when_its_contact_is_a_name() {
    let mut policy = policy();
    policy["peers"][1]["sources"] = json!(["198.51.100.0/24"]);
    policy["peers"][1]["targets"] = json!([{"id": "b1", "address": B, "priority": 1}, {"id": "b2", "address": "198.51.100.21:5060", "priority": 2}]);
    let mut world = World::with(&policy);
    let sent = world.receive(A, &request("INVITE", "sip:bob@b.example", "named", 1, "", &[], ""));
    let busy = respond(only(&sent, "INVITE"), "503 Service Unavailable", "x", &[]);
    let sent = world.receive(B, &busy);
    let second = only(&sent, "INVITE").clone();
    assert_eq!(second.to, "198.51.100.21:5060".parse().unwrap());
    let sent = world.receive("198.51.100.21:5060", &respond(&second, "200 OK", "tb", &[]));
    let answer = only(&sent, "SIP/2.0 200").clone();
    let lines = routes(&answer);
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    for method in ["ACK", "BYE"] {
        let cseq = if method == "ACK" { 1 } else { 2 };
        let text = request(method, "sip:bob@as7.b.example", "named", cseq, "tb", &lines, "");
        let sent = world.receive(A, &text);
        assert_eq!(only(&sent, method).to, second.to, "{method}");
    }
}
