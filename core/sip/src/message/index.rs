//! The index of one message: where its start line, header lines and body are, as offsets into the received bytes.
//!
//! The index owns no text. It is a scratch value of the worker: cleared and filled for each message, it allocates nothing
//! once it has grown to the longest header list seen (and that list is bounded by `limits.headers_max`).

use std::cell::Cell;

use super::{HeaderId, Message, UriKind};
use crate::parse::Fault;

/// Room for this many headers is taken at once; the default limit is 200.
const CAPACITY: usize = 256;

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

/// A part of the message, as offsets into it.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Span {
    pub(crate) start: u32,
    pub(crate) end: u32,
}

impl Span {
    /// The part, of the message that it was made for.
    #[inline]
    pub(crate) fn of(self, message: &[u8]) -> &[u8] {
        message.get(self.start as usize..self.end as usize).unwrap_or_default()
    }
}

/// Where the parts of the first Via stand.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ViaEntry {
    pub(crate) transport: Span,
    pub(crate) host: Span,
    pub(crate) port: Option<u16>,
    pub(crate) params: Span,
    pub(crate) branch: Option<Span>,
    pub(crate) received: Option<Span>,
    pub(crate) has_rport: bool,
    pub(crate) rport: Option<u16>,
    pub(crate) has_overload: bool,
}

/// Where the parts of From or To stand.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AddressEntry {
    pub(crate) display: Span,
    pub(crate) uri: Span,
    pub(crate) params: Span,
    pub(crate) bracketed: bool,
    pub(crate) tag: Option<Span>,
}

/// Where the parts of the Request-URI stand.
#[derive(Clone, Copy, Debug)]
pub(crate) struct UriEntry {
    pub(crate) kind: UriKind,
    pub(crate) scheme: Span,
    pub(crate) user: Option<Span>,
    pub(crate) password: Option<Span>,
    pub(crate) host: Span,
    pub(crate) port: Option<u16>,
    pub(crate) params: Span,
    pub(crate) headers: Option<Span>,
    pub(crate) opaque: Span,
}

/// What every stage asks for, once somebody read it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Typed {
    pub(crate) request_uri: Cell<Option<UriEntry>>,
    pub(crate) via: Cell<Option<ViaEntry>>,
    pub(crate) from: Cell<Option<AddressEntry>>,
    pub(crate) to: Cell<Option<AddressEntry>>,
}

/// Where everything is in one message. Reuse it for the next one.
#[derive(Clone, Debug)]
pub struct HeaderIndex {
    pub(crate) entries: Vec<HeaderEntry>,
    /// Where the first header of an id stands; counts only for those that are `present`.
    first: [u16; HeaderId::COUNT],
    /// The ids that occur.
    pub(crate) present: u128,
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
    pub(crate) typed: Typed,
}

impl Default for HeaderIndex {
    fn default() -> Self {
        Self {
            entries: Vec::with_capacity(CAPACITY),
            first: [0; HeaderId::COUNT],
            present: 0,
            repeated: 0,
            origin: 0,
            length: 0,
            start_line: StartEntry::Response { code: 0, phrase_start: 0, phrase_end: 0 },
            start_line_end: 0,
            headers_end: 0,
            body_start: 0,
            fault: None,
            truncated: false,
            typed: Typed::default(),
        }
    }
}

impl HeaderIndex {
    /// Forgets the last message, keeps the room.
    pub(crate) fn clear(&mut self) {
        self.entries.clear();
        self.present = 0;
        self.repeated = 0;
        self.fault = None;
        self.truncated = false;
        self.length = 0;
        self.typed = Typed::default();
    }

    /// Appends one header.
    #[inline]
    pub(crate) fn push(&mut self, entry: HeaderEntry) {
        let bit = entry.id.bit();
        if self.present & bit != 0 {
            self.repeated |= bit;
        } else if let Some(first) = self.first.get_mut(entry.id.at()) {
            *first = self.entries.len() as u16;
        }
        self.present |= bit;
        self.entries.push(entry);
    }

    /// Returns the position of the first header with this id.
    #[inline]
    pub(crate) fn first(&self, id: HeaderId) -> Option<usize> {
        if self.present & id.bit() == 0 {
            return None;
        }
        self.first.get(id.at()).copied().map(usize::from)
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
