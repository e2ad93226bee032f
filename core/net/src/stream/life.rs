//! How connections end: in time, in order, or broken.

use std::sync::Arc;
use std::time::Duration;

use ibcf_sip::statistics::ConnectionResult;
use ibcf_sip::{ConnectionId, Now, Snapshot};
use socket2::SockRef;

use super::connection::{State, Written};
use super::place::Peers;
use super::{Receiver, Streams, Undelivered, set_dscp};
use crate::inbox::Handed;

/// Connections looked at a turn because of their deadline.
const LOOKED_AT_A_TURN: usize = 1_024;

impl Streams {
    /// Looks at those that are due, a bounded number.
    pub(crate) fn tick(&mut self, receiver: &mut impl Receiver, now: Now) {
        for _ in 0..LOOKED_AT_A_TURN {
            let Some((at, id)) = self.deadlines.take_due(now.time) else { return };
            let Some(connection) = self.slots.get_mut(id) else { continue };
            if connection.looked_at != Some(at) {
                continue; // an earlier entry took its place
            }
            connection.looked_at = None;
            let (due, result) = connection.deadline(&self.snapshot.limits);
            match (connection.state, result) {
                _ if due > now.time => self.look_later(id),
                (State::Open, ConnectionResult::ClosedTimeout) => {
                    self.on_end(id, receiver, result, now);
                }
                (State::Open, ConnectionResult::ClosedIdle) => self.begin_close(id, result, now),
                _ => self.remove(id, result),
            }
        }
    }

    /// Puts the connection among the deadlines, unless it stands there early enough.
    pub(super) fn look_later(&mut self, id: ConnectionId) {
        let Some(connection) = self.slots.get_mut(id) else { return };
        let (due, _) = connection.deadline(&self.snapshot.limits);
        if connection.looked_at.is_none_or(|at| due < at) {
            connection.looked_at = Some(due);
            self.deadlines.put(due, id);
        }
    }

    /// Closes once everything is written that is on its way, the answers of this turn included.
    pub(super) fn begin_close(&mut self, id: ConnectionId, result: ConnectionResult, now: Now) {
        let Some(connection) = self.slots.get_mut(id) else { return };
        connection.enter(State::Closing(result), now.time);
        self.leave_pool(id);
        self.mark_dirty(id);
        self.look_later(id);
    }

    pub(super) fn mark_dirty(&mut self, id: ConnectionId) {
        if let Some(connection) = self.slots.get_mut(id)
            && !std::mem::replace(&mut connection.is_dirty, true)
        {
            self.dirty.push(id);
        }
    }

    /// Writes what waits on the connection.
    pub(super) fn write(&mut self, id: ConnectionId, now: Now) {
        let Some(connection) = self.slots.get_mut(id) else { return };
        let counters = &self.common.counters[self.worker];
        match connection.write(&self.common.buffers, counters, now.time) {
            Written::Well => {
                if matches!(connection.state, State::Lingering(_)) {
                    // The end of the other side may have been read before.
                    connection.is_readable = true;
                    if !std::mem::replace(&mut connection.is_ready, true) {
                        self.ready.push_back(id);
                    }
                }
            }
            Written::Done(result) => self.remove(id, result),
            Written::Failed => self.remove(id, ConnectionResult::ClosedError),
        }
    }

    /// Removes the connection; what it did not carry to the end goes on, or comes back.
    pub(super) fn remove(&mut self, id: ConnectionId, result: ConnectionResult) {
        self.leave_pool(id);
        let Some(mut connection) = self.slots.remove(id) else { return };
        let _ = self.registry.deregister(&mut connection.socket); // closing does it too
        let may_try_again = connection.was_open() && result != ConnectionResult::ClosedSlow;
        let left = connection.queue.take(&self.common.counters[self.worker].stream_waiting_bytes);
        for mut message in left {
            let Some(flow) = &mut message.flow else { continue };
            if may_try_again && !message.is_second_try {
                flow.connection = None;
                message.is_second_try = true;
                self.again.push(message);
            } else {
                let destination = flow.remote;
                self.give_up(destination, message.bytes);
            }
        }
        // Who is told that it ended finds its place free.
        let (owner, listener) = (connection.place.owner.clone(), connection.flow.listener);
        drop(connection);
        owner.count(self.worker, self.snapshot.transport(listener), result);
    }

    /// Nobody can carry the message: the border may try another way for a request.
    pub(super) fn give_up(&mut self, destination: std::net::SocketAddr, bytes: Vec<u8>) {
        if bytes.starts_with(b"SIP/") {
            self.common.counters[self.worker].dropped_send.one();
            self.common.buffers.give_back(bytes);
        } else {
            self.undelivered.push(Undelivered { destination, bytes });
        }
    }

    /// Lets no new request find the connection.
    fn leave_pool(&mut self, id: ConnectionId) {
        let Some(connection) = self.slots.get_mut(id) else { return };
        let aliases = std::mem::take(&mut connection.aliases);
        if let Some(key) = connection.key
            && self.pool.get(&key) == Some(&id)
        {
            self.pool.remove(&key);
        }
        for key in aliases {
            self.drop_alias(key, id);
        }
    }

    fn drop_alias(&mut self, key: super::Key, id: ConnectionId) {
        if self.opener(&key) == self.worker {
            if self.aliases.get(&key) == Some(&id) {
                self.aliases.remove(&key);
            }
        } else {
            self.to_hand.push((self.opener(&key), Handed::DropAlias { key, connection: id }));
        }
    }

    /// Serves *snapshot* from now on: connections of peers that are gone end, all others follow its limits.
    pub(crate) fn apply(&mut self, snapshot: Arc<Snapshot>, now: Now) {
        self.peers = Peers::new(&snapshot, &self.common.shared);
        self.snapshot = snapshot;
        self.tls = self.common.tls();
        for id in self.slots.ids() {
            let Some(connection) = self.slots.get_mut(id) else { continue };
            let tag = connection.place.owner.tag;
            let listener = self.snapshot.listeners.get(connection.flow.listener.at());
            let dscp = listener.and_then(|listener| listener.dscp);
            let _ = set_dscp(&SockRef::from(&connection.socket), connection.flow.remote, dscp);
            // Of whom an address, or a certificate, speaks now may be another than it was.
            let is_known = tag.is_some_and(|tag| self.peers.has(tag))
                && if connection.session.is_proven() {
                    connection.state != State::Open || connection.session.proven_peer(&self.tls) == tag
                } else {
                    connection.key.is_some()
                        || self.peers.at(&self.snapshot, connection.flow.remote.ip()) == tag
                };
            match connection.state {
                State::Closing(_) | State::Lingering(_) => {}
                State::Open if !is_known => self.begin_close(id, ConnectionResult::ClosedReload, now),
                State::Connecting | State::Handshaking if !is_known && tag.is_some() => {
                    self.remove(id, ConnectionResult::ClosedReload);
                }
                _ => self.look_later(id),
            }
        }
    }

    /// How long connecting and its like may take.
    pub(super) fn step(&self) -> Duration {
        Duration::from_millis(self.snapshot.limits.connection_step_ms_max)
    }
}
