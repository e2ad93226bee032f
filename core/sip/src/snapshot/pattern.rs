//! A pattern with its values checked.

use std::sync::Arc;
use std::time::Duration;

use super::SnapshotError;
use super::document::{self, Counted, Distinct, KeyKind};
use crate::admit::Rate;

/// The most different numbers that the windows of one pattern hold together: 80 MB.
const NUMBERS_MAX: u64 = 10_000_000;
/// The most keys of one pattern: 130 MB.
const KEYS_MAX: u32 = 1_000_000;

/// See [`document::Pattern`].
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)]
pub struct Pattern {
    pub id: String,
    pub methods: Arc<[String]>,
    pub tag: Option<Arc<str>>,
    pub counted: Vec<Counted>,
    pub distinct: Option<Distinct>,
    pub short_ms: u64,
    pub by: KeyKind,
    pub digits: Option<u8>,
    pub window_ms: u64,
    pub threshold: u32,
    pub share: u8,
    pub keys_max: usize,
    pub action: PatternAction,
    pub for_ms: u64,
    pub refused: Vec<KeyKind>,
}

/// See [`document::PatternAction`].
#[derive(Clone, Copy, Debug, PartialEq)]
#[allow(missing_docs)]
pub enum PatternAction {
    Alarm,
    Throttle { rate: Rate, status: u16 },
    Block { status: u16 },
}

impl PatternAction {
    /// Returns the name used in the configuration, in logs and metrics.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Alarm => "alarm",
            Self::Throttle { .. } => "throttle",
            Self::Block { .. } => "block",
        }
    }
}

pub(super) fn resolve(at: usize, pattern: document::Pattern) -> Result<Pattern, SnapshotError> {
    check(at, &pattern)?;
    let action = match pattern.action {
        document::PatternAction::Alarm => PatternAction::Alarm,
        document::PatternAction::Throttle { rate, status } => PatternAction::Throttle {
            rate: Rate::within(rate.count, Duration::from_millis(rate.per_ms), rate.burst),
            status,
        },
        document::PatternAction::Block { status } => PatternAction::Block { status },
    };
    Ok(Pattern {
        id: pattern.id,
        methods: pattern.methods.into(),
        tag: pattern.tag.map(Arc::from),
        counted: pattern.counted,
        distinct: pattern.distinct,
        short_ms: pattern.short_ms,
        by: pattern.by,
        digits: pattern.digits,
        window_ms: pattern.window_ms,
        threshold: pattern.threshold,
        share: pattern.share,
        keys_max: pattern.keys_max as usize,
        action,
        for_ms: pattern.for_ms,
        refused: pattern.refused,
    })
}

fn check(at: usize, pattern: &document::Pattern) -> Result<(), SnapshotError> {
    let status = match pattern.action {
        document::PatternAction::Alarm => 403,
        document::PatternAction::Throttle { status, .. } | document::PatternAction::Block { status } => {
            status
        }
    };
    let is_key = |by: KeyKind| by == KeyKind::Peer || by.is_number();
    let faults = [
        ("methods", pattern.methods.is_empty(), "at least one"),
        ("counted", pattern.counted.is_empty(), "at least one"),
        ("by", !is_key(pattern.by), "peer, calling or called"),
        (
            "digits",
            pattern.digits.is_some_and(|digits| !pattern.by.is_number() || !(1..=15).contains(&digits)),
            "1 to 15, of a number",
        ),
        ("window_ms", pattern.window_ms == 0, "more than 0"),
        ("threshold", pattern.threshold == 0, "more than 0"),
        ("share", pattern.share > 100, "0 to 100"),
        ("keys_max", pattern.keys_max == 0 || pattern.keys_max > KEYS_MAX, "1 to 1000000"),
        (
            "keys_max",
            pattern.distinct.is_some()
                && u64::from(pattern.keys_max) * u64::from(pattern.threshold) > NUMBERS_MAX,
            "with distinct, keys_max times threshold is at most 10000000",
        ),
        ("action", !(400..700).contains(&status), "a status from 400 to 699"),
        (
            "refused",
            pattern.refused.is_empty()
                || pattern.refused.iter().any(|by| by.is_number() != pattern.by.is_number() || !is_key(*by)),
            "of the kind of by",
        ),
    ];
    match faults.into_iter().find(|(_, is_wrong, _)| *is_wrong) {
        Some((key, _, problem)) => Err(SnapshotError::value(format!("patterns[{at}].{key}"), problem)),
        None => Ok(()),
    }
}
