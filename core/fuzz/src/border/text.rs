//! Writes the messages of the sides: well-formed ones, as far as the bytes do not say otherwise.

use std::fmt::Write as _;

use super::side::Side;
use crate::bytes::Bytes;

const METHODS: [&str; 10] =
    ["INVITE", "INVITE", "OPTIONS", "MESSAGE", "BYE", "CANCEL", "ACK", "SUBSCRIBE", "PUBLISH", "UPDATE"];
const INSIDE: [&str; 8] = ["BYE", "ACK", "INVITE", "UPDATE", "PRACK", "INFO", "NOTIFY", "CANCEL"];
const URIS: [&str; 15] = [
    "sip:bob@b.example",
    "tel:+441632960083",
    "sip:alice@a.example",
    "sip:x@one.six.example",
    "sip:x@d.example",
    "tel:+441632960084",
    "sip:192.0.2.1",
    "urn:service:sos.police",
    "tel:+44901234567",
    "tel:12;phone-context=+44",
    "sip:ibcf.a.example",
    "sip:+441632960083;npdi;rn=+44@b.example;user=phone",
    "sip:[2001:db8::1]:5060;lr",
    "http://b.example",
    "sip:b.example",
];
const STATUSES: [u16; 20] =
    [200, 180, 100, 183, 486, 503, 302, 404, 500, 487, 603, 408, 202, 199, 401, 422, 181, 600, 699, 491];
const EXTRA: [&str; 16] = [
    "Route: <sip:ibcf.a.example;lr>\r\n",
    "Record-Route: <sip:p1.x.example;lr>,<sip:p2.x.example;lr>\r\n",
    "Session-Expires: 90;refresher=uas\r\n",
    "Session-Expires: 18446744073709551615\r\n",
    "Require: 100rel\r\nRSeq: 1\r\n",
    "Proxy-Require: timer\r\n",
    "P-Charging-Vector: icid-value=\"1\";icid-generated-at=x;orig-ioi=y\r\n",
    "P-Asserted-Identity: \"A\" <sip:+441632960081@a.example>, <tel:+441632960081>\r\n",
    "Privacy: id\r\nSubject: aaaa\r\n",
    "User-Agent: a$1b\r\n folded\r\n",
    "Retry-After: 9\r\nReason: Q.850;cause=16\r\n",
    "Max-Forwards: 0\r\n",
    "Via: SIP/2.0/UDP old.example;branch=z9hG4bKold, SIP/2.0/TCP [::1]:1\r\n",
    "History-Info: <sip:x@b.example?Reason=SIP%3Bcause%3D302>;index=1\r\n",
    "Session-ID: ab;remote=0\r\nP-Served-User: <sip:u@x>\r\n",
    "Contact: *\r\n",
];
const CONTACTS: [&str; 6] = [
    "<sip:far@198.51.100.20>",
    "<sip:x@one.six.example>;q=0.5, <sip:bob@b.example>;q=0.7",
    "<sip:bob@b.example>, <tel:+441632960084>, <sip:x@d.example>",
    "<sip:evil@203.0.113.99?Route=%3Csip:x%3E>, <mailto:x@y>, *",
    "<sip:a@b.example>,<sip:b@b.example>,<sip:c@b.example>,<sip:d@b.example>,<sip:e@b.example>,<sip:f@b.example>",
    "\"",
];
const TAGS: [&str; 4] = ["tb", "tc", "td", ""];

/// A request of *side*.
pub(super) fn request(side: Side, bytes: &mut Bytes<'_>) -> String {
    let method = bytes.choose(&METHODS);
    let uri = bytes.choose(&URIS);
    let (call, cseq) = (bytes.byte() % 8, bytes.byte() % 4 + 1);
    let to_tag = if bytes.byte() < 240 { String::new() } else { format!(";tag={}", bytes.choose(&TAGS)) };
    let branch_of = if matches!(*method, "ACK" | "CANCEL") { "INVITE" } else { method };
    let rport = if call % 2 == 0 { ";rport" } else { "" };
    let mut text = format!(
        "{method} {uri} SIP/2.0\r\nVia: SIP/2.0/{}{rport};branch=z9hG4bK{call}{cseq}{branch_of}\r\n\
         From: <sip:+441632960081@a.example>;tag=fa\r\nTo: <{uri}>{to_tag}\r\nCall-ID: {call}@x\r\nCSeq: {cseq} {method}\r\n\
         Contact: <sip:c@{}>\r\n",
        side.sent_by(),
        side.address,
    );
    write_extra(&mut text, bytes);
    let body = "x".repeat(usize::from(bytes.byte()));
    let _ = write!(text, "Content-Length: {}\r\n\r\n{body}", body.len());
    text
}

/// Header lines as two bytes choose.
fn write_extra(text: &mut String, bytes: &mut Bytes<'_>) {
    let chosen = bytes.number();
    for (at, line) in EXTRA.iter().enumerate() {
        if chosen >> at & 1 == 1 {
            text.push_str(line);
        }
    }
}

/// A response to *request*.
pub(super) fn response(request: &[u8], bytes: &mut Bytes<'_>) -> Vec<u8> {
    let text = String::from_utf8_lossy(request);
    let status = bytes.choose(&STATUSES);
    let chosen = usize::from(bytes.byte());
    let (tag, contact) = (TAGS[chosen % TAGS.len()], CONTACTS[chosen / TAGS.len() % CONTACTS.len()]);
    let mut reply = format!("SIP/2.0 {status} Said\r\n");
    for line in lines(&text, &["Via", "v", "From", "f", "To", "t", "Call-ID", "i", "CSeq", "Record-Route"]) {
        reply.push_str(line);
        if line.starts_with("To:") && !line.contains("tag=") && !tag.is_empty() {
            let _ = write!(reply, ";tag={tag}");
        }
        reply.push_str("\r\n");
    }
    let _ = write!(reply, "Contact: {contact}\r\n");
    write_extra(&mut reply, bytes);
    let body = "y".repeat(usize::from(bytes.byte()));
    let _ = write!(reply, "Content-Length: {}\r\n\r\n{body}", body.len());
    reply.into_bytes()
}

/// A request inside the dialog that *message* belongs to: a response that the caller got, or a request that the callee got.
pub(super) fn inside_dialog(message: &[u8], side: Side, from_callee: bool, bytes: &mut Bytes<'_>) -> Vec<u8> {
    let text = String::from_utf8_lossy(message);
    let method = bytes.choose(&INSIDE);
    let cseq = bytes.byte() % 4 + 1;
    let (from, to) = (value(&text, "From"), value(&text, "To"));
    let (from, to) = if from_callee {
        (format!("{to};tag={}", bytes.choose(&TAGS)), from.to_owned())
    } else {
        (from.to_owned(), to.to_owned())
    };
    let target = *bytes.choose(&[
        "sip:far@198.51.100.20",
        "sip:far@192.0.2.10",
        "sip:evil@203.0.113.99",
        "sip:b.example",
        "sip:far@[2001:db8::20]",
    ]);
    let mut request = format!(
        "{method} {target} SIP/2.0\r\nVia: SIP/2.0/{};branch=z9hG4bKd{cseq}{method}\r\nMax-Forwards: {}\r\nFrom: {from}\r\nTo: {to}\r\n\
         Call-ID: {}\r\nCSeq: {cseq} {method}\r\n",
        side.sent_by(),
        bytes.byte() % 80,
        value(&text, "Call-ID"),
    );
    let routes: Vec<&str> = lines(&text, &["Record-Route"])
        .filter_map(|line| line.split_once(':'))
        .map(|(_, value)| value)
        .collect();
    let routes: Vec<&str> = if from_callee { routes } else { routes.into_iter().rev().collect() };
    for route in routes {
        let _ = write!(request, "Route:{route}\r\n");
    }
    write_extra(&mut request, bytes);
    request.push_str("Content-Length: 0\r\n\r\n");
    request.into_bytes()
}

/// The ACK or the CANCEL of a request that came in.
pub(super) fn follow_up(request: &[u8], to_tag: Option<&str>, bytes: &mut Bytes<'_>) -> Vec<u8> {
    let method = bytes.choose(&["ACK", "CANCEL"]);
    let text = String::from_utf8_lossy(request);
    let (first, rest) = text.split_once(' ').unwrap_or_default();
    let text = format!("{method} {rest}").replace(&format!(" {first}\r\n"), &format!(" {method}\r\n"));
    match to_tag {
        Some(tag) if *method == "ACK" => {
            text.replacen(">\r\nCall-ID", &format!(">;tag={tag}\r\nCall-ID"), 1).into_bytes()
        }
        _ => text.into_bytes(),
    }
}

/// May ACK or CANCEL follow?
pub(super) fn begins_transaction(message: &[u8]) -> bool {
    ![&b"SIP/"[..], b"ACK", b"CANCEL"].iter().any(|start| message.starts_with(start))
}

/// Did the border leave its Route in there?
pub(super) fn is_of_dialog(message: &[u8]) -> bool {
    value(&String::from_utf8_lossy(message), "Record-Route").contains(";lr>")
}

/// The To tag of a response.
pub(super) fn to_tag(response: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(response);
    let line = lines(&text, &["To"]).next()?;
    line.split_once(";tag=").map(|(_, tag)| tag.to_owned())
}

/// The value of the first header of that name.
fn value<'t>(text: &'t str, name: &str) -> &'t str {
    let line = text
        .split("\r\n")
        .find(|line| line.split_once(':').is_some_and(|(found, _)| found.eq_ignore_ascii_case(name)));
    line.and_then(|line| line.split_once(':')).map_or("", |(_, value)| value.trim())
}

/// The header lines with one of these names.
fn lines<'t>(text: &'t str, names: &'static [&str]) -> impl Iterator<Item = &'t str> {
    let head = text.split("\r\n\r\n").next().unwrap_or_default();
    head.split("\r\n").skip(1).filter(|line| {
        line.split_once(':')
            .is_some_and(|(name, _)| names.iter().any(|known| known.eq_ignore_ascii_case(name)))
    })
}
