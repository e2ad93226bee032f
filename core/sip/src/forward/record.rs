//! The charging record of a request that is over (TS 32.260 §5.2.1, CH-10 to CH-17): exactly one for each that was admitted.

use std::borrow::Cow;

use crate::border::{Border, Scope};
use crate::event::{Attempt, CallRecord, Event, Neighbour, Outcome, PackedRecord, RecordKind};
use crate::message::{HeaderId, Message, Method, NameAddr, Span};
use crate::reason::Reason;
use crate::snapshot::{Direction, PeerIndex, Snapshot};

use smallvec::SmallVec;

use super::{RequestContext, Tried};

impl Border {
    /// Writes the record of a request that did not become a call, if it is of a kind that makes one, and counts it.
    pub(super) fn write_record(
        &mut self,
        context: &mut RequestContext,
        status: u16,
        reason: Option<Reason>,
        outcome: Outcome,
        scope: &mut Scope<'_>,
    ) {
        context.place = None;
        context.limiter_places.clear();
        for branch in &mut context.branches {
            branch.place = None;
        }
        if !context.is_initial {
            return;
        }
        if context.is_invite() {
            self.peer_shard_of(context).attempt(context.direction(), outcome);
        }
        if record_kind(context.method()).is_some() {
            let record = make_record(context, status, reason, outcome, scope);
            let packed = PackedRecord::pack(&record, &mut self.record_text);
            scope.out.events.push(Event::CallFinished(packed));
        }
    }
}

/// Puts the record together from the stored request and what was learned on the way.
pub(super) fn make_record<'a>(
    context: &'a RequestContext,
    status: u16,
    reason: Option<Reason>,
    outcome: Outcome,
    scope: &Scope<'_>,
) -> CallRecord<'a> {
    let snapshot = &context.generation.snapshot;
    let name = |peer: PeerIndex| Cow::Borrowed(&*snapshot.peer(peer).id);
    CallRecord {
        record: record_kind(context.method()).unwrap_or(RecordKind::Event),
        method: context.method().as_str().into(),
        call_id: text(context.named.call_id.of(&context.request)),
        icid: context.facts.icid.as_deref().map(Cow::Borrowed),
        orig_ioi: context.facts.orig_ioi.as_deref().map(Cow::Borrowed),
        term_ioi: context.facts.term_ioi.as_deref().map(Cow::Borrowed),
        session_id: context.named.session_id.map(|span| text(span.of(&context.request))),
        peer_in: name(context.upstream),
        peer_out: context.facts.peer_out.map(name),
        neighbour: neighbour(context),
        direction: context.direction().name(),
        calling: calling(context),
        from: text(context.named.from.of(&context.request)),
        called: text(super::context::received_uri(&context.request)),
        request_uri_out: context.facts.request_uri_out.as_deref().map(Cow::Borrowed),
        number: context.decision.number_now().map(|number| Cow::Borrowed(number.as_str())),
        enum_class: context.decision.answer.as_ref().map(|answer| answer.class.as_str().into()),
        route: context.rule().map(Cow::Borrowed),
        tags: tags(context),
        outcome,
        status,
        reason: reason.map(Reason::id),
        source: reason.map(|reason| reason.entry().source),
        attempts: context.facts.attempts.iter().map(|tried| attempt(tried, snapshot)).collect(),
        start_ms: context.arrival.unix_ms,
        ring_ms: context.facts.ring_ms,
        answer_ms: None,
        end_ms: scope.now.unix_ms,
        released_by: None,
        release_reason: context
            .cancelled
            .as_ref()
            .and_then(|cancelled| cancelled.header.as_deref())
            .map(text),
        generation: snapshot.generation,
    }
}

/// The names that rules gave it.
fn tags(context: &RequestContext) -> SmallVec<[Cow<'_, str>; 2]> {
    let names = context.generation.snapshot.routes.tags();
    let given = context.decision.tags.iter().filter_map(|tag| names.get(usize::from(*tag)));
    given.map(|name| Cow::Borrowed(name.as_str())).collect()
}

/// Who calls, where the peer is believed.
fn calling(context: &RequestContext) -> SmallVec<[Cow<'_, str>; 2]> {
    if !context.generation.snapshot.agreement(context.upstream).trusted {
        return SmallVec::new();
    }
    let identities = context.named.identities.iter();
    let identities = identities.filter_map(|value| NameAddr::parse(value.of(&context.request)).ok());
    identities.map(|identity| text(identity.uri)).collect()
}

/// Where in the stored request the names stand that its record has.
#[derive(Clone, Debug, Default)]
pub(crate) struct Named {
    pub(super) call_id: Span,
    from: Span,
    session_id: Option<Span>,
    /// The values of P-Asserted-Identity.
    identities: SmallVec<[Span; 2]>,
}

impl Named {
    pub(super) fn find(message: &Message<'_>) -> Self {
        let identities = message.values(HeaderId::PAssertedIdentity);
        Self {
            call_id: message.span_of(message.call_id().unwrap_or_default()),
            from: message.span_of(message.from().map(|from| from.uri).unwrap_or_default()),
            session_id: message.first(HeaderId::SessionId).map(|header| message.span_of(header.value)),
            identities: identities.map(|value| message.span_of(value.value)).collect(),
        }
    }

    /// Cuts *request* down to its first line and these names.
    pub(super) fn shorten(&mut self, request: &[u8]) -> Box<[u8]> {
        let line_end = memchr::memchr(b'\r', request).unwrap_or(request.len());
        let mut kept = request.get(..line_end).unwrap_or_default().to_vec();
        let spans = [&mut self.call_id, &mut self.from].into_iter().chain(&mut self.session_id);
        for span in spans.chain(&mut self.identities) {
            let start = kept.len() as u32;
            kept.extend_from_slice(span.of(request));
            *span = Span { start, end: kept.len() as u32 };
        }
        kept.into_boxed_slice()
    }
}

/// The other network, as it was when this began: a reload changes nothing of what was agreed for this request.
fn neighbour(context: &RequestContext) -> Option<Neighbour> {
    let facts = &context.facts;
    let is_exit = context.direction() == Direction::Exit;
    let peer = if is_exit { facts.peer_out? } else { context.upstream };
    let tried = facts.attempts.iter().rfind(|tried| is_exit && tried.peer == peer);
    Some(Neighbour {
        trusted: context.generation.snapshot.agreement(peer).trusted,
        address: tried.map(|tried| tried.place.address),
    })
}

fn attempt<'a>(tried: &'a Tried, snapshot: &'a Snapshot) -> Attempt<'a> {
    Attempt {
        peer: snapshot.peer(tried.peer).id.as_str().into(),
        target: tried.place.id.as_str().into(),
        status: tried.status,
        phrase: tried.phrase.as_deref().map(Cow::Borrowed),
        cause: tried.cause.as_deref().map(Cow::Borrowed),
        reason: tried.reason.map(Reason::id),
    }
}

fn record_kind(method: Method<'_>) -> Option<RecordKind> {
    match method {
        Method::Invite => Some(RecordKind::Call),
        Method::Message
        | Method::Subscribe
        | Method::Publish
        | Method::Refer
        | Method::Notify
        | Method::Register => Some(RecordKind::Event),
        _ => None,
    }
}

/// Text for records: what is not UTF-8 is replaced, since a record must always be writable.
pub(super) fn text(bytes: &[u8]) -> Cow<'_, str> {
    match std::str::from_utf8(bytes) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => String::from_utf8_lossy(bytes), // which looks at a byte after the other
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_borrowed_unless_it_is_broken() {
        assert!(matches!(text("später".as_bytes()), Cow::Borrowed("später")));
        assert_eq!(text(b"sp\xe4ter"), "sp\u{fffd}ter");
    }
}
