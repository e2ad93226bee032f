//! Patterns of fraud and attack: what somebody does too often within a time, told from the calls that are over.
//!
//! Nothing here is on the path of a message: calls are looked at when their records are fetched ([`Detectors`]), on the thread that
//! fetches them. What comes of it is a list of keys that may not call, or not so often, for a time ([`Watchlist`]): it never
//! changes, a newer one takes its place, and a worker that has none of it looks at one number a request. No key is kept for
//! ever: windows are bounded in number and size, what was found ends at its time.

mod detector;
mod detectors;
mod watchlist;
mod window;

pub use detectors::{Detectors, HELD_MAX, HeldView, PatternView};
pub use watchlist::{View, WatchShard, Watched, Watchlist, Watchlists};
