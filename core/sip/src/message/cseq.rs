//! `CSeq` (RFC 3261 §20.16).

use super::{Method, SyntaxError};
use crate::parse::scan;

/// The order of a request in its dialog.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CSeq<'a> {
    /// Less than 2³¹ (§8.1.1.5).
    pub number: u32,
    /// The same as that of the request.
    pub method: Method<'a>,
}

impl<'a> CSeq<'a> {
    /// Reads the value of the header: a number, blanks, a method.
    pub fn parse(value: &'a [u8]) -> Result<Self, SyntaxError> {
        let value = scan::trim(value);
        let end = value.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(value.len());
        let (digits, rest) = value.split_at(end);
        let number = scan::number(digits)
            .filter(|number| *number < 1 << 31)
            .ok_or(SyntaxError("CSeq needs a number less than 2^31"))?;
        let method = scan::trim(rest);
        if method.len() == rest.len() || !scan::is_token(method) {
            return Err(SyntaxError("CSeq needs a blank and a method after its number"));
        }
        Ok(Self { number, method: Method::from_bytes(method) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn number_and_method_are_read_across_folds_and_zeros() {
        let cseq = CSeq::parse(b"0009\r\n  INVITE").expect("a CSeq");
        assert_eq!((cseq.number, cseq.method), (9, Method::Invite));
        assert_eq!(CSeq::parse(b"2147483647 BYE").expect("a CSeq").number, 2_147_483_647);
        assert_eq!(CSeq::parse(b"0 X!").expect("a CSeq").method, Method::Other(b"X!"));
    }

    #[test]
    fn numbers_from_two_to_the_31st_and_broken_values_are_refused() {
        for value in [
            &b""[..],
            b"1",
            b"INVITE",
            b"1INVITE",
            b"-1 INVITE",
            b"+1 INVITE",
            b"2147483648 INVITE",
            b"4294967296 INVITE",
            b"36893488147419103232 INVITE",
            b"1 INVITE INVITE",
            b"1 INVITE, 2 INVITE",
            b"1 (",
            b"1 ",
        ] {
            assert!(CSeq::parse(value).is_err(), "{value:?}");
        }
    }
}
