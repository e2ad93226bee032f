//! What must be right before a message may go on: "reasonable syntax" of RFC 3261 §16.3 (1), and no more than that.
//!
//! Looked at are the parts that this border uses or that two readers could read differently (SEC-12). What it does not use
//! passes unchanged, however odd: §16.3 (1) asks for well-formed components only where a later step needs them.

use super::malformed;
use crate::message::{
    CSeq, HeaderError, HeaderId, HeaderProblem, Message, NameAddr, RequestLine, SyntaxError, Uri, UriKind,
    has_scheme,
};
use crate::reason::Reason;
use crate::snapshot::document::Limits;

/// Headers that stand once (SEC-12); a compact and a long form are two.
const ONCE: [HeaderId; 6] = [
    HeaderId::CallId,
    HeaderId::CSeq,
    HeaderId::From,
    HeaderId::To,
    HeaderId::ContentLength,
    HeaderId::MaxForwards,
];

#[allow(clippy::indexing_slicing, clippy::arithmetic_side_effects)] // runs at build time
const ONCE_BITS: u128 = {
    let mut bits = 0;
    let mut at = 0;
    while at < ONCE.len() {
        bits |= ONCE[at].bit();
        at += 1;
    }
    bits
};

/// Why a message cannot go on. A request is answered with the status of `reason`; a response is dropped (§18.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("byte {at}: {}{}{problem}", header.map_or("", HeaderId::name), if header.is_some() { ": " } else { "" })]
pub struct Fault {
    /// `Malformed` (400), `BadVersion` (505) or `TooLarge` (513).
    pub reason: Reason,
    /// Offset in the message.
    pub at: usize,
    /// The header, if it is the fault of one.
    pub header: Option<HeaderId>,
    /// What is wrong, in words.
    pub problem: &'static str,
}

/// Looks at one message in this order: version, form of the lines and limits, mandatory headers and repeated ones, each
/// header that we use, the Request-URI and the Route set, the body's length.
pub fn check(message: &Message<'_>, limits: &Limits) -> Result<(), Fault> {
    if let Some(fault) = message.index().fault {
        return Err(fault);
    }
    check_repeated(message)?;
    message.top_via().map_err(at_header(message))?;
    check_address(message, HeaderId::From)?;
    check_address(message, HeaderId::To)?;
    message.call_id().map_err(at_header(message))?;
    let cseq = message.cseq().map_err(at_header(message))?;
    message.max_forwards().map_err(at_header(message))?;
    check_content_length(message)?;
    check_count(message, HeaderId::Via, limits.vias_max, "more values than limits.vias_max")?;
    match message.request() {
        Some(request) => check_request(message, limits, &request, &cseq),
        None => Ok(()),
    }
}

fn check_repeated(message: &Message<'_>) -> Result<(), Fault> {
    if message.index().repeated & ONCE_BITS == 0 {
        return Ok(());
    }
    for id in ONCE {
        if let Some(second) = message.all(id).nth(1) {
            return Err(Fault { header: Some(id), ..malformed(second.line.start, "stands more than once") });
        }
    }
    Ok(())
}

fn check_address(message: &Message<'_>, id: HeaderId) -> Result<(), Fault> {
    let address =
        if id == HeaderId::From { message.from() } else { message.to() }.map_err(at_header(message))?;
    if has_scheme(address.uri) { Ok(()) } else { Err(fault_of(message, id, "the address has no scheme")) }
}

fn check_content_length(message: &Message<'_>) -> Result<(), Fault> {
    message.content_length().map_err(at_header(message))?;
    if message.index().truncated {
        return Err(fault_of(message, HeaderId::ContentLength, "the body is shorter than Content-Length"));
    }
    Ok(())
}

fn check_count(message: &Message<'_>, id: HeaderId, max: usize, problem: &'static str) -> Result<(), Fault> {
    // As many values as lines and commas at most; they are only told apart when those are many.
    let commas = |value: &[u8]| match memchr::memchr(b',', value) {
        Some(_) => memchr::memchr_iter(b',', value).count(),
        None => 0, // nearly always, and counting costs twice as much as looking
    };
    let bound: usize = message.all(id).map(|header| commas(header.value).saturating_add(1)).sum();
    if bound <= max || message.values(id).nth(max).is_none() {
        return Ok(());
    }
    Err(Fault { reason: Reason::TooLarge, ..fault_of(message, id, problem) })
}

fn check_request(
    message: &Message<'_>,
    limits: &Limits,
    request: &RequestLine<'_>,
    cseq: &CSeq<'_>,
) -> Result<(), Fault> {
    if cseq.method != request.method {
        return Err(fault_of(message, HeaderId::CSeq, "the method is not that of the request"));
    }
    let uri_at = request.method.as_bytes().len().saturating_add(1);
    if request.uri.len() > limits.uri_bytes_max {
        let problem = "the Request-URI is longer than limits.uri_bytes_max";
        return Err(Fault { reason: Reason::TooLarge, ..malformed(uri_at, problem) });
    }
    let uri = message.request_uri().map_err(|SyntaxError(problem)| malformed(uri_at, problem))?;
    if uri.headers.is_some() {
        // §19.1.1 table 1: not allowed in a Request-URI; taking them for headers would let the sender forge any.
        return Err(malformed(uri_at, "the Request-URI carries headers"));
    }
    for id in [HeaderId::Route, HeaderId::RecordRoute] {
        check_count(message, id, limits.routes_max, "more values than limits.routes_max")?;
        for value in message.values(id) {
            check_hop(value.value)
                .map_err(|SyntaxError(problem)| fault_at(message, value.header, id, problem))?;
        }
    }
    Ok(())
}

/// Route and Record-Route hold addresses in brackets (§20.30, §20.34), and we take a Route apart to follow it.
fn check_hop(value: &[u8]) -> Result<(), SyntaxError> {
    let address = NameAddr::parse(value)?;
    if !address.bracketed {
        return Err(SyntaxError("a route needs angle brackets around its URI"));
    }
    let uri = Uri::parse(address.uri)?;
    if uri.kind == UriKind::Tel { Err(SyntaxError("a route cannot be a telephone number")) } else { Ok(()) }
}

fn at_header<'a>(message: &'a Message<'_>) -> impl Fn(HeaderError) -> Fault + 'a {
    move |error| match error.problem {
        HeaderProblem::Missing => {
            Fault { header: Some(error.id), ..malformed(message.headers_end(), error.text) }
        }
        HeaderProblem::Malformed => fault_of(message, error.id, error.text),
    }
}

fn fault_of(message: &Message<'_>, id: HeaderId, problem: &'static str) -> Fault {
    let at = message.first(id).map_or(0, |header| header.line.start);
    Fault { header: Some(id), ..malformed(at, problem) }
}

fn fault_at(message: &Message<'_>, header: usize, id: HeaderId, problem: &'static str) -> Fault {
    let at = message.header_at(header).map_or(0, |header| header.line.start);
    Fault { header: Some(id), ..malformed(at, problem) }
}
