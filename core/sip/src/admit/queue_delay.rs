//! How long messages wait in the queues of the kernel before this worker looks at them, and what share of new work it refuses
//! because of that.
//!
//! A queue that empties again and again is no overload, however long it was for a moment; so of each interval the shortest
//! wait counts, and only where there were enough looks to mean something. While it is above the bound, more is refused at
//! each interval, the more the further it is above; when it is below half of it, less. Load of the processor says nothing:
//! a worker at 95 % that keeps up refuses nobody, and one that is starved by others sees its queue grow.

use std::time::Duration;

use crate::time::Time;

const INTERVAL: Duration = Duration::from_millis(100);
/// Fewer looks in an interval say nothing: a full queue is read in many batches.
const LOOKS_MIN: u32 = 8;
/// Nobody looked for so long: what was measured is of another time.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(1);
/// Something always passes, so that the end of the overload is seen.
const PERCENT_MAX: u8 = 95;
const WHOLE: u32 = 100;

/// What one worker knows of its queue.
#[derive(Debug, Default)]
pub struct QueueDelay {
    interval_end: Time,
    shortest: Option<Duration>,
    looks: u32,
    last: Duration,
    percent: u8,
    /// In percent of a request: one is refused when a whole one is owed.
    debt: u32,
}

impl QueueDelay {
    /// Notes that a message waited so long; no more than *bound* is wanted.
    pub fn observe(&mut self, delay: Duration, bound: Duration, now: Time) {
        self.percent = self.percent_at(now);
        if now >= self.interval_end {
            self.end_interval(bound);
            self.interval_end = now + INTERVAL;
        }
        self.looks += 1;
        self.shortest = Some(self.shortest.map_or(delay, |shortest| shortest.min(delay)));
    }

    fn end_interval(&mut self, bound: Duration) {
        let looks = std::mem::take(&mut self.looks);
        self.last = self.shortest.take().unwrap_or_default();
        let (more, less) = match self.last {
            _ if looks < LOOKS_MIN => (0, 10),
            wait if wait > bound * 4 => (20, 0),
            wait if wait > bound * 2 => (10, 0),
            wait if wait > bound => (5, 0),
            wait if wait > bound / 2 => (0, 0),
            _ => (0, (self.percent / 10).max(1)),
        };
        self.percent = self.percent.saturating_add(more).saturating_sub(less).min(PERCENT_MAX);
    }

    fn percent_at(&self, now: Time) -> u8 {
        if now > self.interval_end + FORGOTTEN_AFTER { 0 } else { self.percent }
    }

    /// The share of new work that is refused at *now*, in percent.
    pub fn percent(&self, now: Time) -> u8 {
        self.percent_at(now)
    }

    /// The shortest wait of the last interval.
    pub const fn last(&self) -> Duration {
        self.last
    }

    /// Is this piece of new work to be refused?
    pub fn refuses(&mut self, now: Time) -> bool {
        let percent = u32::from(self.percent_at(now));
        self.debt = if percent == 0 { 0 } else { self.debt + percent };
        let is_owed = self.debt >= WHOLE;
        self.debt -= if is_owed { WHOLE } else { 0 };
        is_owed
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use super::*;

    const BOUND: Duration = Duration::from_millis(100);

    /// A worker that needs a millisecond for a request and a tenth of one for a refusal, in front of a queue.
    #[derive(Default)]
    struct Worker {
        delay: QueueDelay,
        queue: VecDeque<u64>,
        busy_until_us: u64,
        admitted: u64,
        longest_ms: u64,
    }

    impl Worker {
        /// Offers so many requests a second from *from_s* to *to_s*, and counts anew.
        fn run(&mut self, per_second: u64, from_s: u64, to_s: u64) {
            (self.admitted, self.longest_ms) = (0, 0);
            let step_us = 1_000_000 / per_second;
            let mut next_us = from_s * 1_000_000;
            while next_us < to_s * 1_000_000 {
                self.serve(next_us);
                self.queue.push_back(next_us);
                next_us += step_us;
            }
            self.serve(next_us);
        }

        fn serve(&mut self, until_us: u64) {
            while self.busy_until_us < until_us {
                let Some(arrival_us) = self.queue.pop_front() else { return self.busy_until_us = until_us };
                let now_us = self.busy_until_us.max(arrival_us);
                let now = Time::from_nanos(now_us * 1_000);
                let waited_us = now_us - arrival_us;
                self.longest_ms = self.longest_ms.max(waited_us / 1_000);
                self.delay.observe(Duration::from_micros(waited_us), BOUND, now);
                let is_refused = self.delay.refuses(now);
                self.admitted += u64::from(!is_refused);
                self.busy_until_us = now_us + if is_refused { 100 } else { 1_000 };
            }
        }
    }

    #[test]
    fn a_worker_that_keeps_up_refuses_nobody() {
        let mut worker = Worker::default();
        worker.run(950, 0, 30);
        assert_eq!(worker.delay.percent(Time::from_millis(30_000)), 0);
        assert_eq!(worker.admitted, 30 * 950 + worker.admitted % 950);
    }

    #[test]
    fn at_three_times_what_it_can_do_it_does_what_it_can_and_nobody_waits_long() {
        let mut worker = Worker::default();
        worker.run(3_000, 0, 5);
        worker.run(3_000, 5, 25);
        // A second holds 777 requests beside the refusals of the rest.
        let per_second = worker.admitted / 20;
        assert!((660..=790).contains(&per_second), "{per_second} a second");
        assert!(worker.longest_ms < 400, "{} ms", worker.longest_ms);
        worker.run(500, 25, 30);
        worker.run(500, 30, 32);
        assert_eq!(worker.admitted, 2 * 500, "it is over");
    }

    #[test]
    fn a_moment_of_delay_or_a_few_slow_looks_are_no_overload() {
        let mut delay = QueueDelay::default();
        for ms in 0..10_000 {
            // A spike of 90 ms in each 100, and nothing in between.
            let waited = if ms % 100 < 90 { 500 } else { 0 };
            delay.observe(Duration::from_millis(waited), BOUND, Time::from_millis(ms));
            assert!(!delay.refuses(Time::from_millis(ms)));
        }
        for nth in 0..100 {
            delay.observe(Duration::from_secs(1), BOUND, Time::from_millis(20_000 + nth * 50));
            assert_eq!(delay.percent(Time::from_millis(20_000 + nth * 50)), 0);
        }
    }

    #[test]
    fn what_was_measured_long_ago_is_forgotten() {
        let mut delay = QueueDelay::default();
        for ms in 0..2_000 {
            delay.observe(Duration::from_millis(900), BOUND, Time::from_millis(ms));
        }
        assert_eq!(delay.percent(Time::from_millis(2_000)), PERCENT_MAX);
        assert_eq!(delay.percent(Time::from_millis(3_200)), 0);
        assert!(!delay.refuses(Time::from_millis(3_200)));
    }
}
