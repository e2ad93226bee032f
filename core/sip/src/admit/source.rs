//! Source address → peer (EN-04). IPv4-mapped IPv6 addresses count as the IPv4 address inside (PX-72).

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use foldhash::fast::FixedState;

use crate::snapshot::document::Peer;
use crate::snapshot::{PeerIndex, SnapshotError};

/// All source networks of all peers: whole addresses by hash, then networks from long to short.
#[derive(Debug, Default)]
pub struct SourceTable {
    addresses: HashMap<IpAddr, PeerIndex, FixedState>,
    networks: Vec<(Network, PeerIndex)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Network {
    address: u128,
    mask: u128,
    length: u8,
    is_v4: bool,
}

impl SourceTable {
    /// Reads the `sources` of every peer. Two peers with the same network are a fault.
    pub fn compile(peers: &[Peer]) -> Result<Self, SnapshotError> {
        let mut table = Self::default();
        for (at, peer) in peers.iter().enumerate() {
            for (nth, source) in peer.sources.iter().enumerate() {
                let place = format!("peers[{at}].sources[{nth}]");
                let index = u16::try_from(at)
                    .map(PeerIndex)
                    .map_err(|_| SnapshotError::value(&place, "too many peers"))?;
                table.add(source, index).map_err(|problem| SnapshotError::value(&place, problem))?;
            }
        }
        table.networks.sort_by_key(|(network, _)| std::cmp::Reverse(network.length));
        Ok(table)
    }

    fn add(&mut self, source: &str, peer: PeerIndex) -> Result<(), String> {
        let (address, length) = source.split_once('/').unwrap_or((source, ""));
        let address: IpAddr =
            address.parse().map_err(|_| format!("\"{source}\" is no address or network"))?;
        let address = address.to_canonical();
        let bits = if address.is_ipv4() { 32 } else { 128 };
        let length: u8 = if length.is_empty() {
            bits
        } else {
            length.parse().map_err(|_| format!("\"{source}\": no prefix length"))?
        };
        if length > bits {
            return Err(format!("\"{source}\": prefix length above {bits}"));
        }
        let twice = if length == bits {
            self.addresses.insert(address, peer).is_some()
        } else {
            let network = Network::new(address, length);
            let twice = self.networks.iter().any(|(other, _)| *other == network);
            self.networks.push((network, peer));
            twice
        };
        if twice { Err(format!("\"{source}\" belongs to two peers or stands twice")) } else { Ok(()) }
    }

    /// Finds the peer that *source* belongs to: the longest match.
    pub fn find(&self, source: IpAddr) -> Option<PeerIndex> {
        let source = source.to_canonical();
        self.addresses.get(&source).copied().or_else(|| {
            self.networks.iter().find(|(network, _)| network.contains(source)).map(|(_, peer)| *peer)
        })
    }
}

impl Network {
    fn new(address: IpAddr, length: u8) -> Self {
        let (value, is_v4) = number(address);
        let bits: u8 = if is_v4 { 32 } else { 128 };
        let mask = if length == 0 { 0 } else { u128::MAX << u32::from(bits - length) };
        let mask = if is_v4 { mask & u128::from(u32::MAX) } else { mask };
        Self { address: value & mask, mask, length, is_v4 }
    }

    fn contains(self, address: IpAddr) -> bool {
        let (value, is_v4) = number(address);
        is_v4 == self.is_v4 && value & self.mask == self.address
    }
}

fn number(address: IpAddr) -> (u128, bool) {
    match address {
        IpAddr::V4(address) => (u128::from(Ipv4Addr::to_bits(address)), true),
        IpAddr::V6(address) => (Ipv6Addr::to_bits(address), false),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(sources: &[(&str, u16)]) -> Result<SourceTable, String> {
        let mut table = SourceTable::default();
        for (source, peer) in sources {
            table.add(source, PeerIndex(*peer))?;
        }
        table.networks.sort_by_key(|(network, _)| std::cmp::Reverse(network.length));
        Ok(table)
    }

    fn find(table: &SourceTable, address: &str) -> Option<u16> {
        table.find(address.parse().expect("a test address")).map(|peer| peer.0)
    }

    #[test]
    fn the_longest_network_wins() {
        let table = table(&[("10.0.0.0/8", 1), ("10.1.0.0/16", 2), ("10.1.2.3", 3), ("2001:db8::/32", 4)])
            .expect("loads");
        assert_eq!(find(&table, "10.1.2.3"), Some(3));
        assert_eq!(find(&table, "10.1.9.9"), Some(2));
        assert_eq!(find(&table, "10.9.9.9"), Some(1));
        assert_eq!(find(&table, "11.0.0.1"), None);
        assert_eq!(find(&table, "2001:db8::9"), Some(4));
        assert_eq!(find(&table, "2001:db9::9"), None);
    }

    #[test]
    fn a_mapped_address_is_the_address_inside() {
        let table = table(&[("192.0.2.1/32", 7)]).expect("loads");
        assert_eq!(find(&table, "::ffff:192.0.2.1"), Some(7));
    }

    #[test]
    fn zero_length_takes_all_of_its_family() {
        let table = table(&[("0.0.0.0/0", 1)]).expect("loads");
        assert_eq!(find(&table, "203.0.113.9"), Some(1));
        assert_eq!(find(&table, "2001:db8::1"), None);
    }

    #[test]
    fn faults_are_refused() {
        for bad in ["", "10.0.0.0/33", "10.0.0.0/x", "2001:db8::/129", "host.example"] {
            assert!(table(&[(bad, 1)]).is_err(), "{bad}");
        }
        assert!(table(&[("10.0.0.0/8", 1), ("10.0.0.0/8", 2)]).is_err());
        assert!(table(&[("10.0.0.1", 1), ("10.0.0.1/32", 2)]).is_err());
    }
}
