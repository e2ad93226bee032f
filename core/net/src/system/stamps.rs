//! When datagrams arrived, as the kernel noted it (socket(7), `SO_TIMESTAMPNS`).

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::time::Duration;

use libc::{
    CMSG_DATA, CMSG_FIRSTHDR, SCM_TIMESTAMPNS, SO_TIMESTAMPNS, SOL_SOCKET, c_int, c_void, mmsghdr, socklen_t,
    timespec,
};

/// Room for one control message with a `timespec`.
#[derive(Clone, Copy)]
#[repr(C, align(8))]
struct Control([u8; 64]);

/// The control blocks of a batch.
pub(super) struct Stamps {
    controls: Vec<Control>,
}

/// Tells the kernel to note when each datagram arrives on *socket*.
///
/// # Errors
/// What the system says.
pub fn stamp_arrivals(socket: BorrowedFd<'_>) -> io::Result<()> {
    let on: c_int = 1;
    // SAFETY: the option takes an int; the pointer and the length are those of one that lives through the call.
    let done = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            SOL_SOCKET,
            SO_TIMESTAMPNS,
            std::ptr::from_ref(&on).cast::<c_void>(),
            size_of::<c_int>() as socklen_t,
        )
    };
    if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

impl Stamps {
    pub(super) fn new(batch: usize) -> Self {
        Self { controls: vec![Control([0; 64]); batch] }
    }

    /// Makes *headers* point to the control blocks.
    pub(super) fn link(&mut self, headers: &mut [mmsghdr]) {
        for (header, control) in headers.iter_mut().zip(&mut self.controls) {
            header.msg_hdr.msg_control = std::ptr::from_mut(control).cast::<c_void>();
            header.msg_hdr.msg_controllen = size_of::<Control>();
        }
    }

    /// Reads what the kernel left for datagram *at*, whose *header* says how much that is.
    pub(super) fn read(&self, at: usize, header: &mmsghdr) -> Option<Duration> {
        let mut header = header.msg_hdr;
        let control = self.controls.get(at)?;
        header.msg_control = std::ptr::from_ref(control).cast_mut().cast::<c_void>();
        header.msg_controllen = header.msg_controllen.min(size_of::<Control>());
        // SAFETY: the header points to a control block that `self` owns, aligned for its entries, and says how much of it
        // the kernel filled; only the first entry is read, and only if the kernel says that it holds a `timespec`.
        let stamp = unsafe {
            let entry = CMSG_FIRSTHDR(&raw const header);
            if entry.is_null() || (*entry).cmsg_level != SOL_SOCKET || (*entry).cmsg_type != SCM_TIMESTAMPNS {
                return None;
            }
            CMSG_DATA(entry).cast::<timespec>().read_unaligned()
        };
        Some(Duration::new(u64::try_from(stamp.tv_sec).ok()?, u32::try_from(stamp.tv_nsec).ok()?))
    }
}

#[cfg(test)]
mod tests {
    use super::super::ReceiveBatch;
    use super::*;
    use std::net::UdpSocket;
    use std::os::fd::AsFd;
    use std::time::SystemTime;

    #[test]
    fn a_datagram_tells_when_it_arrived_if_both_socket_and_batch_are_told_to() {
        let now = || SystemTime::UNIX_EPOCH.elapsed().expect("after 1970");
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a port");
        let send = || socket.send_to(b"x", socket.local_addr().expect("bound")).expect("sent");
        let mut batch = ReceiveBatch::with_stamps();
        send();
        assert_eq!(batch.receive(socket.as_fd()).expect("received"), 1);
        assert_eq!(batch.arrival(0), None);
        stamp_arrivals(socket.as_fd()).expect("an option");
        let before = now();
        send();
        let after = now();
        assert_eq!(batch.receive(socket.as_fd()).expect("received"), 1);
        let arrival = batch.arrival(0).expect("a stamp");
        // The coarsest clock of the kernel runs at most a tick behind.
        let tick = Duration::from_millis(10);
        assert!(before <= arrival + tick && arrival <= after + tick, "{before:?} {arrival:?} {after:?}");
        assert_eq!(batch.arrival(1), None);
    }
}
