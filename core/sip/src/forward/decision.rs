//! Where an initial request goes: the rules of the policy, ENUM, the list of targets, one try after the other.

use std::sync::Arc;

use arrayvec::ArrayString;

use crate::border::{Border, Generation, Scope, TimerKey};
use crate::decide::{
    self, Asked, CachedAnswer, Facts as RouteFacts, NumberKind, Planned, RouteChoice, Verdict, is_dipped,
    number_kind,
};
use crate::input::{Answer, AnswerBody, EnumOutcome};
use crate::message::{Message, Uri};
use crate::output::{QuestionBody, QuestionId};
use crate::parse;
use crate::reason::Reason;
use crate::screen::Rejection;
use crate::snapshot::document::Fork;
use crate::snapshot::{EnumIndex, Limits, Snapshot};
use crate::statistics::{QUESTION_BOUNDS_MS, QuestionKind};
use crate::time::Time;
use crate::trace::Stage;
use crate::transaction::SlotId;

use super::RequestContext;
use super::changed::rewrite_request;
use super::forking::Forking;
use super::redirect::stop_following;

/// Of one request; rules behind that many give none.
const TAGS_MAX: usize = 8;
/// Why no answer is known, for the record, when the deadline passed (ENUM-46).
const CLASS_DEADLINE: &str = "TIMEOUT";
/// An answer came, and nothing in it may become a Request-URI.
const CLASS_UNUSABLE: &str = "NO_USABLE_RECORD";
/// Too many questions are open: the number was not asked for.
const CLASS_OVERLOAD: &str = "OVERLOAD";

impl Border {
    pub(super) fn start_decision(
        &mut self,
        id: SlotId,
        context: &mut RequestContext,
        message: &Message<'_>,
        scope: &mut Scope<'_>,
    ) -> Result<(), Rejection> {
        context.decision.hash = self.call_hash(message);
        context.decision.number = message.request_uri().ok().and_then(|uri| decide::global_number(&uri));
        self.check_watchlist(context, None, Some(message), scope)?;
        self.decide(id, context, Some(message), scope)
    }

    /// Walks the rules from where the last walk stopped until something is sent, asked or refused.
    pub(super) fn decide(
        &mut self,
        id: SlotId,
        context: &mut RequestContext,
        message: Option<&Message<'_>>,
        scope: &mut Scope<'_>,
    ) -> Result<(), Rejection> {
        let generation = Arc::clone(&context.generation);
        let snapshot = &generation.snapshot;
        if let Some(changed) = &mut context.decision.changed {
            changed.forget_from(context.decision.next_rule);
        }
        loop {
            let verdict = self.evaluate(snapshot, context, message, scope);
            match verdict {
                Verdict::Lookup { service, next, .. } => {
                    context.decision.next_rule = next;
                    if context.decision.following.is_none() {
                        context.decision.after_lookup = next;
                    }
                    if self.look_up(id, context, snapshot, service, scope) == LookUp::Parked {
                        return Ok(());
                    }
                }
                Verdict::Route { position, choice, .. } => {
                    context.decision.rule = Some(position);
                    self.choose_targets(context, &generation, choice);
                    return self.forward_next(id, context, message, scope);
                }
                Verdict::Tag { tag, next, .. } => {
                    context.decision.next_rule = next;
                    self.tag(context, tag, message, scope)?;
                }
                Verdict::Mirror { next, .. } => {
                    context.decision.next_rule = next;
                    self.mirror(context, scope);
                }
                Verdict::Hook { position, hook, .. } => {
                    if self.ask_hook(id, context, message, (position, hook), scope)? == LookUp::Parked {
                        return Ok(());
                    }
                }
                Verdict::Rewrite { rule, position, next } => {
                    context.decision.next_rule = next;
                    if let Some(rewrite) = snapshot.routes.rewrite(position) {
                        rewrite_request(context, (rule, position), rewrite, scope)?;
                    }
                }
                Verdict::Limit { position, limiter, next, .. } => {
                    context.decision.next_rule = next;
                    if let Err(rejection) = self.limit(context, limiter, message, scope) {
                        context.decision.rule = Some(position);
                        return Err(rejection);
                    }
                }
                Verdict::Reject { position, refusal, .. } => {
                    context.decision.rule = Some(position);
                    return Err(refusal.rejection());
                }
                Verdict::NoRoute if let Some(target) = self.followed_target(context) => {
                    context.decision.targets = smallvec::smallvec![Planned::Target(target)];
                    (context.decision.next_target, context.decision.attempts_left) = (0, 1);
                    return self.forward_next(id, context, message, scope);
                }
                Verdict::NoRoute => return Err(Rejection::new(no_route_reason(context))),
            }
        }
    }

    /// Evaluates the rules on *message*, or on what is kept of it where they ask for it.
    fn evaluate<'s>(
        &mut self,
        snapshot: &'s Snapshot,
        context: &RequestContext,
        message: Option<&Message<'_>>,
        scope: &mut Scope<'_>,
    ) -> Verdict<'s> {
        if message.is_some() || !snapshot.routes.reads_messages() {
            return evaluate(snapshot, context, message, scope);
        }
        let mut index = self.stored_index.take().unwrap_or_default();
        let message = parse::parse_kept(&context.request, &mut index).ok();
        let verdict = evaluate(snapshot, context, message.as_ref(), scope);
        self.stored_index = Some(index);
        verdict
    }

    /// Notes a tag, unless a pattern holds what has it; a URI that is tried later passes the rules again.
    pub(super) fn tag(
        &mut self,
        context: &mut RequestContext,
        tag: u16,
        message: Option<&Message<'_>>,
        scope: &mut Scope<'_>,
    ) -> Result<(), Rejection> {
        if context.decision.tags.contains(&tag) || context.decision.tags.len() >= TAGS_MAX {
            return Ok(());
        }
        context.decision.tags.push(tag);
        context.generation.count_tag(tag, usize::from(self.worker));
        let generation = Arc::clone(&context.generation);
        let name = generation.snapshot.routes.tags().get(usize::from(tag)).map(String::as_str);
        self.check_watchlist(context, name, message, scope)
    }

    pub(super) fn choose_targets(
        &mut self,
        context: &mut RequestContext,
        generation: &Generation,
        choice: &RouteChoice,
    ) {
        let is_parallel = choice.fork == Fork::Parallel && context.is_invite();
        let hash = target_hash(context);
        let decision = &mut context.decision;
        decision.next_target = 0;
        decide::target_set(
            choice,
            |peer| self.standing_targets_of(generation, peer),
            hash,
            &mut decision.targets,
        );
        decision.attempts_left = choice.attempts_max;
        decision.forking = None;
        if is_parallel {
            let mut index = self.stored_index.take().unwrap_or_default();
            let message = parse::parse_kept(&context.request, &mut index).ok();
            context.decision.forking = Some(Box::new(Forking::new(message.as_ref())));
            self.stored_index = Some(index);
        }
    }

    fn look_up(
        &mut self,
        id: SlotId,
        context: &mut RequestContext,
        snapshot: &Snapshot,
        service: EnumIndex,
        scope: &mut Scope<'_>,
    ) -> LookUp {
        let service_of = &snapshot.enums[service.at()];
        let number = match askable(context, service_of.digits_min) {
            Ok(number) => number,
            Err(why) => {
                scope.step(
                    Stage::Decide,
                    Some(&service_of.id),
                    "skipped",
                    || why.to_owned(),
                    Some("RFC 6116 §3.7"),
                );
                return LookUp::Done;
            }
        };
        context.decision.enum_service = Some(service);
        if let Some(answer) = self.answers.get(&service_of.id, &number, scope.now.time) {
            let answer = Arc::clone(answer);
            self.statistics().cache_hits.one();
            take_answer(context, &answer, scope);
            return LookUp::Done;
        }
        self.statistics().cache_misses.one();
        let body = QuestionBody::Enum { service: service_of.id.clone(), number: number.to_string() };
        match self.questions.ask(body, id, scope.now.time, service_of.deadline) {
            Asked::New(question) => {
                self.wheel.arm(question.deadline, TimerKey::Question(SlotId::from_u64(question.id.0)));
                scope.step(
                    Stage::Decide,
                    Some(&service_of.id),
                    "asked",
                    || format!("ENUM for {number}"),
                    Some("RFC 6116"),
                );
                scope.out.questions.push(question);
            }
            Asked::Joined => {
                scope.step(
                    Stage::Decide,
                    Some(&service_of.id),
                    "asked",
                    || format!("{number} is being asked for already"),
                    Some("ENUM-50"),
                );
            }
            Asked::Full => {
                take_answer(context, &no_answer(CLASS_OVERLOAD), scope);
                return LookUp::Done;
            }
        }
        context.decision.is_parked = true;
        LookUp::Parked
    }

    pub(crate) fn on_answer(&mut self, answer: Answer, scope: &mut Scope<'_>) {
        let kind = match answer.body {
            AnswerBody::Enum { .. } => QuestionKind::Enum,
            AnswerBody::Locate { .. } => QuestionKind::Locate,
            AnswerBody::Hook { .. } => QuestionKind::Hook,
        };
        let Some((body, waiters)) = self.questions.answer(answer.id) else {
            self.statistics().questions(kind).late.one();
            return;
        };
        self.statistics().questions(kind).answered.one();
        match (&body, answer.body) {
            (QuestionBody::Locate { .. }, AnswerBody::Locate { targets, ttl_ms }) => {
                self.on_located(&body, targets, ttl_ms, waiters, scope);
            }
            (
                QuestionBody::Enum { service, number },
                AnswerBody::Enum { outcome, class, candidates, ttl_ms },
            ) => {
                let answer = CachedAnswer { outcome, class, candidates };
                self.on_enum(service, number, answer, ttl_ms, waiters, scope);
            }
            (QuestionBody::Hook(_), AnswerBody::Hook { verdict }) => {
                self.resume_hook(waiters, Some(&verdict), scope);
            }
            _ => self.fall_back(&body, waiters, scope), // it answers something else
        }
    }

    fn on_enum(
        &mut self,
        service: &str,
        number: &str,
        answer: CachedAnswer,
        ttl_ms: u64,
        waiters: Vec<SlotId>,
        scope: &mut Scope<'_>,
    ) {
        let answer = usable(answer, &self.generation.snapshot.limits);
        let cached = Arc::new(answer);
        if ttl_ms > 0 {
            let expires = scope.now.time + std::time::Duration::from_millis(ttl_ms);
            let evicted = self.answers.put(service, number, Arc::clone(&cached), scope.now.time, expires);
            if let Some(eviction) = evicted {
                self.statistics().answers_evicted.count(eviction);
            }
        }
        self.resume_looked_up(waiters, &cached, scope);
    }

    /// INVARIANT: a question that nobody answers ends here, so no request waits for ever (design: fallback).
    pub(crate) fn on_question_expired(&mut self, id: QuestionId, scope: &mut Scope<'_>) {
        let Some((body, waiters)) = self.questions.expire(id) else { return };
        let kind = match body {
            QuestionBody::Enum { .. } => QuestionKind::Enum,
            QuestionBody::Locate { .. } => QuestionKind::Locate,
            QuestionBody::Hook(_) => QuestionKind::Hook,
        };
        self.statistics().questions(kind).fallback.one();
        self.fall_back(&body, waiters, scope);
    }

    fn fall_back(&mut self, body: &QuestionBody, waiters: Vec<SlotId>, scope: &mut Scope<'_>) {
        match body {
            QuestionBody::Enum { .. } => self.resume_looked_up(waiters, &no_answer(CLASS_DEADLINE), scope),
            QuestionBody::Locate { .. } => self.resume_located(waiters, &[], scope),
            QuestionBody::Hook(_) => self.resume_hook(waiters, None, scope),
        }
    }

    pub(super) fn observe_question(&self, kind: QuestionKind, context: &RequestContext, scope: &Scope<'_>) {
        let delay = elapsed_ms(context, scope.now.time);
        self.statistics().questions(kind).delay.observe(&QUESTION_BOUNDS_MS, delay);
    }

    fn resume_looked_up(&mut self, waiters: Vec<SlotId>, answer: &Arc<CachedAnswer>, scope: &mut Scope<'_>) {
        self.resume(waiters, QuestionKind::Enum, scope, |border, id, context, scope| {
            take_answer(context, answer, scope);
            border.decide(id, context, None, scope)
        });
    }

    /// Lets those of *waiters* that still want an answer go on with it.
    pub(super) fn resume(
        &mut self,
        waiters: Vec<SlotId>,
        kind: QuestionKind,
        scope: &mut Scope<'_>,
        go_on: impl Fn(&mut Self, SlotId, &mut RequestContext, &mut Scope<'_>) -> Result<(), Rejection>,
    ) {
        for id in waiters {
            self.with_context(id, scope, |border, context, scope| {
                if !std::mem::take(&mut context.decision.is_parked) || context.final_status.is_some() {
                    return;
                }
                border.observe_question(kind, context, scope);
                let mut outcome = go_on(border, id, context, scope);
                if outcome.is_err() && context.decision.following.is_some() {
                    // It was a Contact that led nowhere: there may be others, and there is the 3xx.
                    outcome = border.forward_next(id, context, None, scope);
                }
                if let Err(rejection) = outcome {
                    border.reject(id, context, None, &rejection, scope);
                }
            });
        }
    }
}

/// What the order of targets follows: keyed, different for each call, and the same for the INVITEs of an overlap dialling.
pub(super) fn target_hash(context: &RequestContext) -> u64 {
    context.decision.hash
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LookUp {
    Done,
    Parked,
}

fn evaluate<'s>(
    snapshot: &'s Snapshot,
    context: &RequestContext,
    message: Option<&Message<'_>>,
    scope: &mut Scope<'_>,
) -> Verdict<'s> {
    let listener = context.arrival.flow.listener;
    let trusted = snapshot.agreement(context.upstream).trusted;
    let asked = message.filter(|_| snapshot.routes.reads_messages());
    let calling = asked.and_then(|message| decide::calling_number(message, trusted));
    let number = context.decision.number_now();
    let facts = RouteFacts {
        peer: context.upstream,
        side: snapshot.peer(context.upstream).side,
        trusted,
        listener,
        transport: snapshot.transport(listener),
        direction: context.direction(),
        method: context.method(),
        request_uri: context.request_uri(),
        number: number.map(ArrayString::as_str),
        calling: calling.as_deref(),
        emergency: context.is_emergency(),
        emergency_numbers: Some(&snapshot.emergency),
        enum_outcome: context.decision.enum_outcome(),
        message: asked,
        unix_ms: context.arrival.unix_ms,
    };
    snapshot.routes.evaluate(context.decision.next_rule, &facts, &mut scope.out.trace)
}

/// The number, if it may be asked for: global, long enough (ENUM-04), and not yet looked up elsewhere (ENUM-06).
fn askable(context: &RequestContext, digits_min: u8) -> Result<ArrayString<17>, &'static str> {
    let number = *context.decision.number_now().ok_or("no global number to look up")?;
    if number.len() <= usize::from(digits_min) {
        return Err("the number is too short to be asked for");
    }
    if Uri::parse(context.request_uri()).is_ok_and(|uri| is_dipped(&uri)) {
        return Err("npdi: the number was looked up before");
    }
    Ok(number)
}

/// Leaves what may become a Request-URI; with nothing left the answer is a no (ENUM-46, ENUM-47).
///
/// The DNS belongs to somebody else.
fn usable(mut answer: CachedAnswer, limits: &Limits) -> CachedAnswer {
    if answer.outcome != EnumOutcome::Found {
        return answer;
    }
    answer.candidates.retain(|uri| decide::may_be_request_uri(uri.as_bytes(), limits.uri_bytes_max));
    if answer.candidates.is_empty() {
        answer.outcome = EnumOutcome::NotFound;
        CLASS_UNUSABLE.clone_into(&mut answer.class);
    }
    answer
}

fn no_answer(class: &str) -> Arc<CachedAnswer> {
    let class = class.to_owned();
    Arc::new(CachedAnswer { outcome: EnumOutcome::Failed, class, candidates: Vec::new() })
}

fn take_answer(context: &mut RequestContext, answer: &Arc<CachedAnswer>, scope: &mut Scope<'_>) {
    let enums = &context.generation.snapshot.enums;
    let decision = &mut context.decision;
    decision.answer = Some(Arc::clone(answer));
    if answer.outcome == EnumOutcome::Found {
        if let Some(changed) = &mut decision.changed {
            changed.forget_request_uri();
        }
        let candidates_max = decision.enum_service.map_or(1, |service| enums[service.at()].candidates_max);
        if let Some(following) = &mut decision.following {
            following.replace(answer.candidates.iter().take(usize::from(candidates_max)).cloned());
        } else {
            decision.candidates_max = candidates_max;
            decision.found = Some(Arc::clone(answer));
            decision.candidate = 0;
        }
    }
    scope.step(
        Stage::Decide,
        None,
        "answered",
        || format!("ENUM: {} {}", answer.class, answer.candidates.join(", ")),
        Some("RFC 6116 §3.4"),
    );
}

/// Nothing routes it: say what was wrong with the number, if the number was (ENUM-47, ENUM-48, TEL-09).
fn no_route_reason(context: &RequestContext) -> Reason {
    match context.decision.enum_outcome() {
        Some(EnumOutcome::NotFound) => Reason::NumberUnknown,
        Some(EnumOutcome::Failed) => Reason::EnumFailed,
        _ => match Uri::parse(context.request_uri()).map(|uri| number_kind(&uri)) {
            Ok(NumberKind::Local) => Reason::NumberIncomplete,
            _ => Reason::NoRoute,
        },
    }
}

/// How long a request has been in progress.
pub(super) fn elapsed_ms(context: &RequestContext, now: Time) -> u64 {
    now.since(context.arrival.time).as_millis() as u64
}

/// The next URI that ENUM offered, when the ones before it failed (ENUM-17). `false` when there is none.
pub(super) fn next_candidate(context: &mut RequestContext, scope: &mut Scope<'_>) -> bool {
    let decision = &mut context.decision;
    let offered = decision.found.as_ref().map_or(0, |found| found.candidates.len());
    let next = decision.candidate.saturating_add(1);
    if usize::from(next) >= offered.min(usize::from(decision.candidates_max)) {
        return false;
    }
    decision.candidate = next;
    decision.next_rule = decision.after_lookup;
    stop_following(context);
    let uri = context.decision.candidate_uri().unwrap_or_default();
    scope.step(Stage::Decide, None, "next candidate", || uri.to_owned(), Some("ENUM-17"));
    true
}
