//! A glance at the Call-ID, to find the worker that owns the call before anything is parsed (design §5).

use std::sync::LazyLock;

use memchr::memmem::Finder;

use super::scan;

/// How nearly everybody writes it.
static USUAL: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(b"\nCall-ID:"));
/// The end of the head.
static EMPTY_LINE: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(b"\n\r\n"));

/// Returns the value of the first Call-ID header, long or compact; the same bytes that the full parser gives.
///
/// Nothing is judged here: of a message that the parser refuses, any answer is as good as another. It refuses one with two of
/// them, and one with a line that ends without CR.
pub fn call_id_of(bytes: &[u8]) -> Option<&[u8]> {
    let origin = bytes.iter().position(|byte| !matches!(byte, b'\r' | b'\n'))?;
    let bytes = bytes.get(origin..)?;
    usual(bytes).or_else(|| in_any_form(bytes))
}

/// The same, if it is written as usual and not folded: found without a look at the lines before it.
fn usual(bytes: &[u8]) -> Option<&[u8]> {
    let line_feed = USUAL.find(bytes)?;
    let head = bytes.get(..=line_feed)?;
    if EMPTY_LINE.find(head).is_some() {
        return None; // it stands in the body
    }
    let value = bytes.get(line_feed.checked_add(USUAL.needle().len())?..)?;
    let end = memchr::memchr(b'\n', value)?;
    let is_folded = value.get(end.checked_add(1)?).is_some_and(|byte| scan::is_blank(*byte));
    if is_folded { None } else { value.get(..end).map(scan::trim) }
}

/// The same in every form that the parser knows, line by line.
fn in_any_form(bytes: &[u8]) -> Option<&[u8]> {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_the_header_is_found() {
        for head in [
            "Call-ID: a@b\r\n",
            "CALL-id \t:a@b  \r\n",
            "i:a@b\r\n",
            "I : a@b\r\n",
            "call-id:\r\n a@b\r\n",
            "X: y\r\n i: no\r\nI:a@b\r\ni:c\r\n",
        ] {
            let message = format!("\r\n\r\nACK sip:h SIP/2.0\r\nVia: x\r\n{head}To: y\r\n\r\ni: body\r\n");
            assert_eq!(call_id_of(message.as_bytes()), Some(&b"a@b"[..]), "{head}");
        }
    }

    #[test]
    fn one_in_the_body_is_not_taken_for_the_one_in_the_head() {
        let message = "MESSAGE sip:h SIP/2.0\r\ni: a@b\r\nTo: y\r\n\r\nCall-ID: body\r\n";
        assert_eq!(call_id_of(message.as_bytes()), Some(&b"a@b"[..]));
        assert_eq!(call_id_of(message.replace("i: a@b", "X: y").as_bytes()), None);
    }

    #[test]
    fn lookalikes_and_bodies_are_not_read() {
        for head in [
            "Call-IDs: x\r\n",
            "Call_ID: x\r\n",
            "Call-ID\x01: x\r\n",
            "Call-ID x\r\n",
            "ii: x\r\n",
            "\r\ni: x\r\n",
            "i: x",
        ] {
            let message = format!("ACK sip:h SIP/2.0\r\n{head}");
            assert_eq!(call_id_of(message.as_bytes()), None, "{head}");
        }
        assert_eq!(call_id_of(b""), None);
        assert_eq!(call_id_of(b"\r\n\r\n"), None);
    }
}
