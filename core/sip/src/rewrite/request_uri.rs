//! The host of the Request-URI towards a peer that answers for its own domain only.

use super::draft::Draft;
use crate::message::{Uri, UriKind};

/// Puts *host* where the host of a SIP Request-URI stands, and takes its port away, which was another host's. A tel URI
/// names no host and stays. Returns whether anything changed.
pub fn set_host(draft: &mut Draft<'_>, host: &str) -> bool {
    let Some(written) = with_host(draft.request_uri(), host.as_bytes()) else { return false };
    draft.set_request_uri(&written)
}

fn with_host(text: &[u8], host: &[u8]) -> Option<Vec<u8>> {
    let uri = Uri::parse(text).ok()?;
    if !matches!(uri.kind, UriKind::Sip | UriKind::Sips) || (uri.host == host && uri.port.is_none()) {
        return None;
    }
    // Neither a password nor a user part may hold a bare @ (RFC 3261 §25.1), so the first one ends both.
    let user_end = text.iter().position(|byte| *byte == b'@').filter(|_| uri.user.is_some());
    let start = user_end.map_or(uri.scheme.len(), |at| at) + 1;
    let behind = text.get(start + uri.host.len()..)?;
    let port_end = behind.iter().position(|byte| matches!(byte, b';' | b'?')).unwrap_or(behind.len());
    Some([text.get(..start)?, host, behind.get(port_end..)?].concat())
}

#[cfg(test)]
mod tests {
    use super::with_host;

    #[test]
    fn only_the_host_and_its_port_change() {
        for (before, after) in [
            ("sip:+441632960083@a.example;user=phone", "sip:+441632960083@b.example;user=phone"),
            ("sip:+44;npdi:pw@a.example:5062;user=phone?X=1", "sip:+44;npdi:pw@b.example;user=phone?X=1"),
            ("sips:alice@[2001:db8::1]:5061", "sips:alice@b.example"),
            ("sip:a.example;lr", "sip:b.example;lr"),
            ("SIP:x@b.example:5060", "SIP:x@b.example"),
        ] {
            let written = with_host(before.as_bytes(), b"b.example").expect("a change");
            assert_eq!(String::from_utf8(written).expect("text"), after);
        }
    }

    #[test]
    fn what_names_no_host_or_that_host_stays() {
        for same in ["tel:+441632960083", "sip:x@b.example;user=phone", "urn:service:sos", "sip:", ""] {
            assert_eq!(with_host(same.as_bytes(), b"b.example"), None, "{same}");
        }
    }
}
