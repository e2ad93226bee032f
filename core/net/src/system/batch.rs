//! Many datagrams a system call: `recvmmsg` and `sendmmsg` over arrays that are used again and again.

use std::io;
use std::mem::zeroed;
use std::net::SocketAddr;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::ptr::null_mut;
use std::time::Duration;

use libc::{MSG_DONTWAIT, MSG_NOSIGNAL, c_void, iovec, mmsghdr, sockaddr_storage, socklen_t};

use super::address;
use super::stamps::Stamps;

/// Datagrams a call. More than 32 gains nothing on loopback, and nearly all of the gain is there at 8.
pub(crate) const BATCH: usize = 32;

/// The longest datagram: what the length field of UDP can say.
pub(super) const DATAGRAM_BYTES_MAX: usize = 65_535;

/// The headers of one call. Pointers in them are only valid during the call for which `link` set them.
pub(super) struct Headers {
    pub(super) addresses: Vec<sockaddr_storage>,
    iovecs: Vec<iovec>,
    pub(super) messages: Vec<mmsghdr>,
}

impl Headers {
    /// Makes room for *batch* datagrams.
    pub(super) fn new(batch: usize) -> Self {
        // SAFETY: both are plain old data; all zeros (null pointers, lengths of 0) is a valid value.
        let (empty_iovec, empty_header) = unsafe { (zeroed::<iovec>(), zeroed::<mmsghdr>()) };
        Self {
            addresses: vec![address::empty(); batch],
            iovecs: vec![empty_iovec; batch],
            messages: vec![empty_header; batch],
        }
    }

    /// Makes place *at* speak of *bytes* and of its address, of which *`address_length`* bytes count.
    pub(super) fn set(&mut self, at: usize, bytes: *mut u8, length: usize, address_length: socklen_t) {
        self.iovecs[at] = iovec { iov_base: bytes.cast::<c_void>(), iov_len: length };
        self.messages[at].msg_hdr.msg_namelen = address_length;
    }

    /// Makes the first *count* headers point to their places. Nothing may touch those until the call is over.
    pub(super) fn link(&mut self, count: usize) -> *mut mmsghdr {
        let (addresses, iovecs) = (self.addresses.as_mut_ptr(), self.iovecs.as_mut_ptr());
        for (at, header) in self.messages.iter_mut().enumerate().take(count) {
            header.msg_len = 0;
            let header = &mut header.msg_hdr;
            header.msg_name = addresses.wrapping_add(at).cast::<c_void>();
            header.msg_iov = iovecs.wrapping_add(at);
            header.msg_iovlen = 1;
            header.msg_control = null_mut();
            header.msg_controllen = 0;
            header.msg_flags = 0;
        }
        self.messages.as_mut_ptr()
    }
}

/// Receives some datagrams at once.
pub struct ReceiveBatch {
    buffers: Vec<u8>,
    headers: Headers,
    /// Room for the times of arrival, where they are wanted.
    stamps: Option<Stamps>,
    count: usize,
}

impl Default for ReceiveBatch {
    fn default() -> Self {
        Self::new()
    }
}

impl ReceiveBatch {
    /// Makes an empty one.
    pub fn new() -> Self {
        Self {
            buffers: vec![0; BATCH * DATAGRAM_BYTES_MAX],
            headers: Headers::new(BATCH),
            stamps: None,
            count: 0,
        }
    }

    /// Makes one that also takes when each datagram arrived, for a socket whose [arrivals are
    /// stamped](super::stamp_arrivals).
    pub fn with_stamps() -> Self {
        Self { stamps: Some(Stamps::new(BATCH)), ..Self::new() }
    }

    /// Takes what waits on *socket*, without blocking, and returns how many datagrams that were.
    ///
    /// # Errors
    /// `WouldBlock` when nothing waits; an error of a datagram sent earlier, when the network reported one.
    pub fn receive(&mut self, socket: BorrowedFd<'_>) -> io::Result<usize> {
        self.count = 0;
        for (at, buffer) in self.buffers.chunks_exact_mut(DATAGRAM_BYTES_MAX).enumerate() {
            self.headers.set(
                at,
                buffer.as_mut_ptr(),
                buffer.len(),
                size_of::<sockaddr_storage>() as socklen_t,
            );
        }
        self.headers.link(BATCH);
        if let Some(stamps) = &mut self.stamps {
            stamps.link(&mut self.headers.messages);
        }
        let headers = self.headers.messages.as_mut_ptr();
        // SAFETY: the first `BATCH` headers point to buffers, addresses, control blocks and iovecs that `self` owns and nothing
        // else touches during the call; each length given is the length of what it points to.
        let received =
            unsafe { libc::recvmmsg(socket.as_raw_fd(), headers, BATCH as u32, MSG_DONTWAIT, null_mut()) };
        self.count = usize::try_from(received).map_err(|_| io::Error::last_os_error())?;
        Ok(self.count)
    }

    /// Returns when datagram *at* of the last batch reached this machine's sockets, by the clock of the day.
    pub fn arrival(&self, at: usize) -> Option<Duration> {
        let header = self.headers.messages.get(at).filter(|_| at < self.count)?;
        self.stamps.as_ref()?.read(at, header)
    }

    /// Returns where datagram *at* of the last batch came from, and its bytes.
    pub fn get(&self, at: usize) -> Option<(SocketAddr, &[u8])> {
        let header = self.headers.messages.get(at).filter(|_| at < self.count)?;
        let source = address::read(self.headers.addresses.get(at)?)?;
        let start = at.checked_mul(DATAGRAM_BYTES_MAX)?;
        let length = (header.msg_len as usize).min(DATAGRAM_BYTES_MAX);
        Some((source, self.buffers.get(start..start.checked_add(length)?)?))
    }
}

/// Sends some datagrams at once.
pub struct SendBatch {
    headers: Headers,
}

impl Default for SendBatch {
    fn default() -> Self {
        Self::new()
    }
}

impl SendBatch {
    /// The most that one call sends.
    pub const MAX: usize = BATCH;

    /// Makes an empty one.
    pub fn new() -> Self {
        Self { headers: Headers::new(BATCH) }
    }

    /// Sends the first [`MAX`](Self::MAX) of *datagrams* in order, without blocking, and returns how many went.
    ///
    /// # Errors
    /// The reason why the first one did not go; when a later one does not go, only the count says so.
    pub fn send<'d>(
        &mut self,
        socket: BorrowedFd<'_>,
        datagrams: impl Iterator<Item = (SocketAddr, &'d [u8])>,
    ) -> io::Result<usize> {
        let mut count = 0;
        for (at, (destination, bytes)) in datagrams.take(BATCH).enumerate() {
            let length = address::write(destination, &mut self.headers.addresses[at]);
            self.headers.set(at, bytes.as_ptr().cast_mut(), bytes.len(), length);
            count += 1;
        }
        if count == 0 {
            return Ok(0);
        }
        let headers = self.headers.link(count);
        // SAFETY: the first `count` headers point to addresses and iovecs that `self` owns, and to the bytes of
        // `datagrams`, borrowed for `'d`, which outlives the call; sendmmsg reads them and writes `msg_len` only.
        let sent =
            unsafe { libc::sendmmsg(socket.as_raw_fd(), headers, count as u32, MSG_DONTWAIT | MSG_NOSIGNAL) };
        usize::try_from(sent).map_err(|_| io::Error::last_os_error())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::UdpSocket;
    use std::os::fd::AsFd;

    fn pair(address: &str) -> (UdpSocket, UdpSocket) {
        (UdpSocket::bind(address).expect("a port"), UdpSocket::bind(address).expect("a port"))
    }

    #[test]
    fn forty_datagrams_go_in_two_batches_and_arrive_whole_and_in_order() {
        for address in ["127.0.0.1:0", "[::1]:0"] {
            let (here, there) = pair(address);
            let destination = there.local_addr().expect("bound");
            let messages: Vec<Vec<u8>> = (0..40_u8).map(|at| vec![at; 100 * usize::from(at)]).collect();
            let all = || messages.iter().map(|bytes| (destination, bytes.as_slice()));
            let mut send = SendBatch::new();
            assert_eq!(send.send(here.as_fd(), all()).expect("sent"), BATCH);
            assert_eq!(send.send(here.as_fd(), all().skip(BATCH)).expect("sent"), 8);

            let mut receive = ReceiveBatch::new();
            let mut got = Vec::new();
            while got.len() < 40 {
                let count = receive.receive(there.as_fd()).expect("loopback delivers at once");
                for at in 0..count {
                    let (source, bytes) = receive.get(at).expect("an IP source");
                    assert_eq!(source, here.local_addr().expect("bound"));
                    got.push(bytes.to_vec());
                }
                assert!(receive.get(count).is_none());
            }
            assert_eq!(got, messages);
        }
    }

    #[test]
    fn an_empty_socket_would_block() {
        let (here, _) = pair("127.0.0.1:0");
        let error = ReceiveBatch::new().receive(here.as_fd()).expect_err("nothing waits");
        assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
    }

    #[test]
    fn the_largest_datagram_of_ipv4_goes_through() {
        let (here, there) = pair("127.0.0.1:0");
        let bytes = vec![7_u8; 65_507];
        let one = std::iter::once((there.local_addr().expect("bound"), bytes.as_slice()));
        assert_eq!(SendBatch::new().send(here.as_fd(), one).expect("sent"), 1);
        let mut receive = ReceiveBatch::new();
        assert_eq!(receive.receive(there.as_fd()).expect("received"), 1);
        assert_eq!(receive.get(0).expect("a datagram").1, bytes);
    }
}
