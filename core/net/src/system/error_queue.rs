//! What the network says about datagrams sent earlier: the error queue of a socket (ip(7), `IP_RECVERR`).

use std::io;
use std::mem::zeroed;
use std::net::SocketAddr;
use std::os::fd::{AsRawFd, BorrowedFd};

use libc::{
    CMSG_DATA, CMSG_FIRSTHDR, CMSG_NXTHDR, IP_RECVERR, IPPROTO_IP, IPPROTO_IPV6, IPV6_RECVERR, MSG_DONTWAIT,
    MSG_ERRQUEUE, c_int, c_void, iovec, msghdr, sock_extended_err, sockaddr_storage, socklen_t,
};

use super::address;

/// One error out of the queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NetworkError {
    /// Where the datagram was going.
    pub(crate) destination: SocketAddr,
    /// What happened to it, as an errno.
    pub(crate) errno: i32,
    /// How many of its first bytes came back.
    pub(crate) length: usize,
}

/// Room for one control message with an error and the address of who reported it.
#[repr(C, align(8))]
struct Control([u8; 512]);

/// Tells the kernel to keep errors about datagrams sent from *socket*, which is bound to an address like *local*.
pub(crate) fn enable_error_queue(socket: BorrowedFd<'_>, local: SocketAddr) -> io::Result<()> {
    let (level, name) = if local.is_ipv4() { (IPPROTO_IP, IP_RECVERR) } else { (IPPROTO_IPV6, IPV6_RECVERR) };
    let on: c_int = 1;
    // SAFETY: the option takes an int; the pointer and the length are those of one that lives through the call.
    let done = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            level,
            name,
            std::ptr::from_ref(&on).cast::<c_void>(),
            size_of::<c_int>() as socklen_t,
        )
    };
    if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Takes one error out of the queue of *socket*; the first bytes of what was sent go to *excerpt*.
///
/// Returns `None` for an entry that tells nothing of use (no address, no error in it).
///
/// # Errors
/// `WouldBlock` when the queue is empty.
pub(crate) fn receive_error(socket: BorrowedFd<'_>, excerpt: &mut [u8]) -> io::Result<Option<NetworkError>> {
    let mut destination = address::empty();
    let mut control = Control([0; 512]);
    let mut parts = iovec { iov_base: excerpt.as_mut_ptr().cast::<c_void>(), iov_len: excerpt.len() };
    // SAFETY: plain old data; all zeros is a valid value.
    let mut header: msghdr = unsafe { zeroed() };
    header.msg_name = std::ptr::from_mut(&mut destination).cast::<c_void>();
    header.msg_namelen = size_of::<sockaddr_storage>() as socklen_t;
    header.msg_iov = &raw mut parts;
    header.msg_iovlen = 1;
    header.msg_control = std::ptr::from_mut(&mut control).cast::<c_void>();
    header.msg_controllen = size_of::<Control>() as _;
    // SAFETY: every pointer in `header` is to a local or to `excerpt`, with its true length, alive during the call.
    let received = unsafe { libc::recvmsg(socket.as_raw_fd(), &raw mut header, MSG_ERRQUEUE | MSG_DONTWAIT) };
    let length = usize::try_from(received).map_err(|_| io::Error::last_os_error())?;
    let errno = errno_of(&header);
    Ok(address::read(&destination).zip(errno).map(|(destination, errno)| NetworkError {
        destination,
        errno,
        length: length.min(excerpt.len()),
    }))
}

fn errno_of(header: &msghdr) -> Option<i32> {
    // SAFETY: the kernel filled `msg_control` and set `msg_controllen`; the CMSG functions stay within those bounds.
    let mut at = unsafe { CMSG_FIRSTHDR(header) };
    while !at.is_null() {
        // SAFETY: `at` is not null, so it points to a whole control header inside the control buffer, which is aligned for it.
        let control = unsafe { &*at };
        let kind = (control.cmsg_level, control.cmsg_type);
        // SAFETY: computes lengths only.
        let needed = unsafe { libc::CMSG_LEN(size_of::<sock_extended_err>() as u32) } as usize;
        if (kind == (IPPROTO_IP, IP_RECVERR) || kind == (IPPROTO_IPV6, IPV6_RECVERR))
            && control.cmsg_len as usize >= needed
        {
            // SAFETY: such a control message carries a `sock_extended_err`, and its length says that it is whole.
            let error = unsafe { CMSG_DATA(at).cast::<sock_extended_err>().read_unaligned() };
            return i32::try_from(error.ee_errno).ok();
        }
        // SAFETY: `at` came from the same header.
        at = unsafe { CMSG_NXTHDR(header, at) };
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::UdpSocket;
    use std::os::fd::AsFd;

    #[test]
    fn a_closed_port_is_reported_with_its_address_and_the_first_bytes() {
        for local in ["127.0.0.1:0", "[::1]:0"] {
            let here = UdpSocket::bind(local).expect("a port");
            let nobody =
                UdpSocket::bind(local).and_then(|socket| socket.local_addr()).expect("a port, closed again");
            enable_error_queue(here.as_fd(), here.local_addr().expect("bound")).expect("an option of UDP");
            here.send_to(b"OPTIONS sip:nobody SIP/2.0\r\n", nobody).expect("sent");
            let mut excerpt = [0; 512];
            let error = receive_error(here.as_fd(), &mut excerpt)
                .expect("loopback reports at once")
                .expect("with an address");
            assert_eq!((error.destination, error.errno), (nobody, libc::ECONNREFUSED));
            assert_eq!(&excerpt[..error.length], b"OPTIONS sip:nobody SIP/2.0\r\n");
            let empty = receive_error(here.as_fd(), &mut excerpt).expect_err("one error only");
            assert_eq!(empty.kind(), io::ErrorKind::WouldBlock);
        }
    }
}
