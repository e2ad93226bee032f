//! Section `limiters`: how many requests and calls rules let pass.

use serde::{Deserialize, Serialize};

/// A limit that rules name.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limiter {
    /// Stable name.
    pub id: String,
    /// So many requests.
    #[serde(default)]
    pub rate: Option<LimiterRate>,
    /// So many calls at a time.
    #[serde(default)]
    pub calls_max: Option<u32>,
    /// What is counted together.
    #[serde(default)]
    pub by: KeyKind,
    /// Of a number only so many of its first digits.
    #[serde(default)]
    pub digits: Option<u8>,
    /// So many keys have a place of their own.
    #[serde(default = "keys_default")]
    pub keys_max: u32,
    /// Status of the refusal.
    #[serde(default = "status_default")]
    pub status: u16,
    /// So many seconds the sender should stay away (RFC 3261 §20.33).
    #[serde(default)]
    pub retry_after_s: Option<u32>,
}

/// A rate that holds in the long run.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LimiterRate {
    /// So many.
    pub count: u32,
    /// In so long.
    pub per_ms: u64,
    /// So many at once.
    pub burst: u32,
}

/// What is counted together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyKind {
    /// All there is.
    #[default]
    All,
    /// What one peer sends.
    Peer,
    /// What comes from one address.
    Source,
    /// What one number, or the numbers with the same first digits, call.
    Calling,
    /// What calls one number, or the numbers with the same first digits.
    Called,
}

impl KeyKind {
    /// Returns the name used in the configuration, in logs and traces.
    pub const fn name(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Peer => "peer",
            Self::Source => "source",
            Self::Calling => "calling",
            Self::Called => "called",
        }
    }

    /// Is it a number?
    pub const fn is_number(self) -> bool {
        matches!(self, Self::Calling | Self::Called)
    }
}

fn keys_default() -> u32 {
    10_000
}

fn status_default() -> u16 {
    503
}
