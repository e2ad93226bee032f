//! Which timer belongs to what, and what happens when one fires.

use std::time::Duration;

use super::{Border, Scope};
use crate::forward::{Client, RequestContext, Server};
use crate::output::QuestionId;
use crate::reason::Reason;
use crate::time::Time;
use crate::transaction::{ClientEffect, ServerEffect, SlotId, Timer, Timers, Wheel};

/// How far ahead a timer of something long may lie. It is armed again until the end comes; so what ended leaves a timer behind
/// for no longer than the transaction that ended it is kept, and the wheel does not fill with those of hours ago.
pub(crate) const WATCH: Duration = Duration::from_secs(32);

/// Timers that a transaction with its branches, and an answered call, may have in the wheel, on average over a full table.
const TIMERS_A_TRANSACTION: usize = 8;
const TIMERS_A_CALL: usize = 4;

/// How many timers there may be before new work is refused.
pub(crate) const fn timers_max(transactions_max: usize, calls_max: usize) -> usize {
    transactions_max
        .saturating_mul(TIMERS_A_TRANSACTION)
        .saturating_add(calls_max.saturating_mul(TIMERS_A_CALL))
}

/// The owner of a timer. A timer whose owner is gone, or does not wait for it any more, fires into nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TimerKey {
    Server(SlotId, Timer),
    Branch(SlotId, u8, Timer),
    Cancel(SlotId, u8, Timer),
    /// Timer C of a branch (RFC 3261 §16.6 (11)).
    RingingTooLong(SlotId, u8),
    /// A cancelled INVITE whose final response does not come (RFC 3261 §9.1: 64 × T1).
    CancelUnanswered(SlotId),
    /// The same for one branch of several, of which another one was taken.
    BranchUnanswered(SlotId, u8),
    /// The id of a question, as two halves: with whole 64 bits each timer would take a third more.
    Question(SlotId),
    /// A call to look at: session expired, or too long.
    Call(SlotId),
    /// The next probe of a target.
    ProbeDue(SlotId),
    /// The probe under way.
    Probe(SlotId, Timer),
}

// Several for each call wait in the wheel.
const _: () = assert!(size_of::<TimerKey>() <= 12);

/// Arms timers for one owner.
pub(crate) struct Arm<'a, F: Fn(Timer) -> TimerKey> {
    pub(crate) wheel: &'a mut Wheel<TimerKey>,
    pub(crate) now: Time,
    pub(crate) key: F,
}

impl<F: Fn(Timer) -> TimerKey> Timers for Arm<'_, F> {
    fn arm(&mut self, timer: Timer, after: Duration) {
        self.wheel.arm(self.now + after, (self.key)(timer));
    }
}

impl Border {
    pub(super) fn fire_timers(&mut self, scope: &mut Scope<'_>) {
        while let Some(key) = self.wheel.pop_due(scope.now.time) {
            match key {
                TimerKey::Question(id) => self.on_question_expired(QuestionId(id.to_u64()), scope),
                TimerKey::Call(id) => self.on_call_timer(id, scope),
                TimerKey::ProbeDue(id) => self.on_probe_due(id, scope),
                TimerKey::Probe(id, timer) => self.on_probe_timer(id, timer, scope),
                TimerKey::Server(id, _)
                | TimerKey::Branch(id, ..)
                | TimerKey::Cancel(id, ..)
                | TimerKey::RingingTooLong(id, _)
                | TimerKey::BranchUnanswered(id, _)
                | TimerKey::CancelUnanswered(id) => {
                    self.with_context(id, scope, |border, context, scope| {
                        border.on_context_timer(id, context, key, scope);
                    });
                }
            }
        }
    }

    /// Takes the context out of its slot while *work* runs, and forgets it when it is finished.
    pub(crate) fn with_context(
        &mut self,
        id: SlotId,
        scope: &mut Scope<'_>,
        work: impl FnOnce(&mut Self, &mut RequestContext, &mut Scope<'_>),
    ) -> bool {
        let Some(mut context) = self.contexts.get_mut(id).and_then(Option::take) else { return false };
        let was_unanswered = context.final_status.is_none();
        work(self, &mut context, scope);
        if was_unanswered && context.final_status.is_some() {
            self.unanswered -= 1;
            self.forget_arrival(&mut context);
            context.shorten();
        }
        if context.is_finished() {
            self.forget(id, &context);
        } else if let Some(slot) = self.contexts.get_mut(id) {
            *slot = Some(context);
        }
        true
    }

    fn forget(&mut self, id: SlotId, context: &RequestContext) {
        self.contexts.remove(id);
        self.server_keys.remove(&context.key);
        self.invites -= usize::from(context.is_invite());
    }

    fn on_context_timer(
        &mut self,
        id: SlotId,
        context: &mut RequestContext,
        key: TimerKey,
        scope: &mut Scope<'_>,
    ) {
        match key {
            TimerKey::Server(_, timer) => self.on_server_timer(id, context, timer, scope),
            TimerKey::Branch(_, number, timer) => self.on_branch_timer(id, context, number, timer, scope),
            TimerKey::Cancel(_, number, timer) => self.on_cancel_timer(id, context, number, timer, scope),
            TimerKey::RingingTooLong(_, number) => self.on_timer_c(id, context, number, scope),
            TimerKey::BranchUnanswered(_, number) => self.on_branch_unanswered(id, context, number, scope),
            TimerKey::CancelUnanswered(_) => self.on_cancel_unanswered(id, context, scope),
            TimerKey::Question(_) | TimerKey::Call(_) | TimerKey::ProbeDue(_) | TimerKey::Probe(..) => {}
        }
    }

    fn on_server_timer(
        &mut self,
        id: SlotId,
        context: &mut RequestContext,
        timer: Timer,
        scope: &mut Scope<'_>,
    ) {
        let mut arm =
            Arm { wheel: &mut self.wheel, now: scope.now.time, key: |timer| TimerKey::Server(id, timer) };
        let effect = match &mut context.server {
            Server::Invite(machine) => machine.on_timer(timer, &mut arm),
            Server::NonInvite(machine) => machine.on_timer(timer, &mut arm),
        };
        match effect {
            ServerEffect::ResendLast => self.resend_last(context, scope),
            ServerEffect::SendTrying => self.send_trying(context, None, scope),
            _ => {}
        }
    }

    fn on_branch_timer(
        &mut self,
        id: SlotId,
        context: &mut RequestContext,
        number: u8,
        timer: Timer,
        scope: &mut Scope<'_>,
    ) {
        let branch = context.branches.get_mut(usize::from(number));
        let Some(branch) = branch.filter(|branch| !branch.is_abandoned) else { return };
        let mut arm = Arm {
            wheel: &mut self.wheel,
            now: scope.now.time,
            key: |timer| TimerKey::Branch(id, number, timer),
        };
        let effect = match &mut branch.client {
            Client::Invite(machine) => machine.on_timer(timer, &mut arm),
            Client::NonInvite(machine) => machine.on_timer(timer, &mut arm),
        };
        match effect {
            ClientEffect::Resend => {
                scope.out.send(branch.hop, &branch.sent);
                self.count_resent(context, number);
            }
            ClientEffect::Timeout => self.on_branch_failed(id, context, number, Reason::Timeout, scope),
            _ => {}
        }
    }

    fn on_cancel_timer(
        &mut self,
        id: SlotId,
        context: &mut RequestContext,
        number: u8,
        timer: Timer,
        scope: &mut Scope<'_>,
    ) {
        let Some(branch) = context.branches.get_mut(usize::from(number)) else { return };
        let Some(cancel) = &mut branch.cancel else { return };
        let mut arm = Arm {
            wheel: &mut self.wheel,
            now: scope.now.time,
            key: |timer| TimerKey::Cancel(id, number, timer),
        };
        if cancel.client.on_timer(timer, &mut arm) == ClientEffect::Resend {
            scope.out.send(branch.hop, &cancel.sent);
            self.count_resent(context, number);
        }
    }
}
