//! The bounded tables of a worker: how much each may hold, and how much it ever held. What it holds now has a gauge of its own.

#![allow(clippy::cast_possible_wrap, clippy::cast_precision_loss)] // sizes of tables

use super::family::{Builder, Family, Kind};
use super::{Gauge, WorkerShard};

/// A table with a configured maximum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bounded {
    /// Request contexts.
    Transactions,
    /// Answered calls.
    Calls,
    /// Timers in the wheel.
    Timers,
    /// Open questions.
    Questions,
    /// Answers in the cache.
    Answers,
    /// Where Request-URIs lead.
    Locations,
}

impl Bounded {
    const ALL: [(Self, &'static str); 6] = [
        (Self::Transactions, "transactions"),
        (Self::Calls, "calls"),
        (Self::Timers, "timers"),
        (Self::Questions, "questions"),
        (Self::Answers, "answers"),
        (Self::Locations, "locations"),
    ];
}

/// What one worker says about its tables.
#[derive(Debug, Default)]
pub struct BoundedShard {
    limits: [Gauge; Bounded::ALL.len()],
    peaks: [Gauge; Bounded::ALL.len()],
}

impl BoundedShard {
    /// Says how much *table* may hold.
    pub fn limit(&self, table: Bounded, max: usize) {
        self.limits[table as usize].set(max as i64);
    }

    /// Says how much *table* holds now.
    pub fn holds(&self, table: Bounded, len: usize) {
        let peak = &self.peaks[table as usize];
        if peak.get() < len as i64 {
            peak.set(len as i64);
        }
    }
}

pub(super) fn bounded_families(workers: &[WorkerShard]) -> [Family; 2] {
    let family = |name, help, read: fn(&BoundedShard) -> &[Gauge; Bounded::ALL.len()]| {
        let mut family = Builder::new(name, Kind::Gauge, help, &["name"]);
        for (table, name) in Bounded::ALL {
            let sum: i64 = workers.iter().map(|shard| read(&shard.bounded)[table as usize].get()).sum();
            family.push(&[name], sum as f64);
        }
        family.0
    };
    [
        family("ibcf_limits", "How much each table of the core may hold.", |shard| &shard.limits),
        family("ibcf_table_peak", "The most that each table of the core held since the start.", |shard| {
            &shard.peaks
        }),
    ]
}
