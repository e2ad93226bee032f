//! What is to happen next, on the virtual clock.

use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::time::Duration;

use ibcf_sip::Time;

/// What is to happen, in the order of time and then of entry; and the time it is.
#[derive(Debug)]
pub struct Agenda<T> {
    now: Time,
    entries: BinaryHeap<Entry<T>>,
    count: u64,
}

impl<T> Agenda<T> {
    /// Makes an empty agenda that stands at the origin of time.
    pub fn new() -> Self {
        Self { now: Time::ZERO, entries: BinaryHeap::new(), count: 0 }
    }

    /// The time it is.
    pub const fn now(&self) -> Time {
        self.now
    }

    /// Enters *what* to happen *after* from now.
    pub fn enter(&mut self, after: Duration, what: T) {
        self.count += 1;
        self.entries.push(Entry { at: self.now + after, number: self.count, what });
    }

    /// When the next entry is due.
    pub fn next_at(&self) -> Option<Time> {
        self.entries.peek().map(|entry| entry.at)
    }

    /// Takes the next entry, and moves the clock to it.
    pub fn take(&mut self) -> Option<T> {
        let entry = self.entries.pop()?;
        self.now = self.now.max(entry.at);
        Some(entry.what)
    }

    /// Moves the clock to *time*, if that lies ahead.
    pub fn move_to(&mut self, time: Time) {
        self.now = self.now.max(time);
    }
}

impl<T> Default for Agenda<T> {
    fn default() -> Self {
        Self::new()
    }
}

#[derive(Debug)]
struct Entry<T> {
    at: Time,
    number: u64,
    what: T,
}

impl<T> Ord for Entry<T> {
    /// The earliest is the greatest: `BinaryHeap` gives out the greatest first.
    fn cmp(&self, other: &Self) -> Ordering {
        (other.at, other.number).cmp(&(self.at, self.number))
    }
}

impl<T> PartialOrd for Entry<T> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<T> PartialEq for Entry<T> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl<T> Eq for Entry<T> {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_happen_in_the_order_of_time_and_then_of_entry() {
        let mut agenda = Agenda::new();
        agenda.enter(Duration::from_millis(20), 'c');
        agenda.enter(Duration::from_millis(10), 'a');
        agenda.enter(Duration::from_millis(10), 'b');
        assert_eq!(agenda.next_at(), Some(Time::from_millis(10)));
        let order: String = std::iter::from_fn(|| agenda.take()).collect();
        assert_eq!(order, "abc");
        assert_eq!(agenda.now(), Time::from_millis(20));
    }
}
