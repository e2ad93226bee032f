//! What two operators agreed on of the contents of messages (TS 24.229 §5.10.6, TS 29.165 §6.1): refuse, remove, or let pass.
//!
//! A request is refused for what it holds before anything else is done with it. What is removed is gone before rules look at
//! the request. ACK and BYE are never refused, nor is a response: they go on without what they may not carry, since one cannot be
//! answered, the second ends a call, and the third would leave the caller waiting.

use crate::message::{HeaderId, Method, elements};
use crate::reason::Reason;
use crate::rewrite::Draft;
use crate::snapshot::SnapshotError;
use crate::snapshot::document::{self, Act, NumberScreening};
use crate::trace::{Stage, Step, Trace};

use super::addresses::Addresses;
use super::bodies::Bodies;
use super::headers::Headers;
use super::options::Options;
use super::{Rejection, Screened};
use super::{identity, numbers};

/// The screening of one agreement, ready to run.
#[derive(Debug)]
pub struct Screening {
    headers: Option<Headers>,
    bodies: Option<Bodies>,
    addresses: Option<Addresses>,
    options: Option<Options>,
    numbers: Option<NumberScreening>,
    identity: Act,
}

impl Screening {
    /// Compiles the section at *place* of an agreement with bodies of so many bytes at most.
    ///
    /// # Errors
    ///
    /// A name or value that cannot be screened.
    pub fn compile(
        document: &document::Screening,
        body_bytes_max: Option<usize>,
        place: &str,
    ) -> Result<Self, SnapshotError> {
        let headers = document.headers.as_ref();
        let headers =
            headers.map(|headers| Headers::compile(headers, &format!("{place}.headers"))).transpose()?;
        let bodies = document.bodies.as_ref();
        let bodies = bodies
            .map(|bodies| Bodies::compile(bodies, body_bytes_max, &format!("{place}.bodies")))
            .transpose()?;
        let addresses = document.addresses.as_ref();
        let addresses = addresses
            .map(|addresses| Addresses::compile(addresses, &format!("{place}.addresses")))
            .transpose()?;
        Ok(Self {
            headers,
            bodies,
            addresses,
            options: document.options.as_ref().map(Options::compile),
            numbers: document.numbers,
            identity: document.identity,
        })
    }

    /// Refuses a request for what it holds; never one that cannot be refused.
    pub(super) fn check(&self, screened: &Screened<'_>) -> Result<(), Rejection> {
        let method = screened.request.method;
        if !may_refuse(method) {
            return Ok(());
        }
        if let Some(headers) = &self.headers {
            headers.check(screened.message, method)?;
        }
        if let Some(options) = &self.options {
            options.check(screened.message)?;
        }
        if let Some(agreed) = self.numbers {
            numbers::check(agreed, screened.message)?;
        }
        if self.identity == Act::Refuse
            && let Some(id) = identity::malformed(screened.message).next()
        {
            return Err(Rejection::new(Reason::Identity).because(id.name().as_bytes()));
        }
        if let Some(bodies) = &self.bodies {
            bodies.check(screened.message)?;
        }
        self.addresses.as_ref().map_or(Ok(()), |addresses| addresses.check(screened.message))
    }

    /// Is a body that is too long removed instead of refused?
    pub(super) fn removes_oversized(&self) -> bool {
        self.bodies.as_ref().is_some_and(Bodies::removes_oversized)
    }

    /// Takes out of a message that came from the peer what may not stand in it; tells whether there was anything.
    pub(crate) fn clean(&self, draft: &mut Draft<'_>, agreement: &str, trace: &mut Trace) -> bool {
        let mut removed = Removed::new(agreement, trace);
        if let Some(headers) = &self.headers {
            headers.clean(draft, &mut removed);
        }
        if let Some(options) = &self.options {
            options.clean(draft, &mut removed);
        }
        if self.identity != Act::Pass {
            for id in identity::malformed(&draft.message()) {
                if draft.remove_all(id) > 0 {
                    removed.header(id.name().as_bytes(), Reason::Identity.entry().clause);
                }
            }
        }
        if let Some(bodies) = &self.bodies {
            let request = draft.message().request();
            bodies.clean(draft, request.is_some_and(|request| may_refuse(request.method)), &mut removed);
        }
        removed.count > 0
    }

    /// Takes the headers that are not agreed out of a message that goes to the peer (SC-06).
    pub(crate) fn leave_out(&self, draft: &mut Draft<'_>, agreement: &str, trace: &mut Trace) {
        if let Some(headers) = &self.headers {
            headers.leave_out(draft, &mut Removed::new(agreement, trace));
        }
    }
}

/// May a request be answered with a refusal, and is it better then?
const fn may_refuse(method: Method<'_>) -> bool {
    !matches!(method, Method::Ack | Method::Bye)
}

/// Leaves of the values of a header those that *`is_kept`* takes; of one without any left nothing.
pub(super) fn keep_values(
    draft: &mut Draft<'_>,
    id: HeaderId,
    is_kept: impl Fn(&[u8]) -> bool,
    removed: &mut Removed<'_>,
    clause: &'static str,
) {
    let is_meant = |value: &&[u8]| !value.is_empty() && !is_kept(value);
    let mut at = 0;
    while let Some(header) = draft.header_at(at) {
        if header.id != id || !elements(header.value).any(|value| is_meant(&value)) {
            at += 1;
            continue;
        }
        for value in elements(header.value).filter(is_meant) {
            removed.value(header.name, value, clause);
        }
        let is_edited = draft.edit_value(at, |value, out| {
            for value in elements(value).filter(|value| !value.is_empty() && is_kept(value)) {
                out.extend_from_slice(if out.is_empty() { b"" } else { b", " });
                out.extend_from_slice(value);
            }
            !out.is_empty()
        });
        if !is_edited {
            draft.retain(id.bit(), |header| header.at != at);
        }
    }
}

/// Hears of everything that is removed, and tells the trace.
pub(super) struct Removed<'t> {
    agreement: &'t str,
    trace: &'t mut Trace,
    count: usize,
}

impl<'t> Removed<'t> {
    pub(super) fn new(agreement: &'t str, trace: &'t mut Trace) -> Self {
        Self { agreement, trace, count: 0 }
    }

    pub(super) fn header(&mut self, name: &[u8], clause: &'static str) {
        self.thing(clause, || String::from_utf8_lossy(name).into_owned());
    }

    fn value(&mut self, name: &[u8], value: &[u8], clause: &'static str) {
        self.thing(clause, || {
            format!("{}: {}", String::from_utf8_lossy(name), String::from_utf8_lossy(value))
        });
    }

    pub(super) fn thing(&mut self, clause: &'static str, detail: impl FnOnce() -> String) {
        self.count += 1;
        self.trace.step(|| Step {
            stage: Stage::Screen,
            rule: Some(self.agreement.to_owned()),
            outcome: "removed",
            detail: detail(),
            clause: Some(clause),
        });
    }
}
