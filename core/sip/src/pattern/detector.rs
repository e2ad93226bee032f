//! One pattern: which calls it is about, whose they are, and when it is found.

use std::collections::HashMap;
use std::hash::BuildHasher;
use std::sync::Arc;

use foldhash::fast::FixedState;

use super::window::{Steps, Window};
use crate::decide::global_number;
use crate::event::{CallRecord, Outcome};
use crate::message::Uri;
use crate::snapshot::document::{Counted, Distinct};
use crate::snapshot::{KeyKind, Pattern, first_digits};

/// Of so many keys one is put out where a new one finds no place: the one that did least.
const LOOKED_AT: usize = 8;

/// The windows of one pattern, by key.
#[derive(Debug)]
pub(super) struct Detector {
    pub(super) pattern: Arc<Pattern>,
    steps: Steps,
    keys: Vec<(Box<str>, Window)>,
    places: HashMap<Box<str>, u32, FixedState>,
    hand: usize,
    hasher: FixedState,
    /// Keys that had to make room.
    pub(super) put_out: u64,
}

/// A pattern that was found.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) key: Box<str>,
    pub(super) counted: u64,
    pub(super) of: u64,
}

impl Detector {
    pub(super) fn new(pattern: Pattern, hasher: FixedState) -> Self {
        Self {
            steps: Steps::of_window(pattern.window_ms),
            pattern: Arc::new(pattern),
            keys: Vec::new(),
            places: HashMap::with_hasher(hasher.clone()),
            hand: 0,
            hasher,
            put_out: 0,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.keys.len()
    }

    /// Looks at a call that is over.
    pub(super) fn observe(&mut self, record: &CallRecord<'_>) -> Option<Found> {
        if !self.is_about(record) {
            return None;
        }
        let key = key_of(record, self.pattern.by, self.pattern.digits)?;
        let amount = amount(record, &self.pattern);
        let number = match self.pattern.distinct {
            Some(Distinct::Calling) => key_of(record, KeyKind::Calling, None),
            Some(Distinct::Called) => key_of(record, KeyKind::Called, None),
            None => None,
        };
        let number = number.filter(|_| amount > 0).map(|number| self.hasher.hash_one(&*number) as u32);
        let (steps, threshold, is_distinct) =
            (self.steps, self.pattern.threshold, self.pattern.distinct.is_some());
        let now = record.end_ms;
        let window = self.window(&key, now)?;
        window.count(steps, now, amount);
        if let Some(number) = number {
            window.see(steps, now, number, threshold as usize);
        }
        let (counted, of) = window.sums();
        let reached = if is_distinct { window.different() } else { counted };
        let is_share = counted * 100 >= of * u64::from(self.pattern.share);
        if reached < u64::from(threshold) || !is_share {
            return None;
        }
        *self.window(&key, now)? = Window::default();
        Some(Found { key, counted: reached, of })
    }

    fn is_about(&self, record: &CallRecord<'_>) -> bool {
        let pattern = &self.pattern;
        pattern.methods.iter().any(|method| **method == *record.method)
            && pattern.tag.as_ref().is_none_or(|tag| record.tags.iter().any(|given| **given == **tag))
    }

    /// The window of *key*; where there is no place, the one of eight that did least makes room.
    fn window(&mut self, key: &str, now: u64) -> Option<&mut Window> {
        if let Some(at) = self.places.get(key).copied() {
            return self.keys.get_mut(at as usize).map(|(_, window)| window);
        }
        let at = if self.keys.len() < self.pattern.keys_max {
            self.keys.push((key.into(), Window::default()));
            self.keys.len() - 1
        } else {
            let at = self.least(now);
            let (old, window) = self.keys.get_mut(at)?;
            self.put_out += u64::from(!window.is_over(self.steps, now));
            self.places.remove(old);
            (*old, *window) = (key.into(), Window::default());
            at
        };
        self.places.insert(key.into(), at as u32);
        self.keys.get_mut(at).map(|(_, window)| window)
    }

    fn least(&mut self, now: u64) -> usize {
        let count = self.keys.len().max(1);
        let first = self.hand;
        self.hand = (first + LOOKED_AT) % count;
        let weight = |at: &usize| match self.keys.get(*at) {
            Some((_, window)) if !window.is_over(self.steps, now) => window.sums(),
            _ => (0, 0),
        };
        (first..first + LOOKED_AT.min(count)).map(|at| at % count).min_by_key(weight).unwrap_or(0)
    }
}

/// How much of what is counted the call is.
fn amount(record: &CallRecord<'_>, pattern: &Pattern) -> u32 {
    let length_ms = record.answer_ms.map(|answered| record.end_ms.saturating_sub(answered));
    let is_answered = record.outcome == Outcome::Answered;
    let counts = |counted: &Counted| match counted {
        Counted::Attempts => true,
        Counted::ShortCalls => is_answered && length_ms.is_some_and(|length| length < pattern.short_ms),
        Counted::Unanswered => !is_answered,
        Counted::FailedCalls => matches!(record.outcome, Outcome::Failed | Outcome::Rejected),
        Counted::CallSeconds => is_answered,
    };
    if !pattern.counted.iter().any(counts) {
        0
    } else if pattern.counted.contains(&Counted::CallSeconds) {
        length_ms.map_or(0, |length| u32::try_from(length.div_ceil(1_000)).unwrap_or(u32::MAX))
    } else {
        1
    }
}

/// By what a call is counted; nothing where it does not have it.
fn key_of(record: &CallRecord<'_>, by: KeyKind, digits: Option<u8>) -> Option<Box<str>> {
    let number = match by {
        KeyKind::Peer => return Some((*record.peer_in).into()),
        KeyKind::Calling => calling(record)?,
        KeyKind::Called => (**record.number.as_ref()?).into(),
        KeyKind::All | KeyKind::Source => return None,
    };
    Some(first_digits(&number, digits).into())
}

/// As rules see it: of the identity that is believed, else of From.
fn calling(record: &CallRecord<'_>) -> Option<Box<str>> {
    let number = |uri: &str| global_number(&Uri::parse(uri.as_bytes()).ok()?);
    let mut uris = record.calling.iter().chain(std::iter::once(&record.from));
    uris.find_map(|uri| number(uri)).map(|number| number.as_str().into())
}
