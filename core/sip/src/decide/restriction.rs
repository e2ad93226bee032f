//! What a target asks of the requests that are sent to it: so many percent fewer (RFC 7339 §4, §5; OC-04 to OC-07).
//!
//! Shared by all workers without a lock. Each request that would go there adds the percentage asked for to a debt, and one that
//! is held back pays a hundred, so the total falls by what was asked although some are never held back: the others are in
//! their place (§5.10.1).

use crate::message::Feedback;
use crate::time::Time;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

const PERCENT_BITS: u32 = 8;
/// Of the debt: what is not paid by then is forgotten, so that a time of spared requests does not silence the target later.
const DEBT_MAX: u32 = 64 * WHOLE;
const WHOLE: u32 = 100;

/// What one target asked for last.
#[derive(Debug, Default)]
pub struct Restriction {
    /// Until when, in milliseconds, and the percentage.
    word: AtomicU64,
    sequence: AtomicU64,
    debt: AtomicU32,
    held_back: AtomicU64,
}

impl Restriction {
    /// Takes what a response said; `false` when that was known already or is older than what is known.
    pub fn hear(&self, feedback: Feedback, now: Time) -> bool {
        let known = self.sequence.load(Ordering::Relaxed);
        // By far the most frequent: the same as in the response before.
        if feedback.sequence == known && known != 0 {
            return false;
        }
        // A little lower was overtaken on its way; far lower is a counter that began anew (§5.3).
        let is_overtaken = feedback.sequence < known && feedback.sequence > known / 2;
        if is_overtaken && self.percent(now) > 0 {
            return false;
        }
        self.sequence.store(feedback.sequence, Ordering::Relaxed);
        let until_ms = (now + feedback.validity).as_millis();
        let percent = if feedback.validity.is_zero() { 0 } else { feedback.percent.min(100) };
        self.word.store(until_ms << PERCENT_BITS | u64::from(percent), Ordering::Relaxed);
        if percent == 0 {
            self.debt.store(0, Ordering::Relaxed);
        }
        true
    }

    /// What is asked for at *now*, in percent.
    pub fn percent(&self, now: Time) -> u8 {
        let word = self.word.load(Ordering::Relaxed);
        if now.as_millis() < word >> PERCENT_BITS { (word & 0xff) as u8 } else { 0 }
    }

    /// Did it ever ask for anything?
    pub fn was_asked_for(&self) -> bool {
        self.word.load(Ordering::Relaxed) != 0
    }

    /// How many requests were held back.
    pub fn held_back(&self) -> u64 {
        self.held_back.load(Ordering::Relaxed)
    }

    /// Counts a request that would go there; `true` when it is to be held back. One that is *spared* never is.
    pub fn holds_back(&self, now: Time, is_spared: bool) -> bool {
        let percent = u32::from(self.percent(now));
        if percent == 0 {
            return false;
        }
        let pays = |debt: u32| !is_spared && debt.saturating_add(percent) >= WHOLE;
        let before = self.debt.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |debt| {
            let paid = if pays(debt) { WHOLE } else { 0 };
            Some((debt + percent).saturating_sub(paid).min(DEBT_MAX))
        });
        let is_held_back = before.is_ok_and(pays);
        self.held_back.fetch_add(u64::from(is_held_back), Ordering::Relaxed);
        is_held_back
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn feedback(percent: u8, validity_ms: u64, sequence: u64) -> Feedback {
        Feedback { percent, validity: Duration::from_millis(validity_ms), sequence }
    }

    fn at(ms: u64) -> Time {
        Time::from_millis(1_000_000 + ms)
    }

    #[test]
    fn the_total_falls_by_what_is_asked_also_when_some_are_spared() {
        for percent in [0, 1, 20, 50, 99, 100] {
            for spared_of_ten in [0, 3] {
                let restriction = Restriction::default();
                assert!(restriction.hear(feedback(percent, 500, 7), at(0)) || percent == 0);
                let held =
                    (0..10_000).filter(|nth| restriction.holds_back(at(1), nth % 10 < spared_of_ten)).count();
                let asked = usize::from(percent) * 100;
                let possible = asked.min(10_000 - spared_of_ten * 1_000);
                assert!(held.abs_diff(possible) <= 1, "{percent} % with {spared_of_ten} spared: {held}");
            }
        }
    }

    #[test]
    fn it_ends_with_its_validity_and_a_newer_word_starts_it_anew() {
        let restriction = Restriction::default();
        assert!(restriction.hear(feedback(100, 500, 10_000), at(0)));
        assert_eq!(restriction.percent(at(499)), 100);
        assert_eq!(restriction.percent(at(500)), 0);
        assert!(!restriction.hear(feedback(100, 500, 10_000), at(400)), "the same word again");
        assert_eq!(restriction.percent(at(500)), 0);
        assert!(restriction.hear(feedback(40, 500, 10_001), at(450)));
        assert_eq!(restriction.percent(at(900)), 40);
        assert!(!restriction.hear(feedback(90, 500, 9_999), at(460)), "overtaken");
        assert!(restriction.hear(feedback(90, 500, 3), at(470)), "a counter that began anew");
        assert_eq!(restriction.percent(at(471)), 90);
        assert!(restriction.hear(feedback(90, 0, 4), at(480)), "an end");
        assert_eq!(restriction.percent(at(480)), 0);
        assert!(!restriction.holds_back(at(480), false));
    }

    #[test]
    fn what_was_spared_does_not_silence_the_target_for_long() {
        let restriction = Restriction::default();
        restriction.hear(feedback(50, 10_000, 1), at(0));
        assert_eq!((0..100_000).filter(|_| restriction.holds_back(at(1), true)).count(), 0);
        let held = (0..1_000).take_while(|_| restriction.holds_back(at(2), false)).count();
        assert!((64..=130).contains(&held), "{held}");
    }
}
