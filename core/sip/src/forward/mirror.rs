//! Calls whose messages are copied into a trace: as they came and as they left, on both sides, from the request that a rule marked to
//! the end of the call.
//!
//! A call is known by its Call-ID, which leads all its messages to this worker. While no rule marked a call, nothing is looked at.

use std::collections::{HashSet, VecDeque};
use std::time::Duration;

use foldhash::fast::FixedState;

use super::RequestContext;
use crate::border::{Border, Scope};
use crate::flow::Flow;
use crate::output::MirroredMessage;
use crate::parse;
use crate::time::Time;

/// So many calls are followed at a time by one worker; one more takes the place of the oldest.
const CALLS_MAX: usize = 1_024;

/// The calls that are followed, oldest first.
#[derive(Debug, Default)]
pub(crate) struct Mirror {
    order: VecDeque<(Time, u64)>,
    calls: HashSet<u64, FixedState>,
}

impl Mirror {
    pub(crate) fn is_empty(&self) -> bool {
        self.order.is_empty()
    }

    fn follow(&mut self, call: u64, now: Time) {
        if !self.calls.insert(call) {
            return;
        }
        if self.order.len() >= CALLS_MAX {
            self.forget_oldest();
        }
        self.order.push_back((now, call));
    }

    /// Forgets calls that began before there can be any of them.
    fn forget_older(&mut self, age_max: Duration, now: Time) {
        while self.order.front().is_some_and(|(since, _)| now.since(*since) > age_max) {
            self.forget_oldest();
        }
    }

    fn forget_oldest(&mut self) {
        if let Some((_, call)) = self.order.pop_front() {
            self.calls.remove(&call);
        }
    }
}

impl Border {
    /// From now on the messages of this call are copied.
    pub(super) fn mirror(&mut self, context: &RequestContext, scope: &Scope<'_>) {
        let call = self.hasher.hash128(&[context.named.call_id.of(&context.request)]) as u64;
        self.mirror.follow(call, scope.now.time);
    }

    /// Copies the message that came in and those that were sent since there were *before* of them, as far as they are of calls
    /// that are followed.
    pub(crate) fn copy_mirrored(
        &mut self,
        received: Option<(Flow, &[u8])>,
        before: usize,
        scope: &mut Scope<'_>,
    ) {
        let age_max = Duration::from_millis(self.generation.snapshot.limits.call_duration_ms_max);
        self.mirror.forget_older(age_max, scope.now.time);
        let unix_ms = scope.now.unix_ms;
        let copies: Vec<MirroredMessage> = received
            .filter(|(_, bytes)| self.is_mirrored(bytes))
            .into_iter()
            .map(|(flow, bytes)| self.copied(true, &flow, bytes, unix_ms))
            .chain(scope.out.sends().iter().skip(before).filter_map(|send| {
                let bytes = scope.out.bytes(send);
                self.is_mirrored(bytes).then(|| self.copied(false, &send.flow, bytes, unix_ms))
            }))
            .collect();
        scope.out.mirrored.extend(copies);
    }

    fn is_mirrored(&self, bytes: &[u8]) -> bool {
        let call = parse::call_id_of(bytes).map(|call_id| self.hasher.hash128(&[call_id]) as u64);
        call.is_some_and(|call| self.mirror.calls.contains(&call))
    }

    fn copied(&self, is_received: bool, flow: &Flow, bytes: &[u8], unix_ms: u64) -> MirroredMessage {
        let local = self.listeners.get(flow.listener.at()).map(ToString::to_string).unwrap_or_default();
        let message = bytes.iter().map(|byte| char::from(*byte)).collect();
        MirroredMessage { is_received, local, remote: flow.remote.to_string(), unix_ms, message }
    }
}
