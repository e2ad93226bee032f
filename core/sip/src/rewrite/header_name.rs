//! The names of headers, as edits say them.

use crate::message::HeaderId;

/// A header name to look for or to write: a [`HeaderId`], or any name as text (compact forms are their long ones).
#[derive(Clone, Copy, Debug)]
pub struct HeaderName<'n> {
    pub(super) id: HeaderId,
    pub(super) text: &'n [u8],
}

impl From<HeaderId> for HeaderName<'static> {
    fn from(id: HeaderId) -> Self {
        Self { id, text: id.name().as_bytes() }
    }
}

impl<'n> From<&'n [u8]> for HeaderName<'n> {
    fn from(text: &'n [u8]) -> Self {
        Self { id: HeaderId::from_name(text), text }
    }
}

impl<'n, const N: usize> From<&'n [u8; N]> for HeaderName<'n> {
    fn from(text: &'n [u8; N]) -> Self {
        Self::from(text.as_slice())
    }
}

impl<'n> From<&'n str> for HeaderName<'n> {
    fn from(text: &'n str) -> Self {
        Self::from(text.as_bytes())
    }
}

impl<'n> HeaderName<'n> {
    /// Returns the name as it was given, or as its RFC writes it.
    pub const fn text(&self) -> &'n [u8] {
        self.text
    }

    /// Returns the id.
    pub const fn id(&self) -> HeaderId {
        self.id
    }

    /// Is it the name of a header with that id, written so?
    pub(super) fn matches(&self, id: HeaderId, name: &[u8]) -> bool {
        id == self.id && (id != HeaderId::Other || name.eq_ignore_ascii_case(self.text))
    }
}
