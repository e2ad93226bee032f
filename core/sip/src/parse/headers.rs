//! The header lines: where each begins, its name, its value, where it ends (RFC 3261 §7.3).
//!
//! One pass over the line feeds. A line that begins with a blank continues the one before (§7.3.1). Lines that only a lenient
//! reader would take for what they look like are noted as faults: no colon, a name that is no token, a line end without CR,
//! CR or NUL inside. So nothing that two readers could cut differently ever leaves (SEC-12).

use super::{Expected, Fault, ParseError, malformed, scan};
use crate::message::{HeaderEntry, HeaderId, HeaderIndex};
use crate::reason::Reason;
use crate::snapshot::document::Limits;

/// Fills the index from the line behind the start line to the blank line.
pub(super) fn index(message: &[u8], limits: &Limits, index: &mut HeaderIndex) -> Result<(), ParseError> {
    let first = index.start_line_end as usize;
    // The index numbers headers with 16 bits, and keeps one number for "none".
    let headers_max = limits.headers_max.min(usize::from(u16::MAX).saturating_sub(1));
    let mut line_ends =
        usize::from(!matches!(index.fault, Some(Fault { problem: "a line ends without CR", .. })));
    let mut start = first;
    for line_feed in memchr::memchr_iter(b'\n', message.get(first..).unwrap_or_default()) {
        let line_feed = line_feed.saturating_add(first);
        let end = line_feed.saturating_add(1);
        let has_return = line_feed > start && message.get(line_feed.wrapping_sub(1)) == Some(&b'\r');
        let text_end = line_feed.saturating_sub(usize::from(has_return));
        line_ends = line_ends.saturating_add(usize::from(has_return));
        if !has_return {
            index.note(malformed(line_feed, "a line ends without CR"));
        }
        if text_end == start {
            index.headers_end = start as u32;
            index.body_start = end as u32;
            note_stray_bytes(message.get(..end).unwrap_or_default(), line_ends, index);
            return Ok(());
        }
        if message.get(end).is_some_and(|byte| scan::is_blank(*byte)) {
            continue; // folded: the next line belongs to this one
        }
        if index.entries.len() < headers_max {
            if end.saturating_sub(start) > limits.header_line_bytes_max {
                index.note(too_large(start, "a header line is longer than limits.header_line_bytes_max"));
            }
            let entry = line(message, start, text_end, end, index);
            index.push(entry);
        } else {
            index.note(too_large(start, "more headers than limits.headers_max"));
        }
        start = end;
    }
    Err(ParseError { at: message.len(), expected: Expected::BlankLine })
}

/// Splits one line, folded lines included, into name and value.
#[inline]
fn line(message: &[u8], start: usize, text_end: usize, end: usize, index: &mut HeaderIndex) -> HeaderEntry {
    let text = message.get(start..text_end).unwrap_or_default();
    let colon = scan::find_near(text, b':').unwrap_or(0);
    let (name, value) = text.split_at(colon);
    let mut id = HeaderId::from_name(name);
    let mut name_length = name.len();
    if id == HeaderId::Other {
        // HCOLON allows blanks before the colon; the name ends before them
        name_length =
            name.iter().rposition(|byte| !scan::is_blank(*byte)).map_or(0, |at| at.saturating_add(1));
        let name = name.get(..name_length).unwrap_or_default();
        id = HeaderId::from_name(name);
        if !scan::is_token(name) {
            index.note(malformed(start, "a header line does not begin with a token and a colon"));
            // Without a name and never a known header: whatever it looks like, it is not that one.
            return HeaderEntry {
                start: start as u32,
                name_end: start as u32,
                value_start: start as u32,
                value_end: text_end as u32,
                end: end as u32,
                id: HeaderId::Other,
            };
        }
    }
    let value = scan::trim_start(value.get(1..).unwrap_or_default());
    let value_start = text_end.saturating_sub(value.len());
    let value_end = value_start.saturating_add(scan::trim(value).len());
    HeaderEntry {
        start: start as u32,
        name_end: start.saturating_add(name_length) as u32,
        value_start: value_start as u32,
        value_end: value_end as u32,
        end: end as u32,
        id,
    }
}

/// Notes NUL outside a quoted pair, and CR that ends no line. `line_ends` is how many CRLF there are, so that counting is
/// enough.
fn note_stray_bytes(head: &[u8], line_ends: usize, index: &mut HeaderIndex) {
    if let Some(at) = memchr::memchr(0, head).and_then(|_| stray_nul(head)) {
        index.note(malformed(at, "a NUL stands in the headers"));
    }
    if memchr::memchr_iter(b'\r', head).count() != line_ends {
        let stray = |at: &usize| head.get(at.saturating_add(1)) != Some(&b'\n');
        let at = memchr::memchr_iter(b'\r', head).find(stray).unwrap_or_default();
        index.note(malformed(at, "a CR without LF stands in the headers"));
    }
}

/// Finds a NUL that is not the second half of a quoted pair: there, and only there, it is legal (§25.1 `quoted-pair`).
fn stray_nul(head: &[u8]) -> Option<usize> {
    let (mut quoted, mut escaped) = (false, false);
    for (at, &byte) in head.iter().enumerate() {
        match byte {
            b'\n' if !head.get(at.saturating_add(1)).is_some_and(|next| scan::is_blank(*next)) => {
                (quoted, escaped) = (false, false); // the next header
            }
            0 if !escaped => return Some(at),
            _ if escaped => escaped = false,
            b'\\' => escaped = quoted,
            b'"' => quoted = !quoted,
            _ => {}
        }
    }
    None
}

const fn too_large(at: usize, problem: &'static str) -> Fault {
    Fault { reason: Reason::TooLarge, at, header: None, problem }
}
