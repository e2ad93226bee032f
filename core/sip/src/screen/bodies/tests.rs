use super::*;
use crate::message::HeaderIndex;
use crate::parse::parse;
use crate::rewrite::DraftScratch;
use crate::snapshot::document::Limits;
use crate::trace::Trace;

fn bodies(otherwise: Unagreed) -> Bodies {
    let document = BodyScreening {
        allow: Some(vec!["application/pidf+xml".to_owned()]),
        otherwise,
        oversized: Act::Pass,
    };
    Bodies::compile(&document, None, "x").expect("sound")
}

/// What becomes of the message: the status of its refusal, or its bytes.
fn screened(bodies: &Bodies, bytes: &[u8], may_refuse: bool) -> Result<Vec<u8>, Rejection> {
    let mut index = HeaderIndex::default();
    let message = parse(bytes, &Limits::default(), &mut index).expect("the test's message is SIP");
    if may_refuse {
        bodies.check(&message)?;
    }
    let (mut scratch, mut trace) = (DraftScratch::default(), Trace::off());
    let mut draft = Draft::new(message, &mut scratch);
    bodies.clean(&mut draft, may_refuse, &mut Removed::new("x", &mut trace));
    let mut out = Vec::new();
    draft.encode(&mut out);
    Ok(out)
}

/// Fragments that multiparts are made of, sound ones and others.
const FRAGMENTS: &[&[u8]] = &[
    b"--b\r\n",
    b"\r\n--b\r\n",
    b"\r\n--b--\r\n",
    b"\r\n--c\r\n",
    b"\r\n--c--",
    b"--bb\r\n",
    b"\n--b\r\n",
    b"Content-Type: application/sdp\r\n\r\n",
    b"Content-Type: text/x\r\nContent-Disposition: x;handling=optional\r\n\r\n",
    b"Content-Type: text/x\r\n\r\n",
    b"Content-Type: multipart/mixed;boundary=c\r\n\r\n",
    b"Content-Type: multipart/alternative;\r\n boundary=\"c\"\r\nContent-Disposition: x;handling=optional\r\n\r\n",
    b"Content-Type: application/pidf+xml\r\nContent-ID: <p@x>\r\n\r\n",
    b"Content-ID: <q@x>\r\n",
    b"Content-Disposition: render;handling=optional\r\n",
    b"\r\n\r\n",
    b"cid:p@x ",
    b"<cid:q%40x>",
    b"v=0\r\n",
    b"\0\xff\r",
];

/// A generator of the same numbers each time (splitmix64).
struct Numbers(u64);

impl Numbers {
    fn next(&mut self, below: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) % below as u64) as usize
    }
}

fn made_up(numbers: &mut Numbers) -> Vec<u8> {
    let mut body = if numbers.next(4) == 0 { Vec::new() } else { b"--b\r\n".to_vec() };
    for _ in 0..numbers.next(14) {
        body.extend_from_slice(FRAGMENTS[numbers.next(FRAGMENTS.len())]);
    }
    if numbers.next(4) > 0 {
        body.extend_from_slice(b"\r\n--b--");
    }
    if numbers.next(8) == 0 && !body.is_empty() {
        let at = numbers.next(body.len());
        body[at] = numbers.next(256) as u8;
    }
    body
}

#[test]
fn whatever_the_body_is_what_leaves_is_sound_and_holds_nothing_that_is_not_agreed() {
    let mut numbers = Numbers(7);
    let (mut forwarded, mut edited) = (0, 0);
    for round in 0..20_000 {
        let kind = ["mixed", "related", "alternative", "related;start=\"<p@x>\""][numbers.next(4)];
        let body = made_up(&mut numbers);
        let head = format!(
            "INVITE sip:b SIP/2.0\r\nGeolocation: <cid:p@x>, <sip:y>\r\nCall-Info: <cid:q@x>;purpose=icon\r\n\
             Content-Type: multipart/{kind};boundary=b\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        let bytes = [head.as_bytes(), &body].concat();
        let otherwise = [Unagreed::ByHandling, Unagreed::Remove, Unagreed::Refuse][round % 3];
        let bodies = bodies(otherwise);
        let may_refuse = numbers.next(2) == 0;
        let out = match screened(&bodies, &bytes, may_refuse) {
            Ok(out) => out,
            Err(rejection) => {
                assert!(may_refuse && matches!(rejection.status, 400 | 413 | 415));
                continue;
            }
        };
        forwarded += 1;
        edited += usize::from(out != bytes);
        let mut index = HeaderIndex::default();
        let message = parse(&out, &Limits::default(), &mut index).expect("what leaves is SIP");
        let text =
            || format!("{}\n-----\n{}", String::from_utf8_lossy(&bytes), String::from_utf8_lossy(&out));
        assert_eq!(message.content_length(), Ok(Some(message.body().len())), "{}", text());
        assert_eq!(out.len(), message.bytes().len(), "{}", text());
        let again = screened(&bodies, &out, may_refuse)
            .unwrap_or_else(|rejection| panic!("{rejection:?}\n{}", text()));
        assert!(again == out, "a second look finds more:\n{}", text());
        if message.body().is_empty() {
            assert!(message.first(HeaderId::ContentType).is_none() || body.is_empty(), "{}", text());
        } else {
            assert_eq!(multipart::cut(message.body(), b"b").fault, None, "{}", text());
        }
    }
    assert!(forwarded > 1_500 && edited > 800, "{forwarded} forwarded, {edited} of them edited");
}

#[test]
fn ids_are_found_with_escapes_and_end_where_they_end() {
    for (text, is_named) in [
        (&b"<cid:a@b>"[..], true),
        (b"x CID:a%40b y", true),
        (b"<sip:r>;cid=\"<a@b>\"", true),
        (b"cid:a@bc", false),
        (b"acid", false),
        (b"cid:", false),
        (b"<https://x/a@b>", false),
    ] {
        assert_eq!(refers_to(text, &[b"a@b"]), is_named, "{}", String::from_utf8_lossy(text));
    }
}
