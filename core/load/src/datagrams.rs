//! UDP: as many datagrams a system call as there are, stamped by the kernel when they arrive.

use std::io::{self, ErrorKind};
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::{AsFd, AsRawFd, RawFd};

use ibcf_net::{ReceiveBatch, SendBatch, stamp_arrivals};
use socket2::{Domain, Protocol, Socket, Type};

use crate::clock::{Nanoseconds, of_day};
use crate::link::{Flow, Received, Sending};
use crate::outbox::{Outbox, Outgoing};

/// What we ask the kernel to hold for us, each way.
const SOCKET_BUFFER_BYTES: usize = 4 << 20;

/// One socket.
pub(crate) struct Datagrams {
    socket: UdpSocket,
    receive: ReceiveBatch,
    send: SendBatch,
}

impl Datagrams {
    pub(crate) fn bind(address: SocketAddr) -> io::Result<Self> {
        let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
        socket.set_nonblocking(true)?;
        // Best effort: with small buffers a burst is lost sooner, which the result shows.
        let _ = socket.set_recv_buffer_size(SOCKET_BUFFER_BYTES);
        let _ = socket.set_send_buffer_size(SOCKET_BUFFER_BYTES);
        stamp_arrivals(socket.as_fd())?;
        socket.bind(&address.into())?;
        Ok(Self { socket: socket.into(), receive: ReceiveBatch::with_stamps(), send: SendBatch::new() })
    }

    pub(crate) fn descriptor(&self) -> RawFd {
        self.socket.as_raw_fd()
    }

    pub(crate) fn address(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    /// Takes one batch.
    pub(crate) fn receive(&mut self, mut sink: impl FnMut(&[u8], Received)) -> io::Result<bool> {
        let count = match self.receive.receive(self.socket.as_fd()) {
            Ok(count) => count,
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => 0,
            Err(error) => return Err(error),
        };
        for at in 0..count {
            let Some((source, bytes)) = self.receive.get(at) else { continue };
            let arrival = self.receive.arrival(at).map(|arrival| arrival.as_nanos() as Nanoseconds);
            sink(bytes, Received { flow: Flow::Address(source), at: arrival.unwrap_or_else(of_day) });
        }
        Ok(count > 0)
    }

    pub(crate) fn flush(&mut self, outbox: &Outbox, mut tell: impl FnMut(Outgoing<'_>, Sending)) {
        let mut done = 0;
        while done < outbox.len() {
            let end = outbox.len().min(done + SendBatch::MAX);
            (done..end).filter_map(|at| outbox.get(at)).for_each(|message| tell(message, Sending::Begins));
            while done < end {
                done += self.send_some(outbox, done..end, &mut tell);
            }
        }
    }

    /// Sends the first of *range* and as many more as go; returns how many are done with.
    fn send_some(
        &mut self,
        outbox: &Outbox,
        range: std::ops::Range<usize>,
        tell: &mut impl FnMut(Outgoing<'_>, Sending),
    ) -> usize {
        let first = range.start;
        let datagrams = range.map_while(|at| {
            let message = outbox.get(at)?;
            let Flow::Address(destination) = message.flow else { return None };
            Some((destination, message.bytes))
        });
        match self.send.send(self.socket.as_fd(), datagrams) {
            Ok(0) => {}
            Ok(sent) => return sent,
            Err(error) if error.kind() == ErrorKind::Interrupted => return 0,
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                std::thread::yield_now(); // the socket's buffer is full: whoever empties it has to run
                return 0;
            }
            Err(_) => {}
        }
        if let Some(message) = outbox.get(first) {
            tell(message, Sending::Refused);
        }
        1
    }
}
