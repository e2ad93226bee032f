//! Counters of the running border, and their form for the outside: metric families.
//!
//! Every worker writes its own shard with plain loads and stores (one writer each, so no locked instruction); whoever
//! scrapes adds the shards up. A peer keeps its counters for the life of the process, also when a reload removes it,
//! or counters would seem to reset.

use std::hash::BuildHasher;
use std::sync::atomic::{AtomicI64, AtomicU16, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use foldhash::fast::FixedState;

use crate::admit::{LimiterState, Limiters, TokenBucket};
use crate::decide::{Eviction, HealthTable};
use crate::event::Outcome;
use crate::message::Method;
use crate::pattern::Detectors;
use crate::reason::Reason;
use crate::snapshot::{Direction, Limiter};
use crate::time::Time;

mod bounded;
mod connection;
mod family;
mod limiters;
mod overload;
mod patterns;
mod probe;
mod tags;
mod targets;

pub use bounded::{Bounded, BoundedShard};
pub use connection::ConnectionResult;
pub use family::{Family, Kind, Sample};
pub use overload::OverloadShard;
pub use probe::ProbeResult;
pub use tags::TagStatistics;
use tags::Tags;

/// A number with one writer.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Adds *amount*. Only the worker that owns the shard may call this.
    pub fn add(&self, amount: u64) {
        self.0.store(self.0.load(Ordering::Relaxed).wrapping_add(amount), Ordering::Relaxed);
    }

    /// Adds one.
    pub fn one(&self) {
        self.add(1);
    }

    /// Returns the number.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// A number that goes up and down, with one writer.
#[derive(Debug, Default)]
pub struct Gauge(AtomicI64);

impl Gauge {
    /// Adds *amount*, which may be negative. Only the worker that owns the shard may call this.
    pub fn add(&self, amount: i64) {
        self.0.store(self.0.load(Ordering::Relaxed).wrapping_add(amount), Ordering::Relaxed);
    }

    /// Sets it.
    pub fn set(&self, value: i64) {
        self.0.store(value, Ordering::Relaxed);
    }

    /// Returns the number.
    pub fn get(&self) -> i64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Upper bounds of the setup delay (PDD) buckets, in milliseconds.
pub const SETUP_BOUNDS_MS: [u64; 14] =
    [50, 100, 250, 500, 1_000, 1_500, 2_000, 3_000, 4_000, 5_000, 7_000, 10_000, 20_000, 30_000];
/// Upper bounds of the question buckets, in milliseconds.
pub const QUESTION_BOUNDS_MS: [u64; 14] =
    [1, 2, 5, 10, 25, 50, 100, 250, 500, 1_000, 2_000, 4_000, 8_000, 16_000];

/// A histogram with one writer; bucket counts are not cumulative here.
#[derive(Debug, Default)]
pub struct Histogram {
    buckets: [Counter; 15],
    sum_ms: Counter,
}

impl Histogram {
    /// Puts *value_ms* into the bucket whose bound it does not exceed.
    pub fn observe(&self, bounds_ms: &[u64; 14], value_ms: u64) {
        let at = bounds_ms.partition_point(|bound| *bound < value_ms);
        if let Some(bucket) = self.buckets.get(at) {
            bucket.one();
        }
        self.sum_ms.add(value_ms);
    }
}

/// Received or sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Way {
    Received,
    Sent,
}

pub(crate) const METHODS: [&str; 15] = [
    "INVITE",
    "ACK",
    "BYE",
    "CANCEL",
    "OPTIONS",
    "REGISTER",
    "PRACK",
    "UPDATE",
    "INFO",
    "MESSAGE",
    "REFER",
    "SUBSCRIBE",
    "NOTIFY",
    "PUBLISH",
    "other",
];

fn method_at(method: Method<'_>) -> usize {
    match method {
        Method::Invite => 0,
        Method::Ack => 1,
        Method::Bye => 2,
        Method::Cancel => 3,
        Method::Options => 4,
        Method::Register => 5,
        Method::Prack => 6,
        Method::Update => 7,
        Method::Info => 8,
        Method::Message => 9,
        Method::Refer => 10,
        Method::Subscribe => 11,
        Method::Notify => 12,
        Method::Publish => 13,
        Method::Other(_) => 14,
    }
}

/// The registered status codes (IANA), each with a counter of its own; all others share `other`.
pub(crate) const CODES: [u16; 76] = [
    100, 180, 181, 182, 183, 199, 200, 202, 204, 300, 301, 302, 305, 380, 400, 401, 402, 403, 404, 405, 406,
    407, 408, 410, 412, 413, 414, 415, 416, 417, 420, 421, 422, 423, 424, 425, 428, 429, 430, 433, 436, 437,
    438, 439, 440, 469, 470, 480, 481, 482, 483, 484, 485, 486, 487, 488, 489, 491, 493, 494, 500, 501, 502,
    503, 504, 505, 513, 555, 580, 600, 603, 604, 606, 607, 608, 699,
];

fn code_at(code: u16) -> usize {
    CODES.binary_search(&code).unwrap_or(CODES.len())
}

pub(crate) const OUTCOMES: [&str; 4] = ["answered", "failed", "cancelled", "rejected"];
pub(crate) const DIRECTIONS: [&str; 2] = ["exit", "entry"];
pub(crate) const REASONS: usize = Reason::ALL.len();

/// What one worker counts about one peer.
#[repr(align(128))]
#[derive(Debug)]
pub struct PeerShard {
    requests: [[Counter; METHODS.len()]; 2],
    responses: Box<[[[Counter; CODES.len() + 1]; METHODS.len()]; 2]>,
    retransmissions: [Counter; 2],
    rejections: [Counter; REASONS],
    attempts: [[Counter; OUTCOMES.len()]; 2],
    call_ms: [Counter; 2],
    calls_active: [Gauge; 2],
    setup: [Histogram; 2],
    connections: connection::Connections,
    probes: probe::Probes,
}

impl Default for PeerShard {
    fn default() -> Self {
        Self {
            requests: Default::default(),
            responses: Box::new(std::array::from_fn(|_| {
                std::array::from_fn(|_| std::array::from_fn(|_| Counter::default()))
            })),
            retransmissions: Default::default(),
            rejections: std::array::from_fn(|_| Counter::default()),
            attempts: Default::default(),
            call_ms: Default::default(),
            calls_active: Default::default(),
            setup: Default::default(),
            connections: connection::Connections::default(),
            probes: probe::Probes::default(),
        }
    }
}

impl PeerShard {
    /// Counts a request.
    pub fn request(&self, way: Way, method: Method<'_>) {
        self.requests[way as usize][method_at(method)].one();
    }

    /// Counts a response.
    pub fn response(&self, way: Way, method: Method<'_>, code: u16) {
        self.responses[way as usize][method_at(method)][code_at(code)].one();
    }

    /// Counts a retransmission.
    pub fn retransmission(&self, way: Way) {
        self.retransmissions[way as usize].one();
    }

    /// Counts a refusal.
    pub fn rejection(&self, reason: Reason) {
        self.rejections[reason as usize].one();
    }

    /// Counts a finished attempt.
    pub fn attempt(&self, direction: Direction, outcome: Outcome) {
        let at = match outcome {
            Outcome::Answered => 0,
            Outcome::Failed => 1,
            Outcome::Cancelled => 2,
            Outcome::Rejected => 3,
        };
        self.attempts[direction as usize][at].one();
    }

    /// Counts the length of an answered call.
    pub fn call_duration(&self, direction: Direction, millis: u64) {
        self.call_ms[direction as usize].add(millis);
    }

    /// Counts calls in progress up or down.
    pub fn calls_active(&self, direction: Direction, change: i64) {
        self.calls_active[direction as usize].add(change);
    }

    /// Counts the time from INVITE to the first 18x or 2xx.
    pub fn setup_delay(&self, direction: Direction, millis: u64) {
        self.setup[direction as usize].observe(&SETUP_BOUNDS_MS, millis);
    }
}

/// One peer, for the life of the process.
#[derive(Debug)]
pub struct PeerStatistics {
    id: String,
    shards: Box<[PeerShard]>,
    /// The bucket of initial requests from this peer, shared by all workers.
    pub bucket: TokenBucket,
    /// Calls in progress from and towards this peer, over all workers.
    pub calls: AtomicU32,
    /// How many there may be, by the agreement of the newest snapshot; `u32::MAX` when it sets no bound.
    pub calls_max: AtomicU32,
    /// Connections from and to this peer, over all workers.
    connections: AtomicU32,
}

impl PeerStatistics {
    /// The shard of *worker*.
    pub fn shard(&self, worker: usize) -> &PeerShard {
        &self.shards[worker]
    }

    /// Takes one of *calls_max* places for a call, or tells that all are taken.
    pub fn take_call(&self, calls_max: Option<u32>) -> bool {
        let max = calls_max.unwrap_or(u32::MAX);
        self.calls
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |calls| (calls < max).then(|| calls + 1))
            .is_ok()
    }

    /// Gives a place back.
    pub fn free_call(&self) {
        self.calls.fetch_sub(1, Ordering::Relaxed);
    }
}

/// What may be asked of the outside world.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum QuestionKind {
    Enum,
    Locate,
    Hook,
}

pub(crate) const QUESTION_KINDS: [&str; 3] = ["enum", "locate", "hook"];

/// What became of the questions of one kind.
#[derive(Debug, Default)]
#[allow(missing_docs)] // the label values of their family
pub struct QuestionCounts {
    pub answered: Counter,
    pub late: Counter,
    pub fallback: Counter,
    pub delay: Histogram,
}

/// What one worker counts about itself.
#[repr(align(128))]
#[derive(Debug, Default)]
#[allow(missing_docs)] // each is documented by its family's help text
pub struct WorkerShard {
    pub invite_transactions: Gauge,
    pub non_invite_transactions: Gauge,
    pub calls: Gauge,
    pub timers: Gauge,
    pub questions_open: Gauge,
    pub answers_cached: Gauge,
    pub cache_hits: Counter,
    pub cache_misses: Counter,
    pub locations_cached: Gauge,
    pub location_hits: Counter,
    pub location_misses: Counter,
    pub questions: [QuestionCounts; QUESTION_KINDS.len()],
    pub tokens_sealed: Counter,
    pub tokens_opened: Counter,
    pub tokens_refused: Counter,
    pub stray_responses: Counter,
    pub dropped_messages: Counter,
    pub generation: Gauge,
    pub draining: Gauge,
    pub generations_kept: Gauge,
    pub bounded: BoundedShard,
    pub answers_evicted: Evictions,
    pub locations_evicted: Evictions,
    pub refusal_events_suppressed: Counter,
    pub overload: OverloadShard,
}

/// What had to make room in a cache, by why.
#[derive(Debug, Default)]
pub struct Evictions {
    expired: Counter,
    unused: Counter,
}

impl Evictions {
    /// Counts one. Only the worker that owns the shard may call this.
    pub fn count(&self, eviction: Eviction) {
        match eviction {
            Eviction::Expired => self.expired.one(),
            Eviction::Unused => self.unused.one(),
        }
    }
}

impl WorkerShard {
    /// The counts of one kind of question.
    pub fn questions(&self, kind: QuestionKind) -> &QuestionCounts {
        &self.questions[kind as usize]
    }
}

/// All statistics, shared by the workers and whoever scrapes.
#[derive(Debug)]
pub struct Shared {
    workers: Box<[WorkerShard]>,
    peers: Mutex<Vec<Arc<PeerStatistics>>>,
    tags: Tags,
    limiters: Limiters,
    /// Patterns of fraud and attack, and what they found.
    pub detectors: Detectors,
    unknown: Arc<PeerStatistics>,
    /// How many of 10,000 requests are handed to the control plane.
    sampled_share: AtomicU16,
    /// What is known of the targets of peers.
    pub health: HealthTable,
    owners: FixedState,
}

impl Shared {
    /// Makes room for *workers* workers.
    pub fn new(workers: usize) -> Self {
        Self::with_owners(workers, FixedState::default())
    }

    /// The same; *owners* names the owner of a call, in a way that no sender can foretell.
    pub fn with_owners(workers: usize, owners: FixedState) -> Self {
        let unknown = Arc::new(peer_statistics("unknown", workers));
        Self {
            workers: (0..workers).map(|_| WorkerShard::default()).collect(),
            peers: Mutex::new(vec![Arc::clone(&unknown)]),
            tags: Tags::default(),
            limiters: Limiters::new((owners.hash_one("limiters"), owners.hash_one("keys of limiters"))),
            detectors: Detectors::new(workers, FixedState::with_seed(owners.hash_one("patterns"))),
            unknown,
            sampled_share: AtomicU16::new(0),
            health: HealthTable::default(),
            owners,
        }
    }

    /// The worker that owns the call with this Call-ID (design §5).
    pub fn owner_of(&self, call_id: &[u8]) -> usize {
        match self.workers() {
            1 => 0,
            workers => (self.owners.hash_one(call_id) % workers as u64) as usize,
        }
    }

    /// How many of 10,000 requests that begin something are handed to the control plane, told by their Call-IDs.
    pub fn sampled_share(&self) -> u16 {
        self.sampled_share.load(Ordering::Relaxed)
    }

    /// From now on so many of 10,000 are; none with 0.
    pub fn sample(&self, share: u16) {
        self.sampled_share.store(share, Ordering::Relaxed);
    }

    /// The shard of *worker*.
    pub fn worker(&self, worker: usize) -> &WorkerShard {
        &self.workers[worker]
    }

    /// How many workers there are.
    pub fn workers(&self) -> usize {
        self.workers.len().max(1)
    }

    /// What is counted about senders that belong to no peer.
    pub fn unknown(&self) -> &Arc<PeerStatistics> {
        &self.unknown
    }

    /// The statistics of the peer *id*, made when they are first asked for.
    pub fn peer(&self, id: &str) -> Arc<PeerStatistics> {
        let mut peers = self.peers.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = peers.iter().skip(1).find(|peer| peer.id == id) {
            return Arc::clone(found);
        }
        let made = Arc::new(peer_statistics(id, self.workers.len()));
        peers.push(Arc::clone(&made));
        made
    }

    /// The statistics of a tag, made when they are first asked for.
    pub fn tag(&self, name: &str) -> Arc<TagStatistics> {
        self.tags.get(name, self.workers.len())
    }

    /// What *limiter* counts, over all workers.
    pub fn limiter(&self, limiter: &Limiter) -> LimiterState {
        self.limiters.get(limiter, self.workers.len())
    }

    /// Everything, added up over the workers; what holds for a time only, as it is at *now*.
    pub fn families(&self, now: Time) -> Vec<Family> {
        let peers = self.peers.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let mut families = family::families(&self.workers, &peers);
        families.push(self.tags.family());
        families.extend(limiters::families(&self.limiters.all(), now));
        families.extend(patterns::families(&self.detectors.all()));
        families.extend(targets::families(&self.health.all(), now));
        families.extend(overload::families(&self.workers, now));
        families
    }
}

fn peer_statistics(id: &str, workers: usize) -> PeerStatistics {
    PeerStatistics {
        id: id.to_owned(),
        shards: (0..workers).map(|_| PeerShard::default()).collect(),
        bucket: TokenBucket::default(),
        calls: AtomicU32::new(0),
        calls_max: AtomicU32::new(u32::MAX),
        connections: AtomicU32::new(0),
    }
}
