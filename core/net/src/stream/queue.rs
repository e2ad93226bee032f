//! What waits to be written to one connection.

use std::collections::VecDeque;
use std::io::IoSlice;

use ibcf_sip::Flow;
use ibcf_sip::statistics::Gauge;

use crate::buffers::Buffers;

/// Messages given to the kernel in one call.
const SLICES_MAX: usize = 32;
/// What a message costs besides its bytes.
const OVERHEAD_BYTES: usize = 128;

/// A message that waits.
#[derive(Debug)]
pub(super) struct Queued {
    /// Where the border sent it; `None` for what we say ourselves.
    pub(super) flow: Option<Flow>,
    pub(super) bytes: Vec<u8>,
    /// It was on a connection before, which broke.
    pub(super) is_second_try: bool,
}

/// Messages in the order in which they leave.
#[derive(Debug, Default)]
pub(super) struct Queue {
    messages: VecDeque<Queued>,
    bytes: usize,
    /// How much of the first one is written.
    written: usize,
}

impl Queue {
    pub(super) fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }

    /// Is there room for *length* bytes within *`bytes_max`*? One message always has, or none that long could leave.
    pub(super) fn has_room(&self, length: usize, bytes_max: usize) -> bool {
        self.is_empty() || self.bytes + length + OVERHEAD_BYTES <= bytes_max
    }

    /// Puts a message last; *waiting* counts the bytes in all queues of a worker.
    pub(super) fn push(&mut self, message: Queued, waiting: &Gauge) {
        self.add(message.bytes.len() + OVERHEAD_BYTES, waiting);
        self.messages.push_back(message);
    }

    /// Gives the front of the queue to *write*, as many messages as one call takes.
    pub(super) fn write<R>(&self, write: impl FnOnce(&[IoSlice<'_>]) -> R) -> R {
        let mut slices = [IoSlice::new(&[]); SLICES_MAX];
        let mut count = 0;
        for (slice, message) in slices.iter_mut().zip(&self.messages) {
            let from = if count == 0 { self.written } else { 0 };
            *slice = IoSlice::new(message.bytes.get(from..).unwrap_or_default());
            count += 1;
        }
        write(slices.get(..count).unwrap_or_default())
    }

    /// *length* bytes are written; returns how many messages became whole by that.
    pub(super) fn advance(&mut self, length: usize, buffers: &Buffers, waiting: &Gauge) -> u64 {
        self.written += length;
        let mut whole = 0;
        while let Some(first) = self.messages.front() {
            if self.written < first.bytes.len() {
                break;
            }
            self.written -= first.bytes.len();
            whole += u64::from(first.flow.is_some());
            if let Some(first) = self.messages.pop_front() {
                self.subtract(first.bytes.len() + OVERHEAD_BYTES, waiting);
                buffers.give_back(first.bytes);
            }
        }
        if self.messages.is_empty() && self.messages.capacity() > SLICES_MAX {
            self.messages = VecDeque::new();
        }
        whole
    }

    /// Takes out all that is not written to the end.
    pub(super) fn take(&mut self, waiting: &Gauge) -> VecDeque<Queued> {
        self.subtract(self.bytes, waiting);
        self.written = 0;
        std::mem::take(&mut self.messages)
    }

    #[allow(clippy::cast_possible_wrap)] // bounded by the limit and one message
    fn add(&mut self, bytes: usize, waiting: &Gauge) {
        self.bytes += bytes;
        waiting.add(bytes as i64);
    }

    #[allow(clippy::cast_possible_wrap)] // as above
    fn subtract(&mut self, bytes: usize, waiting: &Gauge) {
        self.bytes -= bytes;
        waiting.add(-(bytes as i64));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn queued(bytes: &[u8]) -> Queued {
        Queued { flow: None, bytes: bytes.to_vec(), is_second_try: false }
    }

    #[test]
    fn what_is_written_in_part_goes_on_where_it_stopped() {
        let (buffers, waiting) = (Buffers::new(), Gauge::default());
        let mut queue = Queue::default();
        for bytes in [&b"one"[..], b"two", b"three"] {
            queue.push(queued(bytes), &waiting);
        }
        let front =
            |queue: &Queue| queue.write(|slices| slices.iter().flat_map(|s| s.to_vec()).collect::<Vec<u8>>());
        assert_eq!(front(&queue), b"onetwothree");
        queue.advance(2, &buffers, &waiting);
        assert_eq!(front(&queue), b"etwothree");
        queue.advance(5, &buffers, &waiting);
        assert_eq!(front(&queue), b"hree");
        assert_eq!(waiting.get(), 128 + 5);
        assert_eq!(queue.take(&waiting).len(), 1, "what is written in part did not arrive");
        assert!(queue.is_empty());
        assert_eq!(waiting.get(), 0);
    }

    #[test]
    fn the_bound_counts_every_message_but_lets_one_pass() {
        let mut queue = Queue::default();
        assert!(queue.has_room(10_000, 1_000));
        queue.push(queued(&[0; 100]), &Gauge::default());
        assert!(queue.has_room(100, 2 * 228));
        assert!(!queue.has_room(101, 2 * 228));
        queue.advance(100, &Buffers::new(), &Gauge::default());
        assert!(queue.has_room(10_000, 1_000));
    }
}
