//! How far behind the workers are, and what they refuse because of it.

use super::family::{Builder, Family, Kind};
use super::{Gauge, WorkerShard};
use crate::admit::QueueDelay;
use crate::time::Time;

/// Of one worker. What it saw last is of no interest a second later: an idle worker has no queue.
#[derive(Debug, Default)]
pub struct OverloadShard {
    delay_us: Gauge,
    percent: Gauge,
    at_ms: Gauge,
}

const STALE_AFTER_MS: i64 = 1_000;

impl OverloadShard {
    /// Shows what was measured at *now*.
    #[allow(clippy::cast_possible_wrap)]
    pub fn show(&self, queue: &QueueDelay, now: Time) {
        self.delay_us.set(queue.last().as_micros() as i64);
        self.percent.set(i64::from(queue.percent(now)));
        self.at_ms.set(now.as_millis() as i64);
    }

    #[allow(clippy::cast_possible_wrap)]
    fn read(&self, now: Time) -> (i64, i64) {
        let is_stale = now.as_millis() as i64 - self.at_ms.get() > STALE_AFTER_MS;
        if is_stale { (0, 0) } else { (self.delay_us.get(), self.percent.get()) }
    }
}

#[allow(clippy::cast_precision_loss)]
pub(super) fn families(workers: &[WorkerShard], now: Time) -> [Family; 2] {
    let mut delay = Builder::new(
        "ibcf_queue_delay_seconds",
        Kind::Gauge,
        "Shortest wait of a message in a tenth of a second before the worker that is furthest behind looked at it.",
        &[],
    );
    let mut percent = Builder::new(
        "ibcf_overload_percent",
        Kind::Gauge,
        "Share of new requests that is refused because messages wait longer than limits.queue_delay_max.",
        &[],
    );
    let all = || workers.iter().map(|shard| shard.overload.read(now));
    delay.push(&[], all().map(|(delay_us, _)| delay_us).max().unwrap_or(0) as f64 / 1e6);
    percent.push(&[], all().map(|(_, percent)| percent).max().unwrap_or(0) as f64);
    [delay.0, percent.0]
}
