//! A list that grows by whole pieces and never moves what it holds.
//!
//! A `Vec` of the tables' size would copy megabytes when it grows, in the middle of a call, and take up to twice the memory
//! that is used.

use std::ops::{Index, IndexMut};

/// Values in one piece.
const CHUNK: usize = 1_024;

/// Values by position; the memory grows with use and is kept.
#[derive(Debug)]
pub(super) struct Chunks<T> {
    /// Each of them but the last is full.
    chunks: Vec<Vec<T>>,
}

impl<T> Chunks<T> {
    pub(super) const fn new() -> Self {
        Self { chunks: Vec::new() }
    }

    pub(super) fn len(&self) -> usize {
        let last = self.chunks.last().map_or(0, Vec::len);
        self.chunks.len().saturating_sub(1) * CHUNK + last
    }

    /// Appends *value* and returns its position.
    pub(super) fn push(&mut self, value: T) -> usize {
        let at = self.len();
        if at % CHUNK == 0 {
            self.chunks.push(Vec::with_capacity(CHUNK));
        }
        if let Some(last) = self.chunks.last_mut() {
            last.push(value);
        }
        at
    }

    pub(super) fn get(&self, at: usize) -> Option<&T> {
        self.chunks.get(at / CHUNK)?.get(at % CHUNK)
    }

    pub(super) fn get_mut(&mut self, at: usize) -> Option<&mut T> {
        self.chunks.get_mut(at / CHUNK)?.get_mut(at % CHUNK)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        self.chunks.iter().flatten()
    }
}

impl<T> Index<usize> for Chunks<T> {
    type Output = T;

    fn index(&self, at: usize) -> &T {
        &self.chunks[at / CHUNK][at % CHUNK]
    }
}

impl<T> IndexMut<usize> for Chunks<T> {
    fn index_mut(&mut self, at: usize) -> &mut T {
        &mut self.chunks[at / CHUNK][at % CHUNK]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_found_where_they_were_put_over_all_pieces() {
        let mut list = Chunks::new();
        for value in 0..=3 * CHUNK {
            assert_eq!(list.len(), value);
            assert_eq!(list.get(value), None);
            assert_eq!(list.push(value), value);
        }
        list[CHUNK] = 7;
        *list.get_mut(0).unwrap() = 8;
        assert_eq!((list[0], list[CHUNK - 1], list[CHUNK], list[3 * CHUNK]), (8, CHUNK - 1, 7, 3 * CHUNK));
        assert_eq!(list.iter().count(), 3 * CHUNK + 1);
        assert_eq!(list.get_mut(usize::MAX), None);
    }

    #[test]
    fn growing_moves_nothing() {
        let mut list = Chunks::new();
        list.push(0_u8);
        let first = std::ptr::from_ref(&list[0]);
        (1..10 * CHUNK).for_each(|_| {
            list.push(1);
        });
        assert_eq!(std::ptr::from_ref(&list[0]), first);
    }
}
