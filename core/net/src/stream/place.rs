//! The places that connections take: of the node, of their peer, or of the few that strangers may have.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use foldhash::fast::FixedState;
use ibcf_sip::Snapshot;
use ibcf_sip::rewrite::peer_tag;
use ibcf_sip::snapshot::Transport;
use ibcf_sip::statistics::{ConnectionResult, PeerStatistics, Shared};

/// Connections of those who belong to no peer, or have not proved yet to which one: enough to tell them so.
const STRANGERS_MAX: usize = 64;

/// How many there are, over all workers.
#[derive(Debug)]
pub(crate) struct Census {
    max: AtomicUsize,
    all: AtomicUsize,
    strangers: AtomicUsize,
}

/// The peers of the snapshot in force, as connections need to know them.
#[derive(Debug)]
pub(crate) struct Peers {
    by_tag: HashMap<u32, Owner, FixedState>,
    stranger: Owner,
}

/// Whom a connection belongs to.
#[derive(Clone, Debug)]
pub(crate) struct Owner {
    /// [`peer_tag`] of the peer; `None` for a stranger.
    pub(crate) tag: Option<u32>,
    statistics: Arc<PeerStatistics>,
    connections_max: Option<u32>,
}

impl Census {
    pub(crate) fn new(max: usize) -> Self {
        Self { max: max.into(), all: AtomicUsize::new(0), strangers: AtomicUsize::new(0) }
    }

    /// How many there may be.
    pub(crate) fn max(&self) -> usize {
        self.max.load(Ordering::Relaxed)
    }

    /// From now on there may be so many; those that there are stay.
    pub(crate) fn set_max(&self, max: usize) {
        self.max.store(max, Ordering::Relaxed);
    }
}

impl Peers {
    pub(crate) fn new(snapshot: &Snapshot, shared: &Shared) -> Self {
        let owner = |peer: &ibcf_sip::snapshot::Peer| {
            let tag = peer_tag(&peer.id);
            let statistics = shared.peer(&peer.id);
            (tag, Owner { tag: Some(tag), statistics, connections_max: peer.limits.connections_max })
        };
        Self {
            by_tag: snapshot.peers.iter().map(owner).collect(),
            stranger: Owner { tag: None, statistics: Arc::clone(shared.unknown()), connections_max: None },
        }
    }

    /// The peer with *tag*; the stranger when there is none.
    pub(crate) fn owner(&self, tag: Option<u32>) -> &Owner {
        tag.and_then(|tag| self.by_tag.get(&tag)).unwrap_or(&self.stranger)
    }

    /// The tag of the peer that *address* belongs to.
    #[allow(clippy::unused_self)] // beside `owner`: both ask whose it is
    pub(crate) fn at(&self, snapshot: &Snapshot, address: IpAddr) -> Option<u32> {
        snapshot.sources.find(address).map(|peer| peer_tag(&snapshot.peer(peer).id))
    }

    pub(crate) fn has(&self, tag: u32) -> bool {
        self.by_tag.contains_key(&tag)
    }
}

impl Owner {
    /// Counts what became of a connection of theirs.
    pub(crate) fn count(&self, worker: usize, transport: Transport, result: ConnectionResult) {
        self.statistics.shard(worker).connection(transport, result);
    }
}

/// A place that is taken; giving it back cannot be forgotten.
#[derive(Debug)]
pub(crate) struct Place {
    census: Arc<Census>,
    pub(crate) owner: Owner,
    worker: usize,
    transport: Transport,
}

impl Place {
    /// Takes a place for *owner*; `None` when the node or the peer has no more.
    pub(crate) fn take(
        census: &Arc<Census>,
        owner: &Owner,
        worker: usize,
        transport: Transport,
    ) -> Option<Self> {
        if !take(&census.all, census.max()) {
            return None;
        }
        if !take_of(census, owner) {
            census.all.fetch_sub(1, Ordering::Relaxed);
            return None;
        }
        owner.statistics.shard(worker).connections_active(transport, 1);
        Some(Self { census: Arc::clone(census), owner: owner.clone(), worker, transport })
    }

    /// Moves to *owner*, who proved to be the other end; `false` when they have no more places.
    pub(crate) fn move_to(&mut self, owner: &Owner) -> bool {
        if self.owner.tag == owner.tag {
            return true;
        }
        if !take_of(&self.census, owner) {
            return false;
        }
        self.leave();
        owner.statistics.shard(self.worker).connections_active(self.transport, 1);
        self.owner = owner.clone();
        true
    }

    /// Counts what became of the connection that has this place.
    pub(crate) fn count(&self, result: ConnectionResult) {
        self.owner.count(self.worker, self.transport, result);
    }

    fn leave(&self) {
        self.owner.statistics.shard(self.worker).connections_active(self.transport, -1);
        match self.owner.tag {
            Some(_) => self.owner.statistics.free_connection(),
            None => drop(self.census.strangers.fetch_sub(1, Ordering::Relaxed)),
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.leave();
        self.census.all.fetch_sub(1, Ordering::Relaxed);
    }
}

fn take_of(census: &Census, owner: &Owner) -> bool {
    match owner.tag {
        Some(_) => owner.statistics.take_connection(owner.connections_max),
        None => take(&census.strangers, STRANGERS_MAX),
    }
}

fn take(count: &AtomicUsize, max: usize) -> bool {
    count.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |count| (count < max).then(|| count + 1)).is_ok()
}
