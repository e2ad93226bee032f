//! Which target is tried next: the first that nothing speaks against, else one that something does (RFC 3263 §4.3, LOC-30 to
//! LOC-34), and what a try tells of a target.

use std::ops::Range;
use std::time::Duration;

use crate::border::{Border, Scope, target_key};
use crate::decide::{Cause, Planned, Target, TargetState};
use crate::message::{HeaderId, Message};
use crate::reason::Reason;
use crate::rewrite::peer_tag;
use crate::trace::Stage;
use crate::transaction::SlotId;

use super::RequestContext;
use super::decision::LookUp;

/// How a request goes on.
#[derive(Debug)]
pub(super) enum Next {
    /// It is sent there.
    Target(Target),
    /// It waits for an answer.
    Parked,
    /// Nothing is left.
    Nothing,
}

/// May a target be tried?
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Standing {
    /// Nothing speaks against it.
    Good,
    /// It failed: when all others fail too.
    Held,
    /// It asked to be left alone: for emergency calls only, when all others fail.
    Blocked,
}

impl Border {
    /// The next target in serial search. A peer that is located by the Request-URI is asked for when its turn comes, no
    /// sooner: a DNS that is slow must not delay calls that others take.
    pub(super) fn next_serial_target(
        &mut self,
        id: SlotId,
        context: &mut RequestContext,
        scope: &mut Scope<'_>,
    ) -> Next {
        loop {
            let left = context.decision.next_target..context.decision.targets.len();
            if left.is_empty() || !context.may_try(scope) {
                return Next::Nothing;
            }
            match self.next_planned(context, left, scope) {
                None => return Next::Nothing,
                Some(Planned::Target(target)) => {
                    context.decision.next_target += 1;
                    return Next::Target(target);
                }
                Some(Planned::Locate(peer)) if self.locate(id, context, peer, scope) == LookUp::Parked => {
                    return Next::Parked;
                }
                Some(Planned::Locate(_)) => {}
            }
        }
    }

    /// Puts what comes next first of what is *left*, and returns it. A target that failed before waits until no other is
    /// left, and is tried then: a failed call must not make others fail (LOC-34).
    pub(super) fn next_planned(
        &self,
        context: &mut RequestContext,
        left: Range<usize>,
        scope: &mut Scope<'_>,
    ) -> Option<Planned> {
        let next = left.start;
        let mut fallback: Option<(Standing, usize)> = None;
        let mut found = None;
        for (at, planned) in context.decision.targets.iter().enumerate().take(left.end).skip(next) {
            let standing = match planned {
                Planned::Target(target) => self.standing(context, target, scope),
                Planned::Locate(_) => Standing::Good,
            };
            if standing == Standing::Good {
                found = Some(at);
                break;
            }
            if fallback.is_none_or(|(best, _)| standing < best) {
                fallback = Some((standing, at));
            }
        }
        let at = match (found, fallback) {
            (Some(at), _) | (None, Some((Standing::Held, at))) => at,
            (None, Some((Standing::Blocked, at))) if context.is_emergency() => at,
            (None, blocked) => {
                context.decision.is_blocked |= blocked.is_some();
                return None;
            }
        };
        // Those that it overtakes keep their order.
        context.decision.targets.get_mut(next..=at)?.rotate_right(1);
        context.decision.targets.get(next).cloned()
    }

    fn standing(&self, context: &RequestContext, target: &Target, scope: &mut Scope<'_>) -> Standing {
        let generation = &context.generation;
        let peer = generation.snapshot.peer(target.peer);
        let key = target_key(generation, peer_tag(&peer.id), &target.place);
        let Some(health) = self.health(&key) else { return Standing::Good };
        let state = health.state(scope.now.time);
        let standing = match state {
            TargetState::Up => return Standing::Good,
            // An emergency call is no trial.
            TargetState::HalfOpen if context.is_emergency() => Standing::Held,
            TargetState::HalfOpen => {
                let patience = peer.health.quarantine.max(peer.timers.first_response);
                let is_ours = health.take_trial(scope.now.time, patience);
                if is_ours { Standing::Good } else { Standing::Held }
            }
            TargetState::Quarantined | TargetState::Down => Standing::Held,
            TargetState::Blocked => Standing::Blocked,
        };
        scope.step(
            Stage::Decide,
            Some(&peer.id),
            if standing == Standing::Good { "on trial" } else { "passed over" },
            || format!("{} is {}", target.place.id, state.name()),
            Some("LOC-33, LOC-34"),
        );
        standing
    }

    /// A response came on a branch.
    pub(super) fn on_branch_answered(
        &self,
        context: &RequestContext,
        number: u8,
        unavailable: Option<&Message<'_>>,
        scope: &mut Scope<'_>,
    ) {
        let Some(branch) = context.branches.get(usize::from(number)) else { return };
        let health = context.generation.snapshot.peer(branch.peer).health;
        let pause = unavailable.and_then(|message| pause_of(message, &health));
        self.on_hop_answered(&context.generation, branch.peer, &branch.hop, pause, scope);
    }

    /// A branch had no response at all. Inside a dialog that says nothing: who is silent there may be behind the target.
    pub(super) fn on_branch_silent(
        &self,
        context: &RequestContext,
        number: usize,
        reason: Reason,
        scope: &mut Scope<'_>,
    ) {
        let Some(branch) = context.branches.get(number).filter(|_| context.is_initial) else { return };
        if branch.client.has_provisional() {
            return;
        }
        let cause = if reason == Reason::Timeout { Cause::Timeout } else { Cause::Unreachable };
        self.on_hop_failed(&context.generation, branch.peer, &branch.hop, cause, scope);
    }
}

/// How long after a 503 its sender is left alone: as it asks for in Retry-After, up to a bound; without that, as configured.
pub(super) fn pause_of(message: &Message<'_>, health: &crate::snapshot::PeerHealth) -> Option<Duration> {
    let asked = message.first(HeaderId::RetryAfter).and_then(|header| retry_after(header.value));
    let pause = asked.map_or(health.block_on_503, |asked| asked.min(health.retry_after_max));
    (!pause.is_zero()).then_some(pause)
}

/// The delay of a Retry-After; a comment and parameters may stand behind it (RFC 3261 §20.33).
fn retry_after(value: &[u8]) -> Option<Duration> {
    let digits = value.split(|byte| !byte.is_ascii_digit()).next().filter(|digits| !digits.is_empty())?;
    // What does not fit is for ever, and bounded by whoever asks.
    Some(Duration::from_secs(std::str::from_utf8(digits).ok()?.parse().unwrap_or(u64::MAX)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_retry_after_is_read_up_to_what_follows_the_number() {
        for (value, expected) in [
            (&b"120"[..], Some(120)),
            (b"18000;duration=3600", Some(18_000)),
            (b"5 (I'm in a meeting)", Some(5)),
            (b"soon", None),
            (b"", None),
            (b"99999999999999999999999", Some(u64::MAX)),
        ] {
            assert_eq!(retry_after(value).map(|pause| pause.as_secs()), expected, "{value:?}");
        }
    }
}
