//! Who may speak to the border, and over what.

use std::net::SocketAddr;

use ibcf_sip::Flow;
use ibcf_sip::flow::ConnectionId;
use ibcf_sip::rewrite::peer_tag;
use ibcf_sip::snapshot::ListenerIndex;

use crate::policy;

/// The transports of the policy's listeners, by their index.
const TRANSPORTS: [&str; 6] = ["UDP", "UDP", "UDP", "TCP", "TCP", "TLS"];
const FIRST_STREAM: u16 = 3;
const TLS: u16 = 5;

/// An address that sends to one of the listeners.
#[derive(Clone, Copy, Debug)]
pub(super) struct Side {
    pub(super) address: &'static str,
    listener: u16,
    /// Whom its certificate proves it to be.
    proved: Option<&'static str>,
}

const fn side(address: &'static str, listener: u16) -> Side {
    Side { address, listener, proved: None }
}

pub(super) const SIDES: [Side; 12] = [
    side(policy::HOME, 0),
    side(policy::PEER, 1),
    side(policy::SECOND, 1),
    side(policy::SIXTH, 2),
    side(policy::STRANGER, 0),
    side(policy::HOME, 3),
    side(policy::PEER, 4),
    Side { address: policy::FOURTH, listener: TLS, proved: Some("fourth") },
    side(policy::FOURTH, 4),
    side(policy::PEER, 0), // a peer at the listener of the other side
    side(policy::STRANGER, TLS),
    Side { address: policy::STRANGER, listener: TLS, proved: Some("fourth") },
];

impl Side {
    pub(super) fn flow(self) -> Flow {
        Flow {
            listener: ListenerIndex(self.listener),
            remote: self.address.parse().expect("an address"),
            connection: (self.listener >= FIRST_STREAM).then_some(ConnectionId(u64::from(self.listener))),
            peer: self.proved.map(peer_tag),
        }
    }

    /// `TCP 192.0.2.10:5060`, as its Via says.
    pub(super) fn sent_by(self) -> String {
        format!("{} {}", TRANSPORTS[usize::from(self.listener)], self.address)
    }
}

/// Who answers on the flow that a message left on.
pub(super) fn at_the_other_end(flow: Flow) -> Side {
    let has = |side: &&Side| {
        let address: SocketAddr = side.address.parse().expect("an address");
        address.ip() == flow.remote.ip() && side.listener == flow.listener.0
    };
    SIDES.iter().find(has).copied().unwrap_or(SIDES[0])
}

/// Does the flow's transport lose nothing?
pub(super) const fn is_stream(flow: Flow) -> bool {
    flow.listener.0 >= FIRST_STREAM
}
