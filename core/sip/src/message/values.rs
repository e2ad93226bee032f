//! The elements of a header that is a list (RFC 3261 §7.3.1).

use crate::parse::scan;

/// One element of a list header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeaderValue<'a> {
    /// The element without the blanks around it. A stray comma gives an empty one.
    pub value: &'a [u8],
    /// Which header of the message it stands in.
    pub header: usize,
}

/// Splits a value at its commas, those in quotes and angle brackets excepted. A value of blanks only has no elements.
pub fn elements(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = Some(value).filter(|value| !scan::trim(value).is_empty());
    std::iter::from_fn(move || next_element(&mut rest))
}

/// Takes the element at the front of *rest*, and what ends it.
pub(super) fn next_element<'a>(rest: &mut Option<&'a [u8]>) -> Option<&'a [u8]> {
    let bytes = (*rest)?;
    let Some(at) = scan::find_outside(bytes, b',') else {
        *rest = None;
        return Some(scan::trim(bytes));
    };
    *rest = bytes.get(at.checked_add(1)?..);
    bytes.get(..at).map(scan::trim)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commas_split_outside_quotes_and_brackets() {
        let split = |value: &'static [u8]| elements(value).collect::<Vec<_>>();
        assert_eq!(split(b"a , b"), [&b"a"[..], b"b"]);
        assert_eq!(
            split(b"\"x,\\\",y\" <sip:a,b>;c=\"d,e\",\r\n f"),
            [&b"\"x,\\\",y\" <sip:a,b>;c=\"d,e\""[..], b"f"]
        );
        assert_eq!(split(b""), [&b""[..]; 0]);
        assert_eq!(split(b",a,"), [&b""[..], b"a", b""]);
        assert_eq!(split(b"\"open, a"), [&b"\"open, a"[..]]);
    }
}
