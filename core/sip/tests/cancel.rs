//! The caller gives up: CANCEL in the states in which it can arrive (RFC 3261 §9, §16.10).
//!
//! ```text
//!     A                 border                 B
//!     | INVITE ---------> | INVITE ----------> |
//!     | <-------- 180     | <-------- 180      |
//!     | CANCEL ---------> | CANCEL ----------> |
//!     | <--- 200 (CANCEL) | <--- 200 (CANCEL)  |
//!     | <-------- 487     | <-------- 487      |
//!     | ACK ------------> | ACK -------------> |
//! ```

mod support;

use ibcf_sip::event::Outcome;
use ibcf_sip::input::EnumOutcome;
use support::*;

#[test]
fn a_ringing_call_is_cancelled() {
    let mut world = World::new();
    let sent = world.receive(A, &request("INVITE", "sip:bob@b.example", "c1", 1, "", &[], ""));
    let invite = only(&sent, "INVITE").clone();
    world.receive(B, &respond(&invite, "180 Ringing", "tb", &[]));
    let sent = world
        .receive(A, &request("CANCEL", "sip:bob@b.example", "c1", 1, "", &["Reason: SIP;cause=200"], ""));
    assert_eq!(only(&sent, "SIP/2.0 200").header("CSeq"), "1 CANCEL");
    let cancel = only(&sent, "CANCEL sip:bob@b.example").clone();
    assert_eq!(cancel.header("Via"), invite.header("Via"), "the branch of the INVITE");
    assert_eq!(cancel.header("Reason"), "SIP;cause=200");
    world.receive(B, &respond(&cancel, "200 OK", "tb", &[]));
    let sent = world.receive(B, &respond(&invite, "487 Request Terminated", "tb", &[]));
    assert_eq!(only(&sent, "ACK").to, B.parse().unwrap());
    assert_eq!(only(&sent, "SIP/2.0 487").to, A.parse().unwrap());
    assert!(world.receive(A, &request("ACK", "sip:bob@b.example", "c1", 1, "tb", &[], "")).is_empty());
    let records = world.records();
    assert_eq!((records.len(), records[0].outcome, records[0].status), (1, Outcome::Cancelled, 487));
    assert_eq!(records[0].release_reason.as_deref(), Some("SIP;cause=200"));
    world.assert_quiet();
}

#[test]
fn a_cancel_before_any_response_waits_for_one() {
    let mut world = World::new();
    let sent = world.receive(A, &request("INVITE", "sip:bob@b.example", "c2", 1, "", &[], ""));
    let invite = only(&sent, "INVITE").clone();
    let sent = world.receive(A, &request("CANCEL", "sip:bob@b.example", "c2", 1, "", &[], ""));
    assert_eq!(sent.len(), 1, "200 to the CANCEL only");
    let sent = world.receive(B, &respond(&invite, "100 Trying", "", &[]));
    assert_eq!(sent.len(), 1);
    only(&sent, "CANCEL");
    world.receive(B, &respond(&invite, "487 Request Terminated", "tb", &[]));
    assert_eq!(world.records()[0].outcome, Outcome::Cancelled);
    world.assert_quiet();
}

#[test]
fn a_200_that_crosses_the_cancel_wins() {
    let mut world = World::new();
    let sent = world.receive(A, &request("INVITE", "sip:bob@b.example", "c3", 1, "", &[], ""));
    let invite = only(&sent, "INVITE").clone();
    world.receive(B, &respond(&invite, "180 Ringing", "tb", &[]));
    world.receive(A, &request("CANCEL", "sip:bob@b.example", "c3", 1, "", &[], ""));
    let sent = world.receive(B, &respond(&invite, "200 OK", "tb", &[]));
    only(&sent, "SIP/2.0 200");
    world.advance(43_300_000);
    assert_eq!(world.records().len(), 1);
    assert_eq!(world.records()[0].outcome, Outcome::Answered);
    world.assert_quiet();
}

#[test]
fn a_cancel_for_nothing_gets_481() {
    let mut world = World::new();
    let sent = world.receive(A, &request("CANCEL", "sip:bob@b.example", "c5", 1, "", &[], ""));
    only(&sent, "SIP/2.0 481");
    assert_eq!(world.metric("ibcf_rejections_total", &["forward.no_transaction"]), 1);
    world.assert_quiet();
}

#[test]
fn a_cancel_while_enum_is_asked_ends_the_call_at_once() {
    let mut world = World::new();
    let sent = world.receive(A, &request("INVITE", "tel:+441632960083", "c6", 1, "", &[], ""));
    assert_eq!(sent.len(), 1);
    let sent = world.receive(A, &request("CANCEL", "tel:+441632960083", "c6", 1, "", &[], ""));
    only(&sent, "SIP/2.0 200");
    only(&sent, "SIP/2.0 487");
    let late = world.answer(EnumOutcome::Found, &["sip:+441632960083@b.example;user=phone"], 60_000);
    assert!(late.is_empty(), "the answer finds nobody waiting");
    world.receive(A, &request("ACK", "tel:+441632960083", "c6", 1, "x", &[], ""));
    assert_eq!(world.records().len(), 1);
    world.assert_quiet();
}

#[test]
fn a_cancelled_call_that_never_confirms_ends_after_64_t1() {
    let mut world = World::new();
    let sent = world.receive(A, &request("INVITE", "sip:bob@b.example", "c7", 1, "", &[], ""));
    let invite = only(&sent, "INVITE").clone();
    world.receive(B, &respond(&invite, "180 Ringing", "tb", &[]));
    world.receive(A, &request("CANCEL", "sip:bob@b.example", "c7", 1, "", &[], ""));
    let sent = world.advance(32_100);
    assert!(sent.iter().any(|sent| sent.start().starts_with("CANCEL")), "the CANCEL is repeated");
    assert!(sent.iter().any(|sent| sent.start().starts_with("SIP/2.0 487")));
    world.assert_quiet();
}

#[test]
fn ringing_longer_than_timer_c_is_called_off() {
    let mut world = World::new();
    let sent = world.receive(A, &request("INVITE", "sip:bob@b.example", "c8", 1, "", &[], ""));
    let invite = only(&sent, "INVITE").clone();
    world.receive(B, &respond(&invite, "180 Ringing", "tb", &[]));
    world.advance(100_000);
    world.receive(B, &respond(&invite, "180 Ringing", "tb", &[]));
    assert!(world.advance(184_000).is_empty(), "a provisional response starts Timer C anew");
    let sent = world.advance(1_200);
    let cancel = only(&sent, "CANCEL").clone();
    world.receive(B, &respond(&cancel, "200 OK", "tb", &[]));
    let sent = world.receive(B, &respond(&invite, "487 Request Terminated", "tb", &[]));
    only(&sent, "SIP/2.0 487");
    assert_eq!(world.records()[0].reason, Some("forward.timer_c"));
    world.assert_quiet();
}

#[test]
fn provisional_responses_without_end_leave_no_timers_behind() {
    let mut world = World::new();
    let sent = world.receive(A, &request("INVITE", "sip:bob@b.example", "c9", 1, "", &[], ""));
    let invite = only(&sent, "INVITE").clone();
    let before = world.metric("ibcf_timers_pending", &[]);
    for _ in 0..1_000 {
        world.receive(B, &respond(&invite, "183 Session Progress", "tb", &[]));
    }
    assert_eq!(world.metric("ibcf_timers_pending", &[]), before);
}

#[test]
fn a_200_after_our_own_487_makes_no_second_record() {
    let mut world = World::new();
    let sent = world.receive(A, &request("INVITE", "sip:bob@b.example", "c10", 1, "", &[], ""));
    let invite = only(&sent, "INVITE").clone();
    world.receive(B, &respond(&invite, "180 Ringing", "tb", &[]));
    world.receive(A, &request("CANCEL", "sip:bob@b.example", "c10", 1, "", &[], ""));
    let sent = world.advance(32_100);
    assert!(sent.iter().any(|sent| sent.start().starts_with("SIP/2.0 487")));
    assert!(world.receive(B, &respond(&invite, "200 OK", "tb", &[])).is_empty(), "one final response");
    assert_eq!(world.metric("ibcf_dialogs_tracked", &[]), 0, "nobody is in that call");
    world.advance(43_300_000);
    assert_eq!(world.records().len(), 1);
    assert_eq!(world.records()[0].outcome, Outcome::Cancelled);
    world.assert_quiet();
}

#[test]
fn a_peer_that_was_tried_cannot_cancel_the_call_at_the_next() {
    let mut world = World::new();
    let invite = request("INVITE", "sip:bob@b.example", "c11", 1, "", &[], "");
    let sent = world.receive(A, &invite);
    let first = only(&sent, "INVITE").clone();
    let sent = world.receive(B, &respond(&first, "503 Service Unavailable", "tb", &[]));
    let second = only(&sent, "INVITE").clone();
    world.receive(C, &respond(&second, "180 Ringing", "tc", &[]));
    // B saw the Via of A in the INVITE that it refused.
    let forged = request("CANCEL", "sip:bob@b.example", "c11", 1, "", &[], "");
    only(&world.receive(B, &forged), "SIP/2.0 481");
    only(&world.receive(C, &respond(&second, "200 OK", "tc", &[])), "SIP/2.0 200");
}
