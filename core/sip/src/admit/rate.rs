//! Token bucket as one number (GCRA): when the bucket would be full again. Shared by all workers without a lock.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::time::Time;

/// How many, how fast.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    interval_nanos: u64,
    tolerance_nanos: u64,
}

impl Rate {
    /// *per_second* in the long run, *burst* at once.
    pub fn new(per_second: u32, burst: u32) -> Self {
        Self::within(per_second, Duration::from_secs(1), burst)
    }

    /// *count* in every *period* in the long run, *burst* at once.
    pub fn within(count: u32, period: Duration, burst: u32) -> Self {
        let period_nanos = u64::try_from(period.as_nanos()).unwrap_or(u64::MAX);
        let interval_nanos = period_nanos / u64::from(count.max(1));
        Self { interval_nanos, tolerance_nanos: interval_nanos.saturating_mul(u64::from(burst.max(1) - 1)) }
    }
}

/// The state of one bucket.
#[derive(Debug, Default)]
pub struct TokenBucket {
    full_again_nanos: AtomicU64,
}

impl TokenBucket {
    /// Takes a token, or tells that there is none.
    pub fn take(&self, rate: Rate, now: Time) -> bool {
        let now = now.as_nanos();
        self.full_again_nanos
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |full_again| {
                let start = full_again.max(now);
                (start - now <= rate.tolerance_nanos).then(|| start.saturating_add(rate.interval_nanos))
            })
            .is_ok()
    }

    /// Is it as full as if nobody ever took a token?
    pub fn is_full(&self, now: Time) -> bool {
        self.full_again_nanos.load(Ordering::Relaxed) <= now.as_nanos()
    }

    /// Fills it.
    pub fn fill(&self) {
        self.full_again_nanos.store(0, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(bucket: &TokenBucket, rate: Rate, tries: u32, now: Time) -> usize {
        (0..tries).filter(|_| bucket.take(rate, now)).count()
    }

    #[test]
    fn a_burst_passes_then_the_rate_holds() {
        let (bucket, rate) = (TokenBucket::default(), Rate::new(100, 10));
        let start = Time::from_millis(5_000);
        assert_eq!(taken(&bucket, rate, 50, start), 10);
        let passed: usize = (1..=1000).map(|ms| taken(&bucket, rate, 5, Time::from_millis(5_000 + ms))).sum();
        assert_eq!(passed, 100);
    }

    #[test]
    fn a_rate_may_be_slower_than_one_a_second() {
        let (bucket, rate) = (TokenBucket::default(), Rate::within(6, Duration::from_secs(60), 2));
        assert_eq!(taken(&bucket, rate, 9, Time::from_millis(1_000)), 2);
        assert!(!bucket.is_full(Time::from_millis(20_999)));
        assert!(bucket.is_full(Time::from_millis(21_000)));
        assert_eq!(taken(&bucket, rate, 9, Time::from_millis(10_999)), 0);
        assert_eq!(taken(&bucket, rate, 9, Time::from_millis(11_000)), 1);
    }

    #[test]
    fn silence_fills_the_bucket_but_not_above_the_burst() {
        let (bucket, rate) = (TokenBucket::default(), Rate::new(10, 5));
        assert_eq!(taken(&bucket, rate, 9, Time::from_millis(1)), 5);
        assert_eq!(taken(&bucket, rate, 9, Time::from_millis(3_600_000)), 5);
    }
}
