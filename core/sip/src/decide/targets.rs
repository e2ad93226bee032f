//! In which order the targets of a route are tried: priority, then a weighted choice (RFC 2782), peer by peer.
//!
//! The choice is a function of the call's hash, so a retransmission or a second node comes to the same order (LOC-11).

use std::sync::Arc;

use smallvec::SmallVec;

use super::action::RouteChoice;
use crate::snapshot::{self, PeerIndex};

/// One address to try.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// The peer, in the snapshot that the choice came from.
    pub peer: PeerIndex,
    /// The target: of the snapshot, or located.
    pub place: Arc<snapshot::Target>,
}

/// One step of a route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Planned {
    /// Try this.
    Target(Target),
    /// Ask where the Request-URI leads, and try that.
    Locate(PeerIndex),
}

impl Planned {
    /// Whose step it is.
    pub const fn peer(&self) -> PeerIndex {
        match self {
            Self::Target(target) => target.peer,
            Self::Locate(peer) => *peer,
        }
    }
}

/// Fills *out* with every target of *choice* in the order in which they are to be tried.
///
/// It does not stop at `attempts_max`: the caller counts attempts, since a target may be passed over (a peer at its
/// capacity) without being tried.
///
/// *targets* tells those of a peer; `None` when each Request-URI has its own.
pub fn target_set(
    choice: &RouteChoice,
    targets: impl Fn(PeerIndex) -> Option<Arc<[Arc<snapshot::Target>]>>,
    hash: u64,
    out: &mut SmallVec<[Planned; 4]>,
) {
    out.clear();
    let mut draws = Draws(hash);
    let mut peers: SmallVec<[Candidate; 8]> = choice
        .peers
        .iter()
        .enumerate()
        .map(|(at, (_, priority, weight))| Candidate::new(at, *priority, *weight))
        .collect();
    order(&mut peers, &mut draws);
    for chosen in peers {
        let Some((peer, ..)) = choice.peers.get(chosen.at) else { continue };
        match targets(*peer) {
            Some(targets) => out.extend(planned(*peer, &targets, &mut draws)),
            None => out.push(Planned::Locate(*peer)),
        }
    }
}

/// Puts the targets to which a Request-URI leads into the place of step *at*, in the order in which they are to be tried.
pub fn located_targets(
    peer: PeerIndex,
    targets: &[Arc<snapshot::Target>],
    hash: u64,
    at: usize,
    out: &mut SmallVec<[Planned; 4]>,
) {
    out.remove(at);
    out.insert_many(at, planned(peer, targets, &mut Draws(hash)));
}

fn planned(
    peer: PeerIndex,
    targets: &[Arc<snapshot::Target>],
    draws: &mut Draws,
) -> impl ExactSizeIterator<Item = Planned> {
    let mut candidates: SmallVec<[Candidate; 8]> =
        targets.iter().enumerate().map(|(at, one)| Candidate::new(at, one.priority, one.weight)).collect();
    order(&mut candidates, draws);
    let mut rest: SmallVec<[&Arc<snapshot::Target>; 8]> =
        candidates.iter().filter_map(|candidate| targets.get(candidate.at)).collect();
    pair_families(&mut rest);
    rest.into_iter().map(move |place| Planned::Target(Target { peer, place: Arc::clone(place) }))
}

/// Puts behind each address the next one of the same server in the other family: a family that does not work must not
/// use up all attempts (RFC 7984, LOC-12).
fn pair_families(ordered: &mut [&Arc<snapshot::Target>]) {
    let mut rest = ordered;
    while let [first, others @ ..] = rest {
        let is_pair = |other: &&Arc<snapshot::Target>| {
            first.server.is_some()
                && other.server == first.server
                && other.address.is_ipv4() != first.address.is_ipv4()
        };
        match others.iter().position(is_pair) {
            Some(at) => {
                others[..=at].rotate_right(1);
                rest = &mut others[1..];
            }
            None => rest = others,
        }
    }
}

#[derive(Clone, Copy, Debug)]
struct Candidate {
    at: usize,
    priority: u16,
    weight: u16,
}

impl Candidate {
    const fn new(at: usize, priority: u16, weight: u16) -> Self {
        Self { at, priority, weight }
    }
}

/// Sorts by priority; within one, draws one after the other, each with a chance in proportion to its weight.
fn order(candidates: &mut [Candidate], draws: &mut Draws) {
    // Weight 0 stands first in its group, so that a draw of 0 finds it: "a very small chance" (RFC 2782).
    candidates.sort_by_key(|candidate| (candidate.priority, candidate.weight != 0, candidate.at));
    for group in candidates.chunk_by_mut(|one, next| one.priority == next.priority) {
        let mut rest = group;
        while rest.len() > 1 {
            let total: u64 = rest.iter().map(|candidate| u64::from(candidate.weight)).sum();
            let draw = draws.up_to(total);
            let mut sum = 0;
            let found = rest.iter().position(|candidate| {
                sum += u64::from(candidate.weight);
                sum >= draw
            });
            // Rotating keeps the others in order, which the running sum relies on.
            rest[..=found.unwrap_or_default()].rotate_right(1);
            rest = &mut rest[1..];
        }
    }
}

/// A stream of numbers out of the call's hash (SplitMix64): even, and the same on every node.
struct Draws(u64);

impl Draws {
    fn up_to(&mut self, most: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^= mixed >> 31;
        // The high half of the product spreads 64 bits over 0..=most without a division.
        ((u128::from(mixed) * (u128::from(most) + 1)) >> 64) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::snapshot::Snapshot;

    fn targets_in(plan: &[Planned]) -> impl Iterator<Item = &Target> {
        plan.iter().filter_map(|step| if let Planned::Target(target) = step { Some(target) } else { None })
    }

    #[test]
    fn what_is_located_takes_the_place_of_its_step() {
        let place = |id: &str, priority: u16| {
            let address = std::net::SocketAddr::from(([192, 0, 2, 1], priority));
            let listener = snapshot::ListenerIndex(0);
            Arc::new(snapshot::Target {
                id: id.to_owned(),
                address,
                priority,
                weight: 1,
                server: None,
                listener,
            })
        };
        let choice = RouteChoice {
            peers: vec![(PeerIndex(0), 0, 1), (PeerIndex(1), 1, 1), (PeerIndex(2), 2, 1)],
            attempts_max: 1,
            ..RouteChoice::default()
        };
        let mut out = SmallVec::new();
        let standing = |peer: PeerIndex| (peer.0 != 1).then(|| vec![place("standing", 1)].into());
        target_set(&choice, standing, 7, &mut out);
        assert_eq!(out[1], Planned::Locate(PeerIndex(1)));
        located_targets(PeerIndex(1), &[place("second", 2), place("first", 1)], 7, 1, &mut out);
        let order: Vec<_> = targets_in(&out).map(|target| target.place.id.as_str()).collect();
        assert_eq!(order, ["standing", "first", "second", "standing"]);
    }

    #[test]
    fn all_targets_of_a_peer_come_before_the_next_peer() {
        let target = |id: &str, priority: u16| serde_json::json!({"id": id, "address": "127.0.0.1:5060", "priority": priority});
        let peer = |id: &str, targets: &[serde_json::Value]| serde_json::json!({"id": id, "side": "peer", "agreement": "x", "listeners": ["l"], "sources": [], "targets": targets});
        let document = serde_json::json!({
            "version": 1, "generation": 1, "node": {"name": "n", "domain": "a.example"},
            "keys": [{"id": 1, "secret": "00".repeat(32)}],
            "listeners": [{"id": "l", "side": "peer", "transport": "udp", "address": "127.0.0.1:0"}],
            "agreements": [{"id": "x", "trusted": false, "methods": []}],
            "peers": [peer("a", &[target("a1", 2), target("a2", 1)]), peer("none", &[]), peer("b", &[target("b1", 0)])],
            "routes": [],
        });
        let snapshot = Snapshot::load(document.to_string().as_bytes()).expect("a good snapshot");
        let peers = vec![(PeerIndex(2), 2, 1), (PeerIndex(0), 1, 1), (PeerIndex(1), 0, 1)];
        let choice = RouteChoice { peers, attempts_max: 1, ..RouteChoice::default() };
        let mut out = SmallVec::new();
        for _ in 0..2 {
            target_set(&choice, |peer| Some(Arc::clone(&snapshot.peer(peer).targets)), 7, &mut out);
            let order: Vec<_> =
                targets_in(&out).map(|target| (target.peer.0, target.place.id.as_str())).collect();
            assert_eq!(order, [(0, "a2"), (0, "a1"), (2, "b1")]);
        }
    }

    #[test]
    fn behind_an_address_comes_the_one_of_the_same_server_in_the_other_family() {
        let target = |id: &str, address: &str, priority: u16, server: Option<u16>| {
            Arc::new(snapshot::Target {
                id: id.to_owned(),
                address: address.parse().expect("an address"),
                priority,
                weight: 1,
                server,
                listener: snapshot::ListenerIndex(0),
            })
        };
        // Two servers of one SRV priority, with both families each; one of the next priority; one that has no pair.
        let targets: Arc<[_]> = Arc::new([
            target("a6", "[2001:db8::a]:5060", 0, Some(1)),
            target("b6", "[2001:db8::b]:5060", 0, Some(2)),
            target("a4", "192.0.2.1:5060", 1, Some(1)),
            target("b4", "192.0.2.2:5060", 1, Some(2)),
            target("c4", "192.0.2.3:5060", 2, Some(3)),
            target("d6", "[2001:db8::d]:5060", 3, None),
            target("d4", "192.0.2.4:5060", 4, None),
        ]);
        let choice =
            RouteChoice { peers: vec![(PeerIndex(0), 0, 1)], attempts_max: 9, ..RouteChoice::default() };
        let mut orders = std::collections::BTreeSet::new();
        for hash in hashes(100) {
            let mut out = SmallVec::new();
            target_set(&choice, |_| Some(Arc::clone(&targets)), hash, &mut out);
            orders
                .insert(targets_in(&out).map(|target| target.place.id.clone()).collect::<Vec<_>>().join(" "));
        }
        let expected = ["a6 a4 b6 b4 c4 d6 d4", "b6 b4 a6 a4 c4 d6 d4"];
        assert_eq!(orders.iter().map(String::as_str).collect::<Vec<_>>(), expected);
    }

    fn first_of(weights: &[(u16, u16)], hash: u64) -> usize {
        let mut candidates: Vec<_> = weights
            .iter()
            .enumerate()
            .map(|(at, (priority, weight))| Candidate::new(at, *priority, *weight))
            .collect();
        order(&mut candidates, &mut Draws(hash));
        candidates.first().expect("one candidate").at
    }

    /// A stand-in for the hashes of Call-IDs: spread over all 64 bits.
    fn hashes(count: u64) -> impl Iterator<Item = u64> {
        (0..count).map(|call| Draws(call).up_to(u64::MAX))
    }

    #[test]
    fn ten_thousand_calls_come_within_two_percent_of_the_weights() {
        // LOC-09
        let mut counts = [0_i32; 3];
        for hash in hashes(10_000) {
            counts[first_of(&[(1, 60), (1, 30), (1, 10)], hash)] += 1;
        }
        for (count, share) in counts.iter().zip([6_000, 3_000, 1_000]) {
            assert!((count - share).abs() < 200, "{counts:?}");
        }
    }

    #[test]
    fn the_second_choice_follows_the_weights_of_those_left() {
        let mut counts = [0_i32; 3];
        for hash in hashes(20_000) {
            let mut candidates =
                [Candidate::new(0, 1, 60), Candidate::new(1, 1, 30), Candidate::new(2, 1, 10)];
            order(&mut candidates, &mut Draws(hash));
            if candidates[0].at == 0 {
                counts[candidates[1].at] += 1;
            }
        }
        let share = f64::from(counts[1]) / f64::from(counts[1] + counts[2]);
        assert!((share - 0.75).abs() < 0.02, "{counts:?}");
    }

    #[test]
    fn a_weight_of_zero_has_a_very_small_chance_but_has_one() {
        let hits = hashes(10_000).filter(|hash| first_of(&[(1, 0), (1, 99)], *hash) == 0).count();
        assert!((1..400).contains(&hits), "{hits}");
    }

    #[test]
    fn a_lower_priority_always_comes_first() {
        assert!(hashes(1_000).all(|hash| first_of(&[(2, 1_000), (1, 0)], hash) == 1));
    }

    #[test]
    fn every_candidate_stands_there_once_and_the_order_repeats() {
        for hash in hashes(200) {
            let weights = [(1, 5), (0, 0), (1, 0), (1, 7), (0, 3), (2, 1)];
            let run = || {
                let mut candidates: Vec<_> =
                    weights.iter().enumerate().map(|(at, one)| Candidate::new(at, one.0, one.1)).collect();
                order(&mut candidates, &mut Draws(hash));
                candidates.iter().map(|candidate| candidate.at).collect::<Vec<_>>()
            };
            let (once, again) = (run(), run());
            assert_eq!(once, again);
            let mut sorted = once;
            sorted.sort_unstable();
            assert_eq!(sorted, [0, 1, 2, 3, 4, 5]);
        }
    }
}
