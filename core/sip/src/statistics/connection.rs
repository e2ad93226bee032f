//! What is counted about the connections of a peer; who owns sockets does the counting.

use std::sync::atomic::Ordering;

use super::{Counter, Gauge, PeerShard, PeerStatistics};
use crate::snapshot::Transport;

/// What became of a connection: how it began, or failed to, and how it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)] // the names of the label `result` say it
pub enum ConnectionResult {
    Accepted,
    Connected,
    RefusedLimit,
    RefusedUnknown,
    ConnectFailed,
    HandshakeFailed,
    ClosedIdle,
    ClosedSlow,
    ClosedTimeout,
    ClosedFraming,
    ClosedPeer,
    ClosedError,
    ClosedReload,
}

impl ConnectionResult {
    pub(super) const ALL: [Self; 13] = [
        Self::Accepted,
        Self::Connected,
        Self::RefusedLimit,
        Self::RefusedUnknown,
        Self::ConnectFailed,
        Self::HandshakeFailed,
        Self::ClosedIdle,
        Self::ClosedSlow,
        Self::ClosedTimeout,
        Self::ClosedFraming,
        Self::ClosedPeer,
        Self::ClosedError,
        Self::ClosedReload,
    ];

    /// Returns the value of the label `result`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Connected => "connected",
            Self::RefusedLimit => "refused_limit",
            Self::RefusedUnknown => "refused_unknown",
            Self::ConnectFailed => "connect_failed",
            Self::HandshakeFailed => "handshake_failed",
            Self::ClosedIdle => "closed_idle",
            Self::ClosedSlow => "closed_slow",
            Self::ClosedTimeout => "closed_timeout",
            Self::ClosedFraming => "closed_framing",
            Self::ClosedPeer => "closed_peer",
            Self::ClosedError => "closed_error",
            Self::ClosedReload => "closed_reload",
        }
    }
}

pub(super) const TRANSPORTS: [Transport; 2] = [Transport::Tcp, Transport::Tls];

fn at(transport: Transport) -> usize {
    usize::from(transport == Transport::Tls)
}

/// What one worker counts about the connections of one peer.
#[derive(Debug, Default)]
pub(super) struct Connections {
    pub(super) results: [[Counter; ConnectionResult::ALL.len()]; TRANSPORTS.len()],
    pub(super) active: [Gauge; TRANSPORTS.len()],
}

impl PeerShard {
    /// Counts what became of a connection.
    pub fn connection(&self, transport: Transport, result: ConnectionResult) {
        self.connections.results[at(transport)][result as usize].one();
    }

    /// Counts connections that are there up or down.
    pub fn connections_active(&self, transport: Transport, change: i64) {
        self.connections.active[at(transport)].add(change);
    }
}

impl PeerStatistics {
    /// Takes one of *`connections_max`* places for a connection, or tells that all are taken.
    pub fn take_connection(&self, connections_max: Option<u32>) -> bool {
        let max = connections_max.unwrap_or(u32::MAX);
        self.connections
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |count| (count < max).then(|| count + 1))
            .is_ok()
    }

    /// Gives a place back.
    pub fn free_connection(&self) {
        self.connections.fetch_sub(1, Ordering::Relaxed);
    }
}
