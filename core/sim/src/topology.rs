//! The toy world: which core has which address, and by which transport it is reached.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use ibcf_sip::snapshot::{ListenerIndex, Transport};

use crate::plan::{Dialled, Plan, Way};

const fn address(a: u8, b: u8, c: u8, d: u8) -> SocketAddr {
    SocketAddr::new(IpAddr::V4(Ipv4Addr::new(a, b, c, d)), 5060)
}

const HOME: SocketAddr = address(10, 0, 0, 1);
const PEER: SocketAddr = address(192, 0, 2, 1);

/// The border's listeners, by position.
pub const LISTENERS: [(SocketAddr, Transport); 4] =
    [(HOME, Transport::Udp), (PEER, Transport::Udp), (HOME, Transport::Tcp), (PEER, Transport::Tcp)];

/// One address of a core at which calls arrive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The address.
    pub address: SocketAddr,
    /// The only transport that it speaks.
    pub transport: Transport,
}

const fn udp(address: SocketAddr) -> Place {
    Place { address, transport: Transport::Udp }
}

const fn tcp(address: SocketAddr) -> Place {
    Place { address, transport: Transport::Tcp }
}

/// The home core, in the order in which its targets are tried.
pub const HOME_CORE: [Place; 3] =
    [udp(address(10, 0, 1, 1)), tcp(address(10, 0, 1, 2)), udp(address(10, 0, 1, 3))];
/// Carrier B.
pub const CARRIER_B: [Place; 2] = [udp(address(198, 51, 100, 1)), udp(address(198, 51, 100, 2))];
/// The transit carrier C, over TCP.
pub const CARRIER_C: [Place; 1] = [tcp(address(203, 0, 113, 1))];
/// Carrier D, whose targets are located by DNS.
pub const CARRIER_D: [Place; 2] = [udp(address(203, 0, 113, 129)), tcp(address(203, 0, 113, 130))];
const HOME_CALLERS: [Place; 2] = [udp(address(10, 0, 1, 10)), tcp(address(10, 0, 1, 11))];
const CARRIER_CALLERS: [Place; 2] = [udp(address(198, 51, 100, 10)), tcp(address(198, 51, 100, 11))];

/// A sender that the border does not know.
pub const STRANGER: SocketAddr = address(192, 0, 2, 200);
/// A sender that belongs to carrier E, which has no part in any call.
pub const INTRUDER: SocketAddr = address(198, 18, 0, 66);

/// How many places a call may be tried at.
pub const PLACES_MAX: usize = 3;

/// Where the caller is.
pub const fn caller(plan: &Plan) -> Place {
    let at = plan.caller_by_stream as usize;
    match plan.way {
        Way::Exit => HOME_CALLERS[at],
        Way::Entry => CARRIER_CALLERS[at],
    }
}

/// Where the called ones may be, as one list; their plans are in this order.
pub fn called(plan: &Plan) -> impl Iterator<Item = Place> {
    let (first, second): (&[Place], &[Place]) = match (plan.way, plan.dialled) {
        (Way::Entry, _) => (&HOME_CORE, &[]),
        (Way::Exit, Dialled::Located) => (&CARRIER_D, &[]),
        (Way::Exit, _) => (&CARRIER_B, &CARRIER_C),
    };
    first.iter().chain(second).copied()
}

/// Every address of a core.
pub fn places() -> impl Iterator<Item = Place> {
    HOME_CORE
        .into_iter()
        .chain(CARRIER_B)
        .chain(CARRIER_C)
        .chain(CARRIER_D)
        .chain(HOME_CALLERS)
        .chain(CARRIER_CALLERS)
}

/// Is it an address of the home network?
pub fn is_home(address: SocketAddr) -> bool {
    matches!(address.ip(), IpAddr::V4(ip) if ip.octets()[0] == 10)
}

/// Where on the border the caller sends its first request.
pub const fn border_address(way: Way) -> SocketAddr {
    match way {
        Way::Exit => HOME,
        Way::Entry => PEER,
    }
}

/// The listener with this address and transport.
pub fn listener(address: SocketAddr, transport: Transport) -> Option<ListenerIndex> {
    let at = LISTENERS.iter().position(|listener| *listener == (address, transport))?;
    u16::try_from(at).ok().map(ListenerIndex)
}

/// Is it an address of the border?
pub fn is_border(address: SocketAddr) -> bool {
    address == HOME || address == PEER
}
