//! Calls and tokens by key: a bounded table that all workers share without a lock.
//!
//! A key is known by a keyed hash, of which a part names a set of eight places and the rest stands in the place itself, in one
//! word with the number of calls: taking a call, giving one back and giving the place to another key are one atomic step
//! each. A place is free for another key when it has no calls and a full bucket: that is what a new key begins with too, so
//! nothing has to be swept. Where all eight are in use, the key shares one place with all others that find none: they are
//! limited together, those that have a place of their own notice nothing, and no memory is taken.

use std::sync::atomic::{AtomicU64, Ordering};

use super::rate::{Rate, TokenBucket};
use crate::time::Time;

const WAYS: usize = 8;
/// The lower bits of the word of a place.
const CALL_BITS: u32 = 24;
const CALLS: u64 = (1 << CALL_BITS) - 1;
/// The most calls that one place counts.
pub const CALLS_MAX: u32 = CALLS as u32;
/// The place of those that have none of their own; of a table without keys, the only one.
const SHARED: usize = 0;

/// What is counted of one key.
#[derive(Debug, Default)]
struct Place {
    /// Who has it, then how many calls.
    holder: AtomicU64,
    bucket: TokenBucket,
}

/// All keys of one limiter.
#[derive(Debug)]
pub struct KeyTable {
    places: Box<[Place]>,
    sets: usize,
}

/// A place of a table, and for whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlaceOf {
    at: usize,
    tag: u64,
}

impl PlaceOf {
    /// Is it the one of keys that found none of their own?
    pub const fn is_shared(self) -> bool {
        self.at == SHARED
    }

    /// Where it is.
    pub(super) const fn at(self) -> usize {
        self.at
    }
}

impl KeyTable {
    /// A table for at least *`keys_max`* keys; with 0 all that is counted is counted together.
    pub fn new(keys_max: usize) -> Self {
        let sets = keys_max.div_ceil(WAYS);
        Self { places: (0..=sets * WAYS).map(|_| Place::default()).collect(), sets }
    }

    /// How many keys can have a place of their own.
    pub fn keys_max(&self) -> usize {
        self.places.len() - 1
    }

    /// Returns the place of the key with this *hash*: the one that it has, else a free one.
    ///
    /// Two workers that meet a new key at once may give it two places; the first is found from then on, the other is free
    /// when what was counted there is over.
    pub fn find(&self, hash: u64, now: Time) -> PlaceOf {
        let tag = hash >> CALL_BITS | 1; // never 0: nobody
        let first = match self.sets {
            0 => return PlaceOf { at: SHARED, tag: 0 },
            sets => (hash as usize & CALLS as usize) % sets * WAYS + 1,
        };
        let set = self.places.get(first..first + WAYS).unwrap_or_default();
        let held = |place: &Place| place.holder.load(Ordering::Relaxed) >> CALL_BITS == tag;
        if let Some(way) = set.iter().position(held) {
            return PlaceOf { at: first + way, tag };
        }
        let taken = set.iter().position(|place| {
            let holder = place.holder.load(Ordering::Relaxed);
            holder & CALLS == 0
                && place.bucket.is_full(now)
                && place
                    .holder
                    .compare_exchange(holder, tag << CALL_BITS, Ordering::Relaxed, Ordering::Relaxed)
                    .is_ok()
        });
        taken.map_or(PlaceOf { at: SHARED, tag: 0 }, |way| PlaceOf { at: first + way, tag })
    }

    /// Counts a call at *place* if there are fewer than *max*. `None` when the place went to another key meanwhile.
    pub fn take_call(&self, place: PlaceOf, max: u32) -> Option<bool> {
        let holder = &self.places.get(place.at)?.holder;
        let mut seen = holder.load(Ordering::Relaxed);
        loop {
            if seen >> CALL_BITS != place.tag {
                return None;
            }
            if seen & CALLS >= u64::from(max.min(CALLS_MAX)) {
                return Some(false);
            }
            match holder.compare_exchange_weak(seen, seen + 1, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => return Some(true),
                Err(other) => seen = other,
            }
        }
    }

    /// Gives a call back that [`Self::take_call`] counted at the place *at*, which cannot have gone to another key.
    pub fn free_call(&self, at: usize) {
        if let Some(place) = self.places.get(at) {
            place.holder.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// Takes a token at *place*, or tells that there is none.
    pub fn take_token(&self, place: PlaceOf, rate: Rate, now: Time) -> bool {
        self.places.get(place.at).is_none_or(|place| place.bucket.take(rate, now))
    }

    /// Fills every bucket: what is left in them is of a rate that holds no more.
    pub fn fill(&self) {
        self.places.iter().for_each(|place| place.bucket.fill());
    }

    /// All calls that are counted now.
    pub fn calls(&self) -> u64 {
        self.places.iter().map(|place| place.holder.load(Ordering::Relaxed) & CALLS).sum()
    }

    /// How many keys have a place of their own that is in use at *now*.
    pub fn keys(&self, now: Time) -> usize {
        let is_used =
            |place: &&Place| place.holder.load(Ordering::Relaxed) & CALLS > 0 || !place.bucket.is_full(now);
        self.places.iter().skip(1).filter(is_used).count()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const NOW: Time = Time::ZERO;

    /// Hashes that fall into the first set of a table with 16 places.
    fn crowd() -> impl Iterator<Item = u64> {
        (1..).map(|nth: u64| nth << 32)
    }

    fn take(table: &KeyTable, hash: u64, max: u32) -> Option<bool> {
        table.take_call(table.find(hash, NOW), max)
    }

    #[test]
    fn each_key_has_its_own_calls() {
        let table = KeyTable::new(16);
        let one = table.find(1 << 32, NOW);
        assert_eq!(table.take_call(one, 2), Some(true));
        assert_eq!(take(&table, 1 << 32, 2), Some(true));
        assert_eq!(take(&table, 1 << 32, 2), Some(false));
        assert_eq!(take(&table, 2 << 32, 2), Some(true));
        assert_eq!((table.calls(), table.keys(NOW), table.keys_max()), (3, 2, 16));
        table.free_call(one.at());
        assert_eq!(take(&table, 1 << 32, 2), Some(true));
    }

    #[test]
    fn without_keys_all_are_counted_together() {
        let table = KeyTable::new(0);
        assert_eq!(take(&table, 1, 1), Some(true));
        assert_eq!(take(&table, 2, 1), Some(false));
        assert_eq!((table.keys_max(), table.keys(NOW)), (0, 0));
    }

    #[test]
    fn keys_that_find_no_place_share_one_and_the_others_notice_nothing() {
        let table = KeyTable::new(16);
        for hash in crowd().take(8) {
            assert_eq!(take(&table, hash, 1), Some(true));
        }
        let late: Vec<u64> = crowd().skip(8).take(2).collect();
        assert!(table.find(late[0], NOW).is_shared());
        assert_eq!(take(&table, late[0], 1), Some(true));
        assert_eq!(take(&table, late[1], 1), Some(false), "limited together");
        assert_eq!(take(&table, 1 << 32, 2), Some(true));
        assert_eq!(table.keys(NOW), 8, "the table did not grow");
    }

    #[test]
    fn a_place_without_calls_and_with_a_full_bucket_is_for_the_next_key() {
        let table = KeyTable::new(8);
        let rate = Rate::within(1, Duration::from_secs(60), 1);
        let mut places = Vec::new();
        for hash in crowd().take(8) {
            let place = table.find(hash, NOW);
            if places.is_empty() {
                assert_eq!(table.take_call(place, 1), Some(true));
            } else {
                assert!(table.take_token(place, rate, NOW));
            }
            places.push(place);
        }
        assert!(table.find(99 << 32, Time::from_millis(59_999)).is_shared());
        let now = Time::from_millis(60_000);
        let next = table.find(99 << 32, now);
        assert!(!next.is_shared());
        assert_ne!(next.at(), places[0].at(), "that one has a call");
        assert_eq!(table.take_call(places[next.at() - 1], 1), None, "whoever had it looks again");
    }

    #[test]
    fn a_table_that_all_threads_use_loses_nothing() {
        let table = KeyTable::new(16);
        std::thread::scope(|scope| {
            for thread in 0..4_u64 {
                let table = &table;
                scope.spawn(move || {
                    for nth in 0..20_000_u64 {
                        let place = table.find(((nth * 7 + thread) % 23) << 32, NOW);
                        if table.take_call(place, 5) == Some(true) {
                            table.free_call(place.at());
                        }
                    }
                });
            }
        });
        assert_eq!(table.calls(), 0);
    }
}
