//! Where an initial request goes: the rules of the policy, ENUM, the list of targets, one try after the other.

use std::sync::Arc;

use crate::border::{Border, Scope, TimerKey};
use crate::decide::{self, Asked, CachedAnswer, Facts as RouteFacts, RouteChoice, Verdict};
use crate::input::{Answer, AnswerBody, EnumOutcome};
use crate::message::{Message, Uri};
use crate::output::{QuestionBody, QuestionId};
use crate::reason::Reason;
use crate::screen::Rejection;
use crate::snapshot::{EnumIndex, Snapshot};
use crate::time::Time;
use crate::trace::Stage;
use crate::transaction::SlotId;

use super::RequestContext;

/// Why no answer is known, for the record, when the deadline passed (ENUM-46).
const CLASS_DEADLINE: &str = "TIMEOUT";
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
        context.decision.number =
            Uri::parse(context.request_uri()).ok().and_then(|uri| decide::global_number(&uri));
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
        loop {
            let verdict = evaluate(snapshot, context, scope);
            match verdict {
                Verdict::Lookup { service, next, .. } => {
                    context.decision.next_rule = next;
                    context.decision.after_lookup = next;
                    if self.look_up(id, context, snapshot, service, scope) == LookUp::Parked {
                        return Ok(());
                    }
                }
                Verdict::Route { rule, choice } => {
                    context.decision.rule = Some(rule.to_owned());
                    self.choose_targets(context, snapshot, choice);
                    return self.forward_next(id, context, message, scope);
                }
                Verdict::Reject { rule, reason, status, phrase } => {
                    context.decision.rule = Some(rule.to_owned());
                    return Err(Rejection::with_status(reason, status, phrase));
                }
                Verdict::NoRoute => return Err(Rejection::new(no_route_reason(context))),
            }
        }
    }

    fn choose_targets(&mut self, context: &mut RequestContext, snapshot: &Snapshot, choice: &RouteChoice) {
        let hash = self.hasher.hash128(&[b"targets", &context.request]) as u64;
        let decision = &mut context.decision;
        decision.targets.clear();
        decision.next_target = 0;
        decide::target_set(choice, snapshot, hash, &mut decision.targets);
        decision.attempts_left = choice.attempts_max;
        decision.failover_statuses = choice.failover_statuses.iter().copied().collect();
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
        let Some(number) =
            context.decision.number.filter(|number| number.len() > usize::from(service_of.digits_min))
        else {
            scope.step(
                Stage::Decide,
                Some(&service_of.id),
                "skipped",
                || "no global number to look up".to_owned(),
                Some("RFC 6116 §3.7"),
            );
            return LookUp::Done;
        };
        context.decision.enum_service = Some(service);
        if let Some(answer) = self.answers.get(&service_of.id, &number, scope.now.time) {
            let answer = answer.clone();
            self.statistics().cache_hits.one();
            take_answer(context, snapshot, &answer, scope);
            return LookUp::Done;
        }
        self.statistics().cache_misses.one();
        let body = QuestionBody::Enum { service: service_of.id.clone(), number: number.to_string() };
        match self.questions.ask(body, id, scope.now.time, service_of.deadline) {
            Asked::New(question) => {
                self.wheel.arm(question.deadline, TimerKey::Question(question.id));
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
                take_answer(context, snapshot, &no_answer(CLASS_OVERLOAD), scope);
                return LookUp::Done;
            }
        }
        context.decision.is_parked = true;
        LookUp::Parked
    }

    pub(crate) fn on_answer(&mut self, answer: Answer, scope: &mut Scope<'_>) {
        let AnswerBody::Enum { outcome, class, candidates, ttl_ms } = answer.body;
        let Some((body, waiters)) = self.questions.answer(answer.id) else {
            self.statistics().questions_late.one();
            return;
        };
        self.statistics().questions_answered.one();
        let cached = CachedAnswer { outcome, class, candidates };
        if ttl_ms > 0 {
            let QuestionBody::Enum { service, number } = &body;
            let expires = scope.now.time + std::time::Duration::from_millis(ttl_ms);
            self.answers.put(service, number, cached.clone(), scope.now.time, expires);
        }
        self.resume(waiters, &cached, scope);
    }

    /// INVARIANT: a question that nobody answers ends here, so no request waits for ever (design: fallback).
    pub(crate) fn on_question_expired(&mut self, id: QuestionId, scope: &mut Scope<'_>) {
        let Some((_, waiters)) = self.questions.expire(id) else { return };
        self.statistics().questions_fallback.one();
        self.resume(waiters, &no_answer(CLASS_DEADLINE), scope);
    }

    fn resume(&mut self, waiters: Vec<SlotId>, answer: &CachedAnswer, scope: &mut Scope<'_>) {
        for id in waiters {
            self.with_context(id, scope, |border, context, scope| {
                if !std::mem::take(&mut context.decision.is_parked) || context.final_status.is_some() {
                    return;
                }
                let delay = scope.now.time.since(context.arrival.time).as_millis() as u64;
                border.statistics().question_delay.observe(&crate::statistics::QUESTION_BOUNDS_MS, delay);
                let snapshot = Arc::clone(&context.generation.snapshot);
                take_answer(context, &snapshot, answer, scope);
                if let Err(rejection) = border.decide(id, context, None, scope) {
                    border.reject(id, context, None, &rejection, scope);
                }
            });
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum LookUp {
    Done,
    Parked,
}

fn evaluate<'s>(snapshot: &'s Snapshot, context: &RequestContext, scope: &mut Scope<'_>) -> Verdict<'s> {
    let facts = RouteFacts {
        peer: context.upstream,
        direction: context.direction(),
        method: context.method(),
        request_uri: context.request_uri(),
        number: context.decision.number.as_deref(),
        enum_outcome: context.decision.enum_outcome,
        hash: 0,
    };
    snapshot.routes.evaluate(context.decision.next_rule, &facts, &mut scope.out.trace)
}

fn no_answer(class: &str) -> CachedAnswer {
    CachedAnswer { outcome: EnumOutcome::Failed, class: class.to_owned(), candidates: Vec::new() }
}

fn take_answer(
    context: &mut RequestContext,
    snapshot: &Snapshot,
    answer: &CachedAnswer,
    scope: &mut Scope<'_>,
) {
    let candidates_max =
        context.decision.enum_service.map_or(1, |service| snapshot.enums[service.at()].candidates_max);
    let decision = &mut context.decision;
    decision.enum_outcome = Some(answer.outcome);
    decision.enum_class = Some(answer.class.clone());
    if answer.outcome == EnumOutcome::Found {
        decision.candidates = answer.candidates.iter().take(usize::from(candidates_max)).cloned().collect();
        decision.candidate = 0;
    }
    scope.step(
        Stage::Decide,
        None,
        "answered",
        || format!("ENUM: {} {}", answer.class, answer.candidates.join(", ")),
        Some("RFC 6116 §3.4"),
    );
}

fn no_route_reason(context: &RequestContext) -> Reason {
    match context.decision.enum_outcome {
        Some(EnumOutcome::NotFound) => Reason::NumberUnknown,
        Some(EnumOutcome::Failed) => Reason::EnumFailed,
        _ => Reason::NoRoute,
    }
}

/// How long a request has been in progress.
pub(super) fn elapsed_ms(context: &RequestContext, now: Time) -> u64 {
    now.since(context.arrival.time).as_millis() as u64
}

/// The next URI that ENUM offered, when the ones before it failed (ENUM-17). `false` when there is none.
pub(super) fn next_candidate(context: &mut RequestContext, scope: &mut Scope<'_>) -> bool {
    let decision = &mut context.decision;
    if decision.candidate + 1 >= decision.candidates.len() {
        return false;
    }
    decision.candidate += 1;
    decision.next_rule = decision.after_lookup;
    let uri = decision.candidates[decision.candidate].clone();
    scope.step(Stage::Decide, None, "next candidate", || uri, Some("ENUM-17"));
    true
}
