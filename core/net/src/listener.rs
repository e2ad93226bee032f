//! Binds the sockets: one for each listener and worker, all workers of a listener on one port.

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::AsFd;

use ibcf_sip::snapshot::{Listener, Transport};
use socket2::{Domain, Protocol, Socket, Type};

use crate::error::NetError;
use crate::system::enable_error_queue;

/// What we ask the kernel to hold for us, each way; it may grant less (`net.core.rmem_max`).
const SOCKET_BUFFER_BYTES: usize = 4 << 20;

/// A listener with its sockets, one a worker.
#[derive(Debug)]
pub(crate) struct Bound {
    pub(crate) id: String,
    pub(crate) address: SocketAddr,
    pub(crate) sockets: Vec<UdpSocket>,
}

/// Binds *listener* for *workers* workers. With port 0 the system chooses once, and all workers share the port.
pub(crate) fn bind(listener: &Listener, workers: usize) -> Result<Bound, NetError> {
    if listener.transport != Transport::Udp {
        return Err(NetError::Listen {
            listener: listener.id.clone(),
            address: listener.address,
            cause: io::ErrorKind::Unsupported.into(),
        });
    }
    let mut address = listener.address;
    let mut bind_all = || {
        if workers > 1 && address.port() != 0 {
            // A port that can be shared can be shared with a stranger too: this finds out whether it is free at all.
            drop(udp_socket(address, false)?);
        }
        let mut sockets = Vec::with_capacity(workers);
        for _ in 0..workers {
            let socket = udp_socket(address, workers > 1)?;
            address = socket.local_addr()?;
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

fn udp_socket(address: SocketAddr, is_shared: bool) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_nonblocking(true)?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    if is_shared {
        socket.set_reuse_port(true)?;
    }
    // Best effort: with small buffers the border works, it only drops sooner.
    let _ = socket.set_recv_buffer_size(SOCKET_BUFFER_BYTES);
    let _ = socket.set_send_buffer_size(SOCKET_BUFFER_BYTES);
    enable_error_queue(socket.as_fd(), address)?;
    socket.bind(&address.into())?;
    Ok(socket.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use ibcf_sip::snapshot::Side;

    fn listener(address: SocketAddr) -> Listener {
        Listener {
            id: "peer_udp".to_owned(),
            side: Side::Peer,
            transport: Transport::Udp,
            address,
            advertised: None,
            dscp: None,
            tls: None,
        }
    }

    #[test]
    fn all_workers_share_the_port_that_the_system_chose() {
        for any in ["127.0.0.1:0", "[::1]:0"] {
            let bound = bind(&listener(any.parse().expect("an address")), 3).expect("a port");
            assert_ne!(bound.address.port(), 0);
            assert_eq!(bound.sockets.len(), 3);
            assert!(bound.sockets.iter().all(|socket| socket.local_addr().expect("bound") == bound.address));
        }
    }

    #[test]
    fn a_port_in_use_is_told_with_listener_address_and_cause() {
        for workers in [1, 2] {
            let stranger = bind(&listener("127.0.0.1:0".parse().expect("an address")), 2).expect("a port");
            let error =
                bind(&listener(stranger.address), workers).expect_err("the port is taken").to_string();
            let expected =
                format!("listener \"peer_udp\" cannot bind {}: Address already in use", stranger.address);
            assert!(error.starts_with(&expected), "{error}");
        }
    }

    #[test]
    fn an_ipv6_listener_leaves_the_ipv4_port_free() {
        let six = bind(&listener("[::]:0".parse().expect("an address")), 1).expect("a port");
        let four = SocketAddr::from(([127, 0, 0, 1], six.address.port()));
        assert!(bind(&listener(four), 1).is_ok());
    }
}
