//! CANCEL: answered hop by hop, sent on to branches that have answered provisionally (RFC 3261 §9, §16.10).

use crate::border::{Arm, Border, Received, Scope, TimerKey};
use crate::message::{HeaderId, Message, Method};
use crate::parse;
use crate::reason::Reason;
use crate::rewrite;
use crate::screen::Rejection;
use crate::statistics::Way;
use crate::trace::Stage;
use crate::transaction::{NonInviteClientTransaction, ServerKey, SlotId};

use super::{CancelBranch, Cancelled, RequestContext};

/// What the branches hear that are called off because another one was answered.
const ELSEWHERE: &[u8] = b"SIP;cause=200;text=\"Call completed elsewhere\"";

impl Border {
    /// A CANCEL needs no transaction of its own on this side: the same CANCEL gets the same answer again.
    pub(crate) fn on_cancel(
        &mut self,
        message: &Message<'_>,
        received: Received,
        sender: &str,
        scope: &mut Scope<'_>,
    ) {
        let target = ServerKey::cancel_target(message, sender, &self.hasher).ok();
        let Some(id) = target.and_then(|key| self.server_keys.get(&key).copied()) else {
            self.refused(Reason::NoTransaction, received, "CANCEL", scope);
            let rejection = Rejection::new(Reason::NoTransaction);
            return self.answer_stateless(message, received, rejection.status, &rejection.phrase, &[], scope);
        };
        if self.is_silent(id) {
            return self.statistics().dropped_messages.one();
        }
        self.answer_stateless(message, received, 200, "OK", &[], scope);
        let header = message.first(HeaderId::Reason).map(|header| header.value.into());
        self.with_context(id, scope, |border, context, scope| {
            if context.final_status.is_none() && context.cancelled.is_none() {
                border.call_off(id, context, Reason::Cancelled, header, scope);
            }
        });
    }

    /// Was the request dropped, so that its sender hears nothing at all?
    fn is_silent(&self, id: SlotId) -> bool {
        let context = self.contexts.get(id).and_then(Option::as_deref);
        context.is_some_and(|context| {
            context.final_status.is_some_and(|status| status >= 300) && context.last_sent.is_empty()
        })
    }

    /// Ends an INVITE without an answer: CANCEL to the branches that may have one, and 487 when they confirm.
    pub(crate) fn call_off(
        &mut self,
        id: SlotId,
        context: &mut RequestContext,
        reason: Reason,
        header: Option<Box<[u8]>>,
        scope: &mut Scope<'_>,
    ) {
        scope.step(
            Stage::Forward,
            None,
            "called off",
            || reason.id().to_owned(),
            Some(reason.entry().clause),
        );
        context.cancelled = Some(Cancelled { reason, header });
        if !context.has_live_branch() {
            context.decision.is_parked = false;
            return self.reject(id, context, None, &Rejection::new(reason), scope);
        }
        self.cancel_branches(id, context, scope);
    }

    /// Sends the CANCEL of every branch that may have one, and waits for their final responses no longer than §9.1 says.
    pub(super) fn cancel_branches(
        &mut self,
        id: SlotId,
        context: &mut RequestContext,
        scope: &mut Scope<'_>,
    ) {
        let after = context.generation.snapshot.peer(context.upstream).timers.transaction_life();
        self.wheel.arm(scope.now.time + after, TimerKey::CancelUnanswered(id));
        for number in 0..context.branches.len() {
            if context.branches[number].client.has_provisional() {
                self.send_cancel(id, context, number, scope);
            }
        }
    }

    /// Sends the CANCEL of one branch, once. Before a provisional response it must wait (RFC 3261 §9.1).
    pub(super) fn send_cancel(
        &mut self,
        id: SlotId,
        context: &mut RequestContext,
        number: usize,
        scope: &mut Scope<'_>,
    ) {
        let generation = std::sync::Arc::clone(&context.generation);
        let (is_called_off, is_answered) =
            (context.cancelled.is_some(), context.final_status.is_some_and(|status| status < 300));
        let reason = match &context.cancelled {
            Some(cancelled) => cancelled.header.as_deref(),
            // So that the phone that lost does not show a call missed (RFC 3326 §3.1).
            None => is_answered.then_some(ELSEWHERE),
        };
        let Some(branch) = context.branches.get_mut(number) else { return };
        if branch.cancel.is_some() || branch.has_final {
            return;
        }
        let mut sent = Vec::with_capacity(512);
        let mut index = self.stored_index.take().unwrap_or_default();
        if let Ok(invite) = parse::parse_kept(&branch.sent, &mut index) {
            rewrite::write_cancel(&invite, reason, &mut sent);
        }
        self.stored_index = Some(index);
        let timers = generation.snapshot.peer(branch.peer).timers.without_failover();
        let key = |timer| TimerKey::Cancel(id, number as u8, timer);
        let reliable = generation.snapshot.transport(branch.hop.listener).is_reliable();
        let client = NonInviteClientTransaction::new(
            timers,
            reliable,
            &mut Arm { wheel: &mut self.wheel, now: scope.now.time, key },
        );
        scope.out.send(branch.hop, &sent);
        self.shard_in(&generation, branch.peer).request(Way::Sent, Method::Cancel);
        branch.cancel = Some(Box::new(CancelBranch { client, sent: sent.into_boxed_slice() }));
        if !is_called_off {
            self.wheel.arm(
                scope.now.time + timers.transaction_life(),
                TimerKey::BranchUnanswered(id, number as u8),
            );
        }
    }

    /// No final response after the CANCEL of one branch (RFC 3261 §9.1): it counts as over, the others go on.
    pub(crate) fn on_branch_unanswered(
        &mut self,
        id: SlotId,
        context: &mut RequestContext,
        number: u8,
        scope: &mut Scope<'_>,
    ) {
        let branch = context.branches.get_mut(usize::from(number));
        let Some(branch) = branch.filter(|branch| !branch.has_final) else { return };
        branch.is_abandoned = true;
        let reason = if branch.has_rung_out { Reason::TimerC } else { Reason::Timeout };
        self.on_branch_failed(id, context, number, reason, scope);
    }

    pub(super) fn on_cancel_response(
        &mut self,
        id: SlotId,
        context: &mut RequestContext,
        number: u8,
        status: u16,
        scope: &mut Scope<'_>,
    ) {
        let branch = context.branches.get_mut(usize::from(number));
        let Some(cancel) = branch.and_then(|branch| branch.cancel.as_mut()) else { return };
        let key = |timer| TimerKey::Cancel(id, number, timer);
        cancel.client.on_response(status, &mut Arm { wheel: &mut self.wheel, now: scope.now.time, key });
    }

    /// No final response after a CANCEL: the transaction counts as cancelled (RFC 3261 §9.1).
    pub(crate) fn on_cancel_unanswered(
        &mut self,
        id: SlotId,
        context: &mut RequestContext,
        scope: &mut Scope<'_>,
    ) {
        for branch in &mut context.branches {
            branch.is_abandoned |= !branch.has_final;
            branch.has_final = true;
        }
        let reason = context.cancelled.as_ref().map_or(Reason::Cancelled, |cancelled| cancelled.reason);
        if context.final_status.is_none() {
            self.reject(id, context, None, &Rejection::new(reason), scope);
        }
    }

    /// One branch won, or one refused for all: the others are called off (RFC 3261 §16.7 (10)).
    pub(super) fn cancel_others(
        &mut self,
        id: SlotId,
        context: &mut RequestContext,
        winner: usize,
        scope: &mut Scope<'_>,
    ) {
        for number in 0..context.branches.len() {
            // One without a provisional response is called off when that comes (`on_provisional`).
            if number != winner && context.is_invite() && context.branches[number].client.has_provisional() {
                self.send_cancel(id, context, number, scope);
            }
        }
    }
}
