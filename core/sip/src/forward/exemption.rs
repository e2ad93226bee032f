//! What passes every limit: emergency calls, and requests whose Resource-Priority the agreement with the sender authorises
//! (RFC 4412). Only a table of this node that is full stops them: its last tenth is not for priority, but for dialogs and
//! emergency calls.

use crate::border::Border;
use crate::decide::has_priority;
use crate::message::{Message, RequestLine};
use crate::snapshot::PeerIndex;

use super::request::is_initial;

/// Why a request passes every limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exemption {
    Emergency,
    Priority,
}

impl Exemption {
    /// Says it in words.
    pub(super) const fn text(self) -> &'static str {
        match self {
            Self::Emergency => "an emergency call",
            Self::Priority => "a Resource-Priority that the agreement authorises",
        }
    }

    /// Where it stands.
    pub(super) const fn clause(self) -> &'static str {
        match self {
            Self::Emergency => "TEL-20",
            Self::Priority => "RFC 4412",
        }
    }
}

impl Border {
    /// Does an initial request pass every limit?
    pub(super) fn exemption(
        &self,
        message: &Message<'_>,
        request: RequestLine<'_>,
        peer: PeerIndex,
    ) -> Option<Exemption> {
        let snapshot = &self.generation.snapshot;
        if !is_initial(message) {
            return None;
        }
        if snapshot.emergency.holds(request.uri) {
            return Some(Exemption::Emergency);
        }
        let authorised = &snapshot.agreement(peer).resource_priorities;
        (!authorised.is_empty() && has_priority(message, authorised)).then_some(Exemption::Priority)
    }
}
