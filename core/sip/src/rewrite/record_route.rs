//! Our URI in Record-Route, and the token in it (RFC 3261 §16.6 (4)).

use std::net::SocketAddr;

use super::text::write_address;
use crate::message::{Uri, UriKind};
use crate::snapshot::Transport;

/// Appends `<sip:TOKEN@host:port;lr>`; without a token, `<sip:host:port;lr>`, for the second one of a pair (RFC 5658).
/// The transport stands in it unless it is UDP, since inside a dialog nobody asks the DNS for it.
pub fn write_uri(
    out: &mut Vec<u8>,
    write_token: Option<impl FnOnce(&mut Vec<u8>)>,
    (transport, address): (Transport, SocketAddr),
) {
    out.extend_from_slice(b"<sip:");
    if let Some(write_token) = write_token {
        write_token(out);
        out.push(b'@');
    }
    write_address(address, out);
    if transport != Transport::Udp {
        out.extend_from_slice(b";transport=");
        out.extend_from_slice(transport.name().as_bytes());
    }
    out.extend_from_slice(b";lr>");
}

/// Returns the token of a URI of ours. Whether it is one, [`KeyRing::open`](super::KeyRing::open) tells.
pub fn token_of<'a>(uri: &Uri<'a>) -> Option<&'a [u8]> {
    match uri.kind {
        UriKind::Sip | UriKind::Sips => uri.user,
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::NameAddr;

    #[test]
    fn the_token_is_read_from_the_uri_that_holds_it() {
        for (transport, address, token, expected) in [
            (Transport::Udp, "127.0.0.1:5060", &b"abc"[..], "<sip:abc@127.0.0.1:5060;lr>"),
            (Transport::Udp, "[2001:db8::1]:5061", b"abc", "<sip:abc@[2001:db8::1]:5061;lr>"),
            (Transport::Udp, "127.0.0.1:5060", b"", "<sip:127.0.0.1:5060;lr>"),
            (Transport::Tcp, "127.0.0.1:5060", b"abc", "<sip:abc@127.0.0.1:5060;transport=tcp;lr>"),
            (Transport::Tls, "127.0.0.1:5061", b"", "<sip:127.0.0.1:5061;transport=tls;lr>"),
        ] {
            let mut out = Vec::new();
            let write_token = (!token.is_empty()).then_some(|out: &mut Vec<u8>| out.extend_from_slice(token));
            write_uri(&mut out, write_token, (transport, address.parse().unwrap()));
            assert_eq!(String::from_utf8_lossy(&out), expected);
            let uri = Uri::parse(NameAddr::parse(&out).unwrap().uri).unwrap();
            assert_eq!(token_of(&uri).unwrap_or_default(), token);
            assert!(uri.params.has(b"lr"));
        }
        assert_eq!(token_of(&Uri::parse(b"tel:+44").unwrap()), None);
    }
}
