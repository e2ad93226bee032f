//! Binds the sockets: one for each listener and worker, all workers of a listener on one port.

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};

use ibcf_sip::snapshot::{Listener, Transport};
use mio::net::TcpListener;
use socket2::{Domain, Protocol, SockRef, Socket, Type};

use crate::error::NetError;
use crate::stream::{listen, set_dscp};
use crate::system::{enable_error_queue, stamp_arrivals};

/// A listener with its sockets, one a worker.
#[derive(Debug)]
pub(crate) struct Bound {
    pub(crate) id: String,
    pub(crate) address: SocketAddr,
    pub(crate) sockets: Vec<ListenerSocket>,
}

/// What a worker has of a listener.
#[derive(Debug)]
pub(crate) enum ListenerSocket {
    Datagrams(UdpSocket),
    Connections(TcpListener),
}

impl ListenerSocket {
    pub(crate) fn descriptor(&self) -> RawFd {
        match self {
            Self::Datagrams(socket) => socket.as_raw_fd(),
            Self::Connections(socket) => socket.as_raw_fd(),
        }
    }

    /// Marks what it sends from now on, and the connections that it accepts.
    pub(crate) fn mark(&self, address: SocketAddr, dscp: Option<u8>) {
        // Best effort: what is not marked arrives all the same.
        let _ = match self {
            Self::Datagrams(socket) => set_dscp(&SockRef::from(socket), address, dscp),
            Self::Connections(socket) => set_dscp(&SockRef::from(socket), address, dscp),
        };
    }

    /// The socket, where datagrams wait in it.
    pub(crate) fn datagrams(&self) -> Option<BorrowedFd<'_>> {
        match self {
            Self::Datagrams(socket) => Some(socket.as_fd()),
            Self::Connections(_) => None,
        }
    }

    fn open(listener: &Listener, address: SocketAddr, is_shared: bool) -> io::Result<Self> {
        match listener.transport {
            Transport::Udp => udp_socket(listener, address, is_shared).map(Self::Datagrams),
            Transport::Tcp | Transport::Tls => {
                listen(address, is_shared, listener.dscp).map(Self::Connections)
            }
        }
    }

    fn local_address(&self) -> io::Result<SocketAddr> {
        match self {
            Self::Datagrams(socket) => socket.local_addr(),
            Self::Connections(socket) => socket.local_addr(),
        }
    }
}

/// Binds *listener* for *workers* workers. With port 0 the system chooses once, and all workers share the port.
pub(crate) fn bind(listener: &Listener, workers: usize) -> Result<Bound, NetError> {
    let mut address = listener.address;
    let mut bind_all = || {
        if workers > 1 && address.port() != 0 {
            // A port that can be shared can be shared with a stranger too: this finds out whether it is free at all.
            drop(ListenerSocket::open(listener, address, false)?);
        }
        let mut sockets = Vec::with_capacity(workers);
        for _ in 0..workers {
            let socket = ListenerSocket::open(listener, address, workers > 1)?;
            address = socket.local_address()?;
            sockets.push(socket);
        }
        Ok(sockets)
    };
    match bind_all() {
        Ok(sockets) => Ok(Bound { id: listener.id.clone(), address, sockets }),
        Err(cause) => {
            Err(NetError::Listen { listener: listener.id.clone(), address: listener.address, cause })
        }
    }
}

fn udp_socket(listener: &Listener, address: SocketAddr, is_shared: bool) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_nonblocking(true)?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    if is_shared {
        socket.set_reuse_port(true)?;
    }
    set_dscp(&SockRef::from(&socket), address, listener.dscp)?;
    enable_error_queue(socket.as_fd(), address)?;
    stamp_arrivals(socket.as_fd())?;
    socket.bind(&address.into())?;
    Ok(socket.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stream::connect;
    use ibcf_sip::snapshot::Side;

    const STREAMS_TOO: [Transport; 2] = [Transport::Udp, Transport::Tcp];

    fn listener(transport: Transport, address: SocketAddr) -> Listener {
        Listener {
            id: "peer_side".to_owned(),
            side: Side::Peer,
            transport,
            address,
            advertised: None,
            dscp: None,
            receive_buffer_bytes: 1 << 20,
            send_buffer_bytes: 1 << 19,
            tls: None,
        }
    }

    #[test]
    fn all_workers_share_the_port_that_the_system_chose() {
        for (any, transport) in ["127.0.0.1:0", "[::1]:0"]
            .into_iter()
            .flat_map(|any| STREAMS_TOO.map(|transport| (any, transport)))
        {
            let bound = bind(&listener(transport, any.parse().expect("an address")), 3).expect("a port");
            assert_ne!(bound.address.port(), 0);
            assert_eq!(bound.sockets.len(), 3);
            assert!(
                bound.sockets.iter().all(|socket| socket.local_address().expect("bound") == bound.address)
            );
        }
    }

    #[test]
    fn a_port_in_use_is_told_with_listener_address_and_cause() {
        for (workers, transport) in
            [1, 2].into_iter().flat_map(|n| STREAMS_TOO.map(|transport| (n, transport)))
        {
            let any = "127.0.0.1:0".parse().expect("an address");
            let stranger = bind(&listener(transport, any), 2).expect("a port");
            let error = bind(&listener(transport, stranger.address), workers)
                .expect_err("the port is taken")
                .to_string();
            let expected =
                format!("listener \"peer_side\" cannot bind {}: Address already in use", stranger.address);
            assert!(error.starts_with(&expected), "{error}");
        }
    }

    #[test]
    fn an_ipv6_listener_leaves_the_ipv4_port_free() {
        for transport in STREAMS_TOO {
            let any = "[::]:0".parse().expect("an address");
            // Some other test may have that very port of IPv4, but not that of every try.
            let is_left_free = || {
                let six = bind(&listener(transport, any), 1).expect("a port");
                let four = SocketAddr::from(([127, 0, 0, 1], six.address.port()));
                bind(&listener(transport, four), 1).is_ok()
            };
            assert!((0..10).any(|_| is_left_free()));
        }
    }

    #[test]
    fn every_socket_is_marked_with_the_code_point_of_its_listener() {
        for (transport, any) in STREAMS_TOO.into_iter().flat_map(|t| [(t, "127.0.0.1:0"), (t, "[::1]:0")]) {
            let address: SocketAddr = any.parse().expect("an address");
            let marked = Listener { dscp: Some(24), ..listener(transport, address) };
            let bound = bind(&marked, 1).expect("a port");
            let field = |socket: &ListenerSocket| {
                let socket = match socket {
                    ListenerSocket::Datagrams(socket) => SockRef::from(socket),
                    ListenerSocket::Connections(socket) => SockRef::from(socket),
                };
                if address.is_ipv4() { socket.tos_v4() } else { socket.tclass_v6() }.expect("an option")
            };
            assert_eq!(field(&bound.sockets[0]), 24 << 2, "{any}");
            bound.sockets[0].mark(address, Some(46));
            assert_eq!(field(&bound.sockets[0]), 46 << 2, "{any} after a reload");
            if let ListenerSocket::Connections(_) = &bound.sockets[0] {
                let step = std::time::Duration::from_secs(1);
                let stream = connect(address.ip(), bound.address, Some(24), step).expect("connecting");
                let socket = SockRef::from(&stream);
                let field = if address.is_ipv4() { socket.tos_v4() } else { socket.tclass_v6() };
                assert_eq!(field.expect("an option"), 24 << 2);
                assert_eq!(stream.local_addr().expect("bound").ip(), address.ip());
            }
        }
    }
}
