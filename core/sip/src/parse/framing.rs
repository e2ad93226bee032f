//! Cuts a stream into messages (RFC 3261 §18.3, §7.5) and keep-alives (RFC 5626 §4.4.1).
//!
//! Bytes go in as they came, in pieces of any length; whole messages come out. A piece that holds whole messages is not
//! copied; only the beginning of a message whose end is still on its way is kept, and never more of it than
//! `limits.message_bytes_max` and a line end. Each byte is looked at once, however small the pieces are.
//!
//! | stage   | input                              | next    | out                                        |
//! |---------|------------------------------------|---------|--------------------------------------------|
//! | Between | CR, LF                             | Between | a ping for each CRLF CRLF                  |
//! | Between | a byte that begins no message      | Broken  | the fault                                  |
//! | Between | another byte                       | Head    |                                            |
//! | Head    | a first line that is not SIP       | Broken  | the fault                                  |
//! | Head    | a blank line, one Content-Length   | Body    |                                            |
//! | Head    | a blank line, none or a broken one | Broken  | the head and the fault: 400                |
//! | Head    | more than may be kept              | Broken  | its whole lines and the fault: 513         |
//! | Body    | the last byte                      | Between | the message                                |
//! | Body    | the end of the stream              | Broken  | the head and the fault: 400                |
//! | Broken  | anything                           | Broken  |                                            |
//!
//! A stream that is broken stays so: where the next message begins is anybody's guess, and guessing is how a message is
//! smuggled in (SEC-12). So whoever owns the connection answers what can be answered, and closes it.

use super::{Fault, MESSAGE_BYTES_MAX, malformed, scan};
use crate::message::HeaderId;
use crate::reason::Reason;
use crate::snapshot::document::Limits;

/// What a double CRLF is answered with (RFC 5626 §4.4.1).
pub const PONG: &[u8] = b"\r\n";
const PING: &[u8] = b"\r\n\r\n";

/// What came out of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Frame<'f> {
    /// One message, from its first line to the last byte of its body.
    Message(&'f [u8]),
    /// The other end wants to know whether we are there: send [`PONG`].
    Ping,
    /// No message can be found in this stream any more: answer, then close the connection.
    Broken {
        /// First line and headers with the blank line, for an answer to be made from; empty when there is nothing to answer.
        head: &'f [u8],
        /// What is wrong, and with which status it is answered.
        fault: Fault,
    },
}

/// The reading end of one stream.
#[derive(Debug, Default)]
pub struct Framer {
    /// The beginning of a message whose end has not come yet.
    kept: Vec<u8>,
    /// What `kept` holds was given out.
    is_given: bool,
    stage: Stage,
}

#[derive(Clone, Copy, Debug)]
enum Stage {
    Between {
        /// So many bytes of a ping were seen.
        matched: u8,
    },
    Head(Head),
    Body {
        head: usize,
        end: usize,
    },
    Broken,
}

impl Default for Stage {
    fn default() -> Self {
        Self::Between { matched: 0 }
    }
}

/// How far the first line and the headers were looked at; offsets count from the first byte of the message.
#[derive(Clone, Copy, Debug, Default)]
struct Head {
    scanned: usize,
    line: usize,
    /// The last header was Content-Length.
    in_length: bool,
    length: Option<u32>,
    fault: Option<Fault>,
}

/// How far a message has come.
enum Progress {
    More,
    Whole(usize),
    /// So many bytes of it are head, its blank line included.
    Broken(usize, Fault),
    /// The blank line did not come in time; so many bytes are whole lines.
    Endless(usize, Fault),
}

impl Framer {
    /// Takes the next thing out of the stream, of which *input* came now. What was used is cut off its front; `None`
    /// means that all of it was.
    pub fn next<'f, 'i: 'f>(&'f mut self, input: &mut &'i [u8], limits: &Limits) -> Option<Frame<'f>> {
        if std::mem::take(&mut self.is_given) {
            self.kept = Vec::new();
        }
        if let Stage::Between { matched } = self.stage {
            if self.skip_line_ends(matched, input) {
                return Some(Frame::Ping);
            }
            let first = *input.first()?;
            if !scan::is_token_byte(first) {
                *input = &[];
                return Some(self.broken(&[], malformed(0, "this byte begins no SIP message")));
            }
            self.stage = Stage::Head(Head::default());
        }
        let max = limits.message_bytes_max.min(MESSAGE_BYTES_MAX);
        if matches!(self.stage, Stage::Broken) {
            *input = &[];
            return None;
        }
        if self.kept.is_empty() { self.next_in(input, max) } else { self.next_behind_kept(input, max) }
    }

    /// Is a message under way? Then the rest of it should not be long in coming.
    pub const fn is_within_message(&self) -> bool {
        matches!(self.stage, Stage::Head(_) | Stage::Body { .. })
    }

    /// How much memory the beginning of a message takes up.
    pub fn kept_bytes(&self) -> usize {
        self.kept.capacity()
    }

    /// The stream ended, or was silent for too long: says what can still be answered.
    pub fn end(&mut self) -> Option<Frame<'_>> {
        let (Stage::Body { head, .. }, false) = (self.stage, self.is_given) else { return None };
        let fault = Fault {
            header: Some(HeaderId::ContentLength),
            ..malformed(head, "the body is shorter than Content-Length")
        };
        self.stage = Stage::Broken;
        self.is_given = true;
        Some(Frame::Broken { head: self.kept.get(..head).unwrap_or_default(), fault })
    }

    /// Skips CR and LF; true when a ping is complete.
    fn skip_line_ends(&mut self, mut matched: u8, input: &mut &[u8]) -> bool {
        while let [byte @ (b'\r' | b'\n'), rest @ ..] = *input {
            *input = rest;
            matched = match PING.get(usize::from(matched)) {
                Some(expected) if expected == byte => matched.saturating_add(1),
                _ => u8::from(*byte == b'\r'),
            };
            if usize::from(matched) == PING.len() {
                self.stage = Stage::default();
                return true;
            }
        }
        self.stage = Stage::Between { matched };
        false
    }

    /// The message begins in *input*.
    fn next_in<'f, 'i: 'f>(&'f mut self, input: &mut &'i [u8], max: usize) -> Option<Frame<'f>> {
        let bytes = *input;
        match self.stage.advance(bytes, max) {
            Progress::More => {
                *input = &[];
                self.keep(bytes, max);
                None
            }
            Progress::Whole(end) => {
                let (message, rest) = bytes.split_at_checked(end)?;
                *input = rest;
                self.stage = Stage::default();
                Some(Frame::Message(message))
            }
            progress => {
                *input = &[];
                self.keep(bytes, max);
                Some(self.broken_by(&progress))
            }
        }
    }

    /// The message began earlier.
    fn next_behind_kept<'f, 'i: 'f>(&'f mut self, input: &mut &'i [u8], max: usize) -> Option<Frame<'f>> {
        let before = self.kept.len();
        let wanted = match self.stage {
            Stage::Body { end, .. } => end,
            // One more than there may be, so that it is seen to be too long.
            _ => max.saturating_add(1),
        };
        let (taken, rest) = input.split_at(wanted.saturating_sub(before).min(input.len()));
        self.keep(taken, max);
        match self.stage.advance(&self.kept, max) {
            Progress::More => {
                *input = rest;
                None
            }
            Progress::Whole(end) => {
                *input = input.get(end.saturating_sub(before)..).unwrap_or_default();
                self.stage = Stage::default();
                self.is_given = true;
                self.kept.get(..end).map(Frame::Message)
            }
            progress => {
                *input = &[];
                Some(self.broken_by(&progress))
            }
        }
    }

    /// Keeps *bytes*. The room grows with what really came, whatever Content-Length promises.
    fn keep(&mut self, bytes: &[u8], max: usize) {
        let length = self.kept.len().saturating_add(bytes.len());
        if length > self.kept.capacity() {
            let room = length.max(self.kept.capacity().saturating_mul(2)).min(max.saturating_add(3));
            self.kept.reserve_exact(room.saturating_sub(self.kept.len()));
        }
        let room = max.saturating_add(1).saturating_sub(self.kept.len());
        self.kept.extend_from_slice(bytes.get(..room).unwrap_or(bytes));
    }

    fn broken_by(&mut self, progress: &Progress) -> Frame<'_> {
        let (length, fault) = match progress {
            Progress::Broken(length, fault) => (*length, *fault),
            Progress::Endless(length, fault) => {
                self.kept.truncate(*length);
                if *length > 0 {
                    self.kept.extend_from_slice(b"\r\n");
                }
                (self.kept.len(), *fault)
            }
            Progress::More | Progress::Whole(_) => (0, malformed(0, "")),
        };
        self.stage = Stage::Broken;
        self.is_given = true;
        Frame::Broken { head: self.kept.get(..length).unwrap_or_default(), fault }
    }

    fn broken<'f>(&mut self, head: &'f [u8], fault: Fault) -> Frame<'f> {
        self.stage = Stage::Broken;
        Frame::Broken { head, fault }
    }
}

impl Stage {
    /// Looks at what is new in *message*: all that came of it so far, and maybe what came behind it.
    fn advance(&mut self, message: &[u8], max: usize) -> Progress {
        if let Self::Head(head) = self {
            match head.advance(message, max) {
                Ok(None) => return Progress::More,
                Ok(Some((head, end))) => *self = Self::Body { head, end },
                Err(progress) => return progress,
            }
        }
        match *self {
            Self::Body { end, .. } if message.len() >= end => Progress::Whole(end),
            _ => Progress::More,
        }
    }
}

impl Head {
    /// Reads on to the blank line; returns where the body begins and ends once it is found.
    fn advance(&mut self, message: &[u8], max: usize) -> Result<Option<(usize, usize)>, Progress> {
        for line_feed in memchr::memchr_iter(b'\n', message.get(self.scanned..).unwrap_or_default()) {
            let line_feed = self.scanned.saturating_add(line_feed);
            let next = line_feed.saturating_add(1);
            if next > max {
                return Err(self.endless());
            }
            let line = message.get(self.line..line_feed).unwrap_or_default();
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            if line.is_empty() {
                return self.finish(next, max).map(|end| Some((next, end)));
            }
            if self.line == 0 {
                check_first_line(line)?;
            } else {
                self.header(line);
            }
            self.line = next;
        }
        self.scanned = message.len();
        if message.len() > max { Err(self.endless()) } else { Ok(None) }
    }

    /// Notes Content-Length; it may stand twice with one number, which is for `check` to refuse.
    fn header(&mut self, line: &[u8]) {
        if line.first().is_some_and(|byte| scan::is_blank(*byte)) {
            if self.in_length {
                self.note("a line is folded that says where the message ends");
            }
            return;
        }
        let (name, rest) = scan::split_where(line, |byte| !scan::is_token_byte(byte));
        self.in_length = HeaderId::from_name(name) == HeaderId::ContentLength;
        let ([b':', value @ ..], true) = (scan::trim_blanks(rest), self.in_length) else {
            return;
        };
        let value = scan::trim(value);
        match scan::number(value) {
            None if !value.is_empty() && value.iter().all(u8::is_ascii_digit) => {
                self.agree(u32::MAX); // a number all the same, and more than anybody may send
            }
            None => self.note("is not a number"),
            Some(length) => self.agree(length),
        }
    }

    fn agree(&mut self, length: u32) {
        if *self.length.get_or_insert(length) != length {
            self.note("two of them disagree");
        }
    }

    fn note(&mut self, problem: &'static str) {
        let fault = Fault { header: Some(HeaderId::ContentLength), ..malformed(self.line, problem) };
        self.fault.get_or_insert(fault);
    }

    /// The blank line is there, and the body would begin at *body*: says where it ends.
    fn finish(&mut self, body: usize, max: usize) -> Result<usize, Progress> {
        let Some(length) = self.length else {
            self.note("is missing, and only it says where a message in a stream ends");
            return Err(Progress::Broken(body, self.fault.unwrap_or(malformed(body, "no Content-Length"))));
        };
        if let Some(fault) = self.fault {
            return Err(Progress::Broken(body, fault));
        }
        match usize::try_from(length).ok().and_then(|length| body.checked_add(length)) {
            Some(end) if end <= max => Ok(end),
            _ => Err(Progress::Broken(body, too_large(body, Some(HeaderId::ContentLength)))),
        }
    }

    const fn endless(&self) -> Progress {
        Progress::Endless(self.line, too_large(self.line, None))
    }
}

/// What does not speak SIP at all should not be listened to until it has said a whole message.
fn check_first_line(line: &[u8]) -> Result<(), Progress> {
    let is_sip = |word: &[u8]| word.get(..4).is_some_and(|front| front.eq_ignore_ascii_case(b"SIP/"));
    let is_request = || {
        let line = scan::trim(line);
        let at = line.iter().rposition(|byte| scan::is_blank(*byte))?.checked_add(1)?;
        line.get(at..)
    };
    if is_sip(line) || is_request().is_some_and(is_sip) {
        return Ok(());
    }
    Err(Progress::Broken(0, malformed(0, "the first line is neither a request line nor a status line")))
}

const fn too_large(at: usize, header: Option<HeaderId>) -> Fault {
    Fault {
        reason: Reason::TooLarge,
        at,
        header,
        problem: "the message is longer than limits.message_bytes_max",
    }
}

#[cfg(test)]
mod tests;
