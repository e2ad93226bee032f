//! The virtual clock, and a network that loses, repeats and overtakes datagrams as its seed says.

use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::time::Duration;

use ibcf_sip::Time;

use crate::random::Random;

/// How bad the network is. Shares are of all datagrams, from 0 to 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Conditions {
    /// Share that never arrives.
    pub loss: f64,
    /// Share that arrives twice.
    pub duplication: f64,
    /// Share that is held up, so that later ones overtake it.
    pub reordering: f64,
    /// Shortest and longest delay of the others, in milliseconds.
    pub delay_ms: (u64, u64),
    /// Longest delay of what is held up, in milliseconds.
    pub hold_up_ms: u64,
}

impl Conditions {
    /// A network without fault.
    pub const PERFECT: Self =
        Self { loss: 0.0, duplication: 0.0, reordering: 0.0, delay_ms: (5, 6), hold_up_ms: 300 };

    /// Draws the conditions of one run: a quarter of all runs has a perfect network, and none loses so much that a request
    /// which is sent seven times is likely never to arrive.
    pub fn draw(random: &mut Random) -> Self {
        let mut share = |upper: u64| {
            let thousandths = u32::try_from(random.below(upper)).unwrap_or(0);
            f64::from(thousandths) / 1_000.0
        };
        let drawn = Self { loss: share(50), duplication: share(80), reordering: share(150), ..Self::PERFECT };
        if random.below(4) == 0 {
            return Self::PERFECT;
        }
        Self { delay_ms: (1, 2 + random.below(120)), hold_up_ms: 50 + random.below(900), ..drawn }
    }

    /// Tells whether every datagram arrives, once and in order.
    pub fn is_perfect(&self) -> bool {
        *self == Self { delay_ms: self.delay_ms, hold_up_ms: self.hold_up_ms, ..Self::PERFECT }
            && self.delay_ms.1 <= self.delay_ms.0 + 1
    }
}

/// When the copies of one datagram arrive: none when it is lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fate {
    /// The first copy.
    pub first: Option<Duration>,
    /// The second one.
    pub second: Option<Duration>,
}

/// Decides what happens to each datagram.
#[derive(Debug)]
pub struct Network {
    conditions: Conditions,
    random: Random,
}

impl Network {
    /// Makes a network.
    pub const fn new(conditions: Conditions, random: Random) -> Self {
        Self { conditions, random }
    }

    /// Decides what happens to the next datagram.
    pub fn fate(&mut self) -> Fate {
        let first = (!self.random.chance(self.conditions.loss)).then(|| self.delay());
        let second = self.random.chance(self.conditions.duplication).then(|| self.delay());
        Fate { first, second }
    }

    fn delay(&mut self) -> Duration {
        let (low, high) = self.conditions.delay_ms;
        let delay = self.random.millis(low, high.max(low + 1));
        if self.random.chance(self.conditions.reordering) {
            return delay + self.random.millis(0, self.conditions.hold_up_ms.max(1));
        }
        delay
    }
}

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

    #[test]
    fn a_perfect_network_delivers_once_and_in_order() {
        let mut network = Network::new(Conditions::PERFECT, Random::new(1, 1));
        for _ in 0..100 {
            assert_eq!(network.fate(), Fate { first: Some(Duration::from_millis(5)), second: None });
        }
        assert!(Conditions::PERFECT.is_perfect());
    }

    #[test]
    fn loss_comes_out_as_asked() {
        let conditions = Conditions { loss: 0.25, ..Conditions::PERFECT };
        let mut network = Network::new(conditions, Random::new(1, 1));
        let lost = (0..10_000).filter(|_| network.fate().first.is_none()).count();
        assert!((2_300..2_700).contains(&lost));
        assert!(!conditions.is_perfect());
    }
}
