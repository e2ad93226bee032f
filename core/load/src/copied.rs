//! What a response takes over from its request (RFC 3261 §8.2.6.2): Via, From, To, Call-ID, CSeq; and the lists that a
//! UAS copies: Record-Route (§12.1.1), Path (RFC 3327 §5.3).

use ibcf_sip::message::{Header, HeaderId, Message};

/// The lines, as they came. Its room is used again.
#[derive(Clone, Debug, Default)]
pub(crate) struct Copied {
    bytes: Vec<u8>,
    vias: usize,
    record_routes: usize,
    identity: usize,
    paths: usize,
}

impl Copied {
    /// Takes the lines out of *request*.
    pub(crate) fn take(&mut self, request: &Message<'_>) {
        self.bytes.clear();
        self.vias = self.append(request, &[HeaderId::Via]);
        self.record_routes = self.append(request, &[HeaderId::RecordRoute]);
        self.identity = self.append(request, &[HeaderId::From, HeaderId::CallId, HeaderId::CSeq]);
        self.paths = self.append(request, &[HeaderId::Path]);
        if let Some(to) = request.first(HeaderId::To) {
            self.bytes.extend_from_slice(b"To: ");
            self.bytes.extend_from_slice(to.value);
        }
    }

    fn append(&mut self, request: &Message<'_>, ids: &[HeaderId]) -> usize {
        let line = |header: &Header<'_>| request.bytes().get(header.line.clone()).unwrap_or_default();
        for id in ids {
            for header in request.all(*id) {
                self.bytes.extend_from_slice(line(&header));
            }
        }
        self.bytes.len()
    }

    pub(crate) fn vias(&self) -> &[u8] {
        &self.bytes[..self.vias]
    }

    pub(crate) fn record_routes(&self) -> &[u8] {
        &self.bytes[self.vias..self.record_routes]
    }

    /// From, Call-ID and CSeq.
    pub(crate) fn identity(&self) -> &[u8] {
        &self.bytes[self.record_routes..self.identity]
    }

    pub(crate) fn paths(&self) -> &[u8] {
        &self.bytes[self.identity..self.paths]
    }

    /// The To without its line end, so that a tag can follow.
    pub(crate) fn to(&self) -> &[u8] {
        &self.bytes[self.paths..]
    }
}
