//! Merged requests (RFC 3261 §8.2.2.2): one request that a fork before us sent here twice, over different paths.
//!
//! The one that comes second is answered 482 while the first waits for its final response: two calls to one callee would
//! ring and be charged twice. It must be for the same Request-URI, for a fork to two numbers is none of it (both cross the
//! border, with one Call-ID), and without a Via of ours, for what passed here before comes back in a spiral. INVITEs of an
//! overlap dialling (RFC 3578) differ in `CSeq`, so they pass.

use std::num::NonZeroU64;

use crate::border::Border;
use crate::message::Message;
use crate::reason::Reason;
use crate::screen::Rejection;
use crate::transaction::SlotId;

use super::RequestContext;

impl Border {
    /// Notes an initial request that came here on its first way, or refuses it as one that is here already.
    pub(super) fn note_arrival(
        &mut self,
        id: SlotId,
        context: &mut RequestContext,
        message: &Message<'_>,
    ) -> Result<(), Rejection> {
        let Some(key) = self.merge_key(message) else { return Ok(()) };
        if self.arrivals.get(&key).is_some_and(|first| *first != id) {
            return Err(Rejection::new(Reason::Merged));
        }
        self.arrivals.insert(key, id);
        context.merge_key = Some(key);
        Ok(())
    }

    /// The request has its final response.
    pub(crate) fn forget_arrival(&mut self, context: &mut RequestContext) {
        if let Some(key) = context.merge_key.take() {
            self.arrivals.remove(&key);
        }
    }

    fn merge_key(&self, message: &Message<'_>) -> Option<NonZeroU64> {
        let cseq = message.cseq().ok()?;
        let number = cseq.number.to_be_bytes();
        let from = message.from().ok()?.tag()?;
        let (uri, call_id) = (message.request()?.uri, message.call_id().ok()?);
        let parts: [&[u8]; 6] = [b"merged", call_id, from, &number, cseq.method.as_bytes(), uri];
        NonZeroU64::new(self.hasher.hash128(&parts) as u64)
    }

    /// By what a target is chosen: the same for all INVITEs of an overlap dialling, which must meet at one next hop.
    pub(super) fn call_hash(&self, message: &Message<'_>) -> u64 {
        let from = message.from().ok().and_then(|from| from.tag()).unwrap_or_default();
        self.hasher.hash128(&[b"call", message.call_id().unwrap_or_default(), from]) as u64
    }
}
