//! Small things about header text: what may stand in a line, folds, numbers, addresses. Nothing here allocates.

use std::io::Write;
use std::net::{IpAddr, SocketAddr};

use crate::parse::scan;

/// May the bytes stand in one header line? No NUL, and a line end only as a fold (CRLF before a blank).
pub(super) fn is_header_value(value: &[u8]) -> bool {
    let mut rest = value;
    while let Some(at) = memchr::memchr3(b'\r', b'\n', 0, rest) {
        match rest.get(at..) {
            Some([b'\r', b'\n', b' ' | b'\t', ..]) => rest = rest.get(at + 3..).unwrap_or_default(),
            _ => return false,
        }
    }
    true
}

/// May the bytes stand in a header line that somebody else than the sender made? No line end at all (SEC-31).
pub(super) fn is_single_line(value: &[u8]) -> bool {
    memchr::memchr3(b'\r', b'\n', 0, value).is_none()
}

/// Appends *value* with each fold replaced by one space (RFC 3261 §7.3.1).
pub(super) fn unfold(value: &[u8], out: &mut Vec<u8>) {
    let mut rest = value;
    while let Some(at) = memchr::memchr(b'\r', rest) {
        match rest.get(at..) {
            Some([b'\r', b'\n', tail @ ..]) if matches!(tail.first(), Some(b' ' | b'\t')) => {
                out.extend_from_slice(scan::trim(rest.get(..at).unwrap_or_default()));
                out.push(b' ');
                let blanks = tail.iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
                rest = tail.get(blanks..).unwrap_or_default();
            }
            _ => {
                out.extend_from_slice(rest.get(..=at).unwrap_or_default());
                rest = rest.get(at + 1..).unwrap_or_default();
            }
        }
    }
    out.extend_from_slice(rest);
}

/// Cuts off the first element of a comma list: itself, and the elements behind it as written. Empty ones are skipped.
pub(super) fn split_first(list: &[u8]) -> (&[u8], &[u8]) {
    let list = skip_empty(list);
    let end = scan::find_outside(list, b',').unwrap_or(list.len());
    let (element, rest) = list.split_at(end);
    (scan::trim(element), scan::trim(skip_empty(rest)))
}

fn skip_empty(list: &[u8]) -> &[u8] {
    scan::split_where(list, |byte| byte != b',' && !scan::is_lws(byte)).1
}

/// Cuts off the first parameter of a list that begins with its semicolon, or with the first parameter itself.
///
/// Both parts are as written, and together the whole; a semicolon in a quoted string is text.
pub(super) fn split_param(params: &[u8]) -> (&[u8], &[u8]) {
    // Most parameters hold no quote: then the next semicolon ends it.
    match memchr::memchr2(b';', b'"', params.get(1..).unwrap_or_default()) {
        None => return (params, &[]),
        Some(at) if params.get(at + 1) == Some(&b';') && params.first() != Some(&b'"') => {
            return params.split_at(at + 1);
        }
        Some(_) => {}
    }
    let (mut is_quoted, mut is_escaped) = (false, false);
    for (at, &byte) in params.iter().enumerate() {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' if is_quoted => is_escaped = true,
            b'"' => is_quoted = !is_quoted,
            b';' if at > 0 && !is_quoted => return params.split_at(at),
            _ => {}
        }
    }
    (params, &[])
}

/// Appends a number in decimal.
pub(super) fn write_number(mut number: u32, out: &mut Vec<u8>) {
    let mut digits = [0_u8; 10];
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[at..]);
}

/// Appends `host:port`, with brackets around an IPv6 address and never a zone.
pub(super) fn write_address(address: SocketAddr, out: &mut Vec<u8>) {
    let is_v6 = address.ip().to_canonical().is_ipv6();
    out.extend_from_slice(if is_v6 { b"[" } else { b"" });
    write_ip(address.ip(), out);
    out.extend_from_slice(if is_v6 { b"]:" } else { b":" });
    write_number(u32::from(address.port()), out);
}

/// Appends the IP address alone, without brackets (RFC 3261 §25.1, `via-received`).
pub(super) fn write_ip(address: IpAddr, out: &mut Vec<u8>) {
    match address.to_canonical() {
        IpAddr::V4(v4) => {
            for (at, octet) in v4.octets().into_iter().enumerate() {
                if at > 0 {
                    out.push(b'.');
                }
                write_number(u32::from(octet), out);
            }
        }
        IpAddr::V6(v6) => write!(out, "{v6}").expect("INVARIANT: a Vec takes every write"),
    }
}

/// Appends what may stand in one line and leaves out the rest: for text that we were given to put into our own answers.
pub(super) fn write_clean(text: &[u8], out: &mut Vec<u8>) {
    if is_single_line(text) {
        out.extend_from_slice(text);
    } else {
        out.extend(text.iter().copied().filter(|byte| !matches!(byte, b'\r' | b'\n' | 0)));
    }
}

/// Appends `name: value` and the line end.
pub(super) fn write_line(name: &[u8], value: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(name);
    out.extend_from_slice(b": ");
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fold_is_fit_for_a_header_and_a_new_line_is_not() {
        assert!(is_header_value(b"a\r\n b"));
        assert!(is_header_value(b""));
        for bad in [&b"a\r\nb"[..], b"a\nb", b"a\r b", b"a\0", b"a\r\n", b"a\r\n\r\n b", b"\r"] {
            assert!(!is_header_value(bad), "{bad:?}");
        }
    }

    #[test]
    fn unfolding_leaves_one_space() {
        for (folded, plain) in [
            (&b"a\r\n b"[..], &b"a b"[..]),
            (b"a  \r\n\t  b\r\n c", b"a b c"),
            (b"plain", b"plain"),
            (b"lone\rcr", b"lone\rcr"),
        ] {
            let mut out = Vec::new();
            unfold(folded, &mut out);
            assert_eq!(out, plain);
        }
    }

    #[test]
    fn the_first_element_is_cut_off_outside_quotes_and_brackets() {
        for (list, first, rest) in [
            (
                &b" \"a, \\\" b\" <sip:x,y@z>;p, ,<sip:q> ,last"[..],
                &b"\"a, \\\" b\" <sip:x,y@z>;p"[..],
                &b"<sip:q> ,last"[..],
            ),
            (b" , ,a", b"a", b""),
            (b" , ,", b"", b""),
            (b"a", b"a", b""),
        ] {
            assert_eq!(split_first(list), (first, rest));
        }
    }

    #[test]
    fn parameters_are_cut_at_semicolons_outside_quotes() {
        for (params, first, rest) in [
            (&b"a=1;b"[..], &b"a=1"[..], &b";b"[..]),
            (b";a=1;b", b";a=1", b";b"),
            (b";a=\"1;\\\";2\";b", b";a=\"1;\\\";2\"", b";b"),
            (b"\";\";b", b"\";\"", b";b"),
            (b";a=\";b", b";a=\";b", b""),
            (b";;b", b";", b";b"),
            (b";", b";", b""),
            (b"", b"", b""),
        ] {
            assert_eq!(split_param(params), (first, rest));
        }
    }

    #[test]
    fn numbers_and_addresses() {
        for number in [0, 9, 10, 70, 4_294_967_295] {
            let mut out = Vec::new();
            write_number(number, &mut out);
            assert_eq!(out, number.to_string().as_bytes());
        }
        for (address, text) in
            [("127.0.0.3:5060", "127.0.0.3:5060"), ("[2001:db8::1]:5061", "[2001:db8::1]:5061")]
        {
            let mut out = Vec::new();
            write_address(address.parse().unwrap(), &mut out);
            assert_eq!(out, text.as_bytes());
        }
    }
}
