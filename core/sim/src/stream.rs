//! Connections of the virtual network: what is sent over one arrives once and in order, until it breaks.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::Duration;

use ibcf_sip::snapshot::ListenerIndex;
use ibcf_sip::{ConnectionId, Flow, Time};

/// One connection between a core and the border.
#[derive(Debug)]
struct Connection {
    listener: ListenerIndex,
    /// The address of the core, under which it listens itself.
    core: SocketAddr,
    /// What the border sees of it: another port, when the core opened it.
    remote: SocketAddr,
    is_open: bool,
    /// When the last message towards the border, and the last one from it, arrives.
    last: [Time; 2],
}

/// Which way a message travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Towards {
    /// From a core.
    Border,
    /// To a core.
    Core,
}

/// All connections of a run.
#[derive(Debug, Default)]
pub struct Streams {
    connections: Vec<Connection>,
    /// The open ones, by core, listener and whether the core opened it.
    opened: HashMap<(SocketAddr, ListenerIndex, bool), usize>,
}

impl Streams {
    /// The connection on which *core* sends to *listener*: the open one, else a new one.
    pub fn to_border(&mut self, core: SocketAddr, listener: ListenerIndex) -> usize {
        let port = 20_000 + u16::try_from(self.connections.len() % 40_000).unwrap_or(0);
        self.find_or_open(core, listener, SocketAddr::new(core.ip(), port), true)
    }

    /// The connection on which the border's message leaves: the one it asks for, else one that it opened to that address.
    pub fn to_core(&mut self, flow: &Flow) -> usize {
        let asked = flow.connection.and_then(|id| usize::try_from(id.0).ok());
        let is_open = |at: &usize| self.connections.get(*at).is_some_and(|connection| connection.is_open);
        match asked.filter(is_open) {
            Some(at) => at,
            None => self.find_or_open(flow.remote, flow.listener, flow.remote, false),
        }
    }

    fn find_or_open(
        &mut self,
        core: SocketAddr,
        listener: ListenerIndex,
        remote: SocketAddr,
        by_core: bool,
    ) -> usize {
        let connections = &mut self.connections;
        *self.opened.entry((core, listener, by_core)).or_insert_with(|| {
            connections.push(Connection { listener, core, remote, is_open: true, last: [Time::ZERO; 2] });
            connections.len() - 1
        })
    }

    /// The core at the other end.
    pub fn core(&self, at: usize) -> Option<SocketAddr> {
        self.connections.get(at).map(|connection| connection.core)
    }

    /// How the border sees a message that comes on this connection.
    pub fn flow(&self, at: usize) -> Option<Flow> {
        let connection = self.connections.get(at)?;
        let id = ConnectionId(u64::try_from(at).ok()?);
        Some(Flow {
            listener: connection.listener,
            remote: connection.remote,
            connection: Some(id),
            peer: None,
        })
    }

    /// Tells whether it is still open.
    pub fn is_open(&self, at: usize) -> bool {
        self.connections.get(at).is_some_and(|connection| connection.is_open)
    }

    /// How long a message sent *now* takes, when the network takes *delay*: it never overtakes another.
    pub fn delay(&mut self, at: usize, towards: Towards, now: Time, delay: Duration) -> Duration {
        let Some(connection) = self.connections.get_mut(at) else { return delay };
        let last = &mut connection.last[usize::from(towards == Towards::Core)];
        *last = (*last).max(now + delay);
        *last - now
    }

    /// Breaks the connections that *is_meant* says, by the address of their core.
    pub fn break_all(&mut self, mut is_meant: impl FnMut(SocketAddr) -> bool) {
        for connection in &mut self.connections {
            if connection.is_open && is_meant(connection.core) {
                connection.is_open = false;
            }
        }
        let connections = &self.connections;
        self.opened.retain(|_, at| connections.get(*at).is_some_and(|connection| connection.is_open));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn core() -> SocketAddr {
        "203.0.113.1:5060".parse().unwrap()
    }

    #[test]
    fn a_later_message_never_overtakes_an_earlier_one() {
        let mut streams = Streams::default();
        let at = streams.to_border(core(), ListenerIndex(3));
        let millis = Duration::from_millis;
        assert_eq!(streams.delay(at, Towards::Border, Time::ZERO, millis(90)), millis(90));
        assert_eq!(streams.delay(at, Towards::Border, Time::from_millis(10), millis(5)), millis(80));
        assert_eq!(streams.delay(at, Towards::Core, Time::from_millis(10), millis(5)), millis(5));
    }

    #[test]
    fn a_connection_is_used_until_it_breaks() {
        let mut streams = Streams::default();
        let first = streams.to_border(core(), ListenerIndex(3));
        assert_eq!(streams.to_border(core(), ListenerIndex(3)), first);
        let flow = streams.flow(first).unwrap();
        assert_eq!(streams.to_core(&flow), first);
        streams.break_all(|_| true);
        assert!(!streams.is_open(first));
        assert_ne!(streams.to_border(core(), ListenerIndex(3)), first);
        let own = streams.to_core(&Flow { remote: core(), ..flow });
        assert_ne!(own, first);
        assert_eq!(streams.core(own), Some(core()));
        assert_eq!(streams.flow(own).unwrap().remote, core());
    }
}
