//! Overload control with the neighbours (RFC 7339): what they ask of us, what we ask of them.

use crate::border::{Border, Scope, target_key};
use crate::decide::Target;
use crate::message::{Feedback, Message};
use crate::rewrite::{OverloadReport, peer_tag};
use crate::snapshot::PeerIndex;
use crate::trace::Stage;

use super::{DialogRoute, RequestContext};

impl Border {
    /// Does the sender of *message* heed what we ask for? Its Via says so, and the agreement must too (OC-05).
    pub(super) fn heeds_overload(&self, message: &Message<'_>, sender: PeerIndex) -> bool {
        let agreement = self.generation.snapshot.agreement(sender);
        agreement.overload_control.is_some() && message.top_via().is_ok_and(|via| via.has_overload())
    }

    /// What we ask of those who heed it.
    pub(super) fn overload_report(&self, scope: &Scope<'_>) -> OverloadReport {
        OverloadReport { percent: self.queue_delay.percent(scope.now.time), unix_ms: scope.now.unix_ms }
    }

    /// Takes what the sender of a response asks for (§5.3), no longer than a 503 may keep requests away.
    pub(super) fn hear_overload(
        &self,
        context: &RequestContext,
        number: u8,
        response: &Message<'_>,
        scope: &mut Scope<'_>,
    ) {
        let Some(branch) = context.branches.get(usize::from(number)) else { return };
        let snapshot = &context.generation.snapshot;
        if snapshot.agreement(branch.peer).overload_control.is_none() {
            return;
        }
        let Some(mut feedback) = response.top_via().ok().and_then(|via| Feedback::read(&via)) else { return };
        let peer = snapshot.peer(branch.peer);
        feedback.validity = feedback.validity.min(peer.health.retry_after_max);
        if self
            .health_at(&branch.hop, snapshot.transport(branch.hop.listener))
            .is_some_and(|health| health.restriction().hear(feedback, scope.now.time))
        {
            scope.step(
                Stage::Forward,
                Some(&peer.id),
                "asked for less",
                || format!("{} % fewer requests for {} ms", feedback.percent, feedback.validity.as_millis()),
                Some("RFC 7339 §5.3"),
            );
        }
    }

    /// Is the request one of those that *target* asked to be spared (§5.10)? What passes every limit never is.
    pub(super) fn is_held_back(
        &self,
        context: &mut RequestContext,
        target: &Target,
        scope: &mut Scope<'_>,
    ) -> bool {
        let snapshot = &context.generation.snapshot;
        if snapshot.agreement(target.peer).overload_control.is_none() {
            return false;
        }
        let peer = snapshot.peer(target.peer);
        let key = target_key(&context.generation, peer_tag(&peer.id), &target.place);
        let is_spared = context.exemption.is_some();
        let Some(restriction) = self.health(&key).map(|health| health.restriction()) else { return false };
        if !restriction.holds_back(scope.now.time, is_spared) {
            return false;
        }
        let percent = restriction.percent(scope.now.time);
        scope.step(
            Stage::Forward,
            Some(&peer.id),
            "held back",
            || format!("{} asked for {percent} % fewer", target.place.id),
            Some("RFC 7339 §5.10"),
        );
        context.decision.is_held_back = true;
        true
    }

    /// Counts a request inside a dialog: it is sent, and others are held back in its place (§5.10.1).
    pub(super) fn count_spared(&self, context: &RequestContext, route: &DialogRoute, scope: &Scope<'_>) {
        let snapshot = &context.generation.snapshot;
        if snapshot.agreement(route.downstream).overload_control.is_some()
            && let Some(health) = self.health_at(&route.hop, snapshot.transport(route.hop.listener))
        {
            health.restriction().holds_back(scope.now.time, true);
        }
    }
}
