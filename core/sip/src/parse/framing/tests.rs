//! Streams of every kind, cut at every place.

#![allow(clippy::indexing_slicing, clippy::arithmetic_side_effects)] // a test may panic

use super::*;
use crate::message::HeaderIndex;
use crate::parse::{check, parse};

/// What a stream led to, owned.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Got {
    Message(Vec<u8>),
    Ping,
    Broken(Vec<u8>, Reason, &'static str),
}

fn limits(message_bytes_max: usize) -> Limits {
    Limits { message_bytes_max, ..Limits::default() }
}

fn feed<'p>(pieces: impl IntoIterator<Item = &'p [u8]>, limits: &Limits) -> (Framer, Vec<Got>) {
    let mut framer = Framer::default();
    let mut got = Vec::new();
    for piece in pieces {
        let mut input = piece;
        while let Some(frame) = framer.next(&mut input, limits) {
            got.push(match frame {
                Frame::Message(bytes) => Got::Message(bytes.to_vec()),
                Frame::Ping => Got::Ping,
                Frame::Broken { head, fault } => Got::Broken(head.to_vec(), fault.reason, fault.problem),
            });
        }
        assert!(input.is_empty(), "all of a piece is used");
        assert!(framer.kept.len() <= limits.message_bytes_max + 2, "{} bytes kept", framer.kept.len());
        assert!(framer.kept.capacity() <= limits.message_bytes_max + 3);
    }
    (framer, got)
}

/// What *stream* leads to, however it is cut: whole, in three at any two places, byte by byte.
fn frames(stream: &[u8], limits: &Limits) -> Vec<Got> {
    let (_, whole) = feed([stream], limits);
    assert_eq!(feed(stream.chunks(1), limits).1, whole, "byte by byte");
    for first in 0..=stream.len() {
        for second in first..=stream.len().min(first + 40) {
            let pieces = [&stream[..first], &stream[first..second], &stream[second..]];
            assert_eq!(feed(pieces, limits).1, whole, "cut at {first} and {second}");
        }
    }
    whole
}

fn message(bytes: &[u8]) -> Got {
    Got::Message(bytes.to_vec())
}

const OPTIONS: &[u8] = b"OPTIONS sip:b SIP/2.0\r\nVia: SIP/2.0/TCP a\r\nContent-Length: 0\r\n\r\n";
const WITH_BODY: &[u8] = b"MESSAGE sip:b SIP/2.0\r\nl : 12 \r\nX: y\r\n\r\nOne\r\n\r\ntwo\r\n";
const RINGING: &[u8] = b"SIP/2.0 180 Ringing\r\nX: a\r\n b\r\nCONTENT-length:\t007\r\n\r\n1234567";

#[test]
fn messages_come_out_as_they_went_in_wherever_the_stream_is_cut() {
    let stream = [OPTIONS, WITH_BODY, OPTIONS, RINGING].concat();
    let expected = [message(OPTIONS), message(WITH_BODY), message(OPTIONS), message(RINGING)];
    assert_eq!(frames(&stream, &Limits::default()), expected);
    // The limit is that of one message, not of what came at once.
    assert_eq!(frames(&stream, &limits(OPTIONS.len())), expected);
}

#[test]
fn a_double_line_end_is_a_ping_and_any_other_is_skipped() {
    let stream = [
        b"\r\n".as_slice(),
        OPTIONS,
        b"\r\n\r\n",
        OPTIONS,
        b"\r\n\r\n\r\n\r\n\r\n",
        RINGING,
        b"\n\n\r\r\n\r",
        b"\n\r\n",
        OPTIONS,
        b"\r\n\n\r\n",
    ]
    .concat();
    let expected = [
        message(OPTIONS),
        Got::Ping,
        message(OPTIONS),
        Got::Ping,
        Got::Ping,
        message(RINGING),
        Got::Ping,
        message(OPTIONS),
    ];
    assert_eq!(frames(&stream, &Limits::default()), expected);
}

#[test]
fn a_content_length_that_cannot_be_followed_breaks_the_stream_and_the_head_can_be_answered() {
    for (headers, reason, problem) in [
        ("", Reason::Malformed, "is missing, and only it says where a message in a stream ends"),
        (
            "Content-Length\r\n",
            Reason::Malformed,
            "is missing, and only it says where a message in a stream ends",
        ),
        ("Content-Length: \r\n", Reason::Malformed, "is not a number"),
        ("Content-Length: -1\r\n", Reason::Malformed, "is not a number"),
        ("Content-Length: +1\r\n", Reason::Malformed, "is not a number"),
        ("Content-Length: 1 1\r\n", Reason::Malformed, "is not a number"),
        ("Content-Length: 1, 1\r\n", Reason::Malformed, "is not a number"),
        ("l: 0x10\r\n", Reason::Malformed, "is not a number"),
        ("l: 1\r\nContent-Length: 2\r\n", Reason::Malformed, "two of them disagree"),
        ("l: 1\r\n 2\r\n", Reason::Malformed, "a line is folded that says where the message ends"),
        ("l:\r\n 2\r\n", Reason::Malformed, "is not a number"),
        ("l: 1\r\n 2\r\nX: y\r\n", Reason::Malformed, "a line is folded that says where the message ends"),
        ("l: 65536\r\n", Reason::TooLarge, "the message is longer than limits.message_bytes_max"),
        ("l: 4294967296\r\n", Reason::TooLarge, "the message is longer than limits.message_bytes_max"),
        (
            "l: 18446744073709551616\r\n",
            Reason::TooLarge,
            "the message is longer than limits.message_bytes_max",
        ),
    ] {
        let head = format!("BYE sip:b SIP/2.0\r\nVia: x\r\n{headers}\r\n");
        let stream = format!("{head}OPTIONS sip:smuggled SIP/2.0\r\nl: 0\r\n\r\n\r\n\r\n");
        let expected = [Got::Broken(head.clone().into_bytes(), reason, problem)];
        assert_eq!(frames(stream.as_bytes(), &Limits::default()), expected, "{headers}");
    }
}

#[test]
fn one_length_twice_is_left_to_the_check() {
    let stream = b"BYE sip:b SIP/2.0\r\nl: 1\r\nContent-Length: 1\r\n\r\nx";
    assert_eq!(frames(stream, &Limits::default()), [message(stream)]);
}

#[test]
fn a_head_without_an_end_is_cut_at_its_last_whole_line_to_be_answered() {
    let stream = format!("BYE sip:b SIP/2.0\r\nVia: x\r\n{}", "X: y\r\n".repeat(40));
    let problem = "the message is longer than limits.message_bytes_max";
    let head = format!("BYE sip:b SIP/2.0\r\nVia: x\r\n{}\r\n", "X: y\r\n".repeat(11)).into_bytes();
    assert_eq!(frames(stream.as_bytes(), &limits(98)), [Got::Broken(head, Reason::TooLarge, problem)]);
    let one_line = format!("BYE sip:{} SIP/2.0\r\n", "b".repeat(200));
    let expected = [Got::Broken(Vec::new(), Reason::TooLarge, problem)];
    assert_eq!(frames(one_line.as_bytes(), &limits(98)), expected);
    assert_eq!(frames(&one_line.as_bytes()[..150], &limits(98)), expected, "no line end at all");
    let just_fits = format!("BYE sip:b SIP/2.0\r\nX: {}\r\nl: 0\r\n\r\n", "y".repeat(66));
    assert_eq!(just_fits.len(), 98);
    assert_eq!(frames(just_fits.as_bytes(), &limits(98)), [message(just_fits.as_bytes())]);
    let broken = frames(just_fits.as_bytes(), &limits(97));
    assert!(matches!(broken.as_slice(), [Got::Broken(_, Reason::TooLarge, _)]), "{broken:?}");
}

#[test]
fn what_is_not_sip_is_told_at_its_first_byte_or_line() {
    for stream in [&b"\x16\x03\x01\x02\x00\x01\x00"[..], b"\0\0\0\0", b" INVITE sip:b SIP/2.0\r\n", b"\xff"] {
        let expected = [Got::Broken(Vec::new(), Reason::Malformed, "this byte begins no SIP message")];
        assert_eq!(frames(stream, &Limits::default()), expected, "{stream:?}");
    }
    for stream in
        ["GET / HTTP/1.1\r\nHost: x\r\n\r\n", "hello\r\n", "x\n", "SIP /2.0 200 OK\r\n", "A sip:b SIP\n"]
    {
        let problem = "the first line is neither a request line nor a status line";
        let expected = [Got::Broken(Vec::new(), Reason::Malformed, problem)];
        assert_eq!(frames(stream.as_bytes(), &Limits::default()), expected, "{stream:?}");
    }
}

#[test]
fn the_end_of_the_stream_inside_a_body_can_be_answered() {
    let (mut framer, got) = feed([&WITH_BODY[..WITH_BODY.len() - 1]], &Limits::default());
    assert!(got.is_empty() && framer.is_within_message());
    let Some(Frame::Broken { head, fault }) = framer.end() else { panic!("cut off in the body") };
    assert!(head.ends_with(b"\r\n\r\n") && head.len() == WITH_BODY.len() - 12);
    assert_eq!((fault.reason, fault.problem), (Reason::Malformed, "the body is shorter than Content-Length"));
    assert_eq!(framer.end(), None, "once");
    for stream in [&b""[..], b"\r\n\r", OPTIONS, &OPTIONS[..40], b"\0"] {
        let (mut framer, _) = feed([stream], &Limits::default());
        assert_eq!(framer.end(), None);
    }
}

#[test]
fn nothing_is_kept_between_messages_and_the_timer_runs_only_within_one() {
    let (framer, _) = feed(OPTIONS.chunks(7), &Limits::default());
    assert_eq!((framer.kept.capacity(), framer.is_within_message()), (0, false));
    let (framer, _) = feed([b"\r\n\r".as_slice()], &Limits::default());
    assert!(!framer.is_within_message());
    let (framer, _) = feed([&OPTIONS[..1]], &Limits::default());
    assert!(framer.is_within_message());
}

#[test]
fn the_parser_cuts_a_frame_where_the_framer_did() {
    let mut index = HeaderIndex::default();
    for (stream, body) in [(WITH_BODY, 12), (RINGING, 7), (OPTIONS, 0)] {
        let (_, got) = feed(stream.chunks(5), &Limits::default());
        let [Got::Message(bytes)] = got.as_slice() else { panic!("one message: {got:?}") };
        let message = parse(bytes, &Limits::default(), &mut index).expect("a message");
        assert_eq!((message.body().len(), message.bytes().len()), (body, bytes.len()));
    }
    let stream = b"BYE sip:b SIP/2.0\r\nl: 1\r\nContent-Length: 1\r\n\r\nx";
    let message = parse(stream, &Limits::default(), &mut index).expect("a message");
    let fault = check(&message, &Limits::default()).expect_err("two of them");
    assert_eq!(fault.problem, "stands more than once");
}
