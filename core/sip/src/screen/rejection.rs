//! A request refused: which reason, which answer.

use std::borrow::Cow;

use smallvec::SmallVec;

use crate::reason::Reason;

/// A refusal, as data: the answer is written elsewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejection {
    /// Why, from the catalogue.
    pub reason: Reason,
    /// SIP status to answer.
    pub status: u16,
    /// Reason phrase to answer.
    pub phrase: Cow<'static, str>,
    /// Headers that the answer must carry (Allow, Unsupported, Retry-After ...).
    pub headers: SmallVec<[(&'static str, Vec<u8>); 1]>,
    /// What of the request it was, for the trace; empty when the reason says it all.
    pub detail: String,
}

impl Rejection {
    /// Refuses with the status and phrase of the catalogue.
    pub fn new(reason: Reason) -> Self {
        let entry = reason.entry();
        Self {
            reason,
            status: entry.status,
            phrase: Cow::Borrowed(entry.phrase),
            headers: SmallVec::new(),
            detail: String::new(),
        }
    }

    /// Refuses with a status and phrase of the operator's choice (GEN-05).
    pub fn with_status(reason: Reason, status: u16, phrase: &str) -> Self {
        Self { status, phrase: Cow::Owned(phrase.to_owned()), ..Self::new(reason) }
    }

    /// Refuses with another status than the catalogue's, and the phrase that goes with it.
    pub fn answering(reason: Reason, status: u16) -> Self {
        Self { status, phrase: Cow::Borrowed(phrase(status)), ..Self::new(reason) }
    }

    /// Says how many seconds the sender should stay away, if at all (RFC 3261 §20.33).
    #[must_use]
    pub fn with_retry_after(self, seconds: Option<u32>) -> Self {
        match seconds {
            Some(seconds) => self.with_header("Retry-After", seconds.to_string().into_bytes()),
            None => self,
        }
    }

    /// Adds a header to the answer.
    #[must_use]
    pub fn with_header(mut self, name: &'static str, value: Vec<u8>) -> Self {
        self.headers.push((name, value));
        self
    }

    /// Says what of the request it was.
    #[must_use]
    pub fn because(mut self, detail: &[u8]) -> Self {
        self.detail = String::from_utf8_lossy(detail).into_owned();
        self
    }
}

/// The phrase of a status: that of a reason which has it, and else a plain one.
fn phrase(status: u16) -> &'static str {
    match status {
        480 => "Temporarily Unavailable",
        486 => "Busy Here",
        600 => "Busy Everywhere",
        603 => "Decline",
        _ => {
            let known = Reason::ALL.iter().map(|reason| reason.entry()).find(|entry| entry.status == status);
            known.map_or("Rejected", |entry| entry.phrase)
        }
    }
}
