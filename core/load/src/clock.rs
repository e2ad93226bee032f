//! The two clocks: one that only runs on, for the schedule, and that of the day, which the kernel stamps datagrams with.

use std::time::{Instant, SystemTime};

/// Nanoseconds.
pub(crate) type Nanoseconds = u64;

/// How many of them a millisecond has.
pub(crate) const MILLISECOND: Nanoseconds = 1_000_000;

/// Both clocks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    begin: Instant,
}

impl Clock {
    pub(crate) fn start() -> Self {
        Self { begin: Instant::now() }
    }

    /// Since the start.
    pub(crate) fn now(self) -> Nanoseconds {
        self.begin.elapsed().as_nanos() as Nanoseconds
    }
}

/// By the clock of the day, since 1970.
pub(crate) fn of_day() -> Nanoseconds {
    SystemTime::UNIX_EPOCH.elapsed().map_or(0, |elapsed| elapsed.as_nanos() as Nanoseconds)
}
