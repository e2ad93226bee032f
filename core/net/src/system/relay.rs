//! Datagrams taken from a socket and sent on from where they lie: the cheapest thing that a proxy could do with them.

use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::ptr::null_mut;

use libc::{MSG_NOSIGNAL, MSG_WAITFORONE, sockaddr_storage, socklen_t};

use super::address;
use super::batch::Headers;

/// Datagrams a call.
const BATCH: usize = 64;
/// Room for each; a longer one is cut.
const BYTES_MAX: usize = 8_192;

/// A batch of datagrams that goes out as it came in.
pub struct Relay {
    buffers: Vec<u8>,
    headers: Headers,
}

impl Default for Relay {
    fn default() -> Self {
        Self::new()
    }
}

impl Relay {
    /// Makes an empty one.
    pub fn new() -> Self {
        Self { buffers: vec![0; BATCH * BYTES_MAX], headers: Headers::new(BATCH) }
    }

    /// Waits for datagrams on *socket*, which blocks, and sends each to where *route* says for its source, in order.
    /// Returns how many came.
    ///
    /// # Errors
    /// What the system says; the datagrams that were not sent are lost.
    pub fn turn(
        &mut self,
        socket: BorrowedFd<'_>,
        mut route: impl FnMut(SocketAddr) -> SocketAddr,
    ) -> io::Result<usize> {
        for (at, buffer) in self.buffers.chunks_exact_mut(BYTES_MAX).enumerate() {
            self.headers.set(at, buffer.as_mut_ptr(), BYTES_MAX, size_of::<sockaddr_storage>() as socklen_t);
        }
        let headers = self.headers.link(BATCH);
        // SAFETY: the first `BATCH` headers point to buffers, addresses and iovecs that `self` owns and that nothing
        // else touches during the call; each length given is the length of what it points to.
        let received =
            unsafe { libc::recvmmsg(socket.as_raw_fd(), headers, BATCH as u32, MSG_WAITFORONE, null_mut()) };
        let count = usize::try_from(received).map_err(|_| io::Error::last_os_error())?;
        for at in 0..count {
            if let Some(source) = address::read(&self.headers.addresses[at]) {
                let length = self.headers.messages[at].msg_len as usize;
                let address_length = address::write(route(source), &mut self.headers.addresses[at]);
                let buffer = self.buffers[at * BYTES_MAX..].as_mut_ptr();
                self.headers.set(at, buffer, length.min(BYTES_MAX), address_length);
            }
        }
        let headers = self.headers.link(count);
        let mut sent = 0;
        while sent < count {
            // SAFETY: as above; `sent` is less than `count`, and sendmmsg reads `count - sent` headers from there on.
            let gone = unsafe {
                libc::sendmmsg(socket.as_raw_fd(), headers.add(sent), (count - sent) as u32, MSG_NOSIGNAL)
            };
            sent += usize::try_from(gone).map_err(|_| io::Error::last_os_error())?;
        }
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::UdpSocket;
    use std::os::fd::AsFd;

    #[test]
    fn datagrams_go_on_whole_and_in_order_to_where_the_route_says() {
        let bind = || UdpSocket::bind("127.0.0.1:0").expect("a port");
        let (client, relay, server) = (bind(), bind(), bind());
        let address = |socket: &UdpSocket| socket.local_addr().expect("bound");
        for at in 0..10_u8 {
            client.send_to(&vec![at; 100 * usize::from(at)], address(&relay)).expect("sent");
        }
        let (mut batch, mut count) = (Relay::new(), 0);
        while count < 10 {
            let route = |source| {
                assert_eq!(source, address(&client));
                address(&server)
            };
            count += batch.turn(relay.as_fd(), route).expect("relayed");
        }
        let mut buffer = [0; 2_000];
        for at in 0..10_u8 {
            let (length, source) = server.recv_from(&mut buffer).expect("loopback delivers at once");
            assert_eq!(source, address(&relay));
            assert_eq!(&buffer[..length], vec![at; 100 * usize::from(at)]);
        }
    }
}
