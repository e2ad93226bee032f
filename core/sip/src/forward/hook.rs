//! A rule with a hook: a function of the operator's is asked with all that it may look at, the request waits, and what comes back
//! is looked at before any of it counts.
//!
//! Without a usable answer in time the rule says what follows, so a hook that fails costs nothing but its own rule. Answers are never
//! kept, and only requests that are the same byte for byte share one.

use std::sync::Arc;

use crate::border::{Border, Scope, TimerKey};
use crate::decide::{self, Asked, Hook, HookChanges, HookVerdict, Refusal, RouteChoice};
use crate::message::Message;
use crate::output::{HookView, QuestionBody};
use crate::parse;
use crate::rewrite::peer_tag;
use crate::screen::Rejection;
use crate::snapshot::PeerIndex;
use crate::statistics::QuestionKind;
use crate::trace::Stage;
use crate::transaction::SlotId;

use super::RequestContext;
use super::decision::LookUp;

/// What a hook said, fit for use.
enum Usable<'a> {
    Continue(&'a HookChanges),
    Route(PeerIndex, &'a HookChanges),
    Reject(Refusal),
}

impl Border {
    /// Asks the hook of the rule at *position*.
    pub(super) fn ask_hook(
        &mut self,
        id: SlotId,
        context: &mut RequestContext,
        message: Option<&Message<'_>>,
        (position, hook): (usize, &Hook),
        scope: &mut Scope<'_>,
    ) -> Result<LookUp, Rejection> {
        context.decision.next_rule = position.saturating_add(1);
        let generation = Arc::clone(&context.generation);
        let rule = generation.snapshot.routes.id(position).unwrap_or_default();
        let asked = match self.hook_view(context, message, rule, hook) {
            Some(view) => {
                self.questions.ask(QuestionBody::Hook(Arc::new(view)), id, scope.now.time, hook.deadline)
            }
            None => Asked::Full, // cannot be: the request was read before
        };
        match asked {
            Asked::New(question) => {
                self.wheel.arm(question.deadline, TimerKey::Question(SlotId::from_u64(question.id.0)));
                scope.out.questions.push(question);
            }
            Asked::Joined => {}
            Asked::Full => {
                self.statistics().questions(QuestionKind::Hook).fallback.one();
                return fall_back(context, (position, hook), "too many hooks are asked", scope)
                    .map(|()| LookUp::Done);
            }
        }
        scope.step(Stage::Decide, Some(rule), "asked", || hook.call.clone(), None);
        context.decision.is_parked = true;
        Ok(LookUp::Parked)
    }

    /// Hands the answer of a hook to those who wait for it; `None` when its deadline passed.
    pub(super) fn resume_hook(
        &mut self,
        waiters: Vec<SlotId>,
        verdict: Option<&HookVerdict>,
        scope: &mut Scope<'_>,
    ) {
        self.resume(waiters, QuestionKind::Hook, scope, |border, id, context, scope| {
            border.take_verdict(id, context, verdict, scope)
        });
    }

    fn take_verdict(
        &mut self,
        id: SlotId,
        context: &mut RequestContext,
        verdict: Option<&HookVerdict>,
        scope: &mut Scope<'_>,
    ) -> Result<(), Rejection> {
        let generation = Arc::clone(&context.generation);
        // Nothing else moves the position while the request waits.
        let position = context.decision.next_rule.saturating_sub(1);
        let Some(hook) = generation.snapshot.routes.hook(position) else {
            return self.decide(id, context, None, scope);
        };
        let limits = &generation.snapshot.limits;
        let usable = usable(verdict, hook, limits.uri_bytes_max, |peer| {
            let found = generation.peer_by_tag(peer_tag(peer));
            found.filter(|index| generation.snapshot.peer(*index).id == peer)
        });
        let rule = generation.snapshot.routes.id(position);
        match usable {
            Err(why) => {
                fall_back(context, (position, hook), &why, scope)?;
                self.decide(id, context, None, scope)
            }
            Ok(Usable::Continue(changes)) => {
                scope.step(Stage::Decide, rule, "continues", || told(changes), None);
                self.take_changes(context, (position, hook), changes, scope)?;
                self.decide(id, context, None, scope)
            }
            Ok(Usable::Route(peer, changes)) => {
                let name = &generation.snapshot.peer(peer).id;
                scope.step(Stage::Decide, rule, "routes", || format!("to {name}; {}", told(changes)), None);
                self.take_changes(context, (position, hook), changes, scope)?;
                context.decision.rule = Some(position);
                let choice = RouteChoice { peers: vec![(peer, 0, 1)], ..hook.choice.clone() };
                self.choose_targets(context, &generation, &choice);
                self.forward_next(id, context, None, scope)
            }
            Ok(Usable::Reject(refusal)) => {
                let text = || format!("{} {} ({})", refusal.status, refusal.phrase, refusal.reason.id());
                scope.step(Stage::Decide, rule, "refuses", text, None);
                context.decision.rule = Some(position);
                Err(refusal.rejection())
            }
        }
    }

    fn take_changes(
        &mut self,
        context: &mut RequestContext,
        (position, hook): (usize, &Hook),
        changes: &HookChanges,
        scope: &mut Scope<'_>,
    ) -> Result<(), Rejection> {
        if !changes.edits.is_empty() || changes.request_uri.is_some() {
            context.decision.changed.get_or_insert_default().take_hook(position, changes);
        }
        let tag = changes.tag.as_ref().and_then(|tag| hook.tags.iter().find(|(name, _)| name == tag));
        match tag {
            Some((_, tag)) => self.tag(context, *tag, None, scope),
            None => Ok(()),
        }
    }

    fn hook_view(
        &mut self,
        context: &RequestContext,
        message: Option<&Message<'_>>,
        rule: &str,
        hook: &Hook,
    ) -> Option<HookView> {
        if let Some(message) = message {
            return Some(view(context, message, rule, hook));
        }
        let mut index = self.stored_index.take().unwrap_or_default();
        let message = parse::parse_kept(&context.request, &mut index).ok();
        let view = message.map(|message| view(context, &message, rule, hook));
        self.stored_index = Some(index);
        view
    }
}

/// The rule's own way on, without an answer.
fn fall_back(
    context: &mut RequestContext,
    (position, hook): (usize, &Hook),
    why: &str,
    scope: &mut Scope<'_>,
) -> Result<(), Rejection> {
    let generation = Arc::clone(&context.generation);
    let rule = generation.snapshot.routes.id(position);
    scope.step(Stage::Decide, rule, "falls back", || why.to_owned(), None);
    match &hook.fallback {
        None => Ok(()),
        Some(refusal) => {
            context.decision.rule = Some(position);
            Err(refusal.rejection())
        }
    }
}

/// Looks at all that a hook said; the error says what is wrong.
fn usable<'a>(
    verdict: Option<&'a HookVerdict>,
    hook: &Hook,
    uri_bytes_max: usize,
    find_peer: impl Fn(&str) -> Option<PeerIndex>,
) -> Result<Usable<'a>, String> {
    let verdict = verdict.ok_or("no answer before the deadline")?;
    if let Some(fault) = verdict.fault(uri_bytes_max) {
        return Err(fault);
    }
    let found = match verdict {
        HookVerdict::Failed => return Err("the hook failed".to_owned()),
        HookVerdict::Reject(written) => {
            return Refusal::compile(written).map(Usable::Reject).map_err(|(_, problem)| problem);
        }
        HookVerdict::Continue { changes } => Usable::Continue(changes),
        HookVerdict::Route { peer, changes } => {
            let index = find_peer(peer).ok_or_else(|| format!("no peer \"{peer}\""))?;
            Usable::Route(index, changes)
        }
    };
    let (Usable::Continue(changes) | Usable::Route(_, changes)) = &found else { return Ok(found) };
    match &changes.tag {
        Some(tag) if !hook.tags.iter().any(|(name, _)| name == tag) => {
            Err(format!("the rule does not list the tag \"{tag}\""))
        }
        _ => Ok(found),
    }
}

fn told(changes: &HookChanges) -> String {
    let mut parts = vec![format!("{} edit(s)", changes.edits.len())];
    parts.extend(changes.request_uri.as_ref().map(|uri| format!("Request-URI {uri}")));
    parts.extend(changes.tag.as_ref().map(|tag| format!("tag {tag}")));
    parts.join(", ")
}

fn view(context: &RequestContext, message: &Message<'_>, rule: &str, hook: &Hook) -> HookView {
    let snapshot = &context.generation.snapshot;
    let peer = snapshot.peer(context.upstream);
    let trusted = snapshot.agreement(context.upstream).trusted;
    let answer = context.decision.answer.as_deref();
    HookView {
        rule: rule.to_owned(),
        call: hook.call.clone(),
        peer: peer.id.clone(),
        side: peer.side,
        direction: context.direction(),
        trusted,
        method: context.method().as_str().to_owned(),
        request_uri: String::from_utf8_lossy(context.request_uri()).into_owned(),
        number: context.decision.number_now().map(ToString::to_string),
        calling: decide::calling_number(message, trusted).map(|number| number.to_string()),
        enum_outcome: answer.map(|answer| answer.outcome),
        enum_class: answer.map(|answer| answer.class.clone()),
        enum_candidates: answer.map(|answer| answer.candidates.clone()).unwrap_or_default(),
        unix_ms: context.arrival.unix_ms,
        message: context.request.iter().map(|byte| char::from(*byte)).collect(),
    }
}
