//! The timers of RFC 3261 by name, and the values they are made of.

use std::time::Duration;

use crate::snapshot::document;

/// A timer of RFC 3261 table 4 (L and M: RFC 6026).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Timer {
    /// When to send an INVITE again.
    A,
    /// When to give up an INVITE that nobody answers.
    B,
    /// When to give up an INVITE that only rings. Belongs to `forward` (§16.8), no machine arms it.
    C,
    /// When to forget an INVITE that failed, and with it the ACK to repeat.
    D,
    /// When to send a non-INVITE request again.
    E,
    /// When to give up a non-INVITE request.
    F,
    /// When to send a failure response to an INVITE again.
    G,
    /// When to stop waiting for the ACK.
    H,
    /// When to stop absorbing repeated ACKs.
    I,
    /// When to stop absorbing a repeated non-INVITE request.
    J,
    /// When to stop absorbing repeated responses to a non-INVITE request.
    K,
    /// When to stop absorbing repeated INVITEs after a 2xx.
    L,
    /// When to stop passing repeated and further 2xx to an INVITE.
    M,
    /// When to send 100 to a non-INVITE request; RFC 4320 §4.1 gives it no letter.
    Trying,
}

/// The values from which every timer is made (TS 29.165 table 6.3.1, PX-14).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimerValues {
    /// Estimate of the round trip.
    pub t1: Duration,
    /// Longest interval between two sendings of a non-INVITE request or of a response to an INVITE.
    pub t2: Duration,
    /// How long a message may linger in the network.
    pub t4: Duration,
    /// Timer C.
    pub c: Duration,
    /// Timers B and F: how long a target may stay silent.
    pub first_response: Duration,
}

impl TimerValues {
    /// 64 × T1, the life of an unanswered transaction: Timers H, J, L and M.
    pub const fn transaction_life(&self) -> Duration {
        self.t1.saturating_mul(64)
    }

    /// The same for a request that has one place to go (inside a dialog, CANCEL): there is nobody to try next, so silence
    /// is borne for as long as RFC 3261 says.
    #[must_use]
    pub const fn without_failover(self) -> Self {
        Self { first_response: self.transaction_life(), ..self }
    }

    /// Timer D on an unreliable transport: at least 32 s, and no shorter than the Timer H of the server it answers.
    pub fn completed_life(&self) -> Duration {
        self.transaction_life().max(Duration::from_secs(32))
    }

    /// How long after the first sending Timer E reaches T2 (RFC 4320 §4.1): 3.5 s with the default values.
    pub fn trying_delay(&self) -> Duration {
        let mut interval = self.t1.max(Duration::from_millis(1));
        let mut elapsed = Duration::ZERO;
        while interval < self.t2 {
            elapsed += interval;
            interval *= 2;
        }
        elapsed
    }
}

impl Default for TimerValues {
    fn default() -> Self {
        Self::from(document::Timers::default())
    }
}

impl From<document::Timers> for TimerValues {
    fn from(document: document::Timers) -> Self {
        // T1 = 0 would resend without end in one instant.
        let t1 = Duration::from_millis(document.t1_ms.max(1));
        Self {
            t1,
            t2: Duration::from_millis(document.t2_ms).max(t1),
            t4: Duration::from_millis(document.t4_ms),
            c: Duration::from_millis(document.c_ms),
            first_response: document.first_response_ms.map_or(t1.saturating_mul(64), Duration::from_millis),
        }
    }
}

/// Where a machine arms its timers: the owner ties them to the wheel and to the transaction.
///
/// Nothing is ever cancelled. A timer that fires in a state that has no use for it does nothing, and a machine never arms a
/// timer that may still be pending.
pub trait Timers {
    /// Arms *timer* to fire *after* from now.
    fn arm(&mut self, timer: Timer, after: Duration);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_those_of_the_interconnect() {
        let values = TimerValues::default();
        assert_eq!(values.t1, Duration::from_millis(500));
        assert_eq!(values.t2, Duration::from_secs(4));
        assert_eq!(values.t4, Duration::from_secs(5));
        assert!(values.c > Duration::from_secs(180));
        assert_eq!(values.first_response, Duration::from_secs(32));
        assert_eq!(values.transaction_life(), Duration::from_secs(32));
        assert_eq!(values.trying_delay(), Duration::from_millis(3_500));
    }

    #[test]
    fn the_first_response_may_be_asked_for_sooner() {
        let values = TimerValues::from(document::Timers {
            first_response_ms: Some(4_000),
            t1_ms: 1_000,
            ..document::Timers::default()
        });
        assert_eq!(values.first_response, Duration::from_secs(4));
        assert_eq!(values.completed_life(), Duration::from_secs(64));
        assert_eq!(values.without_failover().first_response, Duration::from_secs(64));
    }

    #[test]
    fn zero_t1_ends() {
        let values = TimerValues::from(document::Timers { t1_ms: 0, ..document::Timers::default() });
        assert!(values.t1 > Duration::ZERO);
        assert!(values.trying_delay() > Duration::ZERO);
    }
}
