//! A glance at the Call-ID, to find the worker that owns the call before anything is parsed (design §5).

use super::scan;

/// Returns the value of the first Call-ID header, long or compact; the same bytes that the full parser gives.
///
/// Nothing is judged here: of a message that the parser refuses, any answer is as good as another.
pub fn call_id_of(bytes: &[u8]) -> Option<&[u8]> {
    let origin = bytes.iter().position(|byte| !matches!(byte, b'\r' | b'\n'))?;
    let bytes = bytes.get(origin..)?;
    let mut line_feeds = memchr::memchr_iter(b'\n', bytes);
    let mut start = line_feeds.next()?.checked_add(1)?;
    for line_feed in line_feeds {
        let line = bytes.get(start..line_feed)?;
        if matches!(line, [] | [b'\r']) {
            return None; // the body begins
        }
        let next = line_feed.checked_add(1)?;
        if bytes.get(next).is_some_and(|byte| scan::is_blank(*byte)) {
            continue; // folded
        }
        if let Some(value) = value_of(line) {
            return Some(value);
        }
        start = next;
    }
    None
}

fn value_of(line: &[u8]) -> Option<&[u8]> {
    let name_length = match line {
        [b'i' | b'I', ..] => 1,
        [b'c' | b'C', ..] if line.get(..7)?.eq_ignore_ascii_case(b"Call-ID") => 7,
        _ => return None,
    };
    match scan::trim_blanks(line.get(name_length..)?) {
        [b':', value @ ..] => Some(scan::trim(value)),
        _ => None,
    }
}
