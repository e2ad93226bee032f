//! The OPTIONS that asks a target whether it is there (RFC 3261 §11, GEN-17).

use std::net::SocketAddr;

use super::hop::{ViaOffers, via_value};
use super::text::write_address;
use crate::snapshot::Transport;

/// What one probe is made of.
#[derive(Clone, Copy, Debug)]
pub struct Probe<'a> {
    /// How it travels, and where it leads.
    pub target: (Transport, SocketAddr),
    /// Our own address, as others see it.
    pub own: SocketAddr,
    /// Our domain, which speaks for us in From.
    pub domain: &'a str,
    /// Branch of our Via, with its cookie.
    pub branch: &'a [u8],
    /// Our tag.
    pub tag: &'a str,
    /// Call-ID, without a host.
    pub call_id: &'a str,
    /// Number of `CSeq`.
    pub number: u32,
}

/// Appends the request.
pub fn write_probe(probe: &Probe<'_>, out: &mut Vec<u8>) {
    let (transport, target) = probe.target;
    let uri = |address: SocketAddr, out: &mut Vec<u8>| {
        out.extend_from_slice(b"sip:");
        write_address(address, out);
        if transport != Transport::Udp {
            out.extend_from_slice(b";transport=");
            out.extend_from_slice(transport.name().as_bytes());
        }
    };
    out.extend_from_slice(b"OPTIONS ");
    uri(target, out);
    out.extend_from_slice(b" SIP/2.0\r\nVia: ");
    via_value(out, (transport, probe.own), ViaOffers::default(), |out| out.extend_from_slice(probe.branch));
    out.extend_from_slice(b"\r\nMax-Forwards: 70\r\nFrom: <sip:");
    out.extend_from_slice(probe.domain.as_bytes());
    out.extend_from_slice(b">;tag=");
    out.extend_from_slice(probe.tag.as_bytes());
    out.extend_from_slice(b"\r\nTo: <");
    uri(target, out);
    out.extend_from_slice(b">\r\nCall-ID: ");
    out.extend_from_slice(probe.call_id.as_bytes());
    out.extend_from_slice(b"\r\nCSeq: ");
    super::text::write_number(probe.number, out);
    out.extend_from_slice(b" OPTIONS\r\nContact: <");
    uri(probe.own, out);
    out.extend_from_slice(b">\r\nAccept: application/sdp\r\nContent-Length: 0\r\n\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_probe_is_a_whole_request_of_our_own() {
        let mut out = Vec::new();
        let probe = Probe {
            target: (Transport::Tcp, "198.51.100.20:5060".parse().expect("an address")),
            own: "198.51.100.1:5060".parse().expect("an address"),
            domain: "ibcf.a.example",
            branch: b"z9hG4bKx",
            tag: "t",
            call_id: "c",
            number: 7,
        };
        write_probe(&probe, &mut out);
        let expected = "OPTIONS sip:198.51.100.20:5060;transport=tcp SIP/2.0\r\n\
Via: SIP/2.0/TCP 198.51.100.1:5060;branch=z9hG4bKx\r\n\
Max-Forwards: 70\r\n\
From: <sip:ibcf.a.example>;tag=t\r\n\
To: <sip:198.51.100.20:5060;transport=tcp>\r\n\
Call-ID: c\r\n\
CSeq: 7 OPTIONS\r\n\
Contact: <sip:198.51.100.1:5060;transport=tcp>\r\n\
Accept: application/sdp\r\n\
Content-Length: 0\r\n\r\n";
        assert_eq!(String::from_utf8_lossy(&out), expected);
    }
}
