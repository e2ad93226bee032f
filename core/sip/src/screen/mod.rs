//! Stage `screen`: may this request cross? (RFC 3261 §16.3, TS 24.229 §5.10.6, TS 29.165)
//!
//! Looks at one message and the agreement with its sender, and keeps nothing. What is refused is refused here; what is taken
//! out of a message ([`Screening`]) is taken out of the draft that it is given.

mod addresses;
mod bodies;
mod headers;
mod identity;
mod lookalikes;
mod numbers;
mod options;
mod rejection;
mod screening;

pub use rejection::Rejection;
pub use screening::Screening;
use screening::{Removed, keep_values};

use crate::message::{HeaderId, Message, RequestLine, UriKind};
use crate::parse::scan;
use crate::reason::Reason;
use crate::rewrite;
use crate::snapshot::Agreement;

/// What a check gets to see.
#[derive(Clone, Copy, Debug)]
pub struct Screened<'a> {
    /// The request.
    pub message: &'a Message<'a>,
    /// Its first line.
    pub request: RequestLine<'a>,
    /// The agreement with the peer that sent it.
    pub agreement: &'a Agreement,
    /// The topmost Route value carried the `orig` parameter.
    pub has_orig: bool,
    /// An OPTIONS that this border answers itself.
    pub is_for_us: bool,
}

type Check = fn(&Screened<'_>) -> Result<(), Rejection>;

/// The checks in the order of RFC 3261 §16.3, then those of the agreement.
const CHECKS: &[Check] = &[
    uri_scheme,
    max_forwards,
    max_breadth,
    proxy_require,
    method,
    untrusted_orig,
    body_size,
    header_size,
    session_interval,
    contents,
];

/// Runs all checks; the first that fails decides.
pub fn check(screened: &Screened<'_>) -> Result<(), Rejection> {
    CHECKS.iter().try_for_each(|check| check(screened))
}

fn uri_scheme(screened: &Screened<'_>) -> Result<(), Rejection> {
    let uri = screened.message.request_uri().map_err(|_| Rejection::new(Reason::Malformed))?;
    match uri.kind {
        UriKind::Other => Err(Rejection::new(Reason::UriScheme)),
        // SEC-31: headers in a Request-URI would become headers of the message at a careless next hop.
        _ if uri.headers.is_some() => Err(Rejection::new(Reason::Malformed)),
        _ => Ok(()),
    }
}

/// A missing header is no error: forwarding inserts 70 (GEN-11).
fn max_forwards(screened: &Screened<'_>) -> Result<(), Rejection> {
    match screened.message.max_forwards() {
        // It may be answered where it is at its end (RFC 3261 §16.3 (3)).
        Ok(Some(0)) if screened.is_for_us => Ok(()),
        Ok(Some(0)) => Err(Rejection::new(Reason::TooManyHops)),
        Ok(_) => Ok(()),
        Err(_) => Err(Rejection::new(Reason::Malformed)),
    }
}

/// RFC 5393 §5: with nothing left to spend, not even one branch may be open.
fn max_breadth(screened: &Screened<'_>) -> Result<(), Rejection> {
    let header = screened.message.first(HeaderId::MaxBreadth);
    let is_spent = header.is_some_and(|header| scan::number(header.value) == Some(0));
    if is_spent { Err(Rejection::new(Reason::MaxBreadth)) } else { Ok(()) }
}

/// RFC 4028 §8.1: only a caller that knows the timer can do something with a 422; for others the interval is raised.
fn session_interval(screened: &Screened<'_>) -> Result<(), Rejection> {
    let Some(timer) = screened.agreement.session_timer else { return Ok(()) };
    if !rewrite::is_session_refresh(screened.request.method)
        || !rewrite::is_too_short(screened.message, timer)
    {
        return Ok(());
    }
    Err(Rejection::new(Reason::SessionInterval).with_header("Min-SE", timer.min_s.to_string().into_bytes()))
}

/// Require is left to the far user agent (SC-18).
fn proxy_require(screened: &Screened<'_>) -> Result<(), Rejection> {
    let agreed = &screened.agreement.option_tags;
    let is_agreed = |tag: &[u8]| agreed.iter().any(|known| known.as_bytes().eq_ignore_ascii_case(tag));
    let refused: Vec<&[u8]> = screened
        .message
        .values(HeaderId::ProxyRequire)
        .map(|value| value.value)
        .filter(|tag| !tag.is_empty() && !is_agreed(tag))
        .collect();
    if refused.is_empty() {
        return Ok(());
    }
    Err(Rejection::new(Reason::OptionTag).with_header("Unsupported", refused.join(&b", "[..])))
}

fn method(screened: &Screened<'_>) -> Result<(), Rejection> {
    let method = screened.request.method.as_bytes();
    if screened.agreement.methods.iter().any(|agreed| agreed.as_bytes() == method) {
        return Ok(());
    }
    Err(Rejection::new(Reason::Method).with_header("Allow", screened.agreement.allow.clone().into_bytes()))
}

/// EN-13: only our own side may ask for originating services.
fn untrusted_orig(screened: &Screened<'_>) -> Result<(), Rejection> {
    if screened.has_orig && !screened.agreement.trusted {
        return Err(Rejection::new(Reason::UntrustedOrig));
    }
    Ok(())
}

fn body_size(screened: &Screened<'_>) -> Result<(), Rejection> {
    let max = screened.agreement.body_bytes_max.unwrap_or(usize::MAX);
    let screening = screened.agreement.screening.as_ref();
    if screened.message.body().len() <= max
        || screening.is_some_and(|screening| screening.removes_oversized())
    {
        return Ok(());
    }
    Err(Rejection::new(Reason::BodySize))
}

fn header_size(screened: &Screened<'_>) -> Result<(), Rejection> {
    let max = screened.agreement.header_bytes_max.unwrap_or(usize::MAX);
    if screened.message.headers_end() > max { Err(Rejection::new(Reason::HeaderSize)) } else { Ok(()) }
}

/// What is agreed on the contents of messages (TS 24.229 §5.10.6).
fn contents(screened: &Screened<'_>) -> Result<(), Rejection> {
    screened.agreement.screening.as_ref().map_or(Ok(()), |screening| screening.check(screened))
}
