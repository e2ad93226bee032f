//! Section `patterns`: what is counted of calls that are over, and what follows.

use serde::Deserialize;

use super::{KeyKind, LimiterRate};

/// A pattern: so many of some calls by one key within a time.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pattern {
    /// Stable name.
    pub id: String,
    /// Methods that it is about.
    pub methods: Vec<String>,
    /// The tag that its calls have; all calls unless set.
    #[serde(default)]
    pub tag: Option<String>,
    /// What is counted of them, one of these.
    pub counted: Vec<Counted>,
    /// Not the calls are counted, but the different numbers in them.
    #[serde(default)]
    pub distinct: Option<Distinct>,
    /// A call shorter than this is short.
    pub short_ms: u64,
    /// Whose calls are counted together.
    pub by: KeyKind,
    /// Of a number only so many of its first digits.
    #[serde(default)]
    pub digits: Option<u8>,
    /// How far it looks back.
    pub window_ms: u64,
    /// It is found when so many were counted.
    pub threshold: u32,
    /// And those were so many of a hundred.
    #[serde(default)]
    pub share: u8,
    /// So many keys have a window.
    pub keys_max: u32,
    /// What follows.
    pub action: PatternAction,
    /// For so long.
    pub for_ms: u64,
    /// What is refused: of whom it was found, or those that they call, or both.
    pub refused: Vec<KeyKind>,
}

/// What is counted of a call that is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Counted {
    /// That there was one.
    Attempts,
    /// That it was answered, and short.
    ShortCalls,
    /// That it was not answered, whoever gave up.
    Unanswered,
    /// That it was refused, by the far side or here.
    FailedCalls,
    /// How long it was answered, in seconds.
    CallSeconds,
}

/// The numbers of which different ones are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Distinct {
    /// Those that call.
    Calling,
    /// Those that are called.
    Called,
}

/// What follows when a pattern is found.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum PatternAction {
    /// It is told.
    Alarm,
    /// And calls pass no faster than this.
    Throttle {
        /// So often.
        rate: LimiterRate,
        /// Status of the refusal.
        status: u16,
    },
    /// And no call passes.
    Block {
        /// Status of the refusal.
        status: u16,
    },
}
