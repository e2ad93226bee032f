//! All patterns of the policy in force, and what they found that is not over yet.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use foldhash::fast::FixedState;
use serde::Serialize;

use super::detector::{Detector, Found};
use super::watchlist::{WatchShard, Watched, Watchlist, Watchlists};
use crate::admit::TokenBucket;
use crate::event::{Event, PatternChange};
use crate::reason::Reason;
use crate::snapshot::{KeyKind, Pattern, PatternAction};

/// So many keys may be found at a time; what is found beyond is told, and nothing is done about it.
pub const HELD_MAX: usize = 10_000;

/// A key that was found.
#[derive(Clone, Debug)]
struct Held {
    pattern: Arc<Pattern>,
    key: Box<str>,
    since_ms: u64,
    until_ms: u64,
    counted: u64,
    of: u64,
    bucket: Arc<TokenBucket>,
}

/// The same as it is shown to an operator.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct HeldView {
    /// Id of the pattern.
    pub pattern: String,
    /// What is done.
    pub action: &'static str,
    /// What kind of key.
    pub by: KeyKind,
    /// The key.
    pub key: String,
    /// How much was counted.
    pub counted: u64,
    /// Of how many calls.
    pub of: u64,
    /// When it was found, in milliseconds since 1970.
    pub since_ms: u64,
    /// Until when something is done.
    pub until_ms: u64,
}

/// A pattern as whoever scrapes sees it.
#[derive(Clone, Debug)]
pub struct PatternView {
    /// Its id.
    pub id: String,
    /// What is done when it is found.
    pub action: &'static str,
    /// How often it was found.
    pub found: u64,
    /// Keys of it that are held now.
    pub held: usize,
    /// Keys that have a window.
    pub keys: usize,
    /// How many there may be.
    pub keys_max: usize,
    /// Keys that had to make room.
    pub put_out: u64,
    /// Requests that were refused.
    pub refused: u64,
    /// Requests that passed at the rate.
    pub passed: u64,
}

/// What is counted of a pattern for the life of the process.
#[derive(Clone, Debug)]
struct Counts {
    shards: Arc<[WatchShard]>,
    found: u64,
}

#[derive(Debug)]
struct Inner {
    detectors: Vec<Detector>,
    held: BTreeMap<(Box<str>, Box<str>), Held>,
    counts: BTreeMap<Box<str>, Counts>,
}

/// Patterns, what they found, and the list that workers look at.
#[derive(Debug)]
pub struct Detectors {
    is_watching: AtomicBool,
    inner: Mutex<Inner>,
    /// What workers look at.
    pub lists: Watchlists,
    workers: usize,
    hasher: FixedState,
}

impl Detectors {
    /// Knows of no pattern yet.
    pub fn new(workers: usize, hasher: FixedState) -> Self {
        let inner = Inner { detectors: Vec::new(), held: BTreeMap::new(), counts: BTreeMap::new() };
        Self {
            is_watching: AtomicBool::new(false),
            inner: Mutex::new(inner),
            lists: Watchlists::default(),
            workers,
            hasher,
        }
    }

    /// Takes the patterns of a policy. One that stays as it is keeps its windows; what was found by one that is there no more
    /// is forgotten.
    pub fn apply(&self, patterns: &[Pattern]) {
        let mut inner = self.lock();
        let is_same = inner.detectors.len() == patterns.len()
            && inner.detectors.iter().zip(patterns).all(|(old, new)| *old.pattern == *new);
        if is_same {
            return;
        }
        let mut old = std::mem::take(&mut inner.detectors);
        for pattern in patterns {
            let kept = old.iter().position(|one| *one.pattern == *pattern).map(|at| old.swap_remove(at));
            inner.detectors.push(kept.unwrap_or_else(|| Detector::new(pattern.clone(), self.hasher.clone())));
            inner.counts.entry(pattern.id.as_str().into()).or_insert_with(|| Counts {
                shards: (0..self.workers).map(|_| WatchShard::default()).collect(),
                found: 0,
            });
        }
        inner.held.retain(|(id, _), _| patterns.iter().any(|pattern| *pattern.id == **id));
        self.is_watching.store(!patterns.is_empty(), Ordering::Relaxed);
        self.publish(&inner);
    }

    /// Looks at the calls among *events*, and at what is over by *`unix_ms`*; returns what there is to tell.
    pub fn observe(&self, events: &[Event], unix_ms: u64) -> Vec<Event> {
        if !self.is_watching.load(Ordering::Relaxed) {
            return Vec::new();
        }
        let mut inner = self.lock();
        let mut told = Vec::new();
        let before = inner.held.len();
        inner.end_held(unix_ms, &mut told);
        let mut is_changed = inner.held.len() != before;
        for event in events {
            let Event::CallFinished(packed) = event else { continue };
            let record = packed.record();
            if record.reason.is_some_and(|reason| HELD_BY.map(Reason::id).contains(&reason)) {
                continue; // what is held already says nothing new
            }
            for at in 0..inner.detectors.len() {
                let Some(detector) = inner.detectors.get_mut(at) else { continue };
                let Some(found) = detector.observe(&record) else { continue };
                let pattern = Arc::clone(&detector.pattern);
                is_changed |= inner.hold(&pattern, found, unix_ms, &mut told);
            }
        }
        if is_changed {
            self.publish(&inner);
        }
        told
    }

    /// Lets what was found go before its time: of one pattern or of all, one key or all; returns what there is to tell.
    pub fn lift(&self, pattern: Option<&str>, key: Option<&str>, unix_ms: u64) -> Vec<Event> {
        let mut inner = self.lock();
        let mut told = Vec::new();
        inner.held.retain(|(id, held_key), held| {
            let is_meant = pattern.is_none_or(|one| one == &**id) && key.is_none_or(|one| one == &**held_key);
            if is_meant {
                told.push(held.event(PatternChange::Lifted, unix_ms));
            }
            !is_meant
        });
        self.publish(&inner);
        told
    }

    /// What is held now.
    pub fn held(&self) -> Vec<HeldView> {
        self.lock().held.values().map(Held::view).collect()
    }

    /// All patterns that there ever were.
    pub fn all(&self) -> Vec<PatternView> {
        let inner = self.lock();
        let views = inner.counts.iter().map(|(id, counts)| {
            let detector = inner.detectors.iter().find(|detector| *detector.pattern.id == **id);
            PatternView {
                id: id.to_string(),
                action: detector.map_or("none", |detector| detector.pattern.action.name()),
                found: counts.found,
                held: inner.held.keys().filter(|(pattern, _)| pattern == id).count(),
                keys: detector.map_or(0, Detector::len),
                keys_max: detector.map_or(0, |detector| detector.pattern.keys_max),
                put_out: detector.map_or(0, |detector| detector.put_out),
                refused: counts.shards.iter().map(|shard| shard.refused.get()).sum(),
                passed: counts.shards.iter().map(|shard| shard.passed.get()).sum(),
            }
        });
        views.collect()
    }

    fn publish(&self, inner: &Inner) {
        let mut list = Watchlist::default();
        for held in inner.held.values() {
            let Some(counts) = inner.counts.get(held.pattern.id.as_str()) else { continue };
            held.enter(&mut list, counts);
        }
        self.lists.publish(list);
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Why requests of keys that are held were refused.
const HELD_BY: [Reason; 2] = [Reason::PatternBlocked, Reason::PatternThrottled];

impl Inner {
    fn end_held(&mut self, unix_ms: u64, told: &mut Vec<Event>) {
        self.held.retain(|_, held| {
            let is_over = held.until_ms <= unix_ms;
            if is_over {
                told.push(held.event(PatternChange::Over, unix_ms));
            }
            !is_over
        });
    }

    /// Holds the key that was found, or holds it on; tells whether the list of workers changed.
    fn hold(&mut self, pattern: &Arc<Pattern>, found: Found, unix_ms: u64, told: &mut Vec<Event>) -> bool {
        if let Some(counts) = self.counts.get_mut(pattern.id.as_str()) {
            counts.found += 1;
        }
        let until_ms = unix_ms.saturating_add(pattern.for_ms);
        let id: (Box<str>, Box<str>) = (pattern.id.as_str().into(), found.key.clone());
        if let Some(held) = self.held.get_mut(&id) {
            held.until_ms = until_ms;
            return true;
        }
        let held = Held {
            pattern: Arc::clone(pattern),
            key: found.key,
            since_ms: unix_ms,
            until_ms,
            counted: found.counted,
            of: found.of,
            bucket: Arc::default(),
        };
        if self.held.len() >= HELD_MAX {
            told.push(held.event(PatternChange::Full, unix_ms));
            return false;
        }
        told.push(held.event(PatternChange::Found, unix_ms));
        self.held.insert(id, held);
        true
    }
}

impl Held {
    /// Enters it into the list that workers look at, if anything is done about it.
    fn enter(&self, list: &mut Watchlist, counts: &Counts) {
        let pattern = &self.pattern;
        let (rate, status) = match &pattern.action {
            PatternAction::Alarm => return,
            PatternAction::Throttle { rate, status } => (Some((*rate, Arc::clone(&self.bucket))), *status),
            PatternAction::Block { status } => (None, *status),
        };
        for by in &pattern.refused {
            // Only what was counted has the tag: calls the other way do not.
            let tag = pattern.tag.as_ref().filter(|_| *by == pattern.by);
            let watched = Watched {
                until_ms: self.until_ms,
                methods: Arc::clone(&pattern.methods),
                rate: rate.clone(),
                status,
                counts: Arc::clone(&counts.shards),
                pattern: Arc::from(pattern.id.as_str()),
            };
            list.insert(tag, *by, pattern.digits, &self.key, watched);
        }
    }

    fn event(&self, change: PatternChange, unix_ms: u64) -> Event {
        let HeldView { pattern, action, by, key, counted, of, until_ms, .. } = self.view();
        Event::PatternState { pattern, change, action, by, key, counted, of, until_ms, unix_ms }
    }

    fn view(&self) -> HeldView {
        HeldView {
            pattern: self.pattern.id.clone(),
            action: self.pattern.action.name(),
            by: self.pattern.by,
            key: self.key.to_string(),
            counted: self.counted,
            of: self.of,
            since_ms: self.since_ms,
            until_ms: self.until_ms,
        }
    }
}
