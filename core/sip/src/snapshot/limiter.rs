//! A limiter with its values checked.

use std::time::Duration;

use super::SnapshotError;
use super::document::{self, KeyKind};
use crate::admit::{CALLS_MAX, Rate};
use crate::reason::Reason;
use crate::screen::Rejection;

/// The most keys of one limiter: 16 MB.
const KEYS_MAX: u32 = 1_000_000;

/// See [`document::Limiter`].
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub struct Limiter {
    pub id: String,
    pub rate: Option<Rate>,
    pub calls_max: Option<u32>,
    pub by: KeyKind,
    pub digits: Option<u8>,
    pub keys_max: usize,
    pub status: u16,
    pub retry_after_s: Option<u32>,
    /// Its limits in words.
    pub text: String,
}

impl Limiter {
    /// Are there keys, each counted for itself?
    pub fn is_keyed(&self) -> bool {
        self.by != KeyKind::All
    }

    /// The refusal of what finds no room.
    pub fn rejection(&self) -> Rejection {
        Rejection::answering(Reason::Limit, self.status).with_retry_after(self.retry_after_s)
    }
}

/// The first *digits* of a global number, with its `+`; all of it where none are given.
pub(crate) fn first_digits(number: &str, digits: Option<u8>) -> &str {
    digits.and_then(|digits| number.get(..=usize::from(digits))).unwrap_or(number)
}

pub(super) fn resolve(at: usize, limiter: document::Limiter) -> Result<Limiter, SnapshotError> {
    let fault = |key: &str, problem: String| SnapshotError::value(format!("limiters[{at}].{key}"), problem);
    if limiter.rate.is_none() && limiter.calls_max.is_none() {
        return Err(fault("rate", "neither a rate nor calls_max".to_owned()));
    }
    if let Some(rate) = limiter.rate
        && (rate.count == 0 || rate.per_ms == 0 || rate.burst == 0)
    {
        return Err(fault("rate", "counts and times are more than 0".to_owned()));
    }
    if limiter.calls_max.is_some_and(|max| max > CALLS_MAX) {
        return Err(fault("calls_max", format!("at most {CALLS_MAX}")));
    }
    if limiter.digits.is_some_and(|digits| !limiter.by.is_number() || !(1..=15).contains(&digits)) {
        return Err(fault("digits", "1 to 15, of a number".to_owned()));
    }
    if limiter.keys_max == 0 || limiter.keys_max > KEYS_MAX {
        return Err(fault("keys_max", format!("1 to {KEYS_MAX}")));
    }
    if !(400..700).contains(&limiter.status) {
        return Err(fault("status", format!("{} is not 400 to 699", limiter.status)));
    }
    let keys_max = if limiter.by == KeyKind::All { 0 } else { limiter.keys_max as usize };
    Ok(Limiter {
        text: text(&limiter),
        rate: limiter
            .rate
            .map(|rate| Rate::within(rate.count, Duration::from_millis(rate.per_ms), rate.burst)),
        id: limiter.id,
        calls_max: limiter.calls_max,
        by: limiter.by,
        digits: limiter.digits,
        keys_max,
        status: limiter.status,
        retry_after_s: limiter.retry_after_s,
    })
}

fn text(limiter: &document::Limiter) -> String {
    let rate = limiter.rate.map(|rate| {
        format!("{} in {:?}, {} at once", rate.count, Duration::from_millis(rate.per_ms), rate.burst)
    });
    let calls = limiter.calls_max.map(|max| format!("{max} calls at a time"));
    rate.into_iter().chain(calls).collect::<Vec<_>>().join("; ")
}
