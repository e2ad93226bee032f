//! Our URI in Record-Route, and the token in it (RFC 3261 §16.6 (4)).

use std::net::SocketAddr;

use super::text::write_address;
use crate::message::{Uri, UriKind};

/// Appends `<sip:TOKEN@host:port;lr>`; with an empty token, `<sip:host:port;lr>`, for the second one of a pair (RFC 5658).
pub fn write_uri(out: &mut Vec<u8>, token: &[u8], address: SocketAddr) {
    out.extend_from_slice(b"<sip:");
    if !token.is_empty() {
        out.extend_from_slice(token);
        out.push(b'@');
    }
    write_address(address, out);
    out.extend_from_slice(b";lr>");
}

/// Returns the token of a URI of ours. Whether it is one, [`KeyRing::open`](super::KeyRing::open) tells.
pub fn token_of<'a>(uri: &Uri<'a>) -> Option<&'a [u8]> {
    match uri.kind {
        UriKind::Sip | UriKind::Sips => uri.user,
        _ => None,
    }
}
