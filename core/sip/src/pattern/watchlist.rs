//! Keys that may not call, or not so often, for a time: what patterns found, as workers look at it.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use foldhash::fast::FixedState;

use crate::admit::{Rate, TokenBucket};
use crate::snapshot::KeyKind;
use crate::statistics::Counter;

/// What is done with what a key asks for.
#[derive(Clone, Debug)]
pub struct Watched {
    /// In milliseconds since 1970.
    pub until_ms: u64,
    /// Of these methods.
    pub methods: Arc<[String]>,
    /// So often it may; not at all where there is none.
    pub rate: Option<(Rate, Arc<TokenBucket>)>,
    /// Status of the refusal.
    pub status: u16,
    /// What is counted.
    pub counts: Arc<[WatchShard]>,
    /// Id of the pattern.
    pub pattern: Arc<str>,
}

/// What one worker counts of a pattern.
#[repr(align(128))]
#[derive(Debug, Default)]
pub struct WatchShard {
    /// Requests that were refused.
    pub refused: Counter,
    /// Requests that passed at the rate.
    pub passed: Counter,
}

/// Keys of one kind, of requests with that tag, or of all.
#[derive(Debug)]
pub struct View {
    /// The tag that their requests have.
    pub tag: Option<Arc<str>>,
    /// What kind.
    pub by: KeyKind,
    /// Of a number only so many of its first digits.
    pub digits: Option<u8>,
    keys: HashMap<Box<str>, Watched, FixedState>,
}

impl View {
    /// What is said of *key*, while it holds.
    pub fn find(&self, key: &str, unix_ms: u64) -> Option<&Watched> {
        self.keys.get(key).filter(|watched| unix_ms < watched.until_ms)
    }
}

/// All of it at one time.
#[derive(Debug, Default)]
pub struct Watchlist {
    views: Vec<View>,
}

impl Watchlist {
    /// Puts *key* in.
    pub fn insert(
        &mut self,
        tag: Option<&Arc<str>>,
        by: KeyKind,
        digits: Option<u8>,
        key: &str,
        watched: Watched,
    ) {
        let is_same = |view: &View| (view.tag.as_ref(), view.by, view.digits) == (tag, by, digits);
        let at = self.views.iter().position(is_same).unwrap_or_else(|| {
            self.views.push(View { tag: tag.cloned(), by, digits, keys: HashMap::default() });
            self.views.len() - 1
        });
        if let Some(view) = self.views.get_mut(at) {
            view.keys.insert(key.into(), watched);
        }
    }

    /// The keys of requests with *tag*, or those of all.
    pub fn views<'w>(&'w self, tag: Option<&'w str>) -> impl Iterator<Item = &'w View> {
        self.views.iter().filter(move |view| view.tag.as_deref() == tag)
    }

    /// Is there nothing in it?
    pub fn is_empty(&self) -> bool {
        self.views.is_empty()
    }
}

/// The list in force, shared by all workers: each keeps the one that it saw last, and looks at a number whether there is a
/// newer one.
#[derive(Debug, Default)]
pub struct Watchlists {
    version: AtomicU64,
    newest: Mutex<Arc<Watchlist>>,
}

impl Watchlists {
    /// Puts *list* in force.
    pub fn publish(&self, list: Watchlist) {
        *self.newest.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(list);
        self.version.fetch_add(1, Ordering::Release);
    }

    /// The newest list, if it is newer than the one of *version*.
    pub fn newer_than(&self, version: &mut u64) -> Option<Arc<Watchlist>> {
        let newest = self.version.load(Ordering::Acquire);
        if newest == *version {
            return None;
        }
        *version = newest;
        Some(Arc::clone(&self.newest.lock().unwrap_or_else(PoisonError::into_inner)))
    }
}
