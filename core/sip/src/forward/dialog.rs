//! Requests inside a dialog: the token in their Route says between whom, so nothing is looked up and nobody is asked.

use std::net::SocketAddr;
use std::sync::Arc;

use crate::admit::Rate;
use crate::border::{Border, BranchId, Generation, Received, Scope};
use crate::event::Event;
use crate::flow::Flow;
use crate::message::{HeaderId, HeaderIndex, Message, Method, NameAddr, Uri};
use crate::reason::Reason;
use crate::rewrite::{Ticket, TokenError, host_tag, peer_tag, place_tag};
use crate::screen::Rejection;
use crate::snapshot::{PeerIndex, Target};
use crate::statistics::Way;
use crate::time::Time;
use crate::trace::Stage;
use crate::transaction::SlotId;

use super::branch::{Crossing, caller_hash};
use super::cleaning::parse_cleaned;
use super::request::OwnRoutes;
use super::stream::transport_of;
use super::{DialogRoute, RequestContext};

/// So many alarms about tokens a second.
const TOKEN_ALARMS_PER_SECOND: u32 = 1;

impl Border {
    /// Finds the other side of the dialog. The context moves to the generation that the dialog started on.
    pub(super) fn dialog_route(
        &mut self,
        context: &mut RequestContext,
        message: &Message<'_>,
        routes: &OwnRoutes,
        scope: &mut Scope<'_>,
    ) -> Result<DialogRoute, Rejection> {
        let (generation, upstream, route) =
            self.find_dialog_route(context.upstream, message, routes, scope)?;
        context.generation = generation;
        context.upstream = upstream;
        Ok(route)
    }

    fn find_dialog_route(
        &self,
        sender: PeerIndex,
        message: &Message<'_>,
        routes: &OwnRoutes,
        scope: &mut Scope<'_>,
    ) -> Result<(Arc<Generation>, PeerIndex, DialogRoute), Rejection> {
        let ticket = match &routes.ticket {
            None => return Err(Rejection::new(Reason::OutOfDialog)),
            Some(Err(error)) => {
                self.statistics().tokens_refused.one();
                self.alarm_token(sender, *error, scope);
                return Err(Rejection::new(Reason::TokenInvalid));
            }
            Some(Ok(ticket)) => ticket,
        };
        self.statistics().tokens_opened.one();
        let sender_tag = peer_tag(&self.generation.snapshot.peer(sender).id);
        let downstream_tag =
            other_side(ticket, sender_tag, message).ok_or_else(|| Rejection::new(Reason::WrongSide))?;
        let kept = self.generation_of(ticket.generation);
        let peers = |generation: &Arc<Generation>| {
            Some((generation.peer_by_tag(sender_tag)?, generation.peer_by_tag(downstream_tag)?))
        };
        // The generation in force serves when the dialog's own is gone or no longer knows both peers.
        let (generation, (upstream, downstream)) = if let Some(found) = peers(&kept) {
            (kept, found)
        } else {
            let found = peers(&self.generation).ok_or_else(|| Rejection::new(Reason::Unreachable))?;
            (Arc::clone(&self.generation), found)
        };
        let hop = self
            .next_hop(&generation, downstream, message, routes, scope.now.time)
            .ok_or_else(|| Rejection::new(Reason::Unreachable))?;
        scope.step(
            Stage::Decide,
            Some(&generation.snapshot.peer(downstream).id),
            "token",
            || format!("dialog continues to {}", hop.remote),
            Some("RFC 3261 §16.4"),
        );
        Ok((generation, upstream, DialogRoute { downstream, hop }))
    }

    /// TH-20: an attack, or a key that went too early; the operator should look. Counters have what the rate leaves out.
    fn alarm_token(&self, sender: PeerIndex, error: TokenError, scope: &mut Scope<'_>) {
        let rate = Rate::new(TOKEN_ALARMS_PER_SECOND, TOKEN_ALARMS_PER_SECOND);
        if self.token_alarms.take(rate, scope.now.time) {
            scope.out.events.push(Event::Alarm {
                name: "token_open_failed",
                detail: format!("peer {}: {error}", self.generation.snapshot.peer(sender).id),
                unix_ms: scope.now.unix_ms,
            });
        }
    }

    pub(super) fn forward_in_dialog(
        &mut self,
        id: SlotId,
        context: &mut RequestContext,
        message: &Message<'_>,
        scope: &mut Scope<'_>,
    ) -> Result<(), Rejection> {
        let Some(route) = context.dialog_route else { return Err(Rejection::new(Reason::OutOfDialog)) };
        if context.method() == Method::Bye {
            self.end_call(message, context.upstream, route.downstream, &context.generation, scope);
        }
        self.count_spared(context, &route, scope);
        self.start_branch(id, context, Some(message), route.downstream, route.hop, scope);
        Ok(())
    }

    /// The ACK to a 2xx: forwarded without state, never answered (RFC 3261 §16.11, PX-25).
    pub(super) fn on_ack_to_success(
        &mut self,
        message: &Message<'_>,
        received: Received,
        peer: PeerIndex,
        scope: &mut Scope<'_>,
    ) {
        let Some(request) = message.request() else { return };
        let routes = self.own_routes(message);
        let has_hops = !matches!(message.max_forwards(), Ok(Some(0)));
        let found = self.find_dialog_route(peer, message, &routes, scope).ok().filter(|_| has_hops);
        let Some((generation, upstream, route)) = found else {
            self.statistics().dropped_messages.one();
            return;
        };
        let loop_hash = self.loop_hash(message, request);
        let branch = message.top_via().ok().and_then(|via| via.branch()).unwrap_or_default();
        let agreement = generation.snapshot.agreement(upstream);
        let crossing = Crossing {
            generation: &generation,
            upstream,
            downstream: route.downstream,
            source: received.flow.remote,
            listener_in: received.flow.listener,
            listener_out: route.hop.listener,
            remote: route.hop.remote,
            own_routes: routes.count,
            request_uri: None,
            changed: None,
            is_initial: false,
            breadth: None,
            icid: None,
            decision: None,
            branch: BranchId::stateless(&self.hasher, branch, loop_hash),
        };
        let mut bytes = std::mem::take(&mut self.outgoing);
        bytes.clear();
        match self.cleaned(message, agreement, scope) {
            None => self.write_request(message, request, &crossing, &mut bytes, scope),
            Some(cleaned) => {
                let mut index = HeaderIndex::default();
                let cleaned = parse_cleaned(&cleaned, &mut index);
                self.write_request(&cleaned, request, &crossing, &mut bytes, scope)
            }
        };
        scope.step(
            Stage::Forward,
            None,
            "sent",
            || format!("ACK to {}", route.hop.remote),
            Some("RFC 3261 §16.11"),
        );
        scope.out.send(route.hop, &bytes);
        self.outgoing = bytes;
        self.shard_in(&generation, route.downstream).request(Way::Sent, Method::Ack);
    }

    /// The next Route, else the Request-URI, if it is an address of that peer; else the target of the peer that the dialog
    /// began with, or the first if that one is gone.
    ///
    /// A Contact or Record-Route is what the far side wrote: it must not be able to aim our messages at anybody else, and a
    /// host name in it would take a question, which requests inside dialogs never wait for. Nor can one be reached whose
    /// address family and transport no listener of the peer has.
    fn next_hop(
        &self,
        generation: &Generation,
        downstream: PeerIndex,
        message: &Message<'_>,
        routes: &OwnRoutes,
        now: Time,
    ) -> Option<Flow> {
        let snapshot = &generation.snapshot;
        let peer = Some(peer_tag(&snapshot.peer(downstream).id));
        let targets = self.targets_of(generation, downstream);
        let route = message
            .values(HeaderId::Route)
            .nth(routes.count)
            .and_then(|value| NameAddr::parse(value.value).ok());
        let uri = match route {
            Some(route) => Uri::parse(route.uri).ok(),
            None => message.request_uri().ok(),
        };
        let literal = uri.and_then(|uri| {
            let transport = transport_of(&uri)?;
            let remote = SocketAddr::new(uri.host_is_ip()?, uri.port.unwrap_or(transport.default_port()));
            let listener = snapshot.listener_towards(downstream, transport, remote)?;
            let is_of_peer = snapshot.sources.find(remote.ip()) == Some(downstream)
                || targets.iter().any(|target| target.address.ip() == remote.ip());
            is_of_peer.then_some(Flow { listener, remote, connection: None, peer })
        });
        literal.or_else(|| {
            let located = uri.and_then(|uri| self.located_before(snapshot, downstream, &uri, now));
            let targets = located.unwrap_or(targets);
            let ticket = routes.ticket.as_ref().and_then(|ticket| ticket.as_ref().ok());
            let holds_dialog = |target: &&Arc<Target>| ticket.is_some_and(|ticket| is_of(ticket, target));
            let first = || targets.iter().min_by_key(|target| target.priority);
            let chosen = targets.iter().find(holds_dialog).or_else(first)?;
            Some(Flow { listener: chosen.listener, remote: chosen.address, connection: None, peer })
        })
    }
}

/// Did the first request of the dialog come from *target*, or go there?
fn is_of(ticket: &Ticket, target: &Target) -> bool {
    place_tag(target.address) == ticket.downstream_place
        || host_tag(target.address.ip()) == ticket.upstream_host
}

/// The peer on the other side: of the two in the token, the one that did not send this. When both are the same peer, the
/// caller's tag tells the direction, though not another peer.
fn other_side(ticket: &Ticket, sender: u32, message: &Message<'_>) -> Option<u32> {
    let from_caller = caller_hash(message) == ticket.call;
    match (sender == ticket.upstream_peer, sender == ticket.downstream_peer) {
        (true, true) => Some(if from_caller { ticket.downstream_peer } else { ticket.upstream_peer }),
        (true, false) => Some(ticket.downstream_peer),
        (false, true) => Some(ticket.upstream_peer),
        (false, false) => None,
    }
}
