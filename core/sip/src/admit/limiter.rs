//! What a limiter counts, for the life of the process: rates and calls by key, and what became of those who asked.

use std::sync::{Arc, Mutex, PoisonError};

use siphasher::sip::SipHasher13;

use super::key_table::{KeyTable, PlaceOf};
use super::rate::Rate;
use crate::snapshot::{KeyKind, Limiter};
use crate::statistics::Counter;
use crate::time::Time;

/// What became of a request that a limiter was asked about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LimitResult {
    /// There was room.
    Passed,
    /// There was none.
    Refused,
    /// It passes every limit.
    Exempt,
}

impl LimitResult {
    /// Each with its name for metrics.
    pub const ALL: [(Self, &'static str); 3] =
        [(Self::Passed, "passed"), (Self::Refused, "refused"), (Self::Exempt, "exempt")];
}

/// What one worker counts of a limiter.
#[repr(align(128))]
#[derive(Debug, Default)]
struct Shard {
    results: [Counter; 3],
    shared: Counter,
}

/// What is told of a limiter, whatever its definition was.
#[derive(Debug)]
pub struct LimiterStatistics {
    id: String,
    shards: Box<[Shard]>,
}

impl LimiterStatistics {
    /// Its id.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Counts what became of a request. Only *worker* itself may call this.
    pub fn count(&self, worker: usize, result: LimitResult) {
        self.shards[worker].results[result as usize].one();
    }

    /// How many requests had that result.
    pub fn results(&self, result: LimitResult) -> u64 {
        self.shards.iter().map(|shard| shard.results[result as usize].get()).sum()
    }

    /// How many requests were of keys that found no place of their own.
    pub fn shared(&self) -> u64 {
        self.shards.iter().map(|shard| shard.shared.get()).sum()
    }
}

/// What makes a limiter another one, so that it begins anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Form {
    by: KeyKind,
    digits: Option<u8>,
    keys_max: usize,
}

/// A limiter in force: what a worker asks.
#[derive(Clone, Debug)]
pub struct LimiterState {
    statistics: Arc<LimiterStatistics>,
    table: Arc<KeyTable>,
    hasher: SipHasher13,
}

/// The place of a call with a limiter; giving it back cannot be forgotten.
#[derive(Debug)]
pub struct LimiterPlace {
    table: Arc<KeyTable>,
    at: u32,
}

impl Drop for LimiterPlace {
    fn drop(&mut self) {
        self.table.free_call(self.at as usize);
    }
}

/// There is no room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoRoom {
    /// Too many a second.
    Rate,
    /// Too many calls.
    Calls,
}

impl LimiterState {
    /// What is told of it.
    pub fn statistics(&self) -> &LimiterStatistics {
        &self.statistics
    }

    /// Counts a request of *key*, and the place of its call if it *is a call*, or tells of what there is too much.
    pub fn take(
        &self,
        limiter: &Limiter,
        key: &[u8],
        is_call: bool,
        worker: usize,
        now: Time,
    ) -> Result<Option<LimiterPlace>, NoRoom> {
        let hash = self.hasher.hash(key);
        let mut found = self.table.find(hash, now);
        let place = match limiter.calls_max.filter(|_| is_call) {
            Some(max) => Some(self.take_call(hash, &mut found, max, now)?),
            None => None,
        };
        if limiter.is_keyed() && found.is_shared() {
            self.statistics.shards[worker].shared.one();
        }
        match limiter.rate {
            Some(rate) if !self.table.take_token(found, rate, now) => Err(NoRoom::Rate),
            _ => Ok(place),
        }
    }

    fn take_call(&self, hash: u64, found: &mut PlaceOf, max: u32, now: Time) -> Result<LimiterPlace, NoRoom> {
        loop {
            match self.table.take_call(*found, max) {
                Some(true) => {
                    return Ok(LimiterPlace { table: Arc::clone(&self.table), at: found.at() as u32 });
                }
                Some(false) => return Err(NoRoom::Calls),
                None => *found = self.table.find(hash, now), // the place went to another key meanwhile
            }
        }
    }
}

#[derive(Debug)]
struct Entry {
    state: LimiterState,
    form: Form,
    rate: Option<Rate>,
}

/// All limiters that there ever were: a reload that leaves one as it is gives no free burst and forgets no call.
#[derive(Debug)]
pub struct Limiters {
    entries: Mutex<Vec<Entry>>,
    hasher: SipHasher13,
}

/// A limiter as whoever scrapes sees it.
#[derive(Debug)]
pub struct LimiterView {
    /// What became of requests.
    pub statistics: Arc<LimiterStatistics>,
    /// What it counts now.
    pub table: Arc<KeyTable>,
}

impl Limiters {
    /// *keys* make the hash of a key one that nobody outside can foretell.
    pub fn new(keys: (u64, u64)) -> Self {
        Self { entries: Mutex::default(), hasher: SipHasher13::new_with_keys(keys.0, keys.1) }
    }

    /// The state of *limiter*, made when it is first asked for. By another key, or with another number of keys, it begins
    /// anew; at another rate its buckets are filled, and its calls stay counted.
    pub fn get(&self, limiter: &Limiter, workers: usize) -> LimiterState {
        let form = Form { by: limiter.by, digits: limiter.digits, keys_max: limiter.keys_max };
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        let known = entries.iter_mut().find(|entry| entry.state.statistics.id == limiter.id);
        let Some(known) = known else {
            let shards = (0..workers).map(|_| Shard::default()).collect();
            let statistics = Arc::new(LimiterStatistics { id: limiter.id.clone(), shards });
            let table = Arc::new(KeyTable::new(limiter.keys_max));
            let state = LimiterState { statistics, table, hasher: self.hasher };
            entries.push(Entry { state: state.clone(), form, rate: limiter.rate });
            return state;
        };
        if known.form != form {
            known.form = form;
            known.state.table = Arc::new(KeyTable::new(limiter.keys_max));
        } else if known.rate != limiter.rate {
            known.state.table.fill();
        }
        known.rate = limiter.rate;
        known.state.clone()
    }

    /// All of them, as they are now.
    pub fn all(&self) -> Vec<LimiterView> {
        let entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        let view = |entry: &Entry| LimiterView {
            statistics: Arc::clone(&entry.state.statistics),
            table: Arc::clone(&entry.state.table),
        };
        entries.iter().map(view).collect()
    }
}
