//! The facade: one input and the time in, outputs out. Owns every table of one worker and the order of the stages.
//!
//! A border belongs to one worker and handles the calls whose Call-ID hashes to it, so nothing here is locked. What the
//! workers share (rates, places for calls, statistics) is in [`Shared`].

mod generation;
mod identifiers;
mod located;
mod timers;
mod watched;

use std::collections::{HashMap, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU64;
use std::sync::Arc;
use std::time::Duration;

use foldhash::fast::FixedState;

pub(crate) use generation::{GENERATIONS_KEPT, Generation};
pub(crate) use identifiers::{BranchId, hex, hex_digits};
use located::LocatedPeers;
pub(crate) use timers::{Arm, TimerKey, WATCH};
use watched::WatchedTargets;
pub(crate) use watched::{target_key, tell};

use crate::admit::{QueueDelay, Rate, RefusedLately, TokenBucket};
use crate::decide::{AnswerCache, CachedAnswer, Questions};
use crate::event::Event;
use crate::flow::Flow;
use crate::forward::{CallTable, LocatedHost, Mirror, Probers, RequestContext};
use crate::input::Input;
use crate::message::{HeaderIndex, Message, StartLine};
use crate::output::Outputs;
use crate::parse;
use crate::pattern::Watchlist;
use crate::reason::Reason;
use crate::rewrite::DraftScratch;
use crate::screen::Rejection;
use crate::snapshot::{Listener, PeerIndex, Snapshot, SnapshotError};
use crate::statistics::{Bounded, Shared, WorkerShard};
use crate::time::{Now, Time};
use crate::trace::{Stage, Step};
use crate::transaction::{KeyHasher, ServerKey, SlotId, Table, Wheel};

/// Refusals that make an event: so many a second, the rest is counted.
const REFUSAL_EVENTS_PER_SECOND: u32 = 10;
/// New work is refused when the table is this full (in tenths), so that requests inside dialogs still find room.
const NEW_WORK_TENTHS: usize = 9;

/// What a border needs to know before it starts.
#[derive(Debug)]
pub struct BorderConfig {
    /// Which worker it belongs to.
    pub worker: u8,
    /// How many there are: tables are split between them.
    pub workers: u8,
    /// From a good source of randomness, different at each start: keys the hashes and identifiers.
    pub seed: [u8; 32],
    /// Bound addresses, in the order of the snapshot's listeners.
    pub listeners: Vec<SocketAddr>,
    /// What the workers share.
    pub shared: Arc<Shared>,
}

/// The border of one worker.
#[derive(Debug)]
pub struct Border {
    pub(crate) worker: u8,
    pub(crate) hasher: KeyHasher,
    pub(crate) draws: u64,
    pub(crate) listeners: Vec<SocketAddr>,
    /// Hosts and ports that name this border, as it writes them itself.
    pub(crate) own_hosts: Vec<(String, u16)>,
    pub(crate) shared: Arc<Shared>,
    pub(crate) generation: Arc<Generation>,
    pub(crate) older: VecDeque<Arc<Generation>>,
    pub(crate) located: LocatedPeers,
    pub(crate) watched: WatchedTargets,
    pub(crate) probers: Probers,
    pub(crate) contexts: Table<Option<Box<RequestContext>>>,
    pub(crate) server_keys: HashMap<ServerKey, SlotId, FixedState>,
    /// Initial requests that wait for their final response, by what is the same on every path (RFC 3261 §8.2.2.2).
    pub(crate) arrivals: HashMap<NonZeroU64, SlotId, FixedState>,
    pub(crate) invites: usize,
    /// Contexts without a final response.
    pub(crate) unanswered: usize,
    pub(crate) calls: CallTable,
    pub(crate) wheel: Wheel<TimerKey>,
    pub(crate) answers: AnswerCache<CachedAnswer>,
    pub(crate) locations: AnswerCache<LocatedHost>,
    pub(crate) questions: Questions,
    pub(crate) mirror: Mirror,
    pub(crate) is_draining: bool,
    pub(crate) refused_lately: RefusedLately,
    pub(crate) queue_delay: QueueDelay,
    /// What patterns hold, as this worker saw it last.
    pub(crate) watchlist: Arc<Watchlist>,
    pub(crate) watchlist_version: u64,
    unknown_bucket: TokenBucket,
    refusal_bucket: TokenBucket,
    pub(crate) token_alarms: TokenBucket,
    refusals_suppressed: u64,
    /// Both `None` while they are in use, so that taking one out costs nothing.
    index: Option<Box<HeaderIndex>>,
    pub(crate) stored_index: Option<Box<HeaderIndex>>,
    pub(crate) scratch: DraftScratch,
    /// For what is written before it is known how long it is.
    pub(crate) buffer: Vec<u8>,
    /// For the record that is being packed.
    pub(crate) record_text: String,
    /// For the message that leaves.
    pub(crate) outgoing: Vec<u8>,
}

/// The moment and the outputs that every stage gets handed on.
pub(crate) struct Scope<'o> {
    pub(crate) now: Now,
    pub(crate) out: &'o mut Outputs,
}

impl Scope<'_> {
    pub(crate) fn step(
        &mut self,
        stage: Stage,
        rule: Option<&str>,
        outcome: &'static str,
        detail: impl FnOnce() -> String,
        clause: Option<&'static str>,
    ) {
        let rule = rule.map(str::to_owned);
        self.out.trace.step(|| Step { stage, rule, outcome, detail: detail(), clause });
    }
}

/// How a message arrived.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Received {
    pub(crate) flow: Flow,
    pub(crate) peer: Option<PeerIndex>,
}

impl Border {
    /// Makes a border that serves *snapshot*.
    pub fn new(config: BorderConfig, snapshot: Arc<Snapshot>) -> Self {
        let workers = usize::from(config.workers.max(1));
        let limits = snapshot.limits;
        let (table_seed, map_seed) = config.seed.split_at(16);
        let seed: [u8; 16] = table_seed.try_into().unwrap_or_default();
        let map_seed = map_seed.iter().fold(0_u64, |hash, byte| hash.rotate_left(8) ^ u64::from(*byte));
        // Neither changes while the process lives: see `check_successor`.
        let advertised = snapshot.listeners.iter().filter_map(|listener| listener.advertised);
        let own_hosts = config.listeners.iter().copied().chain(advertised).map(host_and_port).collect();
        let generation = Arc::new(Generation::new(snapshot, &config.shared));
        let mut border = Self {
            worker: config.worker,
            hasher: KeyHasher::new(seed),
            draws: 0,
            listeners: config.listeners,
            own_hosts,
            shared: config.shared,
            generation,
            older: VecDeque::new(),
            located: LocatedPeers::default(),
            watched: WatchedTargets::default(),
            probers: Probers::default(),
            contexts: Table::new(limits.transactions_max.div_ceil(workers)),
            server_keys: HashMap::with_hasher(FixedState::with_seed(map_seed)),
            arrivals: HashMap::with_hasher(FixedState::with_seed(map_seed)),
            invites: 0,
            unanswered: 0,
            calls: CallTable::new(limits.calls_max.div_ceil(workers), map_seed),
            wheel: Wheel::new(Time::ZERO),
            answers: AnswerCache::new(limits.answers_max.div_ceil(workers), map_seed),
            locations: AnswerCache::new(limits.locations_max.div_ceil(workers), map_seed),
            questions: Questions::new(config.worker, limits.questions_max.div_ceil(workers), map_seed),
            mirror: Mirror::default(),
            is_draining: false,
            refused_lately: RefusedLately::default(),
            queue_delay: QueueDelay::default(),
            watchlist: Arc::default(),
            watchlist_version: 0,
            unknown_bucket: TokenBucket::default(),
            refusal_bucket: TokenBucket::default(),
            token_alarms: TokenBucket::default(),
            refusals_suppressed: 0,
            index: Some(Box::default()),
            stored_index: Some(Box::default()),
            scratch: DraftScratch::default(),
            buffer: Vec::new(),
            record_text: String::new(),
            outgoing: Vec::new(),
        };
        border.watch_peers();
        border.arrange_probes(Time::ZERO);
        border.publish_limits();
        border.publish();
        border
    }

    /// Tells whether *next* can take the place of the snapshot in force: listeners keep their sockets, and dialogs the
    /// addresses in their route sets, so they must not change.
    pub fn check_successor(&self, next: &Snapshot) -> Result<(), SnapshotError> {
        let same = |old: &Listener, new: &Listener| {
            (&old.id, old.side, old.transport, old.address, old.advertised)
                == (&new.id, new.side, new.transport, new.address, new.advertised)
        };
        let current = &self.generation.snapshot.listeners;
        let is_same = current.len() == next.listeners.len()
            && current.iter().zip(&next.listeners).all(|(old, new)| same(old, new));
        if is_same { Ok(()) } else { Err(SnapshotError::value("listeners", "changed: takes a restart")) }
    }

    /// Handles one input, and all timers that are due.
    pub fn handle(&mut self, input: Input<'_>, now: Now, out: &mut Outputs) {
        let sent_before = out.sends().len();
        let received = match &input {
            Input::Message { flow, bytes } => Some((*flow, *bytes)),
            _ => None,
        };
        let mut scope = Scope { now, out };
        self.fire_timers(&mut scope);
        match input {
            Input::Message { flow, bytes } => self.on_bytes(flow, bytes, &mut scope),
            Input::Broken { flow, head, fault } => self.on_broken(flow, head, fault, &mut scope),
            Input::Unreachable { destination, excerpt } => {
                self.on_unreachable(destination, excerpt, &mut scope);
            }
            Input::Answer(answer) => self.on_answer(answer, &mut scope),
            Input::Targets(set) => self.locate_peer(set, now.time),
            Input::Tick => {}
            Input::QueueDelay(delay) => {
                self.observe_queue_delay(delay, now.time);
                return;
            }
            Input::Apply(snapshot) => {
                self.apply(snapshot);
                self.arrange_probes(now.time);
            }
            Input::Drain => self.is_draining = true,
            Input::Close => {
                self.close_requests(&mut scope);
                self.close_calls(&mut scope);
            }
        }
        if !self.mirror.is_empty() {
            self.copy_mirrored(received, sent_before, &mut scope);
        }
        self.publish();
    }

    /// When the next timer is due: `handle` with [`Input::Tick`] no later than that.
    pub fn next_due(&self) -> Option<Time> {
        self.wheel.next_due()
    }

    /// No request waits for its final response. Transactions that only absorb repetitions do not count.
    pub fn is_idle(&self) -> bool {
        self.unanswered == 0
    }

    /// How many transactions are in the table, those included that only absorb repetitions.
    pub fn transactions(&self) -> usize {
        self.contexts.len()
    }

    /// The snapshot in force.
    pub fn snapshot(&self) -> &Arc<Snapshot> {
        &self.generation.snapshot
    }

    fn observe_queue_delay(&mut self, delay: Duration, now: Time) {
        let bound = Duration::from_millis(self.generation.snapshot.limits.queue_delay_ms_max);
        self.queue_delay.observe(delay, bound, now);
        self.statistics().overload.show(&self.queue_delay, now);
    }

    fn apply(&mut self, snapshot: Arc<Snapshot>) {
        let next = Arc::new(Generation::new(snapshot, &self.shared));
        self.located.move_to(&next);
        self.older.push_front(std::mem::replace(&mut self.generation, next));
        self.older.truncate(GENERATIONS_KEPT - 1);
        self.watch_peers();
    }

    /// The generation that a dialog started on, while it is kept; else the one in force.
    pub(crate) fn generation_of(&self, number: u64) -> Arc<Generation> {
        let kept = self.older.iter().find(|generation| generation.snapshot.generation == number);
        Arc::clone(kept.unwrap_or(&self.generation))
    }

    fn on_bytes(&mut self, flow: Flow, bytes: &[u8], scope: &mut Scope<'_>) {
        if bytes.iter().all(|byte| matches!(byte, b'\r' | b'\n' | 0)) {
            return; // a keep-alive (RFC 5626 §4.4.1 and its older habits)
        }
        scope.step(
            Stage::Transport,
            None,
            "received",
            || format!("{} bytes from {}", bytes.len(), flow.remote),
            None,
        );
        let received = Received { flow, peer: self.generation.sender(&flow) };
        let limits = self.generation.snapshot.limits;
        if let Some(trying) = parse::trying_of(bytes).filter(|_| bytes.len() <= limits.message_bytes_max)
            && self.on_trying(trying, received, scope)
        {
            return;
        }
        let mut index = self.index.take().unwrap_or_default();
        match parse::parse(bytes, &limits, &mut index) {
            Ok(message) => self.on_message(&message, received, scope),
            Err(error) => {
                self.refused(Reason::Malformed, received, &error.to_string(), scope);
                self.statistics().dropped_messages.one();
            }
        }
        self.index = Some(index);
    }

    /// A stream of which no more can be read (RFC 3261 §18.3): the request that broke it is answered, if there is one.
    fn on_broken(&mut self, flow: Flow, head: &[u8], fault: parse::Fault, scope: &mut Scope<'_>) {
        let mut index = self.index.take().unwrap_or_default();
        let received = Received { flow, peer: self.generation.sender(&flow) };
        let limits = self.generation.snapshot.limits;
        let request = parse::parse(head, &limits, &mut index)
            .ok()
            .and_then(|message| Some((message, message.request()?)));
        match request {
            Some((message, request)) if received.peer.is_some() => {
                self.refuse(
                    &message,
                    request,
                    received,
                    &Rejection::new(fault.reason),
                    &fault.to_string(),
                    scope,
                );
            }
            _ => {
                self.refused(fault.reason, received, &fault.to_string(), scope);
                self.statistics().dropped_messages.one();
            }
        }
        self.index = Some(index);
    }

    fn on_message(&mut self, message: &Message<'_>, received: Received, scope: &mut Scope<'_>) {
        match message.start_line() {
            StartLine::Request(request) => {
                scope.step(
                    Stage::Parse,
                    None,
                    "parsed",
                    || {
                        format!(
                            "{} with {} headers, {} bytes of body",
                            request.method.as_str(),
                            message.header_count(),
                            message.body().len()
                        )
                    },
                    None,
                );
                self.on_request(message, request, received, scope);
            }
            StartLine::Response(status) => {
                scope.step(Stage::Parse, None, "parsed", || format!("response {}", status.code), None);
                self.on_response(message, status.code, received, scope);
            }
        }
    }

    pub(crate) fn statistics(&self) -> &WorkerShard {
        self.shared.worker(usize::from(self.worker))
    }

    /// Room for new work? In-dialog requests may use the last tenth of the table.
    pub(crate) fn has_room(&self) -> bool {
        self.contexts.len() < self.contexts.capacity_max() * NEW_WORK_TENTHS / 10
            && self.calls.len() + self.invites < self.calls.capacity_max()
            && self.wheel.len() < self.timers_max()
    }

    /// May an unknown source be answered now?
    pub(crate) fn may_answer_unknown(&self, now: Time) -> bool {
        let unknown = self.generation.snapshot.unknown_source;
        unknown.reject
            && unknown.answers_per_second > 0
            && self
                .unknown_bucket
                .take(Rate::new(unknown.answers_per_second, unknown.answers_per_second), now)
    }

    /// Counts a refusal that makes no record, and tells the control plane of some of them.
    pub(crate) fn refused(
        &mut self,
        reason: Reason,
        received: Received,
        detail: &str,
        scope: &mut Scope<'_>,
    ) {
        let worker = usize::from(self.worker);
        let peer = received.peer.map(|peer| {
            self.generation.statistics(peer).shard(worker).rejection(reason);
            self.generation.snapshot.peer(peer).id.clone()
        });
        if peer.is_none() {
            self.shared.unknown().shard(worker).rejection(reason);
        }
        scope.step(
            stage_of(reason),
            None,
            "refused",
            || format!("{}: {detail}", reason.id()),
            Some(reason.entry().clause),
        );
        if !self
            .refusal_bucket
            .take(Rate::new(REFUSAL_EVENTS_PER_SECOND, REFUSAL_EVENTS_PER_SECOND), scope.now.time)
        {
            self.refusals_suppressed += 1;
            self.statistics().refusal_events_suppressed.one();
            return;
        }
        scope.out.events.push(Event::MessageRefused {
            reason: reason.id(),
            peer,
            source: received.flow.remote.to_string(),
            detail: detail.to_owned(),
            suppressed: std::mem::take(&mut self.refusals_suppressed),
            unix_ms: scope.now.unix_ms,
        });
    }

    #[allow(clippy::cast_possible_wrap)]
    fn publish(&self) {
        let shard = self.statistics();
        shard.invite_transactions.set(self.invites as i64);
        shard.non_invite_transactions.set((self.contexts.len() - self.invites) as i64);
        shard.calls.set(self.calls.len() as i64);
        shard.timers.set(self.wheel.len() as i64);
        shard.questions_open.set(self.questions.len() as i64);
        shard.answers_cached.set(self.answers.len() as i64);
        shard.locations_cached.set(self.locations.len() as i64);
        shard.generation.set(self.generation.snapshot.generation as i64);
        shard.draining.set(i64::from(self.is_draining));
        shard.generations_kept.set(self.older.len() as i64 + 1);
        for (table, len) in [
            (Bounded::Transactions, self.contexts.len()),
            (Bounded::Calls, self.calls.len()),
            (Bounded::Timers, self.wheel.len()),
            (Bounded::Questions, self.questions.len()),
            (Bounded::Answers, self.answers.len()),
            (Bounded::Locations, self.locations.len()),
        ] {
            shard.bounded.holds(table, len);
        }
    }

    /// Tables keep their size for the life of the border, whatever a later snapshot says.
    fn publish_limits(&self) {
        for (table, max) in [
            (Bounded::Transactions, self.contexts.capacity_max()),
            (Bounded::Calls, self.calls.capacity_max()),
            (Bounded::Timers, self.timers_max()),
            (Bounded::Questions, self.questions.capacity_max()),
            (Bounded::Answers, self.answers.capacity_max()),
            (Bounded::Locations, self.locations.capacity_max()),
        ] {
            self.statistics().bounded.limit(table, max);
        }
    }

    fn timers_max(&self) -> usize {
        timers::timers_max(self.contexts.capacity_max(), self.calls.capacity_max())
    }
}

fn host_and_port(address: SocketAddr) -> (String, u16) {
    let host = match address.ip() {
        IpAddr::V4(ip) => ip.to_string(),
        IpAddr::V6(ip) => format!("[{ip}]"),
    };
    (host, address.port())
}

/// The stage that owns *reason*.
pub(crate) fn stage_of(reason: Reason) -> Stage {
    match reason.stage() {
        "parse" => Stage::Parse,
        "admit" => Stage::Admit,
        "screen" => Stage::Screen,
        "decide" => Stage::Decide,
        "rewrite" => Stage::Rewrite,
        _ => Stage::Forward,
    }
}
