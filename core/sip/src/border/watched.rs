//! The targets whose health this worker looks at: those of every peer, and those found for Request-URIs.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use foldhash::fast::FixedState;

use super::{Border, Generation, Scope};
use crate::decide::{Cause, Change, TargetHealth, TargetKey, TargetState};
use crate::event::Event;
use crate::flow::Flow;
use crate::rewrite::peer_tag;
use crate::snapshot::{PeerIndex, Target, Transport};

/// This worker's handles, so that looking at a target takes no lock.
#[derive(Debug, Default)]
pub(crate) struct WatchedTargets {
    /// By the tag of their peer: as many as the configuration and the control plane name.
    listed: HashMap<u32, OfPeer, FixedState>,
    /// Found for Request-URIs; at most `limits.targets_max`.
    found: HashMap<TargetKey, Arc<TargetHealth>, FixedState>,
}

type OfPeer = HashMap<(Transport, SocketAddr), Arc<TargetHealth>, FixedState>;

impl WatchedTargets {
    fn find(&self, key: &TargetKey) -> Option<&Arc<TargetHealth>> {
        let listed =
            self.listed.get(&key.peer).and_then(|of_peer| of_peer.get(&(key.transport, key.address)));
        listed.or_else(|| self.found.get(key))
    }

    /// Makes room for one more by forgetting those that nothing speaks against; `false` when there are none.
    fn make_room(&mut self, targets_max: usize, scope: &Scope<'_>) -> bool {
        if self.found.len() >= targets_max {
            self.found.retain(|_, health| health.state(scope.now.time) != TargetState::Up);
        }
        self.found.len() < targets_max
    }
}

/// Who is meant by *target* of the peer with that tag.
pub(crate) fn target_key(generation: &Generation, peer: u32, target: &Target) -> TargetKey {
    TargetKey { peer, transport: generation.snapshot.transport(target.listener), address: target.address }
}

impl Border {
    /// Watches the targets that *peer* has now, and no others of it any more.
    pub(super) fn watch_peer(&mut self, peer: PeerIndex) {
        let generation = Arc::clone(&self.generation);
        let id = &generation.snapshot.peer(peer).id;
        let tag = peer_tag(id);
        let of_peer = self
            .targets_of(&generation, peer)
            .iter()
            .map(|target| {
                let key = target_key(&generation, tag, target);
                ((key.transport, key.address), self.shared.health.entry(key, id, &target.id, true))
            })
            .collect();
        self.watched.listed.insert(tag, of_peer);
    }

    /// Another snapshot is in force: watches its targets.
    pub(super) fn watch_peers(&mut self) {
        let generation = Arc::clone(&self.generation);
        for at in 0..generation.snapshot.peers.len() {
            self.watch_peer(PeerIndex(at as u16));
        }
        self.watched.listed.retain(|tag, _| generation.peer_by_tag(*tag).is_some());
        self.watched.found.retain(|key, _| generation.peer_by_tag(key.peer).is_some());
    }

    /// Watches a target that was found for a Request-URI, while there is room.
    pub(crate) fn watch_found(&mut self, key: TargetKey, peer: &str, target: &str, scope: &Scope<'_>) {
        let targets_max = self.generation.snapshot.limits.targets_max.div_ceil(self.shared.workers());
        if self.watched.find(&key).is_none() && self.watched.make_room(targets_max, scope) {
            let health = self.shared.health.entry(key, peer, target, false);
            self.watched.found.insert(key, health);
        }
    }

    /// What is known of a target; `None` when it is not watched.
    pub(crate) fn health(&self, key: &TargetKey) -> Option<&Arc<TargetHealth>> {
        self.watched.find(key)
    }

    /// The same by where a message went.
    pub(crate) fn health_at(&self, hop: &Flow, transport: Transport) -> Option<&Arc<TargetHealth>> {
        self.health(&TargetKey { peer: hop.peer?, transport, address: hop.remote })
    }

    /// A request to *hop* was answered with *status*: it is there. A 503 may ask for a pause (LOC-33).
    pub(crate) fn on_hop_answered(
        &self,
        generation: &Generation,
        peer: PeerIndex,
        hop: &Flow,
        pause: Option<Duration>,
        scope: &mut Scope<'_>,
    ) {
        let transport = generation.snapshot.transport(hop.listener);
        if let Some(health) = self.health_at(hop, transport)
            && let Some(change) = health.on_answer()
        {
            tell(health, change, Cause::Answered, scope);
        }
        let Some(pause) = pause else { return };
        // It is the address that wants to be left alone, whatever leads there.
        for transport in [Transport::Udp, Transport::Tcp, Transport::Tls] {
            if let Some(health) = self.health_at(hop, transport) {
                health.block(scope.now.time + pause);
            }
        }
        scope.step(
            crate::trace::Stage::Forward,
            Some(&generation.snapshot.peer(peer).id),
            "blocked",
            || format!("{} for {} s", hop.remote, pause.as_secs()),
            Some("RFC 3261 §21.5.4, LOC-33"),
        );
    }

    /// A request to *hop* had no response, or could not be delivered.
    pub(crate) fn on_hop_failed(
        &self,
        generation: &Generation,
        peer: PeerIndex,
        hop: &Flow,
        cause: Cause,
        scope: &mut Scope<'_>,
    ) {
        let quarantine = generation.snapshot.peer(peer).health.quarantine;
        if let Some(health) = self.health_at(hop, generation.snapshot.transport(hop.listener))
            && let Some(change) = health.on_failure(scope.now.time, quarantine)
        {
            tell(health, change, cause, scope);
        }
    }
}

/// Tells the control plane of a change.
pub(crate) fn tell(health: &TargetHealth, state: Change, cause: Cause, scope: &mut Scope<'_>) {
    scope.out.events.push(Event::TargetState {
        peer: health.peer().to_owned(),
        target: health.target().to_owned(),
        state,
        cause,
        unix_ms: scope.now.unix_ms,
    });
}
