//! Class 16: headers that look like another one. What a rule removes is gone in every spelling that any reader would take for
//! it, and what is no header at all is refused: so nothing that a filter looked over arrives behind it (SEC-12).

use super::*;
use ibcf_sip::message::HeaderId;
use serde_json::json;

/// A border that removes *name* from what comes from A.
fn removing(name: &str) -> World {
    let mut policy = policy();
    let rules = json!([{"id": "1", "header": name, "action": {"kind": "remove"}}]);
    policy["header_rules"] = json!([{"id": "strip", "rules": rules}]);
    policy["agreements"][0]["received_rules"] = json!(["strip"]);
    World::with(&policy)
}

/// Names that rules may remove.
fn removable() -> impl Iterator<Item = HeaderId> {
    const NEEDED: [HeaderId; 11] = [
        HeaderId::Via,
        HeaderId::Route,
        HeaderId::RecordRoute,
        HeaderId::CallId,
        HeaderId::CSeq,
        HeaderId::MaxForwards,
        HeaderId::ContentLength,
        HeaderId::Authorization,
        HeaderId::WwwAuthenticate,
        HeaderId::From,
        HeaderId::To,
    ];
    HeaderId::ALL.iter().copied().filter(|id| !NEEDED.contains(id))
}

const COMPACT: [(&str, &str); 15] = [
    ("Accept-Contact", "a"),
    ("Allow-Events", "u"),
    ("Contact", "m"),
    ("Content-Encoding", "e"),
    ("Content-Type", "c"),
    ("Event", "o"),
    ("Identity", "y"),
    ("Identity-Info", "n"),
    ("Refer-To", "r"),
    ("Referred-By", "b"),
    ("Reject-Contact", "j"),
    ("Request-Disposition", "d"),
    ("Session-Expires", "x"),
    ("Subject", "s"),
    ("Supported", "k"),
];

#[test]
fn remove_takes_every_spelling_of_every_header() {
    let names = removable().map(HeaderId::name).chain(["X-Own", "x"]);
    for name in names {
        let mut world = removing(name);
        let compact = COMPACT.iter().find(|(long, _)| *long == name).map_or(name, |(_, short)| *short);
        let lines = [
            format!("{name}: secret"),
            format!("{}: secret", name.to_ascii_uppercase()),
            format!("{}:secret", name.to_ascii_lowercase()),
            format!("{name} : secret"),
            format!("{name}\t \t:\tsecret"),
            format!("{name}:\r\n secret"),
            format!("{name}: secret,\r\n\tsecret"),
            format!("{compact}: secret"),
            format!("{} : secret", compact.to_ascii_uppercase()),
            format!("{name}: \"\\\"\", secret"),
        ];
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        let text = request("MESSAGE", "sip:bob@b.example", "c1", 1, "", &lines, "");
        // Some of them the border reads itself, and may refuse what stands in them.
        let sent = world.receive(A, &text);
        match did(&sent) {
            Did::Forward => {
                assert!(!only(&sent, "MESSAGE").text.contains("secret"), "{name}: {}", sent[0].text);
            }
            did => assert!(matches!(did, Did::Answer(400 | 420)), "{name}: {did:?}"),
        }
        world.assert_quiet();
    }
}

/// AST-2016-009: an octet between name and colon that another reader strips.
#[test]
fn what_is_no_header_name_is_refused() {
    let mut victim = Victim::with(removing("P-Asserted-Identity"));
    for byte in (0..=255_u8).filter(|byte| !matches!(byte, b' ' | b'\t')) {
        for (front, back) in
            [(&b""[..], &[byte][..]), (&[byte][..], b""), (b"", &[b' ', byte]), (b"", &[byte, b' '])]
        {
            victim.sent += 1;
            let mut bytes = Vec::new();
            let text = invite().replace('#', &victim.sent.to_string());
            let (head, tail) = text.split_once("Max-Forwards").expect("a header");
            bytes.extend_from_slice(head.as_bytes());
            for part in [
                front,
                b"P-Asserted-Identity",
                back,
                b": <sip:forged@a.example>\r\nMax-Forwards",
                tail.as_bytes(),
            ] {
                bytes.extend_from_slice(part);
            }
            let did = victim.send_bytes(A, &bytes);
            let is_token = byte.is_ascii_alphanumeric() || b"-.!%*_+`'~".contains(&byte);
            let is_other_name = is_token && back.first() != Some(&b' ');
            match byte {
                // `P-Asserted-Identity::`, and a name that ends early: the same header, and gone
                b':' if front.is_empty() => {}
                _ if is_other_name => assert_eq!(did, Did::Forward, "{byte:#x}"),
                _ => assert!(
                    matches!(did, Did::Answer(400) | Did::Drop),
                    "{byte:#x} {front:?} {back:?}: {did:?}"
                ),
            }
            for sent in victim.world.sent().iter().filter(|sent| sent.start().starts_with("INVITE")) {
                let plain = sent.text.replace([' ', '\t'], "").to_ascii_lowercase();
                assert!(!plain.contains("\r\np-asserted-identity:"), "{byte:#x}: {}", sent.text);
            }
        }
    }
    victim.assert_well();
}

/// A header hidden behind a fold, a lone line end, or in the body is not taken out of anything, and not let in either.
#[test]
fn headers_behind_odd_line_ends() {
    let mut victim = Victim::with(removing("P-Asserted-Identity"));
    for line in [
        "X: y\nP-Asserted-Identity: <sip:forged@a.example>",
        "X: y\rP-Asserted-Identity: <sip:forged@a.example>",
        "X: y\r\r\nP-Asserted-Identity: <sip:forged@a.example>",
        "X: y\u{b}P-Asserted-Identity: <sip:forged@a.example>\n",
        "X: y\0\r\nP-Asserted-Identity: <sip:forged@a.example>",
    ] {
        let did = victim.send(&invite().replace("Max-Forwards", &format!("{line}\r\nMax-Forwards")));
        assert_eq!(did, Did::Answer(400), "{line:?}");
    }
    // Folded, it is part of the value of X for every reader that follows RFC 3261 §7.3.1.
    let folded = invite().replace("Max-Forwards", "X: y\r\n P-Asserted-Identity: <sip:a@h>\r\nMax-Forwards");
    assert_eq!(victim.send(&folded), Did::Forward);
    victim.assert_well();
}
