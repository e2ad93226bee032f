//! The characters of RFC 3261 §25.1 and the few ways to walk over them. Everything else in `parse` and `message` goes
//! through here to touch single bytes.

/// Bits of [`CLASSES`].
const TOKEN: u8 = 1;
const HOST: u8 = 2;

static CLASSES: [u8; 256] = classes();

#[allow(clippy::indexing_slicing, clippy::arithmetic_side_effects)] // runs at build time
const fn classes() -> [u8; 256] {
    let mut classes = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let letter = byte as u8;
        if letter.is_ascii_alphanumeric()
            || matches!(letter, b'-' | b'.' | b'!' | b'%' | b'*' | b'_' | b'+' | b'`' | b'\'' | b'~')
        {
            classes[byte] |= TOKEN;
        }
        if letter.is_ascii_alphanumeric() || matches!(letter, b'-' | b'.' | b'_') {
            classes[byte] |= HOST;
        }
        byte += 1;
    }
    classes
}

#[inline]
fn is(byte: u8, class: u8) -> bool {
    CLASSES.get(byte as usize).is_some_and(|classes| classes & class != 0)
}

/// `token` characters.
#[inline]
pub(crate) fn is_token_byte(byte: u8) -> bool {
    is(byte, TOKEN)
}

/// Characters of a host name. The underscore is not in the grammar, but in many a host name on the wire.
pub(crate) fn is_host_byte(byte: u8) -> bool {
    is(byte, HOST)
}

/// Are all of what may stand in a URI at all: visible ASCII without the three delimiters that end one?
#[inline]
pub(crate) fn are_uri_bytes(bytes: &[u8]) -> bool {
    all(bytes, |byte| byte > b' ' && byte < 0x7f && !matches!(byte, b'<' | b'>' | b'"'))
}

/// Does every byte pass? Looks at all of them, many at a time: no branch is taken on the way.
#[inline]
pub(crate) fn all(bytes: &[u8], passes: impl Fn(u8) -> bool) -> bool {
    bytes.iter().fold(true, |all, byte| all & passes(*byte))
}

/// Blanks and folds. In the value of a checked header CR and LF stand only in a fold, so `LWS` is a set of bytes.
#[inline]
pub(crate) const fn is_lws(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}

/// Blanks that may stand between a header name and its colon (`HCOLON`).
#[inline]
pub(crate) const fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

/// A non-empty token.
pub(crate) fn is_token(bytes: &[u8]) -> bool {
    !bytes.is_empty() && bytes.iter().all(|byte| is_token_byte(*byte))
}

/// Cuts blanks and folds off both ends.
#[inline]
pub(crate) fn trim(bytes: &[u8]) -> &[u8] {
    if let [first, .., last] | [first @ last] = bytes
        && !is_lws(*first)
        && !is_lws(*last)
    {
        return bytes; // nearly always
    }
    let bytes = trim_start(bytes);
    let end = bytes.iter().rposition(|byte| !is_lws(*byte)).map_or(0, |at| at.saturating_add(1));
    bytes.get(..end).unwrap_or_default()
}

/// Cuts blanks and folds off the front.
#[inline]
pub(crate) fn trim_start(bytes: &[u8]) -> &[u8] {
    if bytes.first().is_some_and(|byte| !is_lws(*byte)) {
        return bytes;
    }
    split_where(bytes, |byte| !is_lws(byte)).1
}

/// Cuts blanks off the front, folds not.
#[inline]
pub(crate) fn trim_blanks(bytes: &[u8]) -> &[u8] {
    split_where(bytes, |byte| !is_blank(byte)).1
}

/// Splits where `stop` first says yes; the byte found begins the second part.
#[inline]
pub(crate) fn split_where(bytes: &[u8], stop: impl Fn(u8) -> bool) -> (&[u8], &[u8]) {
    let at = bytes.iter().position(|byte| stop(*byte)).unwrap_or(bytes.len());
    bytes.split_at(at)
}

/// Finds a byte that is likely to be one of the first 16, which are looked at together.
#[inline]
pub(crate) fn find_near(bytes: &[u8], wanted: u8) -> Option<usize> {
    const ONES: u128 = u128::MAX / 255;
    if let Some(front) = bytes.first_chunk::<16>() {
        // A byte that is 0 here is one that was wanted; the lowest bit set below is that of the first.
        let differences = u128::from_le_bytes(*front) ^ ONES.wrapping_mul(u128::from(wanted));
        let zeros = differences.wrapping_sub(ONES) & !differences & (ONES << 7);
        if zeros != 0 {
            return Some((zeros.trailing_zeros() / 8) as usize);
        }
    }
    memchr::memchr(wanted, bytes)
}

/// Finds a byte that stands neither in a quoted string nor in angle brackets. An unclosed one reaches to the end.
pub(crate) fn find_outside(bytes: &[u8], wanted: u8) -> Option<usize> {
    // Most values hold no comma at all, or none behind a quote.
    let first = memchr::memchr(wanted, bytes)?;
    if memchr::memchr2(b'"', b'<', bytes.get(..first).unwrap_or_default()).is_none() {
        return Some(first);
    }
    let (mut quoted, mut escaped, mut bracketed) = (false, false, false);
    for (at, &byte) in bytes.iter().enumerate() {
        if quoted {
            if escaped {
                escaped = false;
            } else if byte == b'\\' {
                escaped = true;
            } else if byte == b'"' {
                quoted = false;
            }
        } else if bracketed {
            bracketed = byte != b'>';
        } else if byte == wanted {
            return Some(at);
        } else if byte == b'"' {
            quoted = true;
        } else if byte == b'<' {
            bracketed = true;
        }
    }
    None
}

/// Length of the quoted string at the front, both quotes included (§25.1 `quoted-string`); `None` if it never closes.
pub(crate) fn quoted_length(bytes: &[u8]) -> Option<usize> {
    let mut escaped = false;
    for (at, &byte) in bytes.iter().enumerate().skip(1) {
        if escaped {
            escaped = false;
        } else if byte == b'\\' {
            escaped = true;
        } else if byte == b'"' {
            return at.checked_add(1);
        }
    }
    None
}

/// Reads `1*DIGIT` that fits into 32 bits; no sign, no blanks.
pub(crate) fn number(digits: &[u8]) -> Option<u32> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0_u32, |number, byte| match byte {
        b'0'..=b'9' => number.checked_mul(10)?.checked_add(u32::from(byte.wrapping_sub(b'0'))),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_fit_or_are_refused() {
        assert_eq!(number(b"0068"), Some(68));
        assert_eq!(number(b"4294967295"), Some(u32::MAX));
        for digits in [&b""[..], b"4294967296", b"18446744073709551616", b"-1", b"+1", b" 1", b"1 ", b"0x1"] {
            assert_eq!(number(digits), None, "{digits:?}");
        }
    }

    #[test]
    fn a_byte_is_found_wherever_it_stands_first() {
        for length in 0..40 {
            for at in 0..length {
                let mut bytes = vec![0xba; length];
                bytes.iter_mut().skip(at).for_each(|byte| *byte = b':');
                assert_eq!(find_near(&bytes, b':'), Some(at), "{at} of {length}");
            }
            assert_eq!(find_near(&vec![b';'; length], b':'), None);
        }
    }

    #[test]
    fn separators_inside_quotes_and_brackets_do_not_count() {
        assert_eq!(find_outside(b"\"a,\\\",\" <b,c>,d", b','), Some(13));
        assert_eq!(find_outside(b"\"a,", b','), None);
        assert_eq!(find_outside(b"<a,", b','), None);
        assert_eq!(find_outside(b"a,b", b','), Some(1));
    }

    #[test]
    fn quoted_strings_close_or_not() {
        assert_eq!(quoted_length(b"\"a\\\"b\" c"), Some(6));
        assert_eq!(quoted_length(b"\"a\\\""), None);
        assert_eq!(quoted_length(b""), None);
    }

    #[test]
    fn trimming_takes_folds() {
        assert_eq!(trim(b" \r\n\ta b\r\n "), b"a b");
        assert_eq!(trim(b" \t"), b"");
        assert_eq!(trim_start(b"\r\n a "), b"a ");
    }
}
