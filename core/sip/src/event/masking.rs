//! The one function that hides telephone numbers (ENUM-52): the last four digits of each become `x`.
//!
//! A digit and an `x` take the same place, so a text is masked where it lies. Each form of number is looked for at the one
//! character that it cannot be without.

use memchr::memchr;

/// So many digits are hidden; a number of no more (a service number) stays.
const HIDDEN: usize = 4;
/// So long is a number at least, with what separates its digits.
const NUMBER_LENGTH_MIN: usize = 4;
/// Digits that an ENUM name must have in a row to be one.
const DOMAIN_DIGITS_MIN: usize = 5;

/// Hides the last four digits of every number in *text*: alone, in sip and tel URIs, and in ENUM names.
///
/// Numbers without `+` are known only by the URI they stand in.
///
/// ```
/// use ibcf_sip::event::mask_numbers;
/// assert_eq!(mask_numbers("sip:+441632960083@ims.example"), "sip:+44163296xxxx@ims.example");
/// assert_eq!(mask_numbers("tel:+44-1632-960-083;ext=12"), "tel:+44-1632-96x-xxx;ext=12");
/// assert_eq!(mask_numbers("3.8.0.0.6.9.2.3.6.1.4.4.e164.arpa"), "x.x.x.x.6.9.2.3.6.1.4.4.e164.arpa");
/// ```
pub fn mask_numbers(text: &str) -> String {
    let mut bytes = text.as_bytes().to_vec();
    mask(&mut bytes);
    String::from_utf8_lossy(&bytes).into_owned() // nothing is lost: only ASCII digits became something else, an ASCII letter
}

/// The same, in place; *text* is UTF-8 and stays it.
pub(super) fn mask(text: &mut [u8]) {
    each_found(text, b'+', mask_global);
    let mut uri_end = UriEnd::default();
    each_found(text, b':', |text, colon| mask_local(text, colon, &mut uri_end));
    each_found(text, b'.', mask_domain);
}

/// Calls *mask* for each *character*; it answers from where to look for the next one.
fn each_found(text: &mut [u8], character: u8, mut mask: impl FnMut(&mut [u8], usize) -> usize) {
    let mut from = 0;
    while let Some(at) = text.get(from..).and_then(|rest| memchr(character, rest)) {
        from = mask(text, from + at);
    }
}

/// +44-1632-960083, wherever it stands; one that ends in `x` is masked already.
fn mask_global(text: &mut [u8], plus: usize) -> usize {
    let end = number_end(text, plus + 1);
    let begins = text.get(plus + 1).is_some_and(u8::is_ascii_digit);
    if begins && is_long_enough(plus + 1, end) && text.get(end) != Some(&b'x') {
        mask_last(&mut text[plus..end]);
    }
    end
}

/// After a scheme: 01632960083 of a tel URI, or of a sip URI with a user part (without an @ it is a host).
fn mask_local(text: &mut [u8], colon: usize, uri_end: &mut UriEnd) -> usize {
    let end = number_end(text, colon + 1);
    let begins = text.get(colon + 1).is_some_and(|byte| byte.is_ascii_digit() || *byte == b'(');
    if begins && is_long_enough(colon + 1, end) && ends_there(&text[end..]) {
        let is_number = match scheme_before(&text[..colon]) {
            Some(Scheme::Tel) => true,
            Some(Scheme::Sip) => uri_end.is_user_part(text, end),
            None => false,
        };
        if is_number {
            mask_last(&mut text[colon + 1..end]);
        }
    }
    end
}

/// 3.8.0.0.6.9.2.3.6.1.4.4.e164.arpa: its first digits are the last ones of the number.
fn mask_domain(text: &mut [u8], dot: usize) -> usize {
    let is_inside = |byte: &u8| byte.is_ascii_digit() || *byte == b'.';
    let Some(start) = dot.checked_sub(1).filter(|at| text[*at].is_ascii_digit()) else { return dot + 1 };
    if start.checked_sub(1).is_some_and(|before| is_inside(&text[before])) {
        return dot + 1;
    }
    let pairs =
        text[start..].chunks_exact(2).take_while(|pair| pair[0].is_ascii_digit() && pair[1] == b'.').count();
    let end = start + 2 * pairs;
    if pairs >= DOMAIN_DIGITS_MIN && text.get(end).is_some_and(u8::is_ascii_alphabetic) {
        for at in 0..HIDDEN {
            text[start + 2 * at] = b'x';
        }
    }
    end
}

/// Where the digits and visual separators that begin at *start* end.
fn number_end(text: &[u8], start: usize) -> usize {
    let is_inside = |byte: &u8| byte.is_ascii_digit() || matches!(byte, b'-' | b'.' | b'(' | b')');
    let rest = text.get(start..).unwrap_or_default();
    start + rest.iter().position(|byte| !is_inside(byte)).unwrap_or(rest.len())
}

fn is_long_enough(start: usize, end: usize) -> bool {
    end - start >= NUMBER_LENGTH_MIN
}

/// Hides the last digits of *number*, if it has more than these.
fn mask_last(number: &mut [u8]) {
    if number.iter().filter(|byte| byte.is_ascii_digit()).count() > HIDDEN {
        for digit in number.iter_mut().rev().filter(|byte| byte.is_ascii_digit()).take(HIDDEN) {
            *digit = b'x';
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Scheme {
    Sip,
    Tel,
}

/// The scheme that *before* ends with, if it is one of those that numbers stand in.
fn scheme_before(before: &[u8]) -> Option<Scheme> {
    let word = before.rsplit(|byte| !byte.is_ascii_alphabetic()).next()?;
    if word.eq_ignore_ascii_case(b"tel") {
        return Some(Scheme::Tel);
    }
    (word.eq_ignore_ascii_case(b"sip") || word.eq_ignore_ascii_case(b"sips")).then_some(Scheme::Sip)
}

/// May a number in a URI end before *rest*?
fn ends_there(rest: &[u8]) -> bool {
    rest.first().is_none_or(|byte| br#"@;:?>"'"#.contains(byte)) || begins_with_space(rest)
}

/// Where the user part of a URI may end: at an @, or at what no URI contains. Looked for once, however many colons are before it.
#[derive(Default)]
struct UriEnd(usize);

impl UriEnd {
    /// Is there an @ behind *from*, before anything that no URI contains?
    fn is_user_part(&mut self, text: &[u8], from: usize) -> bool {
        if self.0 < from {
            let ends =
                |at: &usize| matches!(text[*at], b'@' | b'<' | b'>') || begins_with_space(&text[*at..]);
            self.0 = (from..text.len()).find(ends).unwrap_or(text.len());
        }
        text.get(self.0) == Some(&b'@')
    }
}

/// Is the first character of *rest* white space, also such as only Unicode has?
fn begins_with_space(rest: &[u8]) -> bool {
    match rest.first() {
        Some(byte) if byte.is_ascii() => char::from(*byte).is_whitespace() || (0x1c..0x20).contains(byte),
        Some(_) => {
            let first = &rest[..rest.len().min(4)]; // no character is longer
            let first = first.utf8_chunks().next().and_then(|chunk| chunk.valid().chars().next());
            first.is_some_and(char::is_whitespace)
        }
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_four_digits_of_a_number_are_hidden_wherever_it_stands() {
        let cases = [
            ("+441632960083", "+44163296xxxx"),
            ("tel:+441632960083", "tel:+44163296xxxx"),
            ("tel:+44-1632-960-083;ext=12", "tel:+44-1632-96x-xxx;ext=12"),
            ("sip:+441632960083@b.example;user=phone", "sip:+44163296xxxx@b.example;user=phone"),
            ("<sips:01632960083@b.example>", "<sips:0163296xxxx@b.example>"),
            (
                "sip:01632960083;npdi;rn=+441632960999@b.example",
                "sip:0163296xxxx;npdi;rn=+44163296xxxx@b.example",
            ),
            ("TEL:01632960083;phone-context=+44", "TEL:0163296xxxx;phone-context=+44"),
            ("sip:01632960083;x=tel:01632960084@b.example", "sip:0163296xxxx;x=tel:0163296xxxx@b.example"),
            ("tel:(01632)960083 ", "tel:(01632)96xxxx "),
            ("tel:01632960083\u{a0}x", "tel:0163296xxxx\u{a0}x"),
            ("from +441632960083 to +33123456789", "from +44163296xxxx to +3312345xxxx"),
            ("++441632960083+441632960083", "++44163296xxxx+44163296xxxx"),
            ("3.8.0.0.6.9.2.3.6.1.4.4.e164.arpa", "x.x.x.x.6.9.2.3.6.1.4.4.e164.arpa"),
            ("\"+441632960083\" <sip:+441632960083@h>", "\"+44163296xxxx\" <sip:+44163296xxxx@h>"),
            ("€+441632960083€", "€+44163296xxxx€"),
        ];
        for (text, masked) in cases {
            assert_eq!(mask_numbers(text), masked);
            assert_eq!(mask_numbers(masked), masked, "a masked text has nothing left to hide");
        }
    }

    #[test]
    fn what_is_no_number_stays() {
        let cases = [
            "127.0.0.1:5060",
            "[::1]:5060",
            "sip:10.0.0.1:5060",
            "sip:alice@10.0.0.1:5060;lr",
            "2026-11-23T04:14:00.123Z",
            "tel:112",
            "gossip:01632960083@b.example",
            "sip:01632960083 <other@b.example>",
            "sip:01632960083\u{a0}a@b.example",
            "sip:01632960083x@b.example",
            "sip:999@b.example",
            "+4490",
            "+",
            ":",
            ".",
            "1.",
            "+(44)1632960083",
            "v1.2.3.4 of 10.20.30.40",
            "1.2.3.4.a",
            "12.3.4.5.6.7.a",
            "1.2.3.4.5.6.",
            "a84b4c76e66710@pc33.example",
            "503 Service Unavailable",
            "",
        ];
        for text in cases {
            assert_eq!(mask_numbers(text), text);
        }
    }
}
