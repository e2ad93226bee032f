//! Stage `admit`: is the sender a configured peer, and may it speak now?
//!
//! Nothing here creates state for a sender: floods and scans end in this stage. It knows addresses, rates and counts,
//! and refuses to know anything that stands in a message.

mod rate;
mod source;

pub use rate::{Rate, TokenBucket};
pub use source::SourceTable;
