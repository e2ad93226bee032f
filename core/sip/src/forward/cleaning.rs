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

    /// Hands *message* to *go_on* as [`Border::cleaned`] has it.
    pub(super) fn with_cleaned<R>(
        &mut self,
        message: &Message<'_>,
        agreement: &Agreement,
        scope: &mut Scope<'_>,
        go_on: impl FnOnce(&mut Self, &Message<'_>, &mut Scope<'_>) -> R,
    ) -> R {
        let Some(bytes) = self.cleaned(message, agreement, scope) else { return go_on(self, message, scope) };
        let mut index = HeaderIndex::default();
        let cleaned = parse::parse_kept(&bytes, &mut index)
            .expect("INVARIANT: a draft of a message that was read writes one that can be read");
        go_on(self, &cleaned, scope)
    }
}
