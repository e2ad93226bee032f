//! Addresses that nobody beyond the border can reach, in session descriptions and in Contact (SEC-27), and headers that hide in
//! URIs (SEC-29, SEC-31).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::message::body::Body;
use crate::message::{HeaderId, Message, NameAddr, Uri};
use crate::parse::scan;
use crate::reason::Reason;
use crate::snapshot::SnapshotError;
use crate::snapshot::document::{Act, AddressScreening};

use super::Rejection;

/// IPv4 networks that are not reached from everywhere (IANA special-purpose addresses, RFC 6890), multicast and reserved ones.
const SPECIAL_V4: [([u8; 4], u32); 13] = [
    ([0, 0, 0, 0], 8),
    ([10, 0, 0, 0], 8),
    ([100, 64, 0, 0], 10),
    ([127, 0, 0, 0], 8),
    ([169, 254, 0, 0], 16),
    ([172, 16, 0, 0], 12),
    ([192, 0, 0, 0], 24),
    ([192, 0, 2, 0], 24),
    ([192, 168, 0, 0], 16),
    ([198, 18, 0, 0], 15),
    ([198, 51, 100, 0], 24),
    ([203, 0, 113, 0], 24),
    ([224, 0, 0, 0], 3),
];

/// The same of `2000::/3`; all that is outside of it is special.
const SPECIAL_V6: [([u16; 2], u32); 3] = [([0x2001, 0], 23), ([0x2001, 0xdb8], 32), ([0x3fff, 0], 20)];

/// A network of either family; one of IPv4 as it is mapped into IPv6.
#[derive(Clone, Copy, Debug)]
struct Network {
    address: u128,
    length: u32,
}

impl Network {
    fn read(text: &str) -> Option<Self> {
        let (address, length) = text.split_once('/')?;
        let address: IpAddr = address.parse().ok()?;
        let (base, max) = if address.is_ipv4() { (96, 32) } else { (0, 128) };
        let length: u32 = length.parse().ok().filter(|length| *length <= max)?;
        Some(Self { address: number(address), length: base + length })
    }

    fn contains(self, address: IpAddr) -> bool {
        self.length == 0 || (self.address ^ number(address)) >> (128 - self.length) == 0
    }
}

fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(v4) => v4.to_ipv6_mapped().to_bits(),
        IpAddr::V6(v6) => v6.to_bits(),
    }
}

/// What is agreed on addresses.
#[derive(Debug)]
pub(super) struct Addresses {
    in_descriptions: bool,
    in_contact: bool,
    escaped_headers: bool,
    allowed: Vec<Network>,
}

impl Addresses {
    pub(super) fn compile(document: &AddressScreening, place: &str) -> Result<Self, SnapshotError> {
        let read = |text: &String| {
            Network::read(text).ok_or_else(|| {
                SnapshotError::value(format!("{place}.allowed"), format!("\"{text}\" is no network"))
            })
        };
        Ok(Self {
            in_descriptions: document.sdp == Act::Refuse,
            in_contact: document.contact == Act::Refuse,
            escaped_headers: document.escaped_headers == Act::Refuse,
            allowed: document.allowed.iter().map(read).collect::<Result<_, _>>()?,
        })
    }

    /// Refuses a request for an address or a URI in it.
    pub(super) fn check(&self, message: &Message<'_>) -> Result<(), Rejection> {
        for id in [HeaderId::Contact, HeaderId::ReferTo] {
            let uris = message
                .values(id)
                .filter_map(|value| Uri::parse(NameAddr::parse(value.value).ok()?.uri).ok());
            for uri in uris {
                if self.escaped_headers && uri.headers.is_some() {
                    return Err(Rejection::new(Reason::EscapedHeaders).because(id.name().as_bytes()));
                }
                if self.in_contact && id == HeaderId::Contact && self.is_out_of_reach(&uri) {
                    return Err(Rejection::new(Reason::ContactAddress).because(uri.host));
                }
            }
        }
        if self.in_descriptions
            && !message.body().is_empty()
            && let Some(address) = Body::of(Some(message))
                .descriptions()
                .find_map(|description| self.unreachable_media(description))
        {
            return Err(Rejection::new(Reason::MediaAddress).because(address));
        }
        Ok(())
    }

    fn is_out_of_reach(&self, uri: &Uri<'_>) -> bool {
        let maddr = uri.params.value(b"maddr").is_some_and(|maddr| self.is_refused(maddr));
        maddr || uri.host_is_ip().is_some_and(|ip| !self.is_allowed(ip))
    }

    /// An address to which media would go and never arrive. A connection of 0.0.0.0 or :: is a call on hold, a medium with
    /// port 0 was refused (RFC 3264 §6, §8.4).
    fn unreachable_media<'m>(&self, description: &'m [u8]) -> Option<&'m [u8]> {
        let mut of_session = None;
        let mut is_session_used = false;
        let mut medium: Option<Medium> = None;
        for line in description.split(|byte| *byte == b'\n') {
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            let mut words = line.split(|byte| *byte == b' ').filter(|word| !word.is_empty());
            let is_active = medium.as_ref().is_none_or(|medium| medium.is_active);
            let found = match line {
                [b'm', b'=', ..] => {
                    is_session_used |= medium.as_ref().is_some_and(Medium::needs_session);
                    medium = Some(Medium { is_active: words.nth(1) != Some(b"0"), has_own: false });
                    None
                }
                [b'c', b'=', ..] => {
                    let address = words.nth(2);
                    if let Some(medium) = &mut medium {
                        medium.has_own = true;
                        address
                    } else {
                        of_session = address;
                        None
                    }
                }
                _ if line.starts_with(b"a=candidate:") => words.nth(4),
                _ if line.starts_with(b"a=rtcp:") => words.nth(3),
                _ => None,
            };
            if is_active && let Some(found) = found.filter(|address| self.is_refused(address)) {
                return Some(found);
            }
        }
        is_session_used |= medium.as_ref().is_none_or(Medium::needs_session);
        of_session.filter(|address| is_session_used && self.is_refused(address))
    }

    /// Is it an address that is not allowed, or one that readers could read differently? A name is neither.
    fn is_refused(&self, text: &[u8]) -> bool {
        let text = scan::split_where(text, |byte| byte == b'/').0; // behind it: TTL and count of a multicast
        let read = std::str::from_utf8(text).ok().and_then(|text| text.parse::<IpAddr>().ok());
        match read {
            Some(ip) => !ip.is_unspecified() && !self.is_allowed(ip),
            None => text.contains(&b':') || text.iter().all(|byte| byte.is_ascii_digit() || *byte == b'.'),
        }
    }

    fn is_allowed(&self, ip: IpAddr) -> bool {
        !is_special(ip) || self.allowed.iter().any(|network| network.contains(ip))
    }
}

struct Medium {
    is_active: bool,
    has_own: bool,
}

impl Medium {
    const fn needs_session(&self) -> bool {
        self.is_active && !self.has_own
    }
}

fn is_special(ip: IpAddr) -> bool {
    let v6 = match ip.to_canonical() {
        IpAddr::V4(v4) => return is_special_v4(v4),
        IpAddr::V6(v6) => v6,
    };
    let [first, second, third, .., seventh, eighth] = v6.segments();
    match (first, second) {
        (0x64, 0xff9b) => is_special_v4(Ipv4Addr::from_bits(u32::from(seventh) << 16 | u32::from(eighth))), // RFC 6052
        (0x2002, _) => is_special_v4(Ipv4Addr::from_bits(u32::from(second) << 16 | u32::from(third))), // RFC 3056
        _ => {
            first >> 13 != 1
                || SPECIAL_V6.iter().any(|([high, low], length)| {
                    let base = Ipv6Addr::new(*high, *low, 0, 0, 0, 0, 0, 0).to_bits();
                    (v6.to_bits() ^ base) >> (128 - length) == 0
                })
        }
    }
}

fn is_special_v4(v4: Ipv4Addr) -> bool {
    SPECIAL_V4
        .iter()
        .any(|(base, length)| (v4.to_bits() ^ Ipv4Addr::from(*base).to_bits()) >> (32 - length) == 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses(allowed: &[&str]) -> Addresses {
        let document = AddressScreening {
            sdp: Act::Refuse,
            contact: Act::Refuse,
            escaped_headers: Act::Refuse,
            allowed: allowed.iter().map(|text| (*text).to_owned()).collect(),
        };
        Addresses::compile(&document, "x").expect("sound")
    }

    #[test]
    fn addresses_are_special_or_not() {
        for special in [
            "0.1.2.3",
            "10.0.0.1",
            "100.127.255.255",
            "127.0.0.1",
            "169.254.1.1",
            "172.31.0.1",
            "192.168.1.1",
            "198.19.0.1",
            "203.0.113.9",
            "224.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "fe80::1",
            "fc00::1",
            "ff02::1",
            "2001:db8::1",
            "2001:10::1",
            "::ffff:10.0.0.1",
            "64:ff9b::a00:1",
            "2002:a00:1::1",
            "3fff::1",
            "4000::1",
        ] {
            assert!(is_special(special.parse().unwrap()), "{special}");
        }
        for plain in [
            "1.1.1.1",
            "100.128.0.1",
            "172.32.0.1",
            "192.0.1.1",
            "198.20.0.1",
            "223.255.255.255",
            "2a00::1",
            "2001:4860::8888",
            "::ffff:1.1.1.1",
            "64:ff9b::808:808",
            "2002:808:808::1",
        ] {
            assert!(!is_special(plain.parse().unwrap()), "{plain}");
        }
    }

    #[test]
    fn what_is_allowed_passes_and_nothing_beside_it() {
        let some = addresses(&["10.1.0.0/16", "fd00::/8"]);
        for (text, is_refused) in [
            (&b"10.1.2.3"[..], false),
            (b"10.2.2.3", true),
            (b"fd12::1", false),
            (b"fc00::1", true),
            (b"0.0.0.0", false),
            (b"::", false),
            (b"media.b.example", false),
            (b"010.1.2.3", true),
            (b"10.1.2", true),
            (b"1::2::3", true),
            (b"239.1.1.1/127", true),
        ] {
            assert_eq!(some.is_refused(text), is_refused, "{}", String::from_utf8_lossy(text));
        }
        assert!(addresses(&["0.0.0.0/0"]).allowed[0].contains("10.0.0.1".parse().unwrap()));
        assert!(["10.0.0.0", "10.0.0.0/33", "x/8"].iter().all(|text| Network::read(text).is_none()));
    }

    #[test]
    fn media_go_to_the_connection_of_their_own_or_of_the_session() {
        let all = addresses(&[]);
        for (description, found) in [
            (&b"c=IN IP4 10.0.0.1\r\nm=audio 1 RTP/AVP 8\r\n"[..], Some(&b"10.0.0.1"[..])),
            (b"c=IN IP4 10.0.0.1\nm=audio 1 RTP/AVP 8\nc=IN IP4 1.1.1.1\n", None),
            (b"c=IN IP4 1.1.1.1\r\nm=audio 1 RTP/AVP 8\r\nc=IN IP6 fe80::1\r\n", Some(b"fe80::1")),
            (b"c=IN IP4 10.0.0.1\r\nm=audio 0 RTP/AVP 8\r\nm=video 0 RTP/AVP 9\r\nc=IN IP4 10.0.0.2\r\n", None),
            (b"c=IN IP4 0.0.0.0\r\nm=audio 1 RTP/AVP 8\r\nc=IN IP6 ::\r\n", None),
            (b"c=IN IP4 10.0.0.1\r\n", Some(b"10.0.0.1")),
            (b"o=- 1 1 IN IP4 10.0.0.1\r\nc=IN IP4 1.1.1.1\r\nm=audio 1 RTP/AVP 8\r\n", None),
            (
                b"c=IN IP4 1.1.1.1\r\nm=audio 1 RTP/AVP 8\r\na=candidate:1 1 UDP 2130706431 192.168.0.2 8998 typ host\r\n",
                Some(b"192.168.0.2"),
            ),
            (b"c=IN IP4 1.1.1.1\r\nm=audio 1 RTP/AVP 8\r\na=rtcp:2 IN IP4 127.0.0.1\r\n", Some(b"127.0.0.1")),
            (b"", None),
            (b"c=\r\nm=\r\na=candidate:\r\n", None),
        ] {
            assert_eq!(all.unreachable_media(description), found, "{}", String::from_utf8_lossy(description));
        }
    }
}
