//! What the outside world answered before, for as long as it said that holds.

use std::cell::Cell;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use foldhash::fast::FixedState;
use smallvec::SmallVec;

use crate::input::EnumOutcome;
use crate::time::Time;

/// An answer kept for the next call, and shared with the calls that go on with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CachedAnswer {
    /// Found, not found or failed.
    pub outcome: EnumOutcome,
    /// The finer class for logs and records (ENUM-46).
    pub class: String,
    /// The URIs, best first.
    pub candidates: Vec<String>,
}

/// Why an answer had to make room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Eviction {
    /// It was out of date.
    Expired,
    /// It was not used for the longest time.
    Unused,
}

/// A bounded cache of answers about something (a number, a host) from somewhere (a service, a peer); each stays until its time is over or the room is needed.
///
/// Room is made by forgetting what is out of date, else what was not used for the longest time (the clock algorithm: an
/// answer that was used since the hand last passed stays for one more round).
#[derive(Debug)]
pub struct AnswerCache<A> {
    slots_by_key: HashMap<Key, u32, FixedState>,
    slots: Vec<Slot<A>>,
    /// Every slot by the time at which its answer is out of date.
    expiries: BTreeSet<(Time, u32)>,
    hand: usize,
    answers_max: usize,
}

type Key = SmallVec<[u8; 32]>;

#[derive(Debug)]
struct Slot<A> {
    key: Key,
    answer: Arc<A>,
    expires: Time,
    is_used: Cell<bool>,
}

fn key(service: &str, number: &str) -> Key {
    let mut key = Key::from_slice(number.as_bytes());
    key.push(0); // no number holds one, so no two pairs have the same key
    key.extend_from_slice(service.as_bytes());
    key
}

impl<A> AnswerCache<A> {
    /// Returns an empty cache for at most *`answers_max`* answers. Numbers come from outside: *seed* keeps their hashes unforeseeable.
    pub fn new(answers_max: usize, seed: u64) -> Self {
        Self {
            slots_by_key: HashMap::with_hasher(FixedState::with_seed(seed)),
            slots: Vec::new(),
            expiries: BTreeSet::new(),
            hand: 0,
            answers_max: answers_max.min(u32::MAX as usize),
        }
    }

    /// Returns the answer about *number* from *service*, unless it is out of date.
    pub fn get(&self, service: &str, number: &str, now: Time) -> Option<&Arc<A>> {
        let slot = self.slots.get(*self.slots_by_key.get(&key(service, number))? as usize)?;
        if slot.expires <= now {
            return None;
        }
        slot.is_used.set(true);
        Some(&slot.answer)
    }

    /// Returns the answer about *number* from *service*, however old; it counts as no use of it.
    pub fn peek(&self, service: &str, number: &str) -> Option<&Arc<A>> {
        self.slots.get(*self.slots_by_key.get(&key(service, number))? as usize).map(|slot| &slot.answer)
    }

    /// Keeps *answer* until *expires*; one that is out of date already is not kept (a TTL of 0, ENUM-45). Tells what was
    /// forgotten to make room.
    pub fn put(
        &mut self,
        service: &str,
        number: &str,
        answer: Arc<A>,
        now: Time,
        expires: Time,
    ) -> Option<Eviction> {
        let key = key(service, number);
        if let Some(at) = self.slots_by_key.get(&key).copied() {
            self.remove(at);
        }
        if expires <= now || self.answers_max == 0 {
            return None;
        }
        let evicted = (self.slots.len() >= self.answers_max).then(|| self.evict(now));
        let at = self.slots.len() as u32; // `new` capped the bound at `u32::MAX`
        self.expiries.insert((expires, at));
        self.slots_by_key.insert(key.clone(), at);
        self.slots.push(Slot { key, answer, expires, is_used: Cell::new(false) });
        evicted
    }

    /// How many answers may be kept.
    pub const fn capacity_max(&self) -> usize {
        self.answers_max
    }

    /// How many answers are kept, those out of date included.
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    /// Is nothing kept?
    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    fn evict(&mut self, now: Time) -> Eviction {
        let oldest = self.expiries.first().filter(|(expires, _)| *expires <= now).map(|(_, at)| *at);
        let (victim, eviction) = match oldest {
            Some(at) => (at, Eviction::Expired),
            None => (self.turn_hand(), Eviction::Unused),
        };
        self.remove(victim);
        eviction
    }

    fn turn_hand(&mut self) -> u32 {
        // Ends: a whole round clears every mark.
        loop {
            self.hand = if self.hand + 1 < self.slots.len() { self.hand + 1 } else { 0 };
            if !self.slots.get(self.hand).is_some_and(|slot| slot.is_used.replace(false)) {
                return u32::try_from(self.hand).unwrap_or_default();
            }
        }
    }

    /// Forgets the slot; the last one moves into its place.
    fn remove(&mut self, at: u32) {
        if at as usize >= self.slots.len() {
            return;
        }
        let removed = self.slots.swap_remove(at as usize);
        self.slots_by_key.remove(&removed.key);
        self.expiries.remove(&(removed.expires, at));
        if let Some(moved) = self.slots.get(at as usize) {
            let was = self.slots.len() as u32;
            self.expiries.remove(&(moved.expires, was));
            self.expiries.insert((moved.expires, at));
            if let Some(position) = self.slots_by_key.get_mut(&moved.key) {
                *position = at;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn found(uri: &str) -> Arc<CachedAnswer> {
        let candidates = vec![uri.to_owned()];
        Arc::new(CachedAnswer { outcome: EnumOutcome::Found, class: "FOUND".to_owned(), candidates })
    }

    fn at(seconds: u64) -> Time {
        Time::from_millis(seconds * 1_000)
    }

    #[test]
    fn an_answer_holds_until_its_time_is_over() {
        let mut cache = AnswerCache::new(4, 1);
        cache.put("carrier", "+441", found("sip:a"), at(0), at(10));
        assert_eq!(cache.get("carrier", "+441", at(9)), Some(&found("sip:a")));
        assert_eq!(cache.get("carrier", "+441", at(10)), None);
        assert_eq!(cache.get("carrier", "+442", at(9)), None);
        assert_eq!(cache.get("public", "+441", at(9)), None, "another service is another answer");
    }

    #[test]
    fn a_ttl_of_zero_is_not_kept_and_takes_the_older_answer_along() {
        let mut cache = AnswerCache::new(4, 1);
        cache.put("carrier", "+441", found("sip:old"), at(0), at(10));
        cache.put("carrier", "+441", found("sip:new"), at(1), at(1));
        assert_eq!(cache.get("carrier", "+441", at(1)), None);
        assert!(cache.is_empty());
    }

    #[test]
    fn a_newer_answer_replaces_the_older_one() {
        let mut cache = AnswerCache::new(4, 1);
        cache.put("carrier", "+441", found("sip:old"), at(0), at(10));
        cache.put("carrier", "+441", found("sip:new"), at(5), at(15));
        assert_eq!(cache.get("carrier", "+441", at(12)), Some(&found("sip:new")));
        assert_eq!(cache.len(), 1);
    }

    #[test]
    fn what_is_out_of_date_goes_first_even_when_it_was_used() {
        let mut cache = AnswerCache::new(3, 1);
        cache.put("s", "+1", found("1"), at(0), at(100));
        cache.put("s", "+2", found("2"), at(0), at(5));
        assert_eq!(cache.put("s", "+3", found("3"), at(0), at(100)), None);
        assert!(cache.get("s", "+2", at(1)).is_some());
        assert_eq!(cache.put("s", "+4", found("4"), at(6), at(100)), Some(Eviction::Expired));
        for number in ["+1", "+3", "+4"] {
            assert!(cache.get("s", number, at(7)).is_some(), "{number}");
        }
    }

    #[test]
    fn what_is_used_outlives_what_is_not() {
        let mut cache = AnswerCache::new(2, 1);
        cache.put("s", "+1", found("1"), at(0), at(100));
        for number in 2..50 {
            assert!(cache.get("s", "+1", at(1)).is_some(), "before +{number}");
            let evicted = cache.put("s", &format!("+{number}"), found("x"), at(1), at(100));
            assert_eq!(evicted, (number > 2).then_some(Eviction::Unused));
        }
    }

    #[test]
    fn it_never_grows_above_its_bound_and_its_tables_agree() {
        let mut cache = AnswerCache::new(100, 7);
        let mut state = 1_u64;
        for step in 0..20_000_u64 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let number = format!("+{}", (state >> 33) % 300);
            let expires = at(step / 10) + Duration::from_secs((state >> 50) % 40);
            if state >> 63 == 0 {
                cache.put("s", &number, found(&number), at(step / 10), expires);
            } else if let Some(answer) = cache.get("s", &number, at(step / 10)) {
                assert_eq!(answer.candidates, [number]);
            }
            assert!(cache.len() <= 100);
            assert_eq!(cache.slots_by_key.len(), cache.slots.len());
            assert_eq!(cache.expiries.len(), cache.slots.len());
        }
        assert_eq!(cache.len(), 100);
    }

    #[test]
    fn a_bound_of_zero_keeps_nothing() {
        let mut cache = AnswerCache::new(0, 1);
        cache.put("s", "+1", found("1"), at(0), at(100));
        assert!(cache.is_empty());
    }
}
