//! A network that loses, repeats and overtakes datagrams as its seed says.

use std::time::Duration;

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

    /// Draws the delay of one message.
    pub fn delay(&mut self) -> Duration {
        let (low, high) = self.conditions.delay_ms;
        let delay = self.random.millis(low, high.max(low + 1));
        if self.random.chance(self.conditions.reordering) {
            return delay + self.random.millis(0, self.conditions.hold_up_ms.max(1));
        }
        delay
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
