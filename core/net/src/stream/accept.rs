//! How connections begin: accepted from who may, or opened to where something is to go.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::time::Duration;

use ibcf_sip::parse::Framer;
use ibcf_sip::snapshot::{ListenerIndex, Transport};
use ibcf_sip::statistics::ConnectionResult;
use ibcf_sip::{ConnectionId, Flow, Now};
use mio::Interest;
use mio::net::{TcpListener, TcpStream};
use socket2::SockRef;

use super::connection::{Connection, State};
use super::place::{Owner, Place};
use super::queue::Queue;
use super::session::Session;
use super::{Key, Streams, socket};

/// Connections taken from one listener a turn.
const ACCEPTED_A_TURN: usize = 64;
/// Without a free descriptor, try again after this long.
const ACCEPT_AGAIN: Duration = Duration::from_millis(100);

impl Streams {
    /// Accepts what waits; `false` when nothing does any more.
    pub(crate) fn accept(&mut self, listener: ListenerIndex, socket: &TcpListener, now: Now) -> bool {
        for _ in 0..ACCEPTED_A_TURN {
            match socket.accept() {
                Ok((stream, remote)) => self.accept_one(listener, stream, remote, now),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return false,
                // Of a connection that ended before it was accepted.
                Err(error)
                    if matches!(error.kind(), ErrorKind::ConnectionAborted | ErrorKind::Interrupted) => {}
                Err(_) => {
                    self.accept_after = Some(now.time + ACCEPT_AGAIN);
                    return false;
                }
            }
        }
        true
    }

    /// May accepting go on that failed a moment ago?
    pub(crate) fn accepts_again(&mut self, now: Now) -> bool {
        self.accept_after.take_if(|at| *at <= now.time).is_some()
    }

    fn accept_one(&mut self, listener: ListenerIndex, stream: TcpStream, remote: SocketAddr, now: Now) {
        let transport = self.snapshot.transport(listener);
        let tag = self.peers.at(&self.snapshot, remote.ip());
        let owner = self.peers.owner(tag).clone();
        // EN-04: a stranger gets its 403 or nothing. Over TLS the certificate says who it is, not the address.
        if tag.is_none() && transport == Transport::Tcp && !self.snapshot.unknown_source.reject {
            owner.count(self.worker, transport, ConnectionResult::RefusedUnknown);
            return socket::refuse(stream);
        }
        let Some(place) = self.take_place(&owner, transport) else { return socket::refuse(stream) };
        let Some(session) = Session::accept(transport, listener, &self.tls) else {
            return socket::refuse(stream);
        };
        let dscp = self.snapshot.listeners.get(listener.at()).and_then(|listener| listener.dscp);
        socket::set_options(&SockRef::from(&stream), remote, dscp, self.step());
        let flow = Flow { listener, remote, connection: None, peer: None };
        self.insert((stream, session), flow, place, None, State::Handshaking, now);
    }

    /// Opens a connection to where *key* says.
    pub(super) fn connect(&mut self, key: Key, flow: Flow, now: Now) -> Option<ConnectionId> {
        let transport = self.snapshot.transport(key.listener);
        let tag = flow.peer.or_else(|| self.peers.at(&self.snapshot, flow.remote.ip()));
        let owner = self.peers.owner(tag).clone();
        // An answer to a stranger takes the way that it came, or none.
        owner.tag?;
        let place = self.take_place(&owner, transport)?;
        let session = Session::connect(transport, key.listener, flow.peer, &self.tls)?;
        let local = self.bound.get(key.listener.at())?.ip();
        let dscp = self.snapshot.listeners.get(key.listener.at()).and_then(|listener| listener.dscp);
        let flow = Flow { listener: key.listener, remote: key.remote, connection: None, peer: None };
        let Ok(stream) = socket::connect(local, key.remote, dscp, self.step()) else {
            place.count(ConnectionResult::ConnectFailed);
            return None;
        };
        self.insert((stream, session), flow, place, Some(key), State::Connecting, now)
    }

    fn take_place(&self, owner: &Owner, transport: Transport) -> Option<Place> {
        let place = Place::take(&self.common.census, owner, self.worker, transport);
        if place.is_none() {
            owner.count(self.worker, transport, ConnectionResult::RefusedLimit);
        }
        place
    }

    fn insert(
        &mut self,
        (mut socket, session): (TcpStream, Session),
        flow: Flow,
        place: Place,
        key: Option<Key>,
        state: State,
        now: Now,
    ) -> Option<ConnectionId> {
        let registry = &self.registry;
        let id = self.slots.insert(|id, token| {
            registry.register(&mut socket, token, Interest::READABLE | Interest::WRITABLE).ok()?;
            Some(Box::new(Connection {
                id,
                socket,
                session,
                flow: Flow { connection: Some(id), ..flow },
                place,
                state,
                key,
                aliases: Vec::new(),
                framer: Framer::default(),
                queue: Queue::default(),
                is_readable: false,
                is_writable: false,
                is_ready: true,
                is_dirty: false,
                is_sealed: false,
                since: now.time,
                last: now.time,
                message_since: now.time,
                looked_at: None,
            }))
        })?;
        if let Some(key) = key {
            self.pool.insert(key, id);
        }
        self.ready.push_back(id);
        self.look_later(id);
        Some(id)
    }
}
