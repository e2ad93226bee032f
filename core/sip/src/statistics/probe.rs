//! What is counted about the probes of a peer's targets.

use super::{Counter, Histogram, PeerShard, QUESTION_BOUNDS_MS};

/// What came of a probe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProbeResult {
    /// An answer that counts as alive.
    Answered,
    /// An answer that does not.
    Refused,
    /// None in time.
    Timeout,
    /// The network could not deliver it.
    Unreachable,
}

impl ProbeResult {
    pub(super) const ALL: [Self; 4] = [Self::Answered, Self::Refused, Self::Timeout, Self::Unreachable];

    /// Returns the value of the label `result`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Answered => "answered",
            Self::Refused => "refused",
            Self::Timeout => "timeout",
            Self::Unreachable => "unreachable",
        }
    }
}

/// What one worker counts about the probes of one peer.
#[derive(Debug, Default)]
pub(super) struct Probes {
    pub(super) results: [Counter; ProbeResult::ALL.len()],
    pub(super) delay: Histogram,
}

impl PeerShard {
    /// Counts what came of a probe, and how long its answer took.
    pub fn probe(&self, result: ProbeResult, delay_ms: Option<u64>) {
        self.probes.results[result as usize].one();
        if let Some(delay_ms) = delay_ms {
            self.probes.delay.observe(&QUESTION_BOUNDS_MS, delay_ms);
        }
    }
}
