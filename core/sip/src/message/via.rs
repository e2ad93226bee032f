//! Via (RFC 3261 §20.42; `received` and `rport`: §18.2.1, RFC 3581).

use std::net::IpAddr;

use super::uri::{parse_ip, parse_port, split_host};
use super::{Params, SyntaxError};
use crate::parse::scan;

/// One hop that the request went through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Via<'a> {
    /// `UDP`, `TCP`, `TLS` or any other token, as written.
    pub transport: &'a [u8],
    /// Host of `sent-by`; IPv6 keeps its brackets.
    pub host: &'a [u8],
    /// Port of `sent-by`.
    pub port: Option<u16>,
    /// The parameters.
    pub params: Params<'a>,
    pub(super) branch: Option<&'a [u8]>,
    pub(super) received: Option<&'a [u8]>,
    pub(super) has_rport: bool,
    pub(super) rport: Option<u16>,
    pub(super) has_overload: bool,
}

impl<'a> Via<'a> {
    /// Reads one element of a Via value. Blanks and folds may stand around every separator.
    pub fn parse(value: &'a [u8]) -> Result<Self, SyntaxError> {
        let (protocol, rest) = word(value);
        let (version, rest) = word(behind_slash(rest)?);
        let (transport, rest) = word(behind_slash(rest)?);
        if !protocol.eq_ignore_ascii_case(b"SIP") || version != b"2.0" || transport.is_empty() {
            return Err(SyntaxError("Via must begin with SIP/2.0/ and a transport"));
        }
        let sent_by = scan::trim_start(rest);
        if sent_by.len() == rest.len() {
            return Err(SyntaxError("Via needs a blank between the transport and the host"));
        }
        let (host, rest) = split_host(sent_by)?;
        let mut rest = scan::trim_start(rest);
        let mut port = None;
        if let [b':', behind @ ..] = rest {
            let (digits, behind) = scan::split_where(scan::trim_start(behind), |byte| !byte.is_ascii_digit());
            port =
                Some(parse_port(digits).ok_or(SyntaxError("the port of Via is not a number up to 65535"))?);
            rest = scan::trim_start(behind);
        }
        if !matches!(rest.first(), None | Some(b';')) {
            return Err(SyntaxError("something other than a parameter follows the host of Via"));
        }
        let params = Params(scan::trim(rest));
        let mut via = Self {
            transport,
            host,
            port,
            params,
            branch: None,
            received: None,
            has_rport: false,
            rport: None,
            has_overload: false,
        };
        via.branch = params.check_each(b"branch", |name, value| match name.len() {
            5 if name.eq_ignore_ascii_case(b"rport") && !via.has_rport => {
                via.has_rport = true;
                via.rport = value.and_then(parse_port);
            }
            8 if name.eq_ignore_ascii_case(b"received") => {
                via.received = via.received.or(Some(value.unwrap_or_default()));
            }
            2 | 6 | 7 | 11 if is_overload(name) => via.has_overload = true,
            _ => {}
        })?;
        Ok(via)
    }

    /// Returns the branch.
    pub const fn branch(&self) -> Option<&'a [u8]> {
        self.branch
    }

    /// Returns the `received` parameter as written; its IPv6 form may have brackets or not (RFC 5118 §4.5).
    pub const fn received(&self) -> Option<&'a [u8]> {
        self.received
    }

    /// Returns the address in `received`.
    pub fn received_ip(&self) -> Option<IpAddr> {
        self.received().and_then(parse_ip)
    }

    /// Returns `Some(None)` if the sender asks for `rport`, `Some(Some(port))` once it is filled in (RFC 3581 §3, §4).
    pub const fn rport(&self) -> Option<Option<u16>> {
        if self.has_rport { Some(self.rport) } else { None }
    }

    /// Tells whether there is any parameter of overload control (RFC 7339 §4).
    pub const fn has_overload(&self) -> bool {
        self.has_overload
    }

    /// Returns the `maddr` parameter.
    pub fn maddr(&self) -> Option<&'a [u8]> {
        self.params.value(b"maddr")
    }

    /// Returns the address if `sent-by` is one.
    pub fn host_is_ip(&self) -> Option<IpAddr> {
        parse_ip(self.host)
    }
}

/// Is it the name of a parameter of overload control (RFC 7339 §9)?
pub(crate) fn is_overload(name: &[u8]) -> bool {
    [&b"oc"[..], b"oc-seq", b"oc-algo", b"oc-validity"].iter().any(|known| name.eq_ignore_ascii_case(known))
}

/// Splits behind the token at the front, blanks before it skipped.
fn word(value: &[u8]) -> (&[u8], &[u8]) {
    scan::split_where(scan::trim_start(value), |byte| !scan::is_token_byte(byte))
}

fn behind_slash(rest: &[u8]) -> Result<&[u8], SyntaxError> {
    match scan::trim_start(rest) {
        [b'/', behind @ ..] => Ok(behind),
        _ => Err(SyntaxError("Via must begin with SIP/2.0/ and a transport")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn via(value: &str) -> Via<'_> {
        Via::parse(value.as_bytes()).expect("a Via")
    }

    #[test]
    fn blanks_and_folds_may_stand_anywhere() {
        let via = via(
            "sip /\t2.0\r\n / UDP \r\n  pc.alpha.example  :  5070 ; Branch\r\n = z9hG4bK1 ;rport; received=192.0.2.9 ",
        );
        assert_eq!((via.transport, via.host, via.port), (&b"UDP"[..], &b"pc.alpha.example"[..], Some(5070)));
        assert_eq!(via.branch(), Some(&b"z9hG4bK1"[..]));
        assert_eq!(via.rport(), Some(None));
        assert_eq!(via.received_ip(), Some("192.0.2.9".parse().expect("an address")));
        assert_eq!(via.maddr(), None);
    }

    #[test]
    fn received_may_have_brackets_or_not() {
        let address = Some("2001:db8::5:ff".parse().expect("an address"));
        let bracketed = via("SIP/2.0/TLS [2001:db8::1]:5061;received=[2001:db8::5:ff];rport=5071");
        assert_eq!((bracketed.received_ip(), bracketed.rport()), (address, Some(Some(5071))));
        assert_eq!(bracketed.host_is_ip(), Some("2001:db8::1".parse().expect("an address")));
        assert_eq!(via("SIP/2.0/UDP h;received=2001:db8::5:ff").received_ip(), address);
        assert_eq!(via("SIP/2.0/UDP h;received=nonsense").received_ip(), None);
        assert_eq!(via("SIP/2.0/UDP h;rport=65536").rport(), Some(None));
    }

    #[test]
    fn what_a_response_could_not_follow_is_refused() {
        for bad in [
            "",
            "SIP",
            "SIP/2.0",
            "SIP/2.0/",
            "SIP/2.0/UDP",
            "SIP/2.0/UDP ",
            "SIP/2.0/UDPh",
            "SIP/2.0/UDP ;branch=1",
            "SIP/7.0/UDP h",
            "SIP/2.0//UDP h",
            "HTTP/2.0/UDP h",
            "SIP/2.0 UDP h",
            "SIP/2.0/UDP h:",
            "SIP/2.0/UDP h:65536",
            "SIP/2.0/UDP h:-1",
            "SIP/2.0/UDP h:5060x",
            "SIP/2.0/UDP h;;",
            "SIP/2.0/UDP h;branch",
            "SIP/2.0/UDP h;branch=",
            "SIP/2.0/UDP h;branch=1;branch=2",
            "SIP/2.0/UDP h i",
            "SIP/2.0/UDP [::1",
            "SIP/2.0/UDP ::1",
            "SIP/2.0/UDP [h]",
            "SIP/2.0/UDP h,",
            "SIP/2.0/UDP h;x=\"y",
        ] {
            assert!(Via::parse(bad.as_bytes()).is_err(), "{bad:?}");
        }
    }
}
