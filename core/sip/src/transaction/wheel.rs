//! A hashed timer wheel: 4,096 slots of 10 ms; what lies further ahead than one turn (40.96 s) waits in its slot for later turns.
//!
//! Arming costs the same however many timers run, and nothing is ever cancelled: the owner gives a key from which it can tell
//! whether the firing still means something. A deadline that moves often (Timer C, which every 18x restarts) is therefore not
//! armed anew each time: keep the deadline in the owner, and when the timer fires too early arm it for the rest. Otherwise
//! a peer could fill the wheel with 18x.

use std::time::Duration;

use super::chunks::Chunks;
use crate::time::Time;

const TICK: Duration = Duration::from_millis(10);
const SLOTS: usize = 4_096;
const WORDS: usize = SLOTS / 64;
const NONE: u32 = u32::MAX;

#[derive(Clone, Copy, Debug)]
struct Entry<K> {
    tick: u64,
    key: K,
    next: u32,
}

/// A list of entries, first in first out.
#[derive(Clone, Copy, Debug)]
struct List {
    head: u32,
    tail: u32,
}

const EMPTY: List = List { head: NONE, tail: NONE };

/// Timers with keys of type `K`, fired in the order of their ticks, and within a tick in the order of arming.
///
/// A timer never fires early, and at most one tick late.
#[derive(Debug)]
pub struct Wheel<K> {
    entries: Chunks<Entry<K>>,
    free: u32,
    slots: Box<[List]>,
    /// The earliest tick in each slot.
    earliest: Box<[u64]>,
    /// Which slots hold anything.
    occupied: [u64; WORDS],
    /// What fired and was not fetched yet.
    due: List,
    /// Every tick up to this one has fired.
    cursor: u64,
    /// The earliest tick that is still ahead: exact, `u64::MAX` when there is none.
    next: u64,
    len: usize,
}

impl<K: Copy> Wheel<K> {
    /// Makes an empty wheel that stands at *start*.
    pub fn new(start: Time) -> Self {
        Self {
            entries: Chunks::new(),
            free: NONE,
            slots: vec![EMPTY; SLOTS].into_boxed_slice(),
            earliest: vec![u64::MAX; SLOTS].into_boxed_slice(),
            occupied: [0; WORDS],
            due: EMPTY,
            cursor: tick_before(start),
            next: u64::MAX,
            len: 0,
        }
    }

    /// Arms a timer; one *at* a time that has passed fires with the next [`Self::pop_due`].
    pub fn arm(&mut self, at: Time, key: K) {
        let tick = tick_after(at);
        let index = self.allocate(Entry { tick, key, next: NONE });
        self.len += 1;
        if tick <= self.cursor {
            append(&mut self.entries, &mut self.due, index);
            return;
        }
        let slot = slot_of(tick);
        append(&mut self.entries, &mut self.slots[slot], index);
        self.earliest[slot] = self.earliest[slot].min(tick);
        self.occupied[slot / 64] |= 1 << (slot % 64);
        self.next = self.next.min(tick);
    }

    /// Takes one timer that is due; `None` when no other one is.
    pub fn pop_due(&mut self, now: Time) -> Option<K> {
        let now = tick_before(now);
        while self.due.head == NONE {
            if self.next > now {
                self.cursor = self.cursor.max(now);
                return None;
            }
            self.cursor = self.next;
            self.fire(slot_of(self.cursor));
            self.next = self.find_next();
        }
        let index = self.due.head;
        let entry = self.entries[index as usize];
        self.due.head = entry.next;
        if entry.next == NONE {
            self.due.tail = NONE;
        }
        self.entries[index as usize].next = self.free;
        self.free = index;
        self.len -= 1;
        Some(entry.key)
    }

    /// When [`Self::pop_due`] will next have something; a time that has passed when it has now.
    pub fn next_due(&self) -> Option<Time> {
        match (self.due.head, self.next) {
            (NONE, u64::MAX) => None,
            (NONE, tick) => Some(time_of(tick)),
            _ => Some(time_of(self.cursor)),
        }
    }

    /// How many timers wait, those whose key means nothing any more among them.
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Tells whether no timer waits.
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    fn allocate(&mut self, entry: Entry<K>) -> u32 {
        if self.free == NONE {
            return self.entries.push(entry) as u32;
        }
        let index = self.free;
        self.free = self.entries[index as usize].next;
        self.entries[index as usize] = entry;
        index
    }

    /// Moves what is due at the cursor from its slot to the due list; what waits for a later turn stays.
    fn fire(&mut self, slot: usize) {
        let mut index = self.slots[slot].head;
        let mut rest = EMPTY;
        let mut earliest = u64::MAX;
        while index != NONE {
            let Entry { tick, next, .. } = self.entries[index as usize];
            if tick <= self.cursor {
                append(&mut self.entries, &mut self.due, index);
            } else {
                append(&mut self.entries, &mut rest, index);
                earliest = earliest.min(tick);
            }
            index = next;
        }
        self.slots[slot] = rest;
        self.earliest[slot] = earliest;
        if rest.head == NONE {
            self.occupied[slot / 64] &= !(1 << (slot % 64));
        }
    }

    /// The earliest tick after the cursor: the first slot of this turn that has something for this turn, else the
    /// earliest of all.
    fn find_next(&self) -> u64 {
        let start = slot_of(self.cursor + 1);
        let mut earliest = u64::MAX;
        for step in 0..=WORDS {
            let at = (start / 64 + step) % WORDS;
            let mut word = self.occupied[at];
            if step == 0 {
                word &= u64::MAX << (start % 64);
            } else if step == WORDS {
                word &= !(u64::MAX << (start % 64));
            }
            while word != 0 {
                let slot = at * 64 + word.trailing_zeros() as usize;
                let tick = self.earliest[slot];
                let ahead = (slot + SLOTS - start) % SLOTS;
                if tick == self.cursor + 1 + ahead as u64 {
                    return tick;
                }
                earliest = earliest.min(tick);
                word &= word - 1;
            }
        }
        earliest
    }
}

fn append<K>(entries: &mut Chunks<Entry<K>>, list: &mut List, index: u32) {
    entries[index as usize].next = NONE;
    if list.tail == NONE {
        list.head = index;
    } else {
        entries[list.tail as usize].next = index;
    }
    list.tail = index;
}

const fn slot_of(tick: u64) -> usize {
    (tick % SLOTS as u64) as usize
}

const fn tick_before(time: Time) -> u64 {
    time.as_nanos() / TICK.as_nanos() as u64
}

const fn tick_after(time: Time) -> u64 {
    time.as_nanos().div_ceil(TICK.as_nanos() as u64)
}

const fn time_of(tick: u64) -> Time {
    Time::from_nanos(tick.saturating_mul(TICK.as_nanos() as u64))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drain(wheel: &mut Wheel<u64>, now_ms: u64) -> Vec<u64> {
        std::iter::from_fn(|| wheel.pop_due(Time::from_millis(now_ms))).collect()
    }

    #[test]
    fn a_timer_fires_at_its_time_and_not_before() {
        let mut wheel = Wheel::new(Time::ZERO);
        wheel.arm(Time::from_millis(500), 1);
        assert_eq!(wheel.next_due(), Some(Time::from_millis(500)));
        assert!(drain(&mut wheel, 499).is_empty());
        assert_eq!(drain(&mut wheel, 500), [1]);
        assert_eq!(wheel.next_due(), None);
        assert!(wheel.is_empty());
    }

    #[test]
    fn a_time_between_ticks_is_rounded_up() {
        let mut wheel = Wheel::new(Time::ZERO);
        wheel.arm(Time::from_millis(11), 1);
        assert!(drain(&mut wheel, 19).is_empty());
        assert_eq!(wheel.next_due(), Some(Time::from_millis(20)));
        assert_eq!(drain(&mut wheel, 20), [1]);
    }

    #[test]
    fn what_has_passed_fires_at_once() {
        let mut wheel = Wheel::new(Time::from_millis(1_000_000));
        assert!(drain(&mut wheel, 1_000_100).is_empty());
        wheel.arm(Time::from_millis(5), 1);
        wheel.arm(Time::from_millis(1_000_100), 2);
        assert!(wheel.next_due() <= Some(Time::from_millis(1_000_100)));
        assert_eq!(drain(&mut wheel, 1_000_100), [1, 2]);
    }

    #[test]
    fn timers_of_later_turns_wait_in_their_slot() {
        let mut wheel = Wheel::new(Time::ZERO);
        let turn_ms = 40_960;
        wheel.arm(Time::from_millis(turn_ms * 3 + 100), 3);
        wheel.arm(Time::from_millis(turn_ms + 100), 1);
        wheel.arm(Time::from_millis(100), 0);
        assert_eq!(drain(&mut wheel, 100), [0]);
        assert_eq!(wheel.next_due(), Some(Time::from_millis(turn_ms + 100)));
        assert_eq!(drain(&mut wheel, turn_ms + 100), [1]);
        assert_eq!(wheel.next_due(), Some(Time::from_millis(turn_ms * 3 + 100)));
        assert_eq!(drain(&mut wheel, turn_ms * 10), [3]);
    }

    #[test]
    fn a_timer_armed_by_a_timer_fires_in_the_same_sweep_when_it_is_due() {
        let mut wheel = Wheel::new(Time::ZERO);
        wheel.arm(Time::from_millis(10), 1);
        assert_eq!(wheel.pop_due(Time::from_millis(50)), Some(1));
        wheel.arm(Time::from_millis(40), 2);
        wheel.arm(Time::from_millis(60), 3);
        assert_eq!(drain(&mut wheel, 50), [2]);
        assert_eq!(drain(&mut wheel, 60), [3]);
    }

    /// The same operations on the wheel and on a sorted list lead to the same firings.
    #[test]
    fn it_agrees_with_a_sorted_list() {
        let mut wheel = Wheel::new(Time::ZERO);
        let mut model: Vec<(u64, u64)> = Vec::new();
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        let mut random = move || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state
        };
        let mut now_ms = 0;
        for key in 0..20_000 {
            let spread_ms = [50, 5_000, 40_960, 400_000][(random() % 4) as usize];
            let at_ms = now_ms + random() % spread_ms;
            wheel.arm(Time::from_millis(at_ms), key);
            model.push((at_ms.div_ceil(10).max(now_ms / 10), key));
            if random() % 3 == 0 {
                now_ms += random() % 300;
                model.sort_unstable();
                let (due, rest) = model.split_at(model.partition_point(|(tick, _)| *tick <= now_ms / 10));
                let due: Vec<_> = due.iter().map(|(_, key)| *key).collect();
                assert_eq!(drain(&mut wheel, now_ms), due);
                model = rest.to_vec();
                assert_eq!(wheel.next_due(), model.first().map(|(tick, _)| Time::from_millis(tick * 10)));
                assert_eq!(wheel.len(), model.len());
            }
        }
    }

    #[test]
    fn memory_is_reused() {
        let mut wheel = Wheel::new(Time::ZERO);
        for turn in 0..1_000 {
            for key in 0..10 {
                wheel.arm(Time::from_millis(turn * 100 + 50), key);
            }
            assert_eq!(drain(&mut wheel, turn * 100 + 99).len(), 10);
        }
        assert!(wheel.entries.len() <= 10);
    }
}
