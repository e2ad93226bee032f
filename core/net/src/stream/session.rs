//! What stands between the bytes of a socket and those of SIP: nothing, for TCP.

use std::io::{self, IoSlice, Read, Write};

use mio::net::TcpStream;

/// The session of one connection. `WouldBlock` means: again when the socket is ready.
#[derive(Debug)]
pub(crate) enum Session {
    /// TCP.
    Plain,
}

impl Session {
    /// Must something pass before SIP may? Then [`Self::advance`] goes on with it.
    pub(crate) const fn is_handshaking(&self) -> bool {
        match self {
            Self::Plain => false,
        }
    }

    /// Carries the handshake as far as the socket lets it.
    #[allow(clippy::unused_self, clippy::unnecessary_wraps)] // the shape of a session that has one
    pub(crate) fn advance(&mut self, _socket: &mut TcpStream) -> io::Result<()> {
        match self {
            Self::Plain => Ok(()),
        }
    }

    /// [`peer_tag`](ibcf_sip::rewrite::peer_tag) of whom the other end proved to be.
    pub(crate) const fn proven_peer(&self) -> Option<u32> {
        match self {
            Self::Plain => None,
        }
    }

    /// Reads bytes of SIP; none means that the other end will send no more.
    pub(crate) fn read(&mut self, socket: &mut TcpStream, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain => socket.read(buffer),
        }
    }

    /// Takes bytes of SIP, as many as it says, and writes them or keeps a bounded amount of them to write.
    pub(crate) fn write(&mut self, socket: &mut TcpStream, bytes: &[IoSlice<'_>]) -> io::Result<usize> {
        match self {
            Self::Plain => socket.write_vectored(bytes),
        }
    }

    /// Does it hold something that the socket has not taken?
    pub(crate) const fn wants_write(&self) -> bool {
        match self {
            Self::Plain => false,
        }
    }

    /// Writes what it holds.
    #[allow(clippy::unused_self, clippy::unnecessary_wraps)] // the shape of a session that holds something
    pub(crate) fn flush(&mut self, _socket: &mut TcpStream) -> io::Result<()> {
        match self {
            Self::Plain => Ok(()),
        }
    }

    /// Says that nothing more will be sent.
    pub(crate) fn end(&mut self, socket: &mut TcpStream) {
        match self {
            // An error is that of a connection that is gone, which its next read tells.
            Self::Plain => drop(socket.shutdown(std::net::Shutdown::Write)),
        }
    }
}
