//! Strict routers before and behind us (RFC 3261 §16.4, §16.6 (6), §16.12.1.3).
//!
//! ```text
//!     strict router            border                       B (strict)
//!     | BYE <our Record-Route>   |                            |
//!     |   Route: ..., bob@B ---> | BYE bob@B ---------------> |
//!     |                          |                            |
//!     | BYE bob@B                | BYE <strict>               |
//!     |   Route: us, strict ---> |   Route: bob@B ----------> |
//! ```

mod support;

use support::*;

/// The URI in a Route line.
fn uri(line: &str) -> &str {
    let (_, rest) = line.split_once('<').unwrap();
    rest.split_once('>').unwrap().0
}

#[test]
fn a_request_that_a_strict_router_turned_around_is_turned_back() {
    let mut world = World::new();
    let (_, answer) = answered_call(&mut world, "s1");
    let lines = routes(&answer);
    assert_eq!(lines.len(), 2, "a pair, since the listeners differ (RFC 5658)");
    let last = format!("Route: <sip:bob@{B}>");
    let sent = world.receive(A, &request("BYE", uri(&lines[0]), "s1", 2, "tb", &[&lines[1], &last], ""));
    let bye = only(&sent, &format!("BYE sip:bob@{B} SIP/2.0"));
    assert_eq!((bye.to, bye.headers("Route").len()), (B.parse().unwrap(), 0), "{}", bye.text);
    world.receive(B, &respond(bye, "200 OK", "", &[]));
    assert_eq!(world.records().len(), 1);
    world.assert_quiet();
}

#[test]
fn its_ack_finds_the_way_too() {
    let mut world = World::new();
    let (_, answer) = answered_call(&mut world, "s2");
    let lines = routes(&answer);
    let both = format!("{}, <sip:bob@{B}>", lines[1]);
    let sent = world.receive(A, &request("ACK", uri(&lines[0]), "s2", 1, "tb", &[&both], ""));
    only(&sent, &format!("ACK sip:bob@{B} SIP/2.0"));
}

#[test]
fn our_uri_without_a_route_is_no_work_of_a_strict_router() {
    let mut world = World::new();
    let (_, answer) = answered_call(&mut world, "s3");
    let lines = routes(&answer);
    let sent = world.receive(A, &request("BYE", uri(&lines[0]), "s3", 2, "tb", &[], ""));
    only(&sent, "SIP/2.0 481");
}

#[test]
fn a_strict_router_behind_us_finds_itself_in_the_request_uri() {
    let mut world = World::new();
    let (_, answer) = answered_call(&mut world, "s4");
    let mut lines = routes(&answer);
    lines.push(format!("Route: <sip:strict@{B}>, <sip:loose.b.example;lr>"));
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    let target = "sip:bob@10.0.0.1";
    let sent = world.receive(A, &request("INFO", target, "s4", 2, "tb", &lines, ""));
    let info = only(&sent, &format!("INFO sip:strict@{B} SIP/2.0"));
    assert_eq!(info.to, B.parse().unwrap());
    assert_eq!(info.headers("Route"), ["<sip:loose.b.example;lr>", "<sip:bob@10.0.0.1>"]);
}

#[test]
fn a_route_in_an_initial_request_changes_no_request_uri() {
    let mut world = World::new();
    let extra = ["Route: <sip:+449012345678@b.example>"];
    let sent = world.receive(A, &request("INVITE", "sip:bob@b.example", "s5", 1, "", &extra, ""));
    only(&sent, "INVITE sip:bob@b.example SIP/2.0");
}
