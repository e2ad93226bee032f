//! `parse`: no bytes make the parser panic, what it lets through keeps its shape, and a second reading finds the same.

use std::cell::RefCell;

use ibcf_sip::message::{HeaderId, HeaderIndex, Message, NameAddr, Uri, Via, elements};
use ibcf_sip::parse::{call_id_of, check, parse as parse_message};
use ibcf_sip::snapshot::Limits;

thread_local! {
    /// Kept from input to input, as a worker keeps its own.
    static INDEX: RefCell<HeaderIndex> = RefCell::default();
}

/// The target `parse`: one datagram.
pub fn parse(bytes: &[u8]) {
    INDEX.with_borrow_mut(|index| exercise(bytes, index));
}

/// Reads everything that the parser offers of *bytes*; returns whether the message is accepted.
///
/// # Panics
///
/// When the parser breaks a promise: a part outside the message, a second reading that finds something else.
pub fn exercise(bytes: &[u8], index: &mut HeaderIndex) -> bool {
    let limits = Limits::default();
    let quick = call_id_of(bytes);
    let Ok(message) = parse_message(bytes, &limits, index) else { return false };
    let verdict = check(&message, &limits);
    read_everything(&message);
    check_shape(&message, &limits);
    if let Err(fault) = verdict {
        assert!(fault.at <= bytes.len() && !fault.to_string().is_empty());
        return false;
    }
    assert_eq!(quick, message.call_id().ok(), "the quick scan and the parser take the same Call-ID");
    // What was accepted is accepted again as it would be stored, with the same parts.
    let stored = message.bytes().to_vec();
    let mut second = HeaderIndex::default();
    let again = parse_message(&stored, &limits, &mut second).expect("the same message");
    assert_eq!(check(&again, &limits), Ok(()));
    assert_eq!(
        (again.bytes(), again.body(), again.start_line()),
        (message.bytes(), message.body(), message.start_line())
    );
    assert!(again.headers().eq(message.headers()));
    true
}

fn read_everything(message: &Message<'_>) {
    let _ = (message.top_via(), message.cseq(), message.from(), message.to(), message.call_id());
    let _ = (message.max_forwards(), message.content_length(), message.status());
    if let Some(request) = message.request() {
        let _ = (
            Uri::parse(request.uri).map(|uri| (uri.host_is_ip(), uri.number(), uri.number_params())),
            request.method.as_str(),
        );
    }
    for header in message.headers() {
        for value in elements(header.value) {
            if let Ok(address) = NameAddr::parse(value) {
                let _ = (address.tag(), Uri::parse(address.uri).map(|uri| uri.params.iter().count()));
            }
            if let Ok(via) = Via::parse(value) {
                let _ = (via.branch(), via.received_ip(), via.rport(), via.maddr(), via.host_is_ip());
            }
        }
        assert_eq!(message.by_name(header.name).filter(|same| same.index == header.index).count(), 1);
        assert_eq!(message.header_at(header.index).as_ref(), Some(&header));
    }
    for id in HeaderId::ALL.iter().copied().chain([HeaderId::Other]) {
        assert_eq!(message.count(id), message.headers().filter(|header| header.id == id).count());
        assert_eq!(message.first(id), message.all(id).next());
        assert!(message.values(id).count() <= message.bytes().len());
    }
}

/// The start line, the header lines, the blank line and the body follow each other without a gap, unless there are more
/// headers than are read at all.
fn check_shape(message: &Message<'_>, limits: &Limits) {
    let mut at = message.start_line_range().end;
    for header in message.headers() {
        assert_eq!(header.line.start, at);
        at = header.line.end;
    }
    if message.header_count() == limits.headers_max {
        assert!(at <= message.headers_end());
        at = message.headers_end();
    }
    assert_eq!(at, message.headers_end());
    let rest = message.bytes().get(at..).expect("the blank line");
    assert!(
        [&b"\r\n"[..], b"\n"].iter().any(|line_end| rest.strip_prefix(*line_end) == Some(message.body()))
    );
}
