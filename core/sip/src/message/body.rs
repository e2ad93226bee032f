//! What is asked of a body: its types, the media and the codecs of a session description (RFC 8866), alone or in a multipart
//! (RFC 5621).

use std::cell::OnceCell;

use smallvec::SmallVec;

use super::multipart::{self, MediaType, is_of_type};
use super::{HeaderId, Message};

/// Parts of a multipart that are looked at, nested ones among them.
const PARTS_MAX: usize = 16;
const NESTING_MAX: usize = 3;

/// A body or a part of one: its type without parameters, and its bytes.
pub(crate) type Part<'m> = (&'m [u8], &'m [u8]);

/// The body of a message, looked into when a test asks, and once for all of them.
pub(crate) struct Body<'m> {
    message: Option<&'m Message<'m>>,
    parts: OnceCell<SmallVec<[Part<'m>; 4]>>,
    media: OnceCell<SmallVec<[&'m [u8]; 8]>>,
    codecs: OnceCell<SmallVec<[&'m [u8]; 24]>>,
}

impl<'m> Body<'m> {
    pub(crate) const fn of(message: Option<&'m Message<'m>>) -> Self {
        Self { message, parts: OnceCell::new(), media: OnceCell::new(), codecs: OnceCell::new() }
    }

    /// The body, and the parts of a multipart.
    pub(crate) fn parts(&self) -> &[Part<'m>] {
        self.parts.get_or_init(|| self.message.map(parts).unwrap_or_default())
    }

    /// The media of its session descriptions.
    pub(crate) fn media(&self) -> &[&'m [u8]] {
        self.media.get_or_init(|| self.descriptions().flat_map(media).collect())
    }

    /// Their codecs.
    pub(crate) fn codecs(&self) -> &[&'m [u8]] {
        self.codecs.get_or_init(|| self.descriptions().flat_map(codecs).collect())
    }

    pub(crate) fn descriptions(&self) -> impl Iterator<Item = &'m [u8]> {
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
        collect(MediaType::of(header.value), message.body(), 0, &mut found);
    }
    found
}

fn collect<'m>(kind: MediaType<'m>, body: &'m [u8], depth: usize, found: &mut SmallVec<[Part<'m>; 4]>) {
    if found.len() >= PARTS_MAX {
        return;
    }
    found.push((kind.name, body));
    if depth >= NESTING_MAX || !is_of_type(kind.name, "multipart/*") {
        return;
    }
    let Some(boundary) = kind.boundary() else { return };
    for piece in multipart::cut(body, boundary).pieces {
        let part = multipart::Part::of(body.get(piece.content).unwrap_or_default());
        collect(part.media_type(), part.body, depth.saturating_add(1), found);
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
        let line = text.get(std::mem::replace(&mut next, end.saturating_add(1))..end)?;
        line.strip_suffix(b"\r").unwrap_or(line).strip_prefix(start)
    })
}
