//! One outgoing message: lines over the received bytes, and the edits that were made to them.
//!
//! A line is a range, either of the received message or of the text written by edits. Nothing is copied before
//! [`Draft::encode`], which writes runs of neighbouring lines as one slice. Every edit is visible to the next one, and to
//! the encoder in the same way, because both see nothing but the lines.
//!
//! INVARIANT: what an edit writes is one header line. A value with a NUL or with a line end that is not a fold is refused
//! (SEC-31), so no edit can add a second header or end the headers.

use std::ops::Range;

use crate::message::{HeaderEntry, HeaderId, Message, elements};
use crate::parse::scan;

use super::header_name::HeaderName;
use super::text::{is_header_value, split_first, write_number};

/// Room for the lines and texts of drafts; reuse it for the next one.
#[derive(Debug, Default)]
pub struct DraftScratch {
    lines: Vec<Line>,
    written: Vec<u8>,
    /// Where a value is put together that depends on the one it replaces.
    spare: Vec<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Origin {
    Received,
    Written,
}

#[derive(Clone, Copy, Debug)]
struct Line {
    text: HeaderEntry,
    origin: Origin,
}

/// A header as the draft has it now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DraftHeader<'d> {
    /// Its place among the headers; holds until one is added or removed.
    pub at: usize,
    /// The name, if it is a known one.
    pub id: HeaderId,
    /// The name as written.
    pub name: &'d [u8],
    /// The value without the blanks around it; folds inside stand as they are.
    pub value: &'d [u8],
}

/// One outgoing message. See the module's documentation.
#[derive(Debug)]
pub struct Draft<'a> {
    message: Message<'a>,
    scratch: &'a mut DraftScratch,
    start_line: Line,
    /// The ids that a line has or once had, and those that more than one had: what is not there need not be looked for.
    present: u128,
    repeated: u128,
    /// Where the Request-URI stands in the text written, once it was set.
    request_uri: Option<(u32, u32)>,
    /// Where the body stands in the text written, once it was set.
    body: Option<(u32, u32)>,
}

impl<'a> Draft<'a> {
    /// Begins with the message as it was received.
    pub fn new(message: Message<'a>, scratch: &'a mut DraftScratch) -> Self {
        scratch.written.clear();
        scratch.lines.clear();
        scratch.lines.extend(
            message.index().entries.iter().map(|text| Line { text: *text, origin: Origin::Received }),
        );
        let range = message.start_line_range();
        let start_line = Line::raw(range.start as u32, range.end as u32, Origin::Received);
        let (present, repeated) = (message.index().present, message.index().repeated);
        Self { message, scratch, start_line, present, repeated, request_uri: None, body: None }
    }

    /// Returns the message as it was received.
    pub const fn message(&self) -> Message<'a> {
        self.message
    }

    /// Is it a request?
    pub fn is_request(&self) -> bool {
        self.message.request().is_some()
    }

    /// Returns the Request-URI as it is now; empty for a response.
    pub fn request_uri(&self) -> &[u8] {
        match self.request_uri {
            Some((start, end)) => slice(&self.scratch.written, start, end),
            None => self.message.request().map_or(&[], |request| request.uri),
        }
    }

    /// Replaces the Request-URI. Returns `false`, and changes nothing, for a response or a URI that would break the line.
    pub fn set_request_uri(&mut self, uri: &[u8]) -> bool {
        let Some(request) = self.message.request() else { return false };
        if uri.is_empty() || uri.iter().any(|byte| *byte <= b' ' || *byte == 0x7f) {
            return false;
        }
        let line = self.message.bytes().get(self.message.start_line_range()).unwrap_or_default();
        let start = request.method.as_str().len() + 1;
        let (Some(head), Some(tail)) = (line.get(..start), line.get(start + request.uri.len()..)) else {
            return false;
        };
        let written = &mut self.scratch.written;
        let from = written.len();
        written.extend_from_slice(head);
        let uri_start = written.len() as u32;
        written.extend_from_slice(uri);
        self.request_uri = Some((uri_start, written.len() as u32));
        written.extend_from_slice(tail);
        self.start_line = Line::raw(from as u32, written.len() as u32, Origin::Written);
        true
    }

    /// Returns the body as it is now.
    pub fn body(&self) -> &[u8] {
        match self.body {
            Some((start, end)) => slice(&self.scratch.written, start, end),
            None => self.message.body(),
        }
    }

    /// Replaces the body by what *fill* appends. Content-Length follows, where there is one.
    pub fn set_body(&mut self, fill: impl FnOnce(&mut Vec<u8>)) {
        let written = &mut self.scratch.written;
        let start = written.len();
        fill(written);
        let length = written.len() - start;
        self.body = Some((start as u32, written.len() as u32));
        if self.position(HeaderId::ContentLength.into()).is_some() {
            self.set(HeaderId::ContentLength, length.to_string().as_bytes());
        }
    }

    /// Walks over all headers in their order.
    pub fn headers(&self) -> impl Iterator<Item = DraftHeader<'_>> {
        self.scratch.lines.iter().enumerate().map(|(at, line)| self.view(at, line))
    }

    /// Returns how many headers there are.
    pub fn header_count(&self) -> usize {
        self.scratch.lines.len()
    }

    /// Returns the header at a place.
    pub fn header_at(&self, at: usize) -> Option<DraftHeader<'_>> {
        self.scratch.lines.get(at).map(|line| self.view(at, line))
    }

    /// Returns the first header of that name.
    pub fn first<'n>(&self, name: impl Into<HeaderName<'n>>) -> Option<DraftHeader<'_>> {
        self.header_at(self.position(name.into())?)
    }

    /// Walks over the headers of that name in their order.
    pub fn all<'n>(&self, name: impl Into<HeaderName<'n>>) -> impl Iterator<Item = DraftHeader<'_>> {
        let name = name.into();
        let lines = if self.has_any(name.id.bit()) { self.scratch.lines.as_slice() } else { &[] };
        lines
            .iter()
            .enumerate()
            .filter(move |(_, line)| self.has_name(line, name))
            .map(|(at, line)| self.view(at, line))
    }

    /// May there be a header of one of these ids? `false` is sure.
    pub(crate) const fn has_any(&self, ids: u128) -> bool {
        self.present & ids != 0
    }

    /// Walks over the headers of a name given as text.
    pub fn by_name(&self, name: &[u8]) -> impl Iterator<Item = DraftHeader<'_>> {
        self.all(name)
    }

    /// Walks over the values of a header that is a list: comma-separated ones in a line, and line after line.
    pub fn values<'n>(&self, name: impl Into<HeaderName<'n>>) -> impl Iterator<Item = &[u8]> {
        self.all(name).flat_map(|header| elements(header.value)).filter(|value| !value.is_empty())
    }

    /// Puts a header before the first of that name, or on top of all. Returns `false` if the value would break the line.
    pub fn prepend<'n>(&mut self, name: impl Into<HeaderName<'n>>, value: &[u8]) -> bool {
        let name = name.into();
        let at = self.position(name).unwrap_or(0);
        self.insert(at, name, value)
    }

    /// The same with what *fill* appends, which need not be put together elsewhere first.
    pub fn prepend_with<'n>(
        &mut self,
        name: impl Into<HeaderName<'n>>,
        fill: impl FnOnce(&mut Vec<u8>),
    ) -> bool {
        let name = name.into();
        let at = self.position(name).unwrap_or(0);
        self.insert_with(at, name, fill)
    }

    /// Puts a header behind the last of that name, or behind all. Returns `false` if name or value would break the line.
    pub fn append<'n>(&mut self, name: impl Into<HeaderName<'n>>, value: &[u8]) -> bool {
        let name = name.into();
        let at = self.last(name).map_or(self.scratch.lines.len(), |last| last + 1);
        self.insert(at, name, value)
    }

    /// Puts a header behind the last header named *behind*, or on top of all. Returns `false` as [`Draft::append`] does.
    pub fn append_after<'n>(
        &mut self,
        behind: HeaderId,
        name: impl Into<HeaderName<'n>>,
        value: &[u8],
    ) -> bool {
        let at = self.behind(behind);
        self.insert(at, name.into(), value)
    }

    /// The same with what *fill* appends.
    pub fn append_after_with<'n>(
        &mut self,
        behind: HeaderId,
        name: impl Into<HeaderName<'n>>,
        fill: impl FnOnce(&mut Vec<u8>),
    ) -> bool {
        let at = self.behind(behind);
        self.insert_with(at, name.into(), fill)
    }

    fn behind(&self, id: HeaderId) -> usize {
        self.last(id.into()).map_or(0, |last| last + 1)
    }

    /// Leaves exactly one header of that name, in the place of the first. Returns `false` as [`Draft::append`] does.
    pub fn set<'n>(&mut self, name: impl Into<HeaderName<'n>>, value: &[u8]) -> bool {
        let name = name.into();
        let Some(first) = self.position(name) else { return self.append(name, value) };
        if !self.replace_value(first, value) {
            return false;
        }
        if self.repeated & name.id.bit() != 0 {
            self.retain(name.id.bit(), |header| header.at <= first || !name.matches(header.id, header.name));
        }
        true
    }

    /// Writes Max-Forwards (RFC 3261 §16.6 (3)).
    pub fn set_max_forwards(&mut self, hops: u32) {
        let mut digits = std::mem::take(&mut self.scratch.spare);
        digits.clear();
        write_number(hops, &mut digits);
        if self.position(HeaderId::MaxForwards.into()).is_some() {
            self.set(HeaderId::MaxForwards, &digits);
        } else {
            self.append_after(HeaderId::Via, HeaderId::MaxForwards, &digits);
        }
        self.scratch.spare = digits;
    }

    /// Gives the header at a place another value; its name stays as written. Returns `false`, and changes nothing, if the
    /// value would break the line or there is no such header.
    pub fn replace_value(&mut self, at: usize, value: &[u8]) -> bool {
        let Self { message, scratch, .. } = self;
        let DraftScratch { lines, written, .. } = &mut **scratch;
        let Some(line) = lines.get_mut(at).filter(|_| is_header_value(value)) else { return false };
        let start = written.len();
        match line.origin {
            Origin::Received => {
                written.extend_from_slice(slice(message.bytes(), line.text.start, line.text.name_end));
            }
            Origin::Written => {
                written.extend_from_within(line.text.start as usize..line.text.name_end as usize);
            }
        }
        *line = finish_line(written, start, line.text.id, |out| out.extend_from_slice(scan::trim(value)));
        true
    }

    /// Gives the header at a place the value that *edit* makes of the one it has. Returns `false`, and changes nothing, if
    /// *edit* does, or as [`Draft::replace_value`] does.
    pub fn edit_value(&mut self, at: usize, edit: impl FnOnce(&[u8], &mut Vec<u8>) -> bool) -> bool {
        let mut made = std::mem::take(&mut self.scratch.spare);
        made.clear();
        let is_made = self.header_at(at).is_some_and(|header| edit(header.value, &mut made));
        let is_written = is_made && self.replace_value(at, &made);
        self.scratch.spare = made;
        is_written
    }

    /// Removes the first value of a list header, the whole line if it was the only one there, and returns it.
    pub fn pop_value<'n>(&mut self, name: impl Into<HeaderName<'n>>) -> Option<&[u8]> {
        let name = name.into();
        let popped = loop {
            let at = self.position(name)?;
            let line = *self.scratch.lines.get(at)?;
            let value = self.text(&line, line.text.value_start, line.text.value_end);
            let (first, rest) = split_first(value);
            // The value popped stays where it is, in the received bytes or in the text written: neither ever shrinks.
            let popped = (!first.is_empty()).then(|| {
                let start = line.text.value_start + offset(value, first);
                (line, start, start + first.len() as u32)
            });
            if rest.is_empty() {
                self.scratch.lines.remove(at);
            } else {
                self.edit_value(at, |value, out| {
                    out.extend_from_slice(split_first(value).1);
                    true
                });
            }
            if let Some(popped) = popped {
                break popped;
            }
        };
        let (line, start, end) = popped;
        Some(self.text(&line, start, end))
    }

    /// Removes the header at a place.
    pub(super) fn remove_at(&mut self, at: usize) {
        if at < self.scratch.lines.len() {
            self.scratch.lines.remove(at);
        }
    }

    /// Gives the header at a place another name; its value stays as written. Returns `false` if it is no name.
    pub(super) fn rename<'n>(&mut self, at: usize, name: impl Into<HeaderName<'n>>) -> bool {
        let name = name.into();
        let Some(line) = self.scratch.lines.get(at).copied().filter(|_| scan::is_token(name.text)) else {
            return false;
        };
        let renamed = self.write_copy(&line, (line.text.value_start, line.text.value_end), name);
        if let Some(line) = self.scratch.lines.get_mut(at) {
            *line = renamed;
        }
        true
    }

    /// Adds a header with a part of the value of the one at a place, behind the others of that name. Returns where.
    pub(super) fn append_copy<'n>(
        &mut self,
        at: usize,
        part: &Range<usize>,
        name: impl Into<HeaderName<'n>>,
    ) -> Option<usize> {
        let name = name.into();
        let line = self.scratch.lines.get(at).copied().filter(|_| scan::is_token(name.text))?;
        let length = (line.text.value_end - line.text.value_start) as usize;
        let place = |within: usize| line.text.value_start + within.min(length) as u32;
        let to = self.last(name).map_or(self.scratch.lines.len(), |last| last + 1);
        let copy = self.write_copy(&line, (place(part.start), place(part.end)), name);
        self.scratch.lines.insert(to, copy);
        Some(to)
    }

    fn write_copy(&mut self, line: &Line, (from, to): (u32, u32), name: HeaderName<'_>) -> Line {
        let written = &mut self.scratch.written;
        let start = written.len();
        written.extend_from_slice(name.text);
        self.repeated |= self.present & name.id.bit();
        self.present |= name.id.bit();
        match line.origin {
            Origin::Received => {
                let value = slice(self.message.bytes(), from, to);
                finish_line(written, start, name.id, |out| out.extend_from_slice(value))
            }
            Origin::Written => finish_line(written, start, name.id, |out| {
                out.extend_from_within(from as usize..to as usize);
            }),
        }
    }

    /// Removes every header of that name and returns how many there were.
    pub fn remove_all<'n>(&mut self, name: impl Into<HeaderName<'n>>) -> usize {
        let name = name.into();
        self.retain(name.id.bit(), |header| !name.matches(header.id, header.name))
    }

    /// Removes every header of a name given as text and returns how many there were.
    pub fn remove_named(&mut self, name: &[u8]) -> usize {
        self.remove_all(name)
    }

    /// Removes those of the headers with one of the *ids* for which *keep* says `false`, in one pass, and returns how many
    /// there were.
    pub(crate) fn retain(&mut self, ids: u128, mut keep: impl FnMut(&DraftHeader<'_>) -> bool) -> usize {
        if !self.has_any(ids) {
            return 0;
        }
        let DraftScratch { lines, written, .. } = &mut *self.scratch;
        let (before, mut at) = (lines.len(), 0);
        lines.retain(|line| {
            at += 1;
            line.text.id.bit() & ids == 0 || keep(&view(self.message.bytes(), written, at - 1, line))
        });
        before - lines.len()
    }

    /// Appends the message to *out*: one pass, each run of neighbouring lines one copy, the body as it was received.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let received = self.message.bytes();
        let written = &self.scratch.written;
        out.reserve(received.len() + written.len());
        let mut copy = |run: &Run| {
            let source = if run.origin == Origin::Received { received } else { written };
            out.extend_from_slice(slice(source, run.start, run.end));
        };
        let mut run = Run::of(&self.start_line);
        let end = self.message.headers_end();
        let body = received.len() - self.message.body().len();
        let tail = match self.body {
            None => [
                Line::raw(end as u32, received.len() as u32, Origin::Received),
                Line::raw(0, 0, Origin::Written),
            ],
            Some((start, stop)) => [
                Line::raw(end as u32, body as u32, Origin::Received),
                Line::raw(start, stop, Origin::Written),
            ],
        };
        for line in self.scratch.lines.iter().chain(&tail) {
            if line.origin == run.origin && line.text.start == run.end {
                run.end = line.text.end;
            } else {
                copy(&run);
                run = Run::of(line);
            }
        }
        copy(&run);
    }

    /// Appends the line of the header at a place to *out*, folds and line end included.
    pub(super) fn copy_line(&self, at: usize, out: &mut Vec<u8>) {
        if let Some(line) = self.scratch.lines.get(at) {
            out.extend_from_slice(self.text(line, line.text.start, line.text.end));
        }
    }

    fn insert(&mut self, at: usize, name: HeaderName<'_>, value: &[u8]) -> bool {
        is_header_value(value) && self.insert_with(at, name, |out| out.extend_from_slice(scan::trim(value)))
    }

    fn insert_with(&mut self, at: usize, name: HeaderName<'_>, fill: impl FnOnce(&mut Vec<u8>)) -> bool {
        if !scan::is_token(name.text) {
            return false;
        }
        let DraftScratch { lines, written, .. } = &mut *self.scratch;
        let start = written.len();
        written.extend_from_slice(name.text);
        let line = finish_line(written, start, name.id, fill);
        let value = written.get(line.text.value_start as usize..line.text.value_end as usize);
        if !value.is_some_and(is_header_value) {
            written.truncate(start);
            return false;
        }
        lines.insert(at.min(lines.len()), line);
        self.repeated |= self.present & name.id.bit();
        self.present |= name.id.bit();
        true
    }

    fn position(&self, name: HeaderName<'_>) -> Option<usize> {
        if !self.has_any(name.id.bit()) {
            return None;
        }
        self.scratch.lines.iter().position(|line| self.has_name(line, name))
    }

    fn last(&self, name: HeaderName<'_>) -> Option<usize> {
        if !self.has_any(name.id.bit()) {
            return None;
        }
        self.scratch.lines.iter().rposition(|line| self.has_name(line, name))
    }

    fn has_name(&self, line: &Line, name: HeaderName<'_>) -> bool {
        line.text.id == name.id
            && (name.id != HeaderId::Other
                || self.text(line, line.text.start, line.text.name_end).eq_ignore_ascii_case(name.text))
    }

    fn view(&self, at: usize, line: &Line) -> DraftHeader<'_> {
        view(self.message.bytes(), &self.scratch.written, at, line)
    }

    fn text(&self, line: &Line, start: u32, end: u32) -> &[u8] {
        match line.origin {
            Origin::Received => slice(self.message.bytes(), start, end),
            Origin::Written => slice(&self.scratch.written, start, end),
        }
    }
}

impl Line {
    /// A line without a name: the start line, or the end of the message.
    const fn raw(start: u32, end: u32, origin: Origin) -> Self {
        let text = HeaderEntry {
            start,
            name_end: start,
            value_start: start,
            value_end: start,
            end,
            id: HeaderId::Other,
        };
        Self { text, origin }
    }
}

/// Neighbouring lines of one origin.
struct Run {
    origin: Origin,
    start: u32,
    end: u32,
}

impl Run {
    const fn of(line: &Line) -> Self {
        Self { origin: line.origin, start: line.text.start, end: line.text.end }
    }
}

/// Completes a line whose name has just been written at *start*.
fn finish_line(written: &mut Vec<u8>, start: usize, id: HeaderId, fill: impl FnOnce(&mut Vec<u8>)) -> Line {
    let name_end = written.len() as u32;
    written.extend_from_slice(b": ");
    let value_start = written.len() as u32;
    fill(written);
    let value_end = written.len() as u32;
    written.extend_from_slice(b"\r\n");
    let text =
        HeaderEntry { start: start as u32, name_end, value_start, value_end, end: written.len() as u32, id };
    Line { text, origin: Origin::Written }
}

fn view<'d>(received: &'d [u8], written: &'d [u8], at: usize, line: &Line) -> DraftHeader<'d> {
    let source = if line.origin == Origin::Received { received } else { written };
    let HeaderEntry { start, name_end, value_start, value_end, id, .. } = line.text;
    DraftHeader { at, id, name: slice(source, start, name_end), value: slice(source, value_start, value_end) }
}

fn slice(bytes: &[u8], start: u32, end: u32) -> &[u8] {
    bytes.get(start as usize..end as usize).unwrap_or_default()
}

/// Returns where *part* begins in *whole*, which it was cut from.
pub(super) fn offset(whole: &[u8], part: &[u8]) -> u32 {
    (part.as_ptr().addr() - whole.as_ptr().addr()) as u32
}

#[cfg(test)]
mod tests;
