//! What happens later. Each kind of wait has one length, so that a queue keeps them in order.

use std::collections::VecDeque;

use crate::clock::{MILLISECOND, Nanoseconds};
use crate::token::Token;

/// Things due one after the other.
#[derive(Debug)]
pub(crate) struct Queue<T> {
    waiting: VecDeque<(Nanoseconds, T)>,
}

impl<T> Default for Queue<T> {
    fn default() -> Self {
        Self { waiting: VecDeque::new() }
    }
}

impl<T> Queue<T> {
    pub(crate) fn push(&mut self, due: Nanoseconds, what: T) {
        self.waiting.push_back((due, what));
    }

    /// Takes the next one that is due at *now*.
    pub(crate) fn pop(&mut self, now: Nanoseconds) -> Option<T> {
        self.due().filter(|due| *due <= now)?;
        self.waiting.pop_front().map(|(_, what)| what)
    }

    fn due(&self) -> Option<Nanoseconds> {
        self.waiting.front().map(|(due, _)| *due)
    }
}

/// A message that is sent again until it is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Resend {
    /// The first request of the UAC.
    Request,
    Bye,
    /// The final response of the UAS to an INVITE.
    Final,
}

/// From one sending to the next: T1, doubled up to T2 (RFC 3261 §17.1.2.1, §13.3.1.4). What remains unanswered for longer
/// than these together fails by its deadline.
const INTERVALS: [Nanoseconds; 4] =
    [500 * MILLISECOND, 1_000 * MILLISECOND, 2_000 * MILLISECOND, 4_000 * MILLISECOND];

/// Everything that waits.
#[derive(Debug, Default)]
pub(crate) struct Timers {
    /// The UAS answers.
    pub(crate) ring: Queue<Token>,
    /// The UAC hangs up.
    pub(crate) hold: Queue<Token>,
    /// The call should have been over.
    pub(crate) deadline: Queue<Token>,
    resend: [Queue<(Token, Resend)>; INTERVALS.len()],
}

impl Timers {
    /// Waits for the answer to what is sent now for the *times*-th time, from 0.
    pub(crate) fn resend_later(&mut self, now: Nanoseconds, times: usize, token: Token, what: Resend) {
        let at = times.min(INTERVALS.len() - 1);
        self.resend[at].push(now + INTERVALS[at], (token, what));
    }

    /// Takes what must be sent again, and how often it was sent again before.
    pub(crate) fn pop_resend(&mut self, now: Nanoseconds) -> Option<(usize, Token, Resend)> {
        let pop = |(at, queue): (usize, &mut Queue<_>)| queue.pop(now).map(|(token, what)| (at, token, what));
        self.resend.iter_mut().enumerate().find_map(pop)
    }

    /// When the next one is due.
    pub(crate) fn next_due(&self) -> Option<Nanoseconds> {
        let resend = self.resend.iter().filter_map(Queue::due);
        [self.ring.due(), self.hold.due(), self.deadline.due()].into_iter().flatten().chain(resend).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_due_before_its_time_and_resending_slows_down() {
        let mut timers = Timers::default();
        assert_eq!(timers.next_due(), None);
        let token = Token::new(1, 1);
        let mut now = 0;
        for (times, wait_ms) in [(0, 500), (1, 1_000), (2, 2_000), (3, 4_000), (3, 4_000)] {
            timers.resend_later(now, times, token, Resend::Bye);
            let due = now + wait_ms * MILLISECOND;
            assert_eq!(timers.next_due(), Some(due));
            assert_eq!(timers.pop_resend(due - 1), None);
            assert_eq!(timers.pop_resend(due), Some((times, token, Resend::Bye)));
            now = due;
        }
        timers.ring.push(5, token);
        assert_eq!((timers.ring.pop(4), timers.ring.pop(5), timers.ring.pop(6)), (None, Some(token), None));
    }
}
