//! Bytes to message: framing and the index of headers (RFC 3261 §7, §18.3), then what RFC 3261 §16.3 (1) calls a
//! reasonable syntax.
//!
//! Two steps, because a request with a fault still wants its 400. [`parse`] refuses only what can be neither answered nor
//! forwarded; [`check`] says what is wrong with the rest. Both take what they were given: no clock, no state, no copy.
//!
//! Nothing here indexes without a check, and nothing allocates once the [`HeaderIndex`] is warm (invariant 1 of the design).

#![deny(clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects)]

mod call_id;
mod check;
mod framing;
mod headers;
pub(crate) mod scan;
mod start_line;
mod trying;

pub use call_id::call_id_of;
pub use check::{Fault, check};
pub use framing::{Frame, Framer, PONG};
pub use trying::{Trying, trying_of};

use crate::message::{HeaderId, HeaderIndex, Message};
use crate::reason::Reason;
use crate::snapshot::document::Limits;

/// No message is longer, whatever the limits say: it is what a datagram can hold, and what the offsets are made for.
pub const MESSAGE_BYTES_MAX: usize = 65_535;

/// What the parser looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Expected {
    /// A request line or a status line (§7.1, §7.2).
    StartLine,
    /// `SIP/2.0` in a response.
    Version,
    /// A status code from 100 to 699 (§7.2).
    StatusCode,
    /// A blank line behind the headers (§7).
    BlankLine,
    /// A shorter message (`limits.message_bytes_max`).
    ShorterMessage,
}

impl Expected {
    /// Says it in words.
    pub const fn text(self) -> &'static str {
        match self {
            Self::StartLine => "a SIP request line or status line",
            Self::Version => "version SIP/2.0 in a response",
            Self::StatusCode => "a status code from 100 to 699",
            Self::BlankLine => "a blank line behind the headers",
            Self::ShorterMessage => "a message within limits.message_bytes_max",
        }
    }
}

/// Not a SIP message, or one that no answer can be made for: drop it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("byte {at}: expected {}", expected.text())]
pub struct ParseError {
    /// Offset in the received bytes.
    pub at: usize,
    /// What should have stood there.
    pub expected: Expected,
}

/// Finds the parts of one message in one datagram, or in one frame of a stream.
///
/// Line ends before the message are skipped (§7.5); octets behind Content-Length are not part of it (§18.3).
pub fn parse<'a>(
    bytes: &'a [u8],
    limits: &Limits,
    index: &'a mut HeaderIndex,
) -> Result<Message<'a>, ParseError> {
    if bytes.len() > limits.message_bytes_max.min(MESSAGE_BYTES_MAX) {
        index.clear();
        return Err(ParseError { at: bytes.len(), expected: Expected::ShorterMessage });
    }
    index_parts(bytes, limits, index)
}

/// Finds the parts of a message that is kept: received and found good before, or written by us.
///
/// No limit holds for it. What we add makes it longer than the request that just passed, and the limits in force then need
/// not be those of now.
pub(crate) fn parse_kept<'a>(bytes: &'a [u8], index: &'a mut HeaderIndex) -> Result<Message<'a>, ParseError> {
    let unlimited =
        Limits { headers_max: usize::MAX, header_line_bytes_max: usize::MAX, ..Limits::default() };
    index_parts(bytes, &unlimited, index)
}

fn index_parts<'a>(
    bytes: &'a [u8],
    limits: &Limits,
    index: &'a mut HeaderIndex,
) -> Result<Message<'a>, ParseError> {
    index.clear();
    let origin = bytes.iter().position(|byte| !matches!(byte, b'\r' | b'\n')).unwrap_or(bytes.len());
    let message = bytes.get(origin..).unwrap_or_default();
    index.origin = origin as u32;
    index.length = message.len() as u32;
    let within = |error: ParseError| ParseError { at: error.at.saturating_add(origin), ..error };
    start_line::index(message, index).map_err(within)?;
    headers::index(message, limits, index).map_err(within)?;
    cut_body(bytes, index);
    Ok(index.view(bytes))
}

/// Applies Content-Length to a datagram (§18.3).
fn cut_body(bytes: &[u8], index: &mut HeaderIndex) {
    if index.repeated & HeaderId::ContentLength.bit() != 0 {
        return; // which one would hold? `check` refuses the message
    }
    let Ok(Some(length)) = index.view(bytes).content_length() else { return };
    let available = (index.length.saturating_sub(index.body_start)) as usize;
    if length <= available {
        index.length = index.body_start.saturating_add(length as u32);
    } else {
        index.truncated = true;
    }
}

/// Makes the fault of a broken line.
const fn malformed(at: usize, problem: &'static str) -> Fault {
    Fault { reason: Reason::Malformed, at, header: None, problem }
}
