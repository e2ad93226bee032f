//! Makes stream sockets: listening ones, connecting ones, and what is set on each (RFC 1122 §4.2.3.6, RFC 2474, RFC 5482).

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use mio::net::{TcpListener, TcpStream};
use socket2::{Domain, Protocol, SockRef, Socket, TcpKeepalive, Type};

/// Connections that may wait to be accepted.
const BACKLOG: i32 = 1_024;
/// A silent connection is probed after this long, so that one whose other end vanished is found before it is needed.
const PROBE_AFTER: Duration = Duration::from_secs(60);
const PROBE_EVERY: Duration = Duration::from_secs(15);

/// Listens on *address*; with *`is_shared`* others of this process do so too.
pub(crate) fn listen(address: SocketAddr, is_shared: bool, dscp: Option<u8>) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_nonblocking(true)?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    // Connections of the process before this one that are still ending must not keep the port.
    socket.set_reuse_address(true)?;
    if is_shared {
        socket.set_reuse_port(true)?;
    }
    set_dscp(&SockRef::from(&socket), address, dscp)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(TcpListener::from_std(socket.into()))
}

/// Begins to connect to *remote* from the address *local*, whatever the port: what the other side is asked to believe is
/// the address.
pub(crate) fn connect(
    local: IpAddr,
    remote: SocketAddr,
    dscp: Option<u8>,
    step: Duration,
) -> io::Result<TcpStream> {
    let socket = Socket::new(Domain::for_address(remote), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_nonblocking(true)?;
    if !local.is_unspecified() {
        socket.bind(&SocketAddr::new(local, 0).into())?;
    }
    set_options(&SockRef::from(&socket), remote, dscp, step);
    match socket.connect(&remote.into()) {
        Err(error) if error.raw_os_error() != Some(libc::EINPROGRESS) => Err(error),
        _ => Ok(TcpStream::from_std(socket.into())),
    }
}

/// Sets what holds for every connection. Best effort: without, it works, only worse.
pub(crate) fn set_options(socket: &SockRef<'_>, remote: SocketAddr, dscp: Option<u8>, step: Duration) {
    let keepalive = TcpKeepalive::new().with_time(PROBE_AFTER).with_interval(PROBE_EVERY);
    let _ = socket.set_tcp_nodelay(true);
    let _ = socket.set_tcp_keepalive(&keepalive);
    // What nobody acknowledges for so long is given up, as a connection that cannot be made is.
    let _ = socket.set_tcp_user_timeout(Some(step));
    let _ = set_dscp(socket, remote, dscp);
}

/// Marks what *socket* sends (RFC 2474 §3: the upper six bits).
pub(crate) fn set_dscp(socket: &SockRef<'_>, address: SocketAddr, dscp: Option<u8>) -> io::Result<()> {
    match dscp.map(|dscp| u32::from(dscp) << 2) {
        None => Ok(()),
        Some(field) if address.is_ipv4() => socket.set_tos_v4(field),
        Some(field) => socket.set_tclass_v6(field),
    }
}

/// Closes *socket* with a reset: who is refused shall notice at once, and nothing of it stays here.
pub(crate) fn refuse(socket: TcpStream) {
    let _ = SockRef::from(&socket).set_linger(Some(Duration::ZERO));
    drop(socket);
}
