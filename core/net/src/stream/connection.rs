//! One connection: its socket, what it has still to say, and what it waits for.
//!
//! | state      | input                      | next      |
//! |------------|----------------------------|-----------|
//! | Connecting | the socket is connected    | Handshaking, Open |
//! | Handshaking| the session is up          | Open      |
//! | Open       | the other end is done, a broken stream, a reload | Closing |
//! | Closing    | all is written             | gone; Lingering after an answer to a broken stream |
//! | Lingering  | the other end is done      | gone      |
//! | any        | an error, a deadline       | gone      |

use std::io::{self, ErrorKind};
use std::time::Duration;

use ibcf_sip::parse::Framer;
use ibcf_sip::snapshot::Limits;
use ibcf_sip::statistics::ConnectionResult;
use ibcf_sip::{ConnectionId, Flow, Time};
use mio::net::TcpStream;

use super::Key;
use super::place::Place;
use super::queue::Queue;
use super::session::Session;
use crate::buffers::Buffers;
use crate::counters::NetCounters;

/// How long the other end may take to read our last words.
const LINGER: Duration = Duration::from_secs(2);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Connecting,
    Handshaking,
    Open,
    Closing(ConnectionResult),
    Lingering(ConnectionResult),
}

/// What a write came to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Written {
    /// There is nothing to wait for, or the socket says when it takes more.
    Well,
    /// All is said: the connection is to be removed.
    Done(ConnectionResult),
    Failed,
}

#[derive(Debug)]
pub(super) struct Connection {
    pub(super) id: ConnectionId,
    pub(super) socket: TcpStream,
    pub(super) session: Session,
    /// Our listener and their address.
    pub(super) flow: Flow,
    pub(super) place: Place,
    pub(super) state: State,
    /// Under what requests find it, when we opened it.
    pub(super) key: Option<Key>,
    /// Under what requests find it besides (RFC 5923).
    pub(super) aliases: Vec<Key>,
    pub(super) framer: Framer,
    pub(super) queue: Queue,
    pub(super) is_readable: bool,
    pub(super) is_writable: bool,
    /// Stands in the list of those that something can be done for.
    pub(super) is_ready: bool,
    /// Stands in the list of those that have something to write.
    pub(super) is_dirty: bool,
    /// Its last words were taken: nothing more is queued.
    pub(super) is_sealed: bool,
    /// When the state began.
    pub(super) since: Time,
    /// When something passed last.
    pub(super) last: Time,
    /// When the message began that is under way.
    pub(super) message_since: Time,
    /// The earliest entry among the deadlines.
    pub(super) looked_at: Option<Time>,
}

impl Connection {
    /// Can it carry a message?
    pub(super) const fn is_usable(&self) -> bool {
        match self.state {
            State::Connecting | State::Handshaking | State::Open => true,
            State::Closing(_) => !self.is_sealed,
            State::Lingering(_) => false,
        }
    }

    /// Was it ever good for anything? Then what it did not carry to the end may be tried on another one.
    pub(super) const fn was_open(&self) -> bool {
        !matches!(self.state, State::Connecting | State::Handshaking)
    }

    pub(super) fn enter(&mut self, state: State, now: Time) {
        self.state = state;
        self.since = now;
    }

    /// When it is given up as things are, and what that is then called.
    pub(super) fn deadline(&self, limits: &Limits) -> (Time, ConnectionResult) {
        let step = Duration::from_millis(limits.connection_step_ms_max);
        match self.state {
            State::Connecting => (self.since + step, ConnectionResult::ConnectFailed),
            State::Handshaking => (self.since + step, ConnectionResult::HandshakeFailed),
            State::Closing(result) | State::Lingering(result) => (self.since + step.min(LINGER), result),
            State::Open => {
                let idle = (
                    self.last + Duration::from_millis(limits.connection_idle_ms_max),
                    if self.queue.is_empty() {
                        ConnectionResult::ClosedIdle
                    } else {
                        ConnectionResult::ClosedSlow
                    },
                );
                let waits = if self.place.owner.tag.is_none() {
                    // A stranger is told so, and has no more to say.
                    Some(self.since)
                } else {
                    self.framer.is_within_message().then_some(self.message_since)
                };
                match waits.map(|since| since + step) {
                    Some(at) if at < idle.0 => (at, ConnectionResult::ClosedTimeout),
                    _ => idle,
                }
            }
        }
    }

    /// Finds out whether it is connected now; `false` while nobody knows.
    pub(super) fn is_connected(&mut self) -> io::Result<bool> {
        if let Some(error) = self.socket.take_error()? {
            return Err(error);
        }
        match self.socket.peer_addr() {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == ErrorKind::NotConnected => {
                self.is_writable = false;
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }

    /// Writes what waits, as far as the socket takes it.
    pub(super) fn write(&mut self, buffers: &Buffers, counters: &NetCounters, now: Time) -> Written {
        if !matches!(self.state, State::Open | State::Closing(_)) {
            return Written::Well;
        }
        while self.is_writable && (self.session.wants_write() || !self.queue.is_empty()) {
            let (session, socket) = (&mut self.session, &mut self.socket);
            let written = if self.queue.is_empty() {
                session.flush(socket).map(|()| 0)
            } else {
                self.queue.write(|slices| session.write(socket, slices))
            };
            match written {
                Ok(length) => {
                    self.last = now;
                    counters.stream_sent_bytes.add(length as u64);
                    let waiting = &counters.stream_waiting_bytes;
                    counters.stream_sent.add(self.queue.advance(length, buffers, waiting));
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => self.is_writable = false,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return Written::Failed,
            }
        }
        let State::Closing(result) = self.state else { return Written::Well };
        self.is_sealed = true;
        if !self.queue.is_empty() || self.session.wants_write() {
            return Written::Well;
        }
        self.session.end(&mut self.socket);
        let has_answered =
            matches!(result, ConnectionResult::ClosedFraming | ConnectionResult::ClosedTimeout);
        if !has_answered {
            return Written::Done(result);
        }
        // A close with bytes unread is a reset, which would overtake the answer: read on until they have it.
        self.enter(State::Lingering(result), now);
        Written::Well
    }
}
