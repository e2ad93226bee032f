//! A branch: the request rewritten for one target, sent, and watched (RFC 3261 §16.6).

use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::sync::Arc;

use crate::border::{Arm, Border, BranchId, Generation, Scope, TimerKey};
use crate::decide::{Rewrite, Target};
use crate::flow::Flow;
use crate::message::{HeaderId, Message, Method, RequestLine};
use crate::parse;
use crate::reason::Reason;
use crate::rewrite::{self, Draft, DraftScratch, Ticket, ViaOffers};
use crate::screen::Rejection;
use crate::snapshot::{ListenerIndex, PeerIndex};
use crate::statistics::Way;
use crate::trace::Stage;
use crate::transaction::{InviteClientTransaction, NonInviteClientTransaction, SlotId};

use super::decision::next_candidate;
use super::next_hop::Next;
use super::places::DownstreamPlace;
use super::stream::stream_instead;
use super::variables::CallVariables;
use super::{Branch, Changed, Client, Decision, RequestContext, Tried};

/// What a request goes through on its way across the border.
pub(super) struct Crossing<'a> {
    pub(super) generation: &'a Arc<Generation>,
    pub(super) upstream: PeerIndex,
    pub(super) downstream: PeerIndex,
    pub(super) source: SocketAddr,
    pub(super) listener_in: ListenerIndex,
    pub(super) listener_out: ListenerIndex,
    /// Where it goes.
    pub(super) remote: SocketAddr,
    pub(super) own_routes: usize,
    pub(super) request_uri: Option<&'a [u8]>,
    /// What rules want otherwise.
    pub(super) changed: Option<&'a Changed>,
    pub(super) is_initial: bool,
    /// `Max-Breadth` of a branch that is not alone (RFC 5393 §5).
    pub(super) breadth: Option<u32>,
    /// The ICID of an earlier branch: a call keeps its one when the next target is tried (CH-01).
    pub(super) icid: Option<&'a str>,
    /// What was decided about an initial request.
    pub(super) decision: Option<&'a Decision>,
    pub(super) branch: BranchId,
}

impl<'a> Crossing<'a> {
    /// What rules of `routes` change in the request that leaves, in their order.
    fn rewrites(&self) -> impl Iterator<Item = &'a Rewrite> + use<'a> {
        let routes = &self.generation.snapshot.routes;
        let rules = self.changed.map_or(&[][..], Changed::rewrites);
        rules.iter().filter_map(|position| routes.rewrite(*position))
    }
}

/// What came of a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sending {
    Sent,
    /// Its peer carries as many calls as agreed.
    Full,
    /// It asked for fewer requests, and this is one of them.
    HeldBack,
}

/// What the record has to know of the request as it left.
#[derive(Default)]
pub(super) struct Written {
    icid: Option<String>,
    orig_ioi_received: Option<String>,
    orig_ioi: Option<String>,
    request_uri: String,
    session_s: Option<NonZeroU32>,
    /// Of an INVITE: see [`Branch::outline`].
    outline: Box<[u8]>,
}

impl Border {
    /// Sends the request to the next target; when none is left, ends with the best response that came.
    pub(super) fn forward_next(
        &mut self,
        id: SlotId,
        context: &mut RequestContext,
        message: Option<&Message<'_>>,
        scope: &mut Scope<'_>,
    ) -> Result<(), Rejection> {
        let mut is_full = false;
        if context.decision.forking.is_some() {
            if self.fork_next(id, context, message, &mut is_full, scope) {
                return Ok(());
            }
        } else {
            loop {
                let target = match self.next_serial_target(id, context, scope) {
                    Next::Target(target) => target,
                    Next::Parked => return Ok(()),
                    Next::Nothing => break,
                };
                match self.try_target(id, context, message, &target, scope) {
                    Sending::Sent => return Ok(()),
                    Sending::Full => is_full = true,
                    Sending::HeldBack => {}
                }
            }
        }
        if self.follow_next(id, context, message, scope) {
            return Ok(());
        }
        self.give_back_redirect(context);
        if !context.is_out_of_time(scope) && next_candidate(context, scope) {
            return self.decide(id, context, message, scope);
        }
        if context.best.is_some() {
            self.finish_with_best(id, context, scope);
            return Ok(());
        }
        let reason = match () {
            () if is_full => Reason::PeerCapacity,
            () if context.decision.is_held_back => Reason::PeerOverload,
            () if context.decision.is_blocked => Reason::Blocked,
            () if context.decision.is_unlocated => Reason::LocationFailed,
            // A request other than INVITE never gets a 408 (RFC 4320 §4.2).
            () if context.is_out_of_time(scope) && context.is_invite() => Reason::Timeout,
            () => Reason::Unreachable,
        };
        Err(Rejection::new(reason))
    }

    /// Sends the request to *target*, unless the agreement gives no place for it.
    pub(super) fn try_target(
        &mut self,
        id: SlotId,
        context: &mut RequestContext,
        message: Option<&Message<'_>>,
        target: &Target,
        scope: &mut Scope<'_>,
    ) -> Sending {
        let generation = Arc::clone(&context.generation);
        let peer = generation.snapshot.peer(target.peer);
        if self.is_held_back(context, target, scope) {
            return Sending::HeldBack;
        }
        let mut place = None;
        if context.place.is_some() {
            let calls_max = peer.limits.calls_max.filter(|_| context.exemption.is_none());
            place = DownstreamPlace::take(generation.statistics(target.peer), calls_max);
            if place.is_none() {
                let detail = || "as many calls as agreed".to_owned();
                scope.step(Stage::Decide, Some(&peer.id), "full", detail, None);
                return Sending::Full;
            }
        }
        context.decision.attempts_left -= 1;
        context.facts.peer_out = Some(target.peer);
        context.facts.attempts.push(Tried {
            peer: target.peer,
            place: Arc::clone(&target.place),
            status: None,
            phrase: None,
            cause: None,
            reason: None,
        });
        if let Some(following) = &mut context.decision.following {
            following.sent();
        }
        let hop = Flow {
            listener: target.place.listener,
            remote: target.place.address,
            connection: None,
            peer: Some(rewrite::peer_tag(&peer.id)),
        };
        self.start_branch(id, context, message, target.peer, hop, scope);
        if let Some(branch) = context.branches.last_mut() {
            branch.place = place;
        }
        Sending::Sent
    }

    pub(super) fn start_branch(
        &mut self,
        id: SlotId,
        context: &mut RequestContext,
        message: Option<&Message<'_>>,
        peer: PeerIndex,
        hop: Flow,
        scope: &mut Scope<'_>,
    ) {
        self.sample(context, scope);
        let mut sent = std::mem::take(&mut self.outgoing);
        sent.clear();
        let number = context.branches.len() as u8;
        let mut hop = hop;
        let mut written = self.write_stored(id, context, message, (peer, hop), &mut sent, scope);
        if let Some(stream) = stream_instead(context, peer, hop, sent.len()) {
            hop = stream;
            sent.clear();
            written = self.write_stored(id, context, message, (peer, hop), &mut sent, scope);
        }
        context.facts.icid = written.icid;
        context.facts.orig_ioi_received = written.orig_ioi_received;
        context.facts.orig_ioi = written.orig_ioi;
        context.facts.request_uri_out = Some(written.request_uri);
        let timers = context.generation.snapshot.peer(peer).timers;
        let mut timers = if context.is_initial { timers } else { timers.without_failover() };
        let left = context.time_left(scope);
        timers.first_response = left.map_or(timers.first_response, |left| timers.first_response.min(left));
        let reliable = context.generation.snapshot.transport(hop.listener).is_reliable();
        let mut arm = Arm {
            wheel: &mut self.wheel,
            now: scope.now.time,
            key: |timer| TimerKey::Branch(id, number, timer),
        };
        let client = if context.is_invite() {
            Client::Invite(InviteClientTransaction::new(timers, reliable, &mut arm))
        } else {
            let mut machine = NonInviteClientTransaction::new(timers, reliable, &mut arm);
            // The caller waits no longer than that, and its answer may not come later (RFC 4321 §4, LOC-35).
            machine.bound_patience(left.map(|left| left.saturating_sub(timers.first_response)));
            Client::NonInvite(machine)
        };
        scope.step(
            Stage::Forward,
            Some(&context.generation.snapshot.peer(peer).id),
            "sent",
            || format!("to {}", hop.remote),
            Some("RFC 3261 §16.6 (10)"),
        );
        scope.out.send(hop, &sent);
        self.shard_in(&context.generation, peer).request(Way::Sent, Method::from_bytes(method_bytes(&sent)));
        context.branches.push(Branch {
            peer,
            hop,
            client,
            sent: sent.as_slice().into(),
            outline: written.outline,
            cancel: None,
            has_final: false,
            is_abandoned: false,
            has_rung_out: false,
            timer_c_at: None,
            place: None,
            session_s: written.session_s,
        });
        self.outgoing = sent;
        if context.is_invite() {
            self.restart_timer_c(id, context, number, scope);
        }
    }

    /// Writes the request for a target from *message*, or else from what is kept of it.
    fn write_stored(
        &mut self,
        id: SlotId,
        context: &mut RequestContext,
        message: Option<&Message<'_>>,
        towards: (PeerIndex, Flow),
        out: &mut Vec<u8>,
        scope: &mut Scope<'_>,
    ) -> Written {
        if let Some(message) = message {
            return self.write_branch(id, context, message, towards, out, scope);
        }
        let mut index = self.stored_index.take().unwrap_or_default();
        let request = std::mem::take(&mut context.request);
        let written = parse::parse_kept(&request, &mut index)
            .map(|message| self.write_branch(id, context, &message, towards, out, scope));
        self.stored_index = Some(index);
        context.request = request;
        written.unwrap_or_default()
    }

    fn write_branch(
        &mut self,
        id: SlotId,
        context: &RequestContext,
        message: &Message<'_>,
        (downstream, hop): (PeerIndex, Flow),
        out: &mut Vec<u8>,
        scope: &mut Scope<'_>,
    ) -> Written {
        let Some(request) = message.request() else { return Written::default() };
        let loop_hash = self.loop_hash(message, request);
        let crossing = Crossing {
            generation: &context.generation,
            upstream: context.upstream,
            downstream,
            source: context.arrival.flow.remote,
            listener_in: context.arrival.flow.listener,
            listener_out: hop.listener,
            remote: hop.remote,
            own_routes: context.own_routes,
            request_uri: context.decision.request_uri(),
            changed: context.decision.changed.as_deref(),
            breadth: context.decision.forking.as_ref().map(|forking| forking.share()),
            is_initial: context.is_initial,
            icid: context.facts.icid.as_deref(),
            decision: context.is_initial.then_some(&context.decision),
            branch: BranchId::new(&self.hasher, id, context.branches.len() as u8, loop_hash),
        };
        self.write_request(message, request, &crossing, out, scope)
    }

    /// Stage `rewrite` for a request: trust, received rules, charging, Request-URI, hops, Record-Route, sent rules, Via.
    pub(super) fn write_request(
        &mut self,
        message: &Message<'_>,
        request: RequestLine<'_>,
        crossing: &Crossing<'_>,
        out: &mut Vec<u8>,
        scope: &mut Scope<'_>,
    ) -> Written {
        let snapshot = &crossing.generation.snapshot;
        let (from, to) = (snapshot.agreement(crossing.upstream), snapshot.agreement(crossing.downstream));
        let crosses = snapshot.peer(crossing.upstream).side != snapshot.peer(crossing.downstream).side
            || snapshot.peer(crossing.downstream).side == crate::snapshot::Side::Peer;
        let mut scratch: DraftScratch = std::mem::take(&mut self.scratch);
        let mut draft = Draft::new(*message, &mut scratch);
        let mut written = Written::default();
        let values = CallVariables {
            snapshot,
            upstream: crossing.upstream,
            downstream: crossing.downstream,
            decision: crossing.decision,
            request_uri: None,
        };
        let trace = &mut scope.out.trace;
        rewrite::via_received(&mut draft, crossing.source);
        for _ in 0..crossing.own_routes {
            draft.pop_value(HeaderId::Route);
        }
        // Before the rules: what the operator writes on purpose is not the untrusted peer's any more.
        rewrite::apply_trust(&mut draft, from.trusted, to.trusted, crosses, trace);
        values.apply(&from.received_rules, &mut draft, request.method, trace);
        for (rule, edit) in crossing.changed.map(Changed::edits).unwrap_or_default() {
            edit.apply(&mut draft, snapshot.routes.id(*rule), trace);
        }
        // What the border itself writes from here on is its own business.
        if let Some(screening) = &to.screening {
            screening.leave_out(&mut draft, &to.id, trace);
        }
        if crossing.is_initial || message.first(HeaderId::PChargingVector).is_some() {
            let name = snapshot.node.name.as_str();
            let charged = rewrite::apply_charging_to_request(
                &mut draft,
                &to.charging,
                from.trusted,
                || crossing.icid.map_or_else(|| self.draw_icid(), str::to_owned),
                name,
                trace,
            );
            written.icid = charged.icid;
            written.orig_ioi = to.charging.orig_ioi.clone().or_else(|| charged.orig_ioi.clone());
            written.orig_ioi_received = charged.orig_ioi;
        }
        if let Some(uri) = crossing.request_uri {
            draft.set_request_uri(uri);
        }
        if let Some(host) = snapshot.peer(crossing.downstream).request_uri_host.as_deref()
            && crossing.is_initial
        {
            rewrite::set_request_uri_host(&mut draft, host);
        }
        let hops = message.max_forwards().ok().flatten().map_or(70, |hops| hops.saturating_sub(1));
        draft.set_max_forwards(hops);
        if let Some(breadth) = crossing.breadth {
            draft.set(HeaderId::MaxBreadth, breadth.to_string().as_bytes());
        }
        let timer = rewrite::session_bounds(from.session_timer, to.session_timer);
        written.session_s =
            timer.and_then(|timer| rewrite::bound_session(&mut draft, request.method, timer, trace));
        // In an initial request the Route behind ours is whatever the sender likes, and all screening was of the Request-URI.
        if !crossing.is_initial {
            rewrite::face_strict_router(&mut draft, trace);
        }
        if crossing.is_initial && forms_dialog(request.method) {
            self.record_route(&mut draft, message, crossing, scope);
        }
        for rewrite in crossing.rewrites() {
            if let Some(calling) = &rewrite.calling {
                rewrite::edit_asserted_identity(&mut draft, calling, &mut scope.out.trace);
            }
            values.apply(&rewrite.headers, &mut draft, request.method, &mut scope.out.trace);
        }
        values.apply(&to.sent_rules, &mut draft, request.method, &mut scope.out.trace);
        self.prepend_via(&mut draft, crossing);
        if snapshot.transport(crossing.listener_out).is_reliable() {
            rewrite::need_content_length(&mut draft);
        }
        written.request_uri = String::from_utf8_lossy(draft.request_uri()).into_owned();
        draft.encode(out);
        if request.method == Method::Invite {
            self.buffer.clear();
            rewrite::write_outline(&draft, &mut self.buffer);
            written.outline = self.buffer.as_slice().into();
        }
        scope.step(
            Stage::Rewrite,
            Some(&to.id),
            "written",
            || format!("Request-URI {}", written.request_uri),
            Some("RFC 3261 §16.6"),
        );
        self.scratch = scratch;
        written
    }

    /// Our Via on top of the others (RFC 3261 §16.6 (8)).
    fn prepend_via(&self, draft: &mut Draft<'_>, crossing: &Crossing<'_>) {
        let snapshot = &crossing.generation.snapshot;
        let to = snapshot.agreement(crossing.downstream);
        let listener = crossing.listener_out;
        let sent_by = (snapshot.transport(listener), self.address_of(listener, snapshot));
        let offers = ViaOffers {
            connection_reuse: to.connection_reuse,
            overload_control: to.overload_control.is_some(),
        };
        draft.prepend_with(HeaderId::Via, |out| {
            rewrite::via_value(out, sent_by, offers, |out| crossing.branch.write(out));
        });
    }

    /// Record-Route with a sealed token; doubled when the request leaves from another address than it came to
    /// (RFC 5658), so that each side finds the address that it can reach on top of its route set.
    fn record_route(
        &mut self,
        draft: &mut Draft<'_>,
        message: &Message<'_>,
        crossing: &Crossing<'_>,
        scope: &mut Scope<'_>,
    ) {
        let snapshot = Arc::clone(&crossing.generation.snapshot);
        let nonce = self.draw_nonce();
        let ticket = Ticket {
            upstream_peer: rewrite::peer_tag(&snapshot.peer(crossing.upstream).id),
            downstream_peer: rewrite::peer_tag(&snapshot.peer(crossing.downstream).id),
            generation: snapshot.generation,
            start_unix_s: (scope.now.unix_ms / 1000) as u32,
            upstream_host: rewrite::host_tag(crossing.source.ip()),
            downstream_place: rewrite::place_tag(crossing.remote),
            call: caller_hash(message),
        };
        self.statistics().tokens_sealed.one();
        let place = |listener| (snapshot.transport(listener), self.address_of(listener, &snapshot));
        let (inside, outside) = (place(crossing.listener_in), place(crossing.listener_out));
        let write = |out: &mut Vec<u8>| {
            let write_token = |out: &mut Vec<u8>| snapshot.keys.seal(nonce, &ticket, out);
            rewrite::write_record_route(out, Some(write_token), inside);
        };
        // Behind the Vias when it is the first: a datagram that ICMP gives back must show our branch early.
        if draft.first(HeaderId::RecordRoute).is_none() {
            draft.append_after_with(HeaderId::Via, HeaderId::RecordRoute, write);
        } else {
            draft.prepend_with(HeaderId::RecordRoute, write);
        }
        if inside != outside {
            draft.prepend_with(HeaderId::RecordRoute, |out| {
                rewrite::write_record_route(out, None::<fn(&mut Vec<u8>)>, outside);
            });
        }
        scope.step(
            Stage::Rewrite,
            None,
            "record-routed",
            || "token sealed".to_owned(),
            Some("RFC 3261 §16.6 (4)"),
        );
    }

    /// The address that others see for a listener.
    pub(super) fn address_of(
        &self,
        listener: ListenerIndex,
        snapshot: &crate::snapshot::Snapshot,
    ) -> SocketAddr {
        let configured = snapshot.listeners.get(listener.at());
        configured
            .and_then(|listener| listener.advertised)
            .or_else(|| self.listeners.get(listener.at()).copied())
            .unwrap_or_else(|| SocketAddr::from(([0, 0, 0, 0], 0)))
    }

    pub(crate) fn shard_in<'g>(
        &self,
        generation: &'g Generation,
        peer: PeerIndex,
    ) -> &'g crate::statistics::PeerShard {
        generation.statistics(peer).shard(usize::from(self.worker))
    }

    pub(crate) fn peer_shard_of<'c>(&self, context: &'c RequestContext) -> &'c crate::statistics::PeerShard {
        self.shard_in(&context.generation, context.upstream)
    }

    pub(crate) fn count_resent(&self, context: &RequestContext, number: u8) {
        if let Some(branch) = context.branches.get(usize::from(number)) {
            self.shard_in(&context.generation, branch.peer).retransmission(Way::Sent);
        }
    }
}

/// Requests that may set up a dialog or a subscription, and so need us in their route set.
fn forms_dialog(method: Method<'_>) -> bool {
    matches!(method, Method::Invite | Method::Subscribe | Method::Refer | Method::Notify)
}

/// Tells the caller's side from the called one when both are the same peer: a hash of the caller's tag.
pub(super) fn caller_hash(message: &Message<'_>) -> u32 {
    message
        .from()
        .ok()
        .and_then(|from| from.tag())
        .map_or(0, |tag| rewrite::peer_tag(&String::from_utf8_lossy(tag)))
}

fn method_bytes(request: &[u8]) -> &[u8] {
    request.split(|byte| *byte == b' ').next().unwrap_or_default()
}
