//! Headers that may cross (SC-05, SC-06, SC-16, SC-17, SC-19), names that look like others, and headers that stand once (SEC-12).

use crate::message::{HeaderId, Message, Method};
use crate::reason::Reason;
use crate::rewrite::Draft;
use crate::snapshot::SnapshotError;
use crate::snapshot::document::{Act, HeaderScreening};

use super::lookalikes::is_lookalike;
use super::{Rejection, Removed};

/// Never removed, and no rule may name them: what every message has and the border finds its way by (SC-04), what IMS breaks
/// without (SC-02, SC-03), and what goes with dialogs and bodies.
const FIXED: &[HeaderId] = &[
    HeaderId::Via,
    HeaderId::From,
    HeaderId::To,
    HeaderId::CallId,
    HeaderId::CSeq,
    HeaderId::MaxForwards,
    HeaderId::Route,
    HeaderId::RecordRoute,
    HeaderId::Contact,
    HeaderId::Authorization,
    HeaderId::WwwAuthenticate,
    HeaderId::Path,
    HeaderId::ServiceRoute,
    HeaderId::ContentLength,
    HeaderId::ContentType,
];

/// Stay beside the agreed ones: without them a method means nothing or something else (the `m` of RFC 3261 table 2 and of the
/// RFCs behind it), a challenge cannot be answered, a body cannot be read, or what somebody hides comes to light.
const NEEDED: &[HeaderId] = &[
    HeaderId::ContentDisposition,
    HeaderId::ContentEncoding,
    HeaderId::ContentId,
    HeaderId::ContentLanguage,
    HeaderId::Event,
    HeaderId::Expires,
    HeaderId::InfoPackage,
    HeaderId::MaxBreadth,
    HeaderId::MimeVersion,
    HeaderId::MinExpires,
    HeaderId::MinSe,
    HeaderId::Privacy,
    HeaderId::ProxyAuthenticate,
    HeaderId::ProxyAuthorization,
    HeaderId::ProxyRequire,
    HeaderId::RAck,
    HeaderId::RecvInfo,
    HeaderId::ReferTo,
    HeaderId::Require,
    HeaderId::RetryAfter,
    HeaderId::RSeq,
    HeaderId::SessionExpires,
    HeaderId::SipEtag,
    HeaderId::SipIfMatch,
    HeaderId::SubscriptionState,
    HeaderId::Unsupported,
];

/// Headers that stand once, beside those that the parser counts already; a compact and a long form are two.
const ONCE: &[HeaderId] = &[
    HeaderId::ContentDisposition,
    HeaderId::ContentId,
    HeaderId::ContentType,
    HeaderId::Date,
    HeaderId::Event,
    HeaderId::Expires,
    HeaderId::MaxBreadth,
    HeaderId::MimeVersion,
    HeaderId::MinExpires,
    HeaderId::MinSe,
    HeaderId::Organization,
    HeaderId::PChargingFunctionAddresses,
    HeaderId::PChargingVector,
    HeaderId::Priority,
    HeaderId::RAck,
    HeaderId::ReferSub,
    HeaderId::ReferTo,
    HeaderId::ReferredBy,
    HeaderId::Replaces,
    HeaderId::RetryAfter,
    HeaderId::RSeq,
    HeaderId::Server,
    HeaderId::SessionExpires,
    HeaderId::SipEtag,
    HeaderId::SipIfMatch,
    HeaderId::Subject,
    HeaderId::SubscriptionState,
    HeaderId::TargetDialog,
    HeaderId::Timestamp,
    HeaderId::UserAgent,
];

#[allow(clippy::indexing_slicing)] // runs at build time
const fn bits(ids: &[HeaderId]) -> u128 {
    let mut bits = 0;
    let mut at = 0;
    while at < ids.len() {
        bits |= ids[at].bit();
        at += 1;
    }
    bits
}

const FIXED_BITS: u128 = bits(FIXED);
const NEEDED_BITS: u128 = bits(NEEDED);
const ONCE_BITS: u128 = bits(ONCE);

/// A set of names, known and other ones.
#[derive(Debug, Default)]
struct Names {
    ids: u128,
    others: Vec<String>,
}

impl Names {
    fn of(names: &[String]) -> Self {
        let mut found = Self::default();
        for name in names {
            match HeaderId::from_name(name.as_bytes()) {
                HeaderId::Other => found.others.push(name.clone()),
                id => found.ids |= id.bit(),
            }
        }
        found
    }

    fn has(&self, id: HeaderId, name: &[u8]) -> bool {
        match id {
            HeaderId::Other => self.others.iter().any(|other| other.as_bytes().eq_ignore_ascii_case(name)),
            _ => self.ids & id.bit() != 0,
        }
    }

    /// The ids that a header of the set may have.
    fn bits(&self) -> u128 {
        if self.others.is_empty() { self.ids } else { self.ids | HeaderId::Other.bit() }
    }
}

/// What is agreed on headers.
#[derive(Debug)]
pub(super) struct Headers {
    allow: Option<Names>,
    otherwise: Act,
    remove: Names,
    refuse: Names,
    lookalikes: Act,
    repeated: Act,
    /// Ids of headers that need a look; those of all others pass.
    watched: u128,
}

impl Headers {
    pub(super) fn compile(document: &HeaderScreening, place: &str) -> Result<Self, SnapshotError> {
        for (key, names) in [("remove", &document.remove), ("refuse", &document.refuse)] {
            let fixed = names.iter().find(|name| {
                let id = HeaderId::from_name(name.as_bytes());
                id.bit() & FIXED_BITS != 0
            });
            if let Some(name) = fixed {
                let problem = format!("{name} cannot be screened: SIP or IMS would break without it");
                return Err(SnapshotError::value(format!("{place}.{key}"), problem));
            }
        }
        let (remove, refuse) = (Names::of(&document.remove), Names::of(&document.refuse));
        let allow = document.allow.as_deref().map(Names::of);
        let not_agreed = allow.as_ref().map_or(0, |allow| !(allow.ids | FIXED_BITS | NEEDED_BITS));
        let strange = if document.lookalikes == Act::Pass { 0 } else { HeaderId::Other.bit() };
        Ok(Self {
            otherwise: document.otherwise,
            lookalikes: document.lookalikes,
            repeated: document.repeated,
            watched: remove.bits() | refuse.bits() | not_agreed | strange,
            allow,
            remove,
            refuse,
        })
    }

    /// Refuses a request for one of its headers.
    pub(super) fn check(&self, message: &Message<'_>, method: Method<'_>) -> Result<(), Rejection> {
        if message.index().present & self.watched != 0 {
            for header in message.headers().filter(|header| header.id.bit() & self.watched != 0) {
                if let Some((Act::Refuse, reason)) = self.judge(header.id, header.name) {
                    return Err(Rejection::new(reason).because(header.name));
                }
            }
        }
        if self.repeated != Act::Refuse {
            return Ok(());
        }
        if message.index().repeated & ONCE_BITS != 0
            && let Some(id) = ONCE.iter().find(|id| message.index().repeated & id.bit() != 0)
        {
            return Err(Rejection::new(Reason::HeaderRepeated).because(id.name().as_bytes()));
        }
        if sets_remote_target(method) && message.values(HeaderId::Contact).nth(1).is_some() {
            return Err(Rejection::new(Reason::HeaderRepeated).because(HeaderId::Contact.name().as_bytes()));
        }
        Ok(())
    }

    /// Takes out of a message what may not stand in it, and says what that was.
    pub(super) fn clean(&self, draft: &mut Draft<'_>, removed: &mut Removed<'_>) {
        self.leave_out(draft, removed);
        if self.repeated != Act::Pass {
            let mut seen = 0_u128;
            draft.retain(ONCE_BITS, |header| {
                let is_first = seen & header.id.bit() == 0;
                seen |= header.id.bit();
                if !is_first {
                    removed.header(header.name, "SEC-12");
                }
                is_first
            });
        }
    }

    /// The same for the names alone: what goes to the peer need not be any more than what comes from it (SC-06).
    pub(super) fn leave_out(&self, draft: &mut Draft<'_>, removed: &mut Removed<'_>) {
        draft.retain(self.watched, |header| {
            let judged = self.judge(header.id, header.name);
            if let Some((_, reason)) = judged {
                removed.header(header.name, reason.entry().clause);
            }
            judged.is_none()
        });
    }

    /// What is to be done about a header, and why; `None` for one that may stand.
    fn judge(&self, id: HeaderId, name: &[u8]) -> Option<(Act, Reason)> {
        if self.refuse.has(id, name) {
            return Some((Act::Refuse, Reason::Header));
        }
        if self.remove.has(id, name) {
            return Some((Act::Remove, Reason::Header));
        }
        if id == HeaderId::Other && self.lookalikes != Act::Pass && is_lookalike(name) {
            return Some((self.lookalikes, Reason::HeaderLookalike));
        }
        let allow = self.allow.as_ref()?;
        let is_agreed = id.bit() & (FIXED_BITS | NEEDED_BITS) != 0 || allow.has(id, name);
        (!is_agreed).then_some((self.otherwise, Reason::Header))
    }
}

/// Requests whose Contact says where later ones go: exactly one (RFC 3261 §8.1.1.8, §12.1.1).
const fn sets_remote_target(method: Method<'_>) -> bool {
    matches!(method, Method::Invite | Method::Update | Method::Subscribe | Method::Notify | Method::Refer)
}
