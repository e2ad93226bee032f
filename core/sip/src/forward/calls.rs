//! Answered calls, for charging and capacity only: routing never asks here, it opens the token (design: stateless dialogs).

use std::collections::HashMap;
use std::sync::Arc;

use foldhash::fast::FixedState;
use smallvec::SmallVec;

use crate::admit::LimiterPlace;
use crate::border::{Border, Generation, Scope, TimerKey, WATCH};
use crate::event::{Ending, Event, Outcome, PackedRecord, ReleasedBy};
use crate::message::{HeaderId, Message, NameAddr};
use crate::reason::Reason;
use crate::rewrite::{granted_interval, is_session_refresh};
use crate::screen::Rejection;
use crate::snapshot::{Direction, PeerIndex};
use crate::statistics::PeerStatistics;
use crate::time::Time;
use crate::transaction::{SlotId, Table};

use super::places::{DownstreamPlace, UpstreamPlace};
use super::record::{make_record, text};
use super::{Cancelled, RequestContext};

/// After a session expired, how long the refresh may still be on its way.
const GRACE: std::time::Duration = std::time::Duration::from_secs(32);

/// How many dialogs one INVITE may set up (forking at the far side). Each makes a call and a record, so a callee that answers
/// without end would fill the table for everybody.
const DIALOGS_MAX: usize = 8;

/// A keyed hash: nobody can choose two dialogs that meet in it, and among a million none do by accident.
pub(crate) type DialogKey = u64;

/// The answered calls of one worker, by dialog.
#[derive(Debug)]
pub(crate) struct CallTable {
    calls: Table<Call>,
    /// The latest call of each dialog; it names the one before it.
    by_dialog: HashMap<DialogKey, SlotId, FixedState>,
}

#[derive(Debug)]
pub(crate) struct Call {
    dialog: DialogKey,
    /// The call before it where a dialog crosses the border more than once: each crossing is a call.
    earlier: Option<SlotId>,
    record: PackedRecord,
    upstream: Arc<PeerStatistics>,
    /// The peer that answered.
    downstream: Option<Arc<PeerStatistics>>,
    direction: Direction,
    expires: Time,
    /// When the timer that looks at it fires.
    watched: Time,
    answered: Time,
    _places: (Option<UpstreamPlace>, Option<DownstreamPlace>, Vec<LimiterPlace>),
}

impl CallTable {
    pub(crate) fn new(calls_max: usize, seed: u64) -> Self {
        Self { calls: Table::new(calls_max), by_dialog: HashMap::with_hasher(FixedState::with_seed(seed)) }
    }

    pub(crate) fn len(&self) -> usize {
        self.calls.len()
    }

    pub(crate) fn capacity_max(&self) -> usize {
        self.calls.capacity_max()
    }

    fn insert(&mut self, mut call: Call) -> Option<SlotId> {
        let dialog = call.dialog;
        call.earlier = self.by_dialog.get(&dialog).copied();
        let id = self.calls.insert(call).ok()?;
        self.by_dialog.insert(dialog, id);
        Some(id)
    }

    /// The calls of *dialog*, the latest first.
    fn of(&self, dialog: DialogKey) -> impl Iterator<Item = SlotId> {
        let latest = self.by_dialog.get(&dialog).copied();
        std::iter::successors(latest, |id| self.calls.get(*id)?.earlier)
    }

    /// Takes the latest crossing of *dialog* between these two peers, whichever of them called.
    fn take_between(
        &mut self,
        dialog: DialogKey,
        one: &Arc<PeerStatistics>,
        other: &Arc<PeerStatistics>,
    ) -> Option<Call> {
        let is_between = |id: &SlotId| self.calls.get(*id).is_some_and(|call| call.is_between(one, other));
        let id = self.of(dialog).find(is_between)?;
        self.take(id)
    }

    fn take(&mut self, id: SlotId) -> Option<Call> {
        let (dialog, earlier) = self.calls.get(id).map(|call| (call.dialog, call.earlier))?;
        let later =
            self.of(dialog).find(|other| self.calls.get(*other).is_some_and(|call| call.earlier == Some(id)));
        if let Some(later) = later.and_then(|later| self.calls.get_mut(later)) {
            later.earlier = earlier;
        } else if let Some(earlier) = earlier {
            self.by_dialog.insert(dialog, earlier);
        } else {
            self.by_dialog.remove(&dialog);
        }
        self.calls.remove(id)
    }
}

impl Call {
    /// Peers are told apart by their statistics, of which each has one for the life of the process.
    fn is_between(&self, one: &Arc<PeerStatistics>, other: &Arc<PeerStatistics>) -> bool {
        let Some(downstream) = &self.downstream else { return false };
        let is =
            |from: &Arc<_>, to: &Arc<_>| Arc::ptr_eq(from, &self.upstream) && Arc::ptr_eq(to, downstream);
        is(one, other) || is(other, one)
    }

    /// Sets when to look at it next; to be armed then.
    fn watch(&mut self, now: Time) -> Time {
        self.watched = self.expires.min(now + WATCH);
        self.watched
    }
}

impl Border {
    /// May this 2xx to an initial INVITE go upstream: is it of a dialog that is known, or one that still may be?
    pub(super) fn may_answer(&self, context: &RequestContext, response: &Message<'_>) -> bool {
        context.dialogs.len() < DIALOGS_MAX || context.dialogs.contains(&self.dialog_key(response))
    }

    /// A 2xx to an initial INVITE went upstream: one call a dialog, however often the 2xx comes (CH-17).
    pub(super) fn answered(
        &mut self,
        context: &mut RequestContext,
        number: usize,
        response: &Message<'_>,
        scope: &mut Scope<'_>,
    ) {
        let dialog = self.dialog_key(response);
        let Some(branch) = context.branches.get_mut(number) else { return };
        if context.dialogs.contains(&dialog) {
            return;
        }
        context.facts.peer_out = Some(branch.peer);
        let place = branch.place.take();
        let interval = granted_interval(response, branch.session_s);
        context.dialogs.push(dialog);
        let status = response.status().map_or(200, |line| line.code);
        let record = {
            let mut record = make_record(context, status, None, Outcome::Answered, scope);
            record.answer_ms = Some(scope.now.unix_ms);
            PackedRecord::pack(&record, &mut self.record_text)
        };
        let expires = scope.now.time + life(&context.generation, interval);
        self.peer_shard_of(context).attempt(context.direction(), Outcome::Answered);
        if self.calls.calls.is_full() {
            // Only emergency calls come this far (`admit`): routing goes on without the table, and the record is written now.
            scope.out.events.push(Event::CallFinished(record));
            return;
        }
        let statistics = |peer| Arc::clone(context.generation.statistics(peer));
        let mut call = Call {
            dialog,
            earlier: None,
            record,
            upstream: statistics(context.upstream),
            downstream: context.facts.peer_out.map(statistics),
            direction: context.direction(),
            expires,
            watched: expires,
            answered: scope.now.time,
            _places: (context.place.take(), place, std::mem::take(&mut context.limiter_places)),
        };
        let watched = call.watch(scope.now.time);
        if let Some(id) = self.calls.insert(call) {
            self.wheel.arm(watched, TimerKey::Call(id));
        }
    }

    /// A 2xx to a request inside a dialog moves the end of the session, or takes it away when it grants no interval any
    /// more (RFC 4028 §7.2).
    pub(super) fn refresh_call(
        &mut self,
        context: &RequestContext,
        number: usize,
        response: &Message<'_>,
        scope: &Scope<'_>,
    ) {
        if context.is_initial || !is_session_refresh(context.method()) {
            return;
        }
        let asked = context.branches.get(number).and_then(|branch| branch.session_s);
        let dialog = self.dialog_key(response);
        let life = life(&context.generation, granted_interval(response, asked));
        for id in self.calls.of(dialog).collect::<SmallVec<[SlotId; 2]>>() {
            let Some(call) = self.calls.calls.get_mut(id) else { continue };
            call.expires = scope.now.time + life;
            // One timer a call is enough, unless the end moved closer than the one that waits.
            if call.expires < call.watched {
                call.watched = call.expires;
                self.wheel.arm(call.expires, TimerKey::Call(id));
            }
        }
    }

    /// A BYE passed: the call ends here, not when the BYE is answered (TS 32.260 §5.2.1). Crossing BYEs end it once (CH-13).
    pub(super) fn end_call(
        &mut self,
        bye: &Message<'_>,
        sender: PeerIndex,
        receiver: PeerIndex,
        generation: &Generation,
        scope: &mut Scope<'_>,
    ) {
        let dialog = self.dialog_key(bye);
        let (sender, receiver) = (generation.statistics(sender), generation.statistics(receiver));
        let Some(call) = self.calls.take_between(dialog, sender, receiver) else { return };
        let is_from_caller = || {
            let from = bye.from().map(|from| from.uri).unwrap_or_default();
            from == call.record.record().from.as_bytes()
        };
        let is_caller =
            Arc::ptr_eq(sender, &call.upstream) && (!Arc::ptr_eq(sender, receiver) || is_from_caller());
        let ending = Ending {
            end_ms: scope.now.unix_ms,
            released_by: Some(if is_caller { ReleasedBy::Upstream } else { ReleasedBy::Downstream }),
            release_reason: bye.first(HeaderId::Reason).map(|header| text(header.value)),
            reason: None,
            source: None,
        };
        self.close(&call, &ending, scope);
    }

    pub(crate) fn on_call_timer(&mut self, id: SlotId, scope: &mut Scope<'_>) {
        let Some(call) = self.calls.calls.get_mut(id) else { return };
        if call.expires > scope.now.time {
            if call.watched <= scope.now.time {
                let watched = call.watch(scope.now.time);
                self.wheel.arm(watched, TimerKey::Call(id));
            }
            return;
        }
        if let Some(call) = self.calls.take(id) {
            self.close_by_border(&call, Reason::SessionExpired, scope);
        }
    }

    /// The node stops: what has no answer yet gets 503, so that the other side goes elsewhere, and its record.
    pub(crate) fn close_requests(&mut self, scope: &mut Scope<'_>) {
        let open: Vec<SlotId> = self.contexts.iter().map(|(id, _)| id).collect();
        for id in open {
            self.with_context(id, scope, |border, context, scope| {
                if context.final_status.is_none() {
                    if context.is_invite() {
                        // Nobody would hear an answer any more, and the caller tries elsewhere: what rings must stop.
                        context.cancelled = Some(Cancelled { reason: Reason::NodeStopped, header: None });
                        border.cancel_branches(id, context, scope);
                    }
                    border.reject(id, context, None, &Rejection::new(Reason::NodeStopped), scope);
                }
            });
        }
    }

    /// The node stops: every call that is up gets its record now, for no later one can be written here.
    pub(crate) fn close_calls(&mut self, scope: &mut Scope<'_>) {
        let up: Vec<SlotId> = self.calls.calls.iter().map(|(id, _)| id).collect();
        for id in up {
            if let Some(call) = self.calls.take(id) {
                self.close_by_border(&call, Reason::NodeStopped, scope);
            }
        }
    }

    fn close_by_border(&mut self, call: &Call, reason: Reason, scope: &mut Scope<'_>) {
        let ending = Ending {
            end_ms: scope.now.unix_ms,
            released_by: Some(ReleasedBy::Border),
            release_reason: None,
            reason: Some(reason.id()),
            source: Some(reason.entry().source),
        };
        call.upstream.shard(usize::from(self.worker)).rejection(reason);
        self.close(call, &ending, scope);
    }

    fn close(&mut self, call: &Call, ending: &Ending<'_>, scope: &mut Scope<'_>) {
        let length = scope.now.time.since(call.answered).as_millis() as u64;
        call.upstream.shard(usize::from(self.worker)).call_duration(call.direction, length);
        scope.out.events.push(Event::CallFinished(call.record.ended(ending, &mut self.record_text)));
    }

    /// The dialog of a message, the same seen from both ends: Call-ID and the two tags without their order.
    fn dialog_key(&self, message: &Message<'_>) -> DialogKey {
        let (from, to) = (message.from().ok(), message.to().ok());
        let mut tags =
            [&from, &to].map(|address| address.as_ref().and_then(NameAddr::tag).unwrap_or_default());
        tags.sort_unstable();
        let [low, high] = tags;
        self.hasher.hash128(&[b"dialog", message.call_id().unwrap_or_default(), low, high]) as DialogKey
    }
}

/// How long a call is up at most: to the end of its session, or as long as any call.
fn life(generation: &Generation, interval: Option<std::time::Duration>) -> std::time::Duration {
    let longest = std::time::Duration::from_millis(generation.snapshot.limits.call_duration_ms_max);
    // The interval is the far side's word: it may be any number that 64 bits hold.
    interval.map_or(longest, |interval| interval.saturating_add(GRACE).min(longest))
}
