//! TCP and TLS: the UAC's connections, which live as long as the run, and those that the UAS accepts.

use std::io::{self, ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::os::fd::{AsRawFd, RawFd};
use std::time::Duration;

use ibcf_sip::parse::{Frame, Framer, PONG};
use ibcf_sip::snapshot::document::Limits;
use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};
use socket2::{Domain, Protocol, Socket, Type};

use crate::clock::of_day;
use crate::link::{Flow, Received, Sending};
use crate::outbox::{Outbox, Outgoing};
use crate::tls::TlsEnds;

/// The place of the listener among the connections.
const LISTENER: Token = Token(usize::MAX);
const BUFFER_BYTES: usize = 256 << 10;

/// One end's connections.
pub(crate) struct Streams {
    poll: Poll,
    events: Events,
    listener: Option<TcpListener>,
    connections: Vec<Connection>,
    tls: Option<TlsEnds>,
    limits: Limits,
    buffer: Vec<u8>,
    /// Connections that have something to send.
    dirty: Vec<usize>,
}

struct Connection {
    stream: TcpStream,
    session: Option<rustls::Connection>,
    framer: Framer,
    /// What is to go out, and how much of it went.
    out: Vec<u8>,
    gone: usize,
    is_open: bool,
}

impl Streams {
    /// Listens on *address*: the called end.
    pub(crate) fn listen(address: SocketAddr, tls: Option<TlsEnds>) -> io::Result<Self> {
        let socket = socket(address)?;
        socket.set_reuse_address(true)?;
        socket.bind(&address.into())?;
        socket.listen(1_024)?;
        let mut listener = TcpListener::from_std(socket.into());
        let mut streams = Self::new(tls)?;
        streams.poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
        streams.listener = Some(listener);
        Ok(streams)
    }

    /// Makes the calling end, without connections.
    pub(crate) fn new(tls: Option<TlsEnds>) -> io::Result<Self> {
        Ok(Self {
            poll: Poll::new()?,
            events: Events::with_capacity(1_024),
            listener: None,
            connections: Vec::new(),
            tls,
            limits: Limits::default(),
            buffer: vec![0; BUFFER_BYTES],
            dirty: Vec::new(),
        })
    }

    /// Begins a connection from the IP address of *local* to *remote*.
    pub(crate) fn connect(&mut self, local: SocketAddr, remote: SocketAddr) -> io::Result<()> {
        let socket = socket(local)?;
        socket.bind(&SocketAddr::new(local.ip(), 0).into())?;
        match socket.connect(&remote.into()) {
            Err(error) if error.raw_os_error() != Some(EINPROGRESS) => return Err(error),
            _ => {}
        }
        let session = self.tls.as_ref().map(TlsEnds::connect).transpose()?;
        self.add(TcpStream::from_std(socket.into()), session.map(rustls::Connection::from))
    }

    /// Are all connections of the calling end up, and their handshakes over?
    ///
    /// # Errors
    /// Why one of them will never be.
    pub(crate) fn are_up(&self) -> io::Result<bool> {
        for connection in &self.connections {
            if let Some(error) = connection.stream.take_error()? {
                return Err(error);
            }
            if !connection.is_open {
                return Err(io::Error::other(
                    "the other end closed the connection, or refused the handshake",
                ));
            }
            let is_handshaking = connection.session.as_ref().is_some_and(|session| session.is_handshaking());
            if is_handshaking || connection.stream.peer_addr().is_err() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn add(&mut self, mut stream: TcpStream, session: Option<rustls::Connection>) -> io::Result<()> {
        stream.set_nodelay(true)?;
        let token = Token(self.connections.len());
        self.poll.registry().register(&mut stream, token, Interest::READABLE | Interest::WRITABLE)?;
        let framer = Framer::default();
        let connection = Connection { stream, session, framer, out: Vec::new(), gone: 0, is_open: true };
        self.connections.push(connection);
        Ok(())
    }

    pub(crate) fn descriptor(&self) -> RawFd {
        self.poll.as_raw_fd()
    }

    pub(crate) fn address(&self) -> io::Result<SocketAddr> {
        match (&self.listener, self.connections.first()) {
            (Some(listener), _) => listener.local_addr(),
            (None, Some(connection)) => connection.stream.local_addr(),
            (None, None) => Err(ErrorKind::NotConnected.into()),
        }
    }

    /// Takes what has come on any connection.
    pub(crate) fn receive(&mut self, mut sink: impl FnMut(&[u8], Received)) -> io::Result<bool> {
        self.poll.poll(&mut self.events, Some(Duration::ZERO))?;
        let events = std::mem::replace(&mut self.events, Events::with_capacity(0));
        let mut has_come = false;
        for event in &events {
            has_come = true;
            if event.token() == LISTENER {
                self.accept()?;
                continue;
            }
            let at = event.token().0;
            let Some(connection) = self.connections.get_mut(at) else { continue };
            connection.receive(at, &mut self.buffer, &self.limits, &mut sink);
            connection.send();
        }
        self.events = events;
        Ok(has_come)
    }

    fn accept(&mut self) -> io::Result<()> {
        loop {
            let stream = match self.listener.as_ref().map(TcpListener::accept) {
                Some(Ok((stream, _))) => stream,
                Some(Err(error)) if error.kind() != ErrorKind::WouldBlock => return Err(error),
                _ => return Ok(()),
            };
            let session = self.tls.as_ref().map(TlsEnds::accept).transpose()?;
            self.add(stream, session.map(rustls::Connection::from))?;
        }
    }

    pub(crate) fn flush(&mut self, outbox: &Outbox, mut tell: impl FnMut(Outgoing<'_>, Sending)) {
        for message in (0..outbox.len()).filter_map(|at| outbox.get(at)) {
            let connection = match message.flow {
                Flow::Connection(at) => self.connections.get_mut(at).map(|connection| (at, connection)),
                Flow::Address(_) => None,
            };
            match connection {
                Some((at, connection)) if connection.is_open => {
                    if connection.out.is_empty() {
                        self.dirty.push(at);
                    }
                    tell(message, Sending::Begins);
                    connection.out.extend_from_slice(message.bytes);
                }
                _ => tell(message, Sending::Refused),
            }
        }
        for at in self.dirty.drain(..) {
            self.connections[at].send();
        }
    }
}

/// `connect` goes on by itself (connect(2)).
const EINPROGRESS: i32 = 115;

fn socket(address: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

impl Connection {
    /// Reads until nothing is left.
    fn receive(
        &mut self,
        at: usize,
        buffer: &mut [u8],
        limits: &Limits,
        sink: &mut impl FnMut(&[u8], Received),
    ) {
        while self.is_open {
            match self.read(buffer) {
                Ok(0) => self.is_open = false,
                Ok(length) => {
                    let received = Received { flow: Flow::Connection(at), at: of_day() };
                    self.cut(&buffer[..length], limits, received, sink);
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => self.is_open = false,
            }
        }
    }

    fn cut(
        &mut self,
        mut input: &[u8],
        limits: &Limits,
        received: Received,
        sink: &mut impl FnMut(&[u8], Received),
    ) {
        while let Some(frame) = self.framer.next(&mut input, limits) {
            match frame {
                Frame::Message(message) => sink(message, received),
                Frame::Ping => self.out.extend_from_slice(PONG),
                Frame::Broken { .. } => {
                    sink(b"", received); // which nobody can read
                    self.is_open = false;
                    return;
                }
            }
        }
    }

    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let Some(session) = &mut self.session else { return self.stream.read(buffer) };
        loop {
            match session.reader().read(buffer) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                done => return done,
            }
            if session.read_tls(&mut self.stream)? == 0 {
                return Ok(0);
            }
            let processed = session.process_new_packets();
            if session.wants_write() {
                drop(session.write_tls(&mut self.stream)); // an alert, or the handshake; `send` goes on with it
            }
            processed.map_err(io::Error::other)?;
        }
    }

    /// Writes as much as the kernel takes; the rest goes when there is room.
    fn send(&mut self) {
        if !self.is_open {
            return;
        }
        match self.write() {
            Ok(()) => {}
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::NotConnected) => {}
            Err(_) => self.is_open = false,
        }
    }

    fn write(&mut self) -> io::Result<()> {
        if let Some(session) = &mut self.session {
            if !session.is_handshaking() && self.gone < self.out.len() {
                session.writer().write_all(&self.out)?;
                self.out.clear();
            }
            while session.wants_write() {
                session.write_tls(&mut self.stream)?;
            }
            return Ok(());
        }
        while self.gone < self.out.len() {
            match self.stream.write(&self.out[self.gone..]) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                written => self.gone += written?,
            }
        }
        self.out.clear();
        self.gone = 0;
        Ok(())
    }
}
