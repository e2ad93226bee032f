//! What is asked of a body: its types, the media and the codecs of a session description (RFC 8866), alone or in a multipart
//! (RFC 5621).

use std::cell::OnceCell;

use smallvec::SmallVec;

use crate::message::{HeaderId, Message};
use crate::parse::scan;

/// Parts of a multipart that are looked at, nested ones among them.
const PARTS_MAX: usize = 16;
const NESTING_MAX: usize = 3;

/// A body or a part of one: its type without parameters, and its bytes.
pub(super) type Part<'m> = (&'m [u8], &'m [u8]);

/// The body of a message, looked into when a test asks, and once for all of them.
pub(super) struct Body<'m> {
    message: Option<&'m Message<'m>>,
    parts: OnceCell<SmallVec<[Part<'m>; 4]>>,
    media: OnceCell<SmallVec<[&'m [u8]; 8]>>,
    codecs: OnceCell<SmallVec<[&'m [u8]; 24]>>,
}

impl<'m> Body<'m> {
    pub(super) const fn of(message: Option<&'m Message<'m>>) -> Self {
        Self { message, parts: OnceCell::new(), media: OnceCell::new(), codecs: OnceCell::new() }
    }

    /// The body, and the parts of a multipart.
    pub(super) fn parts(&self) -> &[Part<'m>] {
        self.parts.get_or_init(|| self.message.map(parts).unwrap_or_default())
    }

    /// The media of its session descriptions.
    pub(super) fn media(&self) -> &[&'m [u8]] {
        self.media.get_or_init(|| self.descriptions().flat_map(media).collect())
    }

    /// Their codecs.
    pub(super) fn codecs(&self) -> &[&'m [u8]] {
        self.codecs.get_or_init(|| self.descriptions().flat_map(codecs).collect())
    }

    fn descriptions(&self) -> impl Iterator<Item = &'m [u8]> {
        let parts = self.parts().iter().copied();
        parts.filter(|(kind, _)| is_of_type(kind, "application/sdp")).map(|(_, text)| text)
    }
}

/// The body of a message, then the parts of a multipart in their order, those inside of parts behind the part.
fn parts<'m>(message: &Message<'m>) -> SmallVec<[Part<'m>; 4]> {
    let mut found = SmallVec::new();
    if let Some(header) = message.first(HeaderId::ContentType)
        && !message.body().is_empty()
    {
        collect(header.value, message.body(), 0, &mut found);
    }
    found
}

fn collect<'m>(content_type: &'m [u8], body: &'m [u8], depth: usize, found: &mut SmallVec<[Part<'m>; 4]>) {
    if found.len() >= PARTS_MAX {
        return;
    }
    let (kind, params) = scan::split_where(content_type, |byte| byte == b';');
    let kind = scan::trim(kind);
    found.push((kind, body));
    if depth >= NESTING_MAX || !starts_with(kind, b"multipart/") {
        return;
    }
    let Some(boundary) = boundary_of(params) else { return };
    for part in split(body, boundary) {
        let end = memchr::memmem::find(part, b"\r\n\r\n").unwrap_or(part.len());
        let (head, rest) = part.split_at(end);
        // Without a type a part is text (RFC 2046 §5.1).
        let kind = header_of(head, b"content-type").unwrap_or(b"text/plain");
        collect(kind, rest.get(4..).unwrap_or_default(), depth + 1, found);
    }
}

/// The value of the parameter `boundary`, without its quotes.
fn boundary_of(params: &[u8]) -> Option<&[u8]> {
    params.split(|byte| *byte == b';').find_map(|param| {
        let (name, value) = scan::split_where(param, |byte| byte == b'=');
        if !scan::trim(name).eq_ignore_ascii_case(b"boundary") {
            return None;
        }
        let value = scan::trim(value.get(1..)?);
        let value = value.strip_prefix(b"\"").and_then(|value| value.strip_suffix(b"\"")).unwrap_or(value);
        (!value.is_empty()).then_some(value)
    })
}

/// The parts between the lines of a boundary.
fn split<'m>(body: &'m [u8], boundary: &'m [u8]) -> impl Iterator<Item = &'m [u8]> {
    let is_delimiter =
        move |line: &[u8]| line.strip_prefix(b"--").is_some_and(|line| line.starts_with(boundary));
    let mut rest = Some(body);
    let mut started = false;
    std::iter::from_fn(move || {
        loop {
            let bytes = rest?;
            // A delimiter is at the front, or behind a line end which belongs to it.
            let at = if is_delimiter(bytes) {
                Some((0, 0))
            } else {
                memchr::memmem::find_iter(bytes, b"\r\n")
                    .find(|at| is_delimiter(bytes.get(at + 2..).unwrap_or_default()))
                    .map(|at| (at, at + 2))
            };
            let Some((end, line)) = at else {
                rest = None;
                return started.then_some(bytes); // never closed: to its end
            };
            let part = bytes.get(..end)?;
            let line = bytes.get(line..)?;
            let behind = line.get(2 + boundary.len()..)?;
            rest = if behind.starts_with(b"--") {
                None
            } else {
                memchr::memchr(b'\n', behind).and_then(|at| behind.get(at + 1..))
            };
            if std::mem::replace(&mut started, true) {
                return Some(part);
            }
        }
    })
}

/// The value of a header of a part.
fn header_of<'m>(head: &'m [u8], name: &[u8]) -> Option<&'m [u8]> {
    head.split(|byte| *byte == b'\n').find_map(|line| {
        let (found, value) = scan::split_where(line, |byte| byte == b':');
        scan::trim(found).eq_ignore_ascii_case(name).then(|| scan::trim(value.get(1..).unwrap_or_default()))
    })
}

/// Is a type one of the patterns: `application/sdp`, or `application/*`?
pub(super) fn is_of_type(kind: &[u8], pattern: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(start) => starts_with(kind, start.as_bytes()),
        None => kind.eq_ignore_ascii_case(pattern.as_bytes()),
    }
}

/// The media of a session description: `m=audio 49170 RTP/AVP 0`.
fn media(description: &[u8]) -> impl Iterator<Item = &[u8]> {
    lines(description, b"m=").filter_map(|line| line.split(|byte| *byte == b' ').next())
}

/// The encoding names of a session description: `a=rtpmap:96 AMR-WB/16000`. Payload types without a map are those of RFC 3551
/// §6, of which the ones for calls have names here.
fn codecs<'m>(description: &'m [u8]) -> impl Iterator<Item = &'m [u8]> {
    let mapped = lines(description, b"a=rtpmap:").filter_map(|line| {
        let name = line.split(|byte| *byte == b' ').nth(1)?;
        name.split(|byte| *byte == b'/').next()
    });
    let formats = lines(description, b"m=").flat_map(|line| line.split(|byte| *byte == b' ').skip(3));
    mapped.chain(formats.filter_map(|payload_type| -> Option<&'m [u8]> { static_name(payload_type) }))
}

fn static_name(payload_type: &[u8]) -> Option<&'static [u8]> {
    const NAMES: [(&[u8], &[u8]); 6] = [
        (b"0", b"PCMU"),
        (b"3", b"GSM"),
        (b"4", b"G723"),
        (b"8", b"PCMA"),
        (b"9", b"G722"),
        (b"18", b"G729"),
    ];
    NAMES.iter().find(|(number, _)| *number == payload_type).map(|(_, name)| *name)
}

fn lines<'m>(text: &'m [u8], start: &'static [u8]) -> impl Iterator<Item = &'m [u8]> {
    let ends = memchr::memchr_iter(b'\n', text).chain(std::iter::once(text.len()));
    let mut next = 0;
    ends.filter_map(move |end| {
        let line = text.get(std::mem::replace(&mut next, end + 1)..end)?;
        line.strip_suffix(b"\r").unwrap_or(line).strip_prefix(start)
    })
}

fn starts_with(text: &[u8], start: &[u8]) -> bool {
    text.get(..start.len()).is_some_and(|front| front.eq_ignore_ascii_case(start))
}
