//! When connections have to be looked at: an ordered list with about one entry a connection.
//!
//! An entry is a question, not an answer: whoever takes it out looks when the connection is really due, and puts it in again
//! for then. So nothing is done here when a message passes, and nothing is ever searched.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use ibcf_sip::{ConnectionId, Time};

#[derive(Debug, Default)]
pub(super) struct Deadlines {
    entries: BinaryHeap<Reverse<(Time, ConnectionId)>>,
}

impl Deadlines {
    pub(super) fn put(&mut self, at: Time, connection: ConnectionId) {
        self.entries.push(Reverse((at, connection)));
    }

    pub(super) fn next_due(&self) -> Option<Time> {
        self.entries.peek().map(|Reverse((at, _))| *at)
    }

    /// Takes out one that is due, with the time that it was put in for.
    pub(super) fn take_due(&mut self, now: Time) -> Option<(Time, ConnectionId)> {
        if self.next_due()? > now {
            return None;
        }
        self.entries.pop().map(|Reverse(entry)| entry)
    }
}
