//! Addresses with a display name and parameters: From, To, Contact, Route, P-Asserted-Identity (RFC 3261 §20.10, §25.1 `name-addr`).

use super::{Params, SyntaxError};
use crate::parse::scan;

/// `"display" <uri>;params`, or `uri;params` without brackets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NameAddr<'a> {
    /// Without the quotes of a quoted string; escapes stand as they are. Empty if there is none.
    pub display: &'a [u8],
    /// The URI, not yet looked at.
    pub uri: &'a [u8],
    /// The parameters of the header. Without brackets all parameters belong here (§20.10).
    pub params: Params<'a>,
    /// The URI stood in angle brackets.
    pub bracketed: bool,
    pub(super) tag: Option<&'a [u8]>,
}

impl<'a> NameAddr<'a> {
    /// Reads one element of a header value.
    pub fn parse(value: &'a [u8]) -> Result<Self, SyntaxError> {
        let value = scan::trim(value);
        let mut address = if value.first() == Some(&b'"') {
            let end =
                scan::quoted_length(value).ok_or(SyntaxError("the quotes of a display name do not close"))?;
            let (display, rest) = value.split_at(end);
            let rest = scan::trim_start(rest);
            if rest.first() != Some(&b'<') {
                return Err(SyntaxError("a quoted display name must be followed by < and a URI"));
            }
            let display = display.get(1..end.saturating_sub(1)).unwrap_or_default();
            Self::parse_bracketed(display, rest)?
        } else if value.first() == Some(&b'<') {
            Self::parse_bracketed(&[], value)?
        } else if let Some(at) = memchr::memchr(b'<', value) {
            let (display, rest) = value.split_at(at);
            let display = scan::trim(display);
            // The grammar has tokens here; more is seen on the wire, but these would be read as something else.
            if display.iter().any(|byte| matches!(byte, b',' | b';' | b'"' | b'>')) {
                return Err(SyntaxError("a display name that is not quoted holds a separator"));
            }
            Self::parse_bracketed(display, rest)?
        } else {
            let (uri, params) = scan::split_where(value, |byte| byte == b';');
            Self { display: &[], uri: scan::trim(uri), params: Params(params), bracketed: false, tag: None }
        };
        if address.uri.is_empty() {
            return Err(SyntaxError("an address has no URI"));
        }
        // Without brackets a comma would begin the next value (§20.10).
        let comma = if address.bracketed { 0 } else { b',' };
        let stays =
            |byte: u8| !scan::is_lws(byte) && !matches!(byte, b'"' | b'<' | b'>' | 0) && byte != comma;
        if !scan::all(address.uri, stays) {
            return Err(SyntaxError("the URI of an address holds a blank or a separator"));
        }
        address.tag = address.params.check(b"tag")?;
        Ok(address)
    }

    fn parse_bracketed(display: &'a [u8], rest: &'a [u8]) -> Result<Self, SyntaxError> {
        let end = memchr::memchr(b'>', rest).ok_or(SyntaxError("an address has < without >"))?;
        let uri = scan::trim(rest.get(1..end).unwrap_or_default());
        let params = scan::trim_start(rest.get(end.saturating_add(1)..).unwrap_or_default());
        match params.first() {
            None | Some(b';') => {
                Ok(Self { display, uri, params: Params(params), bracketed: true, tag: None })
            }
            Some(_) => Err(SyntaxError("something other than a parameter follows an address")),
        }
    }

    /// Returns the tag of From or To (§19.3).
    pub const fn tag(&self) -> Option<&'a [u8]> {
        self.tag
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_an_address_is_read() {
        let read = |value: &'static str| {
            let address = NameAddr::parse(value.as_bytes()).expect("an address");
            (address.display, address.uri, address.tag(), address.bracketed)
        };
        assert_eq!(read("sip:a@h;tag=1"), (&b""[..], &b"sip:a@h"[..], Some(&b"1"[..]), false));
        assert_eq!(read("<sip:a@h;lr>;tag=1"), (&b""[..], &b"sip:a@h;lr"[..], Some(&b"1"[..]), true));
        assert_eq!(read("Al B.<sip:a@h>"), (&b"Al B."[..], &b"sip:a@h"[..], None, true));
        assert_eq!(
            read("\"A, \\\"<x>\\\"\"<sip:a@h>"),
            (&b"A, \\\"<x>\\\""[..], &b"sip:a@h"[..], None, true)
        );
        assert_eq!(
            read("\"\" \r\n < sip:a@h >\r\n ; TAG\t= 2 "),
            (&b""[..], &b"sip:a@h"[..], Some(&b"2"[..]), true)
        );
        assert_eq!(read("<tel:+44;x=y>;z=\"a>b;tag=3\""), (&b""[..], &b"tel:+44;x=y"[..], None, true));
        assert_eq!(read("\u{41f} <sip:a@h>").0, "\u{41f}".as_bytes());
    }

    #[test]
    fn a_value_that_two_readers_could_cut_differently_is_refused() {
        for bad in [
            "",
            " ",
            "<>",
            "< >",
            "<sip:a@h",
            "sip:a@h>",
            "\"A <sip:a@h>",
            "\"A\"",
            "\"A\" sip:a@h",
            "\"A\" B <sip:a@h>",
            "A, B <sip:a@h>",
            "A; B <sip:a@h>",
            "A \" <sip:a@h>",
            "<sip:a@h> x",
            "<sip:a@h>, <sip:b@h>",
            "<sip:a@h>>",
            "sip:a@h, sip:b@h",
            "sip:a@h sip:b@h",
            "<sip:a@h sip:b@h>",
            "<sip:a@h>;",
            "<sip:a@h>;;tag=1",
            "<sip:a@h>;tag",
            "<sip:a@h>;tag=",
            "<sip:a@h>;tag=1;tag=2",
            "<sip:a@h>;x=\"y",
            ";tag=1",
            "<sip:a\0@h>",
        ] {
            assert!(NameAddr::parse(bad.as_bytes()).is_err(), "{bad:?}");
        }
    }
}
