//! The counters of sockets and queues as metric families.

#![allow(clippy::cast_precision_loss)] // counters stay far below 2^53

use ibcf_sip::statistics::{Counter, Family, Kind, Sample};

use crate::counters::NetCounters;
use crate::tls::Cause;
use crate::worker::Common;

type Read = fn(&NetCounters) -> &Counter;

/// Everything that this crate counts; *`answers_dropped`* is counted outside of the workers.
pub(crate) fn net_families(common: &Common, answers_dropped: u64) -> Vec<Family> {
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
    families.push(depth(common));
    families.push(busy(common));
    families
}

fn dropped(sum: impl Fn(Read) -> u64, answers_dropped: u64) -> Family {
    let queues: [(&str, Read); 4] = [
        ("handover", |counters| &counters.dropped_handover),
        ("send", |counters| &counters.dropped_send),
        ("questions", |counters| &counters.dropped_question),
        ("events", |counters| &counters.dropped_event),
    ];
    let mut samples: Vec<_> =
        queues.into_iter().map(|(queue, read)| (vec![queue.to_owned()], sum(read) as f64)).collect();
    samples.push((vec!["answers".to_owned()], answers_dropped as f64));
    let help = "What found its queue full, or nobody to take it.";
    family("ibcf_queue_dropped_total", Kind::Counter, help, &["queue"], samples)
}

fn depth(common: &Common) -> Family {
    let (questions, events) = common.hub.waiting();
    let handed: usize = common.inboxes.iter().map(|inbox| inbox.handed.len()).sum();
    let answers: usize = common.inboxes.iter().map(|inbox| inbox.answers.len()).sum();
    let charging: i64 = common.counters.iter().map(|counters| counters.charging_waiting.get()).sum();
    let samples = [
        ("questions", questions as f64),
        ("events", events as f64),
        ("handover", handed as f64),
        ("answers", answers as f64),
        ("charging", charging as f64),
    ];
    let samples = samples.into_iter().map(|(queue, depth)| (vec![queue.to_owned()], depth)).collect();
    family("ibcf_queue_depth", Kind::Gauge, "What waits in the queues now.", &["queue"], samples)
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

fn family(
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
