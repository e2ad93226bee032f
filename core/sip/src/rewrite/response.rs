//! The border's own answers (RFC 3261 §8.2.6, §18.2.1).

use std::net::SocketAddr;
use std::time::Duration;

use super::hop::{copy, is_complete, stamp};
use super::overload::OverloadReport;
use super::text::{write_clean, write_number};
use crate::message::{HeaderId, Message};
use crate::parse::scan;

/// What the border knows of the way that a response takes.
#[derive(Clone, Copy, Debug)]
pub struct UpstreamHop {
    /// Where the request came from.
    pub source: SocketAddr,
    /// How long ago.
    pub delay: Duration,
    /// What its sender is asked for (RFC 7339), if it heeds that.
    pub report: Option<OverloadReport>,
}

/// Appends a response to *request*, which may have faults: what it lacks, the response lacks too.
///
/// The Via list is copied line by line; the topmost gets `received` and `rport`, and what the sender is asked for. From, To, Call-ID and `CSeq` are copied as
/// received; To gets *to_tag* unless it has a tag or the status is 100. A 100 carries the request's Timestamp, and how long
/// it took (§8.2.6.1). Nothing else of the request comes back: no Record-Route, no P-Charging-Vector (EN-28).
pub fn write_response(
    request: &Message<'_>,
    status: u16,
    phrase: &str,
    to_tag: &[u8],
    hop: UpstreamHop,
    extra: &[(&str, &[u8])],
    out: &mut Vec<u8>,
) {
    out.extend_from_slice(b"SIP/2.0 ");
    write_number(u32::from(status), out);
    out.push(b' ');
    write_clean(phrase.as_bytes(), out);
    out.extend_from_slice(b"\r\n");
    let UpstreamHop { source, delay, report } = hop;
    let is_stamped = report.is_none() && request.top_via().is_ok_and(|via| is_complete(&via, source));
    for (at, via) in request.all(HeaderId::Via).enumerate() {
        if at > 0 || is_stamped {
            copy(request, &via.line, out);
            continue;
        }
        let before = out.len();
        out.extend_from_slice(via.name);
        out.extend_from_slice(b": ");
        if stamp(via.value, source, report, out) {
            out.extend_from_slice(b"\r\n");
        } else {
            out.truncate(before);
            copy(request, &via.line, out);
        }
    }
    copy_first(request, HeaderId::From, out);
    write_to(request, if status > 100 { to_tag } else { b"" }, out);
    copy_first(request, HeaderId::CallId, out);
    copy_first(request, HeaderId::CSeq, out);
    if status == 100 {
        write_timestamp(request, delay, out);
    }
    for (name, value) in extra {
        out.extend_from_slice(name.as_bytes());
        out.extend_from_slice(b": ");
        write_clean(value, out);
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(b"Content-Length: 0\r\n\r\n");
}

fn write_to(request: &Message<'_>, tag: &[u8], out: &mut Vec<u8>) {
    let Some(to) = request.first(HeaderId::To) else { return };
    // A To that cannot be read gets none: behind what we do not understand, a tag could land anywhere.
    let takes_tag = !tag.is_empty() && request.to().is_ok_and(|to| to.tag().is_none());
    if takes_tag {
        out.extend_from_slice(to.name);
        out.extend_from_slice(b": ");
        out.extend_from_slice(to.value);
        out.extend_from_slice(b";tag=");
        out.extend_from_slice(tag);
        out.extend_from_slice(b"\r\n");
    } else {
        copy(request, &to.line, out);
    }
}

/// A Timestamp that has a delay already keeps it: somebody before us wrote that.
fn write_timestamp(request: &Message<'_>, delay: Duration, out: &mut Vec<u8>) {
    let tenths = u32::try_from(delay.as_millis() / 100).unwrap_or(u32::MAX);
    let Some(timestamp) = request.first(HeaderId::Timestamp) else { return };
    if tenths == 0 || timestamp.value.iter().any(|byte| scan::is_lws(*byte)) {
        return copy(request, &timestamp.line, out);
    }
    out.extend_from_slice(timestamp.name);
    out.extend_from_slice(b": ");
    out.extend_from_slice(timestamp.value);
    out.push(b' ');
    write_number(tenths / 10, out);
    out.push(b'.');
    write_number(tenths % 10, out);
    out.extend_from_slice(b"\r\n");
}

fn copy_first(request: &Message<'_>, id: HeaderId, out: &mut Vec<u8>) {
    if let Some(header) = request.first(id) {
        copy(request, &header.line, out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rewrite::testing::{INVITE, with_message};

    fn response(request: &[u8], status: u16, phrase: &str, extra: &[(&str, &[u8])]) -> String {
        let mut out = b"kept".to_vec();
        with_message(request, |request| {
            write_response(
                &request,
                status,
                phrase,
                b"own",
                UpstreamHop {
                    source: "127.0.0.1:40000".parse().unwrap(),
                    delay: Duration::ZERO,
                    report: None,
                },
                extra,
                &mut out,
            );
        });
        String::from_utf8_lossy(out.strip_prefix(b"kept").expect("appended")).into_owned()
    }

    #[test]
    fn a_refusal_goes_back_the_way_it_came() {
        let extra: &[(&str, &[u8])] = &[("Allow", b"INVITE"), ("Retry-After", b"60")];
        let expected = "SIP/2.0 405 Method Not Allowed\r\n\
v: SIP/2.0/UDP 127.0.0.1:5070;branch=z9hG4bKa;rport=40000;received=127.0.0.1, SIP/2.0/TCP core.a.example;branch=z9hG4bKb\r\n\
Via: SIP/2.0/UDP [2001:db8::9];branch=z9hG4bKc\r\n\
f: \"A, B\" <sip:+4420@a.example>;tag=1\r\n\
To: <tel:+441632960083>;tag=own\r\n\
CALL-ID: x@a\r\n\
CSeq: 314 INVITE\r\n\
Allow: INVITE\r\n\
Retry-After: 60\r\n\
Content-Length: 0\r\n\r\n";
        assert_eq!(response(INVITE, 405, "Method Not Allowed", extra), expected);
    }

    #[test]
    fn a_trying_has_the_timestamp_and_no_tag() {
        let request = b"INVITE sip:b SIP/2.0\r\nVia: SIP/2.0/UDP  127.0.0.1:1\r\nRecord-Route: <sip:r;lr>\r\nTo : sip:b\r\n\
From: <sip:a>;tag=1\r\nTimestamp: 54.2\r\nP-Charging-Vector: icid-value=1\r\nCSeq: 1 INVITE\r\nCall-ID: c\r\n\r\n";
        let expected = "SIP/2.0 100 Trying\r\nVia: SIP/2.0/UDP  127.0.0.1:1\r\nFrom: <sip:a>;tag=1\r\nTo : sip:b\r\n\
Call-ID: c\r\nCSeq: 1 INVITE\r\nTimestamp: 54.2\r\nContent-Length: 0\r\n\r\n";
        assert_eq!(response(request, 100, "Trying", &[]), expected);
        let expected = "SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP  127.0.0.1:1\r\nFrom: <sip:a>;tag=1\r\nTo: sip:b;tag=own\r\n\
Call-ID: c\r\nCSeq: 1 INVITE\r\nContent-Length: 0\r\n\r\n";
        assert_eq!(response(request, 200, "OK", &[]), expected);
    }

    #[test]
    fn a_tag_that_is_there_stays_the_only_one() {
        for to in ["<sip:b>;tag=2", "<sip:b", "\"open <sip:b>"] {
            let request = format!("BYE sip:b SIP/2.0\r\nTo: {to}\r\n\r\n");
            let expected = format!("SIP/2.0 481 Gone\r\nTo: {to}\r\nContent-Length: 0\r\n\r\n");
            assert_eq!(response(request.as_bytes(), 481, "Gone", &[]), expected);
        }
    }

    #[test]
    fn phrases_and_extra_headers_stay_on_their_line() {
        let expected = "SIP/2.0 403 noX: 1\r\nReason: aX: 1\r\nContent-Length: 0\r\n\r\n";
        let request = b"OPTIONS sip:b SIP/2.0\r\nX: 1\r\n\r\n";
        assert_eq!(response(request, 403, "no\r\nX: 1", &[("Reason", b"a\r\nX: 1")]), expected);
    }
}
