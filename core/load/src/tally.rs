//! What came of all calls.

use std::collections::BTreeMap;

use crate::call::Call;
use crate::cause::Cause;
use crate::clock::Nanoseconds;
use crate::histogram::Histogram;

/// Counts and times. Only calls of the measured part are in them, but for what belongs to no call.
#[derive(Clone, Debug)]
pub(crate) struct Tally {
    pub(crate) ok: u64,
    pub(crate) failed: u64,
    pub(crate) causes: BTreeMap<Cause, u64>,
    /// Calls before the measured part that failed.
    pub(crate) warm_failed: u64,
    /// Messages that are no call's of this run.
    pub(crate) strays: u64,
    /// Messages of calls that were over.
    pub(crate) late: u64,
    /// Messages that came again, and those that we sent again.
    pub(crate) seen_again: u64,
    pub(crate) sent_again: u64,
    pub(crate) concurrent_max: usize,
    pub(crate) lag: Histogram,
    pub(crate) request: Histogram,
    pub(crate) answer: Histogram,
}

impl Tally {
    pub(crate) fn new() -> Self {
        Self {
            ok: 0,
            failed: 0,
            causes: BTreeMap::new(),
            warm_failed: 0,
            strays: 0,
            late: 0,
            seen_again: 0,
            sent_again: 0,
            concurrent_max: 0,
            lag: Histogram::new(),
            request: Histogram::new(),
            answer: Histogram::new(),
        }
    }

    /// Counts a call that is over.
    pub(crate) fn end(&mut self, call: &Call) {
        match (call.is_counted, call.failed) {
            (true, None) => self.ok += 1,
            (true, Some(cause)) => {
                self.failed += 1;
                *self.causes.entry(cause).or_default() += 1;
            }
            (false, failed) => self.warm_failed += u64::from(failed.is_some()),
        }
    }

    /// How long the first request of *call* took.
    pub(crate) fn request_arrived(&mut self, call: &Call, at: Nanoseconds) {
        if call.is_counted {
            self.request.record(at.saturating_sub(call.requested));
        }
    }

    /// How long the 2xx of *call* took.
    pub(crate) fn answer_arrived(&mut self, call: &Call, at: Nanoseconds) {
        if call.is_counted {
            self.answer.record(at.saturating_sub(call.answered));
        }
    }
}
