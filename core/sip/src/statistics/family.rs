//! The counters as metric families, named as an operator sees them (field names of Prometheus).

use std::sync::Arc;
use std::sync::atomic::Ordering;

use serde::Serialize;

use super::connection::{ConnectionResult, TRANSPORTS};
use super::{
    CODES, Counter, DIRECTIONS, Evictions, Histogram, METHODS, OUTCOMES, PeerShard, PeerStatistics,
    ProbeResult, QUESTION_BOUNDS_MS, QUESTION_KINDS, QuestionCounts, SETUP_BOUNDS_MS, WorkerShard,
};
use crate::reason::Reason;

/// What kind of metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum Kind {
    Counter,
    Gauge,
    Histogram,
}

/// One metric with all its label combinations that ever counted something.
#[derive(Clone, Debug, Serialize)]
pub struct Family {
    /// Name; a counter's ends in `_total`.
    pub name: &'static str,
    /// Kind.
    pub kind: Kind,
    /// One sentence for `# HELP`.
    pub help: &'static str,
    /// Label names.
    pub labels: &'static [&'static str],
    /// Upper bounds of the buckets in seconds, for a histogram.
    pub bounds: Vec<f64>,
    /// The values.
    pub samples: Vec<Sample>,
}

/// One combination of labels.
#[derive(Clone, Debug, Serialize)]
pub struct Sample {
    /// Label values, in the order of the names.
    pub labels: Vec<String>,
    /// The value; the sum in seconds for a histogram.
    pub value: f64,
    /// Cumulative bucket counts, the last one for +Inf; empty unless a histogram.
    pub buckets: Vec<u64>,
}

pub(super) fn families(workers: &[WorkerShard], peers: &[Arc<PeerStatistics>]) -> Vec<Family> {
    let mut families = peer_families(peers);
    families.extend(worker_families(workers));
    families
}

pub(super) struct Builder(pub(super) Family);

impl Builder {
    pub(super) fn new(
        name: &'static str,
        kind: Kind,
        help: &'static str,
        labels: &'static [&'static str],
    ) -> Self {
        Self(Family { name, kind, help, labels, bounds: Vec::new(), samples: Vec::new() })
    }

    #[allow(clippy::cast_precision_loss)] // counters stay far below 2^53
    pub(super) fn add(&mut self, labels: &[&str], value: u64) {
        self.push(labels, value as f64);
    }

    pub(super) fn push(&mut self, labels: &[&str], value: f64) {
        let labels = labels.iter().map(|label| (*label).to_owned()).collect();
        self.0.samples.push(Sample { labels, value, buckets: Vec::new() });
    }

    fn add_if_any(&mut self, labels: &[&str], value: u64) {
        if value > 0 {
            self.add(labels, value);
        }
    }

    #[allow(clippy::cast_precision_loss)]
    fn add_histogram<'a>(&mut self, labels: &[&str], shards: impl Iterator<Item = &'a Histogram>) {
        let (mut counts, mut sum_ms) = ([0_u64; 15], 0);
        for shard in shards {
            for (total, bucket) in counts.iter_mut().zip(&shard.buckets) {
                *total += bucket.get();
            }
            sum_ms += shard.sum_ms.get();
        }
        let buckets = counts
            .iter()
            .scan(0, |sum, count| {
                *sum += count;
                Some(*sum)
            })
            .collect();
        let labels = labels.iter().map(|label| (*label).to_owned()).collect();
        self.0.samples.push(Sample { labels, value: sum_ms as f64 / 1000.0, buckets });
    }

    #[allow(clippy::cast_precision_loss)]
    fn bounds(mut self, bounds_ms: &[u64]) -> Self {
        self.0.bounds = bounds_ms.iter().map(|bound| *bound as f64 / 1000.0).collect();
        self
    }
}

fn total(peer: &PeerStatistics, counter: impl Fn(&PeerShard) -> &Counter) -> u64 {
    peer.shards.iter().map(|shard| counter(shard).get()).sum()
}

const WAYS: [&str; 2] = ["received", "sent"];

fn peer_families(peers: &[Arc<PeerStatistics>]) -> Vec<Family> {
    let mut families = message_families(peers);
    families.extend(call_families(peers));
    families.extend(connection_families(peers));
    families.extend(probe_families(peers));
    families
}

fn message_families(peers: &[Arc<PeerStatistics>]) -> Vec<Family> {
    use Kind::Counter as C;
    let mut messages = Builder::new(
        "ibcf_sip_messages_total",
        C,
        "SIP messages by kind and method, retransmissions included.",
        &["peer", "way", "kind", "method"],
    );
    let mut responses = Builder::new(
        "ibcf_sip_responses_total",
        C,
        "SIP responses by status code.",
        &["peer", "way", "method", "code"],
    );
    let mut again = Builder::new(
        "ibcf_sip_retransmissions_total",
        C,
        "Messages sent or received once more.",
        &["peer", "way"],
    );
    let mut rejections = Builder::new(
        "ibcf_rejections_total",
        C,
        "Requests refused or failed by this border, by reason of the catalogue.",
        &["peer", "stage", "reason"],
    );
    let mut parse = Builder::new(
        "ibcf_parse_errors_total",
        C,
        "Messages refused because of their bytes.",
        &["peer", "reason"],
    );
    for peer in peers {
        for (way, way_name) in WAYS.iter().enumerate() {
            for (method, method_name) in METHODS.iter().enumerate() {
                let requests = total(peer, |shard| &shard.requests[way][method]);
                messages.add_if_any(&[&peer.id, way_name, "request", method_name], requests);
                let mut sum = 0;
                for code in 0..=CODES.len() {
                    let count = total(peer, |shard| &shard.responses[way][method][code]);
                    if count > 0 {
                        let name = CODES.get(code).map_or_else(|| "other".to_owned(), u16::to_string);
                        responses.add(&[&peer.id, way_name, method_name, &name], count);
                    }
                    sum += count;
                }
                messages.add_if_any(&[&peer.id, way_name, "response", method_name], sum);
            }
            again.add(&[&peer.id, way_name], total(peer, |shard| &shard.retransmissions[way]));
        }
        for (at, reason) in Reason::ALL.iter().enumerate() {
            let count = total(peer, |shard| &shard.rejections[at]);
            rejections.add_if_any(&[&peer.id, reason.stage(), reason.id()], count);
            if reason.stage() == "parse" {
                parse.add_if_any(&[&peer.id, reason.id()], count);
            }
        }
    }
    vec![messages.0, responses.0, again.0, rejections.0, parse.0]
}

#[allow(clippy::cast_precision_loss)]
fn call_families(peers: &[Arc<PeerStatistics>]) -> Vec<Family> {
    let mut attempts = Builder::new(
        "ibcf_call_attempts_total",
        Kind::Counter,
        "Finished call attempts from the peer, by outcome.",
        &["peer", "direction", "outcome"],
    );
    let mut seconds = Builder::new(
        "ibcf_call_seconds_total",
        Kind::Counter,
        "Length of the answered calls that ended.",
        &["peer", "direction"],
    );
    let mut active = Builder::new(
        "ibcf_calls_active",
        Kind::Gauge,
        "Calls in progress from the peer, ringing or answered.",
        &["peer", "direction"],
    );
    let mut setup = Builder::new(
        "ibcf_call_setup_delay_seconds",
        Kind::Histogram,
        "From INVITE to the first 18x or 2xx (post-dial delay).",
        &["peer", "direction"],
    )
    .bounds(&SETUP_BOUNDS_MS);
    let mut places = Builder::new(
        "ibcf_peer_calls",
        Kind::Gauge,
        "Calls in progress from and towards the peer, as counted against its limit.",
        &["peer"],
    );
    let mut places_max = Builder::new(
        "ibcf_peer_calls_limit",
        Kind::Gauge,
        "How many of them the agreement allows, where it sets a bound.",
        &["peer"],
    );
    for peer in peers.iter().skip(1) {
        places.push(&[&peer.id], f64::from(peer.calls.load(Ordering::Relaxed)));
        let max = peer.calls_max.load(Ordering::Relaxed);
        if max < u32::MAX {
            places_max.push(&[&peer.id], f64::from(max));
        }
        for (at, direction) in DIRECTIONS.iter().enumerate() {
            for (outcome, name) in OUTCOMES.iter().enumerate() {
                attempts.add(&[&peer.id, direction, name], total(peer, |shard| &shard.attempts[at][outcome]));
            }
            seconds.push(&[&peer.id, direction], total(peer, |shard| &shard.call_ms[at]) as f64 / 1000.0);
            let calls: i64 = peer.shards.iter().map(|shard| shard.calls_active[at].get()).sum();
            active.push(&[&peer.id, direction], calls as f64);
            setup.add_histogram(&[&peer.id, direction], peer.shards.iter().map(|shard| &shard.setup[at]));
        }
    }
    vec![attempts.0, seconds.0, active.0, setup.0, places.0, places_max.0]
}

#[allow(clippy::cast_precision_loss)]
fn connection_families(peers: &[Arc<PeerStatistics>]) -> [Family; 2] {
    let mut active = Builder::new(
        "ibcf_connections_active",
        Kind::Gauge,
        "Connections from and to the peer, those included that are being made.",
        &["peer", "transport"],
    );
    let mut results = Builder::new(
        "ibcf_connections_total",
        Kind::Counter,
        "What became of connections: how they began, were refused, or ended.",
        &["peer", "transport", "result"],
    );
    for peer in peers {
        for (at, transport) in TRANSPORTS.iter().enumerate() {
            let transport = transport.name();
            let mut is_used = false;
            for (number, result) in ConnectionResult::ALL.iter().enumerate() {
                let count = total(peer, |shard| &shard.connections.results[at][number]);
                results.add_if_any(&[&peer.id, transport, result.name()], count);
                is_used |= count > 0;
            }
            if is_used {
                let count: i64 = peer.shards.iter().map(|shard| shard.connections.active[at].get()).sum();
                active.push(&[&peer.id, transport], count as f64);
            }
        }
    }
    [active.0, results.0]
}

fn probe_families(peers: &[Arc<PeerStatistics>]) -> [Family; 2] {
    let mut results = Builder::new(
        "ibcf_probes_total",
        Kind::Counter,
        "OPTIONS to the targets of the peer, by what came of them.",
        &["peer", "result"],
    );
    let mut delay = Builder::new(
        "ibcf_peer_options_rtt_seconds",
        Kind::Histogram,
        "From a probe to its answer.",
        &["peer"],
    )
    .bounds(&QUESTION_BOUNDS_MS);
    for peer in peers {
        let count = |at: usize| total(peer, |shard| &shard.probes.results[at]);
        if (0..ProbeResult::ALL.len()).all(|at| count(at) == 0) {
            continue;
        }
        for (at, result) in ProbeResult::ALL.iter().enumerate() {
            results.add(&[&peer.id, result.name()], count(at));
        }
        delay.add_histogram(&[&peer.id], peer.shards.iter().map(|shard| &shard.probes.delay));
    }
    [results.0, delay.0]
}

#[allow(clippy::cast_precision_loss)]
fn worker_families(workers: &[WorkerShard]) -> Vec<Family> {
    type Gauges = [(&'static str, &'static str, fn(&WorkerShard) -> i64); 5];
    type Counters = [(&'static str, &'static str, fn(&WorkerShard) -> u64); 3];
    let mut transactions = Builder::new(
        "ibcf_transactions_active",
        Kind::Gauge,
        "Server transactions with their branches that are in the table.",
        &["kind"],
    );
    let sum = |read: fn(&WorkerShard) -> i64| workers.iter().map(read).sum::<i64>();
    let count = |read: fn(&WorkerShard) -> u64| workers.iter().map(read).sum::<u64>();
    transactions.push(&["invite"], sum(|shard| shard.invite_transactions.get()) as f64);
    transactions.push(&["non_invite"], sum(|shard| shard.non_invite_transactions.get()) as f64);
    let mut families = vec![transactions.0];
    let gauges: Gauges = [
        ("ibcf_dialogs_tracked", "Answered calls that charging follows.", |shard| shard.calls.get()),
        ("ibcf_timers_pending", "Timers in the wheels, cancelled ones included.", |shard| shard.timers.get()),
        ("ibcf_questions_open", "Questions without an answer yet.", |shard| shard.questions_open.get()),
        ("ibcf_answer_cache_entries", "Answers held for further use.", |shard| shard.answers_cached.get()),
        (
            "ibcf_location_cache_entries",
            "Hosts of Request-URIs whose servers are held for further use.",
            |shard| shard.locations_cached.get(),
        ),
    ];
    for (name, help, read) in gauges {
        let mut family = Builder::new(name, Kind::Gauge, help, &[]);
        family.push(&[], sum(read) as f64);
        families.push(family.0);
    }
    let counters: Counters = [
        ("ibcf_stray_responses_total", "Responses that belong to no transaction.", |shard| {
            shard.stray_responses.get()
        }),
        ("ibcf_messages_dropped_total", "Messages dropped without an answer.", |shard| {
            shard.dropped_messages.get()
        }),
        (
            "ibcf_refusal_events_suppressed_total",
            "Refusals that were counted and left out of the log, to keep its rate.",
            |shard| shard.refusal_events_suppressed.get(),
        ),
    ];
    for (name, help, read) in counters {
        let mut family = Builder::new(name, Kind::Counter, help, &[]);
        family.add(&[], count(read));
        families.push(family.0);
    }
    let mut questions = Builder::new(
        "ibcf_questions_total",
        Kind::Counter,
        "Questions to the control plane.",
        &["kind", "result"],
    );
    let mut delay =
        Builder::new("ibcf_question_seconds", Kind::Histogram, "From question to answer.", &["kind"])
            .bounds(&QUESTION_BOUNDS_MS);
    for (at, kind) in QUESTION_KINDS.into_iter().enumerate() {
        let total = |read: fn(&QuestionCounts) -> &Counter| {
            workers.iter().map(|shard| read(&shard.questions[at]).get()).sum::<u64>()
        };
        questions.add(&[kind, "answered"], total(|counts| &counts.answered));
        questions.add(&[kind, "late"], total(|counts| &counts.late));
        questions.add(&[kind, "fallback"], total(|counts| &counts.fallback));
        delay.add_histogram(&[kind], workers.iter().map(|shard| &shard.questions[at].delay));
    }
    let mut tokens =
        Builder::new("ibcf_topology_tokens_total", Kind::Counter, "Record-Route tokens.", &["op", "result"]);
    tokens.add(&["seal", "ok"], count(|shard| shard.tokens_sealed.get()));
    tokens.add(&["open", "ok"], count(|shard| shard.tokens_opened.get()));
    tokens.add(&["open", "refused"], count(|shard| shard.tokens_refused.get()));
    families.extend(cache_families(workers));
    families.extend([questions.0, delay.0, tokens.0]);
    let newest = |read: fn(&WorkerShard) -> i64| workers.iter().map(read).max().unwrap_or(0);
    let mut generation =
        Builder::new("ibcf_config_generation", Kind::Gauge, "Generation of the snapshot in force.", &[]);
    generation.push(&[], newest(|shard| shard.generation.get()) as f64);
    let mut draining =
        Builder::new("ibcf_drain_state", Kind::Gauge, "1 while the node takes no new calls.", &[]);
    draining.push(&[], newest(|shard| shard.draining.get()) as f64);
    let mut kept = Builder::new(
        "ibcf_config_generations_kept",
        Kind::Gauge,
        "Snapshots held for new requests and for the dialogs that started on them; at most 4.",
        &[],
    );
    kept.push(&[], newest(|shard| shard.generations_kept.get()) as f64);
    families.extend([generation.0, draining.0, kept.0]);
    families.extend(super::bounded::bounded_families(workers));
    families
}

fn cache_families(workers: &[WorkerShard]) -> [Family; 4] {
    let count = |read: fn(&WorkerShard) -> u64| workers.iter().map(read).sum::<u64>();
    let mut cache = Builder::new(
        "ibcf_answer_cache_lookups_total",
        Kind::Counter,
        "Look-ups in the answer cache.",
        &["result"],
    );
    cache.add(&["hit"], count(|shard| shard.cache_hits.get()));
    cache.add(&["miss"], count(|shard| shard.cache_misses.get()));
    let mut locations = Builder::new(
        "ibcf_location_cache_lookups_total",
        Kind::Counter,
        "Look-ups of the hosts of Request-URIs in the cache of locations.",
        &["result"],
    );
    locations.add(&["hit"], count(|shard| shard.location_hits.get()));
    locations.add(&["miss"], count(|shard| shard.location_misses.get()));
    let evictions = |name, help, read: fn(&WorkerShard) -> &Evictions| {
        let mut family = Builder::new(name, Kind::Counter, help, &["reason"]);
        let sum = |read: &dyn Fn(&WorkerShard) -> u64| workers.iter().map(read).sum::<u64>();
        family.add(&["expired"], sum(&|shard| read(shard).expired.get()));
        family.add(&["unused"], sum(&|shard| read(shard).unused.get()));
        family.0
    };
    [
        cache.0,
        locations.0,
        evictions(
            "ibcf_answer_cache_evictions_total",
            "Answers forgotten to make room: out of date anyway, or longest unused.",
            |shard| &shard.answers_evicted,
        ),
        evictions(
            "ibcf_location_cache_evictions_total",
            "Hosts of Request-URIs forgotten to make room: out of date anyway, or longest unused.",
            |shard| &shard.locations_evicted,
        ),
    ]
}
