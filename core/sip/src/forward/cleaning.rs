//! What a message may not carry is taken out of a request before anything is decided about it (SC-01).

use crate::border::{Border, Scope};
use crate::message::{HeaderIndex, Message};
use crate::parse;
use crate::rewrite::Draft;
use crate::snapshot::Agreement;

impl Border {
    /// The request without what the agreement with its sender does not let pass; `None`, and nothing done, when there is nothing of
    /// that kind in it.
    pub(super) fn cleaned(
        &mut self,
        message: &Message<'_>,
        agreement: &Agreement,
        scope: &mut Scope<'_>,
    ) -> Option<Vec<u8>> {
        let screening = agreement.screening.as_ref()?;
        let mut scratch = std::mem::take(&mut self.scratch);
        let mut draft = Draft::new(*message, &mut scratch);
        let mut bytes = None;
        if screening.clean(&mut draft, &agreement.id, &mut scope.out.trace) {
            draft.encode(bytes.get_or_insert_default());
        }
        self.scratch = scratch;
        bytes
    }
}

/// Reads what [`Border::cleaned`] wrote.
pub(super) fn parse_cleaned<'a>(bytes: &'a [u8], index: &'a mut HeaderIndex) -> Message<'a> {
    parse::parse_kept(bytes, index)
        .expect("INVARIANT: a draft of a message that was read writes one that can be read")
}
