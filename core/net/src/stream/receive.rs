//! What comes out of connections: messages, pings, broken streams, ends.

use std::io::ErrorKind;

use ibcf_sip::parse::{Frame, PONG};
use ibcf_sip::statistics::ConnectionResult;
use ibcf_sip::{ConnectionId, Now};

use super::connection::State;
use super::queue::Queued;
use super::session::cause;
use super::{Receiver, Streams};

/// Pongs that are sent for what one read brought: who asks more often need not be told more often.
const PONGS_A_READ: usize = 16;

impl Streams {
    pub(super) fn read(&mut self, id: ConnectionId, receiver: &mut impl Receiver, now: Now) {
        let Some(connection) = self.slots.get_mut(id) else { return };
        match connection.session.read(&mut connection.socket, &mut self.buffer) {
            Ok(0) => self.on_end(id, receiver, ConnectionResult::ClosedPeer, now),
            Ok(length) => {
                connection.last = now.time;
                self.take_frames(id, length, receiver, now);
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => connection.is_readable = false,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if cause(&error).is_some() => self.on_session_error(id, &error, receiver, now),
            Err(_) => self.remove(id, ConnectionResult::ClosedError),
        }
    }

    fn take_frames(&mut self, id: ConnectionId, length: usize, receiver: &mut impl Receiver, now: Now) {
        let Some(connection) = self.slots.get_mut(id) else { return };
        let counters = &self.common.counters[self.worker];
        counters.stream_received_bytes.add(length as u64);
        let was_within = connection.framer.is_within_message();
        let (mut messages, mut pings, mut is_broken) = (0_u64, 0, false);
        let mut input = self.buffer.get(..length).unwrap_or_default();
        while let Some(frame) = connection.framer.next(&mut input, &self.snapshot.limits) {
            match frame {
                Frame::Message(bytes) => {
                    messages += 1;
                    receiver.message(connection.flow, bytes, now);
                }
                Frame::Ping => pings += 1,
                Frame::Broken { head, fault } => {
                    is_broken = true;
                    receiver.broken(connection.flow, head, fault, now);
                }
            }
        }
        counters.stream_received.add(messages);
        if !was_within || messages > 0 {
            connection.message_since = now.time;
        }
        if is_broken {
            return self.begin_close(id, ConnectionResult::ClosedFraming, now);
        }
        if pings > 0 {
            let bytes = PONG.repeat(pings.min(PONGS_A_READ));
            self.enqueue(id, Queued { flow: None, bytes, is_second_try: false });
        }
        self.look_later(id);
    }

    /// The other end will send no more, or nothing in time: its last message may be one that can be answered.
    pub(super) fn on_end(
        &mut self,
        id: ConnectionId,
        receiver: &mut impl Receiver,
        result: ConnectionResult,
        now: Now,
    ) {
        let Some(connection) = self.slots.get_mut(id) else { return };
        connection.is_readable = false;
        if let Some(Frame::Broken { head, fault }) = connection.framer.end() {
            receiver.broken(connection.flow, head, fault, now);
        }
        self.begin_close(id, result, now);
    }

    /// Reads what nobody wants to know any more, until the other end is done.
    pub(super) fn read_away(&mut self, id: ConnectionId) {
        let Some(connection) = self.slots.get_mut(id) else { return };
        let (is_last, result) = match connection.state {
            State::Lingering(result) => (true, result),
            State::Closing(result) => (false, result),
            _ => return,
        };
        match connection.session.read(&mut connection.socket, &mut self.buffer) {
            Ok(0) if is_last => self.remove(id, result),
            Ok(0) => connection.is_readable = false,
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => connection.is_readable = false,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(_) => self.remove(id, result),
        }
    }
}
