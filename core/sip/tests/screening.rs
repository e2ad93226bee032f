//! What may stand in a message by agreement (SC-01 to SC-19): refused with its status, removed from the bytes, or passed.
//!
//! ```text
//! B ── INVITE with what is not agreed ──► 403, or on to A without it
//! A ── 200 with what is not agreed ─────► on to B without it, never refused
//! ```

mod support;

use serde_json::{Value, json};
use support::*;

/// A world whose agreement with B screens like that.
fn screening(section: &Value) -> World {
    let mut policy = policy();
    policy["agreements"][1]["screening"] = section.clone();
    World::with(&policy)
}

/// An INVITE from B with *extra* header lines and a body.
fn invite(call: &str, extra: &[&str], body: &str) -> String {
    from_side(B, "fb", "INVITE", "sip:alice@a.example", call, 1, "", extra, body)
}

/// What B is told of an INVITE with *extra* lines: the first line; and that it is counted by *reason*.
fn refusal(section: &Value, extra: &[&str], reason: &str) -> Sent {
    let mut world = screening(section);
    let sent = world.receive(B, &invite("s1", extra, ""));
    assert_eq!(sent.len(), 1, "{extra:?}: {:?}", sent.iter().map(Sent::start).collect::<Vec<_>>());
    assert_eq!(world.metric("ibcf_rejections_total", &[reason]), 1, "{reason} is counted");
    assert_eq!(world.records()[0].reason, Some(reason));
    world.assert_quiet();
    sent[0].clone()
}

/// The INVITE that A gets.
fn passed(section: &Value, extra: &[&str]) -> Sent {
    let mut world = screening(section);
    let sent = world.receive(B, &invite("s1", extra, ""));
    only(&sent, "INVITE").clone()
}

/// The lines of a message that are not the border's.
fn lines_of(sent: &Sent, names: &[&str]) -> Vec<String> {
    let head = sent.text.split("\r\n\r\n").next().unwrap_or_default();
    let is_of = |line: &&str| {
        names
            .iter()
            .any(|name| line.split(':').next().is_some_and(|found| found.trim().eq_ignore_ascii_case(name)))
    };
    head.split("\r\n").filter(is_of).map(str::to_owned).collect()
}

#[test]
fn a_record_names_the_call_whatever_was_taken_out_before_its_names() {
    let mut world = screening(&json!({"headers": {"remove": ["Call-Info"]}}));
    let extra = ["P-Asserted-Identity: <tel:+441632960000>", "Session-ID: 11;remote=00"];
    let text =
        invite("s1", &extra, "").replacen("Max-Forwards", "Call-Info: <http://x/y>\r\nMax-Forwards", 1);
    let sent = world.receive(B, &text);
    let forwarded = only(&sent, "INVITE").clone();
    assert!(!forwarded.text.contains("Call-Info"));
    world.receive(A, &respond(&forwarded, "486 Busy Here", "ta", &[]));
    let record = &world.records()[0];
    assert_eq!((&*record.call_id, &*record.from), ("s1@a.example", "sip:alice@a.example"));
    assert_eq!(record.calling.as_slice(), ["tel:+441632960000"]);
    assert_eq!(record.session_id.as_deref(), Some("11;remote=00"));
}

#[test]
fn headers_that_are_removed_are_gone_and_the_rest_is_as_it_came() {
    let section = json!({"headers": {"remove": ["Call-Info", "X-Own", "s"]}});
    let extra = [
        "Call-Info: <http://x/y>",
        "x-own : a",
        "x-Own:b",
        "SUBJECT: c",
        "X-Owner: kept",
        "Supported:  timer ",
    ];
    let sent = passed(&section, &extra);
    assert_eq!(lines_of(&sent, &["call-info", "x-own", "subject", "s"]), [""; 0]);
    assert_eq!(lines_of(&sent, &["x-owner", "supported"]), ["X-Owner: kept", "Supported:  timer "]);
}

#[test]
fn a_header_that_is_refused_gets_403() {
    let section = json!({"headers": {"refuse": ["Diversion", "X-Own"]}});
    for line in ["Diversion: <sip:x@y>", "DIVERSION : a", "x-own: a"] {
        let sent = refusal(&section, &[line], "screen.header");
        assert_eq!(sent.start(), "SIP/2.0 403 Forbidden", "{line}");
    }
    passed(&section, &["Subject: a"]);
}

#[test]
fn what_is_not_allowed_is_removed_and_what_sip_needs_stays() {
    let section =
        json!({"headers": {"allow": ["Supported", "X-Own", "P-Asserted-Identity"], "otherwise": "remove"}});
    let extra = [
        "Supported: 100rel",
        "Require: timer",
        "x-own: a",
        "User-Agent: b",
        "X-Other: c",
        "Session-Expires: 1800",
        "Privacy: id",
        "History-Info: <sip:x>;index=1",
        "Authorization: Digest a=\"b\"",
        "Path: <sip:p;lr>",
        "Proxy-Authorization: Digest a=\"b\"",
    ];
    let sent = passed(&section, &extra);
    let names = [
        "supported",
        "require",
        "x-own",
        "user-agent",
        "x-other",
        "session-expires",
        "privacy",
        "history-info",
        "authorization",
        "path",
        "proxy-authorization",
        "call-id",
        "cseq",
        "from",
        "to",
        "contact",
        "max-forwards",
    ];
    let kept: Vec<String> =
        lines_of(&sent, &names).iter().map(|line| line.split(':').next().unwrap().to_owned()).collect();
    assert_eq!(
        kept,
        [
            "Max-Forwards",
            "From",
            "To",
            "Call-ID",
            "CSeq",
            "Contact",
            "Supported",
            "Require",
            "x-own",
            "Session-Expires",
            "Privacy",
            "Authorization",
            "Path",
            "Proxy-Authorization"
        ]
    );
}

#[test]
fn what_is_not_allowed_can_be_refused() {
    let section = json!({"headers": {"allow": ["Supported"], "otherwise": "refuse"}});
    assert_eq!(refusal(&section, &["User-Agent: b"], "screen.header").start(), "SIP/2.0 403 Forbidden");
    assert_eq!(refusal(&section, &["X-Other: b"], "screen.header").start(), "SIP/2.0 403 Forbidden");
    passed(&section, &["k: 100rel", "Require: timer"]);
}

#[test]
fn lookalikes_are_refused_removed_or_passed() {
    let lookalikes = ["P_Asserted_Identity: <tel:+1>", "Fr0m: <sip:x>", "Cal1-ID: x", "Via.: SIP/2.0/UDP x"];
    for line in lookalikes {
        let refused = json!({"headers": {"lookalikes": "refuse"}});
        assert_eq!(
            refusal(&refused, &[line], "screen.header_lookalike").start(),
            "SIP/2.0 400 Bad Request",
            "{line}"
        );
        let sent = passed(&json!({"headers": {"lookalikes": "remove"}}), &[line, "X-Own: a"]);
        assert!(!sent.text.contains(line), "{line}");
        assert_eq!(sent.header("X-Own"), "a");
        assert!(passed(&json!({"headers": {"lookalikes": "pass"}}), &[line]).text.contains(line), "{line}");
    }
}

#[test]
fn a_header_that_stands_once_stands_once() {
    let section = json!({"headers": {"repeated": "refuse"}});
    for lines in [
        ["P-Charging-Vector: icid-value=1", "p-charging-vector: icid-value=2"],
        ["Subject: a", "s: b"],
        ["Content-Type: application/sdp", "c: text/plain"],
        ["m: <sip:other@198.51.100.20>", "X-Own: a"],
    ] {
        let sent = refusal(&section, &lines, "screen.header_repeated");
        assert_eq!(sent.start(), "SIP/2.0 400 Bad Request", "{lines:?}");
    }
    passed(&section, &["Supported: a", "Supported: b", "X-Own: a", "X-Own: b"]);
    let sent = passed(&json!({"headers": {"repeated": "remove"}}), &["Subject: a", "s: b", "Date: c"]);
    assert_eq!(lines_of(&sent, &["subject", "s", "date"]), ["Subject: a", "Date: c"]);
}

#[test]
fn a_response_is_never_refused_and_goes_on_without() {
    let mut policy = policy();
    let section = json!({"headers": {"refuse": ["Warning"], "remove": ["Server"], "lookalikes": "refuse", "repeated": "refuse"}});
    policy["agreements"][1]["screening"] = section;
    let mut world = World::with(&policy);
    let sent = world.receive(A, &request("INVITE", "sip:bob@b.example", "r1", 1, "", &[], ""));
    let invite = only(&sent, "INVITE").clone();
    let extra = ["Warning: 399 x \"y\"", "Server: z", "Via_: x", "Subject: a", "Subject: b", "Allow: INVITE"];
    let sent = world.receive(B, &respond(&invite, "200 OK", "tb", &extra));
    let answer = only(&sent, "SIP/2.0 200");
    let found = lines_of(answer, &["warning", "server", "via_", "subject", "allow"]);
    assert_eq!(found, ["Subject: a", "Allow: INVITE"]);
}

#[test]
fn what_does_not_come_from_a_peer_does_not_go_to_it_either() {
    let section = json!({"headers": {"allow": ["Supported"], "otherwise": "refuse"}});
    let mut world = screening(&section);
    let extra = ["User-Agent: core", "Supported: timer"];
    let sent = world.receive(A, &request("INVITE", "sip:bob@b.example", "x1", 1, "", &extra, ""));
    let invite = only(&sent, "INVITE").clone();
    assert_eq!(lines_of(&invite, &["user-agent", "supported"]), ["Supported: timer"]);
    assert!(
        invite.header("P-Charging-Vector").contains("icid-value"),
        "what the border writes itself is no matter of it"
    );
    assert_eq!(invite.headers("Record-Route").len(), 2);

    let mut world = screening(&json!({"headers": {"remove": ["Server"]}}));
    let sent = world.receive(B, &invite_to_a("x2"));
    let towards_a = only(&sent, "INVITE").clone();
    let sent = world.receive(A, &respond(&towards_a, "200 OK", "ta", &["Server: core"]));
    assert_eq!(only(&sent, "SIP/2.0 200").headers("Server"), [""; 0]);
}

fn invite_to_a(call: &str) -> String {
    invite(call, &[], "")
}

#[test]
fn requests_inside_a_dialog_are_screened_but_a_bye_always_ends_the_call_and_an_ack_arrives() {
    let mut world = screening(&json!({"headers": {"refuse": ["Diversion"], "remove": ["Subject"]}}));
    let sent = world.receive(B, &invite_to_a("d1"));
    let towards_a = only(&sent, "INVITE").clone();
    let sent = world.receive(A, &respond(&towards_a, "200 OK", "ta", &[]));
    let answer = only(&sent, "SIP/2.0 200").clone();
    let routes = routes(&answer);
    let mut extra: Vec<&str> = routes.iter().map(String::as_str).collect();
    extra.extend(["Diversion: <sip:x>", "Subject: y"]);
    let target = format!("sip:bob@{A}");
    let within = |method: &str, cseq: u32| from_side(B, "fb", method, &target, "d1", cseq, "ta", &extra, "");

    let sent = world.receive(B, &within("ACK", 1));
    assert_eq!(lines_of(only(&sent, "ACK"), &["diversion", "subject"]), [""; 0]);
    let sent = world.receive(B, &within("INVITE", 2));
    only(&sent, "SIP/2.0 403");
    world.receive(B, &within("ACK", 2));
    let sent = world.receive(B, &within("BYE", 3));
    let bye = only(&sent, "BYE").clone();
    assert_eq!(lines_of(&bye, &["diversion", "subject"]), [""; 0]);
    world.receive(A, &respond(&bye, "200 OK", "ta", &[]));
    world.assert_quiet();
}

#[test]
fn rules_and_later_tries_see_what_is_left() {
    let mut policy = policy();
    policy["agreements"][0]["screening"] = json!({"headers": {"remove": ["Subject"]}});
    policy["routes"] = json!([
        {"id": "marked", "condition": {"headers": [{"header": "Subject", "test": {"present": true}}]},
         "action": {"kind": "reject", "reason": "decide.forbidden"}},
        {"id": "to_b", "action": {"kind": "route", "to": [{"peer": "carrier_b", "priority": 1}, {"peer": "carrier_c", "priority": 2}]}},
    ]);
    let mut world = World::with(&policy);
    let sent = world.receive(A, &request("INVITE", "sip:bob@b.example", "l1", 1, "", &["Subject: x"], ""));
    let first = only(&sent, "INVITE").clone();
    assert_eq!(first.headers("Subject"), [""; 0]);
    let sent = world.receive(B, &respond(&first, "503 Full", "tb", &[]));
    let second = only(&sent, "INVITE");
    assert_eq!((second.to.to_string().as_str(), second.headers("Subject")), (C, vec![]));
}

/// A body with two parts: a session description, and one with *lines* for headers.
fn two_parts(lines: &[&str]) -> String {
    format!(
        "--b\r\nContent-Type: application/sdp\r\n\r\nv=0\r\n\r\n--b\r\n{}\r\n\r\nsecret\r\n--b--\r\n",
        lines.join("\r\n")
    )
}

const MIXED: &str = "Content-Type: multipart/mixed;boundary=b";

/// What becomes of an INVITE with such a body from B: what A gets, or what B is told.
fn of_body(section: &Value, extra: &[&str], body: &str) -> Sent {
    let mut world = screening(section);
    let sent = world.receive(B, &invite("b1", extra, body));
    let told = sent.iter().find(|sent| !sent.start().starts_with("SIP/2.0 100")).expect("something");
    told.clone()
}

fn body_of(sent: &Sent) -> &str {
    let body = sent.text.split_once("\r\n\r\n").expect("a message").1;
    assert_eq!(sent.header("Content-Length"), body.len().to_string(), "{}", sent.text);
    body
}

#[test]
fn a_type_that_is_not_agreed_gets_415_when_it_must_be_understood() {
    let section = json!({"bodies": {"allow": ["application/pidf+xml"]}});
    let accept =
        "application/sdp, multipart/mixed, multipart/related, multipart/alternative, application/pidf+xml";
    let isup = ["Content-Type: application/isup;version=x"];
    for (extra, body) in [
        (isup.to_vec(), "x".to_owned()),
        (vec![], "v=0".to_owned()), // no type at all
        (vec![isup[0], "Content-Disposition: signal;handling=required"], "x".to_owned()),
        (vec![MIXED], two_parts(&["Content-Type: application/isup"])),
        (vec![MIXED], two_parts(&["Content-Type: application/isup", "Content-Disposition: signal"])),
        (vec![MIXED], two_parts(&["X: y"])), // text/plain (RFC 2046 §5.1)
    ] {
        let answer = of_body(&section, &extra, &body);
        assert_eq!(
            (answer.start(), answer.header("Accept")),
            ("SIP/2.0 415 Unsupported Media Type", accept),
            "{extra:?}"
        );
    }
    for (kind, body) in
        [("application/sdp", "v=0"), ("Application / SDP;x=y", "v=0"), ("application/PIDF+xml", "<x/>")]
    {
        let line = format!("c: {kind}");
        assert_eq!(body_of(&of_body(&section, &[&line], body)), body, "{kind}");
    }
    let body = two_parts(&["content-type : application/pidf+xml"]);
    assert_eq!(body_of(&of_body(&section, &[MIXED], &body)), body);
}

#[test]
fn a_part_that_is_optional_is_removed_and_the_multipart_stays_sound() {
    let section = json!({"bodies": {"allow": []}});
    let optional = ["Content-Type: application/isup", "Content-Disposition: signal ; Handling=Optional"];
    let sent = of_body(&section, &[MIXED], &two_parts(&optional));
    assert_eq!(body_of(&sent), "--b\r\nContent-Type: application/sdp\r\n\r\nv=0\r\n\r\n--b--\r\n");
    assert_eq!(sent.header("Content-Type"), "multipart/mixed;boundary=b");

    let nested = format!(
        "--o\r\n{MIXED}\r\n\r\n{}\r\n--o\r\nContent-Type: application/sdp\r\n\r\nv=1\r\n--o--",
        two_parts(&optional)
    );
    let sent = of_body(&section, &["Content-Type: multipart/mixed; boundary=\"o\""], &nested);
    let left = "--b\r\nContent-Type: application/sdp\r\n\r\nv=0\r\n\r\n--b--\r\n";
    let expected =
        format!("--o\r\n{MIXED}\r\n\r\n{left}\r\n--o\r\nContent-Type: application/sdp\r\n\r\nv=1\r\n--o--");
    assert_eq!(body_of(&sent), expected);
}

#[test]
fn a_body_that_goes_whole_takes_its_headers_along() {
    let section = json!({"bodies": {"allow": []}});
    let extra = [
        "c: application/isup",
        "Content-Disposition: signal;handling=optional",
        "Content-Encoding: gzip",
        "Content-Language: en",
        "MIME-Version: 1.0",
        "X-Own: a",
    ];
    let sent = of_body(&section, &extra, "secret");
    assert_eq!(body_of(&sent), "");
    let gone =
        ["c", "content-type", "content-disposition", "content-encoding", "content-language", "mime-version"];
    assert_eq!(lines_of(&sent, &gone), [""; 0]);
    assert_eq!(sent.header("X-Own"), "a");
}

#[test]
fn removing_and_refusing_do_not_ask_how_the_sender_sees_it() {
    let removing = json!({"bodies": {"allow": [], "otherwise": "remove"}});
    let sent = of_body(&removing, &[MIXED], &two_parts(&["Content-Type: application/isup"]));
    assert_eq!(body_of(&sent), "--b\r\nContent-Type: application/sdp\r\n\r\nv=0\r\n\r\n--b--\r\n");
    let refusing = json!({"bodies": {"allow": [], "otherwise": "refuse"}});
    let optional = ["Content-Type: application/isup", "Content-Disposition: signal;handling=optional"];
    assert_eq!(
        of_body(&refusing, &[MIXED], &two_parts(&optional)).start(),
        "SIP/2.0 415 Unsupported Media Type"
    );
}

#[test]
fn one_choice_of_several_may_go_but_not_all() {
    let section = json!({"bodies": {"allow": []}});
    let alternative = ["Content-Type: multipart/alternative;boundary=b"];
    let sent = of_body(&section, &alternative, &two_parts(&["Content-Type: text/html"]));
    assert!(!body_of(&sent).contains("secret"));
    let none = two_parts(&["Content-Type: text/html"]).replace("application/sdp", "text/plain");
    assert_eq!(of_body(&section, &alternative, &none).start(), "SIP/2.0 415 Unsupported Media Type");
}

#[test]
fn nothing_refers_to_a_part_that_is_gone() {
    let section = json!({"bodies": {"allow": []}});
    let optional = [
        "Content-Type: application/pidf+xml",
        "Content-Disposition: render;handling=optional",
        "Content-ID: <loc@b>",
    ];
    let extra = [
        MIXED,
        "Geolocation: <cid:loc%40b>;x=y, <sip:where@b>",
        "Geolocation-Routing: yes",
        "Call-Info: <CID:loc@b>;purpose=icon",
        "Alert-Info: <cid:loc@bb>",
    ];
    let sent = of_body(&section, &extra, &two_parts(&optional));
    assert_eq!(sent.header("Geolocation"), "<sip:where@b>");
    assert_eq!(lines_of(&sent, &["call-info", "alert-info"]), ["Alert-Info: <cid:loc@bb>"]);
    assert!(!body_of(&sent).contains("secret"));

    let icon = two_parts(&optional).replace("v=0", "v=0\r\na=file-icon:cid:loc@b");
    assert_eq!(of_body(&section, &[MIXED], &icon).start(), "SIP/2.0 415 Unsupported Media Type");
    let refer = [MIXED, "Refer-To: <cid:loc@b>"];
    assert_eq!(
        of_body(&section, &refer, &two_parts(&optional)).start(),
        "SIP/2.0 415 Unsupported Media Type"
    );
}

#[test]
fn what_cannot_be_told_apart_and_what_is_too_much_is_refused() {
    let section = json!({"bodies": {"allow": ["text/plain"]}});
    let many = |count: usize| format!("{}--b--", "--b\r\n\r\nx\r\n".repeat(count));
    let deep = |levels: usize| {
        let mut body = "x".to_owned();
        for level in (0..levels).rev() {
            let boundary = format!("n{level}");
            let kind = if level + 1 == levels {
                "text/plain".to_owned()
            } else {
                format!("multipart/mixed;boundary=n{}", level + 1)
            };
            body = format!("--{boundary}\r\nContent-Type: {kind}\r\n\r\n{body}\r\n--{boundary}--");
        }
        body
    };
    let nested = "Content-Type: multipart/mixed;boundary=n0";
    for (extra, body, start) in [
        (vec![MIXED], many(10), "INVITE"),
        (vec![MIXED], many(11), "SIP/2.0 413"),
        (vec![nested], deep(3), "INVITE"),
        (vec![nested], deep(4), "SIP/2.0 413"),
        (vec!["Content-Type: multipart/mixed"], many(1), "SIP/2.0 400"),
        (vec![MIXED], "--b\r\n\r\nx".to_owned(), "SIP/2.0 400"),
        (vec![MIXED], "--b\r\n\r\nx\n--b--".to_owned(), "SIP/2.0 400"),
        (vec![MIXED], "--b\r\n\r\nx\r\n--bc\r\n\r\ny\r\n--b--".to_owned(), "SIP/2.0 400"),
        (vec![MIXED, "c: text/plain"], many(1), "SIP/2.0 400"),
        (vec![MIXED, "e: gzip"], many(1), "SIP/2.0 415"),
    ] {
        let told = of_body(&section, &extra, &body);
        assert!(told.start().starts_with(start), "{extra:?} {body:?}: {}", told.start());
    }
    assert_eq!(of_body(&section, &[MIXED, "e: gzip"], &many(1)).header("Accept-Encoding"), "identity");
}

#[test]
fn a_body_above_the_agreement_can_be_removed() {
    let section = json!({"bodies": {"oversized": "remove"}});
    let sent = of_body(&section, &["Content-Type: text/plain"], &"x".repeat(4_001));
    assert_eq!((body_of(&sent), sent.headers("Content-Type")), ("", vec![]));
    let fits = "x".repeat(4_000);
    assert_eq!(body_of(&of_body(&section, &["Content-Type: text/plain"], &fits)), fits);
}

#[test]
fn a_response_loses_what_is_not_agreed_whatever_its_handling() {
    let mut world = screening(&json!({"bodies": {"allow": []}}));
    let sent = world.receive(A, &request("INVITE", "sip:bob@b.example", "rb", 1, "", &[], ""));
    let invite = only(&sent, "INVITE").clone();
    let body = two_parts(&["Content-Type: application/isup"]);
    let answer = respond(&invite, "200 OK", "tb", &[MIXED])
        .replace("Content-Length: 0\r\n\r\n", &format!("Content-Length: {}\r\n\r\n{body}", body.len()));
    let sent = world.receive(B, &answer);
    let expected = "--b\r\nContent-Type: application/sdp\r\n\r\nv=0\r\n\r\n--b--\r\n";
    assert_eq!(body_of(only(&sent, "SIP/2.0 200")), expected);
}

/// The first line that B is told, or of what A gets.
fn start_of(section: &Value, extra: &[&str], body: &str) -> String {
    of_body(section, extra, body).start().to_owned()
}

const SDP: &str = "Content-Type: application/sdp";

#[test]
fn media_to_nowhere_get_488_and_a_call_on_hold_passes() {
    let section = json!({"addresses": {"sdp": "refuse", "allowed": ["10.1.0.0/16"]}});
    let body = |address: &str| format!("v=0\r\nc=IN IP4 {address}\r\nm=audio 4000 RTP/AVP 8\r\n");
    for (address, start) in [
        ("10.2.0.1", "SIP/2.0 488 Not Acceptable Here"),
        ("127.0.0.1", "SIP/2.0 488 Not Acceptable Here"),
        ("10.1.0.1", "INVITE"),
        ("0.0.0.0", "INVITE"),
        ("8.8.8.8", "INVITE"),
        ("media.b.example", "INVITE"),
    ] {
        assert!(start_of(&section, &[SDP], &body(address)).starts_with(start), "{address}");
    }
    let hidden = two_parts(&["Content-Type: application/sdp"]).replace("secret", &body("192.168.1.1"));
    assert_eq!(start_of(&section, &[MIXED], &hidden), "SIP/2.0 488 Not Acceptable Here");
}

#[test]
fn a_contact_that_nobody_reaches_or_that_carries_headers_gets_403() {
    let section = json!({"addresses": {"contact": "refuse", "escaped_headers": "refuse", "allowed": ["198.51.100.0/24"]}});
    for (line, start) in [
        ("X-Own: a", "INVITE"),
        ("Contact: <sip:x@10.0.0.1>", "SIP/2.0 403 Forbidden"),
        ("m: <sip:x@[fe80::1]:5060>", "SIP/2.0 403 Forbidden"),
        ("m: <sip:x@b.example;maddr=10.0.0.1>", "SIP/2.0 403 Forbidden"),
        ("m: <sip:x@b.example?Route=%3Csip:y%3E>", "SIP/2.0 403 Forbidden"),
        ("Refer-To: <sip:x@b.example?Replaces=a>", "SIP/2.0 403 Forbidden"),
        ("Refer-To: <sip:x@b.example>", "INVITE"),
    ] {
        assert!(start_of(&section, &[line], "").starts_with(start), "{line}");
    }
}

#[test]
fn an_option_that_may_not_cross_is_neither_required_nor_supported() {
    let section = json!({"options": {"refuse": ["precondition"]}});
    let answer = of_body(&section, &["Require: 100rel, PRECONDITION"], "");
    assert_eq!((answer.start(), answer.header("Unsupported")), ("SIP/2.0 420 Bad Extension", "PRECONDITION"));
    let sent = of_body(&section, &["k: timer, precondition,100rel", "Supported: precondition"], "");
    assert_eq!(lines_of(&sent, &["k", "supported"]), ["k: timer, 100rel"]);
    let only_timer = json!({"options": {"allow": ["timer"]}});
    assert_eq!(of_body(&only_timer, &["Require: 100rel"], "").header("Unsupported"), "100rel");
}

#[test]
fn numbers_have_the_agreed_form() {
    for (form, uri, is_refused) in [
        ("valid", "tel:1234", true),
        ("valid", "sip:1234@a.example;user=phone", true),
        ("valid", "tel:1234;phone-context=a.example", false),
        ("valid", "sip:1234;phone-context=a.example@a.example;user=phone", false),
        ("valid", "sip:+1234567890123456@a.example;user=phone", true),
        ("global", "sip:1234;phone-context=a.example@a.example;user=phone", true),
        ("global", "sip:+441632960083@a.example;user=phone", false),
        ("global", "sip:alice@a.example", false),
    ] {
        let mut world = screening(&json!({"numbers": {"called": form}}));
        let sent = world.receive(B, &from_side(B, "fb", "INVITE", uri, "n1", 1, "", &[], ""));
        let refused = world.metric("ibcf_rejections_total", &["screen.called_number"]);
        assert_eq!(refused, u64::from(is_refused), "{form} {uri}");
        if is_refused {
            only(&sent, "SIP/2.0 484 Address Incomplete");
        }
    }
    let section = json!({"numbers": {"calling": "global"}});
    let odd = ["P-Asserted-Identity: <tel:1234;phone-context=b.example>"];
    assert_eq!(start_of(&section, &odd, ""), "SIP/2.0 400 Bad Request");
    assert!(start_of(&section, &["P-Asserted-Identity: <tel:+1234>"], "").starts_with("INVITE"));
}

#[test]
fn malformed_identities_are_refused_or_removed() {
    for line in [
        "P-Asserted-Identity: <sip:a@b>, <sip:c@d>",
        "P-Asserted-Identity: \"a <sip:a@b>",
        "P-Asserted-Identity: <mailto:a@b>",
        "y: garbage",
        "History-Info: <sip:a@b>",
        "P-Charging-Vector: icid-value=",
    ] {
        assert_eq!(
            start_of(&json!({"identity": "refuse"}), &[line], ""),
            "SIP/2.0 400 Bad Request",
            "{line}"
        );
        let sent = of_body(&json!({"identity": "remove"}), &[line], "");
        assert!(sent.start().starts_with("INVITE") && !sent.text.contains(&format!("{line}\r\n")), "{line}");
    }
    let sound = [
        "P-Asserted-Identity: <sip:a@b>, <tel:+44>",
        "History-Info: <sip:a@b>;index=1",
        "P-Charging-Vector: icid-value=x",
    ];
    assert!(start_of(&json!({"identity": "refuse"}), &sound, "").starts_with("INVITE"));
}
