//! Socket addresses between Rust and C.

use std::mem::{size_of, zeroed};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};

use libc::{
    AF_INET, AF_INET6, in_addr, in6_addr, sa_family_t, sockaddr_in, sockaddr_in6, sockaddr_storage, socklen_t,
};

/// Returns a storage of zeros.
pub(super) fn empty() -> sockaddr_storage {
    // SAFETY: `sockaddr_storage` is plain old data; all zeros is a valid value (family `AF_UNSPEC`).
    unsafe { zeroed() }
}

/// Writes *address* into *storage* and returns how many bytes of it count.
pub(super) fn write(address: SocketAddr, storage: &mut sockaddr_storage) -> socklen_t {
    match address {
        SocketAddr::V4(v4) => {
            let c = sockaddr_in {
                sin_family: AF_INET as sa_family_t,
                sin_port: v4.port().to_be(),
                sin_addr: in_addr { s_addr: u32::from_ne_bytes(v4.ip().octets()) },
                sin_zero: [0; 8],
            };
            // SAFETY: `sockaddr_storage` is larger than `sockaddr_in` and aligned for every address type.
            unsafe { std::ptr::from_mut(storage).cast::<sockaddr_in>().write(c) };
            size_of::<sockaddr_in>() as socklen_t
        }
        SocketAddr::V6(v6) => {
            let c = sockaddr_in6 {
                sin6_family: AF_INET6 as sa_family_t,
                sin6_port: v6.port().to_be(),
                sin6_flowinfo: v6.flowinfo(),
                sin6_addr: in6_addr { s6_addr: v6.ip().octets() },
                sin6_scope_id: v6.scope_id(),
            };
            // SAFETY: `sockaddr_storage` is larger than `sockaddr_in6` and aligned for every address type.
            unsafe { std::ptr::from_mut(storage).cast::<sockaddr_in6>().write(c) };
            size_of::<sockaddr_in6>() as socklen_t
        }
    }
}

/// Reads the address that the kernel wrote into *storage*; `None` for a family that is not IP.
pub(super) fn read(storage: &sockaddr_storage) -> Option<SocketAddr> {
    match i32::from(storage.ss_family) {
        AF_INET => {
            // SAFETY: the family says that it holds a `sockaddr_in`; the storage is large enough and aligned for it.
            let c = unsafe { &*std::ptr::from_ref(storage).cast::<sockaddr_in>() };
            let ip = Ipv4Addr::from(c.sin_addr.s_addr.to_ne_bytes());
            Some(SocketAddrV4::new(ip, u16::from_be(c.sin_port)).into())
        }
        AF_INET6 => {
            // SAFETY: the family says that it holds a `sockaddr_in6`; the storage is large enough and aligned for it.
            let c = unsafe { &*std::ptr::from_ref(storage).cast::<sockaddr_in6>() };
            let ip = Ipv6Addr::from(c.sin6_addr.s6_addr);
            // The flow label is no part of who the sender is.
            Some(SocketAddrV6::new(ip, u16::from_be(c.sin6_port), 0, c.sin6_scope_id).into())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_come_back_as_they_went_in() {
        for text in
            ["127.0.0.1:5060", "255.1.2.3:65535", "[::1]:5060", "[2001:db8::17]:1", "[fe80::1%3]:5060"]
        {
            let address: SocketAddr = text.parse().expect("an address");
            let mut storage = empty();
            write(address, &mut storage);
            assert_eq!(read(&storage), Some(address));
        }
        assert_eq!(read(&empty()), None);
    }
}
