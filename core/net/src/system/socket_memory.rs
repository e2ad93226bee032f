//! What the kernel holds for a socket: how much it may, and what it dropped since that was too little (socket(7)).

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

use libc::{
    SK_MEMINFO_DROPS, SK_MEMINFO_RCVBUF, SK_MEMINFO_SNDBUF, SO_MEMINFO, SO_RCVBUF, SO_RCVBUFFORCE, SO_SNDBUF,
    SO_SNDBUFFORCE, SOL_SOCKET, c_int, c_void, socklen_t,
};

/// `SK_MEMINFO_VARS`: so many numbers the kernel tells at most (linux/sock_diag.h).
const NUMBERS: usize = 9;

/// What a socket may hold, and what it could not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct SocketMemory {
    pub(crate) receive_bytes: u32,
    pub(crate) send_bytes: u32,
    /// Datagrams that came and were dropped, since the socket was made; begins again after 2^32.
    pub(crate) drops: u32,
}

/// Asks the kernel to hold so much for *socket*, past its limits where we may (`CAP_NET_ADMIN`), else up to them
/// (`net.core.rmem_max`, `net.core.wmem_max`). [`socket_memory`] tells what it gave.
pub(crate) fn ask_for_buffers(socket: BorrowedFd<'_>, receive_bytes: u32, send_bytes: u32) -> io::Result<()> {
    for (forced, plain, bytes) in
        [(SO_RCVBUFFORCE, SO_RCVBUF, receive_bytes), (SO_SNDBUFFORCE, SO_SNDBUF, send_bytes)]
    {
        let bytes = c_int::try_from(bytes).unwrap_or(c_int::MAX);
        set(socket, forced, bytes).or_else(|_| set(socket, plain, bytes))?;
    }
    Ok(())
}

fn set(socket: BorrowedFd<'_>, name: c_int, value: c_int) -> io::Result<()> {
    // SAFETY: the option takes an int; the pointer and the length are those of one that lives through the call.
    let done = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            SOL_SOCKET,
            name,
            std::ptr::from_ref(&value).cast::<c_void>(),
            size_of::<c_int>() as socklen_t,
        )
    };
    if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Returns what the kernel gave *socket*, in the units in which it was asked for: it counts each buffer twice, for the
/// sake of its own bookkeeping (socket(7)).
pub(crate) fn socket_memory(socket: BorrowedFd<'_>) -> io::Result<SocketMemory> {
    let mut numbers = [0_u32; NUMBERS];
    let mut length = size_of_val(&numbers) as socklen_t;
    // SAFETY: the option writes numbers of 32 bits, no more bytes than `length` says, which is the length of the array.
    let done = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            SOL_SOCKET,
            SO_MEMINFO,
            numbers.as_mut_ptr().cast::<c_void>(),
            &raw mut length,
        )
    };
    if done != 0 {
        return Err(io::Error::last_os_error());
    }
    let number = |at: c_int| usize::try_from(at).ok().and_then(|at| numbers.get(at)).copied().unwrap_or(0);
    Ok(SocketMemory {
        receive_bytes: number(SK_MEMINFO_RCVBUF) / 2,
        send_bytes: number(SK_MEMINFO_SNDBUF) / 2,
        drops: number(SK_MEMINFO_DROPS),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::UdpSocket;
    use std::os::fd::AsFd;
    use std::time::{Duration, Instant};

    #[test]
    fn what_is_asked_for_is_what_is_told() {
        for address in ["127.0.0.1:0", "[::1]:0"] {
            let socket = UdpSocket::bind(address).expect("a port");
            ask_for_buffers(socket.as_fd(), 100_000, 70_000).expect("below every limit");
            let memory = socket_memory(socket.as_fd()).expect("an option of every socket");
            assert_eq!(memory, SocketMemory { receive_bytes: 100_000, send_bytes: 70_000, drops: 0 });
        }
    }

    #[test]
    fn more_than_the_system_allows_gives_what_it_allows() {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a port");
        ask_for_buffers(socket.as_fd(), 1 << 29, 1 << 29).expect("never an error");
        let memory = socket_memory(socket.as_fd()).expect("an option of every socket");
        assert!((1..=1 << 29).contains(&memory.receive_bytes), "{memory:?}");
    }

    #[test]
    fn datagrams_that_find_no_room_are_counted() {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a port");
        ask_for_buffers(socket.as_fd(), 4_096, 4_096).expect("below every limit");
        let there = socket.local_addr().expect("bound");
        let here = UdpSocket::bind("127.0.0.1:0").expect("a port");
        let sent = 200;
        for _ in 0..sent {
            here.send_to(&[0; 1_000], there).expect("loopback takes everything");
        }
        socket.set_nonblocking(true).expect("an option of every socket");
        let drops = || socket_memory(socket.as_fd()).expect("an option of every socket").drops as usize;
        let (mut kept, end) = (0, Instant::now() + Duration::from_secs(10));
        while kept + drops() < sent {
            // what was sent may still be on its way through the kernel
            kept += usize::from(socket.recv(&mut [0; 1_000]).is_ok());
            assert!(Instant::now() < end, "{kept} kept and {} dropped of {sent}", drops());
        }
        let dropped = drops();
        assert_eq!(kept + dropped, sent);
        assert!(dropped > 100, "{dropped}");
    }
}
