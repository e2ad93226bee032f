//! Bodies and their parts (RFC 2046 §5.1, RFC 5621): types, boundaries, headers of parts, all as pieces of the received bytes.
//!
//! Where two readers could cut a multipart differently, it is cut in the wider way and the fault is noted: whoever only looks goes
//! on, whoever has to be sure what every reader finds does not (SEC-12).

use std::ops::Range;

use arrayvec::ArrayVec;
use smallvec::SmallVec;

use super::Params;
use crate::parse::scan;

/// RFC 2046 §5.1.1.
const BOUNDARY_LENGTH_MAX: usize = 70;
/// No more parts of one multipart are told apart.
const PARTS_MAX: usize = 32;

/// A type with its parameters: `multipart/mixed;boundary="b"`.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct MediaType<'m> {
    /// Without the parameters.
    pub(crate) name: &'m [u8],
    pub(crate) params: Params<'m>,
}

impl<'m> MediaType<'m> {
    /// Reads the value of a Content-Type.
    pub(crate) fn of(value: &'m [u8]) -> Self {
        let (name, params) = scan::split_where(value, |byte| byte == b';');
        Self { name: scan::trim(name), params: Params(params) }
    }

    /// The boundary; `None` when there is none that RFC 2046 §5.1.1 lets be one.
    pub(crate) fn boundary(&self) -> Option<&'m [u8]> {
        let mut named = self.params.iter().filter(|param| param.name.eq_ignore_ascii_case(b"boundary"));
        let boundary = named.next()?.value.filter(|_| named.next().is_none())?;
        let is_fit = (1..=BOUNDARY_LENGTH_MAX).contains(&boundary.len())
            && boundary.last() != Some(&b' ')
            && boundary.iter().all(|byte| byte.is_ascii_alphanumeric() || b"'()+_,-./:=? ".contains(byte));
        is_fit.then_some(boundary)
    }
}

/// Is a type one of the pattern: `application/sdp`, or `application/*`? Blanks around the slash do not count (RFC 3261 §25.1).
pub(crate) fn is_of_type(name: &[u8], pattern: &str) -> bool {
    let Some((wanted_main, wanted_sub)) = pattern.split_once('/') else { return pattern == "*" };
    let (main, sub) = scan::split_where(name, |byte| byte == b'/');
    let sub = scan::trim(sub.get(1..).unwrap_or_default());
    scan::trim(main).eq_ignore_ascii_case(wanted_main.as_bytes())
        && match wanted_sub.strip_suffix('*') {
            Some(start) => {
                sub.get(..start.len()).is_some_and(|front| front.eq_ignore_ascii_case(start.as_bytes()))
            }
            None => sub.eq_ignore_ascii_case(wanted_sub.as_bytes()),
        }
}

/// A multipart in pieces.
#[derive(Debug, Default)]
pub(crate) struct Cut {
    pub(crate) pieces: SmallVec<[Piece; 4]>,
    /// What makes another cut possible; the first that was found.
    pub(crate) fault: Option<&'static str>,
}

/// One part of a multipart, as offsets into its bytes.
#[derive(Clone, Debug)]
pub(crate) struct Piece {
    /// From the line of the boundary before it to that of the next: without these bytes the multipart is one without the part.
    pub(crate) whole: Range<usize>,
    /// The part itself: headers, a blank line, a body.
    pub(crate) content: Range<usize>,
}

/// Cuts a multipart at the lines of its boundary.
pub(crate) fn cut(body: &[u8], boundary: &[u8]) -> Cut {
    let mut cut = Cut::default();
    let mut line: ArrayVec<u8, { BOUNDARY_LENGTH_MAX + 2 }> = ArrayVec::new();
    if line.try_extend_from_slice(b"--").and_then(|()| line.try_extend_from_slice(boundary)).is_err() {
        cut.fault = Some("the boundary is too long");
        return cut;
    }
    let mut is_closed = false;
    for start in memchr::memmem::find_iter(body, &line) {
        let (before, behind) = body.split_at(start);
        if !before.is_empty() && !before.ends_with(b"\r\n") {
            if matches!(before.last(), Some(b'\r' | b'\n')) {
                cut.note("a boundary stands behind half a line end");
            }
            continue;
        }
        if is_closed {
            cut.note("a boundary stands behind the last one");
            break;
        }
        cut.end_piece(start);
        let behind = behind.get(line.len()..).unwrap_or_default();
        is_closed = behind.starts_with(b"--");
        let (text, end) = match memchr::memchr(b'\n', behind) {
            Some(at) => (behind.get(..=at).unwrap_or_default(), at.saturating_add(1)),
            None => (behind, behind.len()),
        };
        let padding = text.strip_prefix(b"--").unwrap_or(text);
        let padding = padding.strip_suffix(b"\r\n").or((is_closed && end == behind.len()).then_some(padding));
        if !padding.is_some_and(|padding| padding.iter().all(|byte| scan::is_blank(*byte))) {
            cut.note("a line begins with the boundary and goes on");
        }
        if !is_closed {
            if cut.pieces.len() >= PARTS_MAX {
                cut.note("there are too many parts");
                break;
            }
            let content = start.saturating_add(line.len()).saturating_add(end);
            cut.pieces.push(Piece { whole: start..body.len(), content: content..body.len() });
        }
    }
    if !is_closed {
        cut.note("the last boundary is missing");
    }
    if cut.pieces.is_empty() {
        cut.note("there is no part");
    }
    cut
}

impl Cut {
    fn note(&mut self, fault: &'static str) {
        self.fault.get_or_insert(fault);
    }

    /// The line end before a boundary belongs to the boundary.
    fn end_piece(&mut self, at: usize) {
        if let Some(piece) = self.pieces.last_mut() {
            piece.whole.end = at;
            piece.content.end = at.saturating_sub(2).max(piece.content.start);
        }
    }
}

/// A part: its headers and its body.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Part<'m> {
    head: &'m [u8],
    pub(crate) body: &'m [u8],
}

impl<'m> Part<'m> {
    /// Splits the content of a piece at its blank line.
    pub(crate) fn of(content: &'m [u8]) -> Self {
        if let Some(body) = content.strip_prefix(b"\r\n") {
            return Self { head: &[], body }; // no headers at all
        }
        let end = memchr::memmem::find(content, b"\r\n\r\n").unwrap_or(content.len());
        let (head, body) = content.split_at(end);
        Self { head, body: body.get(4..).unwrap_or_default() }
    }

    /// The value of a header of the part, folds included.
    pub(crate) fn header(&self, name: &[u8]) -> Option<&'m [u8]> {
        self.headers().find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// Its type; without one it is text (RFC 2046 §5.1).
    pub(crate) fn media_type(&self) -> MediaType<'m> {
        MediaType::of(self.header(b"content-type").unwrap_or(b"text/plain"))
    }

    /// Could two readers find other headers, or another end of them?
    pub(crate) fn is_doubtful(&self) -> bool {
        let mut rest = self.head;
        while let Some(at) = memchr::memchr3(b'\r', b'\n', 0, rest) {
            if rest.get(at..at.saturating_add(2)) != Some(b"\r\n") {
                return true;
            }
            rest = rest.get(at.saturating_add(2)..).unwrap_or_default();
        }
        let is_twice = |name: &[u8]| {
            self.headers().filter(|(found, _)| found.eq_ignore_ascii_case(name)).nth(1).is_some()
        };
        self.headers().any(|(name, _)| !scan::is_token(name))
            || [&b"content-type"[..], b"content-disposition", b"content-transfer-encoding", b"content-id"]
                .into_iter()
                .any(is_twice)
    }

    fn headers(&self) -> impl Iterator<Item = (&'m [u8], &'m [u8])> + use<'m> {
        let head = self.head;
        let is_fold =
            move |at: usize| head.get(at.saturating_add(1)).is_some_and(|byte| scan::is_blank(*byte));
        let ends = memchr::memchr_iter(b'\n', head).filter(move |at| !is_fold(*at));
        let mut start = 0;
        ends.chain(std::iter::once(head.len())).filter_map(move |end| {
            let line = head.get(std::mem::replace(&mut start, end.saturating_add(1))..end)?;
            let (name, value) = scan::split_where(line, |byte| byte == b':');
            (!scan::trim(line).is_empty())
                .then(|| (scan::trim(name), scan::trim(value.get(1..).unwrap_or_default())))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts<'m>(body: &'m [u8], boundary: &[u8]) -> (Vec<&'m [u8]>, Option<&'static str>) {
        let cut = cut(body, boundary);
        let contents = cut.pieces.iter().filter_map(|piece| body.get(piece.content.clone())).collect();
        (contents, cut.fault)
    }

    #[test]
    fn a_multipart_is_cut_at_whole_lines() {
        let body = b"preamble\r\n--b\r\none\r\n--b \t\r\n\r\ntwo\r\n\r\n--b--\r\nepilogue";
        assert_eq!(parts(body, b"b"), (vec![&b"one"[..], b"\r\ntwo\r\n"], None));
        assert_eq!(parts(b"--b\r\n--b\r\nx--b\r\n--b--", b"b"), (vec![&b""[..], b"x--b"], None));
        assert_eq!(parts(b"----\r\nx\r\n------", b"--"), (vec![&b"x"[..]], None));
    }

    #[test]
    fn what_another_reader_could_cut_otherwise_is_noted() {
        for (body, fault) in [
            (&b"--b\r\nx\n--b--\r\n--b--"[..], "a boundary stands behind half a line end"),
            (b"--b\r\nx\r--b--\r\n--b--", "a boundary stands behind half a line end"),
            (b"--b\r\nx\r\n--bb\r\n\r\n--b--", "a line begins with the boundary and goes on"),
            (b"--b\nx\r\n--b--", "a line begins with the boundary and goes on"),
            (b"--b\r\nx\r\n--b--y", "a line begins with the boundary and goes on"),
            (b"--b\r\nx\r\n--b--\r\n--b\r\ny\r\n--b--", "a boundary stands behind the last one"),
            (b"--b\r\nx", "the last boundary is missing"),
            (b"--b--", "there is no part"),
            (b"", "the last boundary is missing"),
        ] {
            assert_eq!(parts(body, b"b").1, Some(fault), "{}", String::from_utf8_lossy(body));
        }
    }

    #[test]
    fn a_part_has_headers_with_folds_or_none() {
        let part = Part::of(b"Content-Type: multipart/mixed;\r\n boundary=c\r\nX: y\r\n\r\nbody\r\n\r\n.");
        assert_eq!((part.body, part.is_doubtful()), (&b"body\r\n\r\n."[..], false));
        assert_eq!(part.media_type().boundary(), Some(&b"c"[..]));
        let bare = Part::of(b"\r\nContent-Type: application/sdp\r\n\r\nv=0");
        assert_eq!((bare.media_type().name, bare.header(b"content-type")), (&b"text/plain"[..], None));
        assert!(bare.body.starts_with(b"Content-Type"));
    }

    #[test]
    fn headers_that_two_readers_read_differently_are_doubtful() {
        for head in [
            &b"A: x\nContent-Type: a/b"[..],
            b"A: x\rB: y",
            b"A\0: x",
            b"no colon",
            b"Content-Type: a/b\r\nContent-type: c/d",
            b"\nA: x",
        ] {
            assert!(Part::of(head).is_doubtful(), "{}", String::from_utf8_lossy(head));
        }
        assert!(!Part::of(b"A: x\r\nB: y\r\n z").is_doubtful());
    }

    #[test]
    fn a_boundary_is_one_by_the_grammar() {
        for (value, boundary) in [
            (&b"multipart/mixed;boundary=b"[..], Some(&b"b"[..])),
            (b"multipart/mixed ; Boundary = \"a b\"", Some(b"a b")),
            (b"multipart/mixed;boundary=a;boundary=b", None),
            (b"multipart/mixed;boundary=\"a \"", None),
            (b"multipart/mixed;boundary=\"a\\\"b\"", None),
            (b"multipart/mixed;boundary=\"\"", None),
            (b"multipart/mixed", None),
        ] {
            assert_eq!(MediaType::of(value).boundary(), boundary, "{}", String::from_utf8_lossy(value));
        }
        assert!(MediaType::of(&[b"a/b;boundary=", [b'x'; 71].as_slice()].concat()).boundary().is_none());
    }

    #[test]
    fn types_are_compared_by_their_two_halves() {
        for (name, pattern, is_one) in [
            (&b"Application / SDP"[..], "application/sdp", true),
            (b"application/sdpx", "application/sdp", false),
            (b"application/vnd.3gpp.ussd+xml", "application/vnd.3gpp.*", true),
            (b"text/plain", "text/*", true),
            (b"textual/plain", "text/*", false),
            (b"text", "text/plain", false),
        ] {
            assert_eq!(is_of_type(name, pattern), is_one, "{pattern}");
        }
    }
}
