//! How a rule, or a hook, refuses a request.

use crate::reason::Reason;
use crate::screen::Rejection;
use crate::snapshot::document;

/// Characters of a phrase.
const PHRASE_CHARS_MAX: usize = 100;
/// A day.
const RETRY_AFTER_S_MAX: u32 = 86_400;

/// How a request is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Why, from the catalogue.
    pub reason: Reason,
    /// Status to answer.
    pub status: u16,
    /// Its phrase.
    pub phrase: String,
    /// How many seconds the sender should stay away.
    pub retry_after_s: Option<u32>,
}

impl Refusal {
    /// Refuses as the catalogue says.
    pub(super) fn of(reason: Reason) -> Self {
        let entry = reason.entry();
        Self { reason, status: entry.status, phrase: entry.phrase.to_owned(), retry_after_s: None }
    }

    /// Looks at what somebody wrote; the error has the key and what is wrong with it.
    pub(crate) fn compile(written: &document::Refusal) -> Result<Self, (&'static str, String)> {
        let name = &written.reason;
        let reason = Reason::from_id(name)
            .ok_or_else(|| ("reason", format!("\"{name}\" is no reason of the catalogue")))?;
        let mut refusal = Self { retry_after_s: written.retry_after_s, ..Self::of(reason) };
        refusal.status = written.status.unwrap_or(refusal.status);
        if !(400..700).contains(&refusal.status) {
            return Err(("status", format!("status {} is not 400 to 699", refusal.status)));
        }
        if let Some(phrase) = &written.phrase {
            phrase.clone_into(&mut refusal.phrase);
        }
        let length = refusal.phrase.chars().count();
        if refusal.phrase.chars().any(char::is_control) || !(1..=PHRASE_CHARS_MAX).contains(&length) {
            let problem = format!(
                "the phrase is not a line of 1 to {PHRASE_CHARS_MAX} characters without control characters"
            );
            return Err(("phrase", problem));
        }
        if refusal.retry_after_s.is_some_and(|seconds| !(1..=RETRY_AFTER_S_MAX).contains(&seconds)) {
            return Err(("retry_after_s", "retry_after is not 1 second to 1 day".to_owned()));
        }
        Ok(refusal)
    }

    /// Returns what is answered.
    pub fn rejection(&self) -> Rejection {
        Rejection::with_status(self.reason, self.status, &self.phrase).with_retry_after(self.retry_after_s)
    }
}
