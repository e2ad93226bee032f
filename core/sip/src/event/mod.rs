//! What the border tells the control plane: charging records, and things worth a log line or an alarm.
//!
//! What every call makes, its CDR (`cdr`) and its log line (`call_line`), is written here as the bytes that go to disk and
//! to the log. Where they go, and what number a record gets there, is the business of the control plane.

mod call_line;
mod call_record;
mod cdr;
mod json;
mod masking;
mod packed;

pub use call_line::{CallLineForm, Level, write_call_line};
pub(crate) use call_record::Ending;
pub use call_record::{Attempt, CallRecord, Neighbour, Outcome, RecordKind, ReleasedBy};
pub use cdr::{CDR_HEAD, NodeNames, write_cdr};
pub use masking::mask_numbers;
pub use packed::PackedRecord;

use serde::Serialize;

use crate::decide::{Cause, Change};
use crate::snapshot::KeyKind;

/// What became of a pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PatternChange {
    /// It was found.
    Found,
    /// It was found, and too many are held already: nothing follows.
    Full,
    /// The time of what followed is over.
    Over,
    /// An operator let it go.
    Lifted,
}

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// A call or a standalone transaction is over: exactly one for each one admitted (invariant 2). Never dropped silently.
    ///
    /// Never written as JSON of an event: its two lines say all of it.
    #[serde(skip)]
    CallFinished(PackedRecord),
    /// A message was refused before it became a call (unknown source, broken bytes, rate). Rate-limited, with a count of what was left out.
    MessageRefused {
        /// Id of the catalogue.
        reason: &'static str,
        /// The peer's id, when the source belongs to one.
        peer: Option<String>,
        /// Address of the sender.
        source: String,
        /// What was wrong and where.
        detail: String,
        /// How many more were refused since the last such event.
        suppressed: u64,
        /// When, in milliseconds since 1970.
        unix_ms: u64,
    },
    /// A target can be reached again, or cannot any more; once for each change, over all workers.
    TargetState {
        /// The peer's id.
        peer: String,
        /// The target's id.
        target: String,
        /// Which of the two.
        state: Change,
        /// What showed it.
        cause: Cause,
        /// When, in milliseconds since 1970.
        unix_ms: u64,
    },
    /// A pattern of fraud or attack was found, or what followed is over.
    PatternState {
        /// Its id.
        pattern: String,
        /// What happened.
        change: PatternChange,
        /// What follows: `alarm`, `throttle` or `block`.
        action: &'static str,
        /// Of what kind the key is.
        by: KeyKind,
        /// The number, its first digits, or the peer.
        key: String,
        /// How much was counted.
        counted: u64,
        /// Of how many calls.
        of: u64,
        /// Until when it holds, in milliseconds since 1970.
        until_ms: u64,
        /// When, in milliseconds since 1970.
        unix_ms: u64,
    },
    /// Something an operator should look at.
    Alarm {
        /// A stable name: `panic`, `token_open_failed`, `late_answer` ...
        name: &'static str,
        /// The same in words.
        detail: String,
        /// When, in milliseconds since 1970.
        unix_ms: u64,
    },
}
