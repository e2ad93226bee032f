//! The targets of peers that are located by DNS, as the control plane handed them in (RFC 3263).

use std::collections::HashMap;
use std::sync::Arc;

use foldhash::fast::FixedState;

use super::{Border, Generation};
use crate::input::TargetSet;
use crate::rewrite::peer_tag;
use crate::snapshot::{Location, PeerIndex, Target, document};
use crate::time::Time;

/// Target sets by the tag of their peer. As many as there are peers, since a set for any other is ignored.
#[derive(Debug, Default)]
pub(crate) struct LocatedPeers {
    sets: HashMap<u32, Located, FixedState>,
}

#[derive(Debug)]
struct Located {
    /// As handed in: resolved anew for each snapshot, whose listeners may be others.
    document: Vec<document::Target>,
    targets: Arc<[Arc<Target>]>,
}

impl LocatedPeers {
    /// Takes a set for a peer of *generation*; tells which it was.
    fn put(&mut self, set: TargetSet, generation: &Generation) -> Option<PeerIndex> {
        let tag = peer_tag(&set.peer);
        let peer = domain_peer(generation, tag)?;
        let targets = generation.snapshot.located(peer, &set.targets);
        self.sets.insert(tag, Located { document: set.targets, targets });
        Some(peer)
    }

    /// A new snapshot is in force: forgets the peers that it does not locate.
    pub(crate) fn move_to(&mut self, generation: &Generation) {
        self.sets.retain(|tag, located| {
            let Some(peer) = domain_peer(generation, *tag) else { return false };
            located.targets = generation.snapshot.located(peer, &located.document);
            true
        });
    }

    fn find(&self, tag: u32) -> Arc<[Arc<Target>]> {
        self.sets.get(&tag).map(|located| Arc::clone(&located.targets)).unwrap_or_default()
    }
}

fn domain_peer(generation: &Generation, tag: u32) -> Option<PeerIndex> {
    generation
        .peer_by_tag(tag)
        .filter(|peer| generation.snapshot.peer(*peer).location == Some(Location::Domain))
}

impl Border {
    pub(super) fn locate_peer(&mut self, set: TargetSet, now: Time) {
        if let Some(peer) = self.located.put(set, &self.generation) {
            self.watch_peer(peer);
            self.arrange_probes_of(peer, now);
        }
    }

    /// The targets of a peer, unless each Request-URI has its own.
    pub(crate) fn standing_targets_of(
        &self,
        generation: &Generation,
        peer: PeerIndex,
    ) -> Option<Arc<[Arc<Target>]>> {
        let location = generation.snapshot.peer(peer).location;
        let is_asked = matches!(location, Some(Location::RequestUri { .. }));
        (!is_asked).then(|| self.targets_of(generation, peer))
    }

    /// The targets of a peer: those of the snapshot, or where it was located last.
    pub(crate) fn targets_of(&self, generation: &Generation, peer: PeerIndex) -> Arc<[Arc<Target>]> {
        let peer = generation.snapshot.peer(peer);
        match peer.location {
            None => Arc::clone(&peer.targets),
            Some(_) => self.located.find(peer_tag(&peer.id)),
        }
    }
}
