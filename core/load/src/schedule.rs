//! When calls begin: evenly, whatever became of those before (an open loop).

use crate::clock::Nanoseconds;

/// Some calls from a moment on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Schedule {
    begin: Nanoseconds,
    interval: f64,
    begun: u64,
    total: u64,
}

impl Schedule {
    /// Has *total* calls begin at *rate* a second from *begin* on.
    pub(crate) fn new(begin: Nanoseconds, rate: f64, total: u64) -> Self {
        Self { begin, interval: 1e9 / rate, begun: 0, total }
    }

    /// When the next one is due; `None` when all have begun.
    pub(crate) fn due(&self) -> Option<Nanoseconds> {
        (self.begun < self.total).then(|| self.begin + (self.begun as f64 * self.interval) as Nanoseconds)
    }

    /// Takes the next one that is due at *now*, and returns when it was.
    pub(crate) fn next(&mut self, now: Nanoseconds) -> Option<Nanoseconds> {
        let due = self.due().filter(|due| *due <= now)?;
        self.begun += 1;
        Some(due)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_begin_evenly_and_a_late_turn_catches_up() {
        let mut schedule = Schedule::new(1_000, 1e6, 4);
        assert_eq!(schedule.next(999), None);
        assert_eq!(schedule.next(1_000), Some(1_000));
        assert_eq!(schedule.next(1_500), None);
        assert_eq!(schedule.due(), Some(2_000));
        assert_eq!(schedule.next(9_000), Some(2_000));
        assert_eq!(schedule.next(9_000), Some(3_000));
        assert_eq!(schedule.next(9_000), Some(4_000));
        assert_eq!((schedule.next(9_000), schedule.due()), (None, None));
    }
}
