//! What the tests of this stage share.

use super::draft::{Draft, DraftScratch};
use crate::message::{HeaderIndex, Message};
use crate::parse::parse;
use crate::snapshot::document::Limits;

/// A request with most of what the border edits: compact names, odd case, a fold, lists, a body that is not text.
pub(super) const INVITE: &[u8] = b"INVITE tel:+441632960083 SIP/2.0\r\n\
v: SIP/2.0/UDP 127.0.0.1:5070;branch=z9hG4bKa;rport , SIP/2.0/TCP core.a.example;branch=z9hG4bKb\r\n\
Via: SIP/2.0/UDP [2001:db8::9];branch=z9hG4bKc\r\n\
Route: <sip:tok@127.0.0.1:5060;lr>,\r\n  <sip:b.example;lr>\r\n\
Max-Forwards: 69\r\n\
f: \"A, B\" <sip:+4420@a.example>;tag=1\r\n\
To: <tel:+441632960083>\r\n\
CALL-ID: x@a\r\n\
CSeq: 314 INVITE\r\n\
Subject:   a\tb  \r\n\
X-Odd  :keep me\r\n\
Content-Length: 4\r\n\
\r\n\
\0\r\n\xff";

/// Reads a message; the rules of a test's message are known to its author.
pub(super) fn with_message<R>(bytes: &[u8], run: impl FnOnce(Message<'_>) -> R) -> R {
    let mut index = HeaderIndex::default();
    run(parse(bytes, &Limits::default(), &mut index).expect("the test's message is SIP"))
}

/// Edits a message and returns the bytes that would leave.
pub(super) fn edited(bytes: &[u8], edit: impl FnOnce(&mut Draft<'_>)) -> Vec<u8> {
    with_message(bytes, |message| {
        let mut scratch = DraftScratch::default();
        let mut draft = Draft::new(message, &mut scratch);
        edit(&mut draft);
        let mut out = Vec::new();
        draft.encode(&mut out);
        out
    })
}

/// Makes a request of *headers* (each without its line end) and returns what becomes of them, up to the blank line.
pub(super) fn edited_headers(headers: &[&str], edit: impl FnOnce(&mut Draft<'_>)) -> Vec<String> {
    edited_lines("OPTIONS sip:b SIP/2.0", headers, edit)
}

/// The same for a response.
pub(super) fn edited_response(
    status: u16,
    headers: &[&str],
    edit: impl FnOnce(&mut Draft<'_>),
) -> Vec<String> {
    edited_lines(&format!("SIP/2.0 {status} X"), headers, edit)
}

fn edited_lines(start: &str, headers: &[&str], edit: impl FnOnce(&mut Draft<'_>)) -> Vec<String> {
    let text = format!("{start}\r\n{}\r\n\r\n", headers.join("\r\n"));
    let out = String::from_utf8(edited(text.as_bytes(), edit)).expect("the test's message is text");
    let head = out.strip_suffix("\r\n\r\n").expect("the headers end");
    head.split("\r\n").skip(1).map(str::to_owned).collect()
}

/// Numbers that are the same in each run.
pub(super) struct Dice(pub(super) u64);

impl Dice {
    pub(super) fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) as usize) % bound
    }

    pub(super) fn pick<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len())]
    }
}
