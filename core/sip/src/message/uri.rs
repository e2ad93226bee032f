//! URIs of a Request-URI or a name-addr: SIP and SIPS (RFC 3261 §19.1), tel (RFC 3966), urn (RFC 8141), and any other scheme.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use super::{Params, SyntaxError};
use crate::parse::scan;

/// What kind of URI it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UriKind {
    /// `sip:`
    Sip,
    /// `sips:`
    Sips,
    /// `tel:` (RFC 3966)
    Tel,
    /// `urn:`, such as `urn:service:sos` (RFC 5031)
    Urn,
    /// Any other scheme: only [`Uri::opaque`] is known.
    Other,
}

/// A URI, cut into parts; nothing is unescaped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Uri<'a> {
    /// The scheme as written.
    pub scheme: &'a [u8],
    /// The scheme.
    pub kind: UriKind,
    /// SIP: what stands before the host, its own `;` parameters included, the password not. tel: the number as written.
    pub user: Option<&'a [u8]>,
    /// The password, which nobody should use (RFC 3261 §19.1.1).
    pub password: Option<&'a [u8]>,
    /// SIP: the host; IPv6 keeps its brackets. Empty for other kinds.
    pub host: &'a [u8],
    /// The port, if one is written.
    pub port: Option<u16>,
    /// SIP: the URI parameters. tel: the parameters of the number.
    pub params: Params<'a>,
    /// What follows `?` in a SIP URI.
    pub headers: Option<&'a [u8]>,
    /// Everything behind the first colon.
    pub opaque: &'a [u8],
}

impl<'a> Uri<'a> {
    /// Reads a URI; `uri` has neither blanks nor brackets around it.
    pub fn parse(uri: &'a [u8]) -> Result<Self, SyntaxError> {
        if !scan::are_uri_bytes(uri) {
            return Err(SyntaxError("a URI holds a blank, a delimiter, a control or a non-ASCII byte"));
        }
        let (scheme, rest) = scan::split_where(uri, |byte| byte == b':');
        let [_colon, opaque @ ..] = rest else {
            return Err(SyntaxError("a URI needs a scheme and a colon"));
        };
        if !is_scheme(scheme) {
            return Err(SyntaxError(
                "the scheme of a URI begins with a letter and holds letters, digits, + - .",
            ));
        }
        let kind = kind_of(scheme);
        let bare = Self {
            scheme,
            kind,
            user: None,
            password: None,
            host: &[],
            port: None,
            params: Params(&[]),
            headers: None,
            opaque,
        };
        match kind {
            UriKind::Sip | UriKind::Sips => bare.with_sip_parts(),
            UriKind::Tel => bare.with_number(),
            UriKind::Urn | UriKind::Other if opaque.is_empty() => {
                Err(SyntaxError("nothing stands behind the scheme"))
            }
            UriKind::Urn | UriKind::Other => Ok(bare),
        }
    }

    fn with_sip_parts(mut self) -> Result<Self, SyntaxError> {
        let mut rest = self.opaque;
        // `@` cannot stand unescaped before the one that ends the userinfo, so the first one is it; `;`, `?`, `/` before
        // it belong to the user (RFC 4475 §3.1.1.9).
        if let Some(at) = memchr::memchr(b'@', rest) {
            let (userinfo, behind) = rest.split_at(at);
            rest = behind.get(1..).unwrap_or_default();
            let (user, password) = scan::split_where(userinfo, |byte| byte == b':');
            if user.is_empty() {
                return Err(SyntaxError("the user part before @ is empty"));
            }
            self.user = Some(user);
            self.password = password.get(1..);
        }
        // The host ends the address, and a port its host: what stands behind begins with one of three.
        let (host, behind) = split_host(rest)?;
        let (port, behind) = scan::split_where(behind, |byte| matches!(byte, b';' | b'?'));
        let (params, headers) = match memchr::memchr(b'?', behind) {
            Some(at) => behind.split_at(at),
            None => (behind, &[][..]),
        };
        let before_headers = rest.get(..rest.len().saturating_sub(headers.len())).unwrap_or_default();
        if self.user.is_some() && memchr::memchr(b'@', before_headers).is_some() {
            return Err(SyntaxError("a URI has more than one @"));
        }
        self.host = host;
        self.port = match port {
            [] => None,
            [b':', digits @ ..] => {
                Some(parse_port(digits).ok_or(SyntaxError("the port is not a number up to 65535"))?)
            }
            _ => return Err(SyntaxError("something stands between the host and the port")),
        };
        self.params = Params(params);
        self.headers = headers.get(1..);
        Ok(self)
    }

    fn with_number(mut self) -> Result<Self, SyntaxError> {
        let (number, params) = scan::split_where(self.opaque, |byte| byte == b';');
        let is_digit = |byte: &u8| byte.is_ascii_hexdigit() || matches!(byte, b'*' | b'#');
        let is_part = |byte: &u8| is_digit(byte) || matches!(byte, b'-' | b'.' | b'(' | b')');
        if !number.iter().any(is_digit) || !number.strip_prefix(b"+").unwrap_or(number).iter().all(is_part) {
            return Err(SyntaxError("a tel URI needs digits and visual separators only"));
        }
        self.user = Some(number);
        self.params = Params(params);
        Ok(self)
    }

    /// Returns the address if the host is one. An address mapped into IPv6 comes as it is written.
    ///
    /// Three colons, which the grammar of RFC 3261 allowed by mistake, are read as two (RFC 5118 §4.10).
    pub fn host_is_ip(&self) -> Option<IpAddr> {
        parse_ip(self.host)
    }

    /// Tells whether the user part is a telephone number (`user=phone`, §19.1.1).
    pub fn is_user_phone(&self) -> bool {
        matches!(self.kind, UriKind::Sip | UriKind::Sips)
            && self.params.value(b"user").is_some_and(|value| value.eq_ignore_ascii_case(b"phone"))
    }

    /// Returns the telephone number as written: of a tel URI, or of a SIP URI with `user=phone`.
    pub fn number(&self) -> Option<&'a [u8]> {
        match self.kind {
            UriKind::Tel => self.user,
            _ if self.is_user_phone() => self.user.map(|user| scan::split_where(user, |byte| byte == b';').0),
            _ => None,
        }
    }

    /// Returns the parameters of [`Uri::number`]: those of the tel URI, or those in the user part of the SIP URI.
    pub fn number_params(&self) -> Params<'a> {
        match self.kind {
            UriKind::Tel => self.params,
            _ if self.is_user_phone() => {
                Params(scan::split_where(self.user.unwrap_or_default(), |byte| byte == b';').1)
            }
            _ => Params(&[]),
        }
    }
}

fn is_scheme(scheme: &[u8]) -> bool {
    scheme.first().is_some_and(u8::is_ascii_alphabetic)
        && scheme.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.'))
}

/// `urn:service:sos` and its subtypes (RFC 5031 §4.2).
pub(crate) fn is_emergency(request_uri: &[u8]) -> bool {
    const SOS: &[u8] = b"urn:service:sos";
    request_uri.get(..SOS.len()).is_some_and(|start| start.eq_ignore_ascii_case(SOS))
        && matches!(request_uri.get(SOS.len()), None | Some(b'.'))
}

/// Tells whether the bytes begin like a URI: a scheme and a colon with something behind it.
pub(crate) fn has_scheme(uri: &[u8]) -> bool {
    let (scheme, rest) = scan::split_where(uri, |byte| byte == b':');
    is_scheme(scheme) && rest.len() > 1
}

fn kind_of(scheme: &[u8]) -> UriKind {
    let is = |name: &[u8]| scheme.eq_ignore_ascii_case(name);
    match scheme.len() {
        3 if is(b"sip") => UriKind::Sip,
        4 if is(b"sips") => UriKind::Sips,
        3 if is(b"tel") => UriKind::Tel,
        3 if is(b"urn") => UriKind::Urn,
        _ => UriKind::Other,
    }
}

/// Splits `host[:port]` or `[v6][:port]` behind the host, and looks at the form of the host.
pub(crate) fn split_host(address: &[u8]) -> Result<(&[u8], &[u8]), SyntaxError> {
    if address.first() == Some(&b'[') {
        let end =
            memchr::memchr(b']', address).ok_or(SyntaxError("an IPv6 address has no closing bracket"))?;
        let (host, behind) = address.split_at(end.saturating_add(1));
        return match parse_ip(host) {
            Some(_) => Ok((host, behind)),
            None => Err(SyntaxError("what stands in brackets is not an IPv6 address")),
        };
    }
    let (host, behind) = scan::split_where(address, |byte| !scan::is_host_byte(byte));
    if host.is_empty() {
        return Err(SyntaxError("the host is empty or no host name"));
    }
    Ok((host, behind))
}

pub(crate) fn parse_port(digits: &[u8]) -> Option<u16> {
    scan::number(digits).and_then(|number| u16::try_from(number).ok())
}

/// Reads an IPv4 address, or an IPv6 address with or without brackets.
pub(crate) fn parse_ip(host: &[u8]) -> Option<IpAddr> {
    let bare = match host {
        [b'[', inner @ .., b']'] => inner,
        _ => host,
    };
    let text = std::str::from_utf8(bare).ok()?;
    if memchr::memchr(b':', bare).is_none() {
        // Brackets are for IPv6 only.
        return if bare.len() == host.len() { Ipv4Addr::from_str(text).ok().map(IpAddr::V4) } else { None };
    }
    if let Ok(address) = Ipv6Addr::from_str(text) {
        return Some(IpAddr::V6(address));
    }
    let (front, behind) = text.split_once(":::")?;
    let mut repaired = arrayvec::ArrayString::<48>::new();
    for part in [front, "::", behind] {
        repaired.try_push_str(part).ok()?;
    }
    Ipv6Addr::from_str(&repaired).ok().map(IpAddr::V6)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uri(text: &str) -> Uri<'_> {
        Uri::parse(text.as_bytes()).expect("a URI")
    }

    #[test]
    fn a_sip_uri_is_cut_into_all_its_parts() {
        let uri = uri("SIPS:ivan;x=1:secret@edge.alpha.example:5061;lr;maddr=192.0.2.1?Subject=a&x=y");
        assert_eq!((uri.scheme, uri.kind), (&b"SIPS"[..], UriKind::Sips));
        assert_eq!(uri.user, Some(&b"ivan;x=1"[..]));
        assert_eq!(uri.password, Some(&b"secret"[..]));
        assert_eq!((uri.host, uri.port), (&b"edge.alpha.example"[..], Some(5061)));
        assert!(uri.params.has(b"lr"));
        assert_eq!(uri.params.value(b"MADDR"), Some(&b"192.0.2.1"[..]));
        assert_eq!(uri.headers, Some(&b"Subject=a&x=y"[..]));
    }

    #[test]
    fn a_host_of_any_length_needs_no_user() {
        for length in 1..=255 {
            let text = format!("sip:{}", "h".repeat(length));
            let uri = uri(&text);
            assert_eq!((uri.user, uri.host.len(), uri.port), (None, length, None));
            assert!(uri.params.is_empty() && uri.headers.is_none());
        }
    }

    #[test]
    fn separators_before_the_at_sign_belong_to_the_user() {
        let uri = uri("sip:a?b/c;d=%40&e=+$,f@beta.example");
        assert_eq!(uri.user, Some(&b"a?b/c;d=%40&e=+$,f"[..]));
        assert_eq!(uri.host, b"beta.example");
    }

    #[test]
    fn ports_end_at_65535() {
        assert_eq!(uri("sip:h:0").port, Some(0));
        assert_eq!(uri("sip:h:65535").port, Some(65_535));
        assert_eq!(uri("sip:h:00005060").port, Some(5060));
        for port in ["", "65536", "4294967296", "18446744073709551616", "-1", "+5060", "50 60", "5060x", "x"]
        {
            assert!(Uri::parse(format!("sip:h:{port}").as_bytes()).is_err(), "{port}");
        }
    }

    #[test]
    fn ipv6_needs_brackets_and_must_be_an_address() {
        let good = uri("sip:a@[2001:db8::1]:5070;lr");
        assert_eq!((good.host, good.port), (&b"[2001:db8::1]"[..], Some(5070)));
        assert_eq!(good.host_is_ip(), Some("2001:db8::1".parse().expect("an address")));
        assert_eq!(uri("sip:[2001:db8::1:5070]").port, None);
        assert_eq!(
            uri("sip:[::ffff:192.0.2.1]").host_is_ip(),
            Some("::ffff:192.0.2.1".parse().expect("an address"))
        );
        assert_eq!(
            uri("sip:[2001:db8:::192.0.2.1]").host_is_ip(),
            Some("2001:db8::192.0.2.1".parse().expect("an address"))
        );
        assert_eq!(uri("sip:192.0.2.1").host_is_ip(), Some("192.0.2.1".parse().expect("an address")));
        assert_eq!(uri("sip:192.0.2.256").host_is_ip(), None); // a host name then, as far as the grammar goes
        for bad in [
            "sip:2001:db8::1",
            "sip:[2001:db8::1",
            "sip:[]",
            "sip:[192.0.2.1]",
            "sip:[1:2:3]",
            "sip:[::1]x",
            "sip:[::1]:",
            "sip:[::g]",
            "sip:[1:::2:::3]",
            "sip:[fe80::1%25eth0]",
            "sip:]",
            "sip:[",
        ] {
            assert!(Uri::parse(bad.as_bytes()).is_err(), "{bad}");
        }
    }

    #[test]
    fn numbers_come_from_tel_and_from_user_phone() {
        let tel = uri("tel:+44-20-7946-0123;isub=1;phone-context=x");
        assert_eq!((tel.kind, tel.number()), (UriKind::Tel, Some(&b"+44-20-7946-0123"[..])));
        assert_eq!(tel.number_params().value(b"isub"), Some(&b"1"[..]));
        let sip = uri("sip:+442079460123;npdi;rn=+44@beta.example;user=Phone");
        assert!(sip.is_user_phone());
        assert_eq!(sip.number(), Some(&b"+442079460123"[..]));
        assert_eq!(sip.number_params().value(b"rn"), Some(&b"+44"[..]));
        let not_phone = uri("sip:+442079460123@beta.example;user=ip");
        assert_eq!((not_phone.number(), not_phone.number_params().is_empty()), (None, true));
        assert_eq!(uri("sip:beta.example;user=phone").number(), None);
        assert!(!uri("tel:*21#;phone-context=beta.example").is_user_phone());
        for bad in [
            "tel:",
            "tel:;isub=1",
            "tel:+",
            "tel:-.-",
            "tel:++44",
            "tel:44+1",
            "tel:hello",
            "tel:+44 20",
            "tel:+44,20",
        ] {
            assert!(Uri::parse(bad.as_bytes()).is_err(), "{bad}");
        }
    }

    #[test]
    fn other_schemes_stay_opaque() {
        let urn = uri("urn:service:sos.police");
        assert_eq!((urn.kind, urn.opaque, urn.host), (UriKind::Urn, &b"service:sos.police"[..], &b""[..]));
        assert_eq!(uri("soap.beep://h:605").kind, UriKind::Other);
        assert_eq!(uri("x+y-1.z:any@thing").opaque, b"any@thing");
    }

    #[test]
    fn broken_uris_are_refused() {
        for bad in [
            "",
            ":",
            "sip",
            "sip:",
            "sips:",
            "urn:",
            "x:",
            "1sip:h",
            "s p:h",
            "<sip:h>",
            "sip:<h>",
            "sip:\"h\"",
            "sip:a b@h",
            "sip:@h",
            "sip::pw@h",
            "sip:a@",
            "sip:a@;lr",
            "sip:a@?x=y",
            "sip:a@b@c",
            "sip:a@b;x=@c",
            "sip::5060",
            "sip:;lr",
            "sip:h/x",
            "sip:h,x",
            "sip:a@h\u{e9}",
            "sip:\0@h",
            "sip:h\r\n",
            "sip:h\tx",
            "alan@beta.example",
        ] {
            assert!(Uri::parse(bad.as_bytes()).is_err(), "{bad:?}");
        }
    }
}
