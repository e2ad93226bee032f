//! Times in buckets that grow with them: 64 to each doubling, so that a percentile is right to 1.6 %.

use serde_json::{Value, json};

use crate::clock::Nanoseconds;

const SUB_BITS: u32 = 6;
const SUBS: usize = 1 << SUB_BITS;

/// Counts of times.
#[derive(Clone, Debug)]
pub(crate) struct Histogram {
    counts: Vec<u64>,
    total: u64,
    max: Nanoseconds,
}

impl Histogram {
    pub(crate) fn new() -> Self {
        Self { counts: vec![0; bucket(u64::MAX) + 1], total: 0, max: 0 }
    }

    pub(crate) fn record(&mut self, time: Nanoseconds) {
        self.counts[bucket(time)] += 1;
        self.total += 1;
        self.max = self.max.max(time);
    }

    /// The time that *share* of all are not above; `None` when there are none.
    pub(crate) fn percentile(&self, share: f64) -> Option<Nanoseconds> {
        let rank = ((self.total as f64 * share).ceil() as u64).max(1);
        let mut seen = 0;
        let at = self.counts.iter().position(|count| {
            seen += count;
            seen >= rank
        })?;
        Some(highest(at).min(self.max))
    }

    /// Percentiles in microseconds.
    pub(crate) fn to_json(&self) -> Value {
        let micros = |time: Nanoseconds| (time as f64 / 100.0).round() / 10.0;
        let at = |share| self.percentile(share).map(micros);
        let max = (self.total > 0).then(|| micros(self.max));
        json!({"count": self.total, "p50": at(0.5), "p90": at(0.9), "p99": at(0.99), "max": max})
    }
}

fn bucket(time: Nanoseconds) -> usize {
    let doublings = (u64::BITS - time.leading_zeros()).saturating_sub(SUB_BITS + 1);
    (time >> doublings) as usize + doublings as usize * SUBS
}

/// The longest time of a bucket.
fn highest(bucket: usize) -> Nanoseconds {
    let doublings = (bucket / SUBS).saturating_sub(1);
    let shortest = ((bucket - doublings * SUBS) as u64) << doublings;
    shortest + ((1 << doublings) - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_not_above_the_highest_of_its_bucket_nor_far_below() {
        for time in
            (0..63).flat_map(|bit| [1_u64 << bit, (1 << bit) + 1, (3 << bit) / 2]).chain([0, u64::MAX])
        {
            let high = highest(bucket(time));
            assert!(high >= time && (high - time) as f64 <= time as f64 / 60.0, "{time} {high}");
        }
    }

    #[test]
    fn percentiles_are_those_of_the_sorted_times() {
        let mut histogram = Histogram::new();
        assert_eq!(histogram.percentile(0.5), None);
        for time in 1..=1_000 {
            histogram.record(time * 1_000);
        }
        for (share, expected) in [(0.5, 500_000.0), (0.9, 900_000.0), (0.99, 990_000.0)] {
            let got = histogram.percentile(share).expect("times") as f64;
            assert!((got / expected - 1.0).abs() < 0.02, "{share}: {got}");
        }
        assert_eq!(histogram.percentile(1.0), Some(1_000_000));
        assert_eq!(histogram.to_json()["max"], 1_000.0);
    }
}
