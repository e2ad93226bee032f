//! What happens between an INVITE and its answer passes end to end, in order (RFC 3262, 3311, 3312, 6228; PX-61).
//!
//! ```text
//!     A                          border                       B
//!     | INVITE 100rel, precondition ----------------------->  |
//!     | <------------------------- 183 tag 1, RSeq 7, qos     |
//!     | PRACK, RAck 7 -------------------------------------> |
//!     | <---------------------------------------- 200        |
//!     | UPDATE, qos ---------------------------------------> |
//!     | <---------------------------------------- 200        |
//!     | <------------------------- 180 tag 2 (forked)        |
//!     | <------------------------- 199 tag 1                 |
//!     | <------------------------- 200 tag 2                 |
//! ```

mod support;

use support::*;

const OFFER: &str = "v=0\r\na=curr:qos local none\r\na=des:qos mandatory local sendrecv\r\n";

fn with_body(response: &str, body: &str) -> String {
    response.replace("Content-Length: 0\r\n\r\n", &format!("Content-Length: {}\r\n\r\n{body}", body.len()))
}

/// A request of A inside the early dialog that *provisional* set up.
fn inside(provisional: &Sent, method: &str, cseq: u32, tag: &str, extra: &[&str], body: &str) -> String {
    let lines = routes(provisional);
    let mut all: Vec<&str> = lines.iter().map(String::as_str).collect();
    all.extend(extra);
    request(method, &format!("sip:bob@{B}"), "e", cseq, tag, &all, body)
}

#[test]
fn prack_update_and_preconditions_cross_untouched() {
    let mut world = World::new();
    let extra = ["Require: precondition", "Supported: 100rel", "Allow: PRACK, UPDATE"];
    let sent = world.receive(A, &request("INVITE", "sip:bob@b.example", "e", 1, "", &extra, OFFER));
    let invite = only(&sent, "INVITE").clone();
    assert_eq!(invite.header("Require"), "precondition");
    assert!(invite.text.ends_with(OFFER));

    let reliable =
        respond(&invite, "183 Session Progress", "t1", &["Require: 100rel, precondition", "RSeq: 7"]);
    let sent = world.receive(B, &with_body(&reliable, OFFER));
    let progress = only(&sent, "SIP/2.0 183").clone();
    assert_eq!((progress.header("RSeq"), progress.header("Require")), ("7", "100rel, precondition"));
    assert!(progress.text.ends_with(OFFER));
    assert_eq!(world.receive(B, &with_body(&reliable, OFFER)).len(), 1, "until the PRACK, each copy passes");

    let sent = world.receive(A, &inside(&progress, "PRACK", 2, "t1", &["RAck: 7 1 INVITE"], ""));
    let prack = only(&sent, "PRACK").clone();
    assert_eq!((prack.to, prack.header("RAck")), (B.parse().unwrap(), "7 1 INVITE"));
    only(&world.receive(B, &respond(&prack, "200 OK", "", &[])), "SIP/2.0 200");

    let sent = world.receive(A, &inside(&progress, "UPDATE", 3, "t1", &[], OFFER));
    let update = only(&sent, "UPDATE").clone();
    assert!(update.text.ends_with(OFFER));
    only(&world.receive(B, &respond(&update, "200 OK", "", &[])), "SIP/2.0 200");

    let back: Vec<String> =
        invite.headers("Record-Route").iter().map(|value| format!("Route: {value}")).collect();
    let back: Vec<&str> = back.iter().map(String::as_str).collect();
    let sent = world
        .receive(B, &from_side(B, "t1", "UPDATE", &format!("sip:alice@{A}"), "e", 1, "fa", &back, OFFER));
    let update = only(&sent, "UPDATE").clone();
    assert_eq!(update.to, A.parse().unwrap());
    only(&world.receive(A, &respond(&update, "200 OK", "", &[])), "SIP/2.0 200");

    only(&world.receive(B, &respond(&invite, "200 OK", "t1", &[])), "SIP/2.0 200");
    world.advance(43_300_000);
    assert_eq!(world.records().len(), 1);
    world.assert_quiet();
}

#[test]
fn a_precondition_that_fails_comes_back_as_580() {
    let mut world = World::new();
    let sent = world
        .receive(A, &request("INVITE", "sip:bob@b.example", "e", 1, "", &["Require: precondition"], OFFER));
    let invite = only(&sent, "INVITE").clone();
    let sent = world.receive(B, &respond(&invite, "580 Precondition Failure", "t1", &[]));
    only(&sent, "SIP/2.0 580");
    world.receive(A, &request("ACK", "sip:bob@b.example", "e", 1, "t1", &[], ""));
    world.assert_quiet();
}

#[test]
fn provisional_responses_of_a_fork_behind_us_pass_in_their_order() {
    let mut world = World::new();
    let sent = world
        .receive(A, &request("INVITE", "sip:bob@b.example", "e", 1, "", &["Supported: 100rel, 199"], ""));
    let invite = only(&sent, "INVITE").clone();
    let come = [
        ("183 Session Progress", "t1", "RSeq: 1"),
        ("183 Session Progress", "t2", "RSeq: 1"),
        ("180 Ringing", "t1", "RSeq: 2"),
        ("181 Call Is Being Forwarded", "t3", "RSeq: 1"),
        ("199 Early Dialog Terminated", "t1", "Reason: SIP;cause=486"),
        ("182 Queued", "t2", "RSeq: 2"),
    ];
    let mut passed = Vec::new();
    for (status, tag, line) in come {
        for sent in world.receive(B, &respond(&invite, status, tag, &[line])) {
            passed.push((sent.start().to_owned(), sent.header("To").to_owned(), sent.text.contains(line)));
        }
    }
    let expected: Vec<_> = come
        .iter()
        .map(|(status, tag, _)| (format!("SIP/2.0 {status}"), format!("<sip:bob@b.example>;tag={tag}"), true))
        .collect();
    assert_eq!(passed, expected);
    only(&world.receive(B, &respond(&invite, "200 OK", "t2", &[])), "SIP/2.0 200");
    assert!(world.receive(B, &respond(&invite, "180 Ringing", "t3", &[])).is_empty(), "late");
    assert!(world.receive(B, &respond(&invite, "199 Early Dialog Terminated", "t3", &[])).is_empty());
    world.advance(43_300_000);
    assert_eq!(world.records().len(), 1);
    world.assert_quiet();
}

#[test]
fn a_prack_for_an_early_dialog_of_a_call_that_failed_is_still_carried() {
    let mut world = World::new();
    let sent =
        world.receive(A, &request("INVITE", "sip:bob@b.example", "e", 1, "", &["Supported: 100rel"], ""));
    let invite = only(&sent, "INVITE").clone();
    let sent =
        world.receive(B, &respond(&invite, "183 Session Progress", "t1", &["Require: 100rel", "RSeq: 1"]));
    let progress = only(&sent, "SIP/2.0 183").clone();
    world.receive(B, &respond(&invite, "486 Busy Here", "t1", &[]));
    world.receive(A, &request("ACK", "sip:bob@b.example", "e", 1, "t1", &[], ""));
    let sent = world.receive(A, &inside(&progress, "PRACK", 2, "t1", &["RAck: 1 1 INVITE"], ""));
    let prack = only(&sent, "PRACK").clone();
    only(&world.receive(B, &respond(&prack, "481 Call/Transaction Does Not Exist", "", &[])), "SIP/2.0 481");
    world.assert_quiet();
}
