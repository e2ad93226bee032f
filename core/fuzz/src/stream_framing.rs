//! `stream_framing`: however a stream is cut, the same messages come out of it, none is longer than it may be, nothing more
//! than one message is kept, and the parser ends a message where the framer did.
//!
//! The first byte chooses the limit, the next two how the rest, which is the stream, is cut.

use ibcf_sip::message::HeaderIndex;
use ibcf_sip::parse::{Frame, Framer, check, parse};
use ibcf_sip::snapshot::Limits;

use crate::bytes::Bytes;

/// What came out of a stream, owned.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Got {
    Message(Vec<u8>),
    Ping,
    Broken(Vec<u8>, String),
    /// The stream ended inside a body.
    Ended(Vec<u8>, String),
}

/// The target `stream_framing`.
///
/// # Panics
///
/// When two ways to cut the stream lead to different messages, or the framer keeps too much.
pub fn stream_framing(bytes: &[u8]) {
    let mut bytes = Bytes(bytes);
    let message_bytes_max = *bytes.choose(&[65_535, 1_000, 120]);
    let limits = Limits { message_bytes_max, ..Limits::default() };
    let seed = bytes.number();
    let stream = bytes.0;
    let whole = frames([stream], &limits);
    assert_eq!(frames(stream.chunks(1), &limits), whole, "byte by byte");
    assert_eq!(frames(pieces(stream, seed), &limits), whole, "cut by {seed}");
    for got in &whole {
        if let Got::Message(message) = got {
            assert_one_message(message, &limits);
        }
    }
}

/// Cuts *stream* at places that *seed* tells.
fn pieces(mut stream: &[u8], seed: u16) -> Vec<&[u8]> {
    let mut random = u32::from(seed).wrapping_mul(2_654_435_761) | 1;
    let mut pieces = Vec::new();
    while !stream.is_empty() {
        random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let longest = if seed % 2 == 0 { 7 } else { 90 };
        let (piece, rest) = stream.split_at((random >> 16) as usize % longest.min(stream.len()) + 1);
        pieces.push(piece);
        stream = rest;
    }
    pieces
}

fn frames<'p>(pieces: impl IntoIterator<Item = &'p [u8]>, limits: &Limits) -> Vec<Got> {
    let mut framer = Framer::default();
    let mut got = Vec::new();
    for piece in pieces {
        let mut input = piece;
        while let Some(frame) = framer.next(&mut input, limits) {
            assert!(!matches!(got.last(), Some(Got::Broken(..))), "something comes out of a broken stream");
            got.push(match frame {
                Frame::Message(bytes) => Got::Message(bytes.to_vec()),
                Frame::Ping => Got::Ping,
                Frame::Broken { head, fault } => Got::Broken(head.to_vec(), fault.to_string()),
            });
        }
        assert!(input.is_empty(), "all of a piece is used");
        assert!(
            framer.kept_bytes() <= limits.message_bytes_max + 3,
            "{} bytes are kept",
            framer.kept_bytes()
        );
    }
    if let Some(Frame::Broken { head, fault }) = framer.end() {
        got.push(Got::Ended(head.to_vec(), fault.to_string()));
    }
    got
}

/// A message that may go on ends for the parser where it ended for the framer: else its rest would be a message to one of
/// them only (SEC-12).
fn assert_one_message(bytes: &[u8], limits: &Limits) {
    assert!(bytes.len() <= limits.message_bytes_max);
    let mut index = HeaderIndex::default();
    let Ok(message) = parse(bytes, limits, &mut index) else { return };
    if check(&message, limits).is_ok() {
        assert_eq!(message.bytes().len(), bytes.len(), "{}", String::from_utf8_lossy(bytes));
    }
}
