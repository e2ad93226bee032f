//! The calling end: sends requests, judges responses (RFC 3261 §8.1.3, §12.1.2, §13.2.2, §17.1).

use ibcf_sip::message::{HeaderId, Message, Method, NameAddr};

use crate::agent::Agent;
use crate::call::{Body, Uac, hash};
use crate::cause::Cause;
use crate::clock::Nanoseconds;
use crate::expect::{check_echo, take_route_set};
use crate::link::Received;
use crate::options::{End, Scenario};
use crate::outbox::Stamp;
use crate::template::Values;
use crate::templates::branch;
use crate::timers::Resend;
use crate::token::Token;

impl Agent {
    /// Sends the first request of a call.
    pub(crate) fn send_request(&mut self, token: Token, stamp: Option<Stamp>) {
        let flow = self.flow_of(token);
        let Some(call) = self.calls.find(token) else { return };
        let template = match self.scenario {
            Scenario::Call | Scenario::Ringing | Scenario::Answered => &self.templates.invite,
            Scenario::Register => &self.templates.register,
            Scenario::Message => &self.templates.message,
        };
        let number = Self::number(&self.numbers, token);
        let values = Values { call: token, branch: branch::FIRST, number, ..Values::default() };
        let out = self.from_uac.buffer();
        let length = template.render(&values, out);
        call.request_body = Body::of(&out[out.len() - length..]);
        self.from_uac.close(flow, token, stamp);
    }

    /// Sends ACK to the 2xx whose To ends with *`to_tag`*.
    fn send_ack(&mut self, token: Token, to_tag: &[u8]) {
        let flow = self.flow_of(token);
        let Some(call) = self.calls.find(token) else { return };
        let values = Values {
            call: token,
            branch: branch::ACK,
            number: Self::number(&self.numbers, token),
            target: &call.target,
            routes: &call.routes,
            to_tag,
            ..Values::default()
        };
        self.templates.ack.render(&values, self.from_uac.buffer());
        self.from_uac.close(flow, token, None);
    }

    /// Sends ACK to a refusal whose To ends with *`to_tag`*.
    fn send_ack_to_refusal(&mut self, token: Token, to_tag: &[u8]) {
        let number = Self::number(&self.numbers, token);
        let values = Values { call: token, branch: branch::FIRST, number, to_tag, ..Values::default() };
        self.templates.ack_refusal.render(&values, self.from_uac.buffer());
        self.from_uac.close(self.flow_of(token), token, None);
    }

    /// The time to talk is over.
    pub(crate) fn hang_up(&mut self, token: Token, now: Nanoseconds) {
        match self.calls.find(token) {
            Some(call) if call.uac == Uac::Answered => call.uac = Uac::Leaving,
            _ => return,
        }
        self.send_bye(token);
        self.resend_later(now, 0, token, Resend::Bye);
    }

    pub(crate) fn send_bye(&mut self, token: Token) {
        let (flow, to_tag) = (self.flow_of(token), self.text(token, 0, |templates| &templates.to_tag));
        if let Some(call) = self.calls.find(token) {
            let values = Values {
                call: token,
                branch: branch::BYE,
                number: Self::number(&self.numbers, token),
                target: &call.target,
                routes: &call.routes,
                to_tag: &to_tag,
                ..Values::default()
            };
            self.templates.bye.render(&values, self.from_uac.buffer());
            self.from_uac.close(flow, token, None);
        }
        self.keep(to_tag);
    }

    /// Gives a ringing call up.
    pub(crate) fn cancel(&mut self, token: Token) {
        let number = Self::number(&self.numbers, token);
        let values = Values { call: token, branch: branch::FIRST, number, ..Values::default() };
        self.templates.cancel.render(&values, self.from_uac.buffer());
        self.from_uac.close(self.flow_of(token), token, None);
    }

    /// Something reached the UAC.
    pub(crate) fn on_response(&mut self, response: &Message<'_>, received: Received, now: Nanoseconds) {
        let (Some(status), Some(token)) = (response.status(), self.token_of(response)) else {
            self.tally.strays += 1;
            return;
        };
        let Some(call) = self.calls.find(token) else {
            self.tally.late += 1;
            return;
        };
        let Ok(cseq) = response.cseq() else {
            call.fail(Cause::CSeq);
            return;
        };
        let branch = match (cseq.method, cseq.number) {
            (Method::Invite | Method::Cancel | Method::Register | Method::Message, 1) => branch::FIRST,
            (Method::Bye, 2) => branch::BYE,
            _ => {
                call.fail(Cause::CSeq);
                return;
            }
        };
        let echo = self.text(token, branch, |templates| match cseq.method {
            Method::Cancel => &templates.echo_cancel,
            _ => &templates.echo,
        });
        if let Some(call) = self.calls.find(token) {
            check_echo(response, &echo, call);
        }
        self.keep(echo);
        match cseq.method {
            Method::Invite if status.code < 200 => self.on_provisional(token, status.code, response),
            Method::Invite => self.on_final(token, status.code, response, received, now),
            Method::Cancel => self.on_cancel_response(token, status.code),
            _ => self.on_last(token, cseq.method, status.code, response),
        }
        self.finish_if_over(token);
    }

    fn on_provisional(&mut self, token: Token, status: u16, response: &Message<'_>) {
        if status != 100 {
            self.check_to_tag(token, response);
        }
        let Some(call) = self.calls.find(token) else { return };
        match (status, call.uac) {
            (_, Uac::Answered | Uac::Leaving | Uac::Done) => call.fail(Cause::ProvisionalAfterFinal),
            (100, _) => {}
            (180, Uac::Calling) => {
                call.uac = Uac::Ringing;
                if self.scenario == Scenario::Ringing {
                    self.mark_up(token);
                }
            }
            (180, _) => self.tally.seen_again += 1,
            _ => call.fail(Cause::UnexpectedProvisional),
        }
    }

    /// A final response to INVITE.
    fn on_final(
        &mut self,
        token: Token,
        status: u16,
        response: &Message<'_>,
        received: Received,
        now: Nanoseconds,
    ) {
        let to_tag = to_tag(response);
        let Some(call) = self.calls.find(token) else { return };
        let response_hash = hash(response.bytes()) | 1;
        if call.final_hash == response_hash {
            self.tally.seen_again += 1;
            if status < 300 {
                self.send_ack(token, to_tag);
            } else {
                self.send_ack_to_refusal(token, to_tag);
            }
            return;
        }
        if call.final_hash != 0 {
            call.fail(Cause::SecondFinal);
            return;
        }
        call.final_hash = response_hash;
        let expected = match (self.scenario, self.end) {
            (Scenario::Ringing, End::Busy) => 486,
            (Scenario::Ringing, End::Cancel) => 487,
            _ => 200,
        };
        let is_expected = status == expected && (call.is_released || expected == 200);
        call.check(is_expected, Cause::Status(status));
        call.check(call.uac == Uac::Ringing, Cause::NoRinging);
        if status >= 300 {
            self.send_ack_to_refusal(token, to_tag);
        }
        if !is_expected {
            self.finish(token);
            return;
        }
        self.check_to_tag(token, response);
        match status {
            200 => self.on_answer(token, response, received, now),
            _ => self.on_refusal(token),
        }
    }

    fn on_answer(&mut self, token: Token, response: &Message<'_>, received: Received, now: Nanoseconds) {
        let Some(call) = self.calls.find(token) else { return };
        self.tally.answer_arrived(call, received.at);
        call.uac = Uac::Answered;
        call.check(Body::of(response.body()) == call.answer_body, Cause::Body);
        if let Err(cause) = take_route_set(response, &mut call.routes) {
            call.fail(cause);
        }
        call.check(!self.expects_record_route || !call.routes.is_empty(), Cause::RecordRoute);
        let contact =
            response.first(HeaderId::Contact).and_then(|contact| NameAddr::parse(contact.value).ok());
        match contact {
            Some(contact) => call.target.extend_from_slice(contact.uri),
            None => call.fail(Cause::Contact),
        }
        self.send_ack(token, to_tag(response));
        if self.scenario == Scenario::Call {
            self.timers.hold.push(now + self.hold, token);
        }
    }

    fn on_refusal(&mut self, token: Token) {
        let Some(call) = self.calls.find(token) else { return };
        let is_last = self.end == End::Busy || call.is_cancel_answered;
        call.uac = if is_last { Uac::Done } else { Uac::Leaving };
    }

    fn on_cancel_response(&mut self, token: Token, status: u16) {
        let Some(call) = self.calls.find(token) else { return };
        if call.is_cancel_answered {
            self.tally.seen_again += 1;
            return;
        }
        call.check(status == 200, Cause::Status(status));
        call.is_cancel_answered = true;
        if call.uac == Uac::Leaving {
            call.uac = Uac::Done;
        }
    }

    /// The response that ends a call: to BYE, or to a request that is alone.
    fn on_last(&mut self, token: Token, method: Method<'_>, status: u16, response: &Message<'_>) {
        let Some(call) = self.calls.find(token) else { return };
        let is_awaited = match method {
            Method::Bye => call.uac == Uac::Leaving,
            _ => call.uac == Uac::Calling,
        };
        if status < 200 {
            call.check(is_awaited, Cause::ProvisionalAfterFinal);
            return;
        }
        if call.uac == Uac::Done {
            self.tally.seen_again += 1;
            return;
        }
        if !is_awaited {
            call.fail(Cause::CSeq);
            return;
        }
        call.uac = Uac::Done;
        if status != 200 {
            call.fail(Cause::Status(status));
            self.finish(token);
            return;
        }
        self.check_to_tag(token, response);
        if method == Method::Register {
            self.check_registered(token, response);
        }
    }

    fn check_registered(&mut self, token: Token, response: &Message<'_>) {
        for (header, cause) in [(HeaderId::Path, Cause::Path), (HeaderId::ServiceRoute, Cause::ServiceRoute)]
        {
            let text = self.text(token, 0, |templates| match cause {
                Cause::Path => &templates.path,
                _ => &templates.service_route,
            });
            let is_there = response.all(header).any(|header| header.value.ends_with(&text));
            self.keep(text);
            if let Some(call) = self.calls.find(token) {
                call.check(is_there, cause);
            }
        }
    }

    /// What the UAS answers has its tag.
    fn check_to_tag(&mut self, token: Token, response: &Message<'_>) {
        let expected = self.text(token, 0, |templates| &templates.to_tag);
        let is_ours = to_tag(response) == expected;
        self.keep(expected);
        if let Some(call) = self.calls.find(token) {
            call.check(is_ours, Cause::To);
        }
    }
}

/// `;tag=` of To and what stands behind it.
fn to_tag<'m>(message: &Message<'m>) -> &'m [u8] {
    let to = message.first(HeaderId::To).map_or(&b""[..], |to| to.value);
    memchr::memmem::rfind(to, b";tag=").and_then(|at| to.get(at..)).unwrap_or_default()
}
