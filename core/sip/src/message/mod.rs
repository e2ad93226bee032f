//! One SIP message: the received bytes and an index over them (RFC 3261 §7).
//!
//! [`crate::parse::parse`] makes the index in one pass. Everything here is a view: a [`Header`] names bytes, a typed value
//! ([`Via`], [`NameAddr`], [`CSeq`], [`Uri`]) is read from them when somebody asks, and nothing is copied or unescaped. What
//! this module does not know is what to do with a message.

#![deny(clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects)]

pub(crate) mod body;
pub mod cseq;
pub mod header_id;
pub mod index;
pub mod method;
pub(crate) mod multipart;
pub mod name_addr;
pub mod overload;
pub mod params;
pub mod uri;
pub mod values;
pub mod via;

use std::cell::Cell;
use std::ops::Range;

pub use cseq::CSeq;
pub use header_id::HeaderId;
pub use index::HeaderIndex;
use index::{AddressEntry, UriEntry, ViaEntry};
pub(crate) use index::{HeaderEntry, Span, StartEntry};
pub use method::Method;
pub use name_addr::NameAddr;
pub use overload::Feedback;
pub use params::{Param, Params, ParamsIter};
pub use uri::{Uri, UriKind};
pub(crate) use uri::{has_scheme, is_emergency};
pub use values::{HeaderValue, elements};
pub use via::Via;
pub(crate) use via::is_overload;

use crate::parse::scan;

/// What is wrong with the value of a header or with a URI, in words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct SyntaxError(pub &'static str);

/// How a header failed its reader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeaderProblem {
    /// It is not there.
    Missing,
    /// It breaks its grammar.
    Malformed,
}

/// A header that was asked for and cannot be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}: {text}", id.name())]
pub struct HeaderError {
    /// Which one.
    pub id: HeaderId,
    /// Missing or malformed.
    pub problem: HeaderProblem,
    /// What is wrong, in words.
    pub text: &'static str,
}

/// The first line of a request (§7.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestLine<'a> {
    /// The method.
    pub method: Method<'a>,
    /// The Request-URI as written.
    pub uri: &'a [u8],
}

/// The first line of a response (§7.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StatusLine<'a> {
    /// 100 to 699.
    pub code: u16,
    /// The reason phrase; may be empty, may be UTF-8.
    pub phrase: &'a [u8],
}

/// The first line of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StartLine<'a> {
    /// Of a request.
    Request(RequestLine<'a>),
    /// Of a response.
    Response(StatusLine<'a>),
}

/// One header: a name and a value, over one line or several folded ones.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header<'a> {
    /// The name, if it is a known one.
    pub id: HeaderId,
    /// The name as written.
    pub name: &'a [u8],
    /// The value without the blanks around it; folds inside stand as they are (CRLF and a blank, §7.3.1).
    pub value: &'a [u8],
    /// Its bytes in the message, from the name to behind the last line end.
    pub line: Range<usize>,
    /// Which header of the message it is, from 0.
    pub index: usize,
}

/// One message. Cheap to copy.
#[derive(Clone, Copy, Debug)]
pub struct Message<'a> {
    bytes: &'a [u8],
    index: &'a HeaderIndex,
}

impl<'a> Message<'a> {
    /// Returns the message: without line ends before it and without what Content-Length leaves over behind it.
    pub const fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// Returns the first line.
    pub fn start_line(&self) -> StartLine<'a> {
        match self.index.start_line {
            StartEntry::Request { method_end, uri_start, uri_end } => StartLine::Request(RequestLine {
                method: Method::from_bytes(self.slice(0, method_end)),
                uri: self.slice(uri_start, uri_end),
            }),
            StartEntry::Response { code, phrase_start, phrase_end } => {
                StartLine::Response(StatusLine { code, phrase: self.slice(phrase_start, phrase_end) })
            }
        }
    }

    /// Returns where the first line is, its line end included.
    pub fn start_line_range(&self) -> Range<usize> {
        0..self.index.start_line_end as usize
    }

    /// Returns the first line of a request.
    pub fn request(&self) -> Option<RequestLine<'a>> {
        match self.start_line() {
            StartLine::Request(line) => Some(line),
            StartLine::Response(_) => None,
        }
    }

    /// Reads the Request-URI; a response has none.
    pub fn request_uri(&self) -> Result<Uri<'a>, SyntaxError> {
        if let Some(read) = self.index.typed.request_uri.get() {
            return Ok(self.uri_at(&read));
        }
        let uri = Uri::parse(self.request().map_or(&[], |line| line.uri))?;
        self.index.typed.request_uri.set(Some(UriEntry {
            kind: uri.kind,
            scheme: self.span_of(uri.scheme),
            user: uri.user.map(|part| self.span_of(part)),
            password: uri.password.map(|part| self.span_of(part)),
            host: self.span_of(uri.host),
            port: uri.port,
            params: self.span_of(uri.params.0),
            headers: uri.headers.map(|part| self.span_of(part)),
            opaque: self.span_of(uri.opaque),
        }));
        Ok(uri)
    }

    /// Returns the first line of a response.
    pub fn status(&self) -> Option<StatusLine<'a>> {
        match self.start_line() {
            StartLine::Response(line) => Some(line),
            StartLine::Request(_) => None,
        }
    }

    /// Walks over all headers in their order.
    pub fn headers(&self) -> impl Iterator<Item = Header<'a>> + use<'a> {
        let message = *self;
        self.index.entries.iter().enumerate().map(move |(index, entry)| message.header(index, entry))
    }

    /// Returns the header at a position.
    pub fn header_at(&self, index: usize) -> Option<Header<'a>> {
        self.index.entries.get(index).map(|entry| self.header(index, entry))
    }

    /// Returns how many headers there are.
    pub fn header_count(&self) -> usize {
        self.index.entries.len()
    }

    /// Returns the first header of that name.
    pub fn first(&self, id: HeaderId) -> Option<Header<'a>> {
        self.index.first(id).and_then(|at| self.header_at(at))
    }

    /// Walks over the headers of that name in their order.
    pub fn all(&self, id: HeaderId) -> impl Iterator<Item = Header<'a>> + use<'a> {
        let message = *self;
        let mut next = self.index.first(id);
        std::iter::from_fn(move || {
            let at = next?;
            next = message.next_of(id, at);
            message.header_at(at)
        })
    }

    /// Returns how many headers (not values) of that name there are.
    pub fn count(&self, id: HeaderId) -> usize {
        self.all(id).count()
    }

    /// Walks over the headers of a name given as bytes, known or not; long and compact form are the same.
    pub fn by_name<'n>(&self, name: &'n [u8]) -> impl Iterator<Item = Header<'a>> + use<'a, 'n> {
        let id = HeaderId::from_name(name);
        self.all(id).filter(move |header| id != HeaderId::Other || header.name.eq_ignore_ascii_case(name))
    }

    /// Walks over the values of a header that is a list: comma-separated ones in a line, and line after line (§7.3.1).
    pub fn values(&self, id: HeaderId) -> Values<'a> {
        Values { message: *self, id, next: self.index.first(id), header: 0, rest: None }
    }

    /// The position of the next header of that name behind a position.
    fn next_of(&self, id: HeaderId, at: usize) -> Option<usize> {
        if self.index.repeated & id.bit() == 0 {
            return None; // most headers stand once: no need to look at the rest
        }
        let from = at.saturating_add(1);
        let rest = self.index.entries.get(from..)?;
        rest.iter().position(|entry| entry.id == id).map(|found| from.saturating_add(found))
    }

    /// Returns the offset of the blank line behind the headers.
    pub fn headers_end(&self) -> usize {
        self.index.headers_end as usize
    }

    /// Returns the body, cut to Content-Length; without that header a datagram is the body to its end (§18.3).
    pub fn body(&self) -> &'a [u8] {
        self.bytes.get(self.index.body_start as usize..).unwrap_or_default()
    }

    /// Reads the first Via.
    pub fn top_via(&self) -> Result<Via<'a>, HeaderError> {
        if let Some(read) = self.index.typed.via.get() {
            return Ok(self.via_at(&read));
        }
        let header = self.need(HeaderId::Via)?;
        let value = elements(header.value).next().unwrap_or_default();
        let via = Via::parse(value).map_err(malformed(HeaderId::Via))?;
        self.index.typed.via.set(Some(ViaEntry {
            transport: self.span_of(via.transport),
            host: self.span_of(via.host),
            port: via.port,
            params: self.span_of(via.params.0),
            branch: via.branch.map(|branch| self.span_of(branch)),
            received: via.received.map(|received| self.span_of(received)),
            has_rport: via.has_rport,
            rport: via.rport,
            has_overload: via.has_overload,
        }));
        Ok(via)
    }

    /// Reads `CSeq`.
    pub fn cseq(&self) -> Result<CSeq<'a>, HeaderError> {
        CSeq::parse(self.need(HeaderId::CSeq)?.value).map_err(malformed(HeaderId::CSeq))
    }

    /// Reads From.
    pub fn from(&self) -> Result<NameAddr<'a>, HeaderError> {
        self.address(HeaderId::From, &self.index.typed.from)
    }

    /// Reads To.
    pub fn to(&self) -> Result<NameAddr<'a>, HeaderError> {
        self.address(HeaderId::To, &self.index.typed.to)
    }

    /// Reads Call-ID: one word, case-sensitive (§20.8).
    pub fn call_id(&self) -> Result<&'a [u8], HeaderError> {
        let value = self.need(HeaderId::CallId)?.value;
        if value.is_empty() || !scan::all(value, |byte| byte.is_ascii_graphic()) {
            return Err(malformed(HeaderId::CallId)(SyntaxError(
                "Call-ID is one word of visible ASCII characters",
            )));
        }
        Ok(value)
    }

    /// Reads Max-Forwards: 0 to 255 (§20.22); `None` if it is not there.
    pub fn max_forwards(&self) -> Result<Option<u32>, HeaderError> {
        let Some(header) = self.first(HeaderId::MaxForwards) else { return Ok(None) };
        match scan::number(header.value) {
            Some(number) if number <= 255 => Ok(Some(number)),
            _ => Err(malformed(HeaderId::MaxForwards)(SyntaxError("Max-Forwards is a number from 0 to 255"))),
        }
    }

    /// Reads Content-Length (§20.14); `None` if it is not there.
    pub fn content_length(&self) -> Result<Option<usize>, HeaderError> {
        let Some(header) = self.first(HeaderId::ContentLength) else { return Ok(None) };
        match scan::number(header.value).map(usize::try_from) {
            Some(Ok(number)) => Ok(Some(number)),
            _ => Err(malformed(HeaderId::ContentLength)(SyntaxError(
                "Content-Length is a number less than 2^32",
            ))),
        }
    }

    /// What the index noted.
    pub(crate) const fn index(&self) -> &'a HeaderIndex {
        self.index
    }

    fn address(&self, id: HeaderId, read: &Cell<Option<AddressEntry>>) -> Result<NameAddr<'a>, HeaderError> {
        if let Some(read) = read.get() {
            return Ok(self.address_at(&read));
        }
        let address = NameAddr::parse(self.need(id)?.value).map_err(malformed(id))?;
        read.set(Some(AddressEntry {
            display: self.span_of(address.display),
            uri: self.span_of(address.uri),
            params: self.span_of(address.params.0),
            bracketed: address.bracketed,
            tag: address.tag.map(|tag| self.span_of(tag)),
        }));
        Ok(address)
    }

    fn uri_at(&self, read: &UriEntry) -> Uri<'a> {
        Uri {
            kind: read.kind,
            scheme: self.part(read.scheme),
            user: read.user.map(|part| self.part(part)),
            password: read.password.map(|part| self.part(part)),
            host: self.part(read.host),
            port: read.port,
            params: Params(self.part(read.params)),
            headers: read.headers.map(|part| self.part(part)),
            opaque: self.part(read.opaque),
        }
    }

    fn via_at(&self, read: &ViaEntry) -> Via<'a> {
        Via {
            transport: self.part(read.transport),
            host: self.part(read.host),
            port: read.port,
            params: Params(self.part(read.params)),
            branch: read.branch.map(|branch| self.part(branch)),
            received: read.received.map(|received| self.part(received)),
            has_rport: read.has_rport,
            rport: read.rport,
            has_overload: read.has_overload,
        }
    }

    fn address_at(&self, read: &AddressEntry) -> NameAddr<'a> {
        NameAddr {
            display: self.part(read.display),
            uri: self.part(read.uri),
            params: Params(self.part(read.params)),
            bracketed: read.bracketed,
            tag: read.tag.map(|tag| self.part(tag)),
        }
    }

    /// Where *part*, a piece of the message, stands in it. An empty one may stand anywhere.
    pub(crate) fn span_of(&self, part: &[u8]) -> Span {
        let start = part.as_ptr().addr().wrapping_sub(self.bytes.as_ptr().addr()) as u32;
        Span { start, end: start.saturating_add(part.len() as u32) }
    }

    #[inline]
    fn part(&self, span: Span) -> &'a [u8] {
        span.of(self.bytes)
    }

    fn need(&self, id: HeaderId) -> Result<Header<'a>, HeaderError> {
        self.first(id).ok_or(HeaderError { id, problem: HeaderProblem::Missing, text: "is missing" })
    }

    #[inline]
    fn header(&self, index: usize, entry: &HeaderEntry) -> Header<'a> {
        Header {
            id: entry.id,
            name: self.slice(entry.start, entry.name_end),
            value: self.slice(entry.value_start, entry.value_end),
            line: entry.start as usize..entry.end as usize,
            index,
        }
    }

    #[inline]
    fn slice(&self, start: u32, end: u32) -> &'a [u8] {
        self.bytes.get(start as usize..end as usize).unwrap_or_default()
    }
}

/// Iterator of [`Message::values`].
#[derive(Clone, Debug)]
pub struct Values<'a> {
    message: Message<'a>,
    id: HeaderId,
    /// The header behind the one that is walked over.
    next: Option<usize>,
    header: usize,
    rest: Option<&'a [u8]>,
}

impl<'a> Iterator for Values<'a> {
    type Item = HeaderValue<'a>;

    fn next(&mut self) -> Option<HeaderValue<'a>> {
        loop {
            if let Some(value) = values::next_element(&mut self.rest) {
                return Some(HeaderValue { value, header: self.header });
            }
            let at = self.next?;
            self.next = self.message.next_of(self.id, at);
            self.header = at;
            // A value has no blanks around it.
            self.rest =
                self.message.header_at(at).map(|header| header.value).filter(|value| !value.is_empty());
        }
    }
}

fn malformed(id: HeaderId) -> impl Fn(SyntaxError) -> HeaderError {
    move |SyntaxError(text)| HeaderError { id, problem: HeaderProblem::Malformed, text }
}
