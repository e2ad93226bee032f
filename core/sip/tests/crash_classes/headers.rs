//! Classes 1, 2, 8 and 11: headers that stand twice, are empty, or are written by somebody who has not read the grammar.

use super::*;

const METHODS: [&str; 12] = [
    "INVITE",
    "ACK",
    "BYE",
    "CANCEL",
    "OPTIONS",
    "PRACK",
    "UPDATE",
    "INFO",
    "MESSAGE",
    "SUBSCRIBE",
    "NOTIFY",
    "PUBLISH",
];

/// Class 1 (CVE-2018-14767): the reply to a request with two To headers, one of them with an empty tag.
#[test]
fn duplicate_and_empty_from_and_to() {
    let mut victim = Victim::new();
    for name in METHODS {
        for (long, short) in [("From", "f"), ("To", "t")] {
            let text = method(name);
            let line = text.lines().find(|line| line.starts_with(&format!("{long}:"))).expect("a line");
            let changes = [
                format!("{line}\r\n{line}"),
                format!("{line}\r\n{short}: <sip:x@b.example>;tag="),
                format!("{short}: <sip:x@b.example>;tag=\r\n{line}"),
                format!("{line}\r\n{long} :\r\n <sip:x@b.example>"),
                format!("{long}:"),
                format!("{long}: ;tag="),
                format!("{long}: <>;tag=1"),
                format!("{long}: \"unclosed <sip:x@b.example>"),
                format!("{long}: <sip:x@b.example"),
                format!("X-{line}"),
            ];
            for change in changes {
                let did = victim.send(&text.replace(line, &change));
                let wanted = if name == "ACK" { Did::Drop } else { Did::Answer(400) };
                assert_eq!(did, wanted, "{name}: {change}");
            }
        }
    }
    assert!(victim.world.metric("ibcf_parse_errors_total", &["parse.malformed"]) >= 240);
    victim.assert_well();
}

/// Class 1: a tag that is empty, has no value or stands twice is no tag that a dialog could be found by.
#[test]
fn odd_tags() {
    let mut victim = Victim::new();
    for (tags, wanted) in [
        ("", Did::Forward),
        (";tag=", Did::Answer(400)),
        (";tag", Did::Answer(400)),
        (";tag=;tag=1", Did::Answer(400)),
        (";tag=1;tag=2", Did::Answer(400)),
        (";TAG=1", Did::Answer(481)),
        (";tag=\"1\"", Did::Answer(481)),
    ] {
        let text = method("INVITE");
        let did =
            victim.send(&text.replace("To: <sip:bob@b.example>", &format!("To: <sip:bob@b.example>{tags}")));
        assert_eq!(did, wanted, "{tags}");
    }
    victim.assert_well();
}

/// Class 2 (CVE-2018-16657): a Via that cannot be read. The answer never goes anywhere but to the sender's address.
#[test]
fn invalid_via() {
    let mut victim = Victim::new();
    let via = |value: &str| {
        let text = invite();
        let line = text.lines().find(|line| line.starts_with("Via")).expect("a Via").to_owned();
        text.replace(&line, &format!("Via: {value}"))
    };
    for bad in [
        "",
        ",",
        "SIP",
        "SIP/2.0",
        "SIP/2.0/UDP",
        "SIP/2.0/UDP ",
        "SIP/2.0/UDP :5060;branch=z9hG4bK#",
        "SIP/2.0/ 192.0.2.10;branch=z9hG4bK#",
        "SIP/3.0/UDP 192.0.2.10;branch=z9hG4bK#",
        "SIP/2.0/UDP 192.0.2.10:65536;branch=z9hG4bK#",
        "SIP/2.0/UDP 192.0.2.10:-1;branch=z9hG4bK#",
        "SIP/2.0/UDP 192.0.2.10:4294972356;branch=z9hG4bK#",
        "SIP/2.0/UDP 192.0.2.10:;branch=z9hG4bK#",
        "SIP/2.0/UDP [::1;branch=z9hG4bK#",
        "SIP/2.0/UDP [;branch=z9hG4bK#",
        "SIP/2.0/UDP [::g]:5060;branch=z9hG4bK#",
        "SIP/2.0/UDP [1:2:3:4:5:6:7:8:9];branch=z9hG4bK#",
        "SIP/2.0/UDP 192.0.2.10 192.0.2.11;branch=z9hG4bK#",
        "SIP/2.0/UDP 192.0.2.10;branch=",
        "SIP/2.0/UDP 192.0.2.10;branch=z9hG4bK#;branch=z9hG4bK2",
        "SIP/2.0/UDP 192.0.2.10;branch=\"z9hG4bK#",
    ] {
        assert_eq!(victim.send(&via(bad)), Did::Answer(400), "{bad}");
    }
    for odd in [
        "SIP/2.0/UDP 192.0.2.10;branch=z9hG4bK#;ttl=",
        "SIP/2.0/UDP 192.0.2.10;branch=z9hG4bK#;ttl=999999999999999999999",
        "SIP/2.0/UDP 192.0.2.10;branch=z9hG4bK#;received=[::",
        "SIP/2.0/UDP 192.0.2.10;branch=z9hG4bK#;rport=99999",
        "SIP/2.0/UDP 192.0.2.10;branch=z9hG4bK#;maddr=255.255.255.255",
        "SIP/2.0/UDP 192.0.2.10;;;;branch=z9hG4bK#;",
        "SIP/2.0/X 255.255.255.255:1;branch=z9hG4bK#",
        "SIP/2.0/UDP [2001:db8::1]:0;branch=z9hG4bK#",
    ] {
        victim.send(&via(odd));
        for sent in victim.world.sent().iter().filter(|sent| sent.start().starts_with("SIP/")) {
            assert_eq!(sent.to.ip().to_string(), "192.0.2.10", "{odd}");
        }
    }
    victim.assert_well();
}

/// Class 8 (CVE-2023-28098): credentials are for somebody else and pass as they came.
#[test]
fn digest_parameters() {
    let mut victim = Victim::new();
    for name in ["Authorization", "Proxy-Authorization", "WWW-Authenticate", "Proxy-Authenticate"] {
        for value in [
            "",
            "Digest",
            "Digest ,",
            "Digest username",
            "Digest username=",
            "Digest username=\"",
            "Digest username=\"a\\",
            "Digest nc=99999999999999999999,nonce=\"\"",
            "Digest =,=,=",
            "Unheard-Of \"a\"=\"b\"",
            "Digest a=b,a=b,a=\"\\\"\",,,",
        ] {
            let line = format!("{name}: {value}\r\n");
            let text = invite().replace("Content-Length", &format!("{line}Content-Length"));
            assert_eq!(victim.send(&text), Did::Forward, "{line}");
            let sent = victim.world.sent();
            assert!(only(&sent, "INVITE").text.contains(&line), "{line} is as it came");
        }
    }
    victim.assert_well();
}

/// Class 11: folds in an Identity header pass, NUL does not, and one above the limit of a header line is told so.
#[test]
fn identity_with_folds_and_nul() {
    let mut victim = Victim::new();
    let token = "eyJhbGciOiJFUzI1NiJ9.e30.c2ln";
    let long = "a".repeat(9_000);
    for (value, wanted) in [
        (format!("{token};info=<https://c.example/1.pem>;alg=ES256;ppt=shaken"), Did::Forward),
        (format!("\r\n {token}\r\n\t;info=<https://c.example/1.pem>\r\n ;alg=ES256"), Did::Forward),
        (format!("{token};info=<https://c.example"), Did::Forward),
        (format!("{token};info=\""), Did::Forward),
        (format!("{token}\0;info=<x>"), Did::Answer(400)),
        (format!("{token}\r;info=<x>"), Did::Answer(400)),
        (format!("{token}\n;info=<x>"), Did::Answer(400)),
        (format!("{long};info=<x>"), Did::Answer(513)),
    ] {
        for name in ["Identity", "y"] {
            let text = invite().replace("Content-Length", &format!("{name}: {value}\r\nContent-Length"));
            assert_eq!(victim.send(&text), wanted, "{name}: {value:.60}");
        }
    }
    victim.assert_well();
}
