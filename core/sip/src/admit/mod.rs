//! Stage `admit`: is the sender a configured peer, and may it speak now?
//!
//! Nothing here creates state for a sender: floods and scans end in this stage. It knows addresses, rates and counts, and of
//! what it refused the keys, in a fixed number of places; it refuses to know anything that stands in a message. The limits
//! that rules ask for are counted here too, by keys that somebody else takes out of the message.

mod key_table;
mod limiter;
mod queue_delay;
mod rate;
mod refused;
mod source;

pub use key_table::CALLS_MAX;
pub use limiter::{
    LimitResult, LimiterPlace, LimiterState, LimiterStatistics, LimiterView, Limiters, NoRoom,
};
pub use queue_delay::QueueDelay;
pub use rate::{Rate, TokenBucket};
pub use refused::RefusedLately;
pub use source::SourceTable;
