//! A share of the requests that begin something, as they came and as they were decided, for the control plane. Nothing of a call
//! hangs on it, and while nobody asks it costs one look at a number.

use super::RequestContext;
use super::context::received_uri;
use crate::border::{Border, Scope};
use crate::decide;
use crate::message::Uri;
use crate::output::{SampledAnswer, SampledRequest};

impl Border {
    /// Hands a copy of the request on, if it is of those that are wanted; called when it is decided, before anything is sent.
    pub(super) fn sample(&self, context: &RequestContext, scope: &mut Scope<'_>) {
        let share = self.shared.sampled_share();
        if share == 0 || !context.is_initial || !context.branches.is_empty() {
            return;
        }
        if decide::place_of_call(context.named.call_id.of(&context.request)) < share {
            scope.out.samples.push(self.sampled(context));
        }
    }

    fn sampled(&self, context: &RequestContext) -> SampledRequest {
        let snapshot = &context.generation.snapshot;
        let flow = &context.arrival.flow;
        let number =
            Uri::parse(received_uri(&context.request)).ok().and_then(|uri| decide::global_number(&uri));
        let asked = context.decision.enum_service;
        let answers = snapshot.enums.iter().enumerate().filter_map(|(at, service)| {
            let answer = match &context.decision.answer {
                Some(answer) if asked.is_some_and(|asked| asked.at() == at) => answer,
                _ => self.answers.peek(&service.id, number.as_deref()?)?,
            };
            Some(SampledAnswer {
                service: service.id.clone(),
                outcome: answer.outcome,
                class: answer.class.clone(),
                candidates: answer.candidates.clone(),
            })
        });
        SampledRequest {
            peer: snapshot.peer(context.upstream).id.clone(),
            listener: snapshot
                .listeners
                .get(flow.listener.at())
                .map(|one| one.id.clone())
                .unwrap_or_default(),
            source: flow.remote.to_string(),
            unix_ms: context.arrival.unix_ms,
            rule: context.rule().map(str::to_owned),
            number: number.map(|number| number.to_string()),
            answers: answers.collect(),
            message: context.request.iter().map(|byte| char::from(*byte)).collect(),
        }
    }
}
