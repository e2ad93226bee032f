//! A 3xx: passed back, refused, or followed where the policy leads (RFC 3261 §16.7 (4), PX-23, EX-24, EN-38).
//!
//! Whom a Contact names is the far side's word, so it is only a new Request-URI: the rules of the policy decide about it from
//! the first on, as about a request that came with it. What leaves goes to peers of the configuration and nobody else; an
//! address must be that of a peer's target.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::border::{Border, Generation, Scope};
use crate::decide::{self, CachedAnswer, Target};
use crate::message::{HeaderId, Message, NameAddr, Uri};
use crate::reason::Reason;
use crate::snapshot::{PeerIndex, Redirects};
use crate::trace::Stage;
use crate::transaction::SlotId;

use super::context::received_uri;
use super::stream::transport_of;
use super::{BestResponse, Changed, RequestContext};

/// So many Contacts are followed for one request, over all its 3xx.
const CONTACTS_MAX: usize = 5;

/// The Contacts that a request follows.
#[derive(Debug, Default)]
pub(crate) struct Following {
    pending: VecDeque<String>,
    current: Option<String>,
    /// Every URI that the request was or is to be sent to: none is followed twice.
    seen: Vec<String>,
    taken: usize,
    /// What ENUM had said before.
    answer: Option<Arc<CachedAnswer>>,
    /// What rules had changed before.
    changed: Option<Box<Changed>>,
    /// The 3xx: it goes back after all when none of its Contacts leads anywhere.
    original: Option<BestResponse>,
}

impl Following {
    pub(super) fn current(&self) -> Option<&[u8]> {
        self.current.as_deref().map(str::as_bytes)
    }

    /// ENUM led on from the Contact.
    pub(super) fn replace(&mut self, candidates: impl DoubleEndedIterator<Item = String>) {
        for uri in candidates.rev() {
            self.pending.push_front(uri);
        }
        self.current = self.pending.pop_front();
    }

    /// A branch went out: there is something better to pass back than the 3xx.
    pub(super) fn sent(&mut self) {
        if self.current.is_some() {
            self.original = None;
        }
    }
}

/// What becomes of a 3xx.
#[derive(Debug)]
pub(super) enum Redirected {
    /// It is a response like others.
    Pass(BestResponse),
    /// Its Contacts are tried instead.
    Followed,
}

impl Border {
    /// Judges a final response of *branch*: is it a 3xx that does not go back as it is?
    pub(super) fn redirected(
        &self,
        context: &mut RequestContext,
        response: BestResponse,
        message: &Message<'_>,
        scope: &mut Scope<'_>,
    ) -> Redirected {
        if !context.is_initial || !(300..400).contains(&response.status) {
            return Redirected::Pass(response);
        }
        match context.choice().map_or(Redirects::Pass, |choice| choice.redirects) {
            Redirects::Pass => Redirected::Pass(response),
            Redirects::Reject => {
                let reason = Reason::RedirectRefused;
                let status = reason.entry().status;
                Redirected::Pass(BestResponse { status, bytes: None, reason: Some(reason), ..response })
            }
            Redirects::Recurse if context.is_decided() => Redirected::Pass(response),
            Redirects::Recurse => self.recurse(context, response, message, scope),
        }
    }

    fn recurse(
        &self,
        context: &mut RequestContext,
        response: BestResponse,
        message: &Message<'_>,
        scope: &mut Scope<'_>,
    ) -> Redirected {
        let mut following = context.decision.following.take().unwrap_or_else(|| {
            let received = String::from_utf8_lossy(received_uri(&context.request)).into_owned();
            let mut seen = vec![received];
            seen.extend(context.decision.found.iter().flat_map(|found| found.candidates.iter().cloned()));
            let (answer, changed) = (context.decision.answer.clone(), context.decision.changed.clone());
            Box::new(Following { seen, answer, changed, ..Following::default() })
        });
        let mut found = 0;
        for uri in contacts(message) {
            if following.taken >= CONTACTS_MAX || following.seen.contains(&uri) {
                continue;
            }
            let refusal = self.refuse_contact(&context.generation, &uri);
            if let Some(why) = refusal {
                scope.step(Stage::Decide, None, "not followed", || format!("{uri}: {why}"), Some("PX-23"));
                continue;
            }
            following.seen.push(uri.clone());
            following.pending.insert(found, uri);
            following.taken += 1;
            found += 1;
        }
        scope.step(
            Stage::Forward,
            None,
            "redirected",
            || format!("{} with {found} Contact(s) to follow", response.status),
            Some("RFC 3261 §16.7 (4)"),
        );
        let is_followed = found > 0;
        let outcome = if is_followed {
            following.original.get_or_insert(response);
            Redirected::Followed
        } else {
            Redirected::Pass(response)
        };
        context.decision.following = Some(following);
        outcome
    }

    /// Why a Contact is not followed, whatever the policy says.
    fn refuse_contact(&self, generation: &Generation, uri: &str) -> Option<&'static str> {
        if !decide::may_be_request_uri(uri.as_bytes(), generation.snapshot.limits.uri_bytes_max) {
            return Some("no Request-URI");
        }
        let uri = Uri::parse(uri.as_bytes()).ok()?;
        if self.is_own_uri(&uri) {
            return Some("this border itself");
        }
        (uri.host_is_ip().is_some() && self.target_at(generation, &uri).is_none())
            .then_some("an address of nobody who is configured")
    }

    /// The target of a peer whose address the URI names.
    fn target_at(&self, generation: &Generation, uri: &Uri<'_>) -> Option<Target> {
        let ip = uri.host_is_ip()?;
        let transport = transport_of(uri)?;
        let port = uri.port.unwrap_or(transport.default_port());
        (0..generation.snapshot.peers.len()).map(|at| PeerIndex(at as u16)).find_map(|peer| {
            let targets = self.targets_of(generation, peer);
            let found = targets.iter().find(|target| {
                (target.address.ip(), target.address.port()) == (ip, port)
                    && generation.snapshot.transport(target.listener) == transport
            });
            found.map(|place| Target { peer, place: Arc::clone(place) })
        })
    }

    /// No rule routes the Contact that is followed: it may name a peer by the address of a target.
    pub(super) fn followed_target(&self, context: &RequestContext) -> Option<Target> {
        let uri = context.decision.following.as_ref()?.current()?;
        self.target_at(&context.generation, &Uri::parse(uri).ok()?)
    }

    /// Goes on with the next Contact; `false` when none is left that leads anywhere.
    pub(super) fn follow_next(
        &mut self,
        id: SlotId,
        context: &mut RequestContext,
        message: Option<&Message<'_>>,
        scope: &mut Scope<'_>,
    ) -> bool {
        while let Some(following) = context.decision.following.as_mut()
            && let Some(uri) = following.pending.pop_front()
        {
            scope.step(Stage::Decide, None, "followed", || uri.clone(), Some("RFC 3261 §16.7 (4)"));
            following.current = Some(uri);
            let decision = &mut context.decision;
            (decision.next_rule, decision.answer) = (0, None);
            let rule = decision.rule;
            decision.targets.clear();
            decision.forking = None;
            read_number(context);
            match self.decide(id, context, message, scope) {
                Ok(()) => return true,
                Err(rejection) => {
                    context.decision.rule = rule;
                    let reason = rejection.reason;
                    scope.step(Stage::Decide, None, "not followed", || reason.id().to_owned(), None);
                }
            }
        }
        false
    }

    /// None of the Contacts led anywhere: the 3xx is a response like others after all.
    pub(super) fn give_back_redirect(&self, context: &mut RequestContext) {
        if let Some(original) = context.decision.following.as_mut().and_then(|it| it.original.take()) {
            self.consider(context, original);
        }
    }
}

/// The next URI is one that ENUM gave: what held before the first 3xx holds again.
pub(super) fn stop_following(context: &mut RequestContext) {
    let Some(following) = context.decision.following.as_mut() else { return };
    if following.current.take().is_some() {
        context.decision.answer.clone_from(&following.answer);
        context.decision.changed.clone_from(&following.changed);
        read_number(context);
    }
}

fn read_number(context: &mut RequestContext) {
    let is_followed =
        context.decision.following.as_ref().is_some_and(|following| following.current.is_some());
    let uri = if is_followed { context.request_uri() } else { received_uri(&context.request) };
    context.decision.number = Uri::parse(uri).ok().and_then(|uri| decide::global_number(&uri));
}

/// The URIs of the Contacts, the most wanted first (RFC 3261 §20.10).
fn contacts(message: &Message<'_>) -> Vec<String> {
    let contact = |value: &[u8]| {
        let contact = NameAddr::parse(value).ok()?;
        let q = contact.params.value(b"q").and_then(|q| std::str::from_utf8(q).ok()?.parse().ok());
        let uri = std::str::from_utf8(contact.uri).ok()?.to_owned();
        Some((uri, q.unwrap_or(1.0_f32)))
    };
    let values = message.values(HeaderId::Contact).take(4 * CONTACTS_MAX);
    let mut found: Vec<(String, f32)> = values.filter_map(|value| contact(value.value)).collect();
    found.sort_by(|(_, one), (_, other)| other.total_cmp(one));
    found.into_iter().map(|(uri, _)| uri).collect()
}
