//! A call that enters as datagrams and leaves over a connection, and back.
//!
//! ```text
//!     A                 border                 B
//!     | INVITE (UDP) ---> |                    |
//!     | <-------- 100     | INVITE (TCP) ----> |   once, whatever the silence
//!     | <-------- 200     | <-------- 200      |
//!     | ACK (UDP) ------> | ACK (TCP) -------> |
//!     | <--- INVITE (UDP) | <---- INVITE (TCP) |   inside the dialog, on the connection of B
//! ```

mod support;

use ibcf_sip::event::Outcome;
use ibcf_sip::parse::{Frame, Framer};
use ibcf_sip::snapshot::{ListenerIndex, Transport};
use ibcf_sip::{ConnectionId, Flow, Input};
use serde_json::{Value, json};
use support::*;

const HOME_TCP: ListenerIndex = ListenerIndex(2);
const PEER_TCP: ListenerIndex = ListenerIndex(3);

/// The usual policy, with a TCP listener beside each UDP one, and *transport* towards B.
fn streams(transport: &str) -> Value {
    let mut policy = policy();
    let mut add = |id: &str, side: &str, address: &str| {
        let listener = json!({"id": id, "side": side, "transport": "tcp", "address": address});
        policy["listeners"].as_array_mut().unwrap().push(listener);
    };
    add("home_tcp", "home", BORDER_HOME);
    add("peer_tcp", "peer", BORDER_PEER);
    for (peer, listener) in [(0, "home_tcp"), (1, "peer_tcp"), (2, "peer_tcp")] {
        policy["peers"][peer]["listeners"].as_array_mut().unwrap().push(json!(listener));
    }
    policy["peers"][1]["targets"][0]["transport"] = json!(transport);
    policy
}

fn connection(listener: ListenerIndex, remote: &str, number: u64) -> Flow {
    let remote = remote.parse().expect("an address");
    Flow { listener, remote, connection: Some(ConnectionId(number)), peer: None }
}

/// A message comes in over a connection, cut out of the stream as it is in life.
fn receive_over(world: &mut World, flow: Flow, text: &str) -> Vec<Sent> {
    let limits = world.border.snapshot().limits;
    let (mut framer, mut input) = (Framer::default(), text.as_bytes());
    let mut sent = Vec::new();
    while let Some(frame) = framer.next(&mut input, &limits) {
        sent.extend(match frame {
            Frame::Message(bytes) => world.handle(Input::Message { flow, bytes }),
            Frame::Broken { head, fault } => world.handle(Input::Broken { flow, head, fault }),
            Frame::Ping => Vec::new(),
        });
    }
    sent
}

fn long_body() -> String {
    "a=x\r\n".repeat(400)
}

fn invite(call: &str, body: &str) -> String {
    request("INVITE", "sip:bob@b.example", call, 1, "", &[], body)
}

fn unreachable(world: &mut World, sent: &Sent) -> Vec<Sent> {
    world.handle(Input::Unreachable { destination: sent.to, excerpt: sent.text.as_bytes() })
}

#[test]
fn a_request_over_a_connection_is_sent_once_and_says_how_long_it_is() {
    let mut world = World::with(&streams("tcp"));
    let without_length = invite("c1", "v=0\r\n").replace("Content-Length: 5\r\n", "");
    let sent = world.receive(A, &without_length);
    let invite = only(&sent, "INVITE ").clone();
    assert_eq!((invite.listener, invite.to), (PEER_TCP, B.parse().unwrap()));
    let via = invite.header("Via");
    assert!(via.starts_with("SIP/2.0/TCP 198.51.100.1:5060;branch=z9hG4bK"), "{via}");
    assert_eq!(invite.headers("Content-Length"), ["5"]);
    assert!(invite.text.ends_with("\r\n\r\nv=0\r\n"));
    let routes = invite.headers("Record-Route");
    assert_eq!(routes[0], "<sip:198.51.100.1:5060;transport=tcp;lr>", "each side finds its own transport");
    assert!(routes[1].ends_with("@192.0.2.1:5060;lr>"), "{routes:?}");
    let later = world.advance(31_000);
    assert!(later.iter().all(|sent| !sent.start().starts_with("INVITE sip:bob@b")), "nothing is sent again");
    let next = world.advance(1_400);
    assert_eq!(only(&next, "INVITE ").to, C.parse().unwrap(), "silence is a failure all the same");
}

#[test]
fn a_call_keeps_to_the_transport_of_each_side() {
    let mut world = World::with(&streams("tcp"));
    let sent = world.receive(A, &invite("c1", "v=0\r\n"));
    let invite = only(&sent, "INVITE ").clone();
    let from_b = connection(PEER_TCP, B, 7);
    let answer = respond(&invite, "200 OK", "tb", &[]);
    let sent = receive_over(&mut world, from_b, &answer);
    let answer = only(&sent, "SIP/2.0 200").clone();
    assert_eq!(answer.listener, HOME);
    let route_lines = routes(&answer);
    let route_lines: Vec<&str> = route_lines.iter().map(String::as_str).collect();
    let contact = format!("sip:bob@{B};transport=tcp");
    let ack = world.receive(A, &request("ACK", &contact, "c1", 1, "tb", &route_lines, ""));
    assert_eq!((only(&ack, "ACK ").listener, only(&ack, "ACK ").to), (PEER_TCP, B.parse().unwrap()));
    // B's route set is the request's, top first.
    let routes_of_b: Vec<String> =
        invite.headers("Record-Route").iter().map(|route| format!("Route: {route}")).collect();
    let routes_of_b: Vec<&str> = routes_of_b.iter().map(String::as_str).collect();
    let bye = from_side(B, "tb", "BYE", &format!("sip:alice@{A}"), "c1", 2, "fa", &routes_of_b, "");
    let bye = bye.replace("SIP/2.0/UDP", "SIP/2.0/TCP");
    let sent = receive_over(&mut world, from_b, &bye);
    let forwarded = only(&sent, "BYE ").clone();
    assert_eq!((forwarded.listener, forwarded.to), (HOME, A.parse().unwrap()));
    let done = respond(&forwarded, "200 OK", "", &[]).replace("Content-Length: 0\r\n", "");
    world.receive(A, &done);
    let last = world.out.sends().last().expect("the answer").clone();
    assert_eq!(last.flow.connection, Some(ConnectionId(7)), "back on the connection that it came on");
    assert_eq!(last.flow.remote, B.parse().unwrap(), "or else to the sent-by address");
    let text = String::from_utf8_lossy(world.out.bytes(&last)).into_owned();
    assert!(text.contains("Content-Length: 0\r\n"), "{text}");
    assert_eq!(world.records().len(), 1);
    world.assert_quiet();
}

#[test]
fn an_answer_whose_connection_may_be_gone_names_the_sent_by_port_not_the_one_it_came_from() {
    let mut world = World::with(&streams("udp"));
    let from_a = connection(HOME_TCP, "192.0.2.10:40000", 1);
    let options = request("OPTIONS", "sip:192.0.2.1:5060;transport=tcp", "c1", 1, "", &[], "");
    for (via, port) in
        [("TCP 192.0.2.10:5062;rport", 5062), ("TCP 192.0.2.10", 5060), ("TCP a.example:5070", 5070)]
    {
        let options =
            options.replace(&format!("UDP {A};branch=z9hG4bKc1"), &format!("{via};branch=z9hG4bK{port}"));
        receive_over(&mut world, from_a, &options);
        let last = world.out.sends().last().expect("an answer").clone();
        assert_eq!(last.flow.connection, Some(ConnectionId(1)));
        assert_eq!(last.flow.remote, format!("192.0.2.10:{port}").parse().unwrap());
        let text = String::from_utf8_lossy(world.out.bytes(&last)).into_owned();
        assert!(text.starts_with("SIP/2.0 200"), "{text}");
    }
}

#[test]
fn a_request_too_long_for_a_datagram_goes_by_tcp_and_falls_back_to_udp_before_another_target() {
    let mut world = World::with(&streams("udp"));
    let sent = world.receive(A, &invite("c1", &long_body()));
    let by_tcp = only(&sent, "INVITE ").clone();
    assert_eq!((by_tcp.listener, by_tcp.to), (PEER_TCP, B.parse().unwrap()));
    assert!(by_tcp.header("Via").starts_with("SIP/2.0/TCP "), "{}", by_tcp.header("Via"));
    assert!(by_tcp.headers("Record-Route")[0].contains(";transport=tcp"));
    let sent = unreachable(&mut world, &by_tcp);
    let by_udp = only(&sent, "INVITE ").clone();
    assert_eq!((by_udp.listener, by_udp.to), (PEER, B.parse().unwrap()));
    assert!(by_udp.header("Via").starts_with("SIP/2.0/UDP "), "{}", by_udp.header("Via"));
    assert!(!by_udp.headers("Record-Route")[0].contains("transport"));
    assert_ne!(by_udp.header("Via"), by_tcp.header("Via"));
    assert!(unreachable(&mut world, &by_tcp).is_empty(), "its end is told once");
    // The datagram is sent again as any other; what TCP took not.
    assert_eq!(only(&world.advance(600), "INVITE ").text, by_udp.text);
    // Now the next target, over TCP first again.
    let sent = unreachable(&mut world, &by_udp);
    let next = only(&sent, "INVITE ").clone();
    assert_eq!((next.listener, next.to), (PEER_TCP, C.parse().unwrap()));
    let sent = receive_over(&mut world, connection(PEER_TCP, C, 3), &respond(&next, "486 Busy", "tc", &[]));
    assert_eq!(only(&sent, "SIP/2.0 486").to, A.parse().unwrap());
    let record = &world.records()[0];
    let tries: Vec<_> =
        record.attempts.iter().map(|tried| (&*tried.target, tried.status, tried.reason)).collect();
    let gone = Some("forward.unreachable");
    assert_eq!(tries, [("b1", None, gone), ("b1", None, gone), ("c1", Some(486), None)]);
    assert_eq!(record.outcome, Outcome::Failed);
    let ack = request("ACK", "sip:bob@b.example", "c1", 1, "tc", &[], "");
    world.receive(A, &ack);
    world.assert_quiet();
}

#[test]
fn the_fallback_costs_no_attempt() {
    let mut policy = streams("udp");
    policy["routes"][2]["action"]["attempts_max"] = json!(1);
    let mut world = World::with(&policy);
    let sent = world.receive(A, &invite("c1", &long_body()));
    let sent = unreachable(&mut world, only(&sent, "INVITE "));
    let by_udp = only(&sent, "INVITE ").clone();
    assert_eq!(by_udp.listener, PEER);
    let sent = unreachable(&mut world, &by_udp);
    assert!(only(&sent, "SIP/2.0 5").start().starts_with("SIP/2.0 5"), "one target, one attempt");
}

#[test]
fn a_branch_of_a_fork_falls_back_with_its_place_and_its_part_in_the_fork() {
    let mut policy = streams("udp");
    policy["peers"][1]["limits"] = json!({"calls_max": 1});
    policy["routes"][2]["action"] = json!({"kind": "route", "fork": "parallel",
        "to": [{"peer": "carrier_b", "priority": 1}, {"peer": "carrier_c", "priority": 1}]});
    let mut world = World::with(&policy);
    let towards = |sent: &[Sent], to: &str| {
        let invites = sent.iter().filter(|sent| sent.start().starts_with("INVITE"));
        invites.filter(|sent| sent.to == to.parse().unwrap()).cloned().collect::<Vec<_>>()
    };
    let sent = world.receive(A, &invite("c1", &long_body()));
    let (by_tcp, at_c) = (towards(&sent, B), towards(&sent, C));
    let sent = unreachable(&mut world, &by_tcp[0]);
    let by_udp = towards(&sent, B);
    assert_eq!((by_udp.len(), by_udp[0].listener), (1, PEER));
    let sent = world.receive(A, &invite("c2", ""));
    assert!(towards(&sent, B).is_empty(), "the one place with B is taken");
    world.receive(C, &respond(&towards(&sent, C)[0], "486 Busy Here", "tc", &[]));
    let sent = world.receive(B, &respond(&by_udp[0], "486 Busy Here", "tb", &[]));
    assert_eq!(sent.len(), 1, "C is still asked");
    let over = connection(PEER_TCP, C, 3);
    only(&receive_over(&mut world, over, &respond(&at_c[0], "486 Busy Here", "tc", &[])), "SIP/2.0 486");
    for call in ["c1", "c2"] {
        world.receive(A, &request("ACK", "sip:bob@b.example", call, 1, "x", &[], ""));
    }
    world.assert_quiet();
}

#[test]
fn a_long_request_stays_a_datagram_where_nothing_else_is_agreed() {
    let no_listener = {
        let mut policy = streams("udp");
        policy["peers"][1]["listeners"] = json!(["peer_udp"]);
        policy
    };
    let (mut longer, mut unlimited) = (streams("udp"), streams("udp"));
    longer["agreements"][1]["datagram_bytes_max"] = json!(60_000);
    unlimited["agreements"][1]["datagram_bytes_max"] = Value::Null;
    for policy in [no_listener, longer, unlimited] {
        let mut world = World::with(&policy);
        let sent = world.receive(A, &invite("c1", &long_body()));
        assert_eq!(only(&sent, "INVITE ").listener, PEER);
    }
    let mut world = World::with(&streams("udp"));
    let sent = world.receive(A, &invite("c1", "short"));
    assert_eq!(only(&sent, "INVITE ").listener, PEER);
}

#[test]
fn a_long_request_inside_a_dialog_goes_by_tcp_and_falls_back_too() {
    let mut world = World::with(&streams("udp"));
    let sent = world.receive(A, &invite("c1", "v=0\r\n"));
    let first = only(&sent, "INVITE ").clone();
    let sent = world.receive(B, &respond(&first, "200 OK", "tb", &[]));
    let route_lines = routes(only(&sent, "SIP/2.0 200"));
    let route_lines: Vec<&str> = route_lines.iter().map(String::as_str).collect();
    let target = format!("sip:bob@{B}");
    let info = request("INFO", &target, "c1", 2, "tb", &route_lines, &long_body());
    let sent = world.receive(A, &info);
    let by_tcp = only(&sent, "INFO ").clone();
    assert_eq!((by_tcp.listener, by_tcp.to), (PEER_TCP, B.parse().unwrap()));
    let sent = unreachable(&mut world, &by_tcp);
    let by_udp = only(&sent, "INFO ").clone();
    assert_eq!((by_udp.listener, by_udp.to), (PEER, B.parse().unwrap()));
    let sent = world.receive(B, &respond(&by_udp, "200 OK", "", &[]));
    only(&sent, "SIP/2.0 200");
    // The ACK to a 2xx has no transaction that could fall back, so it does not try.
    let ack = request("ACK", &target, "c1", 1, "tb", &route_lines, &long_body());
    assert_eq!(only(&world.receive(A, &ack), "ACK ").listener, PEER);
}

#[test]
fn a_connection_is_reused_for_requests_only_where_both_agreed() {
    let options = |via: &str| {
        request("OPTIONS", "sip:bob@b.example", "c1", 1, "", &[], "")
            .replace(&format!("SIP/2.0/UDP {A}"), &format!("SIP/2.0/TCP {via}"))
    };
    let from_a = connection(HOME_TCP, "192.0.2.10:40000", 5);
    let mut world = World::with(&streams("tcp"));
    let sent = receive_over(&mut world, from_a, &options("192.0.2.10:5066;alias"));
    assert!(world.out.aliases.is_empty(), "not agreed with A");
    assert!(!only(&sent, "OPTIONS ").header("Via").contains("alias"), "nor with B");
    let mut policy = streams("tcp");
    for agreement in [0, 1] {
        policy["agreements"][agreement]["connection_reuse"] = json!(true);
    }
    let mut world = World::with(&policy);
    let sent = receive_over(&mut world, from_a, &options("10.0.0.1:5066;alias"));
    let alias = (ConnectionId(5), "192.0.2.10:5066".parse().unwrap());
    assert_eq!(world.out.aliases, [alias], "the address is that of the connection, whatever the Via says");
    let via = only(&sent, "OPTIONS ").header("Via").to_owned();
    assert!(via.starts_with("SIP/2.0/TCP 198.51.100.1:5060;alias;branch="), "{via}");
    receive_over(&mut world, from_a, &options("192.0.2.10:5066").replace("Call-ID: c1", "Call-ID: c2"));
    assert!(world.out.aliases.is_empty(), "not asked for");
    let mut stranger = from_a;
    stranger.remote = STRANGER.parse().unwrap();
    receive_over(
        &mut world,
        stranger,
        &options("192.0.2.10:5066;alias").replace("Call-ID: c1", "Call-ID: c3"),
    );
    assert!(world.out.aliases.is_empty(), "a stranger takes nothing over");
    let datagram =
        request("OPTIONS", "sip:bob@b.example", "c4", 1, "", &[], "").replace(A, "192.0.2.10:5060;alias");
    let sent = world.receive(A, &datagram);
    assert!(world.out.aliases.is_empty(), "there is no connection");
    assert_eq!(world.border.snapshot().transport(only(&sent, "OPTIONS ").listener), Transport::Tcp);
}

#[test]
fn a_broken_stream_is_answered_if_it_holds_a_request_of_a_peer() {
    let from_a = connection(HOME_TCP, A, 9);
    let mut world = World::with(&streams("udp"));
    let broken = |length: &str| {
        request("INVITE", "sip:bob@b.example", "c1", 1, "", &[], "").replace("Content-Length: 0\r\n", length)
    };
    for (length, answer) in [
        ("", "SIP/2.0 400 "),
        ("Content-Length: -1\r\n", "SIP/2.0 400 "),
        ("Content-Length: 1\r\nl: 2\r\n", "SIP/2.0 400 "),
        ("Content-Length: 4294967296\r\n", "SIP/2.0 513 "),
        ("l: 99999999999999999999\r\n", "SIP/2.0 513 "),
    ] {
        let sent = receive_over(&mut world, from_a, &broken(length));
        assert_eq!(sent.len(), 1, "{length}");
        only(&sent, answer);
        assert_eq!(world.out.sends()[0].flow.connection, Some(ConnectionId(9)));
    }
    let quiet = [
        (A, "SIP/2.0 200 OK\r\nVia: SIP/2.0/TCP h\r\n\r\n".to_owned()),
        (A, broken("").replace("INVITE", "ACK")),
        (A, "GET / HTTP/1.1\r\n\r\n".to_owned()),
        (STRANGER, broken("")),
    ];
    for (from, stream) in quiet {
        let sent = receive_over(&mut world, connection(HOME_TCP, from, 9), &stream);
        assert!(sent.is_empty(), "{stream}: {sent:?}");
    }
    assert_eq!(world.metric("ibcf_rejections_total", &["carrier_a", "parse.malformed"]), 6);
    assert_eq!(world.metric("ibcf_rejections_total", &["carrier_a", "parse.too_large"]), 2);
    assert_eq!(world.metric("ibcf_messages_dropped_total", &[]), 4);
    world.assert_quiet();
}
