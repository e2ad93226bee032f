//! The border's own answers (RFC 3261 §8.2.6, §18.2.1).

use std::net::SocketAddr;

use super::hop::{copy, stamp};
use super::text::{write_clean, write_number};
use crate::message::{HeaderId, Message};

/// Appends a response to *request*, which may have faults: what it lacks, the response lacks too.
///
/// The Via list is copied line by line; the topmost gets `received` and `rport`. From, To, Call-ID and `CSeq` are copied as
/// received; To gets *to_tag* unless it has a tag or the status is 100. A 100 carries the request's Timestamp. Nothing else
/// of the request comes back: no Record-Route, no P-Charging-Vector (EN-28).
pub fn write_response(
    request: &Message<'_>,
    status: u16,
    phrase: &str,
    to_tag: &[u8],
    source: SocketAddr,
    extra: &[(&str, &[u8])],
    out: &mut Vec<u8>,
) {
    out.extend_from_slice(b"SIP/2.0 ");
    write_number(u32::from(status), out);
    out.push(b' ');
    write_clean(phrase.as_bytes(), out);
    out.extend_from_slice(b"\r\n");
    for (at, via) in request.all(HeaderId::Via).enumerate() {
        let before = out.len();
        out.extend_from_slice(via.name);
        out.extend_from_slice(b": ");
        if at == 0 && stamp(via.value, source, out) {
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
        copy_first(request, HeaderId::Timestamp, out);
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

fn copy_first(request: &Message<'_>, id: HeaderId, out: &mut Vec<u8>) {
    if let Some(header) = request.first(id) {
        copy(request, &header.line, out);
    }
}
