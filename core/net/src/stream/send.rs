//! Which connection a message leaves on, and which worker has it.

use ibcf_sip::snapshot::Transport;
use ibcf_sip::statistics::ConnectionResult;
use ibcf_sip::{ConnectionId, Flow, Now, Outputs};
use std::hash::BuildHasher;
use std::net::SocketAddr;

use super::queue::Queued;
use super::{Key, Receiver, Streams, Undelivered, worker_of};
use crate::inbox::Handed;

/// Addresses that one connection may stand for.
const ALIASES_MAX: usize = 4;

impl Streams {
    /// Sends what the border decided on that goes over connections.
    pub(crate) fn send_all(&mut self, outputs: &Outputs, receiver: &mut impl Receiver, now: Now) {
        for send in outputs.sends() {
            if self.snapshot.transport(send.flow.listener).is_reliable() {
                let bytes = self.common.buffers.copy(outputs.bytes(send));
                let message = Queued { flow: Some(send.flow), bytes, is_second_try: false };
                self.send(message, receiver, now);
            }
        }
        for (connection, address) in &outputs.aliases {
            self.take(Handed::Alias { connection: *connection, address: *address }, receiver, now);
        }
        self.flush(receiver, now);
    }

    /// Takes what another worker handed over, unless it is for the border.
    pub(crate) fn take(&mut self, handed: Handed, receiver: &mut impl Receiver, now: Now) {
        match handed {
            Handed::Send { flow, bytes, is_second_try } => {
                self.send(Queued { flow: Some(flow), bytes, is_second_try }, receiver, now);
            }
            Handed::Alias { connection, address } if worker_of(connection) == self.worker => {
                self.add_alias(connection, address, receiver);
            }
            Handed::Alias { connection, .. } => {
                drop(receiver.hand_over(worker_of(connection), handed));
            }
            Handed::PutAlias { key, connection } => drop(self.aliases.insert(key, connection)),
            Handed::DropAlias { key, connection } => {
                if self.aliases.get(&key) == Some(&connection) {
                    self.aliases.remove(&key);
                }
            }
            Handed::Message { .. } | Handed::Unreachable { .. } => {}
        }
    }

    /// What found no way since this was last asked.
    pub(crate) fn take_undelivered(&mut self) -> Vec<Undelivered> {
        std::mem::take(&mut self.undelivered)
    }

    /// Does any connection hold something that is not written? Then a stop would lose it.
    pub(crate) fn is_idle(&self) -> bool {
        self.dirty.is_empty() && self.again.is_empty() && self.undelivered.is_empty()
    }

    /// Writes to all that have something to write, and sends on what broken ones left.
    fn flush(&mut self, receiver: &mut impl Receiver, now: Now) {
        // What is sent once more may break its connection too, but then it is given up.
        for _ in 0..3 {
            for id in std::mem::take(&mut self.dirty) {
                if let Some(connection) = self.slots.get_mut(id) {
                    connection.is_dirty = false;
                    self.write(id, now);
                }
            }
            for message in std::mem::take(&mut self.again) {
                self.send(message, receiver, now);
            }
        }
        for (worker, handed) in std::mem::take(&mut self.to_hand) {
            drop(receiver.hand_over(worker, handed)); // an alias too many is found out when it is used
        }
    }

    /// Queues a message on the connection it is for, here or at the worker that has it.
    fn send(&mut self, mut message: Queued, receiver: &mut impl Receiver, now: Now) {
        let Some(flow) = &mut message.flow else { return };
        if let Some(id) = flow.connection {
            if worker_of(id) != self.worker {
                return self.hand_over(worker_of(id), message, receiver);
            }
            if self.slots.get_mut(id).is_some_and(|connection| connection.is_usable()) {
                return self.enqueue(id, message);
            }
            flow.connection = None;
            let key = self.key(flow);
            if self.opener(&key) != self.worker {
                // Whoever sent it here by an alias must not do so again.
                drop(receiver.hand_over(self.opener(&key), Handed::DropAlias { key, connection: id }));
            }
        }
        let flow = *flow;
        let key = self.key(&flow);
        let opener = self.opener(&key);
        if opener != self.worker {
            return self.hand_over(opener, message, receiver);
        }
        if let Some(id) = self.pool.get(&key).copied() {
            return self.enqueue(id, message);
        }
        if let Some(id) = self.aliases.get(&key).copied() {
            if worker_of(id) != self.worker {
                message.flow = Some(Flow { connection: Some(id), ..flow });
                return self.hand_over(worker_of(id), message, receiver);
            }
            if self.slots.get_mut(id).is_some_and(|connection| connection.is_usable()) {
                return self.enqueue(id, message);
            }
            self.aliases.remove(&key);
        }
        match self.connect(key, flow, now) {
            Some(id) => self.enqueue(id, message),
            None => self.give_up(flow.remote, message.bytes),
        }
    }

    /// Puts a message into the queue of a connection; one whose other end does not read ends here.
    pub(super) fn enqueue(&mut self, id: ConnectionId, message: Queued) {
        let bytes_max = self.snapshot.limits.connection_queue_bytes_max;
        let Some(connection) = self.slots.get_mut(id) else { return };
        let has_room = connection.queue.has_room(message.bytes.len(), bytes_max);
        connection.queue.push(message, &self.common.counters[self.worker].stream_waiting_bytes);
        if has_room {
            self.mark_dirty(id);
        } else {
            self.remove(id, ConnectionResult::ClosedSlow);
        }
    }

    fn hand_over(&mut self, worker: usize, message: Queued, receiver: &mut impl Receiver) {
        let Queued { flow: Some(flow), bytes, is_second_try } = message else { return };
        if let Err(Handed::Send { flow, bytes, .. }) =
            receiver.hand_over(worker, Handed::Send { flow, bytes, is_second_try })
        {
            self.give_up(flow.remote, bytes);
        }
    }

    /// The other end of a connection that we accepted says that requests to *address* may use it (RFC 5923 §5).
    fn add_alias(&mut self, id: ConnectionId, address: SocketAddr, receiver: &mut impl Receiver) {
        let Some(connection) = self.slots.get_mut(id) else { return };
        let flow = Flow { remote: address, ..connection.flow };
        let key = self.key(&flow);
        let Some(connection) = self.slots.get_mut(id) else { return };
        if connection.aliases.len() >= ALIASES_MAX || connection.aliases.contains(&key) {
            return;
        }
        connection.aliases.push(key);
        let opener = self.opener(&key);
        if opener == self.worker {
            self.aliases.insert(key, id);
        } else {
            drop(receiver.hand_over(opener, Handed::PutAlias { key, connection: id }));
        }
    }

    /// Over TCP the address is all that tells connections apart; over TLS it matters who is at the other end.
    fn key(&self, flow: &Flow) -> Key {
        let is_proven = self.snapshot.transport(flow.listener) == Transport::Tls;
        Key { listener: flow.listener, remote: flow.remote, peer: flow.peer.filter(|_| is_proven) }
    }

    /// The worker that opens the connection, and knows the aliases, for *key*.
    pub(super) fn opener(&self, key: &Key) -> usize {
        (self.common.owners.hash_one(key) % self.common.inboxes.len() as u64) as usize
    }
}
