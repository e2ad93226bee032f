//! The torture messages of RFC 4475 and RFC 5118 at the parser: for each of them the outcome that we chose, and why.
//!
//! The messages are our own, written for the same defects and named as in the RFCs. Where the originals are at hand
//! (`../shared/conformance` beside the repository), they are read as well and must come out the same.
//!
//! `Accept` means that the parser has nothing against the message. What the stages behind it say (416, 420, 483, no
//! transaction) stands in the reason.

#![allow(clippy::needless_raw_string_hashes)] // one form for all messages, quotes or not

#[path = "torture/application.rs"]
mod application;
#[path = "torture/invalid.rs"]
mod invalid;
#[path = "torture/ipv6.rs"]
mod ipv6;
#[path = "torture/valid.rs"]
mod valid;

use std::path::Path;

use ibcf_sip::message::HeaderIndex;
use ibcf_sip::parse::{check, parse};
use ibcf_sip::snapshot::Limits;

/// What the parser does with a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    /// Nothing against it.
    Accept,
    /// A request that is answered with this status.
    Reject(u16),
    /// Neither answered nor forwarded.
    Drop,
}

/// One message, its outcome, and why.
struct Case {
    name: &'static str,
    clause: &'static str,
    outcome: Outcome,
    reason: &'static str,
    /// Lines end with LF here; see [`wire`].
    text: &'static str,
}

/// A body for messages that need one.
const SESSION: &str = "v=0\no=- 4711 1 IN IP4 198.51.100.7\ns=-\nc=IN IP4 198.51.100.7\nt=0 0\nm=audio 40000 RTP/AVP 8 0\na=ptime:20\n";

/// Makes the wire form: `@head METHOD` stands for the mandatory headers, `@session` for a body, `@length` for its length,
/// `@NUL` and `@BEL` for those bytes, `@600x` for 600 letters.
fn wire(text: &str) -> Vec<u8> {
    let mut lines = String::new();
    for line in text.trim_start_matches('\n').split_inclusive('\n') {
        match line.strip_prefix("@head ") {
            Some(method) => {
                lines.push_str(
                    "Via: SIP/2.0/UDP 192.0.2.14:5062;branch=z9hG4bK-t0-77e1\nMax-Forwards: 70\n\
                     From: \"A\" <sip:a@alpha.example>;tag=90f2\nTo: <sip:b@beta.example>\nCall-ID: t0.5512@192.0.2.14\nCSeq: 21 ",
                );
                lines.push_str(method);
            }
            None => lines.push_str(line),
        }
    }
    let text = lines.replace("@session", SESSION).replace("@600x", &"x".repeat(600));
    let text = text.replace("@NUL", "\0").replace("@BEL", "\x07").replace('\n', "\r\n");
    let length = text.split_once("\r\n\r\n").map_or(0, |(_, body)| body.len());
    text.replace("@length", &length.to_string()).into_bytes()
}

fn outcome(bytes: &[u8]) -> Outcome {
    let limits = Limits::default();
    let mut index = HeaderIndex::default();
    let Ok(message) = parse(bytes, &limits, &mut index) else { return Outcome::Drop };
    match check(&message, &limits) {
        Ok(()) => Outcome::Accept,
        Err(fault) if message.request().is_some() => Outcome::Reject(fault.reason.entry().status),
        Err(_) => Outcome::Drop, // a response with a fault is dropped (RFC 3261 §18.3)
    }
}

fn cases() -> impl Iterator<Item = &'static Case> {
    [valid::CASES, invalid::CASES, application::CASES, ipv6::CASES].into_iter().flatten()
}

#[test]
fn our_messages_come_out_as_chosen() {
    let wrong: Vec<String> = cases()
        .map(|case| (case, outcome(&wire(case.text))))
        .filter(|(case, outcome)| *outcome != case.outcome)
        .map(|(case, outcome)| {
            format!("{} ({}): {outcome:?}, want {:?}: {}", case.name, case.clause, case.outcome, case.reason)
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_table_is_whole() {
    let names: std::collections::BTreeSet<_> = cases().map(|case| case.name).collect();
    assert_eq!(names.len(), cases().count(), "a name stands twice");
    // 49 messages of RFC 4475, its archive's `test` and the mended `baddn`; 12 of RFC 5118.
    assert_eq!(cases().filter(|case| case.clause.starts_with("RFC 4475")).count(), 51);
    assert_eq!(cases().filter(|case| case.clause.starts_with("RFC 5118")).count(), 12);
    assert!(cases().all(|case| !case.reason.is_empty()));
}

#[test]
#[allow(clippy::disallowed_macros)] // a test may say that it had nothing to read
fn the_originals_come_out_the_same() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/conformance");
    if !folder.is_dir() {
        println!("skipped: no ../shared/conformance beside the repository");
        return;
    }
    let mut wrong = Vec::new();
    let mut read = 0;
    for case in cases() {
        let set = if case.clause.starts_with("RFC 5118") { "rfc5118" } else { "rfc4475" };
        let bytes = std::fs::read(folder.join(set).join(case.name).with_extension("dat"))
            .expect("every case has its original");
        read += 1;
        let outcome = outcome(&bytes);
        if outcome != case.outcome {
            wrong.push(format!("{}: {outcome:?}, want {:?}: {}", case.name, case.outcome, case.reason));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let stored = ["rfc4475", "rfc5118"]
        .iter()
        .map(|set| std::fs::read_dir(folder.join(set)).expect("a folder").count())
        .sum::<usize>();
    assert_eq!(read, stored, "an original has no case");
}
