//! Messages that are written but not yet sent.

use crate::clock::Nanoseconds;
use crate::link::Flow;
use crate::token::Token;

/// A message whose time of sending is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stamp {
    /// The first request of a call, which was due then.
    Request { token: Token, due: Nanoseconds },
    /// The 2xx to it.
    Answer { token: Token },
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    end: usize,
    flow: Flow,
    token: Token,
    stamp: Option<Stamp>,
}

/// One message of an outbox.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Outgoing<'o> {
    pub(crate) bytes: &'o [u8],
    pub(crate) flow: Flow,
    pub(crate) token: Token,
    pub(crate) stamp: Option<Stamp>,
}

/// Messages in the order in which they were written, one behind the other in one buffer.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    bytes: Vec<u8>,
    entries: Vec<Entry>,
}

impl Outbox {
    /// Where to write the next message, which [`close`](Self::close) ends.
    pub(crate) fn buffer(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }

    /// Ends the message that was written, for *flow*.
    pub(crate) fn close(&mut self, flow: Flow, token: Token, stamp: Option<Stamp>) {
        self.entries.push(Entry { end: self.bytes.len(), flow, token, stamp });
    }

    /// The last *length* bytes that were written.
    pub(crate) fn last_bytes(&self, length: usize) -> &[u8] {
        &self.bytes[self.bytes.len() - length..]
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// The message at a place.
    pub(crate) fn get(&self, at: usize) -> Option<Outgoing<'_>> {
        let entry = self.entries.get(at)?;
        let begin = at.checked_sub(1).map_or(0, |before| self.entries[before].end);
        let (flow, token, stamp) = (entry.flow, entry.token, entry.stamp);
        Some(Outgoing { bytes: &self.bytes[begin..entry.end], flow, token, stamp })
    }

    pub(crate) fn clear(&mut self) {
        self.bytes.clear();
        self.entries.clear();
    }
}
