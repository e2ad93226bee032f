//! Places for calls, of which an agreement may bound the number; giving one back cannot be forgotten.
//!
//! A call takes one with the peer that it comes from, and one with each peer that is asked for it at the moment.

use std::sync::Arc;

use crate::snapshot::Direction;
use crate::statistics::PeerStatistics;

/// The place of a call with the peer that it comes from.
#[derive(Debug)]
pub(crate) struct UpstreamPlace {
    worker: u8,
    direction: Direction,
    peer: Arc<PeerStatistics>,
}

impl UpstreamPlace {
    /// Takes a place; `None` when the peer has none left.
    pub(crate) fn take(
        worker: u8,
        direction: Direction,
        peer: &Arc<PeerStatistics>,
        calls_max: Option<u32>,
    ) -> Option<Self> {
        peer.take_call(calls_max).then(|| {
            peer.shard(usize::from(worker)).calls_active(direction, 1);
            Self { worker, direction, peer: Arc::clone(peer) }
        })
    }
}

impl Drop for UpstreamPlace {
    fn drop(&mut self) {
        self.peer.free_call();
        self.peer.shard(usize::from(self.worker)).calls_active(self.direction, -1);
    }
}

/// The place of a branch with the peer that it was sent to: until that peer refused, or the call is over.
#[derive(Debug)]
pub(crate) struct DownstreamPlace(Arc<PeerStatistics>);

impl DownstreamPlace {
    /// Takes a place; `None` when the peer has none left.
    pub(crate) fn take(peer: &Arc<PeerStatistics>, calls_max: Option<u32>) -> Option<Self> {
        peer.take_call(calls_max).then(|| Self(Arc::clone(peer)))
    }
}

impl Drop for DownstreamPlace {
    fn drop(&mut self) {
        self.0.free_call();
    }
}
