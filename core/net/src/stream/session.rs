//! What stands between the bytes of a socket and those of SIP: nothing for TCP, a session for TLS.

use std::io::{self, ErrorKind, IoSlice, Read, Write};

use ibcf_sip::snapshot::{ListenerIndex, Transport};
use mio::net::TcpStream;
use rustls::Connection as TlsSession;

use crate::tls::{Cause, TlsContexts};

/// The session of one connection. `WouldBlock` means: again when the socket is ready.
#[derive(Debug)]
pub(crate) enum Session {
    /// TCP.
    Plain,
    /// TLS.
    Tls(Box<TlsSession>),
}

impl Session {
    /// The session of a connection that *listener* accepted; `None` when it cannot have one.
    pub(crate) fn accept(transport: Transport, listener: ListenerIndex, tls: &TlsContexts) -> Option<Self> {
        if transport != Transport::Tls {
            return Some(Self::Plain);
        }
        let session = tls.accept(listener)?.ok()?;
        Some(Self::Tls(Box::new(session.into())))
    }

    /// The session of a connection to *peer*; `None` when it cannot have one, as without a peer over TLS.
    pub(crate) fn connect(
        transport: Transport,
        listener: ListenerIndex,
        peer: Option<u32>,
        tls: &TlsContexts,
    ) -> Option<Self> {
        if transport != Transport::Tls {
            return Some(Self::Plain);
        }
        let session = tls.connect(listener, peer?)?.ok()?;
        Some(Self::Tls(Box::new(session.into())))
    }

    /// Must something pass before SIP may? Then [`Self::advance`] goes on with it.
    pub(crate) fn is_handshaking(&self) -> bool {
        match self {
            Self::Plain => false,
            Self::Tls(session) => session.is_handshaking(),
        }
    }

    /// Carries the handshake as far as the socket lets it.
    pub(crate) fn advance(&mut self, socket: &mut TcpStream) -> io::Result<()> {
        let Self::Tls(session) = self else { return Ok(()) };
        while session.is_handshaking() {
            if session.wants_write() {
                session.write_tls(socket)?;
            } else if !receive(session, socket)? {
                return Err(ErrorKind::UnexpectedEof.into());
            }
        }
        later(flush(session, socket)) // what is left goes with the first message, or when the socket takes it
    }

    /// [`peer_tag`](ibcf_sip::rewrite::peer_tag) of whom the other end proves to be, as *tls* judges now.
    pub(crate) fn proven_peer(&self, tls: &TlsContexts) -> Option<u32> {
        match self {
            Self::Plain => None,
            Self::Tls(session) => tls.proven_peer(session),
        }
    }

    /// Is the other end one that its certificate has to prove?
    pub(crate) const fn is_proven(&self) -> bool {
        matches!(self, Self::Tls(_))
    }

    /// Reads bytes of SIP; none means that the other end will send no more.
    pub(crate) fn read(&mut self, socket: &mut TcpStream, buffer: &mut [u8]) -> io::Result<usize> {
        let Self::Tls(session) = self else { return socket.read(buffer) };
        loop {
            match session.reader().read(buffer) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                // The stream ended without a farewell: what was cut off, the framer tells.
                Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Ok(0),
                read => return read,
            }
            receive(session, socket)?;
            // A new key that the other end asked for is not worth a wait.
            later(flush(session, socket))?;
        }
    }

    /// Takes bytes of SIP, as many as it says, and writes them or keeps a bounded amount of them to write.
    pub(crate) fn write(&mut self, socket: &mut TcpStream, bytes: &[IoSlice<'_>]) -> io::Result<usize> {
        let Self::Tls(session) = self else { return socket.write_vectored(bytes) };
        flush(session, socket)?;
        let taken = session.writer().write_vectored(bytes)?;
        later(flush(session, socket))?;
        Ok(taken)
    }

    /// Does it hold something that the socket has not taken?
    pub(crate) fn wants_write(&self) -> bool {
        match self {
            Self::Plain => false,
            Self::Tls(session) => session.wants_write(),
        }
    }

    /// Writes what it holds.
    pub(crate) fn flush(&mut self, socket: &mut TcpStream) -> io::Result<()> {
        match self {
            Self::Plain => Ok(()),
            Self::Tls(session) => flush(session, socket),
        }
    }

    /// Says that nothing more will be sent.
    pub(crate) fn end(&mut self, socket: &mut TcpStream) {
        if let Self::Tls(session) = self {
            session.send_close_notify();
            drop(flush(session, socket));
        }
        // An error is that of a connection that is gone, which its next read tells.
        drop(socket.shutdown(std::net::Shutdown::Write));
    }
}

/// Why TLS failed, when *error* comes from there and not from the socket.
pub(crate) fn cause(error: &io::Error) -> Option<Cause> {
    error.get_ref()?.downcast_ref::<rustls::Error>().map(Cause::of)
}

/// Reads once from the socket; `false` when the other end will send no more.
fn receive(session: &mut TlsSession, socket: &mut TcpStream) -> io::Result<bool> {
    let length = session.read_tls(socket)?;
    if let Err(error) = session.process_new_packets() {
        drop(flush(session, socket)); // the alert that tells the other end why
        return Err(io::Error::new(ErrorKind::InvalidData, error));
    }
    Ok(length > 0)
}

fn flush(session: &mut TlsSession, socket: &mut TcpStream) -> io::Result<()> {
    while session.wants_write() {
        session.write_tls(socket)?;
    }
    Ok(())
}

/// A socket that is full takes the rest when it says so.
fn later(flushed: io::Result<()>) -> io::Result<()> {
    match flushed {
        Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(()),
        other => other,
    }
}
