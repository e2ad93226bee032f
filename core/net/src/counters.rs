//! What a worker counts about its sockets and queues: one writer each, read by whoever scrapes.

use ibcf_sip::statistics::{Counter, Gauge};

use crate::tls::Cause;

/// The counters of one worker.
#[repr(align(128))] // so that no two workers write to one cache line
#[derive(Debug, Default)]
pub(crate) struct NetCounters {
    /// Datagrams that came in, and their bytes.
    pub(crate) received: Counter,
    pub(crate) received_bytes: Counter,
    /// Datagrams that the kernel took, and their bytes.
    pub(crate) sent: Counter,
    pub(crate) sent_bytes: Counter,
    /// Datagrams that the kernel refused to send.
    pub(crate) send_failed: Counter,
    /// Errors that the network reported about datagrams sent earlier.
    pub(crate) network_errors: Counter,
    /// Messages that came in over connections, and bytes of all kinds.
    pub(crate) stream_received: Counter,
    pub(crate) stream_received_bytes: Counter,
    /// Messages written to connections, and bytes of all kinds.
    pub(crate) stream_sent: Counter,
    pub(crate) stream_sent_bytes: Counter,
    /// TLS sessions that were not made or broke, by cause.
    pub(crate) session_failures: [Counter; Cause::ALL.len()],
    /// Messages handed to the worker that owns their call or their connection.
    pub(crate) handed_over: Counter,
    /// What did not fit into a queue.
    pub(crate) dropped_handover: Counter,
    pub(crate) dropped_send: Counter,
    pub(crate) dropped_question: Counter,
    pub(crate) dropped_event: Counter,
    pub(crate) dropped_sample: Counter,
    pub(crate) dropped_mirrored: Counter,
    /// Charging events that did not fit anywhere: money lost.
    pub(crate) lost_charging: Counter,
    /// Charging events that wait for room in the hub.
    pub(crate) charging_waiting: Gauge,
    /// Datagrams that wait for room in a socket.
    pub(crate) send_waiting: Gauge,
    /// Bytes that wait to be written to connections.
    pub(crate) stream_waiting_bytes: Gauge,
    /// Messages that made the border panic.
    pub(crate) panics: Counter,
    /// Nanoseconds spent on anything but waiting.
    pub(crate) busy_nanos: Counter,
}
