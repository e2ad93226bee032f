//! Buffers for datagrams that have to outlive the batch they came with: used again instead of allocated again.

use crossbeam_queue::ArrayQueue;

/// Buffers kept for use: as many as a worker takes in a turn. More of them go round through all caches: with 4,096 two workers
/// carried 1.63 times what one does when all arrives at one, with so few 1.70 times.
const BUFFERS_KEPT: usize = 256;
/// The least room of a buffer, so that the next datagram in it seldom needs more.
const BUFFER_BYTES: usize = 3_072;
/// A buffer that once held a longer datagram is given back to the system.
const BUFFER_BYTES_KEPT: usize = 8_192;

/// The buffers of all workers.
#[derive(Debug)]
pub(crate) struct Buffers {
    free: ArrayQueue<Vec<u8>>,
}

impl Buffers {
    pub(crate) fn new() -> Self {
        Self { free: ArrayQueue::new(BUFFERS_KEPT) }
    }

    /// Returns a buffer with a copy of *bytes*.
    pub(crate) fn copy(&self, bytes: &[u8]) -> Vec<u8> {
        let make = || Vec::with_capacity(bytes.len().max(BUFFER_BYTES));
        let mut buffer = self.free.pop().unwrap_or_else(make);
        buffer.clear();
        buffer.extend_from_slice(bytes);
        buffer
    }

    /// Takes *buffer* back.
    pub(crate) fn give_back(&self, buffer: Vec<u8>) {
        if buffer.capacity() <= BUFFER_BYTES_KEPT {
            drop(self.free.push(buffer)); // when enough are kept, this one is freed
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_is_used_again_unless_it_grew_too_long() {
        let buffers = Buffers::new();
        buffers.give_back(buffers.copy(&[1; 100]));
        assert_eq!(buffers.free.len(), 1);
        assert_eq!(buffers.copy(b"x"), b"x");
        assert!(buffers.free.is_empty());
        buffers.give_back(buffers.copy(&vec![1; 50_000]));
        assert!(buffers.free.is_empty());
    }
}
