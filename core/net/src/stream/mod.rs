//! The connections of a worker: accepted, opened on demand, read, written, and closed in time.
//!
//! A connection belongs to the worker that accepted or opened it. Which worker opens the one to a target is told by a hash of
//! where it leads, so all requests to that target share it, whichever worker their calls belong to. Nothing here waits:
//! sockets are asked once the poll says that they are ready, a bounded amount a turn.
//!
//! What a connection did not carry to the end comes back: once it is tried on a new one; then a request is
//! [`undelivered`](Streams::take_undelivered), which the border takes as unreachable, and a response is lost.

mod accept;
mod connection;
mod deadlines;
mod failures;
mod life;
mod place;
mod queue;
mod receive;
mod send;
mod session;
mod slots;
mod socket;
#[cfg(test)]
mod tests;

use std::collections::{HashMap, VecDeque};
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::sync::Arc;

use foldhash::fast::FixedState;
use ibcf_sip::parse::Fault;
use ibcf_sip::snapshot::ListenerIndex;
use ibcf_sip::statistics::ConnectionResult;
use ibcf_sip::{ConnectionId, Flow, Now, Snapshot, Time};
use mio::Registry;
use mio::event::Event;

use crate::inbox::Handed;
use crate::tls::TlsContexts;
use crate::worker::Common;
use connection::State;
use deadlines::Deadlines;
use failures::Failures;
use place::Peers;
use queue::Queued;
use slots::Slots;

pub(crate) use place::Census;
pub(crate) use slots::worker_of;
#[cfg(test)]
pub(crate) use socket::connect;
pub(crate) use socket::{listen, set_dscp};

/// Read at a time, and so the most that one connection gives before the next one's turn.
const READ_BYTES: usize = 65_536;
/// Connections that are served a turn.
const SERVED_A_TURN: usize = 256;

/// Where what comes out of connections goes.
pub(crate) trait Receiver {
    /// A message came in.
    fn message(&mut self, flow: Flow, bytes: &[u8], now: Now);
    /// A stream broke; *head* may be answered.
    fn broken(&mut self, flow: Flow, head: &[u8], fault: Fault, now: Now);
    /// Tells the operator of something to look at.
    fn alarm(&mut self, name: &'static str, detail: String, now: Now);
    /// Gives something to another worker, or back when it has no room.
    fn hand_over(&mut self, worker: usize, handed: Handed) -> Result<(), Handed>;
}

/// Where a connection leads, and from which listener; over TLS also to whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    listener: ListenerIndex,
    remote: SocketAddr,
    peer: Option<u32>,
}

/// A message that found no way; the border may know another one.
#[derive(Debug)]
pub(crate) struct Undelivered {
    pub(crate) destination: SocketAddr,
    pub(crate) bytes: Vec<u8>,
}

/// The connections of one worker.
#[derive(Debug)]
pub(crate) struct Streams {
    worker: usize,
    common: Arc<Common>,
    registry: Registry,
    /// Addresses that the listeners are bound to.
    bound: Arc<[SocketAddr]>,
    snapshot: Arc<Snapshot>,
    tls: Arc<TlsContexts>,
    peers: Peers,
    slots: Slots,
    pool: HashMap<Key, ConnectionId, FixedState>,
    /// Connections of any worker that requests to an address may use.
    aliases: HashMap<Key, ConnectionId, FixedState>,
    deadlines: Deadlines,
    /// Those that something can be done for.
    ready: VecDeque<ConnectionId>,
    /// Those that have something to write.
    dirty: Vec<ConnectionId>,
    /// What broken connections left, to be sent once more.
    again: Vec<Queued>,
    undelivered: Vec<Undelivered>,
    /// What other workers have to know about aliases.
    to_hand: Vec<(usize, Handed)>,
    /// When accepting may go on that ran out of descriptors.
    accept_after: Option<Time>,
    failures: Failures,
    buffer: Box<[u8]>,
}

impl Streams {
    pub(crate) fn new(
        worker: usize,
        common: Arc<Common>,
        registry: Registry,
        bound: Arc<[SocketAddr]>,
        snapshot: Arc<Snapshot>,
    ) -> Self {
        let peers = Peers::new(&snapshot, &common.shared);
        Self {
            worker,
            registry,
            bound,
            tls: common.tls(),
            common,
            snapshot,
            peers,
            slots: Slots::new(worker),
            pool: HashMap::default(),
            aliases: HashMap::default(),
            deadlines: Deadlines::default(),
            ready: VecDeque::new(),
            dirty: Vec::new(),
            again: Vec::new(),
            undelivered: Vec::new(),
            to_hand: Vec::new(),
            accept_after: None,
            failures: Failures::default(),
            buffer: vec![0; READ_BYTES].into(),
        }
    }

    /// Is there something to do without waiting?
    pub(crate) fn has_work(&self) -> bool {
        !(self.ready.is_empty()
            && self.dirty.is_empty()
            && self.again.is_empty()
            && self.undelivered.is_empty())
    }

    /// When there is something to do even if nothing comes.
    pub(crate) fn next_due(&self) -> Option<Time> {
        [self.deadlines.next_due(), self.accept_after].into_iter().flatten().min()
    }

    /// Notes what the poll says.
    pub(crate) fn on_event(&mut self, event: &Event) {
        let Some(connection) = self.slots.by_token(event.token()) else { return };
        let is_over = event.is_error() || (event.is_read_closed() && event.is_write_closed());
        connection.is_readable |= event.is_readable() || event.is_read_closed() || is_over;
        connection.is_writable |= event.is_writable() || is_over;
        if !std::mem::replace(&mut connection.is_ready, true) {
            self.ready.push_back(connection.id);
        }
    }

    /// Reads and writes what is ready, a bounded amount.
    pub(crate) fn serve(&mut self, receiver: &mut impl Receiver, now: Now) {
        for _ in 0..self.ready.len().min(SERVED_A_TURN) {
            let Some(id) = self.ready.pop_front() else { return };
            self.serve_one(id, receiver, now);
            if let Some(connection) = self.slots.get_mut(id) {
                // One that is still being made says itself when there is more to do.
                connection.is_ready = connection.is_readable && connection.state != State::Connecting;
                if connection.is_ready {
                    self.ready.push_back(id);
                }
            }
        }
    }

    fn serve_one(&mut self, id: ConnectionId, receiver: &mut impl Receiver, now: Now) {
        self.advance(id, receiver, now);
        let Some(connection) = self.slots.get_mut(id) else { return };
        if connection.is_writable {
            self.write(id, now);
        }
        match self.slots.get_mut(id).map(|connection| (connection.is_readable, connection.state)) {
            Some((true, State::Open)) => self.read(id, receiver, now),
            Some((true, State::Closing(_) | State::Lingering(_))) => self.read_away(id),
            _ => {}
        }
    }

    /// Carries on what has to pass before SIP may.
    fn advance(&mut self, id: ConnectionId, receiver: &mut impl Receiver, now: Now) {
        let Some(connection) = self.slots.get_mut(id) else { return };
        if connection.state == State::Connecting && connection.is_writable {
            match connection.is_connected() {
                Ok(true) => connection.enter(State::Handshaking, now.time),
                Ok(false) => {}
                Err(_) => return self.remove(id, ConnectionResult::ConnectFailed),
            }
        }
        if connection.state != State::Handshaking {
            return;
        }
        match connection.session.advance(&mut connection.socket) {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                (connection.is_readable, connection.is_writable) = (false, false);
            }
            Err(error) => return self.on_session_error(id, &error, receiver, now),
        }
        if !connection.session.is_handshaking() {
            self.open(id, now);
        }
        self.look_later(id);
    }

    /// SIP may pass: the other end is who it is.
    fn open(&mut self, id: ConnectionId, now: Now) {
        let Some(connection) = self.slots.get_mut(id) else { return };
        if connection.session.is_proven() {
            connection.flow.peer = connection.session.proven_peer(&self.tls);
            // Its address told nothing: from here on the place is the peer's that it proved to be.
            if connection.flow.peer.is_none()
                || !connection.place.move_to(self.peers.owner(connection.flow.peer))
            {
                return self.remove(id, ConnectionResult::RefusedLimit);
            }
        }
        connection.enter(State::Open, now.time);
        connection.last = now.time;
        // The session may hold what came behind the handshake, of which the poll will not speak again.
        (connection.is_readable, connection.is_writable) = (true, true);
        let way =
            if connection.key.is_some() { ConnectionResult::Connected } else { ConnectionResult::Accepted };
        connection.place.count(way);
        self.mark_dirty(id);
    }
}
