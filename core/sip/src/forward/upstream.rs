//! What goes back to the side that asked: our own answers, the responses that are passed on, and their repetitions.

use std::sync::Arc;

use smallvec::SmallVec;

use crate::border::{Arm, Border, Scope, TimerKey, stage_of};
use crate::event::Outcome;
use crate::message::{HeaderId, Message, Method};
use crate::parse;
use crate::reason::Reason;
use crate::rewrite::{self, Draft, UpstreamHop};
use crate::screen::Rejection;
use crate::snapshot::PeerIndex;
use crate::statistics::Way;
use crate::trace::Stage;
use crate::transaction::SlotId;

use super::variables::CallVariables;
use super::{RequestContext, Server};

/// One entry of a header list for an answer of our own.
type HeaderList<'a> = SmallVec<[(&'a str, &'a [u8]); 2]>;

impl Border {
    /// 100 Trying (RFC 3261 §17.2.1; late for non-INVITE: RFC 4320 §4.1).
    pub(crate) fn send_trying(
        &mut self,
        context: &mut RequestContext,
        message: Option<&Message<'_>>,
        scope: &mut Scope<'_>,
    ) {
        self.write_own(context, message, 100, "Trying", &[], scope);
        let method = context.method();
        self.peer_shard_of(context).response(Way::Sent, method, 100);
        scope.out.send(context.arrival.reply_to, &context.last_sent);
    }

    pub(crate) fn resend_last(&mut self, context: &RequestContext, scope: &mut Scope<'_>) {
        if context.last_sent.is_empty() {
            return;
        }
        self.peer_shard_of(context).retransmission(Way::Sent);
        scope.out.send(context.arrival.reply_to, &context.last_sent);
    }

    /// Refuses, or fails, a request that has a context; ends it with its record.
    pub(crate) fn reject(
        &mut self,
        id: SlotId,
        context: &mut RequestContext,
        message: Option<&Message<'_>>,
        rejection: &Rejection,
        scope: &mut Scope<'_>,
    ) {
        self.sample(context, scope);
        let reason = rejection.reason;
        if reason == Reason::Dropped {
            let rule = context.rule();
            scope.step(Stage::Decide, rule, "dropped", || reason.entry().text.to_owned(), None);
            return self.give_up(id, context, reason, Outcome::Rejected, scope);
        }
        self.peer_shard_of(context).rejection(reason);
        scope.step(
            stage_of(reason),
            context.rule(),
            "refused",
            || {
                let colon = if rejection.detail.is_empty() { "" } else { ": " };
                let (status, phrase) = (rejection.status, &rejection.phrase);
                format!("{status} {phrase} ({}){colon}{}", reason.id(), rejection.detail)
            },
            Some(reason.entry().clause),
        );
        let said = said_of(context, reason);
        let mut headers: HeaderList<'_> =
            rejection.headers.iter().map(|(name, value)| (*name, value.as_slice())).collect();
        headers.extend(said.iter().map(|(name, value)| (*name, value.as_bytes())));
        let outcome = match stage_of(reason) {
            _ if reason == Reason::Cancelled => Outcome::Cancelled,
            Stage::Forward => Outcome::Failed,
            _ => Outcome::Rejected,
        };
        let may_send = self.take_final(id, context, rejection.status, scope);
        if may_send {
            self.write_own(context, message, rejection.status, &rejection.phrase, &headers, scope);
            self.send_written(context, rejection.status, scope);
        }
        self.write_record(context, rejection.status, Some(reason), outcome, scope);
    }

    /// Answers an OPTIONS that is meant for the border itself (RFC 3261 §11.2); a draining node says so honestly.
    pub(super) fn answer_options(
        &mut self,
        id: SlotId,
        context: &mut RequestContext,
        message: &Message<'_>,
        scope: &mut Scope<'_>,
    ) {
        let generation = Arc::clone(&context.generation);
        let allow = generation.snapshot.agreement(context.upstream).allow.as_bytes();
        if self.take_final(id, context, 200, scope) {
            let headers: [(&str, &[u8]); 2] = [("Allow", allow), ("Accept", b"application/sdp")];
            self.write_own(context, Some(message), 200, "OK", &headers, scope);
            self.send_written(context, 200, scope);
        }
        scope.step(
            Stage::Forward,
            None,
            "answered",
            || "OPTIONS for this border".to_owned(),
            Some("RFC 3261 §11.2"),
        );
    }

    /// Writes an answer of our own into `last_sent`.
    fn write_own(
        &mut self,
        context: &mut RequestContext,
        message: Option<&Message<'_>>,
        status: u16,
        phrase: &str,
        headers: &[(&str, &[u8])],
        scope: &mut Scope<'_>,
    ) {
        let mut out = std::mem::take(&mut self.buffer);
        out.clear();
        let from = UpstreamHop {
            source: context.arrival.flow.remote,
            delay: scope.now.time.since(context.arrival.time),
            report: context.heeds_overload.then(|| self.overload_report(scope)),
        };
        let mut write = |border: &Self, message: &Message<'_>| {
            let tag = if status > 100 { border.to_tag(message) } else { [0; 16] };
            rewrite::write_response(message, status, phrase, &tag, from, headers, &mut out);
        };
        if let Some(message) = message {
            write(self, message);
        } else {
            let mut index = self.stored_index.take().unwrap_or_default();
            if let Ok(message) = parse::parse_kept(&context.request, &mut index) {
                write(self, &message);
            }
            self.stored_index = Some(index);
        }
        context.last_sent.clear();
        context.last_sent.extend_from_slice(&out);
        self.buffer = out;
        scope.step(Stage::Forward, None, "answers", || format!("{status} {phrase}"), None);
    }

    fn send_written(&self, context: &RequestContext, status: u16, scope: &mut Scope<'_>) {
        self.peer_shard_of(context).response(Way::Sent, context.method(), status);
        scope.out.send(context.arrival.reply_to, &context.last_sent);
    }

    /// The To tag of our own answers: the same for the same request, so that a stateless answer can be repeated.
    pub(crate) fn to_tag(&self, message: &Message<'_>) -> [u8; 16] {
        let via = message.top_via().ok().and_then(|via| via.branch()).unwrap_or_default();
        let call_id = message.call_id().unwrap_or_default();
        let hash = self.hasher.hash128(&[b"to-tag", via, call_id]);
        crate::border::hex_digits((hash >> 64) as u64)
    }

    /// INVARIANT: says yes once per server transaction for a final response (and for each 2xx to an INVITE).
    fn take_final(
        &mut self,
        id: SlotId,
        context: &mut RequestContext,
        status: u16,
        scope: &Scope<'_>,
    ) -> bool {
        let mut arm =
            Arm { wheel: &mut self.wheel, now: scope.now.time, key: |timer| TimerKey::Server(id, timer) };
        let may = match &mut context.server {
            Server::Invite(machine) if status < 300 => machine.send_success(&mut arm),
            Server::Invite(machine) => machine.send_failure(&mut arm),
            Server::NonInvite(machine) => machine.send_final(&mut arm),
        };
        if may {
            context.final_status.get_or_insert(status);
        }
        may
    }

    /// Says nothing, ever, and ends: nobody answered a non-INVITE in time (RFC 4320 §4.2), or a rule wants silence.
    pub(super) fn give_up(
        &mut self,
        id: SlotId,
        context: &mut RequestContext,
        reason: Reason,
        outcome: Outcome,
        scope: &mut Scope<'_>,
    ) {
        let mut arm =
            Arm { wheel: &mut self.wheel, now: scope.now.time, key: |timer| TimerKey::Server(id, timer) };
        match &mut context.server {
            Server::Invite(machine) => machine.give_up(&mut arm),
            Server::NonInvite(machine) => machine.give_up(&mut arm),
        }
        context.last_sent.clear();
        let status = reason.entry().status;
        context.final_status.get_or_insert(status);
        self.peer_shard_of(context).rejection(reason);
        self.write_record(context, status, Some(reason), outcome, scope);
    }

    /// Passes a response on: stage `rewrite` for responses, then the server transaction. `false` when it may not leave any
    /// more, since another final response did.
    pub(super) fn pass_response(
        &mut self,
        id: SlotId,
        context: &mut RequestContext,
        number: usize,
        response: &Message<'_>,
        status: u16,
        scope: &mut Scope<'_>,
    ) -> bool {
        let may = if status < 200 {
            match &mut context.server {
                Server::Invite(machine) => machine.send_provisional(),
                Server::NonInvite(machine) => machine.send_provisional(),
            }
        } else {
            self.take_final(id, context, status, scope)
        };
        if !may {
            return false;
        }
        let mut bytes = std::mem::take(&mut self.outgoing);
        bytes.clear();
        self.write_response_upstream(context, number, response, &mut bytes, scope);
        let method = context.method();
        self.peer_shard_of(context).response(Way::Sent, method, status);
        scope.step(
            Stage::Forward,
            None,
            "passed",
            || format!("{status} to {}", context.arrival.reply_to.remote),
            Some("RFC 3261 §16.7"),
        );
        scope.out.send(context.arrival.reply_to, &bytes);
        // A 2xx to an INVITE is repeated by the far side, not by us (RFC 6026 §7.1).
        context.last_sent.clear();
        if context.is_invite() && (200..300).contains(&status) {
            context.last_sent = Vec::new();
        } else {
            context.last_sent.extend_from_slice(&bytes);
        }
        self.outgoing = bytes;
        true
    }

    fn write_response_upstream(
        &mut self,
        context: &mut RequestContext,
        number: usize,
        response: &Message<'_>,
        out: &mut Vec<u8>,
        scope: &mut Scope<'_>,
    ) {
        let generation = Arc::clone(&context.generation);
        let snapshot = &generation.snapshot;
        let Some(branch) = context.branches.get(number) else { return };
        let (from, to) = (snapshot.agreement(branch.peer), snapshot.agreement(context.upstream));
        let (downstream, session_s) = (branch.peer, branch.session_s);
        let crosses = snapshot.peer(branch.peer).side != snapshot.peer(context.upstream).side
            || snapshot.peer(context.upstream).side == crate::snapshot::Side::Peer;
        let method = response.cseq().map_or(Method::Other(b""), |cseq| cseq.method);
        let mut scratch = std::mem::take(&mut self.scratch);
        let mut draft = Draft::new(*response, &mut scratch);
        let trace = &mut scope.out.trace;
        draft.pop_value(HeaderId::Via);
        if let Some(screening) = &from.screening {
            screening.clean(&mut draft, &from.id, trace);
        }
        rewrite::apply_trust(&mut draft, from.trusted, to.trusted, crosses, trace);
        variables(context, downstream).apply(&from.received_rules, &mut draft, method, trace);
        if let Some(screening) = &to.screening {
            screening.leave_out(&mut draft, &to.id, trace);
        }
        let charged = rewrite::apply_charging_to_response(
            &mut draft,
            &to.charging,
            from.trusted,
            context.facts.icid.as_deref(),
            context.facts.orig_ioi_received.as_deref().or(context.facts.orig_ioi.as_deref()),
            trace,
        );
        if let Some(ioi) = charged.term_ioi.or_else(|| to.charging.term_ioi.clone()) {
            context.facts.term_ioi = Some(ioi);
        }
        let is_success = response.status().is_some_and(|line| (200..300).contains(&line.code));
        if let Some(interval) = session_s.filter(|_| is_success) {
            rewrite::grant_session(&mut draft, interval, trace);
        }
        variables(context, downstream).apply(&to.sent_rules, &mut draft, method, trace);
        rewrite::report_overload(&mut draft, context.heeds_overload.then(|| self.overload_report(scope)));
        if snapshot.transport(context.arrival.flow.listener).is_reliable() {
            rewrite::need_content_length(&mut draft);
        }
        draft.encode(out);
        self.scratch = scratch;
    }
}

/// What rules may tell of the call in a response.
fn variables(context: &RequestContext, downstream: PeerIndex) -> CallVariables<'_> {
    CallVariables {
        snapshot: &context.generation.snapshot,
        upstream: context.upstream,
        downstream,
        decision: context.is_initial.then_some(&context.decision),
        request_uri: context.facts.request_uri_out.as_deref(),
    }
}

/// Our reason for the Reason header (RFC 3326), where it is agreed.
/// How our reason stands in the answer, as agreed: in Reason (RFC 3326), with what the peer said beside it where its answer is not
/// passed on, and in Warning (RFC 3261 §20.43).
fn said_of(context: &RequestContext, reason: Reason) -> SmallVec<[(&'static str, String); 2]> {
    let snapshot = &context.generation.snapshot;
    let agreement = snapshot.agreement(context.upstream);
    let entry = reason.entry();
    let mut said = SmallVec::new();
    if agreement.reason_header {
        said.push(("Reason", format!("Q.850;cause={};text=\"{}\"", entry.q850, entry.id)));
        let causes = context.facts.attempts.iter().rev().find_map(|tried| tried.cause.as_deref());
        said.extend(causes.map(|cause| ("Reason", cause.to_owned())));
    }
    if agreement.warning_header {
        said.push(("Warning", format!("399 {} \"{}: {}\"", snapshot.node.domain, entry.id, entry.text)));
    }
    said
}
