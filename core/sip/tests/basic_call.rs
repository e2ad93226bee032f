//! A call from carrier A to carrier B, and what each side sees of it.
//!
//! ```text
//!     A                 border                 B
//!     | INVITE ---------> |                    |
//!     | <-------- 100     | INVITE ----------> |
//!     | <-------- 180     | <-------- 180      |
//!     | <-------- 200     | <-------- 200      |
//!     | ACK ------------> | ACK -------------> |
//!     | BYE ------------> | BYE -------------> |
//!     | <-------- 200     | <-------- 200      |
//! ```

mod support;

use ibcf_sip::event::{Outcome, RecordKind, ReleasedBy};
use support::*;

#[test]
fn a_call_is_carried_and_leaves_one_record() {
    let mut world = World::new();
    let sent = world.receive(
        A,
        &request("INVITE", "sip:bob@b.example", "c1", 1, "", &["X-Unknown:  kept ;as=is"], "v=0\r\n"),
    );
    assert_eq!(only(&sent, "SIP/2.0 100").to, A.parse().unwrap());
    let invite = only(&sent, "INVITE sip:bob@b.example SIP/2.0").clone();
    assert_eq!((invite.to, invite.listener), (B.parse().unwrap(), PEER));
    assert_eq!(invite.headers("Via").len(), 2);
    assert!(
        invite.header("Via").starts_with("SIP/2.0/UDP 198.51.100.1:5060;rport;branch=z9hG4bK"),
        "{}",
        invite.header("Via")
    );
    assert_eq!(invite.header("Max-Forwards"), "69");
    assert!(invite.text.contains("X-Unknown:  kept ;as=is\r\n"), "unknown headers pass byte for byte");
    assert!(invite.text.ends_with("\r\n\r\nv=0\r\n"));
    let record_routes = invite.headers("Record-Route");
    assert!(
        record_routes[0].contains("@198.51.100.1:5060;lr>")
            || record_routes[0] == "<sip:198.51.100.1:5060;lr>"
    );
    assert!(record_routes[1].ends_with("@192.0.2.1:5060;lr>"), "{record_routes:?}");

    world.advance(300);
    let ringing = world.receive(B, &respond(&invite, "180 Ringing", "tb", &[]));
    let ringing = only(&ringing, "SIP/2.0 180");
    assert_eq!((ringing.to, ringing.listener), (A.parse().unwrap(), HOME));
    assert_eq!(ringing.headers("Via").len(), 1, "our Via is gone");
    world.advance(2_000);
    let answer = world.receive(B, &respond(&invite, "200 OK", "tb", &[]));
    let answer = only(&answer, "SIP/2.0 200").clone();
    assert!(world.records().is_empty(), "the record waits for the end of the call");

    let route_lines = routes(&answer);
    let route_lines: Vec<&str> = route_lines.iter().map(String::as_str).collect();
    let target = format!("sip:bob@{B}");
    let ack = world.receive(A, &request("ACK", &target, "c1", 1, "tb", &route_lines, ""));
    let ack = only(&ack, "ACK");
    assert_eq!(ack.to, B.parse().unwrap());
    assert!(ack.headers("Route").is_empty(), "our Route values are gone: {}", ack.text);

    world.advance(60_000);
    let bye = world.receive(
        A,
        &request(
            "BYE",
            &target,
            "c1",
            2,
            "tb",
            &[&route_lines[..], &["Reason: Q.850;cause=16"]].concat(),
            "",
        ),
    );
    let bye = only(&bye, "BYE").clone();
    let done = world.receive(B, &respond(&bye, "200 OK", "", &[]));
    assert_eq!(only(&done, "SIP/2.0 200").to, A.parse().unwrap());

    let records = world.records();
    assert_eq!(records.len(), 1);
    let record = &records[0];
    assert_eq!((record.record, record.outcome, record.status), (RecordKind::Call, Outcome::Answered, 200));
    assert_eq!((&*record.peer_in, record.peer_out.as_deref()), ("carrier_a", Some("carrier_b")));
    assert_eq!((record.direction, record.route.as_deref()), ("exit", Some("to_b")));
    let neighbour = record.neighbour.as_ref().expect("the peer that answered");
    assert_eq!((neighbour.trusted, neighbour.address), (true, B.parse().ok()));
    assert_eq!(record.ring_ms.unwrap() - record.start_ms, 300);
    assert_eq!(record.answer_ms.unwrap() - record.start_ms, 2_300);
    assert_eq!(record.end_ms - record.answer_ms.unwrap(), 60_000);
    assert_eq!(record.released_by, Some(ReleasedBy::Upstream));
    assert_eq!(record.release_reason.as_deref(), Some("Q.850;cause=16"));
    assert_eq!(record.attempts.len(), 1);
    assert_eq!(record.attempts[0].status, Some(200));
    assert_eq!(world.metric("ibcf_call_attempts_total", &["carrier_a", "answered"]), 1);
    assert_eq!(world.metric("ibcf_call_seconds_total", &["carrier_a"]), 60);
    world.assert_quiet();
}

#[test]
fn the_called_side_may_hang_up() {
    let mut world = World::new();
    let (invite, _) = answered_call(&mut world, "c2");
    let lines: Vec<String> =
        invite.headers("Record-Route").iter().map(|value| format!("Route: {value}")).collect();
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    let mut bye = from_side(B, "tb", "BYE", &format!("sip:alice@{A}"), "c2", 1, "fa", &lines, "");
    bye = bye.replace("From: \"Alice\" <sip:alice@a.example>;tag=tb", "From: <sip:bob@b.example>;tag=tb");
    let sent = world.receive(B, &bye);
    let bye = only(&sent, "BYE").clone();
    assert_eq!((bye.to, bye.listener), (A.parse().unwrap(), HOME));
    world.receive(A, &respond(&bye, "200 OK", "", &[]));
    assert_eq!(world.records()[0].released_by, Some(ReleasedBy::Downstream));
    world.assert_quiet();
}

#[test]
fn retransmissions_are_absorbed_on_both_sides() {
    let mut world = World::new();
    let invite_text = request("INVITE", "sip:bob@b.example", "c3", 1, "", &[], "");
    let sent = world.receive(A, &invite_text);
    let invite = only(&sent, "INVITE").clone();
    let again = world.receive(A, &invite_text);
    assert_eq!(again.len(), 1, "the last provisional, and nothing towards B");
    assert!(again[0].start().starts_with("SIP/2.0 100"));
    let resent = world.advance(1_600);
    let towards_b = resent.iter().filter(|sent| sent.text == invite.text).count();
    assert_eq!(towards_b, 2, "Timer A at 500 ms and 1500 ms");
    world.receive(B, &respond(&invite, "100 Trying", "", &[]));
    assert!(world.advance(10_000).is_empty(), "a provisional response stops Timer A");
    let answer = respond(&invite, "200 OK", "tb", &[]);
    assert_eq!(world.receive(B, &answer).len(), 1);
    assert_eq!(world.receive(B, &answer).len(), 1, "each 2xx is passed (RFC 6026)");
    assert!(world.receive(A, &invite_text).is_empty(), "an INVITE after the 2xx is absorbed");
    assert_eq!(world.metric("ibcf_sip_retransmissions_total", &["carrier_a", "received"]), 2);
    world.advance(43_300_000);
    assert_eq!(world.records().len(), 1, "the audit closes a call without a BYE");
    world.assert_quiet();
}

#[test]
fn several_early_dialogs_pass_with_their_tags() {
    let mut world = World::new();
    let sent = world.receive(A, &request("INVITE", "sip:bob@b.example", "c4", 1, "", &[], ""));
    let invite = only(&sent, "INVITE").clone();
    for tag in ["t1", "t2"] {
        let sent = world.receive(B, &respond(&invite, "183 Session Progress", tag, &[]));
        assert!(only(&sent, "SIP/2.0 183").header("To").ends_with(tag));
    }
    world.receive(B, &respond(&invite, "486 Busy Here", "t1", &[]));
    world.assert_quiet();
}

#[test]
fn a_200_that_comes_again_after_the_bye_makes_no_second_record() {
    let mut world = World::new();
    let (invite, answer) = answered_call(&mut world, "c5");
    let lines = routes(&answer);
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    let bye = world.receive(A, &request("BYE", &format!("sip:bob@{B}"), "c5", 2, "tb", &lines, ""));
    world.receive(B, &respond(only(&bye, "BYE"), "200 OK", "", &[]));
    assert_eq!(
        world.receive(B, &respond(&invite, "200 OK", "tb", &[])).len(),
        1,
        "it is passed on all the same"
    );
    world.advance(43_300_000);
    assert_eq!(world.records().len(), 1);
    world.assert_quiet();
}
