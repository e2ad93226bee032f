//! The called end: judges requests, answers them (RFC 3261 §8.2, §12.1.1, §13.3, §15.1.2, §17.2).

use ibcf_sip::message::{HeaderId, Message, Method};

use crate::agent::Agent;
use crate::call::{Body, Uas, hash};
use crate::cause::Cause;
use crate::clock::Nanoseconds;
use crate::link::{Flow, Received};
use crate::options::{End, Scenario};
use crate::outbox::Stamp;
use crate::template::Values;
use crate::timers::Resend;
use crate::token::Token;

impl Agent {
    /// Something reached the UAS.
    pub(crate) fn on_request(&mut self, request: &Message<'_>, received: Received, now: Nanoseconds) {
        let (Some(line), Some(token)) = (request.request(), self.token_of(request)) else {
            self.tally.strays += 1;
            return;
        };
        if self.calls.find(token).is_none() {
            self.tally.late += 1;
            return;
        }
        self.check_call_id(token, request);
        match line.method {
            Method::Ack => self.on_ack(token, request),
            Method::Bye => self.on_bye(token, request, received.flow),
            Method::Cancel => self.on_cancel(token, request, received.flow, now),
            method if method.as_bytes() == self.first_method() => {
                self.on_first(token, request, received, now);
            }
            _ => self.fail(token, Cause::UnexpectedRequest),
        }
        self.finish_if_over(token);
    }

    fn first_method(&self) -> &'static [u8] {
        match self.scenario {
            Scenario::Call | Scenario::Ringing | Scenario::Answered => b"INVITE",
            Scenario::Register => b"REGISTER",
            Scenario::Message => b"MESSAGE",
        }
    }

    fn fail(&mut self, token: Token, cause: Cause) {
        if let Some(call) = self.calls.find(token) {
            call.fail(cause);
        }
    }

    fn check_call_id(&mut self, token: Token, request: &Message<'_>) {
        if self.call_id_masked {
            return;
        }
        let expected = self.text(token, 0, |templates| &templates.call_id);
        let is_ours = request.call_id() == Ok(&expected);
        self.keep(expected);
        if !is_ours {
            self.fail(token, Cause::CallId);
        }
    }

    fn on_first(&mut self, token: Token, request: &Message<'_>, received: Received, now: Nanoseconds) {
        let Some(call) = self.calls.find(token) else { return };
        let branch_hash = hash(request.values(HeaderId::Via).next().map_or(&b""[..], |via| via.value));
        if call.uas != Uas::Idle {
            if call.branch_hash == branch_hash {
                self.tally.seen_again += 1;
                self.send_last(token);
            } else {
                call.fail(Cause::SecondRequest);
            }
            return;
        }
        self.tally.request_arrived(call, received.at);
        call.branch_hash = branch_hash;
        call.flow = received.flow;
        call.copied.take(request);
        self.expectations.check_first(request, Self::number(&self.numbers, token), call);
        call.check(Body::of(request.body()) == call.request_body, Cause::Body);
        if !self.scenario.has_invite() {
            call.uas = Uas::Over;
            if self.scenario == Scenario::Register {
                self.check_path(token, request);
            }
            self.send_last(token);
            return;
        }
        call.uas = Uas::Ringing;
        self.send(token, &|templates| &templates.trying, None);
        self.send_last(token);
        if self.scenario != Scenario::Ringing {
            if self.ring == 0 {
                self.answer(token, now);
            } else {
                self.timers.ring.push(now + self.ring, token);
            }
        }
    }

    fn check_path(&mut self, token: Token, request: &Message<'_>) {
        let path = self.text(token, 0, |templates| &templates.path);
        let is_there = request.values(HeaderId::Path).any(|header| header.value.ends_with(&path));
        self.keep(path);
        if !is_there {
            self.fail(token, Cause::Path);
        }
    }

    /// Ringing is over: somebody takes the call.
    pub(crate) fn answer(&mut self, token: Token, now: Nanoseconds) {
        match self.calls.find(token) {
            Some(call) if call.uas == Uas::Ringing => call.uas = Uas::Answered,
            _ => return,
        }
        let length = self.send(token, &|templates| &templates.answer, Some(Stamp::Answer { token }));
        let body = Body::of(self.from_uas.last_bytes(length));
        if let Some(call) = self.calls.find(token) {
            call.answer_body = body;
        }
        self.resend_later(now, 0, token, Resend::Final);
    }

    /// The wall comes down: nobody takes the call.
    pub(crate) fn refuse(&mut self, token: Token, now: Nanoseconds) {
        match self.calls.find(token) {
            Some(call) if call.uas == Uas::Ringing => call.uas = Uas::Refused,
            _ => return,
        }
        self.send_last(token);
        self.resend_later(now, 0, token, Resend::Final);
    }

    fn on_ack(&mut self, token: Token, request: &Message<'_>) {
        let Some(call) = self.calls.find(token) else { return };
        match call.uas {
            Uas::Refused => call.uas = Uas::Over,
            Uas::Answered => {
                call.uas = Uas::Confirmed;
                self.check_in_dialog(token, request);
                if self.scenario == Scenario::Answered {
                    self.mark_up(token);
                }
            }
            Uas::Confirmed | Uas::Over => self.tally.seen_again += 1,
            Uas::Idle | Uas::Ringing => call.fail(Cause::UnexpectedRequest),
        }
    }

    fn on_bye(&mut self, token: Token, request: &Message<'_>, flow: Flow) {
        let Some(call) = self.calls.find(token) else { return };
        match call.uas {
            Uas::Confirmed => {
                call.uas = Uas::Over;
                self.check_in_dialog(token, request);
            }
            Uas::Answered => {
                call.uas = Uas::Over;
                call.fail(Cause::NoAck);
            }
            Uas::Over => self.tally.seen_again += 1,
            Uas::Idle | Uas::Ringing | Uas::Refused => call.fail(Cause::UnexpectedRequest),
        }
        self.send_ok(token, request, flow);
    }

    fn on_cancel(&mut self, token: Token, request: &Message<'_>, flow: Flow, now: Nanoseconds) {
        let Some(call) = self.calls.find(token) else { return };
        match call.uas {
            Uas::Ringing if call.is_released => {
                self.send_ok(token, request, flow);
                self.refuse(token, now);
            }
            Uas::Refused | Uas::Over => {
                self.tally.seen_again += 1;
                self.send_ok(token, request, flow);
            }
            _ => call.fail(Cause::UnexpectedRequest),
        }
    }

    /// A request in a dialog goes to our Contact.
    fn check_in_dialog(&mut self, token: Token, request: &Message<'_>) {
        let contact = self.text(token, 0, |templates| &templates.contact);
        let is_ours = request.request().is_some_and(|line| line.uri == contact);
        self.keep(contact);
        if let Some(call) = self.calls.find(token) {
            call.check(is_ours, Cause::RequestUri);
            self.expectations.check_hop(request, call);
        }
    }

    /// Sends what the first request was answered with last.
    pub(crate) fn send_last(&mut self, token: Token) {
        let Some(call) = self.calls.find(token) else { return };
        let (uas, end) = (call.uas, self.end);
        if self.scenario == Scenario::Message {
            let tag = self.text(token, 0, |templates| &templates.to_tag);
            if let Some(call) = self.calls.find(token) {
                let values =
                    Values { call: token, to_tag: &tag, request: Some(&call.copied), ..Values::default() };
                self.templates.ok.render(&values, self.from_uas.buffer());
                self.from_uas.close(call.flow, token, None);
            }
            self.keep(tag);
            return;
        }
        let is_register = self.scenario == Scenario::Register;
        self.send(
            token,
            &|templates| match uas {
                Uas::Over if is_register => &templates.registered,
                Uas::Idle | Uas::Ringing => &templates.ringing,
                Uas::Refused if end == End::Cancel => &templates.terminated,
                Uas::Refused => &templates.busy,
                Uas::Answered | Uas::Confirmed | Uas::Over => &templates.answer,
            },
            None,
        );
    }

    /// Answers the first request; returns the length of the body.
    fn send(
        &mut self,
        token: Token,
        template: &dyn Fn(&crate::templates::Templates) -> &crate::template::Template,
        stamp: Option<Stamp>,
    ) -> usize {
        let Some(call) = self.calls.find(token) else { return 0 };
        let number = Self::number(&self.numbers, token);
        let values = Values { call: token, number, request: Some(&call.copied), ..Values::default() };
        let length = template(&self.templates).render(&values, self.from_uas.buffer());
        self.from_uas.close(call.flow, token, stamp);
        length
    }

    /// Answers BYE and CANCEL with 200; the To of a CANCEL has no tag yet.
    fn send_ok(&mut self, token: Token, request: &Message<'_>, flow: Flow) {
        let mut copied = std::mem::take(&mut self.copied);
        copied.take(request);
        let mut tag = self.text(token, 0, |templates| &templates.to_tag);
        if memchr::memmem::find(copied.to(), b";tag=").is_some() {
            tag.clear();
        }
        let values = Values { call: token, to_tag: &tag, request: Some(&copied), ..Values::default() };
        self.templates.ok.render(&values, self.from_uas.buffer());
        self.from_uas.close(flow, token, None);
        self.keep(tag);
        self.copied = copied;
    }
}
