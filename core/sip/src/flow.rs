//! Between whom a message travels: a listener of ours and an address of theirs, over a connection if the transport has any.

use std::net::SocketAddr;

use crate::snapshot::ListenerIndex;

/// Names a connection; unique for the life of the process. Whoever owns the sockets gives it out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectionId(pub u64);

/// The path of one message, the same for both ways.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flow {
    /// The listener that received it, or that is to send it (RFC 3581 §4: answers leave from where requests arrive).
    pub listener: ListenerIndex,
    /// The other end.
    pub remote: SocketAddr,
    /// The connection it came on, or had better leave on (RFC 3261 §18.2.2). One that is gone is replaced by a new one to
    /// `remote`; `None` for a datagram, and where any connection to `remote` will do.
    pub connection: Option<ConnectionId>,
    /// [`peer_tag`](crate::rewrite::peer_tag) of the peer at the other end: of what came in, whom its certificate proved
    /// it to be; of what leaves, who is meant, and so has to prove itself where the transport is TLS.
    pub peer: Option<u32>,
}

impl Flow {
    /// The path of a datagram.
    pub const fn datagram(listener: ListenerIndex, remote: SocketAddr) -> Self {
        Self { listener, remote, connection: None, peer: None }
    }
}
