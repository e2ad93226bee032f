//! Sessions that were not made: counted by cause, told by an alarm, the connection removed.

use std::io;
use std::time::Duration;

use ibcf_sip::statistics::ConnectionResult;
use ibcf_sip::{ConnectionId, Now, Time};

use super::session::cause;
use super::{Receiver, Streams};

/// One alarm in so long; the others are counted in the next.
const ALARM_EVERY: Duration = Duration::from_secs(1);

/// When the last alarm was raised, and how many were not since.
#[derive(Debug, Default)]
pub(super) struct Failures {
    quiet_until: Option<Time>,
    suppressed: u64,
}

impl Streams {
    /// The session of a connection failed: in its handshake, or when the other end refused it only then.
    pub(super) fn on_session_error(
        &mut self,
        id: ConnectionId,
        error: &io::Error,
        receiver: &mut impl Receiver,
        now: Now,
    ) {
        if let (Some(cause), Some(connection)) = (cause(error), self.slots.get_mut(id)) {
            self.common.counters[self.worker].session_failures[cause as usize].one();
            let (flow, is_ours) = (connection.flow, connection.key.is_some());
            if self.failures.quiet_until.is_none_or(|until| until <= now.time) {
                self.failures.quiet_until = Some(now.time + ALARM_EVERY);
                let listener =
                    self.snapshot.listeners.get(flow.listener.at()).map_or("", |listener| &listener.id);
                let way = if is_ours { "to" } else { "from" };
                let more = std::mem::take(&mut self.failures.suppressed);
                let detail = format!(
                    "connection {way} {} on listener \"{listener}\": {} ({}); {more} more since the last",
                    flow.remote,
                    cause.text(),
                    cause.name(),
                );
                receiver.alarm("tls_handshake_failed", detail, now);
            } else {
                self.failures.suppressed += 1;
            }
        }
        self.remove(id, ConnectionResult::HandshakeFailed);
    }
}
