//! What belongs to one hop: Via, and the ACK and CANCEL that the border makes itself (RFC 3261 §9.1, §17.1.1.3, §18.2.1).

use std::net::SocketAddr;

use super::draft::Draft;
use super::text::{split_first, split_param, write_address, write_clean, write_ip, write_line, write_number};
use crate::message::{HeaderId, Message, Method, Params, Via};

/// What a request of our own may still travel.
const MAX_FORWARDS: &[u8] = b"70";

/// Appends the value of our Via: `SIP/2.0/UDP host:port;rport;branch=...` (PX-12, PX-50).
pub fn via_value(out: &mut Vec<u8>, address: SocketAddr, branch: &[u8]) {
    out.extend_from_slice(b"SIP/2.0/UDP ");
    write_address(address, out);
    out.extend_from_slice(b";rport;branch=");
    out.extend_from_slice(branch);
}

/// Writes into the top Via where the request came from (RFC 3261 §18.2.1, RFC 3581 §4).
pub fn via_received(draft: &mut Draft<'_>, source: SocketAddr) {
    if let Some(at) = draft.first(HeaderId::Via).map(|header| header.at) {
        draft.edit_value(at, |value, out| stamp(value, source, out));
    }
}

/// Appends *line_value*, the value of the topmost Via line, with `received` and `rport` in its first element.
///
/// `received` is added when the sent-by names another address than *source*, and always with `rport`. A `received` that
/// the sender wrote itself is replaced: it is ours to say. Returns `false`, and appends nothing of use, when there is
/// nothing to change or the element cannot be read.
pub(super) fn stamp(line_value: &[u8], source: SocketAddr, out: &mut Vec<u8>) -> bool {
    let (top, rest) = split_first(line_value);
    let Ok(via) = Via::parse(top) else { return false };
    let has_rport = via.rport().is_some();
    let names_source = via.host_is_ip().is_some_and(|ip| ip.to_canonical() == source.ip().to_canonical());
    if !has_rport && names_source && via.received().is_none() {
        return false;
    }
    let params = via.params.as_bytes();
    out.extend_from_slice(top.get(..top.len() - params.len()).unwrap_or_default());
    // The parameters one by one, each as written, but for the two that are ours to write.
    let mut rest_of_params = params;
    while !rest_of_params.is_empty() {
        let (text, behind) = split_param(rest_of_params);
        rest_of_params = behind;
        let name = Params(text).iter().next().map_or(&b""[..], |param| param.name);
        if name.eq_ignore_ascii_case(b"received") {
            continue;
        }
        if name.eq_ignore_ascii_case(b"rport") {
            out.extend_from_slice(b";rport=");
            write_number(u32::from(source.port()), out);
        } else {
            out.extend_from_slice(text);
        }
    }
    out.extend_from_slice(b";received=");
    write_ip(source, out);
    if !rest.is_empty() {
        out.extend_from_slice(b", ");
        out.extend_from_slice(rest);
    }
    true
}

/// Appends the ACK for a final response other than 2xx to the INVITE that we sent (§17.1.1.3).
pub fn write_ack(invite_sent: &Message<'_>, response: &Message<'_>, out: &mut Vec<u8>) {
    write_request(Method::Ack, invite_sent, response, None, out);
}

/// Appends the CANCEL for the INVITE that we sent (§9.1), with a Reason (RFC 3326) if there is one to give.
pub fn write_cancel(invite_sent: &Message<'_>, reason: Option<&[u8]>, out: &mut Vec<u8>) {
    write_request(Method::Cancel, invite_sent, invite_sent, reason, out);
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
