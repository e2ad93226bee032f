//! Non-INVITE server transaction (RFC 3261 §17.2.2; the late 100 from RFC 4320 §4.1).
//!
//! The machine starts in `Trying` with the timer for the late 100 armed.
//!
//! | state      | input        | next       | effect       | arms |
//! |------------|--------------|------------|--------------|------|
//! | Trying     | Timer Trying | Proceeding | `SendTrying` | -    |
//! | Trying     | send 1xx     | Proceeding | sent         | -    |
//! | Trying     | send 200-699 | Completed  | sent         | J    |
//! | Trying     | give up      | Completed  | -            | J    |
//! | Proceeding | request      | Proceeding | `ResendLast` | -    |
//! | Proceeding | send 1xx     | Proceeding | sent         | -    |
//! | Proceeding | send 200-699 | Completed  | sent         | J    |
//! | Proceeding | give up      | Completed  | -            | J    |
//! | Completed  | request      | Completed  | `ResendLast` | -    |
//! | Completed  | Timer J      | Terminated | -            | -    |
//!
//! What is not in the table does nothing; a response that is not in the table must not leave, and `send_*` says `false` (a late
//! response is discarded: RFC 4320 §4.2). Over a reliable transport Timer J is zero: the final response leads straight to
//! `Terminated`.
//!
//! - Over UDP no 100 leaves before the caller's Timer E has reached T2, and one must leave then (PX-40): it ends the caller's
//!   quick repetitions.
//! - Nobody sends a 408 to a non-INVITE (PX-41): when no answer came in time the owner gives up, and repetitions are absorbed.

use super::{ServerEffect, Timer, TimerValues, Timers};

/// Where the transaction stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// No response yet.
    Trying,
    /// A 100 was sent.
    Proceeding,
    /// The final response was sent, or the owner gave up.
    Completed,
    /// To be forgotten.
    Terminated,
}

/// The server side of a request other than INVITE and ACK.
#[derive(Clone, Copy, Debug)]
pub struct NonInviteServerTransaction {
    values: TimerValues,
    state: State,
    reliable: bool,
}

impl NonInviteServerTransaction {
    /// Begins in `Trying`.
    pub fn new(values: TimerValues, reliable: bool, timers: &mut impl Timers) -> Self {
        timers.arm(Timer::Trying, values.trying_delay());
        Self { values, state: State::Trying, reliable }
    }

    /// Tells the machine that the request came again.
    pub const fn on_request_retransmission(&self) -> ServerEffect {
        match self.state {
            State::Proceeding | State::Completed => ServerEffect::ResendLast,
            State::Trying | State::Terminated => ServerEffect::Nothing,
        }
    }

    /// Asks whether a 100 may leave, and takes it as sent if so.
    pub fn send_provisional(&mut self) -> bool {
        let may = matches!(self.state, State::Trying | State::Proceeding);
        if may {
            self.state = State::Proceeding;
        }
        may
    }

    /// Asks whether a final response may leave, and takes it as sent if so.
    pub fn send_final(&mut self, timers: &mut impl Timers) -> bool {
        if !matches!(self.state, State::Trying | State::Proceeding) {
            return false;
        }
        if self.reliable {
            self.state = State::Terminated;
        } else {
            self.state = State::Completed;
            timers.arm(Timer::J, self.values.transaction_life());
        }
        true
    }

    /// Ends the transaction without a response.
    pub fn give_up(&mut self, timers: &mut impl Timers) {
        let _: bool = self.send_final(timers);
    }

    /// Tells the machine that *timer* fired.
    pub fn on_timer(&mut self, timer: Timer, _timers: &mut impl Timers) -> ServerEffect {
        match (self.state, timer) {
            (State::Trying, Timer::Trying) => {
                self.state = State::Proceeding;
                ServerEffect::SendTrying
            }
            (State::Completed, Timer::J) => {
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

    const STATES: [State; 4] = [State::Trying, State::Proceeding, State::Completed, State::Terminated];

    fn in_state(state: State) -> NonInviteServerTransaction {
        let armed = &mut Armed::default();
        let mut machine = NonInviteServerTransaction::new(TimerValues::default(), false, armed);
        match state {
            State::Trying => {}
            State::Proceeding => assert!(machine.send_provisional()),
            State::Completed => assert!(machine.send_final(armed)),
            State::Terminated => {
                assert!(machine.send_final(armed));
                machine.on_timer(Timer::J, armed);
            }
        }
        assert_eq!(machine.state(), state);
        machine
    }

    fn row(
        state: State,
        input: &str,
        feed: impl Fn(&mut NonInviteServerTransaction, &mut Armed) -> ServerEffect,
    ) -> Row {
        let mut machine = in_state(state);
        let mut armed = Armed::default();
        let effect = feed(&mut machine, &mut armed);
        Row::new(&state, input, &machine.state(), &effect, &ServerEffect::Nothing, &armed)
    }

    fn sending(
        state: State,
        input: &str,
        send: impl Fn(&mut NonInviteServerTransaction, &mut Armed) -> bool,
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
            found.push(row(state, "request", |machine, _| machine.on_request_retransmission()));
            found.push(row(state, "give up", |machine, armed| {
                machine.give_up(armed);
                ServerEffect::Nothing
            }));
            found.push(sending(state, "send 1xx", |machine, _| machine.send_provisional()));
            found.push(sending(state, "send 200-699", NonInviteServerTransaction::send_final));
        }
        found.retain(|row| !row.is_idle());
        let mut told = rows(include_str!("non_invite_server.rs"));
        found.sort();
        told.sort();
        assert_eq!(found, told);
    }

    #[test]
    fn a_slow_answer_is_preceded_by_one_100() {
        let mut armed = Armed::default();
        let mut machine = NonInviteServerTransaction::new(TimerValues::default(), false, &mut armed);
        assert_eq!(armed.take(), [(Timer::Trying, 3_500)]);
        assert_eq!(machine.on_request_retransmission(), ServerEffect::Nothing);
        assert_eq!(machine.on_timer(Timer::Trying, &mut armed), ServerEffect::SendTrying);
        assert_eq!(machine.on_timer(Timer::Trying, &mut armed), ServerEffect::Nothing);
        assert_eq!(machine.on_request_retransmission(), ServerEffect::ResendLast);
        assert!(machine.send_final(&mut armed));
        assert_eq!(armed.take(), [(Timer::J, 32_000)]);
    }

    #[test]
    fn a_late_response_is_discarded() {
        let mut armed = Armed::default();
        let mut machine = in_state(State::Proceeding);
        machine.give_up(&mut armed);
        assert!(!machine.send_final(&mut armed));
        assert!(!machine.send_provisional());
        machine.on_timer(Timer::J, &mut armed);
        assert!(machine.is_terminated());
        assert!(!machine.send_final(&mut armed));
    }

    #[test]
    fn a_reliable_transport_needs_no_timer_j() {
        let mut armed = Armed::default();
        let mut machine = NonInviteServerTransaction::new(TimerValues::default(), true, &mut armed);
        armed.take();
        assert!(machine.send_final(&mut armed));
        assert!(machine.is_terminated());
        assert_eq!(armed.take(), []);
    }
}
