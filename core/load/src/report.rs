//! The result of a run.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::clock::Nanoseconds;
use crate::histogram::Histogram;
use crate::options::{Options, Scenario, Transport};
use crate::tally::Tally;

/// What came of a run.
#[derive(Clone, Debug)]
pub struct Report {
    scenario: &'static str,
    transport: Transport,
    rate_asked: f64,
    calls: u64,
    tally: Tally,
    span: Span,
}

/// The measured part: by the clock of the day, and what it cost us.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Span {
    pub(crate) begin: Nanoseconds,
    /// When the last call that counts began.
    pub(crate) last: Nanoseconds,
    pub(crate) end: Nanoseconds,
    pub(crate) cpu: Nanoseconds,
}

impl Report {
    pub(crate) fn new(options: &Options, tally: Tally, span: Span) -> Self {
        let name = |row: &&(&'static str, Scenario)| row.1 == options.scenario;
        Self {
            scenario: Scenario::NAMES.iter().find(name).map_or("", |row| row.0),
            transport: options.transport,
            rate_asked: options.rate,
            calls: options.calls(),
            tally,
            span,
        }
    }

    /// Did every call go well, and did nothing come that is no call's?
    pub fn is_clean(&self) -> bool {
        self.tally.failed == 0 && self.tally.strays == 0 && self.tally.ok == self.calls
    }

    /// How many calls went well.
    pub fn ok(&self) -> u64 {
        self.tally.ok
    }

    /// How many calls failed, by cause; and under `stray` how many messages came that are no call's.
    pub fn causes(&self) -> BTreeMap<String, u64> {
        let causes = self.tally.causes.iter().map(|(cause, count)| (cause.to_string(), *count));
        let strays = (self.tally.strays > 0).then(|| ("stray".to_owned(), self.tally.strays));
        causes.chain(strays).collect()
    }

    /// As it is printed.
    pub fn to_json(&self) -> Value {
        let Self { tally, span, .. } = self;
        let seconds = |from: Nanoseconds, to: Nanoseconds| to.saturating_sub(from) as f64 / 1e9;
        let beginning = seconds(span.begin, span.last);
        let round = |value: f64| (value * 1_000.0).round() / 1_000.0;
        let rate_done = (beginning > 0.0).then(|| round((self.calls.saturating_sub(1)) as f64 / beginning));
        let times = |histogram: &Histogram| histogram.to_json();
        json!({
            "scenario": self.scenario,
            "transport": self.transport.name().to_ascii_lowercase(),
            "rate_asked": self.rate_asked,
            "rate_done": rate_done,
            "calls": self.calls,
            "ok": tally.ok,
            "failed": tally.failed,
            "causes": self.causes(),
            "retransmissions": {"seen": tally.seen_again, "sent": tally.sent_again, "late": tally.late},
            "warm_failed": tally.warm_failed,
            "concurrent_max": tally.concurrent_max,
            "seconds": round(seconds(span.begin, span.end)),
            "begin_unix_ms": span.begin / 1_000_000,
            "end_unix_ms": span.end / 1_000_000,
            "cpu_us": span.cpu / 1_000,
            "lag_us": times(&tally.lag),
            "invite_us": times(&tally.request),
            "answer_us": times(&tally.answer),
            "arrivals_by": if self.transport == Transport::Udp { "kernel" } else { "read" },
        })
    }
}
