//! What befalls a run from outside the messages: cuts, crashes, restarts, reloads, bad DNS, clocks that jump.

use std::net::SocketAddr;

use crate::dns;
use crate::random::Random;
use crate::topology;

/// One thing that happens to the border, the network or a core.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Trouble {
    /// Nothing passes between the border and these addresses for so long.
    Partition {
        /// Who is cut off.
        who: Cut,
        /// For how long.
        for_ms: u64,
    },
    /// The core at this address loses all that it kept.
    PeerRestart(SocketAddr),
    /// The border dies, and comes back after so long with its configuration and keys, and nothing else.
    Crash {
        /// How long it is away.
        down_ms: u64,
    },
    /// A new generation of the policy, with other routes.
    Reload,
    /// Carrier D was located anew.
    Located {
        /// Its targets in the other order?
        is_reversed: bool,
    },
    /// DNS gets better or worse.
    Dns(dns::Health),
    /// The wall clock is set by so much.
    WallClock {
        /// Milliseconds.
        by_ms: i64,
    },
    /// The monotonic clock is ahead by so much at once (a suspended machine).
    Jump {
        /// Milliseconds.
        ahead_ms: u64,
    },
    /// The border does nothing for so long; what comes waits.
    Stall {
        /// Milliseconds.
        for_ms: u64,
    },
    /// Connections break: all of this core, or all.
    Break(Option<SocketAddr>),
}

/// Who is cut off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// One address.
    One(SocketAddr),
    /// One side.
    Side {
        /// The home network?
        is_home: bool,
    },
}

impl Cut {
    /// Is this core cut off?
    pub fn is(&self, core: SocketAddr) -> bool {
        match self {
            Self::One(address) => *address == core,
            Self::Side { is_home } => topology::is_home(core) == *is_home,
        }
    }
}

/// Draws what befalls a run of this length: nothing in a third of all runs.
pub fn draw(random: &mut Random, length_ms: u64) -> Vec<(u64, Trouble)> {
    let mut troubles: Vec<_> =
        (0..random.below(7)).map(|_| (random.below(length_ms + 20_000), trouble(random))).collect();
    if random.below(3) == 0 {
        troubles.clear();
    }
    // A reload is no excuse for anything, so there is one in each run.
    troubles.push((length_ms / 2, Trouble::Reload));
    troubles
}

fn trouble(random: &mut Random) -> Trouble {
    let places: Vec<_> = topology::places().map(|place| place.address).collect();
    let at = usize::try_from(random.below(places.len() as u64)).unwrap_or(0);
    let address = places.get(at).copied().unwrap_or(topology::STRANGER);
    let who = if random.chance(0.3) { Cut::Side { is_home: random.chance(0.5) } } else { Cut::One(address) };
    let longest_ms = if random.chance(0.5) { 3_000 } else { 40_000 };
    let for_ms = 100 + random.below(longest_ms);
    let hours = i64::try_from(random.below(49)).unwrap_or(0) - 24;
    let choices = [
        (4, Trouble::Partition { who, for_ms }),
        (3, Trouble::PeerRestart(address)),
        (3, Trouble::Crash { down_ms: random.below(3_000) }),
        (3, Trouble::Reload),
        (2, Trouble::Located { is_reversed: random.chance(0.5) }),
        (3, Trouble::Dns(dns::Health::draw(random))),
        (2, Trouble::WallClock { by_ms: hours * 3_600_000 }),
        (1, Trouble::Jump { ahead_ms: 1_000 + random.below(400_000) }),
        (1, Trouble::Stall { for_ms: 100 + random.below(8_000) }),
        (3, Trouble::Break(random.chance(0.5).then_some(address))),
    ];
    random.weighted(&choices).unwrap_or(Trouble::Reload)
}
