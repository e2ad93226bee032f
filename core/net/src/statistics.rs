//! The counters of sockets and queues as metric families.

#![allow(clippy::cast_precision_loss)] // counters stay far below 2^53

use ibcf_sip::statistics::{Counter, Family, Gauge, Kind, Sample};

use crate::counters::NetCounters;
use crate::inbox::{ANSWERS_MAX, HANDED_MAX, Inbox};
use crate::outbox::WAITING_MAX;
use crate::tls::Cause;
use crate::worker::{CHARGING_MAX, Common};

type Read = fn(&NetCounters) -> &Counter;

/// Everything that this crate counts; *`answers_dropped`* is counted outside of the workers. Each worker has a socket for
/// each of *`datagram_listeners`*.
pub(crate) fn net_families(common: &Common, datagram_listeners: usize, answers_dropped: u64) -> Vec<Family> {
    let sum = |read: Read| common.counters.iter().map(|counters| read(counters).get()).sum::<u64>();
    let one =
        |name, help, read: Read| family(name, Kind::Counter, help, &[], vec![(vec![], sum(read) as f64)]);
    let mut families = vec![
        family(
            "ibcf_transport_datagrams_total",
            Kind::Counter,
            "Datagrams that the sockets received and sent.",
            &["way"],
            vec![
                (vec!["received".to_owned()], sum(|counters| &counters.received) as f64),
                (vec!["sent".to_owned()], sum(|counters| &counters.sent) as f64),
            ],
        ),
        family(
            "ibcf_transport_bytes_total",
            Kind::Counter,
            "Bytes in those datagrams.",
            &["way"],
            vec![
                (vec!["received".to_owned()], sum(|counters| &counters.received_bytes) as f64),
                (vec!["sent".to_owned()], sum(|counters| &counters.sent_bytes) as f64),
            ],
        ),
        family(
            "ibcf_transport_stream_messages_total",
            Kind::Counter,
            "Messages read from connections and written to them.",
            &["way"],
            vec![
                (vec!["received".to_owned()], sum(|counters| &counters.stream_received) as f64),
                (vec!["sent".to_owned()], sum(|counters| &counters.stream_sent) as f64),
            ],
        ),
        family(
            "ibcf_transport_stream_bytes_total",
            Kind::Counter,
            "Bytes read from connections and written to them, keep-alives included.",
            &["way"],
            vec![
                (vec!["received".to_owned()], sum(|counters| &counters.stream_received_bytes) as f64),
                (vec!["sent".to_owned()], sum(|counters| &counters.stream_sent_bytes) as f64),
            ],
        ),
        family(
            "ibcf_tls_handshake_failures_total",
            Kind::Counter,
            "TLS sessions that were not made or broke, by cause: whom we did not believe, or who did not believe us.",
            &["cause"],
            Cause::ALL
                .iter()
                .map(|cause| {
                    let of_worker = |counters: &NetCounters| counters.session_failures[*cause as usize].get();
                    let count: u64 = common.counters.iter().map(of_worker).sum();
                    (vec![cause.name().to_owned()], count as f64)
                })
                .collect(),
        ),
        one("ibcf_transport_send_errors_total", "Datagrams that the system refused to send.", |c| {
            &c.send_failed
        }),
        one(
            "ibcf_transport_network_errors_total",
            "Errors that the network reported about datagrams sent (ICMP).",
            |c| &c.network_errors,
        ),
        one(
            "ibcf_transport_handovers_total",
            "Messages handed to the worker that owns their call or their connection.",
            |c| &c.handed_over,
        ),
        one("ibcf_core_panics_total", "Messages that made the core panic: each one is a defect.", |c| {
            &c.panics
        }),
        one("ibcf_charging_lost_total", "Charging records that found no room anywhere.", |c| {
            &c.lost_charging
        }),
    ];
    families.push(dropped(sum, answers_dropped));
    families.extend(queues(common, datagram_listeners));
    families.extend(connections(common));
    families.push(busy(common));
    families
}

fn dropped(sum: impl Fn(Read) -> u64, answers_dropped: u64) -> Family {
    let queues: [(&str, Read); 6] = [
        ("handover", |counters| &counters.dropped_handover),
        ("send", |counters| &counters.dropped_send),
        ("questions", |counters| &counters.dropped_question),
        ("events", |counters| &counters.dropped_event),
        ("samples", |counters| &counters.dropped_sample),
        ("trace", |counters| &counters.dropped_mirrored),
    ];
    let mut samples: Vec<_> =
        queues.into_iter().map(|(queue, read)| (vec![queue.to_owned()], sum(read) as f64)).collect();
    samples.push((vec!["answers".to_owned()], answers_dropped as f64));
    let help = "What found its queue full, or nobody to take it.";
    family("ibcf_queue_dropped_total", Kind::Counter, help, &["queue"], samples)
}

/// What waits in each queue now, and how much may.
fn queues(common: &Common, datagram_listeners: usize) -> [Family; 2] {
    let workers = common.inboxes.len();
    let (questions, events) = common.hub.waiting();
    let (questions_max, events_max) = common.hub.capacity();
    let (mirrored, mirrored_max) = common.hub.mirrored_waiting();
    let (samples, samples_max) = common.hub.samples_waiting();
    let in_inboxes = |read: fn(&Inbox) -> usize| common.inboxes.iter().map(read).sum::<usize>();
    let of_workers = |read: fn(&NetCounters) -> &Gauge| {
        let sum: i64 = common.counters.iter().map(|counters| read(counters).get()).sum();
        usize::try_from(sum).unwrap_or(0) // between two writers it may be off by what moved
    };
    let rows = [
        ("questions", questions, questions_max),
        ("events", events, events_max),
        ("samples", samples, samples_max),
        ("trace", mirrored, mirrored_max),
        ("handover", in_inboxes(|inbox| inbox.handed.len()), HANDED_MAX * workers),
        ("answers", in_inboxes(|inbox| inbox.answers.len()), ANSWERS_MAX * workers),
        ("charging", of_workers(|counters| &counters.charging_waiting), CHARGING_MAX * workers),
        ("send", of_workers(|counters| &counters.send_waiting), WAITING_MAX * workers * datagram_listeners),
    ];
    let gauge = |name, help, read: fn(&(&str, usize, usize)) -> usize| {
        let samples = rows.iter().map(|row| (vec![row.0.to_owned()], read(row) as f64)).collect();
        family(name, Kind::Gauge, help, &["queue"], samples)
    };
    [
        gauge("ibcf_queue_depth", "What waits in the queues now.", |row| row.1),
        gauge("ibcf_queue_limit", "How much may wait in the queues.", |row| row.2),
    ]
}

/// How many connections there may be, and what waits to be written to those that there are.
fn connections(common: &Common) -> [Family; 2] {
    let gauge = |name, help, value| family(name, Kind::Gauge, help, &[], vec![(vec![], value)]);
    let waiting: i64 = common.counters.iter().map(|counters| counters.stream_waiting_bytes.get()).sum();
    [
        gauge(
            "ibcf_connections_limit",
            "How many connections the node may have.",
            common.census.max() as f64,
        ),
        gauge(
            "ibcf_connection_queue_bytes",
            "Bytes that wait to be written to connections, with 128 for each message.",
            waiting as f64,
        ),
    ]
}

fn busy(common: &Common) -> Family {
    let samples = common
        .counters
        .iter()
        .enumerate()
        .map(|(worker, counters)| (vec![worker.to_string()], counters.busy_nanos.get() as f64 / 1e9))
        .collect();
    let help = "Time that the workers spent on anything but waiting.";
    family("ibcf_worker_busy_seconds_total", Kind::Counter, help, &["worker"], samples)
}

pub(crate) fn family(
    name: &'static str,
    kind: Kind,
    help: &'static str,
    labels: &'static [&'static str],
    samples: Vec<(Vec<String>, f64)>,
) -> Family {
    let sample = |(labels, value)| Sample { labels, value, buckets: Vec::new() };
    Family {
        name,
        kind,
        help,
        labels,
        bounds: Vec::new(),
        samples: samples.into_iter().map(sample).collect(),
    }
}
