//! The simulator's own random numbers (`SplitMix64`): the same seed gives the same run on every machine and in every version.

use std::time::Duration;

/// A stream of random numbers.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// Begins the stream that belongs to *seed* and *stream*; streams of one seed know nothing of each other, so that a new
    /// draw in one place leaves all others as they were.
    pub const fn new(seed: u64, stream: u64) -> Self {
        Self(mix(seed ^ mix(stream.wrapping_add(0x9e37_79b9_7f4a_7c15))))
    }

    /// Draws a number.
    pub const fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.0)
    }

    /// Draws a number below *bound*; 0 when there is none.
    pub const fn below(&mut self, bound: u64) -> u64 {
        if bound == 0 { 0 } else { self.draw() % bound }
    }

    /// Draws true once in `1 / share` times.
    #[allow(clippy::cast_precision_loss)] // 53 bits of chance are plenty
    pub fn chance(&mut self, share: f64) -> bool {
        ((self.draw() >> 11) as f64) < share * (1_u64 << 53) as f64
    }

    /// Draws a time from *low_ms* up to below *high_ms*.
    pub const fn millis(&mut self, low_ms: u64, high_ms: u64) -> Duration {
        Duration::from_millis(low_ms + self.below(high_ms - low_ms))
    }

    /// Draws one of *choices* by weight.
    pub fn weighted<T: Copy>(&mut self, choices: &[(u64, T)]) -> Option<T> {
        let mut at = self.below(choices.iter().map(|(weight, _)| weight).sum());
        choices.iter().find_map(|(weight, choice)| {
            if at < *weight {
                return Some(*choice);
            }
            at -= weight;
            None
        })
    }
}

const fn mix(mut bits: u64) -> u64 {
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_depends_on_its_seed_and_name_alone() {
        let draw = |seed, stream| Random::new(seed, stream).draw();
        assert_eq!(draw(1, 2), draw(1, 2));
        assert_ne!(draw(1, 2), draw(2, 1));
        assert_ne!(draw(1, 2), draw(1, 3));
    }

    #[test]
    fn chances_come_out_as_asked() {
        let mut random = Random::new(7, 0);
        let hits = (0..100_000).filter(|_| random.chance(0.1)).count();
        assert!((9_000..11_000).contains(&hits));
        assert!(!random.chance(0.0) && random.chance(1.0));
        let ones = (0..10_000).filter(|_| random.weighted(&[(1, 1), (3, 2)]) == Some(1)).count();
        assert!((2_000..3_000).contains(&ones));
        assert_eq!(random.weighted::<u8>(&[]), None);
    }
}
