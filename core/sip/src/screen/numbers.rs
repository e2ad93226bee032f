//! Forms of telephone numbers that may cross (RFC 3966; in a SIP URI with `user=phone`).

use crate::decide::{NumberKind, number_kind};
use crate::message::{HeaderId, Message, NameAddr, Uri};
use crate::reason::Reason;
use crate::snapshot::document::{NumberForm, NumberScreening};

use super::Rejection;

/// Refuses a request for the number that is called or one that calls; only the first of a dialog names those.
pub(super) fn check(agreed: NumberScreening, message: &Message<'_>) -> Result<(), Rejection> {
    if message.to().is_ok_and(|to| to.tag().is_some()) {
        return Ok(());
    }
    if message.request_uri().is_ok_and(|uri| !is_of_form(&uri, agreed.called)) {
        return Err(Rejection::new(Reason::CalledNumber));
    }
    let asserted =
        message.values(HeaderId::PAssertedIdentity).filter_map(|value| NameAddr::parse(value.value).ok());
    let is_odd = message
        .from()
        .into_iter()
        .chain(asserted)
        .any(|address| Uri::parse(address.uri).is_ok_and(|uri| !is_of_form(&uri, agreed.calling)));
    if is_odd { Err(Rejection::new(Reason::CallingNumber)) } else { Ok(()) }
}

fn is_of_form(uri: &Uri<'_>, form: NumberForm) -> bool {
    match (form, number_kind(uri)) {
        (NumberForm::Pass, _) | (_, NumberKind::Global | NumberKind::None) => true,
        (NumberForm::Global, NumberKind::Local) => false,
        // RFC 3966 §5.1.5: a local number means nothing without its context. One that begins with + is no local one.
        (NumberForm::Valid, NumberKind::Local) => {
            let is_local = uri.number().is_some_and(|number| !number.starts_with(b"+"));
            is_local && uri.number_params().value(b"phone-context").is_some_and(|context| !context.is_empty())
        }
    }
}
