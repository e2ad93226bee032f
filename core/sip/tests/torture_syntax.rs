//! What the parser says to every form of a header, to lengths, to repeated headers, to lookalikes and to limits.
//!
//! Each message is a valid request with one thing changed; the verdict is the status that it would be answered with.

use ibcf_sip::Reason;
use ibcf_sip::message::{HeaderId, HeaderIndex, HeaderProblem, Message, Method, StartLine};
use ibcf_sip::parse::{Expected, Fault, check, parse};
use ibcf_sip::snapshot::Limits;

/// The head of a request without its blank line; `extra` are whole lines.
fn request(extra: &str) -> String {
    format!(
        "OPTIONS sip:b@beta.example SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.14:5062;branch=z9hG4bK1\r\nMax-Forwards: 70\r\n\
         From: <sip:a@alpha.example>;tag=1\r\nTo: <sip:b@beta.example>\r\nCall-ID: c1\r\nCSeq: 1 OPTIONS\r\n{extra}"
    )
}

fn judge_with(bytes: &[u8], limits: &Limits) -> Result<(), Fault> {
    let mut index = HeaderIndex::default();
    check(&parse(bytes, limits, &mut index).expect("a message"), limits)
}

fn judge(text: &str) -> Result<(), Fault> {
    judge_with(text.as_bytes(), &Limits::default())
}

/// The status that the request gets; 0 is none.
fn status(text: &str) -> u16 {
    judge(text).err().map_or(0, |fault| fault.reason.entry().status)
}

fn reading<R>(text: &str, read: impl FnOnce(Message<'_>) -> R) -> R {
    let mut index = HeaderIndex::default();
    read(parse(text.as_bytes(), &Limits::default(), &mut index).expect("a message"))
}

#[test]
fn a_message_is_seen_in_all_its_parts() {
    let text = request(
        "l: 4\r\nX-One : a\r\n b\r\nx-one:c\r\nSupported: 100rel , timer\r\nk:\r\nk: path\r\n\r\nbodyNEXT",
    );
    reading(&format!("\r\n\r\n{text}"), |message| {
        assert_eq!(message.bytes(), text.strip_suffix("NEXT").unwrap().as_bytes());
        let StartLine::Request(line) = message.start_line() else { panic!("a request") };
        assert_eq!((line.method, line.uri), (Method::Options, &b"sip:b@beta.example"[..]));
        assert_eq!(message.start_line_range(), 0..36);
        assert_eq!(message.status(), None);
        assert_eq!(message.header_count(), 12);
        assert_eq!(message.body(), b"body");
        assert_eq!(message.bytes().get(message.headers_end()..), Some(&b"\r\nbody"[..]));

        let length = message.first(HeaderId::ContentLength).expect("a length");
        assert_eq!((length.name, length.value, length.index), (&b"l"[..], &b"4"[..], 6));
        assert_eq!(message.bytes().get(length.line), Some(&b"l: 4\r\n"[..]));
        let named: Vec<_> =
            message.by_name(b"X-ONE").map(|header| (header.value, header.line.len())).collect();
        assert_eq!(named, [(&b"a\r\n b"[..], 15), (b"c", 9)]);
        assert_eq!(message.by_name(b"K").count(), 3);
        assert_eq!(message.count(HeaderId::Supported), 3);
        let values: Vec<_> =
            message.values(HeaderId::Supported).map(|value| (value.value, value.header)).collect();
        assert_eq!(values, [(&b"100rel"[..], 9), (b"timer", 9), (b"path", 11)]);
        assert_eq!(message.header_at(11).expect("the last").value, b"path");
        assert_eq!(message.header_at(12), None);

        assert_eq!(message.top_via().expect("a Via").branch(), Some(&b"z9hG4bK1"[..]));
        assert_eq!(message.from().expect("a From").tag(), Some(&b"1"[..]));
        assert_eq!(message.to().expect("a To").tag(), None);
        assert_eq!(message.call_id(), Ok(&b"c1"[..]));
        assert_eq!(message.cseq().expect("a CSeq").number, 1);
        assert_eq!(message.max_forwards(), Ok(Some(70)));
        assert_eq!(message.content_length(), Ok(Some(4)));
        assert_eq!(check(&message, &Limits::default()), Ok(()));
    });
}

#[test]
fn a_kept_index_shows_the_message_again() {
    let text = format!("\r\n{}", request("Content-Length: 2\r\n\r\nokREST"));
    let mut scratch = HeaderIndex::default();
    let bytes = parse(text.as_bytes(), &Limits::default(), &mut scratch).expect("a message").bytes().to_vec();
    let kept = scratch.clone();
    assert_eq!(kept.view(text.as_bytes()).bytes(), bytes);
    assert_eq!(kept.view(text.as_bytes()).body(), b"ok");
    assert_eq!(kept.view(b"other").bytes(), b"");
    assert_eq!(kept.view(b"other").first(HeaderId::Via).expect("its place").value, b"");
}

#[test]
fn what_cannot_be_answered_is_dropped() {
    let limits = Limits::default();
    for (bytes, expected) in [
        (&b""[..], Expected::StartLine),
        (b"\r\n\r\n", Expected::StartLine),
        (b"   \r\n\r\n", Expected::StartLine),
        (b"\0\0\0\0", Expected::StartLine),
        (b"\r\r\r\n", Expected::StartLine),
        (b"GET / HTTP/1.1\r\n\r\n", Expected::StartLine),
        (b"OPTIONS sip:h\r\n\r\n", Expected::StartLine),
        (b" OPTIONS sip:h SIP/2.0\r\n\r\n", Expected::StartLine),
        (b"SIP/2.0\r\n\r\n", Expected::StatusCode),
        (b"SIP/2.0 99 Low\r\n\r\n", Expected::StatusCode),
        (b"SIP/2.0 700 High\r\n\r\n", Expected::StatusCode),
        (b"SIP/2.0 0200 Long\r\n\r\n", Expected::StatusCode),
        (b"SIP/2.0 +20 Sign\r\n\r\n", Expected::StatusCode),
        (b"SIP/2.0  200 Blanks\r\n\r\n", Expected::StatusCode),
        (b"SIP/3.0 200 OK\r\n\r\n", Expected::Version),
        (b"OPTIONS sip:h SIP/2.0", Expected::StartLine),
        (b"OPTIONS sip:h SIP/2.0\r\n", Expected::BlankLine),
        (b"OPTIONS sip:h SIP/2.0\r\nTo: x\r\n", Expected::BlankLine),
        (b"OPTIONS sip:h SIP/2.0\r\nTo: x\r\n \r\n", Expected::BlankLine),
    ] {
        let mut index = HeaderIndex::default();
        let error = parse(bytes, &limits, &mut index).expect_err("nothing to answer");
        assert_eq!(error.expected, expected, "{bytes:?}");
        assert!(error.at <= bytes.len() && error.to_string().starts_with("byte "), "{error}");
    }
}

#[test]
fn responses_need_no_phrase_but_a_version_and_a_code() {
    let rest = "Via: SIP/2.0/UDP h;branch=z9hG4bK1\r\nFrom: <sip:a@h>;tag=1\r\nTo: <sip:b@h>;tag=2\r\nCall-ID: c\r\nCSeq: 1 BYE\r\n\r\n";
    for (line, code, phrase) in [
        ("SIP/2.0 200 OK", 200, "OK"),
        ("sip/2.0 180 Es klingelt  laut", 180, "Es klingelt  laut"),
        ("SIP/2.0 699 ", 699, ""),
        ("SIP/2.0 100", 100, ""),
    ] {
        reading(&format!("{line}\r\n{rest}"), |message| {
            let status = message.status().expect("a response");
            assert_eq!((status.code, status.phrase), (code, phrase.as_bytes()));
            assert_eq!(message.request(), None);
            assert_eq!(check(&message, &Limits::default()), Ok(()));
        });
    }
    // A response needs neither Max-Forwards nor a sane Route, but it does need the headers that find its request.
    assert_eq!(judge(&format!("SIP/2.0 200 OK\r\nRoute: ,\r\n{rest}")), Ok(()));
    assert!(judge("SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP h\r\n\r\n").is_err());
}

#[test]
fn content_length_is_digits_and_not_more_than_has_come() {
    for (value, wanted) in [
        ("0", 0),
        ("4", 0),
        ("0004", 0),
        ("\r\n 4", 0),
        ("\t4  ", 0),
        ("5", 400),
        ("-1", 400),
        ("+4", 400),
        ("4 ", 0),
        ("", 400),
        ("four", 400),
        ("0x4", 400),
        ("4,4", 400),
        ("4;x", 400),
        ("4 4", 400),
        ("1\r\n 4", 400),
        ("2147483647", 400),
        ("2147483648", 400),
        ("4294967295", 400),
        ("4294967296", 400),
        ("4294967300", 400),
        ("18446744073709551616", 400),
        ("18446744073709551620", 400),
        ("99999999999999999999999999999999999999999999", 400),
    ] {
        assert_eq!(status(&request(&format!("Content-Length: {value}\r\n\r\nbody"))), wanted, "{value:?}");
    }
    // Without the header the datagram is the body to its end (RFC 3261 §18.3).
    reading(&request("\r\nbody"), |message| assert_eq!(message.body(), b"body"));
    reading(&request("l: 0\r\n\r\nbody"), |message| assert_eq!(message.body(), b""));
}

#[test]
fn headers_that_stand_once_are_refused_twice_in_any_form() {
    for (extra, id) in [
        ("Call-ID: c1\r\n", HeaderId::CallId),
        ("i: c1\r\n", HeaderId::CallId),
        ("CSEQ: 1 OPTIONS\r\n", HeaderId::CSeq),
        ("f: <sip:a@alpha.example>;tag=1\r\n", HeaderId::From),
        ("t: <sip:b@beta.example>\r\n", HeaderId::To),
        ("To:\r\n", HeaderId::To),
        ("T: <sip:b@beta.example>;tag=\r\n", HeaderId::To),
        ("max-forwards : 70\r\n", HeaderId::MaxForwards),
        ("l: 0\r\nContent-Length: 0\r\n", HeaderId::ContentLength),
        ("Content-Length: 0\r\nX: y\r\ncontent-length: 0\r\n", HeaderId::ContentLength),
    ] {
        let fault = judge(&request(&format!("{extra}\r\n"))).expect_err("twice");
        assert_eq!((fault.reason, fault.header), (Reason::Malformed, Some(id)), "{extra}");
    }
    // Others may stand as often as they like.
    assert_eq!(status(&request("Via: SIP/2.0/UDP h\r\nX: 1\r\nX: 2\r\nContact: *\r\nm: *\r\n\r\n")), 0);
}

#[test]
fn mandatory_headers_are_missed_and_named() {
    for (id, line) in [
        (HeaderId::Via, "Via:"),
        (HeaderId::From, "From:"),
        (HeaderId::To, "To:"),
        (HeaderId::CallId, "Call-ID:"),
        (HeaderId::CSeq, "CSeq:"),
    ] {
        let gone = request("\r\n").replace(line, "X:");
        let fault = judge(&gone).expect_err("missing");
        assert_eq!((fault.header, fault.problem), (Some(id), "is missing"));
        assert_eq!(fault.to_string(), format!("byte {}: {}: is missing", gone.len() - 2, id.name()));
        let empty = request("\r\n");
        let start = empty.find(line).expect("the line") + line.len();
        let end = start + empty[start..].find("\r\n").expect("its end");
        let fault = judge(&format!("{}{}", &empty[..start], &empty[end..])).expect_err("empty");
        assert_eq!(fault.header, Some(id));
    }
    reading("BYE sip:h SIP/2.0\r\n\r\n", |message| {
        assert_eq!(message.top_via().expect_err("none").problem, HeaderProblem::Missing);
        assert_eq!(message.max_forwards(), Ok(None)); // RFC 2543 had none; screen adds it
    });
}

#[test]
fn lookalikes_of_a_header_are_refused_and_are_not_that_header() {
    for name in [
        "P-Asserted-Identity\x01",
        "P-Asserted-Identity\x7f",
        "P-Asserted Identity",
        "P-Asserted-Identity\u{a0}",
        "P-Asserted\0-Identity",
        "P-Asserted-Identity\x0b ",
        "P-Asserted-Identity \x0c",
        "(P-Asserted-Identity)",
        "P-Asserted-Identity;x",
        "\"Via\"",
        "",
        " P-Asserted-Identity",
    ] {
        let text = request(&format!("X: y\r\n{name}: <tel:+441632960081>\r\n\r\n"));
        reading(&text, |message| assert_eq!(message.count(HeaderId::PAssertedIdentity), 0, "{name:?}"));
        if name.starts_with(' ') {
            assert_eq!(status(&text), 0); // a fold: part of X
        } else {
            assert_eq!(status(&text), 400, "{name:?}");
        }
    }
    // Blanks before the colon are grammar (HCOLON), and the header counts.
    for name in ["P-Asserted-Identity ", "p-asserted-IDENTITY\t \t"] {
        let text = request(&format!("{name}: <tel:+441632960081>\r\n\r\n"));
        assert_eq!(status(&text), 0);
        reading(&text, |message| assert_eq!(message.count(HeaderId::PAssertedIdentity), 1));
    }
    assert_eq!(status(&request("no colon here\r\n\r\n")), 400);
    assert_eq!(status("OPTIONS sip:h SIP/2.0\r\n folded: start line\r\n\r\n"), 400);
}

#[test]
fn stray_line_ends_and_nul_are_refused_in_the_head_only() {
    for extra in [
        "X: a\rb\r\n",
        "X: a\nb: c\r\n",
        "X: a\r\r\n",
        "X: a\n",
        "X: a\0b\r\n",
        "X: \"a\0b\"\r\n",
        "X: \"\\a\0\"\r\n",
        "X: a\\\0\r\n",
        "X: a\n folded\r\n",
    ] {
        assert_eq!(status(&request(&format!("{extra}\r\n"))), 400, "{extra:?}");
    }
    assert_eq!(status(&request("X: y\r\n\n")), 400); // the blank line itself
    assert_eq!(status(&request("\r\n").replacen("SIP/2.0\r\n", "SIP/2.0\n", 1)), 400);
    assert_eq!(status(&request("X: \"quoted \\\0 pair\"\r\n\r\n")), 0); // legal, RFC 4475 §3.1.1.2
    assert_eq!(status(&request("\r\n\0\r\n\n\r\0")), 0);
}

#[test]
fn request_lines_have_one_form() {
    let line = |line: &str| status(&request("\r\n").replacen("OPTIONS sip:b@beta.example SIP/2.0", line, 1));
    assert_eq!(line("OPTIONS sip:b@beta.example sip/2.0"), 0);
    for version in ["SIP/3.0", "SIP/2.1", "SIP/2.00", "SIP/", "SIP/x", "SIP/2.0x"] {
        assert_eq!(line(&format!("OPTIONS sip:b@beta.example {version}")), 505, "{version}");
    }
    for bad in [
        "OPTIONS  sip:b@beta.example SIP/2.0",
        "OPTIONS sip:b@beta.example  SIP/2.0",
        "OPTIONS sip:b@beta.example SIP/2.0 ",
        "OPTIONS\tsip:b@beta.example SIP/2.0",
        "OPTIONS sip:b@beta.example\tSIP/2.0",
        "OPTIONS SIP/2.0",
        "OPTIONS sip:b x SIP/2.0",
        "OPTIONS sip:b@beta.example:65536 SIP/2.0",
        "OPTIONS sip: SIP/2.0",
        "OPTIONS b@beta.example SIP/2.0",
        "OPTIONS tel: SIP/2.0",
        "OPT:IONS sip:b@beta.example SIP/2.0",
        "options sip:b@beta.example SIP/2.0",
        "BYE sip:b@beta.example SIP/2.0",
    ] {
        assert_eq!(line(bad), 400, "{bad}");
    }
}

#[test]
fn numbers_stay_in_their_range() {
    let with = |from: &str, to: &str| status(&request("\r\n").replacen(from, to, 1));
    for (value, wanted) in [
        ("0", 0),
        ("255", 0),
        ("0000255", 0),
        ("256", 400),
        ("-1", 400),
        ("", 400),
        ("4294967296", 400),
        ("7 0", 400),
    ] {
        assert_eq!(with("Max-Forwards: 70", &format!("Max-Forwards: {value}")), wanted, "{value}");
    }
    for (value, wanted) in
        [("0", 0), ("2147483647", 0), ("2147483648", 400), ("4294967296", 400), ("-1", 400), ("1x", 400)]
    {
        assert_eq!(with("CSeq: 1 OPTIONS", &format!("CSeq: {value} OPTIONS")), wanted, "{value}");
    }
    for (value, wanted) in
        [("a b", 400), ("a\r\n b", 400), ("a\u{e9}", 400), ("a@b", 0), ("()<>:\\\"/[]?{}", 0)]
    {
        assert_eq!(with("Call-ID: c1", &format!("Call-ID: {value}")), wanted, "{value}");
    }
    for (value, wanted) in [("b@beta.example", 400), ("<b>", 400), ("<>", 400), ("*", 400), ("isbn:1", 0)] {
        assert_eq!(with("To: <sip:b@beta.example>", &format!("To: {value}")), wanted, "{value}");
    }
}

#[test]
fn a_route_is_an_address_in_brackets() {
    for (value, wanted) in [
        ("<sip:h;lr>", 0),
        ("<sip:h;lr>,\r\n \"x\" <sips:i>;p=1", 0),
        ("sip:h;lr", 400),
        ("<sip:h>,", 400),
        (",", 400),
        ("<sip:h", 400),
        ("<sip:@h>", 400),
        ("<tel:+44>", 400),
        ("<sip:h> <sip:i>", 400),
        ("<urn:service:sos>", 0),
        ("", 0),
    ] {
        for name in ["Route", "Record-Route"] {
            assert_eq!(status(&request(&format!("{name}: {value}\r\n\r\n"))), wanted, "{name}: {value}");
        }
    }
}

#[test]
fn limits_answer_513_and_the_message_keeps_its_shape() {
    let limits = Limits {
        header_line_bytes_max: 64,
        headers_max: 9,
        vias_max: 3,
        routes_max: 2,
        uri_bytes_max: 24,
        ..Limits::default()
    };
    let judge = |text: &str| judge_with(text.as_bytes(), &limits).err().map(|fault| fault.reason);
    assert_eq!(judge(&request("\r\n")), None);
    assert_eq!(judge(&request(&format!("X: {}\r\n\r\n", "y".repeat(59)))), None);
    assert_eq!(judge(&request(&format!("X: {}\r\n\r\n", "y".repeat(60)))), Some(Reason::TooLarge));
    assert_eq!(judge(&request("X: y\r\nX: y\r\nX: y\r\n\r\n")), None);
    assert_eq!(judge(&request("X: y\r\nX: y\r\nX: y\r\nX: y\r\n\r\n")), Some(Reason::TooLarge));
    assert_eq!(judge(&request("v: SIP/2.0/UDP h, SIP/2.0/UDP i\r\n\r\n")), None);
    assert_eq!(
        judge(&request("v: SIP/2.0/UDP h, SIP/2.0/UDP i\r\nv: SIP/2.0/UDP j\r\n\r\n")),
        Some(Reason::TooLarge)
    );
    assert_eq!(judge(&request("Route: <sip:h>, <sip:i>, <sip:j>\r\n\r\n")), Some(Reason::TooLarge));
    assert_eq!(judge(&request("\r\n").replacen("sip:b@", "sip:bbbbbbbbb@", 1)), Some(Reason::TooLarge));

    let many = request(&format!("{}\r\nbody", "X: y\r\n".repeat(5000)));
    let mut index = HeaderIndex::default();
    let message = parse(many.as_bytes(), &limits, &mut index).expect("still answerable");
    assert_eq!((message.header_count(), message.body()), (9, &b"body"[..]));
}

#[test]
fn a_message_is_at_most_65535_bytes() {
    let mut index = HeaderIndex::default();
    for (limit, length, fits) in [
        (65_535, 65_535, true),
        (65_535, 65_536, false),
        (1 << 20, 65_536, false),
        (1000, 1001, false),
        (1000, 1000, true),
    ] {
        let limits = Limits { message_bytes_max: limit, ..Limits::default() };
        let mut text = request("\r\n").into_bytes();
        text.resize(length, b'x');
        assert_eq!(parse(&text, &limits, &mut index).is_ok(), fits, "{length} of {limit}");
    }
}
