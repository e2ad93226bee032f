//! Whether a target can be tried: what calls and probes learned of it, shared by all workers without a lock.
//!
//! A state, a count and a time stand in one atomic word, so that each change is seen, and told of, exactly once. Beside it
//! stands until when the target asked to be left alone (503 with Retry-After, LOC-33), which is no fault of it.
//!
//! | state       | input                          | next        | tells |
//! |-------------|--------------------------------|-------------|-------|
//! | Up          | call failed                    | Quarantined | down  |
//! | Up          | probe failed, fewer than N     | Up          | -     |
//! | Up          | probe failed, the Nth in a row | Down        | down  |
//! | Up          | answer, or probe answered      | Up          | -     |
//! | Quarantined | call failed                    | Quarantined | -     |
//! | Quarantined | probe failed, fewer than N     | Quarantined | -     |
//! | Quarantined | probe failed, the Nth in a row | Down        | -     |
//! | Quarantined | answer, or probe answered      | Up          | up    |
//! | Down        | call failed, or an answer      | Down        | -     |
//! | Down        | probe failed                   | Down        | -     |
//! | Down        | probe answered, fewer than M   | Down        | -     |
//! | Down        | probe answered, the Mth in a row | Up        | up    |
//!
//! `Quarantined` lasts for a time, and each failure starts it anew. When it is over the target is half open: one request may
//! go there, which starts the time anew as well, so that all others stay away until that one is answered (LOC-34). `Down`
//! is what probes say, and only probes take it back. Neither forbids anything: who finds no better target tries it.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use foldhash::fast::FixedState;
use serde::Serialize;

use super::restriction::Restriction;
use crate::snapshot::Transport;
use crate::time::Time;

const UNTIL_BITS: u32 = 48;
const UNTIL_MASK: u64 = (1 << UNTIL_BITS) - 1;

/// What tells one target from another, in every worker and over reloads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TargetKey {
    /// [`peer_tag`](crate::rewrite::peer_tag) of its peer.
    pub peer: u32,
    /// How it is reached.
    pub transport: Transport,
    /// Where it is.
    pub address: SocketAddr,
}

/// What is known of a target, in the words of metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum TargetState {
    /// Nothing speaks against it.
    Up,
    /// A call failed there a short while ago.
    Quarantined,
    /// The quarantine is over and nobody tried yet.
    HalfOpen,
    /// It asked to be left alone for a while.
    Blocked,
    /// Probes fail.
    Down,
}

impl TargetState {
    /// Every state.
    pub const ALL: [Self; 5] = [Self::Up, Self::Quarantined, Self::HalfOpen, Self::Blocked, Self::Down];

    /// Returns the name used in metric labels.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Quarantined => "quarantined",
            Self::HalfOpen => "half_open",
            Self::Blocked => "blocked",
            Self::Down => "down",
        }
    }
}

/// What an operator is told of: the target can be reached again, or cannot any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum Change {
    Up,
    Down,
}

/// Why it changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// It answered a request.
    Answered,
    /// It left a request without any response.
    Timeout,
    /// The network could not deliver a request, or no connection came about.
    Unreachable,
    /// Probes were answered, or failed, often enough.
    Probe,
}

/// One target.
#[derive(Debug)]
pub struct TargetHealth {
    peer: String,
    target: String,
    /// In the configuration, or located for its peer: shown by metrics also while it is up.
    is_listed: AtomicBool,
    word: AtomicU64,
    blocked_until_ms: AtomicU64,
    restriction: Restriction,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reach {
    Up,
    Quarantined,
    Down,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Word {
    reach: Reach,
    /// Probes in a row that contradict the state.
    count: u8,
    /// End of the quarantine.
    until_ms: u64,
}

impl Word {
    const UP: Self = Self { reach: Reach::Up, count: 0, until_ms: 0 };

    const fn pack(self) -> u64 {
        let reach = match self.reach {
            Reach::Up => 0,
            Reach::Quarantined => 1,
            Reach::Down => 2,
        };
        reach << 56 | (self.count as u64) << UNTIL_BITS | self.until_ms & UNTIL_MASK
    }

    const fn unpack(word: u64) -> Self {
        let reach = match word >> 56 {
            0 => Reach::Up,
            1 => Reach::Quarantined,
            _ => Reach::Down,
        };
        Self { reach, count: (word >> UNTIL_BITS) as u8, until_ms: word & UNTIL_MASK }
    }
}

impl TargetHealth {
    /// Of a target that nothing is known of.
    pub fn new(peer: &str, target: &str) -> Self {
        Self {
            peer: peer.to_owned(),
            target: target.to_owned(),
            is_listed: AtomicBool::new(false),
            word: AtomicU64::new(Word::UP.pack()),
            blocked_until_ms: AtomicU64::new(0),
            restriction: Restriction::default(),
        }
    }

    /// The peer's id.
    pub fn peer(&self) -> &str {
        &self.peer
    }

    /// The target's id.
    pub fn target(&self) -> &str {
        &self.target
    }

    /// Is it in the configuration, or where its peer was located?
    pub fn is_listed(&self) -> bool {
        self.is_listed.load(Ordering::Relaxed)
    }

    /// How many requests it asked to be spared (RFC 7339).
    pub const fn restriction(&self) -> &Restriction {
        &self.restriction
    }

    /// What is known of it at *now*.
    pub fn state(&self, now: Time) -> TargetState {
        let word = Word::unpack(self.word.load(Ordering::Relaxed));
        match word.reach {
            Reach::Down => TargetState::Down,
            Reach::Quarantined if now.as_millis() < word.until_ms => TargetState::Quarantined,
            _ if now.as_millis() < self.blocked_until_ms.load(Ordering::Relaxed) => TargetState::Blocked,
            Reach::Quarantined => TargetState::HalfOpen,
            Reach::Up => TargetState::Up,
        }
    }

    /// Asks for the one try that a half-open target gets; `false` when somebody else has it for the next *patience*.
    pub fn take_trial(&self, now: Time, patience: Duration) -> bool {
        let now_ms = now.as_millis();
        self.word
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |word| {
                let word = Word::unpack(word);
                (word.reach == Reach::Quarantined && word.until_ms <= now_ms)
                    .then(|| Word { until_ms: (now + patience).as_millis(), ..word }.pack())
            })
            .is_ok()
    }

    /// It answered a request, with whatever.
    pub fn on_answer(&self) -> Option<Change> {
        // By far the most frequent: nothing to write, so that the workers do not take the line from each other.
        if self.word.load(Ordering::Relaxed) == Word::UP.pack() {
            return None;
        }
        self.change(|word| match word.reach {
            Reach::Up | Reach::Quarantined => Word::UP,
            Reach::Down => word,
        })
    }

    /// A request to it failed: no response at all, or no way there.
    pub fn on_failure(&self, now: Time, quarantine: Duration) -> Option<Change> {
        if quarantine.is_zero() {
            return None;
        }
        let until_ms = (now + quarantine).as_millis();
        self.change(|word| match word.reach {
            Reach::Up | Reach::Quarantined => Word { reach: Reach::Quarantined, until_ms, ..word },
            Reach::Down => word,
        })
    }

    /// A probe was answered; *`up_after`* in a row take a target up that probes took down.
    pub fn on_probe_answer(&self, up_after: u8) -> Option<Change> {
        self.change(|word| match word.reach {
            Reach::Up | Reach::Quarantined => Word::UP,
            Reach::Down if word.count.saturating_add(1) >= up_after => Word::UP,
            Reach::Down => Word { count: word.count.saturating_add(1), ..word },
        })
    }

    /// A probe failed; *`down_after`* in a row take the target down. Calls need not find out what a probe just did.
    pub fn on_probe_failure(&self, now: Time, quarantine: Duration, down_after: u8) -> Option<Change> {
        let until_ms = (now + quarantine).as_millis();
        self.change(|word| {
            let count = word.count.saturating_add(1);
            match word.reach {
                Reach::Down => Word { count: 0, ..word },
                _ if count >= down_after => Word { reach: Reach::Down, count: 0, until_ms: 0 },
                Reach::Quarantined => Word { count, until_ms, ..word },
                Reach::Up => Word { count, ..word },
            }
        })
    }

    /// It asked to be left alone until *until*.
    pub fn block(&self, until: Time) {
        self.blocked_until_ms.fetch_max(until.as_millis(), Ordering::Relaxed);
    }

    /// INVARIANT: whoever changes the word is the only one to learn of that change.
    fn change(&self, next: impl Fn(Word) -> Word) -> Option<Change> {
        let before = self
            .word
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |word| Some(next(Word::unpack(word)).pack()))
            .map(Word::unpack)
            .ok()?;
        let after = next(before);
        match (before.reach == Reach::Up, after.reach == Reach::Up) {
            (true, false) => Some(Change::Down),
            (false, true) => Some(Change::Up),
            _ => None,
        }
    }
}

/// Every target that some worker watches: the one place where workers meet over a new one.
#[derive(Debug, Default)]
pub struct HealthTable {
    entries: Mutex<HashMap<TargetKey, Weak<TargetHealth>, FixedState>>,
}

impl HealthTable {
    /// The target *key*, the same for all who ask while anybody holds it.
    pub fn entry(&self, key: TargetKey, peer: &str, target: &str, is_listed: bool) -> Arc<TargetHealth> {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        let found = entries.get(&key).and_then(Weak::upgrade).unwrap_or_else(|| {
            if entries.len() == entries.capacity() {
                entries.retain(|_, entry| entry.strong_count() > 0);
            }
            let made = Arc::new(TargetHealth::new(peer, target));
            entries.insert(key, Arc::downgrade(&made));
            made
        });
        if is_listed {
            found.is_listed.store(true, Ordering::Relaxed);
        }
        found
    }

    /// All that are held, for whoever shows them.
    pub fn all(&self) -> Vec<Arc<TargetHealth>> {
        let entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        let mut all: Vec<_> = entries.values().filter_map(Weak::upgrade).collect();
        all.sort_by(|one, other| (&one.peer, &one.target).cmp(&(&other.peer, &other.target)));
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUARANTINE: Duration = Duration::from_secs(32);

    fn at(seconds: u64) -> Time {
        Time::from_millis(seconds * 1_000)
    }

    fn health() -> TargetHealth {
        TargetHealth::new("carrier_b", "b1")
    }

    /// A target in the state of that name, at second 0.
    fn in_state(name: &str, contradictions: usize) -> TargetHealth {
        let health = health();
        match name {
            "Quarantined" => assert!(health.on_failure(at(0), QUARANTINE).is_some()),
            "Down" => assert!(health.on_probe_failure(at(0), QUARANTINE, 1).is_some()),
            _ => {}
        }
        for _ in 0..contradictions {
            let told = match name {
                "Down" => health.on_probe_answer(9),
                _ => health.on_probe_failure(at(0), QUARANTINE, 9),
            };
            assert_eq!(told, None);
        }
        health
    }

    #[test]
    fn the_states_follow_the_table_of_the_module() {
        type Input<'a> = (&'a str, usize, &'a dyn Fn(&TargetHealth) -> Option<Change>);
        let fail = |health: &TargetHealth| health.on_failure(at(1), QUARANTINE);
        let probe_fails = |health: &TargetHealth| health.on_probe_failure(at(1), QUARANTINE, 3);
        let probe_answers = |health: &TargetHealth| health.on_probe_answer(3);
        let inputs: [Input<'_>; 10] = [
            ("call failed", 0, &fail),
            ("probe failed, fewer than N", 1, &probe_fails),
            ("probe failed, the Nth in a row", 2, &probe_fails),
            ("probe failed", 0, &probe_fails),
            ("answer, or probe answered", 0, &TargetHealth::on_answer),
            ("answer, or probe answered", 0, &probe_answers),
            ("call failed, or an answer", 0, &fail),
            ("call failed, or an answer", 0, &TargetHealth::on_answer),
            ("probe answered, fewer than M", 1, &probe_answers),
            ("probe answered, the Mth in a row", 2, &probe_answers),
        ];
        let mut walked = 0;
        for line in include_str!("health.rs").lines().filter_map(|line| line.strip_prefix("//! |")).skip(2) {
            let cells: Vec<_> = line.split('|').map(str::trim).collect();
            for (_, contradictions, act) in inputs.iter().filter(|(name, ..)| *name == cells[1]) {
                let health = in_state(cells[0], *contradictions);
                let told =
                    act(&health).map_or("-", |change| if change == Change::Up { "up" } else { "down" });
                assert_eq!(
                    (format!("{:?}", health.state(at(1))).as_str(), told),
                    (cells[2], cells[3]),
                    "{line}"
                );
                walked += 1;
            }
        }
        assert_eq!(walked, 15, "every row, and the inputs that share one");
    }

    #[test]
    fn a_quarantine_ends_half_open_and_lets_one_try() {
        let health = health();
        assert_eq!(health.on_failure(at(0), QUARANTINE), Some(Change::Down));
        assert_eq!(health.state(at(31)), TargetState::Quarantined);
        assert!(!health.take_trial(at(31), QUARANTINE));
        assert_eq!(health.state(at(32)), TargetState::HalfOpen);
        assert!(health.take_trial(at(33), QUARANTINE));
        assert!(!health.take_trial(at(33), QUARANTINE), "somebody is trying");
        assert_eq!(health.state(at(64)), TargetState::Quarantined);
        assert!(health.take_trial(at(65), QUARANTINE), "that one never told how it went");
        assert_eq!(health.on_answer(), Some(Change::Up));
        assert_eq!(health.on_answer(), None);
        assert!(!health.take_trial(at(99), QUARANTINE), "no trial is needed of a target that is up");
    }

    #[test]
    fn a_quarantine_of_nothing_holds_nothing_out() {
        let health = health();
        assert_eq!(health.on_failure(at(0), Duration::ZERO), None);
        assert_eq!(health.state(at(0)), TargetState::Up);
    }

    #[test]
    fn the_longest_wish_to_be_left_alone_holds() {
        let health = health();
        health.block(at(10));
        health.block(at(5));
        assert_eq!(health.state(at(9)), TargetState::Blocked);
        assert_eq!(health.state(at(10)), TargetState::Up);
        assert_eq!(health.on_answer(), None, "blocked is not down");
    }

    #[test]
    fn a_probe_that_is_answered_breaks_the_row_of_failures() {
        let health = health();
        for _ in 0..5 {
            assert_eq!(health.on_probe_failure(at(0), QUARANTINE, 3), None);
            assert_eq!(health.on_probe_failure(at(0), QUARANTINE, 3), None);
            assert_eq!(health.on_probe_answer(2), None);
        }
        assert_eq!(health.state(at(0)), TargetState::Up);
    }

    #[test]
    fn a_thousand_failures_at_once_on_four_threads_are_told_once() {
        let health = Arc::new(health());
        let threads: Vec<_> = (0..4)
            .map(|_| {
                let health = Arc::clone(&health);
                let fail = move || (0..250).filter_map(|_| health.on_failure(at(1), QUARANTINE)).count();
                std::thread::spawn(fail)
            })
            .collect();
        let told: usize = threads.into_iter().map(|thread| thread.join().expect("ends")).sum();
        assert_eq!(told, 1);
    }

    #[test]
    fn workers_share_a_target_while_one_of_them_holds_it() {
        let table = HealthTable::default();
        let key = |port| TargetKey {
            peer: 1,
            transport: Transport::Udp,
            address: SocketAddr::from(([192, 0, 2, 1], port)),
        };
        let first = table.entry(key(1), "b", "b1", false);
        assert!(!first.is_listed());
        assert!(Arc::ptr_eq(&first, &table.entry(key(1), "b", "b1", true)));
        assert!(first.is_listed());
        assert_eq!(first.on_failure(at(1), QUARANTINE), Some(Change::Down));
        drop(first);
        assert_eq!(table.entry(key(1), "b", "b1", false).state(at(1)), TargetState::Up, "nobody held it");
        for port in 0..10_000 {
            drop(table.entry(key(port), "b", "b", false));
        }
        assert!(table.entries.lock().unwrap().len() < 1_000, "what nobody holds is forgotten");
        assert!(table.all().is_empty());
    }
}
