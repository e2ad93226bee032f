//! Option tags that may not cross (SC-18): required ones are refused, supported ones not passed on.

use crate::message::{HeaderId, Message};
use crate::reason::Reason;
use crate::rewrite::Draft;
use crate::snapshot::document::OptionScreening;

use super::{Rejection, Removed};

/// What is agreed on option tags.
#[derive(Debug)]
pub(super) struct Options {
    allow: Option<Vec<String>>,
    refuse: Vec<String>,
}

impl Options {
    pub(super) fn compile(document: &OptionScreening) -> Self {
        Self { allow: document.allow.clone(), refuse: document.refuse.clone() }
    }

    /// Refuses a request that requires what may not cross (RFC 3261 §8.2.2.3).
    pub(super) fn check(&self, message: &Message<'_>) -> Result<(), Rejection> {
        let required = message.values(HeaderId::Require).map(|value| value.value);
        let refused: Vec<&[u8]> = required.filter(|tag| !tag.is_empty() && !self.may_cross(tag)).collect();
        if refused.is_empty() {
            return Ok(());
        }
        let refused = refused.join(&b", "[..]);
        Err(Rejection::new(Reason::OptionForbidden).because(&refused).with_header("Unsupported", refused))
    }

    /// Takes the tags out of Supported, so that the far side does not require them.
    pub(super) fn clean(&self, draft: &mut Draft<'_>, removed: &mut Removed<'_>) {
        super::keep_values(draft, HeaderId::Supported, |tag| self.may_cross(tag), removed, "SC-18");
    }

    fn may_cross(&self, tag: &[u8]) -> bool {
        let has = |tags: &[String]| tags.iter().any(|known| known.as_bytes().eq_ignore_ascii_case(tag));
        !has(&self.refuse) && self.allow.as_deref().is_none_or(has)
    }
}
