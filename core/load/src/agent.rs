//! Both ends of all calls: begins them, lets them go on, and counts what became of them. Sends by writing into outboxes.

use std::net::SocketAddr;

use ibcf_sip::message::{HeaderId, Message};

use crate::call::{Calls, Uac, Uas};
use crate::cause::Cause;
use crate::clock::Nanoseconds;
use crate::copied::Copied;
use crate::expect::Expectations;
use crate::link::{Flow, Sending};
use crate::options::{End, Options, Scenario, Transport};
use crate::outbox::{Outbox, Outgoing, Stamp};
use crate::tally::Tally;
use crate::template::{Template, Values};
use crate::templates::Templates;
use crate::timers::{Resend, Timers};
use crate::token::Token;

/// Everything that both ends share.
pub(crate) struct Agent {
    pub(crate) scenario: Scenario,
    pub(crate) end: End,
    pub(crate) is_retransmitting: bool,
    pub(crate) expects_record_route: bool,
    pub(crate) call_id_masked: bool,
    pub(crate) ring: Nanoseconds,
    pub(crate) hold: Nanoseconds,
    timeout: Nanoseconds,
    /// What the From tags of this run begin with.
    run: Vec<u8>,
    pub(crate) numbers: Vec<Vec<u8>>,
    proxy: SocketAddr,
    /// Connections of the UAC; `None` for datagrams.
    connections: Option<usize>,
    pub(crate) templates: Templates,
    pub(crate) expectations: Expectations,
    pub(crate) calls: Calls,
    pub(crate) timers: Timers,
    pub(crate) tally: Tally,
    pub(crate) from_uac: Outbox,
    pub(crate) from_uas: Outbox,
    /// What the response to a request in a dialog takes over.
    pub(crate) copied: Copied,
    /// Room for what a message is compared with.
    scratch: Vec<u8>,
    /// Calls that are up, and those of a wall that ended before.
    pub(crate) up: u64,
    pub(crate) ended: u64,
}

impl Agent {
    pub(crate) fn new(options: &Options, run: &str) -> Self {
        let nanoseconds = |duration: std::time::Duration| duration.as_nanos() as Nanoseconds;
        Self {
            scenario: options.scenario,
            end: options.end,
            is_retransmitting: options.is_retransmitting,
            expects_record_route: options.expected.record_route,
            call_id_masked: options.expected.call_id_masked,
            ring: nanoseconds(options.ring),
            hold: nanoseconds(options.hold),
            timeout: nanoseconds(options.timeout),
            run: run.as_bytes().to_vec(),
            numbers: options.numbers.iter().map(|number| number.as_bytes().to_vec()).collect(),
            proxy: options.proxy,
            connections: (options.transport != Transport::Udp).then_some(options.connections),
            templates: Templates::new(options, run),
            expectations: Expectations::new(options),
            calls: Calls::default(),
            timers: Timers::default(),
            tally: Tally::new(),
            from_uac: Outbox::default(),
            from_uas: Outbox::default(),
            copied: Copied::default(),
            scratch: Vec::new(),
            up: 0,
            ended: 0,
        }
    }

    /// Where the UAC sends the requests of a call.
    pub(crate) fn flow_of(&self, token: Token) -> Flow {
        match self.connections {
            None => Flow::Address(self.proxy),
            Some(connections) => Flow::Connection(token.slot() % connections),
        }
    }

    /// Begins a call that was *due* then.
    pub(crate) fn begin(&mut self, due: Nanoseconds, now: Nanoseconds, is_counted: bool) {
        let call = self.calls.begin();
        call.is_counted = is_counted;
        let token = call.token;
        self.tally.concurrent_max = self.tally.concurrent_max.max(self.calls.count());
        let planned = match self.scenario {
            Scenario::Call => self.ring + self.hold,
            Scenario::Answered => self.ring,
            Scenario::Ringing | Scenario::Register | Scenario::Message => 0,
        };
        self.timers.deadline.push(now + planned + self.timeout, token);
        self.send_request(token, Some(Stamp::Request { token, due }));
        self.resend_later(now, 0, token, Resend::Request);
    }

    /// Does what has become due.
    pub(crate) fn run_timers(&mut self, now: Nanoseconds) {
        while let Some(token) = self.timers.ring.pop(now) {
            self.answer(token, now);
        }
        while let Some(token) = self.timers.hold.pop(now) {
            self.hang_up(token, now);
        }
        while let Some((times, token, what)) = self.timers.pop_resend(now) {
            self.resend(token, what, times, now);
        }
        while let Some(token) = self.timers.deadline.pop(now) {
            self.expire(token);
        }
    }

    /// Takes one call of a wall down.
    pub(crate) fn release(&mut self, token: Token, now: Nanoseconds) {
        let Some(call) = self.calls.find(token) else { return };
        call.is_released = true;
        self.timers.deadline.push(now + self.timeout, token);
        match (self.scenario, self.end) {
            (Scenario::Ringing, End::Busy) => self.refuse(token, now),
            (Scenario::Ringing, End::Cancel) => self.cancel(token),
            _ => self.hang_up(token, now),
        }
    }

    /// Waits for the answer to *what*, if we send again at all.
    pub(crate) fn resend_later(&mut self, now: Nanoseconds, times: usize, token: Token, what: Resend) {
        if self.is_retransmitting {
            self.timers.resend_later(now, times, token, what);
        }
    }

    fn resend(&mut self, token: Token, what: Resend, times: usize, now: Nanoseconds) {
        let Some(call) = self.calls.find(token) else { return };
        match what {
            Resend::Request if call.uac == Uac::Calling => self.send_request(token, None),
            Resend::Bye if call.uac == Uac::Leaving => self.send_bye(token),
            Resend::Final if matches!(call.uas, Uas::Answered | Uas::Refused) => self.send_last(token),
            _ => return,
        }
        self.tally.sent_again += 1;
        self.resend_later(now, times + 1, token, what);
    }

    /// The time of a call is over.
    fn expire(&mut self, token: Token) {
        let Some(call) = self.calls.find(token) else { return };
        if call.is_up && self.scenario.is_wall() && !call.is_released {
            return; // it stands until the wall comes down
        }
        call.fail(match (call.uac, call.uas) {
            (_, Uas::Idle) => Cause::NoRequest,
            (Uac::Ringing, Uas::Ringing) if call.is_released => Cause::NoCancel,
            (Uac::Calling | Uac::Ringing, _) => Cause::NoAnswer,
            (_, Uas::Answered | Uas::Refused) => Cause::NoAck,
            (_, Uas::Confirmed) => Cause::NoBye,
            _ => Cause::NoByeAnswer,
        });
        self.finish(token);
    }

    /// A call is one of a wall now.
    pub(crate) fn mark_up(&mut self, token: Token) {
        if let Some(call) = self.calls.find(token) {
            self.up += u64::from(!call.is_up);
            call.is_up = true;
        }
    }

    /// Ends a call if both ends have seen all of it.
    pub(crate) fn finish_if_over(&mut self, token: Token) {
        if self.calls.find(token).is_some_and(|call| call.is_over()) {
            self.finish(token);
        }
    }

    /// Ends a call.
    pub(crate) fn finish(&mut self, token: Token) {
        let Some(call) = self.calls.find(token) else { return };
        self.tally.end(call);
        self.ended += 1;
        self.up -= u64::from(call.is_up);
        self.calls.end(token);
    }

    /// A message is about to go, or was refused: *now*, by both clocks.
    pub(crate) fn sending(
        &mut self,
        message: Outgoing<'_>,
        what: Sending,
        (now, of_day): (Nanoseconds, Nanoseconds),
    ) {
        let Some(call) = self.calls.find(message.token) else { return };
        match (what, message.stamp) {
            (Sending::Refused, _) => call.fail(Cause::Unsent),
            (Sending::Begins, Some(Stamp::Request { due, .. })) => {
                call.requested = of_day;
                if call.is_counted {
                    self.tally.lag.record(now.saturating_sub(due));
                }
            }
            (Sending::Begins, Some(Stamp::Answer { .. })) => call.answered = of_day,
            (Sending::Begins, None) => {}
        }
    }

    /// Finds the call of a message by its From tag, which no proxy may touch.
    pub(crate) fn token_of(&self, message: &Message<'_>) -> Option<Token> {
        let from = message.first(HeaderId::From)?.value;
        let at = memchr::memmem::rfind(from, b";tag=")?;
        let tag = from.get(at + 5..)?.strip_prefix(self.run.as_slice())?.strip_prefix(b"f")?;
        Token::from_bytes(tag.get(..Token::BYTES)?)
    }

    /// Digits that a call goes to.
    pub(crate) fn number(numbers: &[Vec<u8>], token: Token) -> &[u8] {
        &numbers[token.serial() as usize % numbers.len()]
    }

    /// Renders something to compare with; the buffer is to be [given back](Self::keep).
    pub(crate) fn text(
        &mut self,
        token: Token,
        branch: u8,
        template: impl FnOnce(&Templates) -> &Template,
    ) -> Vec<u8> {
        let mut text = std::mem::take(&mut self.scratch);
        text.clear();
        let number = Self::number(&self.numbers, token);
        let values = Values { call: token, branch, number, ..Values::default() };
        template(&self.templates).render(&values, &mut text);
        text
    }

    /// Takes the buffer of a text back.
    pub(crate) fn keep(&mut self, text: Vec<u8>) {
        self.scratch = text;
    }
}
