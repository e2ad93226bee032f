//! A response arrives: to its branch, through the choice of the best one, to failover or upstream (RFC 3261 §16.7).

use std::net::SocketAddr;

use crate::border::{Arm, Border, BranchId, Received, Scope, TimerKey, WATCH};
use crate::event::Outcome;
use crate::message::{HeaderId, Message, Method, Via};
use crate::parse;
use crate::reason::Reason;
use crate::rewrite;
use crate::screen::Rejection;
use crate::statistics::Way;
use crate::trace::Stage;
use crate::transaction::{ClientEffect, SlotId};

use super::probe::PROBE_BRANCH;
use super::record::text;
use super::redirect::Redirected;
use super::{BestResponse, Client, RequestContext};

/// Of a peer's Reason header, in records.
const CAUSE_BYTES_MAX: usize = 256;

impl Border {
    pub(crate) fn on_response(
        &mut self,
        message: &Message<'_>,
        status: u16,
        received: Received,
        scope: &mut Scope<'_>,
    ) {
        if parse::check(message, &self.generation.snapshot.limits).is_err() {
            self.statistics().dropped_messages.one();
            return;
        }
        let Ok(cseq) = message.cseq() else { return };
        // RFC 3261 §18.1.2: a top Via that is not ours means that the response is not for us.
        let branch = message.top_via().ok().and_then(|via| via.branch());
        let branch = branch.and_then(|branch| BranchId::read(&self.hasher, branch));
        let is_of_probe = branch.is_some_and(|branch| branch.number == PROBE_BRANCH);
        // PX-26: below our Via there must be the one of whoever asked us, except where we asked ourselves. What the far side
        // made of that Via is what the caller reads first: it must be one.
        let is_own = cseq.method == Method::Cancel || is_of_probe;
        let next = message.values(HeaderId::Via).nth(1).is_some_and(|via| Via::parse(via.value).is_ok());
        if !is_own && !next {
            self.statistics().dropped_messages.one();
            return;
        }
        if let Some(peer) = received.peer {
            self.peer_shard(peer).response(Way::Received, cseq.method, status);
        }
        let is_found = branch.is_some_and(|branch| {
            if is_of_probe {
                return self.on_probe_response(branch, status, scope);
            }
            self.with_context(branch.slot, scope, |border, context, scope| {
                if cseq.method == Method::Cancel {
                    border.on_cancel_response(branch.slot, context, branch.number, status, scope);
                } else if cseq.method == context.method() {
                    border.on_branch_response(branch.slot, context, branch.number, message, status, scope);
                }
            })
        });
        if !is_found {
            // RFC 6026 §8.2: a response without a transaction is not passed on.
            self.statistics().stray_responses.one();
            scope.step(
                Stage::Transaction,
                None,
                "dropped",
                || "no such client transaction".to_owned(),
                Some("RFC 6026 §8.2"),
            );
        }
    }

    /// A 100 to a request that a branch sent: it shows that the target is there, and goes no further. `false`, and nothing done,
    /// when it is of no branch that waits.
    pub(crate) fn on_trying(
        &mut self,
        trying: parse::Trying<'_>,
        received: Received,
        scope: &mut Scope<'_>,
    ) -> bool {
        const STATUS: u16 = 100;
        let branch = BranchId::read(&self.hasher, trying.branch);
        let Some(branch) = branch.filter(|branch| branch.number != PROBE_BRANCH) else { return false };
        let mut is_ours = false;
        self.with_context(branch.slot, scope, |border, context, scope| {
            let (id, number) = (branch.slot, branch.number);
            is_ours = trying.method == context.method() && context.branches.len() > usize::from(number);
            if !is_ours {
                return;
            }
            scope.step(Stage::Parse, None, "parsed", || format!("response {STATUS}"), None);
            if let Some(peer) = received.peer {
                border.peer_shard(peer).response(Way::Received, trying.method, STATUS);
            }
            if border.hear(id, context, number, STATUS, None, scope) != Some(ClientEffect::Pass) {
                border.count_received_again(context, number);
            }
        });
        is_ours
    }

    /// Lets a branch hear of a response, with *message* where more than its status counts, and does what is the same for all
    /// responses. `None` if there is no such branch.
    fn hear(
        &mut self,
        id: SlotId,
        context: &mut RequestContext,
        number: u8,
        status: u16,
        message: Option<&Message<'_>>,
        scope: &mut Scope<'_>,
    ) -> Option<ClientEffect> {
        let branch = context.branches.get_mut(usize::from(number))?;
        let mut arm = Arm {
            wheel: &mut self.wheel,
            now: scope.now.time,
            key: |timer| TimerKey::Branch(id, number, timer),
        };
        let effect = match &mut branch.client {
            Client::Invite(machine) => machine.on_response(status, &mut arm),
            Client::NonInvite(machine) => machine.on_response(status, &mut arm),
        };
        if matches!(effect, ClientEffect::Pass | ClientEffect::PassAndAck) {
            self.on_branch_answered(context, number, message.filter(|_| status == 503), scope);
        }
        if effect == ClientEffect::Pass && context.is_invite() {
            Self::shorten_sent(context, number, status);
        }
        if effect == ClientEffect::Pass && status < 200 && context.is_decided() {
            self.send_cancel(id, context, usize::from(number), scope);
        }
        Some(effect)
    }

    fn on_branch_response(
        &mut self,
        id: SlotId,
        context: &mut RequestContext,
        number: u8,
        message: &Message<'_>,
        status: u16,
        scope: &mut Scope<'_>,
    ) {
        self.hear_overload(context, number, message, scope);
        let Some(effect) = self.hear(id, context, number, status, Some(message), scope) else { return };
        match effect {
            ClientEffect::Pass if status < 200 => {
                self.on_provisional(id, context, number, message, status, scope);
            }
            ClientEffect::Pass => self.on_final(id, context, number, message, status, scope),
            ClientEffect::PassAndAck => {
                self.acknowledge(context, number, message, scope);
                self.on_final(id, context, number, message, status, scope);
            }
            ClientEffect::Ack => {
                self.acknowledge(context, number, message, scope);
                self.count_received_again(context, number);
            }
            _ => {
                // Too late for us, who gave up before Timer B of RFC 3261; the other side repeats it until the ACK.
                if context.is_invite() && status >= 300 {
                    self.acknowledge(context, number, message, scope);
                }
                self.count_received_again(context, number);
            }
        }
    }

    /// An INVITE that was answered is not sent again (RFC 3261 §17.1.1.2): it may ring for minutes, so what its ACK and
    /// CANCEL need is kept and the rest is not.
    fn shorten_sent(context: &mut RequestContext, number: u8, status: u16) {
        let Some(branch) = context.branches.get_mut(usize::from(number)) else { return };
        if status >= 200 {
            branch.sent = Box::default();
            branch.outline = Box::default();
        } else if !branch.outline.is_empty() {
            branch.sent = std::mem::take(&mut branch.outline);
        }
    }

    fn count_received_again(&self, context: &RequestContext, number: u8) {
        if let Some(branch) = context.branches.get(usize::from(number)) {
            self.shard_in(&context.generation, branch.peer).retransmission(Way::Received);
        }
    }

    /// The ACK of a failure, made from the INVITE that was sent (RFC 3261 §17.1.1.3).
    fn acknowledge(
        &mut self,
        context: &RequestContext,
        number: u8,
        response: &Message<'_>,
        scope: &mut Scope<'_>,
    ) {
        let Some(branch) = context.branches.get(usize::from(number)) else { return };
        let mut index = self.stored_index.take().unwrap_or_default();
        if let Ok(sent) = parse::parse_kept(&branch.sent, &mut index) {
            scope.out.send_with(branch.hop, |arena| {
                rewrite::write_ack(&sent, response, arena);
            });
            self.shard_in(&context.generation, branch.peer).request(Way::Sent, Method::Ack);
        }
        self.stored_index = Some(index);
    }

    fn on_provisional(
        &mut self,
        id: SlotId,
        context: &mut RequestContext,
        number: u8,
        message: &Message<'_>,
        status: u16,
        scope: &mut Scope<'_>,
    ) {
        // A non-INVITE has no provisional response but 100 (RFC 4320 §4.1), and 100 goes one hop.
        if status == 100
            || !context.is_invite()
            || context.final_status.is_some()
            || context.is_refused_everywhere()
        {
            return;
        }
        self.restart_timer_c(id, context, number, scope);
        if status >= 180 && context.facts.ring_ms.is_none() {
            context.facts.ring_ms = Some(scope.now.unix_ms);
            self.observe_setup(context, scope);
        }
        self.pass_response(id, context, usize::from(number), message, status, scope);
    }

    fn observe_setup(&self, context: &RequestContext, scope: &Scope<'_>) {
        if context.is_initial {
            let delay = super::decision::elapsed_ms(context, scope.now.time);
            self.peer_shard_of(context).setup_delay(context.direction(), delay);
        }
    }

    fn on_final(
        &mut self,
        id: SlotId,
        context: &mut RequestContext,
        number: u8,
        message: &Message<'_>,
        status: u16,
        scope: &mut Scope<'_>,
    ) {
        let at = usize::from(number);
        let Some(branch) = context.branches.get_mut(at) else { return };
        branch.has_final = true;
        let reason = branch.has_rung_out.then_some(Reason::TimerC);
        if let (true, Some(attempt)) = (context.is_initial, context.facts.attempts.get_mut(at)) {
            attempt.status = Some(status);
            attempt.phrase = message.status().map(|line| text(line.phrase).into());
            attempt.cause = if status < 300 { None } else { cause_of(message) };
        }
        if status < 300 {
            return self.on_success(id, context, at, message, status, scope);
        }
        if let Some(branch) = context.branches.get_mut(at) {
            branch.place = None;
        }
        if matches!(status, 401 | 407) {
            context.challenges.get_or_insert_default().note(at, message);
        }
        let response = BestResponse { status, branch: at, bytes: Some(message.bytes().into()), reason };
        if let Redirected::Pass(response) = self.redirected(context, response, message, scope) {
            self.consider(context, response);
        }
        if context.is_refused_everywhere() {
            self.cancel_others(id, context, at, scope);
        }
        let is_retriable = context.fails_over_after(status) && reason.is_none();
        self.next_or_finish(id, context, at, is_retriable, scope);
    }

    fn on_success(
        &mut self,
        id: SlotId,
        context: &mut RequestContext,
        number: usize,
        message: &Message<'_>,
        status: u16,
        scope: &mut Scope<'_>,
    ) {
        let is_first = context.final_status.is_none();
        if is_first && context.is_invite() && context.facts.ring_ms.is_none() {
            self.observe_setup(context, scope);
        }
        if context.is_invite() && context.is_initial && !self.may_answer(context, message) {
            return;
        }
        if !self.pass_response(id, context, number, message, status, scope) {
            return; // a 2xx after our own final response: the request has its record, and nobody is in that call
        }
        if context.is_invite() && context.is_initial {
            self.answered(context, number, message, scope);
        } else if is_first {
            self.refresh_call(context, number, message, scope);
            self.write_record(context, status, None, Outcome::Answered, scope);
        }
        if is_first {
            self.cancel_others(id, context, number, scope);
        }
    }

    /// Nobody answered on a branch, or nobody is there.
    pub(crate) fn on_branch_failed(
        &mut self,
        id: SlotId,
        context: &mut RequestContext,
        number: u8,
        reason: Reason,
        scope: &mut Scope<'_>,
    ) {
        let at = usize::from(number);
        let Some(branch) = context.branches.get_mut(at) else { return };
        branch.has_final = true;
        scope.step(
            Stage::Forward,
            None,
            "failed",
            || format!("{}: {}", branch.hop.remote, reason.id()),
            Some(reason.entry().clause),
        );
        if let (true, Some(attempt)) = (context.is_initial, context.facts.attempts.get_mut(at)) {
            attempt.reason = Some(reason);
        }
        // A target that answered provisionally has the request: it must not go anywhere else (LOC-32).
        let is_retriable = !branch.client.has_provisional();
        // That it has no TCP says nothing against the target.
        if is_retriable && reason == Reason::Unreachable && self.fall_back_to_datagram(id, context, at, scope)
        {
            return;
        }
        if let Some(branch) = context.branches.get_mut(at) {
            branch.place = None;
        }
        self.on_branch_silent(context, at, reason, scope);
        // RFC 3261 §16.8, §16.9: silence counts as 408, unreachability as 503.
        let status = if reason == Reason::Unreachable { 503 } else { 408 };
        self.consider(context, BestResponse { status, branch: at, bytes: None, reason: Some(reason) });
        self.next_or_finish(id, context, at, is_retriable, scope);
    }

    fn next_or_finish(
        &mut self,
        id: SlotId,
        context: &mut RequestContext,
        number: usize,
        mut is_retriable: bool,
        scope: &mut Scope<'_>,
    ) {
        if context.final_status.is_some() {
            return;
        }
        let may_go_on = context.is_initial && !context.is_decided();
        if let Some(forking) = &mut context.decision.forking {
            forking.end(number, is_retriable);
            is_retriable = !forking.has_verdict();
            if may_go_on && self.fork_next(id, context, None, &mut false, scope) {
                return;
            }
        }
        if context.has_live_branch() {
            return;
        }
        if may_go_on && is_retriable {
            if let Err(rejection) = self.forward_next(id, context, None, scope) {
                self.reject(id, context, None, &rejection, scope);
            }
            return;
        }
        if may_go_on && self.follow_next(id, context, None, scope) {
            return;
        }
        self.give_back_redirect(context);
        self.finish_with_best(id, context, scope);
    }

    /// Keeps the better of two final responses (RFC 3261 §16.7 (6)).
    #[allow(clippy::unused_self)] // one of the border's verbs, beside `finish_with_best`
    pub(super) fn consider(&self, context: &mut RequestContext, response: BestResponse) {
        // What a target said goes before what its silence let us conclude, unless it may not be passed on (a 503); and a
        // non-INVITE cannot even be told of a silence (RFC 4320 §4.2).
        let is_invite = context.is_invite();
        let worth = |response: &BestResponse| {
            let is_own = response.bytes.is_none();
            (is_own || response.status == 503, is_own && !is_invite, rank(response.status))
        };
        let is_better = context.best.as_ref().is_none_or(|best| worth(&response) < worth(best));
        if is_better {
            context.best = Some(response);
        }
    }

    /// Sends the best response upstream; what must not cross becomes an answer of our own.
    pub(crate) fn finish_with_best(
        &mut self,
        id: SlotId,
        context: &mut RequestContext,
        scope: &mut Scope<'_>,
    ) {
        let Some(best) = context.best.take() else { return };
        if context.final_status.is_some() {
            return;
        }
        let called_off = context.cancelled.as_ref().map(|cancelled| cancelled.reason);
        let Some(bytes) = best.bytes.filter(|_| best.status != 503) else {
            let reason = called_off.or(best.reason).unwrap_or(Reason::AllTargetsFailed);
            if reason == Reason::Timeout && !context.is_invite() {
                return self.give_up(id, context, reason, Outcome::Failed, scope);
            }
            return self.reject(id, context, None, &Rejection::new(reason), scope);
        };
        let bytes = match best.status {
            401 | 407 => self.with_challenges(context, best.branch, bytes),
            _ => bytes,
        };
        let mut index = self.stored_index.take().unwrap_or_default();
        if let Ok(message) = parse::parse_kept(&bytes, &mut index) {
            self.pass_response(id, context, best.branch, &message, best.status, scope);
        }
        self.stored_index = Some(index);
        let outcome =
            if called_off == Some(Reason::Cancelled) { Outcome::Cancelled } else { Outcome::Failed };
        self.write_record(context, best.status, called_off.or(best.reason), outcome, scope);
    }

    /// Starts Timer C of a branch anew. Only one entry of it is ever in the wheel: when it fires early it is armed for the rest.
    pub(super) fn restart_timer_c(
        &mut self,
        id: SlotId,
        context: &mut RequestContext,
        number: u8,
        scope: &Scope<'_>,
    ) {
        let Some(branch) = context.branches.get_mut(usize::from(number)) else { return };
        let at = scope.now.time + context.generation.snapshot.peer(branch.peer).timers.c;
        if branch.timer_c_at.replace(at).is_none() {
            self.wheel.arm(at.min(scope.now.time + WATCH), TimerKey::RingingTooLong(id, number));
        }
    }

    /// RFC 3261 §16.8: a branch that rings is called off; one that never said anything counts as one that timed out.
    pub(crate) fn on_timer_c(
        &mut self,
        id: SlotId,
        context: &mut RequestContext,
        number: u8,
        scope: &mut Scope<'_>,
    ) {
        let is_decided = context.is_decided();
        let branch = context.branches.get_mut(usize::from(number));
        let Some(branch) = branch.filter(|branch| !branch.has_final) else { return };
        match branch.timer_c_at {
            Some(at) if at > scope.now.time => {
                self.wheel.arm(at.min(scope.now.time + WATCH), TimerKey::RingingTooLong(id, number));
            }
            _ if is_decided => {}
            _ if branch.client.has_provisional() => {
                branch.has_rung_out = true;
                let text = || format!("{}: rang too long", branch.hop.remote);
                scope.step(Stage::Forward, None, "called off", text, Some(Reason::TimerC.entry().clause));
                self.send_cancel(id, context, usize::from(number), scope);
            }
            _ => {
                branch.is_abandoned = true;
                self.on_branch_failed(id, context, number, Reason::Timeout, scope);
            }
        }
    }

    /// The network gave a datagram back: the branch that sent it fails at once instead of after Timer B.
    pub(crate) fn on_unreachable(&mut self, destination: SocketAddr, excerpt: &[u8], scope: &mut Scope<'_>) {
        if [&b"SIP/"[..], b"ACK ", b"CANCEL "].iter().any(|start| excerpt.starts_with(start)) {
            return;
        }
        let Some(branch) = branch_in(excerpt).and_then(|branch| BranchId::read(&self.hasher, branch)) else {
            return;
        };
        if branch.number == PROBE_BRANCH {
            return self.on_probe_unreachable(branch, scope);
        }
        self.with_context(branch.slot, scope, |border, context, scope| {
            let Some(own) = context.branches.get_mut(usize::from(branch.number)) else { return };
            let effect = match &mut own.client {
                _ if own.hop.remote != destination => ClientEffect::Nothing,
                Client::Invite(machine) => machine.on_transport_error(),
                Client::NonInvite(machine) => machine.on_transport_error(),
            };
            if effect == ClientEffect::Unreachable {
                border.on_branch_failed(branch.slot, context, branch.number, Reason::Unreachable, scope);
            }
        });
    }
}

/// The branch of the first Via in the beginning of a request.
fn branch_in(excerpt: &[u8]) -> Option<&[u8]> {
    let at = memchr::memmem::find(excerpt, b";branch=")? + b";branch=".len();
    let rest = excerpt.get(at..)?;
    let end = rest.iter().position(|byte| !byte.is_ascii_alphanumeric()).unwrap_or(rest.len());
    rest.get(..end)
}

/// Lower is better: any 6xx, then the lowest class; within 4xx those that tell the caller how to go on (RFC 3261 §16.7 (6)).
fn rank(status: u16) -> (u16, u16) {
    const TELLING: [u16; 5] = [401, 407, 415, 420, 484];
    match status {
        600.. => (0, status),
        400..=499 if TELLING.contains(&status) => (4, 0),
        _ => (status / 100, 1),
    }
}

/// The Reason header of a failure, up to what a record has room for.
fn cause_of(message: &Message<'_>) -> Option<Box<str>> {
    let header = message.first(HeaderId::Reason)?;
    let value = text(header.value);
    let mut end = value.len().min(CAUSE_BYTES_MAX);
    while !value.is_char_boundary(end) {
        end -= 1;
    }
    Some(value[..end].into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_response_is_the_lowest_class_but_6xx_beats_all() {
        assert!(rank(603) < rank(404));
        assert!(rank(404) < rank(503));
        assert!(rank(302) < rank(404));
        assert!(rank(407) < rank(404));
        assert!(rank(408) < rank(500));
    }

    #[test]
    fn the_branch_of_a_returned_datagram_is_found_even_when_cut() {
        assert_eq!(
            branch_in(b"INVITE sip:a SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bKab;x"),
            Some(&b"z9hG4bKab"[..])
        );
        assert_eq!(branch_in(b"INVITE sip:a SIP/2.0\r\nVia: SIP/2.0/UDP h;bran"), None);
    }
}
