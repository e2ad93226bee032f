//! One of our ends on the network: what it receives and how it sends, whatever the transport.

use std::io;
use std::net::SocketAddr;
use std::os::fd::RawFd;

use crate::clock::Nanoseconds;
use crate::datagrams::Datagrams;
use crate::outbox::{Outbox, Outgoing};
use crate::streams::Streams;

/// Where a message came from, and where one goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flow {
    /// A datagram.
    Address(SocketAddr),
    /// A connection by its place.
    Connection(usize),
}

impl Default for Flow {
    fn default() -> Self {
        Self::Connection(usize::MAX)
    }
}

/// How a message came.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Received {
    pub(crate) flow: Flow,
    /// When, by the clock of the day.
    pub(crate) at: Nanoseconds,
}

/// What became of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sending {
    /// It is about to go.
    Begins,
    /// The system refused it, or its connection is gone.
    Refused,
}

/// The two kinds.
pub(crate) enum Link {
    Datagrams(Datagrams),
    Streams(Streams),
}

impl Link {
    /// Hands what has come to *sink*, and returns whether anything has.
    pub(crate) fn receive(&mut self, sink: impl FnMut(&[u8], Received)) -> io::Result<bool> {
        match self {
            Self::Datagrams(link) => link.receive(sink),
            Self::Streams(link) => link.receive(sink),
        }
    }

    /// Sends all of *outbox* and empties it; *tell* hears of each message right before it goes.
    pub(crate) fn flush(&mut self, outbox: &mut Outbox, tell: impl FnMut(Outgoing<'_>, Sending)) {
        match self {
            Self::Datagrams(link) => link.flush(outbox, tell),
            Self::Streams(link) => link.flush(outbox, tell),
        }
        outbox.clear();
    }

    /// What is readable when something has come.
    pub(crate) fn descriptor(&self) -> RawFd {
        match self {
            Self::Datagrams(link) => link.descriptor(),
            Self::Streams(link) => link.descriptor(),
        }
    }

    /// Where it listens, or sends from.
    pub(crate) fn address(&self) -> io::Result<SocketAddr> {
        match self {
            Self::Datagrams(link) => link.address(),
            Self::Streams(link) => link.address(),
        }
    }
}
