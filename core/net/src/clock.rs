//! The one place of the data path that reads a clock: once a batch.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use ibcf_sip::{Now, Time};

/// Tells the time of the core, counted from when the clock was made, and of the wall.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    origin: Instant, // CLOCK_MONOTONIC on Linux
}

impl Clock {
    pub(crate) fn new() -> Self {
        Self { origin: Instant::now() }
    }

    pub(crate) fn now(self) -> Now {
        let nanos = u64::try_from(self.origin.elapsed().as_nanos()).unwrap_or(u64::MAX);
        let unix = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Now { time: Time::from_nanos(nanos), unix_ms: u64::try_from(unix.as_millis()).unwrap_or(u64::MAX) }
    }
}
