//! INVITE client transaction (RFC 3261 §17.1.1; `Accepted` and Timer M from RFC 6026 §7.2).
//!
//! The machine starts in `Calling` with Timers A and B armed; its owner sends the INVITE.
//!
//! | state      | input           | next       | effect        | arms |
//! |------------|-----------------|------------|---------------|------|
//! | Calling    | Timer A         | Calling    | `Resend`      | A    |
//! | Calling    | Timer B         | Terminated | `Timeout`     | -    |
//! | Calling    | 1xx             | Proceeding | `Pass`        | -    |
//! | Calling    | 2xx             | Accepted   | `Pass`        | M    |
//! | Calling    | 300-699         | Completed  | `PassAndAck`  | D    |
//! | Calling    | transport error | Terminated | `Unreachable` | -    |
//! | Proceeding | 1xx             | Proceeding | `Pass`        | -    |
//! | Proceeding | 2xx             | Accepted   | `Pass`        | M    |
//! | Proceeding | 300-699         | Completed  | `PassAndAck`  | D    |
//! | Accepted   | 2xx             | Accepted   | `Pass`        | -    |
//! | Accepted   | Timer M         | Terminated | -             | -    |
//! | Completed  | 300-699         | Completed  | `Ack`         | -    |
//! | Completed  | transport error | Terminated | -             | -    |
//! | Completed  | Timer D         | Terminated | -             | -    |
//!
//! What is not in the table does nothing. Over a reliable transport Timer A is not armed, and Timer D is zero: the first
//! 300-699 leads straight to `Terminated`.
//!
//! - Timer A doubles without an upper bound: T2 caps Timer E, never Timer A (§17.1.1.2).
//! - Once it rings there is no Timer B; how long it may ring is Timer C's business (§16.8), which is the response context's.
//! - An ICMP error while it rings was caused by something else, or was forged: the callee has spoken.
//! - The ACK for a failure could not be delivered (`Completed`, transport error): the response is already upstream, so
//!   there is nobody to tell.

use std::time::Duration;

use super::{ClientEffect, Timer, TimerValues, Timers};

/// Where the transaction stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Nobody answered yet.
    Calling,
    /// A provisional response came.
    Proceeding,
    /// A 2xx came; more of them may follow.
    Accepted,
    /// A failure came and was acknowledged.
    Completed,
    /// To be forgotten.
    Terminated,
}

/// The client side of an INVITE.
#[derive(Clone, Copy, Debug)]
pub struct InviteClientTransaction {
    values: TimerValues,
    resend_interval: Duration,
    state: State,
    reliable: bool,
    has_provisional: bool,
}

impl InviteClientTransaction {
    /// Begins in `Calling`; the caller sends the INVITE.
    pub fn new(values: TimerValues, reliable: bool, timers: &mut impl Timers) -> Self {
        if !reliable {
            timers.arm(Timer::A, values.t1);
        }
        timers.arm(Timer::B, values.first_response);
        Self { values, resend_interval: values.t1, state: State::Calling, reliable, has_provisional: false }
    }

    /// Tells the machine that a response with this *status* came.
    pub fn on_response(&mut self, status: u16, timers: &mut impl Timers) -> ClientEffect {
        match (self.state, status) {
            (State::Calling | State::Proceeding, 100..=199) => {
                self.state = State::Proceeding;
                self.has_provisional = true;
                ClientEffect::Pass
            }
            (State::Calling | State::Proceeding, 200..=299) => {
                self.state = State::Accepted;
                timers.arm(Timer::M, self.values.transaction_life());
                ClientEffect::Pass
            }
            (State::Calling | State::Proceeding, 300..=699) => {
                if self.reliable {
                    self.state = State::Terminated;
                } else {
                    self.state = State::Completed;
                    timers.arm(Timer::D, self.values.completed_life());
                }
                ClientEffect::PassAndAck
            }
            (State::Accepted, 200..=299) => ClientEffect::Pass,
            (State::Completed, 300..=699) => ClientEffect::Ack,
            _ => ClientEffect::Nothing,
        }
    }

    /// Tells the machine that *timer* fired.
    pub fn on_timer(&mut self, timer: Timer, timers: &mut impl Timers) -> ClientEffect {
        match (self.state, timer) {
            (State::Calling, Timer::A) => {
                self.resend_interval = self.resend_interval.saturating_mul(2);
                timers.arm(Timer::A, self.resend_interval);
                ClientEffect::Resend
            }
            (State::Calling, Timer::B) => {
                self.state = State::Terminated;
                ClientEffect::Timeout
            }
            (State::Completed, Timer::D) | (State::Accepted, Timer::M) => {
                self.state = State::Terminated;
                ClientEffect::Nothing
            }
            _ => ClientEffect::Nothing,
        }
    }

    /// Tells the machine that what it sent could not be delivered.
    pub fn on_transport_error(&mut self) -> ClientEffect {
        match self.state {
            State::Calling => {
                self.state = State::Terminated;
                ClientEffect::Unreachable
            }
            State::Completed => {
                self.state = State::Terminated;
                ClientEffect::Nothing
            }
            State::Proceeding | State::Accepted | State::Terminated => ClientEffect::Nothing,
        }
    }

    /// Where the transaction stands.
    pub const fn state(&self) -> State {
        self.state
    }

    /// Tells whether the transaction is to be forgotten.
    pub const fn is_terminated(&self) -> bool {
        matches!(self.state, State::Terminated)
    }

    /// Tells whether a provisional response ever came: before that, no CANCEL may leave (§9.1).
    pub const fn has_provisional(&self) -> bool {
        self.has_provisional
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transaction::walk::{Armed, Row, all_timers, rows};

    const STATES: [State; 5] =
        [State::Calling, State::Proceeding, State::Accepted, State::Completed, State::Terminated];

    fn in_state(state: State) -> InviteClientTransaction {
        let armed = &mut Armed::default();
        let mut machine = InviteClientTransaction::new(TimerValues::default(), false, armed);
        match state {
            State::Calling => ClientEffect::Nothing,
            State::Proceeding => machine.on_response(180, armed),
            State::Accepted => machine.on_response(200, armed),
            State::Completed => machine.on_response(486, armed),
            State::Terminated => machine.on_timer(Timer::B, armed),
        };
        assert_eq!(machine.state(), state);
        machine
    }

    fn row(
        state: State,
        input: &str,
        feed: impl Fn(&mut InviteClientTransaction, &mut Armed) -> ClientEffect,
    ) -> Row {
        let mut machine = in_state(state);
        let mut armed = Armed::default();
        let effect = feed(&mut machine, &mut armed);
        Row::new(&state, input, &machine.state(), &effect, &ClientEffect::Nothing, &armed)
    }

    #[test]
    fn every_state_and_input_does_what_the_table_says_and_no_more() {
        let mut found = Vec::new();
        for state in STATES {
            for timer in all_timers() {
                found.push(row(state, &format!("Timer {timer:?}"), |machine, armed| {
                    machine.on_timer(timer, armed)
                }));
            }
            for (input, statuses) in [
                ("1xx", [100, 180, 199]),
                ("2xx", [200, 202, 299]),
                ("300-699", [300, 486, 699]),
                ("no status", [0, 99, 700]),
            ] {
                let all = statuses
                    .map(|status| row(state, input, |machine, armed| machine.on_response(status, armed)));
                assert!(all.iter().all(|row| *row == all[0]));
                found.extend(all.into_iter().take(1));
            }
            found.push(row(state, "transport error", |machine, _| machine.on_transport_error()));
        }
        found.retain(|row| !row.is_idle());
        let mut told = rows(include_str!("invite_client.rs"));
        found.sort();
        told.sort();
        assert_eq!(found, told);
    }

    #[test]
    fn timer_a_doubles_without_bound_until_timer_b() {
        let mut armed = Armed::default();
        let mut machine = InviteClientTransaction::new(TimerValues::default(), false, &mut armed);
        assert_eq!(armed.take(), [(Timer::A, 500), (Timer::B, 32_000)]);
        for interval_ms in [1_000, 2_000, 4_000, 8_000, 16_000, 32_000] {
            assert_eq!(machine.on_timer(Timer::A, &mut armed), ClientEffect::Resend);
            assert_eq!(armed.take(), [(Timer::A, interval_ms)]);
        }
        assert_eq!(machine.on_timer(Timer::B, &mut armed), ClientEffect::Timeout);
        assert!(machine.is_terminated());
        assert!(!machine.has_provisional());
    }

    #[test]
    fn a_failure_is_acknowledged_each_time_it_comes() {
        let mut armed = Armed::default();
        let mut machine = in_state(State::Proceeding);
        assert!(machine.has_provisional());
        assert_eq!(machine.on_response(503, &mut armed), ClientEffect::PassAndAck);
        assert_eq!(armed.take(), [(Timer::D, 32_000)]);
        assert_eq!(machine.on_response(503, &mut armed), ClientEffect::Ack);
        assert_eq!(machine.on_timer(Timer::D, &mut armed), ClientEffect::Nothing);
        assert!(machine.is_terminated());
    }

    #[test]
    fn every_2xx_passes_until_timer_m() {
        let mut armed = Armed::default();
        let mut machine = in_state(State::Calling);
        assert_eq!(machine.on_response(200, &mut armed), ClientEffect::Pass);
        assert_eq!(armed.take(), [(Timer::M, 32_000)]);
        assert_eq!(machine.on_response(200, &mut armed), ClientEffect::Pass);
        machine.on_timer(Timer::M, &mut armed);
        assert_eq!(machine.on_response(200, &mut armed), ClientEffect::Nothing);
    }

    #[test]
    fn a_reliable_transport_needs_no_timer_a_and_no_timer_d() {
        let mut armed = Armed::default();
        let mut machine = InviteClientTransaction::new(TimerValues::default(), true, &mut armed);
        assert_eq!(armed.take(), [(Timer::B, 32_000)]);
        assert_eq!(machine.on_response(404, &mut armed), ClientEffect::PassAndAck);
        assert!(machine.is_terminated());
        assert_eq!(armed.take(), []);
    }
}
