//! A glance at a 100 Trying: it goes no further than here (RFC 3261 §16.7 (5)), so nothing of it but its transaction is read.

use std::sync::LazyLock;

use memchr::memmem::Finder;

use super::scan;
use crate::message::Method;

static BRANCH: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(b";branch="));
static CSEQ: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(b"\nCSeq: "));

/// What a 100 says of the transaction that it belongs to (RFC 3261 §17.1.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trying<'a> {
    /// Of the first Via.
    pub branch: &'a [u8],
    /// Of the request that it answers.
    pub method: Method<'a>,
}

/// Returns what a 100 says, if it is written as nearly all are: our Via as we wrote it in a line by itself, in front of all
/// other headers; no body. Any other one is for the full parser, and so is whatever is wrong with it.
pub fn trying_of(bytes: &[u8]) -> Option<Trying<'_>> {
    let behind = bytes.strip_prefix(b"SIP/2.0 100 ")?;
    if !behind.ends_with(b"\r\n\r\n") {
        return None;
    }
    let line_feed = memchr::memchr(b'\n', behind)?;
    let headers = behind.get(line_feed..)?;
    let via = headers.get(1..)?.strip_prefix(b"Via: ")?;
    let via = scan::split_where(via, |byte| matches!(byte, b'\r' | b',')).0;
    let branch = via.get(BRANCH.find(via)?.checked_add(BRANCH.needle().len())?..)?;
    let cseq = headers.get(CSEQ.find(headers)?.checked_add(CSEQ.needle().len())?..)?;
    let (number, method) = scan::split_where(cseq, |byte| byte == b' ');
    let method = method.get(1..method.iter().position(|byte| *byte == b'\r')?)?;
    scan::number(number)?;
    Some(Trying {
        branch: scan::split_where(branch, |byte| byte == b';').0,
        method: Method::from_bytes(method),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const USUAL: &str = "SIP/2.0 100 Trying\r\nVia: SIP/2.0/UDP 127.0.0.1:5070;rport=5;branch=z9hG4bKours;received=127.0.0.1\r\n\
Via: SIP/2.0/UDP a.example;branch=z9hG4bKtheirs\r\nFrom: \"a\" <sip:a>;tag=1\r\nTo: <sip:b>\r\nCall-ID: c\r\nCSeq: 314 INVITE\r\n\
Content-Length: 0\r\n\r\n";

    fn parts(text: &str) -> Option<(String, String)> {
        let found = trying_of(text.as_bytes())?;
        Some((String::from_utf8_lossy(found.branch).into_owned(), found.method.as_str().to_owned()))
    }

    #[test]
    fn branch_and_method_of_the_usual_form_are_found() {
        assert_eq!(parts(USUAL), Some(("z9hG4bKours".to_owned(), "INVITE".to_owned())));
        let both_in_a_line = USUAL.replace("\r\nVia: SIP/2.0/UDP a", ", SIP/2.0/UDP a");
        assert_eq!(parts(&both_in_a_line), parts(USUAL));
        let of_a_cancel = USUAL.replace("INVITE", "CANCEL");
        assert_eq!(parts(&of_a_cancel).map(|(_, method)| method), Some("CANCEL".to_owned()));
    }

    #[test]
    fn every_other_form_is_left_to_the_parser() {
        for (from, to) in [
            ("SIP/2.0 100", "SIP/2.0 180"),
            ("SIP/2.0 100", "sip/2.0 100"),
            ("Trying\r\nVia:", "Trying\r\nv:"),
            ("Trying\r\nVia:", "Trying\r\nCall-ID: d\r\nVia:"),
            (";branch=z9hG4bKours", ""),
            ("CSeq: 314", "CSeq : 314"),
            ("CSeq: 314", "CSeq: 4294967296"),
            ("CSeq: 314", "CSeq: -1"),
            ("0\r\n\r\n", "4\r\n\r\nbody"),
            ("0\r\n\r\n", "0\r\n"),
        ] {
            let text = USUAL.replacen(from, to, 1);
            assert_ne!(text, USUAL, "{from}");
            assert_eq!(parts(&text), None, "{to}");
        }
    }

    #[test]
    fn no_cut_of_it_is_more_than_nothing() {
        for end in 0..USUAL.len() {
            let (cut, _) = USUAL.split_at(end);
            assert_eq!(parts(cut), None, "{end}");
        }
    }
}
