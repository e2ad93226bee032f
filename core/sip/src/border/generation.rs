//! A snapshot together with what this process keeps for its peers: statistics, rates, places for calls.

use std::collections::HashMap;
use std::sync::Arc;

use foldhash::fast::FixedState;

use crate::admit::LimiterState;
use crate::flow::Flow;
use crate::rewrite::peer_tag;
use crate::snapshot::{LimiterIndex, PeerIndex, Snapshot, Transport};
use crate::statistics::{PeerStatistics, Shared, TagStatistics};

/// How many snapshots are kept for dialogs that started on them.
pub(crate) const GENERATIONS_KEPT: usize = 4;

#[derive(Debug)]
pub(crate) struct Generation {
    pub(crate) snapshot: Arc<Snapshot>,
    statistics: Vec<Arc<PeerStatistics>>,
    /// Of the tags that its rules give, by their numbers.
    tagged: Vec<Arc<TagStatistics>>,
    limiters: Vec<LimiterState>,
    tags: HashMap<u32, PeerIndex, FixedState>,
}

impl Generation {
    pub(crate) fn new(snapshot: Arc<Snapshot>, shared: &Shared) -> Self {
        let statistics: Vec<_> = snapshot.peers.iter().map(|peer| shared.peer(&peer.id)).collect();
        for (peer, statistics) in snapshot.peers.iter().zip(&statistics) {
            let calls_max = peer.limits.calls_max.unwrap_or(u32::MAX);
            statistics.calls_max.store(calls_max, std::sync::atomic::Ordering::Relaxed);
        }
        let tags = snapshot
            .peers
            .iter()
            .enumerate()
            .map(|(at, peer)| (peer_tag(&peer.id), PeerIndex(at as u16)))
            .collect();
        let tagged = snapshot.routes.tags().iter().map(|tag| shared.tag(tag)).collect();
        let limiters = snapshot.limiters.iter().map(|limiter| shared.limiter(limiter)).collect();
        shared.detectors.apply(&snapshot.patterns);
        Self { snapshot, statistics, tagged, limiters, tags }
    }

    pub(crate) fn statistics(&self, peer: PeerIndex) -> &Arc<PeerStatistics> {
        &self.statistics[peer.at()]
    }

    /// Counts a request that got the tag of that number.
    pub(crate) fn count_tag(&self, tag: u16, worker: usize) {
        if let Some(statistics) = self.tagged.get(usize::from(tag)) {
            statistics.count(worker);
        }
    }

    /// What the limiter at *index* counts.
    pub(crate) fn limiter(&self, index: LimiterIndex) -> &LimiterState {
        &self.limiters[index.at()]
    }

    /// The peer that a message came from: over TLS the one that its certificate proved, else the one with that address.
    pub(crate) fn sender(&self, flow: &Flow) -> Option<PeerIndex> {
        match self.snapshot.transport(flow.listener) {
            Transport::Tls => flow.peer.and_then(|tag| self.peer_by_tag(tag)),
            Transport::Udp | Transport::Tcp => self.snapshot.sources.find(flow.remote.ip()),
        }
    }

    /// Finds the peer that a sealed token means.
    pub(crate) fn peer_by_tag(&self, tag: u32) -> Option<PeerIndex> {
        self.tags.get(&tag).copied()
    }
}
