//! A request arrives: unknown sender, broken bytes, retransmission, or something new (RFC 3261 §16.3).

use std::net::SocketAddr;

use super::cleaning::parse_cleaned;
use super::exemption::Exemption;
use super::places::UpstreamPlace;
use super::record::Named;
use super::stream::transport_of;
use super::{Arrival, Decision, Facts, RequestContext, Server};
use crate::admit::Rate;
use crate::border::{Arm, Border, BranchId, Received, Scope, TimerKey};
use crate::flow::Flow;
use crate::message::{HeaderId, HeaderIndex, Message, Method, NameAddr, RequestLine, Uri};
use crate::parse;
use crate::reason::Reason;
use crate::rewrite::{self, Draft, UpstreamHop};
use crate::screen::{self, Rejection, Screened};
use crate::snapshot::{PeerIndex, Snapshot};
use crate::statistics::Way;
use crate::trace::Stage;
use crate::transaction::{
    InviteServerTransaction, NonInviteServerTransaction, ServerEffect, ServerKey, SlotId,
};

/// What a draining node tells its peers to wait before they come back, in seconds.
const DRAINING_RETRY_AFTER_S: u32 = 60;

impl Border {
    pub(crate) fn on_request(
        &mut self,
        message: &Message<'_>,
        request: RequestLine<'_>,
        received: Received,
        scope: &mut Scope<'_>,
    ) {
        let Some(peer) = received.peer else {
            return self.on_unknown_source(message, request, received, scope);
        };
        let snapshot = std::sync::Arc::clone(&self.generation.snapshot);
        self.peer_shard(peer).request(Way::Received, request.method);
        scope.step(
            Stage::Admit,
            Some(&snapshot.peer(peer).id),
            "admitted",
            || format!("source {}", received.flow.remote.ip()),
            None,
        );
        if let Err(fault) = parse::check(message, &snapshot.limits) {
            let rejection = Rejection::new(fault.reason);
            return self.refuse(message, request, received, &rejection, &fault.to_string(), scope);
        }
        let is_repaired = self.with_repaired(message, scope, |border, repaired, line, scope| {
            border.on_sound_request(repaired, line, received, peer, scope);
        });
        if !is_repaired {
            self.on_sound_request(message, request, received, peer, scope);
        }
    }

    /// RFC 3261 §16.4: a strict router before us put our Record-Route into the Request-URI, and the Request-URI behind the
    /// Route values. Hands the request to *go_on* as it would be without it; `false` when there was nothing to repair.
    fn with_repaired(
        &mut self,
        message: &Message<'_>,
        scope: &mut Scope<'_>,
        go_on: impl FnOnce(&mut Self, &Message<'_>, RequestLine<'_>, &mut Scope<'_>),
    ) -> bool {
        let is_ours = |uri: Uri<'_>| uri.params.has(b"lr") && self.is_own_uri(&uri);
        if message.first(HeaderId::Route).is_none() || !message.request_uri().is_ok_and(is_ours) {
            return false;
        }
        let mut scratch = std::mem::take(&mut self.scratch);
        let mut draft = Draft::new(*message, &mut scratch);
        let mut bytes = Vec::new();
        if rewrite::repair_strict_route(&mut draft) {
            draft.encode(&mut bytes);
        }
        self.scratch = scratch;
        let mut index = HeaderIndex::default();
        let Ok(repaired) = parse::parse_kept(&bytes, &mut index) else { return false };
        let Some(line) = repaired.request() else { return false };
        let text = || format!("Request-URI {}", String::from_utf8_lossy(line.uri));
        scope.step(Stage::Transaction, None, "strict route undone", text, Some("RFC 3261 §16.4"));
        go_on(self, &repaired, line, scope);
        true
    }

    /// A request of a peer with all that RFC 3261 §16.3 (1) asks for.
    fn on_sound_request(
        &mut self,
        message: &Message<'_>,
        request: RequestLine<'_>,
        received: Received,
        peer: PeerIndex,
        scope: &mut Scope<'_>,
    ) {
        let snapshot = std::sync::Arc::clone(&self.generation.snapshot);
        if request.method == Method::Cancel {
            return self.on_cancel(message, received, &snapshot.peer(peer).id, scope);
        }
        let Ok(key) = ServerKey::of(message, &snapshot.peer(peer).id, &self.hasher) else { return };
        if let Some(id) = self.server_keys.get(&key).copied() {
            return self.on_known_request(id, message, request, received, scope);
        }
        if request.method == Method::Ack {
            return self.on_ack_to_success(message, received, peer, scope);
        }
        let exemption = self.exemption(message, request, peer);
        if let Err(rejection) = self.admit(key, message, exemption, peer, scope) {
            self.refused_lately.put(key, rejection.reason, scope.now.time);
            return self.refuse(message, request, received, &rejection, rejection.reason.entry().text, scope);
        }
        if is_initial(message) {
            self.note_alias(message, received, peer, scope);
        }
        self.on_new_request(key, message, request, received, (peer, exemption), scope);
    }

    pub(crate) fn peer_shard(&self, peer: PeerIndex) -> &crate::statistics::PeerShard {
        self.generation.statistics(peer).shard(usize::from(self.worker))
    }

    /// EN-04: a stateless 403 while the rate of such answers lasts, then silence.
    fn on_unknown_source(
        &mut self,
        message: &Message<'_>,
        request: RequestLine<'_>,
        received: Received,
        scope: &mut Scope<'_>,
    ) {
        let is_answerable = request.method != Method::Ack
            && parse::check(message, &self.generation.snapshot.limits).is_ok()
            && self.may_answer_unknown(scope.now.time);
        self.shared.unknown().shard(usize::from(self.worker)).request(Way::Received, request.method);
        self.refused(Reason::UnknownSource, received, Reason::UnknownSource.entry().text, scope);
        if is_answerable {
            let entry = Reason::UnknownSource.entry();
            self.answer_stateless(message, received, entry.status, entry.phrase, &[], scope);
        } else {
            self.statistics().dropped_messages.one();
        }
    }

    /// Refuses without keeping anything: the same request gets the same answer again (RFC 3261 §8.2.7).
    pub(crate) fn refuse(
        &mut self,
        message: &Message<'_>,
        request: RequestLine<'_>,
        received: Received,
        rejection: &Rejection,
        detail: &str,
        scope: &mut Scope<'_>,
    ) {
        self.refused(rejection.reason, received, detail, scope);
        if request.method == Method::Ack {
            self.statistics().dropped_messages.one();
        } else {
            let headers: Vec<(&str, &[u8])> =
                rejection.headers.iter().map(|(name, value)| (*name, value.as_slice())).collect();
            self.answer_stateless(message, received, rejection.status, &rejection.phrase, &headers, scope);
        }
    }

    pub(crate) fn answer_stateless(
        &mut self,
        message: &Message<'_>,
        received: Received,
        status: u16,
        phrase: &str,
        headers: &[(&str, &[u8])],
        scope: &mut Scope<'_>,
    ) {
        let tag = self.to_tag(message);
        let report = received.peer.filter(|peer| self.heeds_overload(message, *peer));
        let report = report.map(|_| self.overload_report(scope));
        let method = message.request().map_or(Method::Other(b""), |request| request.method);
        let source = received.flow.remote;
        scope.out.send_with(self.reply_to(message, received.flow), |arena| {
            rewrite::write_response(
                message,
                status,
                phrase,
                &tag,
                UpstreamHop { source, delay: std::time::Duration::ZERO, report },
                headers,
                arena,
            );
        });
        match received.peer {
            Some(peer) => self.peer_shard(peer).response(Way::Sent, method, status),
            None => self.shared.unknown().shard(usize::from(self.worker)).response(Way::Sent, method, status),
        }
    }

    /// May it begin? Requests inside dialogs always may; emergency calls pass every limit but draining (TEL-20), and what has
    /// priority those of its sender.
    fn admit(
        &mut self,
        key: ServerKey,
        message: &Message<'_>,
        exemption: Option<Exemption>,
        peer: PeerIndex,
        scope: &Scope<'_>,
    ) -> Result<(), Rejection> {
        let refused = self.refused_lately.find(key, scope.now.time);
        if let Some(reason) = refused.filter(|reason| *reason != Reason::Draining) {
            return Err(Rejection::new(reason)); // a repetition gets the same answer (RFC 3261 §8.2.7)
        }
        if !is_initial(message) {
            return Ok(());
        }
        if self.is_draining {
            return Err(Rejection::new(Reason::Draining).with_retry_after(Some(DRAINING_RETRY_AFTER_S)));
        }
        if exemption == Some(Exemption::Emergency) {
            return Ok(());
        }
        if exemption.is_none() && self.queue_delay.refuses(scope.now.time) {
            return Err(Rejection::new(Reason::QueueDelay));
        }
        let limits = self.generation.snapshot.peer(peer).limits;
        if let Some(per_second) = limits.requests_per_second.filter(|_| exemption.is_none()) {
            let rate = Rate::new(per_second, limits.burst.unwrap_or(per_second));
            if !self.generation.statistics(peer).bucket.take(rate, scope.now.time) {
                return Err(Rejection::new(Reason::Rate));
            }
        }
        if self.has_room() { Ok(()) } else { Err(Rejection::new(Reason::Overload)) }
    }

    /// A retransmission, or the ACK of a failure.
    fn on_known_request(
        &mut self,
        id: SlotId,
        message: &Message<'_>,
        request: RequestLine<'_>,
        received: Received,
        scope: &mut Scope<'_>,
    ) {
        let is_ack = request.method == Method::Ack;
        if let (true, Some(peer)) = (is_ack && self.is_answered(id), received.peer) {
            return self.on_ack_to_success(message, received, peer, scope);
        }
        self.with_context(id, scope, |border, context, scope| {
            let mut arm = Arm {
                wheel: &mut border.wheel,
                now: scope.now.time,
                key: |timer| TimerKey::Server(id, timer),
            };
            let effect = match (&mut context.server, is_ack) {
                (Server::Invite(machine), true) => machine.on_ack(&mut arm),
                (Server::Invite(machine), false) => machine.on_request_retransmission(),
                (Server::NonInvite(machine), _) => machine.on_request_retransmission(),
            };
            scope.step(
                Stage::Transaction,
                None,
                if is_ack { "acknowledged" } else { "absorbed" },
                || "known request".to_owned(),
                None,
            );
            if !is_ack {
                border.peer_shard_of(context).retransmission(Way::Received);
            }
            if effect == ServerEffect::ResendLast {
                border.resend_last(context, scope);
            }
        });
    }

    fn is_answered(&self, id: SlotId) -> bool {
        let context = self.contexts.get(id).and_then(Option::as_deref);
        context.and_then(|context| context.final_status).is_some_and(|status| status < 300)
    }

    fn on_new_request(
        &mut self,
        key: ServerKey,
        message: &Message<'_>,
        request: RequestLine<'_>,
        received: Received,
        (peer, exemption): (PeerIndex, Option<Exemption>),
        scope: &mut Scope<'_>,
    ) {
        let Ok(id) = self.contexts.insert(None) else {
            let rejection = Rejection::new(Reason::Overload);
            self.refused_lately.put(key, rejection.reason, scope.now.time);
            return self.refuse(message, request, received, &rejection, "transaction table full", scope);
        };
        self.server_keys.insert(key, id);
        self.invites += usize::from(request.method == Method::Invite);
        self.unanswered += 1;
        scope.step(
            Stage::Transaction,
            None,
            "created",
            || format!("{} server transaction", request.method.as_str()),
            Some("RFC 3261 §17.2"),
        );
        let context = self.new_context(id, key, message, request, received, (peer, exemption), scope);
        if let Some(slot) = self.contexts.get_mut(id) {
            *slot = Some(Box::new(context));
        }
        self.with_context(id, scope, |border, context, scope| {
            border.begin(id, context, message, request, scope);
        });
    }

    #[allow(clippy::too_many_arguments)] // the facts of one arrival
    fn new_context(
        &mut self,
        id: SlotId,
        key: ServerKey,
        message: &Message<'_>,
        request: RequestLine<'_>,
        received: Received,
        (upstream, exemption): (PeerIndex, Option<Exemption>),
        scope: &Scope<'_>,
    ) -> RequestContext {
        let timers = self.generation.snapshot.peer(upstream).timers;
        let mut arm =
            Arm { wheel: &mut self.wheel, now: scope.now.time, key: |timer| TimerKey::Server(id, timer) };
        let reliable = self.generation.snapshot.transport(received.flow.listener).is_reliable();
        let server = if request.method == Method::Invite {
            Server::Invite(InviteServerTransaction::new(timers, reliable, &mut arm))
        } else {
            Server::NonInvite(NonInviteServerTransaction::new(timers, reliable, &mut arm))
        };
        RequestContext {
            generation: std::sync::Arc::clone(&self.generation),
            key,
            server,
            request: message.bytes().into(),
            named: if is_initial(message) { Named::find(message) } else { Named::default() },
            arrival: Arrival {
                flow: received.flow,
                reply_to: self.reply_to(message, received.flow),
                time: scope.now.time,
                unix_ms: scope.now.unix_ms,
            },
            upstream,
            is_initial: is_initial(message),
            exemption,
            own_routes: 0,
            dialog_route: None,
            decision: Decision::default(),
            branches: smallvec::SmallVec::new(),
            last_sent: Vec::new(),
            best: None,
            challenges: None,
            cancelled: None,
            final_status: None,
            dialogs: smallvec::SmallVec::new(),
            facts: Facts::default(),
            place: None,
            heeds_overload: self.heeds_overload(message, upstream),
            limiter_places: Vec::new(),
            merge_key: None,
        }
    }

    /// The stages from `screen` on, for a request that has a context.
    fn begin(
        &mut self,
        id: SlotId,
        context: &mut RequestContext,
        message: &Message<'_>,
        request: RequestLine<'_>,
        scope: &mut Scope<'_>,
    ) {
        let outcome = self.begin_checked(id, context, message, request, scope);
        if let Err(rejection) = outcome {
            self.reject(id, context, Some(message), &rejection, scope);
        }
        if context.is_invite() && context.final_status.is_none() && context.last_sent.is_empty() {
            self.send_trying(context, Some(message), scope);
        }
    }

    fn begin_checked(
        &mut self,
        id: SlotId,
        context: &mut RequestContext,
        message: &Message<'_>,
        request: RequestLine<'_>,
        scope: &mut Scope<'_>,
    ) -> Result<(), Rejection> {
        let routes = self.own_routes(message);
        context.own_routes = routes.count;
        let generation = std::sync::Arc::clone(&context.generation);
        let agreement = generation.snapshot.agreement(context.upstream);
        let is_for_us = request.method == Method::Options && context.is_initial && self.is_for_us(message);
        screen::check(&Screened { message, request, agreement, has_orig: routes.has_orig, is_for_us })?;
        let passages = self.passages(message, request);
        if passages.is_loop {
            return Err(Rejection::new(Reason::Loop));
        }
        if context.is_initial && passages.count == 0 {
            self.note_arrival(id, context, message)?;
        }
        scope.step(
            Stage::Screen,
            Some(&agreement.id),
            "passed",
            || "method, hops, options, sizes".to_owned(),
            Some("RFC 3261 §16.3"),
        );
        let Some(bytes) = self.cleaned(message, agreement, scope) else {
            return self.begin_screened(id, context, message, &routes, is_for_us, scope);
        };
        let mut index = HeaderIndex::default();
        let cleaned = parse_cleaned(&bytes, &mut index);
        context.take_request(&cleaned); // of which later tries are made
        self.begin_screened(id, context, &cleaned, &routes, is_for_us, scope)
    }

    /// The stages behind `screen`, for a request without what may not cross.
    fn begin_screened(
        &mut self,
        id: SlotId,
        context: &mut RequestContext,
        message: &Message<'_>,
        routes: &OwnRoutes,
        is_for_us: bool,
        scope: &mut Scope<'_>,
    ) -> Result<(), Rejection> {
        if !context.is_initial {
            context.dialog_route = Some(self.dialog_route(context, message, routes, scope)?);
            return self.forward_in_dialog(id, context, message, scope);
        }
        if is_for_us {
            self.answer_options(id, context, message, scope);
            return Ok(());
        }
        if context.is_invite() {
            let generation = std::sync::Arc::clone(&context.generation);
            let limits = generation.snapshot.peer(context.upstream).limits;
            let calls_max = limits.calls_max.filter(|_| context.exemption.is_none());
            let statistics = generation.statistics(context.upstream);
            let place = UpstreamPlace::take(self.worker, context.direction(), statistics, calls_max);
            context.place = Some(place.ok_or_else(|| Rejection::new(Reason::PeerCapacity))?);
        }
        self.start_decision(id, context, message, scope)
    }

    /// How often the request passed here before, and whether as it is now (RFC 5393 §4.2.2).
    fn passages(&self, message: &Message<'_>, request: RequestLine<'_>) -> Passages {
        let mut passages = Passages::default();
        if !message.all(HeaderId::Via).any(|header| BranchId::may_be_in(header.value)) {
            return passages;
        }
        let mut hash = None;
        for value in message.values(HeaderId::Via) {
            let branch = crate::message::Via::parse(value.value).ok().and_then(|via| via.branch());
            let Some(ours) = branch.and_then(|branch| BranchId::read(&self.hasher, branch)) else { continue };
            passages.count += 1;
            passages.is_loop |=
                ours.loop_hash == *hash.get_or_insert_with(|| self.loop_hash(message, request));
        }
        passages
    }

    /// Hash of what routing depends on: the Request-URI and the Route values, never the method (RFC 5393 §4.2.1).
    pub(crate) fn loop_hash(&self, message: &Message<'_>, request: RequestLine<'_>) -> u32 {
        let mut parts: smallvec::SmallVec<[&[u8]; 8]> = smallvec::smallvec![&b"loop"[..], request.uri];
        parts.extend(message.all(HeaderId::Route).map(|route| route.value));
        self.hasher.hash128(&parts) as u32
    }

    /// Where the answer goes. Over a connection: back on it, and should it be gone, to a new one to the sent-by port. As a
    /// datagram: to the source port if `rport` was asked for, else to the sent-by port (RFC 3261 §18.2.2, RFC 3581 §4).
    /// `maddr` is not honoured: we serve no multicast, and it would let a sender aim our answers (LOC-40).
    pub(crate) fn reply_to(&self, message: &Message<'_>, flow: Flow) -> Flow {
        let transport = self.generation.snapshot.transport(flow.listener);
        let remote = match message.top_via() {
            Ok(via) if transport.is_reliable() || via.rport().is_none() => {
                SocketAddr::new(flow.remote.ip(), via.port.unwrap_or(transport.default_port()))
            }
            _ => flow.remote,
        };
        Flow { remote, ..flow }
    }

    /// Which of the topmost Route values are ours, and what their token says.
    pub(crate) fn own_routes(&self, message: &Message<'_>) -> OwnRoutes {
        let mut routes = OwnRoutes::default();
        for value in message.values(HeaderId::Route) {
            let Ok(uri) = NameAddr::parse(value.value).and_then(|address| Uri::parse(address.uri)) else {
                break;
            };
            if routes.count == 0 {
                routes.has_orig = uri.params.get(b"orig").is_some();
            }
            if !self.is_own_uri(&uri) {
                break;
            }
            routes.count += 1;
            if let (None, Some(token)) = (&routes.ticket, rewrite::token_of(&uri)) {
                routes.ticket = Some(self.generation.snapshot.keys.open(token));
            }
        }
        routes
    }

    /// Does the URI name this border: one of its addresses, its name or its domain?
    pub(crate) fn is_own_uri(&self, uri: &Uri<'_>) -> bool {
        // As we write it ourselves it need not be read to be known.
        let is_written_so =
            |(host, port): &(String, u16)| uri.port == Some(*port) && host.as_bytes() == uri.host;
        if self.own_hosts.iter().any(is_written_so) {
            return true;
        }
        let snapshot = &self.generation.snapshot;
        match uri.host_is_ip() {
            Some(ip) => {
                let port = transport_of(uri).unwrap_or_default().default_port();
                self.is_own_address(SocketAddr::new(ip, uri.port.unwrap_or(port)), snapshot)
            }
            None => {
                uri.host.eq_ignore_ascii_case(snapshot.node.domain.as_bytes())
                    || uri.host.eq_ignore_ascii_case(snapshot.node.name.as_bytes())
            }
        }
    }

    fn is_own_address(&self, address: SocketAddr, snapshot: &Snapshot) -> bool {
        self.listeners.contains(&address)
            || snapshot.listeners.iter().any(|listener| listener.advertised == Some(address))
    }

    fn is_for_us(&self, message: &Message<'_>) -> bool {
        message.request_uri().is_ok_and(|uri| uri.user.is_none() && self.is_own_uri(&uri))
    }
}

/// What the Vias of a request tell of its way through this border.
#[derive(Clone, Copy, Debug, Default)]
struct Passages {
    count: usize,
    is_loop: bool,
}

/// The Route values at the top that name this border.
#[derive(Debug, Default)]
pub(crate) struct OwnRoutes {
    pub(crate) count: usize,
    pub(crate) has_orig: bool,
    pub(crate) ticket: Option<Result<rewrite::Ticket, rewrite::TokenError>>,
}

pub(crate) fn is_initial(message: &Message<'_>) -> bool {
    message.to().is_ok_and(|to| to.tag().is_none())
}
