//! What belongs to one hop: Via, and the ACK and CANCEL that the border makes itself (RFC 3261 §9.1, §17.1.1.3, §18.2.1).

use std::net::SocketAddr;

use super::draft::Draft;
use super::overload::{ANNOUNCEMENT, OverloadReport};
use super::text::{split_first, split_param, write_address, write_clean, write_ip, write_line, write_number};
use crate::message::{HeaderId, Message, Method, Via, is_overload};
use crate::parse::scan;
use crate::snapshot::Transport;

/// What a request of our own may still travel.
const MAX_FORWARDS: &[u8] = b"70";

/// What our Via offers to the other side, as agreed.
#[derive(Clone, Copy, Debug, Default)]
pub struct ViaOffers {
    /// It may send its requests on our connections (RFC 5923 §5).
    pub connection_reuse: bool,
    /// It may ask us for fewer requests (RFC 7339 §4.1).
    pub overload_control: bool,
}

/// Appends the value of our Via: `SIP/2.0/UDP host:port;rport;branch=...` (PX-12, PX-50). A response comes back on the
/// connection that the request left on, so `rport` stands only where there is none.
pub fn via_value(
    out: &mut Vec<u8>,
    (transport, address): (Transport, SocketAddr),
    offers: ViaOffers,
    write_branch: impl FnOnce(&mut Vec<u8>),
) {
    out.extend_from_slice(b"SIP/2.0/");
    out.extend_from_slice(transport.via_name());
    out.push(b' ');
    write_address(address, out);
    if !transport.is_reliable() {
        out.extend_from_slice(b";rport");
    } else if offers.connection_reuse {
        out.extend_from_slice(b";alias");
    }
    out.extend_from_slice(b";branch=");
    write_branch(out);
    if offers.overload_control {
        out.extend_from_slice(ANNOUNCEMENT);
    }
}

/// Says how long the body is, if nobody has: in a stream nothing else ends the message (RFC 3261 §18.3, PX-12).
pub fn need_content_length(draft: &mut Draft<'_>) {
    if draft.first(HeaderId::ContentLength).is_none() {
        let length = draft.body().len();
        draft.append(HeaderId::ContentLength, length.to_string().as_bytes());
    }
}

/// Writes into the top Via where the request came from (RFC 3261 §18.2.1, RFC 3581 §4), and takes out what it says of overload
/// control, which is between its sender and us (RFC 7339 §5.4).
pub fn via_received(draft: &mut Draft<'_>, source: SocketAddr) {
    if draft.message().top_via().is_ok_and(|via| is_complete(&via, source)) {
        return;
    }
    if let Some(at) = draft.first(HeaderId::Via).map(|header| header.at) {
        draft.edit_value(at, |value, out| stamp(value, source, None, out));
    }
}

/// Puts *report* into the top Via of a response that is passed on. What others wrote there in our name goes in any case
/// (RFC 7339 §5.6).
pub fn report_overload(draft: &mut Draft<'_>, report: Option<OverloadReport>) {
    let Some(at) = draft.first(HeaderId::Via).map(|header| header.at) else { return };
    draft.edit_value(at, |value, out| {
        if report.is_none() && !may_have_overload(value) {
            return false;
        }
        let (top, rest) = split_first(value);
        let Ok(via) = Via::parse(top) else { return false };
        if report.is_none() && !via.has_overload() {
            return false;
        }
        let params = via.params.as_bytes();
        out.extend_from_slice(top.get(..top.len() - params.len()).unwrap_or_default());
        each_param(params, |name, text| {
            if !is_overload(name) {
                out.extend_from_slice(text);
            }
        });
        finish(report, rest, out);
        true
    });
}

/// Could a parameter of overload control be in *value*? Nearly always this says no, and saves reading it.
fn may_have_overload(value: &[u8]) -> bool {
    memchr::memchr2_iter(b'o', b'O', value).any(|at| matches!(value.get(at + 1), Some(b'c' | b'C')))
}

/// Says the Via all that is to be known of where it came from, and no more?
pub(super) fn is_complete(via: &Via<'_>, source: SocketAddr) -> bool {
    via.rport().is_none() && via.received().is_none() && !via.has_overload() && names(via, source)
}

/// Does the sent-by name the address of *source*?
fn names(via: &Via<'_>, source: SocketAddr) -> bool {
    via.host_is_ip().is_some_and(|ip| ip.to_canonical() == source.ip().to_canonical())
}

/// Appends *line_value*, the value of the topmost Via line, with `received` and `rport` in its first element.
///
/// `received` is added when the sent-by names another address than *source*, and always with `rport`. A `received` that
/// the sender wrote itself is replaced: it is ours to say. Of overload control there is afterwards what *report* says.
/// Returns `false`, and appends nothing of use, when there is nothing to change or the element cannot be read.
pub(super) fn stamp(
    line_value: &[u8],
    source: SocketAddr,
    report: Option<OverloadReport>,
    out: &mut Vec<u8>,
) -> bool {
    let (top, rest) = split_first(line_value);
    let Ok(via) = Via::parse(top) else { return false };
    let names_source = names(&via, source);
    let params = via.params.as_bytes();
    out.extend_from_slice(top.get(..top.len() - params.len()).unwrap_or_default());
    // The parameters one by one, each as written, but for those that are ours to write.
    let mut is_received_asked = !names_source;
    each_param(params, |name, text| {
        if name.eq_ignore_ascii_case(b"rport") {
            out.extend_from_slice(b";rport=");
            write_number(u32::from(source.port()), out);
            is_received_asked = true;
        } else if name.eq_ignore_ascii_case(b"received") {
            is_received_asked = true;
        } else if !is_overload(name) {
            out.extend_from_slice(text);
        }
    });
    if is_received_asked {
        out.extend_from_slice(b";received=");
        write_ip(source.ip(), out);
    } else if !via.has_overload() && report.is_none() {
        return false;
    }
    finish(report, rest, out);
    true
}

/// Hands on each parameter: its name, and all of it as written.
fn each_param(params: &[u8], mut take: impl FnMut(&[u8], &[u8])) {
    let mut left = params;
    while !left.is_empty() {
        let (text, behind) = split_param(left);
        left = behind;
        let name = scan::split_where(text.get(1..).unwrap_or_default(), |byte| byte == b'=').0;
        take(scan::trim(name), text);
    }
}

/// Appends the report, and the elements behind the first.
fn finish(report: Option<OverloadReport>, rest: &[u8], out: &mut Vec<u8>) {
    if let Some(report) = report {
        report.write(out);
    }
    if !rest.is_empty() {
        out.extend_from_slice(b", ");
        out.extend_from_slice(rest);
    }
}

/// Appends the ACK for a final response other than 2xx to the INVITE that we sent (§17.1.1.3).
pub fn write_ack(invite_sent: &Message<'_>, response: &Message<'_>, out: &mut Vec<u8>) {
    write_request(Method::Ack, invite_sent, response, None, out);
}

/// Appends the CANCEL for the INVITE that we sent (§9.1), with a Reason (RFC 3326) if there is one to give.
pub fn write_cancel(invite_sent: &Message<'_>, reason: Option<&[u8]>, out: &mut Vec<u8>) {
    write_request(Method::Cancel, invite_sent, invite_sent, reason, out);
}

/// Appends what of the INVITE that leaves its ACK and CANCEL are made of, as an INVITE: of the Vias only ours, no body.
pub fn write_outline(invite: &Draft<'_>, out: &mut Vec<u8>) {
    out.extend_from_slice(b"INVITE ");
    out.extend_from_slice(invite.request_uri());
    out.extend_from_slice(b" SIP/2.0\r\n");
    if let Some(via) = invite.first(HeaderId::Via) {
        write_line(via.name, split_first(via.value).0, out);
    }
    for id in [HeaderId::Route, HeaderId::From, HeaderId::To, HeaderId::CallId, HeaderId::CSeq] {
        for header in invite.all(id) {
            invite.copy_line(header.at, out);
        }
    }
    out.extend_from_slice(b"\r\n");
}

/// One Via, ours; Route, From, Call-ID and the number of `CSeq` as in the INVITE; To as in *to_from*.
fn write_request(
    method: Method<'_>,
    invite: &Message<'_>,
    to_from: &Message<'_>,
    reason: Option<&[u8]>,
    out: &mut Vec<u8>,
) {
    let Some(request) = invite.request() else { return };
    out.extend_from_slice(method.as_bytes());
    out.push(b' ');
    out.extend_from_slice(request.uri);
    out.extend_from_slice(b" SIP/2.0\r\n");
    if let Some(via) = invite.first(HeaderId::Via) {
        write_line(via.name, split_first(via.value).0, out);
    }
    write_line(b"Max-Forwards", MAX_FORWARDS, out);
    for route in invite.all(HeaderId::Route) {
        copy(invite, &route.line, out);
    }
    for (message, id) in [(invite, HeaderId::From), (to_from, HeaderId::To), (invite, HeaderId::CallId)] {
        if let Some(header) = message.first(id) {
            copy(message, &header.line, out);
        }
    }
    out.extend_from_slice(b"CSeq: ");
    write_number(invite.cseq().map_or(0, |cseq| cseq.number), out);
    out.push(b' ');
    out.extend_from_slice(method.as_bytes());
    out.extend_from_slice(b"\r\n");
    if let Some(reason) = reason {
        out.extend_from_slice(b"Reason: ");
        write_clean(reason, out);
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(b"Content-Length: 0\r\n\r\n");
}

/// Appends header lines as they were received.
pub(super) fn copy(message: &Message<'_>, line: &std::ops::Range<usize>, out: &mut Vec<u8>) {
    out.extend_from_slice(message.bytes().get(line.clone()).unwrap_or_default());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rewrite::DraftScratch;
    use crate::rewrite::testing::{INVITE, edited_headers, with_message};

    fn text(bytes: &[u8]) -> String {
        String::from_utf8_lossy(bytes).into_owned()
    }

    #[test]
    fn our_via_asks_for_rport() {
        for (transport, address, expected) in [
            (Transport::Udp, "127.0.0.1:5060", "SIP/2.0/UDP 127.0.0.1:5060;rport;branch=z9hG4bKx"),
            (Transport::Udp, "[::1]:5061", "SIP/2.0/UDP [::1]:5061;rport;branch=z9hG4bKx"),
            (Transport::Tcp, "127.0.0.1:5060", "SIP/2.0/TCP 127.0.0.1:5060;branch=z9hG4bKx"),
            (Transport::Tls, "[::1]:5061", "SIP/2.0/TLS [::1]:5061;branch=z9hG4bKx"),
        ] {
            let mut out = Vec::new();
            via_value(&mut out, (transport, address.parse().unwrap()), ViaOffers::default(), |out| {
                out.extend(b"z9hG4bKx");
            });
            assert_eq!(text(&out), expected);
            assert!(Via::parse(&out).is_ok());
        }
    }

    #[test]
    fn the_top_via_learns_where_the_request_came_from() {
        for (source, received, expected) in [
            // RFC 3261 §18.2.1: nothing to say
            ("1.2.3.4:5060", "SIP/2.0/UDP 1.2.3.4:5060;branch=z", "SIP/2.0/UDP 1.2.3.4:5060;branch=z"),
            (
                "[2001:db8::1]:9",
                "SIP/2.0/UDP [2001:DB8:0::1];branch=z",
                "SIP/2.0/UDP [2001:DB8:0::1];branch=z",
            ),
            // another address, or a name
            ("1.2.3.5:5060", "SIP/2.0/UDP 1.2.3.4;branch=z", "SIP/2.0/UDP 1.2.3.4;branch=z;received=1.2.3.5"),
            (
                "1.2.3.4:5060",
                "SIP/2.0/UDP a.example;branch=z",
                "SIP/2.0/UDP a.example;branch=z;received=1.2.3.4",
            ),
            ("[2001:db8::1]:9", "SIP/2.0/UDP a;branch=z", "SIP/2.0/UDP a;branch=z;received=2001:db8::1"),
            ("[::ffff:1.2.3.4]:9", "SIP/2.0/UDP a;branch=z", "SIP/2.0/UDP a;branch=z;received=1.2.3.4"),
            // RFC 3581 §4: rport, and received always with it
            (
                "1.2.3.4:65535",
                "SIP/2.0/UDP 1.2.3.4;rport;branch=z",
                "SIP/2.0/UDP 1.2.3.4;rport=65535;branch=z;received=1.2.3.4",
            ),
            // what the sender had no right to say
            (
                "1.2.3.4:7",
                "SIP/2.0/UDP 1.2.3.4;received=9.9.9.9;RPORT=1;branch=z;x=\"a;rport\"",
                "SIP/2.0/UDP 1.2.3.4;rport=7;branch=z;x=\"a;rport\";received=1.2.3.4",
            ),
            // the rest of the list, folds and blanks as written
            (
                "1.2.3.4:7",
                "SIP / 2.0 / UDP a ; branch=z ;\r\n rport,SIP/2.0/UDP b;rport",
                "SIP / 2.0 / UDP a ; branch=z ;rport=7;received=1.2.3.4, SIP/2.0/UDP b;rport",
            ),
            ("1.2.3.4:7", "garbage", "garbage"),
        ] {
            let headers = [format!("v: {received}"), "Via: SIP/2.0/UDP c;rport".to_owned()];
            let headers: Vec<_> = headers.iter().map(String::as_str).collect();
            let out = edited_headers(&headers, |draft| via_received(draft, source.parse().unwrap()));
            assert_eq!(out, [format!("v: {expected}"), "Via: SIP/2.0/UDP c;rport".to_owned()], "{received}");
        }
    }

    #[test]
    fn the_ack_of_a_failure_is_of_the_invite_but_for_to() {
        let response = b"SIP/2.0 486 Busy\r\nVia: SIP/2.0/UDP 127.0.0.1:5070\r\nFrom: <sip:other>\r\n\
To: <tel:+441632960083>;tag=callee\r\nCall-ID: y\r\nCSeq: 9 INVITE\r\n\r\n";
        let mut out = Vec::new();
        with_message(INVITE, |invite| {
            with_message(response, |response| write_ack(&invite, &response, &mut out));
        });
        let expected = "ACK tel:+441632960083 SIP/2.0\r\n\
v: SIP/2.0/UDP 127.0.0.1:5070;branch=z9hG4bKa;rport\r\n\
Max-Forwards: 70\r\n\
Route: <sip:tok@127.0.0.1:5060;lr>,\r\n  <sip:b.example;lr>\r\n\
f: \"A, B\" <sip:+4420@a.example>;tag=1\r\n\
To: <tel:+441632960083>;tag=callee\r\n\
CALL-ID: x@a\r\n\
CSeq: 314 ACK\r\n\
Content-Length: 0\r\n\r\n";
        assert_eq!(text(&out), expected);
    }

    #[test]
    fn ack_and_cancel_are_the_same_from_the_outline() {
        let response = b"SIP/2.0 486 Busy\r\nVia: SIP/2.0/UDP 127.0.0.1:5070\r\nFrom: <sip:other>\r\n\
To: <tel:+441632960083>;tag=callee\r\nCall-ID: y\r\nCSeq: 9 INVITE\r\n\r\n";
        let made_of = |invite: &Message<'_>| {
            let (mut ack, mut cancel) = (Vec::new(), Vec::new());
            with_message(response, |response| write_ack(invite, &response, &mut ack));
            write_cancel(invite, Some(b"SIP;cause=200"), &mut cancel);
            (text(&ack), text(&cancel))
        };
        let mut outline = Vec::new();
        let whole = with_message(INVITE, |invite| {
            write_outline(&Draft::new(invite, &mut DraftScratch::default()), &mut outline);
            made_of(&invite)
        });
        assert!(!text(&outline).contains("core.a.example"), "only our own Via is needed");
        assert_eq!(with_message(&outline, |outline| made_of(&outline)), whole);
    }

    #[test]
    fn a_cancel_is_of_the_invite_and_may_say_why() {
        let common = "CANCEL tel:+441632960083 SIP/2.0\r\n\
v: SIP/2.0/UDP 127.0.0.1:5070;branch=z9hG4bKa;rport\r\n\
Max-Forwards: 70\r\n\
Route: <sip:tok@127.0.0.1:5060;lr>,\r\n  <sip:b.example;lr>\r\n\
f: \"A, B\" <sip:+4420@a.example>;tag=1\r\n\
To: <tel:+441632960083>\r\n\
CALL-ID: x@a\r\n\
CSeq: 314 CANCEL\r\n";
        for (reason, line) in [
            (None, ""),
            (Some(&b"SIP;cause=200;text=\"answered\""[..]), "Reason: SIP;cause=200;text=\"answered\"\r\n"),
            (Some(b"SIP\r\nX-Evil: 1"), "Reason: SIPX-Evil: 1\r\n"),
        ] {
            let mut out = Vec::new();
            with_message(INVITE, |invite| write_cancel(&invite, reason, &mut out));
            assert_eq!(text(&out), format!("{common}{line}Content-Length: 0\r\n\r\n"));
        }
    }
}
