//! Non-INVITE client transaction (RFC 3261 §17.1.2).
//!
//! The machine starts in `Trying` with Timers E and F armed; its owner sends the request.
//!
//! | state      | input           | next       | effect        | arms |
//! |------------|-----------------|------------|---------------|------|
//! | Trying     | Timer E         | Trying     | `Resend`      | E    |
//! | Trying     | Timer F         | Terminated | `Timeout`     | -    |
//! | Trying     | 1xx             | Proceeding | `Pass`        | -    |
//! | Trying     | 200-699         | Completed  | `Pass`        | K    |
//! | Trying     | transport error | Terminated | `Unreachable` | -    |
//! | Proceeding | Timer E         | Proceeding | `Resend`      | E    |
//! | Proceeding | Timer F         | Terminated | `Timeout`     | -    |
//! | Proceeding | 1xx             | Proceeding | `Pass`        | -    |
//! | Proceeding | 200-699         | Completed  | `Pass`        | K    |
//! | Proceeding | transport error | Terminated | `Unreachable` | -    |
//! | Completed  | Timer K         | Terminated | -             | -    |
//!
//! What is not in the table does nothing. Over a reliable transport Timer E is not armed, and Timer K is zero: the first
//! 200-699 leads straight to `Terminated`.
//!
//! - Timer E doubles up to T2, and is T2 from the first firing in `Proceeding` on.
//! - Where the operator set Timer F below 64 × T1, that bounds the *silence* of a target: one that sent a 100 is given the rest
//!   of the 64 × T1 (Timer F is armed once more), so that a slow MESSAGE is not delivered twice.

use std::time::Duration;

use super::{ClientEffect, Timer, TimerValues, Timers};

/// Where the transaction stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Nobody answered yet.
    Trying,
    /// A provisional response came.
    Proceeding,
    /// The final response came.
    Completed,
    /// To be forgotten.
    Terminated,
}

/// The client side of a request other than INVITE and ACK.
#[derive(Clone, Copy, Debug)]
pub struct NonInviteClientTransaction {
    values: TimerValues,
    resend_interval: Duration,
    /// What a target that sent a 100 still gets after the first Timer F.
    patience: Duration,
    state: State,
    reliable: bool,
    has_provisional: bool,
}

impl NonInviteClientTransaction {
    /// Begins in `Trying`; the caller sends the request.
    pub fn new(values: TimerValues, reliable: bool, timers: &mut impl Timers) -> Self {
        if !reliable {
            timers.arm(Timer::E, values.t1);
        }
        timers.arm(Timer::F, values.first_response);
        let patience = values.transaction_life().saturating_sub(values.first_response);
        Self {
            values,
            resend_interval: values.t1,
            patience,
            state: State::Trying,
            reliable,
            has_provisional: false,
        }
    }

    /// Shortens what a target that sent a 100 still gets, where whoever asked does not wait as long.
    pub fn bound_patience(&mut self, most: Option<Duration>) {
        self.patience = most.map_or(self.patience, |most| self.patience.min(most));
    }

    /// Tells the machine that a response with this *status* came.
    pub fn on_response(&mut self, status: u16, timers: &mut impl Timers) -> ClientEffect {
        match (self.state, status) {
            (State::Trying | State::Proceeding, 100..=199) => {
                self.state = State::Proceeding;
                self.has_provisional = true;
                ClientEffect::Pass
            }
            (State::Trying | State::Proceeding, 200..=699) => {
                if self.reliable {
                    self.state = State::Terminated;
                } else {
                    self.state = State::Completed;
                    timers.arm(Timer::K, self.values.t4);
                }
                ClientEffect::Pass
            }
            _ => ClientEffect::Nothing,
        }
    }

    /// Tells the machine that *timer* fired.
    pub fn on_timer(&mut self, timer: Timer, timers: &mut impl Timers) -> ClientEffect {
        match (self.state, timer) {
            (State::Trying, Timer::E) => {
                self.resend_interval = self.resend_interval.saturating_mul(2).min(self.values.t2);
                timers.arm(Timer::E, self.resend_interval);
                ClientEffect::Resend
            }
            (State::Proceeding, Timer::E) => {
                timers.arm(Timer::E, self.values.t2);
                ClientEffect::Resend
            }
            (State::Proceeding, Timer::F) if !self.patience.is_zero() => {
                timers.arm(Timer::F, std::mem::take(&mut self.patience));
                ClientEffect::Nothing
            }
            (State::Trying | State::Proceeding, Timer::F) => {
                self.state = State::Terminated;
                ClientEffect::Timeout
            }
            (State::Completed, Timer::K) => {
                self.state = State::Terminated;
                ClientEffect::Nothing
            }
            _ => ClientEffect::Nothing,
        }
    }

    /// Tells the machine that what it sent could not be delivered.
    pub fn on_transport_error(&mut self) -> ClientEffect {
        match self.state {
            State::Trying | State::Proceeding => {
                self.state = State::Terminated;
                ClientEffect::Unreachable
            }
            State::Completed | State::Terminated => ClientEffect::Nothing,
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

    /// Tells whether a provisional response ever came.
    pub const fn has_provisional(&self) -> bool {
        self.has_provisional
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transaction::walk::{Armed, Row, all_timers, rows};

    const STATES: [State; 4] = [State::Trying, State::Proceeding, State::Completed, State::Terminated];

    fn in_state(state: State) -> NonInviteClientTransaction {
        let armed = &mut Armed::default();
        let mut machine = NonInviteClientTransaction::new(TimerValues::default(), false, armed);
        match state {
            State::Trying => ClientEffect::Nothing,
            State::Proceeding => machine.on_response(100, armed),
            State::Completed => machine.on_response(200, armed),
            State::Terminated => machine.on_timer(Timer::F, armed),
        };
        assert_eq!(machine.state(), state);
        machine
    }

    fn row(
        state: State,
        input: &str,
        feed: impl Fn(&mut NonInviteClientTransaction, &mut Armed) -> ClientEffect,
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
            for (input, statuses) in
                [("1xx", [100, 182, 199]), ("200-699", [200, 404, 699]), ("no status", [0, 99, 700])]
            {
                let all = statuses
                    .map(|status| row(state, input, |machine, armed| machine.on_response(status, armed)));
                assert!(all.iter().all(|row| *row == all[0]));
                found.extend(all.into_iter().take(1));
            }
            found.push(row(state, "transport error", |machine, _| machine.on_transport_error()));
        }
        found.retain(|row| !row.is_idle());
        let mut told = rows(include_str!("non_invite_client.rs"));
        found.sort();
        told.sort();
        assert_eq!(found, told);
    }

    #[test]
    fn timer_e_doubles_up_to_t2() {
        let mut armed = Armed::default();
        let mut machine = NonInviteClientTransaction::new(TimerValues::default(), false, &mut armed);
        assert_eq!(armed.take(), [(Timer::E, 500), (Timer::F, 32_000)]);
        for interval_ms in [1_000, 2_000, 4_000, 4_000] {
            assert_eq!(machine.on_timer(Timer::E, &mut armed), ClientEffect::Resend);
            assert_eq!(armed.take(), [(Timer::E, interval_ms)]);
        }
    }

    #[test]
    fn timer_e_is_t2_once_the_target_has_spoken() {
        let mut armed = Armed::default();
        let mut machine = in_state(State::Proceeding);
        assert_eq!(machine.on_timer(Timer::E, &mut armed), ClientEffect::Resend);
        assert_eq!(armed.take(), [(Timer::E, 4_000)]);
    }

    #[test]
    fn a_final_response_is_absorbed_when_it_comes_again() {
        let mut armed = Armed::default();
        let mut machine = in_state(State::Trying);
        assert_eq!(machine.on_response(404, &mut armed), ClientEffect::Pass);
        assert_eq!(armed.take(), [(Timer::K, 5_000)]);
        assert_eq!(machine.on_response(404, &mut armed), ClientEffect::Nothing);
        machine.on_timer(Timer::K, &mut armed);
        assert!(machine.is_terminated());
    }

    #[test]
    fn a_short_timer_f_bounds_silence_but_not_work() {
        let values = TimerValues { first_response: Duration::from_secs(4), ..TimerValues::default() };
        let mut armed = Armed::default();
        let mut silent = NonInviteClientTransaction::new(values, true, &mut armed);
        let mut slow = silent;
        armed.take();
        assert_eq!(silent.on_timer(Timer::F, &mut armed), ClientEffect::Timeout);
        assert_eq!(slow.on_response(100, &mut armed), ClientEffect::Pass);
        assert!(slow.has_provisional());
        assert_eq!(slow.on_timer(Timer::F, &mut armed), ClientEffect::Nothing);
        assert_eq!(armed.take(), [(Timer::F, 28_000)]);
        assert_eq!(slow.on_timer(Timer::F, &mut armed), ClientEffect::Timeout);
    }

    #[test]
    fn a_reliable_transport_needs_no_timer_e_and_no_timer_k() {
        let mut armed = Armed::default();
        let mut machine = NonInviteClientTransaction::new(TimerValues::default(), true, &mut armed);
        assert_eq!(armed.take(), [(Timer::F, 32_000)]);
        assert_eq!(machine.on_response(200, &mut armed), ClientEffect::Pass);
        assert!(machine.is_terminated());
        assert_eq!(armed.take(), []);
    }
}
