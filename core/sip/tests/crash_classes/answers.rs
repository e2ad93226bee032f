//! Classes 21 and 26: what comes back from the outside world, and what goes out to it as JSON.

use super::*;
use ibcf_sip::Input;
use ibcf_sip::event::{CDR_HEAD, CallLineForm, CallRecord, Event, NodeNames, write_call_line, write_cdr};
use ibcf_sip::input::{Answer, AnswerBody, EnumOutcome};
use ibcf_sip::output::QuestionId;

/// Class 21: candidates that are no URIs, are huge, are many, or are none; answers twice, and to nothing.
#[test]
fn hostile_answers_of_enum() {
    let mut victim = Victim::new();
    let long = format!("sip:{}@b.example", "u".repeat(70_000));
    let many: Vec<&str> = vec!["sip:bob@b.example"; 5_000];
    let injected = "sip:bob@b.example SIP/2.0\r\nX: y\r\n\r\n";
    // What cannot be used is no answer: routing goes on as for a number that nobody knows, here to C.
    let candidates: [(&[&str], &str); 12] = [
        (&["sip:bob@b.example"], B),
        (&many, B),
        (&["sip:bob@b.example?Route=%3Csip:x%3E", "", "sip:bob@b.example"], B),
        (&[], C),
        (&[""], C),
        (&["sip:"], C),
        (&["bob@b.example", "<sip:bob@b.example>", "mailto:bob@b.example"], C),
        (&["sip:bob@b.example?Route=%3Csip:x%3E"], C),
        (&["sip:bob@b.example:65536"], C),
        (&[injected], C),
        (&["\0", "\u{1f600}"], C),
        (&[&long], C),
    ];
    for (nth, (candidates, wanted)) in candidates.iter().enumerate() {
        for ttl_ms in [0, u64::MAX] {
            let number = format!("tel:+44163296{nth:04}{}", u8::from(ttl_ms > 0));
            victim.world.receive(A, &request("INVITE", &number, &format!("n{nth}t{ttl_ms}"), 1, "", &[], ""));
            let id = victim.world.questions[0].id;
            let sent = victim.world.answer(EnumOutcome::Found, candidates, ttl_ms);
            assert_eq!(did(&sent), Did::Forward, "{nth}");
            let invite = only(&sent, "INVITE");
            assert_eq!(invite.to, wanted.parse().unwrap(), "{nth}: {}", invite.start());
            let uri = if *wanted == B { "sip:bob@b.example" } else { &number };
            assert_eq!(invite.start(), format!("INVITE {uri} SIP/2.0"));
            let body = || AnswerBody::Enum {
                outcome: EnumOutcome::Found,
                class: "FOUND".to_owned(),
                candidates: vec!["sip:late@b.example".to_owned()],
                ttl_ms: 0,
            };
            for id in [id, QuestionId(0), QuestionId(u64::MAX), QuestionId(id.0 ^ 1 << 40)] {
                let late = victim.world.handle(Input::Answer(Answer { id, body: body() }));
                assert!(late.is_empty(), "an answer to nothing");
            }
        }
    }
    assert!(victim.world.metric("ibcf_questions_total", &["late"]) > 0);
    victim.world.advance(400_000);
    victim.assert_well();
}

/// Class 26 (CVE-2026-45538): what hostile messages leave in events and records is JSON that reads back, of a bounded size.
#[test]
fn hostile_messages_become_good_json() {
    let mut victim = Victim::new();
    let noise: Vec<u8> = (0..=255).filter(|byte| !matches!(byte, b'\r' | b'\n' | 0)).collect();
    let noise = String::from_utf8_lossy(&noise).into_owned();
    let nested = "[{\"".repeat(800);
    for value in
        ["\\u0000\\ud800", "\u{202e}\u{feff}", "\"}],{\"a\":", &nested, &noise, "\x01\x02\x7f", "\\", "é"]
    {
        for (from, to) in [
            ("\"Alice\" <sip:alice@a.example>", format!("\"x\" <sip:{value}@a.example>")),
            ("Contact:", format!("P-Asserted-Identity: <sip:{value}@a.example>\r\nContact:")),
            ("Contact:", format!("Session-ID: {value}\r\nReason: {value}\r\nContact:")),
            ("INVITE sip:bob@b.example", format!("INVITE sip:{value}@b.example")),
            ("INVITE sip:bob@b.example", format!("INV{value} sip:bob@b.example")),
            ("Call-ID: c#", format!("Call-ID: {value}#")),
            ("Max-Forwards: 70", format!("{value}: 70")),
        ] {
            victim.send(&invite().replacen(from, &to, 1));
            let sent = victim.world.sent();
            if let Some(invite) = sent.iter().find(|sent| sent.start().starts_with("INVITE")) {
                victim.world.receive(B, &respond(invite, &format!("486 {value}"), "tb", &[]));
            }
        }
    }
    victim.world.advance(400_000);
    let records = victim.world.records().len();
    assert!(
        records > 20 && victim.world.events.len() > records,
        "{records} of {}",
        victim.world.events.len()
    );
    for event in &victim.world.events {
        let (json, key) = match event {
            Event::CallFinished(packed) => (cdr(&packed.record()), "record"),
            event => (serde_json::to_vec(event).expect("an event is JSON"), "event"),
        };
        let read: serde_json::Value = serde_json::from_slice(&json).expect("and reads back");
        assert!(read[key].is_string());
        let bound = if matches!(event, Event::MessageRefused { .. }) { 1_000 } else { 60_000 };
        assert!(json.len() < bound, "{} bytes: {:.300}", json.len(), String::from_utf8_lossy(&json));
    }
    victim.assert_well();
}

fn cdr(record: &CallRecord<'_>) -> Vec<u8> {
    let names = NodeNames { node: "n".to_owned(), address: "192.0.2.9:5060".to_owned() };
    let mut line = format!("{CDR_HEAD}1").into_bytes();
    write_cdr(record, &names, &mut line);
    let mut log_line = Vec::new();
    write_call_line(record, CallLineForm { unix_ms: 1, node: "n", masked: true }, &mut log_line);
    serde_json::from_slice::<serde_json::Value>(&log_line).expect("the log line reads too");
    line
}
