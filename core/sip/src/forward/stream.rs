//! What streams change for a request: one that is too long for a datagram goes over TCP first (GEN-09, RFC 3261 §18.1.1), and
//! a connection may carry requests the other way (RFC 5923).

use std::net::SocketAddr;

use crate::border::{Border, Received, Scope};
use crate::flow::Flow;
use crate::message::{Message, Uri, UriKind};
use crate::snapshot::{PeerIndex, Transport};
use crate::trace::Stage;
use crate::transaction::SlotId;

use super::{RequestContext, Tried};

impl Border {
    /// The request that had no connection goes as a datagram all the same, to the same target, before any other is tried
    /// (RFC 3261 §18.1.1); `false` when the branch was not one that was to leave so.
    pub(super) fn fall_back_to_datagram(
        &mut self,
        id: SlotId,
        context: &mut RequestContext,
        number: usize,
        scope: &mut Scope<'_>,
    ) -> bool {
        let Some((peer, hop)) = datagram_instead(context, number) else { return false };
        if let (true, Some(tried)) = (context.is_initial, context.facts.attempts.get(number)) {
            let tried = Tried {
                peer: tried.peer,
                place: std::sync::Arc::clone(&tried.place),
                status: None,
                phrase: None,
                cause: None,
                reason: None,
            };
            context.facts.attempts.push(tried);
        }
        scope.step(
            Stage::Forward,
            None,
            "datagram",
            || format!("no connection to {}: the long request goes over UDP", hop.remote),
            Some("RFC 3261 §18.1.1"),
        );
        let place = context.branches.get_mut(number).and_then(|branch| branch.place.take());
        let next = context.branches.len();
        self.start_branch(id, context, None, peer, hop, scope);
        if let Some(branch) = context.branches.last_mut() {
            branch.place = place;
        }
        if let Some(forking) = &mut context.decision.forking {
            forking.replace(number, next);
        }
        true
    }

    /// Tells whoever owns the connections that requests to the sender may leave on the one this came on, if the sender asks
    /// for it and the agreement allows it. Whose connection it is, the certificate or the address said; a port is all that
    /// the sender may choose, so it cannot take what is meant for others.
    pub(super) fn note_alias(
        &self,
        message: &Message<'_>,
        received: Received,
        peer: PeerIndex,
        scope: &mut Scope<'_>,
    ) {
        let Some(connection) = received.flow.connection else { return };
        let snapshot = &self.generation.snapshot;
        if !snapshot.agreement(peer).connection_reuse {
            return;
        }
        let Ok(via) = message.top_via() else { return };
        if via.params.has(b"alias") {
            let port = via.port.unwrap_or(snapshot.transport(received.flow.listener).default_port());
            let address = SocketAddr::new(received.flow.remote.ip(), port);
            scope.out.aliases.push((connection, address));
        }
    }
}

/// The way over TCP to the same address, for a request of *length* bytes that was to leave as a datagram and is too long
/// for one; `None` when it may be that long, when the peer has no listener for it, and when it was tried before.
///
/// An ACK to a 2xx, which comes through no context, is not asked about: nobody would learn that it failed.
pub(super) fn stream_instead(
    context: &RequestContext,
    peer: PeerIndex,
    hop: Flow,
    length: usize,
) -> Option<Flow> {
    let snapshot = &context.generation.snapshot;
    let max = snapshot.agreement(peer).datagram_bytes_max?;
    if length <= max || snapshot.transport(hop.listener) != Transport::Udp {
        return None;
    }
    let listener = snapshot.listener_towards(peer, Transport::Tcp, hop.remote)?;
    let is_tried = context
        .branches
        .iter()
        .any(|branch| branch.hop.listener == listener && branch.hop.remote == hop.remote);
    (!is_tried).then_some(Flow { listener, ..hop })
}

/// Where a branch that took TCP for its length was to go first.
fn datagram_instead(context: &RequestContext, number: usize) -> Option<(PeerIndex, Flow)> {
    let snapshot = &context.generation.snapshot;
    let branch = context.branches.get(number)?;
    let first = match &context.dialog_route {
        Some(route) => route.hop.listener,
        None => context.facts.attempts.get(number)?.place.listener,
    };
    let is_switched = snapshot.transport(branch.hop.listener) == Transport::Tcp
        && snapshot.transport(first) == Transport::Udp;
    (is_switched && !context.is_decided()).then_some((branch.peer, Flow { listener: first, ..branch.hop }))
}

/// The transport that a URI asks for (RFC 3263 §4.1, RFC 3261 §26.2.2); `None` for one that we do not speak.
pub(super) fn transport_of(uri: &Uri<'_>) -> Option<Transport> {
    let named = match uri.params.value(b"transport") {
        Some(name) => Some(Transport::from_name(name)?),
        None => None,
    };
    match (uri.kind, named) {
        (UriKind::Sips, Some(Transport::Udp)) => None,
        (UriKind::Sips, _) => Some(Transport::Tls),
        (_, named) => Some(named.unwrap_or_default()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uri_asks_for_a_transport_by_scheme_and_parameter() {
        for (uri, transport) in [
            ("sip:h", Some(Transport::Udp)),
            ("sip:h;transport=TCP", Some(Transport::Tcp)),
            ("sip:h;transport=tls", Some(Transport::Tls)),
            ("sip:h;transport=sctp", None),
            ("sips:h", Some(Transport::Tls)),
            ("sips:h;transport=tcp", Some(Transport::Tls)),
            ("sips:h;transport=udp", None),
        ] {
            let parsed = Uri::parse(uri.as_bytes()).unwrap();
            assert_eq!(transport_of(&parsed), transport, "{uri}");
        }
    }
}
