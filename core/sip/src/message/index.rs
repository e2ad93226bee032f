//! The index of one message: where its start line, header lines and body are, as offsets into the received bytes.
//!
//! The index owns no text. It is a scratch value of the worker: cleared and filled for each message, it allocates nothing
//! once it has grown to the longest header list seen (and that list is bounded by `limits.headers_max`).

use super::{HeaderId, Message};
use crate::parse::Fault;

/// Room for this many headers is taken at once; the default limit is 200.
const CAPACITY: usize = 256;

/// No header of that name.
pub(crate) const ABSENT: u16 = u16::MAX;

/// One header: its lines, and where its name and value stand in them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct HeaderEntry {
    pub(crate) start: u32,
    pub(crate) name_end: u32,
    pub(crate) value_start: u32,
    pub(crate) value_end: u32,
    /// Behind the last line end, folded lines included.
    pub(crate) end: u32,
    pub(crate) id: HeaderId,
}

/// Where the parts of the start line stand.
#[derive(Clone, Copy, Debug)]
pub(crate) enum StartEntry {
    Request { method_end: u32, uri_start: u32, uri_end: u32 },
    Response { code: u16, phrase_start: u32, phrase_end: u32 },
}

/// Where everything is in one message. Reuse it for the next one.
#[derive(Clone, Debug)]
pub struct HeaderIndex {
    pub(crate) entries: Vec<HeaderEntry>,
    first: [u16; HeaderId::COUNT],
    /// The ids that occur more than once.
    pub(crate) repeated: u128,
    /// Offset of the message in the datagram: leading line ends are not part of it (RFC 3261 §7.5).
    pub(crate) origin: u32,
    /// Length of the message: what Content-Length leaves over is not part of it (§18.3).
    pub(crate) length: u32,
    pub(crate) start_line: StartEntry,
    pub(crate) start_line_end: u32,
    pub(crate) headers_end: u32,
    pub(crate) body_start: u32,
    /// What was seen to be wrong on the way; [`crate::parse::check`] reports it.
    pub(crate) fault: Option<Fault>,
    /// Content-Length is greater than what has come.
    pub(crate) truncated: bool,
}

impl Default for HeaderIndex {
    fn default() -> Self {
        Self {
            entries: Vec::with_capacity(CAPACITY),
            first: [ABSENT; HeaderId::COUNT],
            repeated: 0,
            origin: 0,
            length: 0,
            start_line: StartEntry::Response { code: 0, phrase_start: 0, phrase_end: 0 },
            start_line_end: 0,
            headers_end: 0,
            body_start: 0,
            fault: None,
            truncated: false,
        }
    }
}

impl HeaderIndex {
    /// Forgets the last message, keeps the room.
    pub(crate) fn clear(&mut self) {
        self.entries.clear();
        self.first = [ABSENT; HeaderId::COUNT];
        self.repeated = 0;
        self.fault = None;
        self.truncated = false;
        self.length = 0;
    }

    /// Appends one header.
    #[inline]
    pub(crate) fn push(&mut self, entry: HeaderEntry) {
        if let Some(first) = self.first.get_mut(entry.id.at()) {
            if *first == ABSENT {
                *first = self.entries.len() as u16;
            } else {
                self.repeated |= entry.id.bit();
            }
        }
        self.entries.push(entry);
    }

    /// Returns the position of the first header with this id.
    #[inline]
    pub(crate) fn first(&self, id: HeaderId) -> Option<usize> {
        self.first.get(id.at()).copied().filter(|at| *at != ABSENT).map(usize::from)
    }

    /// Notes what is wrong; the earliest finding stays.
    pub(crate) fn note(&mut self, fault: Fault) {
        self.fault.get_or_insert(fault);
    }

    /// Reads bytes through an index that was made for them: for a message that is kept together with its index.
    ///
    /// Other bytes than those that were parsed give wrong parts, never a panic.
    pub fn view<'a>(&'a self, received: &'a [u8]) -> Message<'a> {
        let start = self.origin as usize;
        let bytes = received.get(start..start.saturating_add(self.length as usize)).unwrap_or_default();
        Message { bytes, index: self }
    }
}
