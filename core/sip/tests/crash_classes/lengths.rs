//! Classes 5, 12, 15 and 24: numbers and lengths at and above their bounds.

use super::*;

/// Class 5: every way to write a Content-Length. The body in the datagram has five octets.
#[test]
fn content_length() {
    let mut victim = Victim::new();
    let text = request("INVITE", "sip:bob@b.example", "c#", 1, "", &[], "v=0\r\n");
    for (lines, wanted) in [
        ("Content-Length: 5", Did::Forward),
        ("l:5", Did::Forward),
        ("Content-Length: 0000000000000005", Did::Forward),
        ("Content-Length:\r\n 5", Did::Forward),
        ("Content-Length : \t5 ", Did::Forward),
        ("X: no length at all", Did::Forward),
        ("Content-Length: 0", Did::Forward), // the octets behind are not part of it (RFC 3261 §18.3)
        ("Content-Length: 4", Did::Forward),
        ("Content-Length: 6", Did::Answer(400)),
        ("Content-Length: 65535", Did::Answer(400)),
        ("Content-Length: 2147483647", Did::Answer(400)),
        ("Content-Length: 2147483648", Did::Answer(400)),
        ("Content-Length: 4294967291", Did::Answer(400)),
        ("Content-Length: 4294967295", Did::Answer(400)),
        ("Content-Length: 4294967296", Did::Answer(400)),
        ("Content-Length: 4294967301", Did::Answer(400)),
        ("Content-Length: 4294967328", Did::Answer(400)),
        ("Content-Length: 18446744073709551615", Did::Answer(400)),
        ("Content-Length: 18446744073709551616", Did::Answer(400)),
        ("Content-Length: 18446744073709551621", Did::Answer(400)),
        ("Content-Length: 99999999999999999999999999999999999999999", Did::Answer(400)),
        ("Content-Length: -1", Did::Answer(400)),
        ("Content-Length: -5", Did::Answer(400)),
        ("Content-Length: +5", Did::Answer(400)),
        ("Content-Length: 5 5", Did::Answer(400)),
        ("Content-Length: 5\r\n 5", Did::Answer(400)),
        ("Content-Length: 5,5", Did::Answer(400)),
        ("Content-Length: 5;x", Did::Answer(400)),
        ("Content-Length: 0x5", Did::Answer(400)),
        ("Content-Length: 5.0", Did::Answer(400)),
        ("Content-Length: \u{665}", Did::Answer(400)),
        ("Content-Length: five", Did::Answer(400)),
        ("Content-Length:", Did::Answer(400)),
        ("Content-Length: 5\r\nContent-Length: 5", Did::Answer(400)),
        ("Content-Length: 5\r\nContent-Length: 0", Did::Answer(400)),
        ("Content-Length: 5\r\nl: 4294967296", Did::Answer(400)),
        ("l: 0\r\nCONTENT-LENGTH :5", Did::Answer(400)),
    ] {
        let did = victim.send(&text.replace("Content-Length: 5", lines));
        assert_eq!(did, wanted, "{lines}");
        if did == Did::Forward {
            let sent = victim.world.sent();
            let invite = only(&sent, "INVITE");
            let (_, body) = invite.text.split_once("\r\n\r\n").expect("a blank line");
            let wanted = if lines.ends_with(": 0") {
                ""
            } else if lines.ends_with(": 4") {
                "v=0\r"
            } else {
                "v=0\r\n"
            };
            assert_eq!(body, wanted, "{lines}");
        }
    }
    victim.assert_well();
}

/// Class 5 at a response: one that cannot be framed is dropped and counted, and the next good one is taken.
#[test]
fn content_length_of_responses() {
    let mut world = World::new();
    let sent = world.receive(A, &request("INVITE", "sip:bob@b.example", "c1", 1, "", &[], ""));
    let invite = only(&sent, "INVITE").clone();
    let answer = respond(&invite, "200 OK", "tb", &[]);
    let lengths =
        ["1", "-1", "4294967296", "18446744073709551616", "0\r\nContent-Length: 0", "0\r\nl: 7", "", "+0"];
    for (nth, length) in lengths.iter().enumerate() {
        let bad = answer.replace("Content-Length: 0", &format!("Content-Length: {length}"));
        assert!(world.receive(B, &bad).is_empty(), "{length}");
        assert_eq!(world.metric("ibcf_messages_dropped_total", &[]), nth as u64 + 1, "{length}");
    }
    only(&world.receive(B, &answer), "SIP/2.0 200");
}

/// Class 12: identifiers grow octet by octet, around every power of two and around the limits.
#[test]
fn identifiers_by_one_byte_steps() {
    type Place = (&'static str, fn(&str) -> String);
    const PLACES: [Place; 9] = [
        ("Call-ID: c#@a.example", |x| format!("Call-ID: {x}#")),
        ("branch=z9hG4bKc#1INVITE", |x| format!("branch=z9hG4bK{x}#")),
        (";tag=fa", |x| format!(";tag={x}")),
        ("\"Alice\"", |x| format!("\"{x}\"")),
        ("SIP/2.0/UDP 192.0.2.10:5060", |x| format!("SIP/2.0/UDP {x}")),
        ("To: <sip:bob@b.example>", |x| format!("To: <sip:{x}@b.example>")),
        ("Contact: <sip:alice@192.0.2.10:5060>", |x| format!("Contact: <sip:alice@192.0.2.10:5060;{x}={x}>")),
        ("Max-Forwards: 70", |x| format!("Max-Forwards: 70\r\nX-{x}: {x}")),
        ("Contact: <sip:alice@192.0.2.10:5060>", |x| {
            format!("Contact: <sip:{x}@192.0.2.10>\r\nP-Charging-Vector: icid-value={x}")
        }),
    ];
    let steps = || (1..300).chain([511, 512, 513, 1023, 1024, 1025, 2047, 2048, 2049, 4095, 4096, 4097]);
    let mut victim = Victim::new();
    let text = invite();
    for (from, make) in PLACES {
        assert!(text.contains(from), "{from}");
        for length in steps() {
            let did = victim.send(&text.replacen(from, &make(&"x".repeat(length)), 1));
            // two of them stand on one line where the place repeats them
            assert!(
                did == Did::Forward || did == Did::Answer(513) && length > 4_000,
                "{from} {length}: {did:?}"
            );
        }
    }
    victim.assert_well();
}

/// Class 12 at the limits: one octet below passes, one above is told that it is too large.
#[test]
fn identifiers_at_their_limits() {
    let limits = Limits::default();
    let mut victim = Victim::new();
    let text = invite();
    for (length, wanted) in [
        (limits.header_line_bytes_max - 1, Did::Forward),
        (limits.header_line_bytes_max, Did::Forward),
        (limits.header_line_bytes_max + 1, Did::Answer(513)),
    ] {
        let line = format!("X: {}\r\n", "y".repeat(length - 5));
        assert_eq!(line.len(), length);
        assert_eq!(
            victim.send(&text.replace("Max-Forwards", &format!("{line}Max-Forwards"))),
            wanted,
            "{length}"
        );
    }
    for (length, wanted) in [
        (limits.uri_bytes_max - 1, Did::Forward),
        (limits.uri_bytes_max, Did::Forward),
        (limits.uri_bytes_max + 1, Did::Answer(513)),
    ] {
        let uri = format!("sip:{}@b.example", "u".repeat(length - "sip:@b.example".len()));
        assert_eq!(
            victim.send(&text.replace("INVITE sip:bob@b.example", &format!("INVITE {uri}"))),
            wanted,
            "{length}"
        );
    }
    victim.assert_well();
}

/// Class 15: lists that never end, as many lines and as one. Each is refused above its limit, or passes byte for byte.
#[test]
fn lists_of_thousands() {
    let mut victim = Victim::new();
    let text = invite();
    for (name, value) in [
        ("Via", "SIP/2.0/UDP a"),
        ("Route", "<sip:b>"),
        ("Record-Route", "<sip:b>"),
        ("Contact", "<sip:b>"),
        ("P-Asserted-Identity", "<sip:b>"),
        ("History-Info", "<sip:b>"),
        ("Diversion", "<sip:b>"),
        ("Proxy-Require", "timer"),
        ("Supported", "x"),
        ("X-Other", "y"),
    ] {
        for count in [10, 100, 1_000, 3_000] {
            let lines =
                format!("{name}: {value}\r\n").repeat(count.min(60_000 / (name.len() + value.len() + 4)));
            let did = victim.send(&text.replace("Max-Forwards", &format!("{lines}Max-Forwards")));
            let is_large = count > 100 || count == 100 && matches!(name, "Via" | "Route" | "Record-Route");
            assert_eq!(did == Did::Answer(513), is_large, "{count} lines of {name}: {did:?}");
            let list = vec![value; count].join(",");
            let did = victim.send(&text.replace("Max-Forwards", &format!("{name}: {list}\r\nMax-Forwards")));
            let is_known = matches!(did, Did::Forward | Did::Answer(400 | 403 | 420 | 482 | 513));
            assert!(is_known, "{count} values of {name}: {did:?}");
            if list.len() > 8_192 {
                assert_eq!(did, Did::Answer(513), "{count} values of {name}");
            }
        }
    }
    victim.assert_well();
}

/// Class 24 (RFC 3261 §8.1.1.5): a sequence number fits into 31 bits.
#[test]
fn cseq_at_its_bounds() {
    let mut victim = Victim::new();
    for name in ["INVITE", "OPTIONS", "MESSAGE"] {
        for (number, is_good) in [
            ("0", true),
            ("1", true),
            ("2147483646", true),
            ("2147483647", true),
            ("2147483648", false),
            ("4294967295", false),
            ("4294967296", false),
            ("4294967297", false),
            ("18446744073709551617", false),
            ("-1", false),
            ("", false),
        ] {
            let text = method(name).replace(&format!("CSeq: 1 {name}"), &format!("CSeq: {number} {name}"));
            let wanted = if is_good { Did::Forward } else { Did::Answer(400) };
            assert_eq!(victim.send(&text), wanted, "{number} {name}");
        }
    }
    victim.assert_well();
}

/// Class 24 inside a dialog: the last number passes; the one behind it does not wrap to a small one, it is refused.
#[test]
fn cseq_does_not_wrap_in_a_dialog() {
    let mut world = World::new();
    let (_, answer) = answered_call(&mut world, "c1");
    let lines = routes(&answer);
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    let update = request("UPDATE", &format!("sip:bob@{B}"), "c1", 2, "tb", &lines, "");
    let numbered = |number: &str| {
        update.replace("CSeq: 2", &format!("CSeq: {number}")).replace("bKc1", &format!("bKc{number}"))
    };
    let sent = world.receive(A, &numbered("2147483647"));
    let sent = world.receive(B, &respond(only(&sent, "UPDATE"), "200 OK", "", &[]));
    only(&sent, "SIP/2.0 200");
    for number in ["2147483648", "4294967296", "4294967298"] {
        only(&world.receive(A, &numbered(number)), "SIP/2.0 400");
    }
}
