//! The new requests that were refused at a limit lately, so that a repetition of one is refused again (RFC 3261 §8.2.7).
//!
//! Nothing else is kept of a refused request. Without this its repetition could pass when the limit has room again, and a
//! caller who was told 503 would be answered a second time: by somebody whose phone rings for a call that is over.
//!
//! A fixed number of places, each for the latest request that falls into it: a flood overwrites the oldest, and costs no
//! memory. Then a repetition counts as new, as it would have without.

use std::time::Duration;

use crate::reason::Reason;
use crate::time::Time;
use crate::transaction::ServerKey;

const PLACES: usize = 4_096;
/// As long as a client may go on repeating its request (64 × T1).
const KEPT: Duration = Duration::from_secs(32);

#[derive(Clone, Copy, Debug)]
struct Place {
    key: ServerKey,
    until: Time,
    reason: Reason,
}

/// What was refused lately.
#[derive(Debug, Default)]
pub struct RefusedLately {
    /// Empty until the first refusal.
    places: Vec<Option<Place>>,
}

impl RefusedLately {
    /// Remembers that *key* was refused.
    pub fn put(&mut self, key: ServerKey, reason: Reason, now: Time) {
        if self.places.is_empty() {
            self.places = vec![None; PLACES];
        }
        if let Some(place) = self.places.get_mut(place_of(key)) {
            *place = Some(Place { key, until: now + KEPT, reason });
        }
    }

    /// Why *key* was refused, if it was.
    pub fn find(&self, key: ServerKey, now: Time) -> Option<Reason> {
        let place = self.places.get(place_of(key)).copied().flatten()?;
        (place.key == key && now < place.until).then_some(place.reason)
    }
}

/// The key is a keyed hash: nobody outside can choose whose place he takes.
const fn place_of(key: ServerKey) -> usize {
    key.0[0] as usize % PLACES
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_remembered_for_as_long_as_the_request_may_be_repeated() {
        let mut refused = RefusedLately::default();
        let (key, other) = (ServerKey([7, 1]), ServerKey([7, 2]));
        assert_eq!(refused.find(key, Time::ZERO), None);
        refused.put(key, Reason::Rate, Time::ZERO);
        assert_eq!(refused.find(key, Time::from_millis(31_999)), Some(Reason::Rate));
        assert_eq!(refused.find(key, Time::from_millis(32_000)), None);
        assert_eq!(refused.find(other, Time::ZERO), None);
        refused.put(other, Reason::Overload, Time::ZERO);
        assert_eq!(refused.find(key, Time::ZERO), None, "the place is for the latest");
    }

    #[test]
    fn a_flood_takes_no_memory() {
        let mut refused = RefusedLately::default();
        for nth in 0..100_000 {
            refused.put(ServerKey([nth, nth]), Reason::Rate, Time::ZERO);
        }
        assert_eq!(refused.places.capacity(), PLACES);
    }
}
