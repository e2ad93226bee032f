//! INVITE server transaction (RFC 3261 §17.2.1; `Accepted` and Timer L from RFC 6026 §7.1).
//!
//! The machine starts in `Proceeding`; its owner sends the 100 (PX-20) and tells so with `send 1xx`.
//!
//! | state      | input        | next       | effect       | arms |
//! |------------|--------------|------------|--------------|------|
//! | Proceeding | INVITE       | Proceeding | `ResendLast` | -    |
//! | Proceeding | send 1xx     | Proceeding | sent         | -    |
//! | Proceeding | send 2xx     | Accepted   | sent         | L    |
//! | Proceeding | send 300-699 | Completed  | sent         | G H  |
//! | Proceeding | give up      | Confirmed  | -            | I    |
//! | Accepted   | send 2xx     | Accepted   | sent         | -    |
//! | Accepted   | ACK          | Accepted   | `Pass`       | -    |
//! | Accepted   | Timer L      | Terminated | -            | -    |
//! | Completed  | INVITE       | Completed  | `ResendLast` | -    |
//! | Completed  | Timer G      | Completed  | `ResendLast` | G    |
//! | Completed  | ACK          | Confirmed  | -            | I    |
//! | Completed  | Timer H      | Terminated | `NoAck`      | -    |
//! | Confirmed  | Timer I      | Terminated | -            | -    |
//!
//! What is not in the table does nothing; a response that is not in the table must not leave, and `send_*` says `false`. That is
//! one half of the rule that every server transaction gets exactly one final response; the owner's deadline is the other.
//! Over a reliable transport Timer G is not armed, and Timer I is zero: the ACK leads straight to `Terminated`.
//!
//! - Timer G doubles up to T2.
//! - Giving up is ours: no response leaves, and repetitions are absorbed for as long as there may be any.
//! - In `Accepted` a repeated INVITE is absorbed; the 2xx is repeated by the callee alone, and each copy may pass.
//! - A response that could not be delivered changes nothing (RFC 6026 §7.1): the timers end the transaction.

use std::time::Duration;

use super::{ServerEffect, Timer, TimerValues, Timers};

/// Where the transaction stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// No final response yet.
    Proceeding,
    /// A 2xx was sent; more of them may follow.
    Accepted,
    /// A failure was sent and waits for its ACK.
    Completed,
    /// The ACK came.
    Confirmed,
    /// To be forgotten.
    Terminated,
}

/// The server side of an INVITE.
#[derive(Clone, Copy, Debug)]
pub struct InviteServerTransaction {
    values: TimerValues,
    resend_interval: Duration,
    state: State,
    reliable: bool,
}

impl InviteServerTransaction {
    /// Begins in `Proceeding`. The four machines are made alike; this one arms nothing before its final response.
    pub fn new(values: TimerValues, reliable: bool, _timers: &mut impl Timers) -> Self {
        Self { values, resend_interval: values.t1, state: State::Proceeding, reliable }
    }

    /// Tells the machine that the INVITE came again.
    pub const fn on_request_retransmission(&self) -> ServerEffect {
        match self.state {
            State::Proceeding | State::Completed => ServerEffect::ResendLast,
            State::Accepted | State::Confirmed | State::Terminated => ServerEffect::Nothing,
        }
    }

    /// Tells the machine that an ACK came which belongs to it.
    pub fn on_ack(&mut self, timers: &mut impl Timers) -> ServerEffect {
        match self.state {
            State::Completed if self.reliable => {
                self.state = State::Terminated;
                ServerEffect::Nothing
            }
            State::Completed => {
                self.state = State::Confirmed;
                timers.arm(Timer::I, self.values.t4);
                ServerEffect::Nothing
            }
            State::Accepted => ServerEffect::Pass,
            State::Proceeding | State::Confirmed | State::Terminated => ServerEffect::Nothing,
        }
    }

    /// Asks whether a provisional response may leave.
    pub const fn send_provisional(&self) -> bool {
        matches!(self.state, State::Proceeding)
    }

    /// Asks whether a 2xx may leave, and takes it as sent if so.
    pub fn send_success(&mut self, timers: &mut impl Timers) -> bool {
        if self.state == State::Proceeding {
            self.state = State::Accepted;
            timers.arm(Timer::L, self.values.transaction_life());
        }
        self.state == State::Accepted
    }

    /// Asks whether a 300-699 may leave, and takes it as sent if so.
    pub fn send_failure(&mut self, timers: &mut impl Timers) -> bool {
        if self.state != State::Proceeding {
            return false;
        }
        self.state = State::Completed;
        if !self.reliable {
            timers.arm(Timer::G, self.values.t1);
        }
        timers.arm(Timer::H, self.values.transaction_life());
        true
    }

    /// Ends the transaction without a final response.
    pub fn give_up(&mut self, timers: &mut impl Timers) {
        if self.state == State::Proceeding {
            self.state = State::Confirmed;
            timers.arm(Timer::I, self.values.transaction_life());
        }
    }

    /// Tells the machine that *timer* fired.
    pub fn on_timer(&mut self, timer: Timer, timers: &mut impl Timers) -> ServerEffect {
        match (self.state, timer) {
            (State::Completed, Timer::G) => {
                self.resend_interval = self.resend_interval.saturating_mul(2).min(self.values.t2);
                timers.arm(Timer::G, self.resend_interval);
                ServerEffect::ResendLast
            }
            (State::Completed, Timer::H) => {
                self.state = State::Terminated;
                ServerEffect::NoAck
            }
            (State::Confirmed, Timer::I) | (State::Accepted, Timer::L) => {
                self.state = State::Terminated;
                ServerEffect::Nothing
            }
            _ => ServerEffect::Nothing,
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
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transaction::walk::{Armed, Row, all_timers, rows};

    const STATES: [State; 5] =
        [State::Proceeding, State::Accepted, State::Completed, State::Confirmed, State::Terminated];

    fn in_state(state: State) -> InviteServerTransaction {
        let armed = &mut Armed::default();
        let mut machine = InviteServerTransaction::new(TimerValues::default(), false, armed);
        match state {
            State::Proceeding => {}
            State::Accepted => assert!(machine.send_success(armed)),
            State::Completed => assert!(machine.send_failure(armed)),
            State::Confirmed => {
                assert!(machine.send_failure(armed));
                machine.on_ack(armed);
            }
            State::Terminated => {
                assert!(machine.send_failure(armed));
                machine.on_timer(Timer::H, armed);
            }
        }
        assert_eq!(machine.state(), state);
        machine
    }

    fn row(
        state: State,
        input: &str,
        feed: impl Fn(&mut InviteServerTransaction, &mut Armed) -> ServerEffect,
    ) -> Row {
        let mut machine = in_state(state);
        let mut armed = Armed::default();
        let effect = feed(&mut machine, &mut armed);
        Row::new(&state, input, &machine.state(), &effect, &ServerEffect::Nothing, &armed)
    }

    fn sending(
        state: State,
        input: &str,
        send: impl Fn(&mut InviteServerTransaction, &mut Armed) -> bool,
    ) -> Row {
        let mut machine = in_state(state);
        let mut armed = Armed::default();
        let left = send(&mut machine, &mut armed);
        Row::of_sending(&state, input, &machine.state(), left, &armed)
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
            found.push(row(state, "INVITE", |machine, _| machine.on_request_retransmission()));
            found.push(row(state, "ACK", InviteServerTransaction::on_ack));
            found.push(sending(state, "send 1xx", |machine, _| machine.send_provisional()));
            found.push(sending(state, "send 2xx", InviteServerTransaction::send_success));
            found.push(sending(state, "send 300-699", InviteServerTransaction::send_failure));
            found.push(row(state, "give up", |machine, armed| {
                machine.give_up(armed);
                ServerEffect::Nothing
            }));
        }
        found.retain(|row| !row.is_idle());
        let mut told = rows(include_str!("invite_server.rs"));
        found.sort();
        told.sort();
        assert_eq!(found, told);
    }

    #[test]
    fn a_failure_is_repeated_up_to_t2_apart_until_timer_h() {
        let mut armed = Armed::default();
        let mut machine = in_state(State::Proceeding);
        assert!(machine.send_failure(&mut armed));
        assert_eq!(armed.take(), [(Timer::G, 500), (Timer::H, 32_000)]);
        for interval_ms in [1_000, 2_000, 4_000, 4_000] {
            assert_eq!(machine.on_timer(Timer::G, &mut armed), ServerEffect::ResendLast);
            assert_eq!(armed.take(), [(Timer::G, interval_ms)]);
        }
        assert_eq!(machine.on_timer(Timer::H, &mut armed), ServerEffect::NoAck);
        assert!(machine.is_terminated());
    }

    #[test]
    fn the_ack_ends_the_repetitions() {
        let mut armed = Armed::default();
        let mut machine = in_state(State::Completed);
        assert_eq!(machine.on_ack(&mut armed), ServerEffect::Nothing);
        assert_eq!(armed.take(), [(Timer::I, 5_000)]);
        assert_eq!(machine.on_timer(Timer::G, &mut armed), ServerEffect::Nothing);
        assert_eq!(machine.on_timer(Timer::H, &mut armed), ServerEffect::Nothing);
        machine.on_timer(Timer::I, &mut armed);
        assert!(machine.is_terminated());
    }

    #[test]
    fn a_second_final_response_is_refused() {
        let mut armed = Armed::default();
        let mut failed = in_state(State::Completed);
        assert!(
            !failed.send_failure(&mut armed)
                && !failed.send_success(&mut armed)
                && !failed.send_provisional()
        );
        let mut answered = in_state(State::Accepted);
        assert!(!answered.send_failure(&mut armed) && answered.send_success(&mut armed));
        assert_eq!(armed.take(), []);
    }

    #[test]
    fn a_reliable_transport_needs_no_timer_g_and_no_timer_i() {
        let mut armed = Armed::default();
        let mut machine = InviteServerTransaction::new(TimerValues::default(), true, &mut armed);
        assert!(machine.send_failure(&mut armed));
        assert_eq!(armed.take(), [(Timer::H, 32_000)]);
        machine.on_ack(&mut armed);
        assert!(machine.is_terminated());
        assert_eq!(armed.take(), []);
    }
}
