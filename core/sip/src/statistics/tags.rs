//! Calls that rules tagged, by tag: for the life of the process, like what is counted for peers.

use std::sync::{Arc, Mutex, PoisonError};

use super::Counter;
use super::family::{Builder, Family, Kind};

/// One tag.
#[derive(Debug)]
pub struct TagStatistics {
    name: String,
    shards: Box<[Counter]>,
}

impl TagStatistics {
    /// Counts a request that got the tag.
    pub fn count(&self, worker: usize) {
        self.shards[worker].add(1);
    }
}

/// All tags there ever were.
#[derive(Debug, Default)]
pub(super) struct Tags(Mutex<Vec<Arc<TagStatistics>>>);

impl Tags {
    /// The statistics of the tag *name*, made when they are first asked for.
    pub(super) fn get(&self, name: &str, workers: usize) -> Arc<TagStatistics> {
        let mut tags = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = tags.iter().find(|tag| tag.name == name) {
            return Arc::clone(found);
        }
        let shards = (0..workers).map(|_| Counter::default()).collect();
        let made = Arc::new(TagStatistics { name: name.to_owned(), shards });
        tags.push(Arc::clone(&made));
        made
    }

    pub(super) fn family(&self) -> Family {
        let mut family = Builder::new(
            "ibcf_calls_tagged_total",
            Kind::Counter,
            "Requests that a rule of the policy tagged, by tag.",
            &["tag"],
        );
        for tag in self.0.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            family.add(&[&tag.name], tag.shards.iter().map(Counter::get).sum());
        }
        family.0
    }
}
