//! Watches the border from outside, and knows nothing of its inside: the invariants of design §7 that concern the core.
//!
//! | invariant | what is checked | where |
//! |---|---|---|
//! | 1 | no panic; one message makes a bounded number of others | `world` |
//! | 2 | one final response for each request; one record for each call; nothing left over | `responses`, `ending` |
//! | 4 | headers, order, folds and bodies that no agreement mentions cross byte for byte | `requests`, `responses` |
//! | 6 | no limit stops an emergency call | `ending` |
//! | §16.6 | nothing goes to a stranger; hops fall; Via and Route of ours stay on our side; a CANCEL waits for a provisional response; nothing is sent twice over a stream | `requests` |
//! | §16.7 | no 503 passes, no 408 answers a non-INVITE, no 100 answers one early | `responses` |
//! | §12 | both ends of a dialog agree that it is over, and nobody waits in vain | `ending` |
//!
//! A fault of the network or of a peer excuses only the calls that it touched: [`Checker::disturb`] and its sisters say which.

mod ending;
mod requests;
mod responses;
mod watch;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashSet};

use ibcf_sip::Time;
use ibcf_sip::event::PackedRecord;

use crate::peer::call_of;
use crate::text::Text;
use watch::CallWatch;
pub use watch::Endpoint;

/// What went wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The call in which it showed, when there is one.
    pub call: Option<u64>,
    /// In words.
    pub what: String,
}

/// Keeps what it saw.
#[derive(Debug, Default)]
pub struct Checker {
    calls: BTreeMap<u64, CallWatch>,
    failures: Vec<Failure>,
    /// May the border refuse new work: are its limits narrow, or does it drain?
    pub may_refuse: bool,
    /// Does it take no new work at all?
    pub is_draining: bool,
    /// May its table be so full that even a request inside a dialog finds no room?
    pub may_be_full: bool,
    /// Does the border care for the session timer of calls?
    pub has_session_timer: bool,
    /// How the calls ended, by outcome.
    pub outcomes: BTreeMap<&'static str, u64>,
}

impl Checker {
    fn watch(&mut self, call: u64) -> &mut CallWatch {
        let has_session_timer = self.has_session_timer;
        self.calls.entry(call).or_insert_with(|| CallWatch { has_session_timer, ..CallWatch::default() })
    }

    /// Notes what went wrong.
    pub fn fail(&mut self, call: Option<u64>, what: impl Into<String>) {
        self.failures.push(Failure { call, what: what.into() });
    }

    /// Notes a message that an agent sent and that reached the border.
    pub fn on_received(&mut self, text: &Text<'_>, from: Endpoint, now: Time) {
        let Some(call) = call_of(text.call_id()) else { return };
        let watch = self.watch(call);
        match text.status() {
            Some(status) => watch.on_response_received(text, status, now),
            None => watch.on_request_received(text, from, now),
        }
    }

    /// Notes a message that the border sent.
    pub fn on_sent(&mut self, text: &Text<'_>, bytes: &[u8], to: Endpoint, now: Time) {
        let Some(call) = call_of(text.call_id()) else { return };
        let watch = self.watch(call);
        let verdict = match text.status() {
            Some(status) => watch.on_response_sent(text, status, bytes, to, now),
            None => watch.on_request_sent(text, to),
        };
        if let Err(what) = verdict {
            self.fail(Some(call), what);
        }
    }

    /// Notes a charging record.
    pub fn on_record(&mut self, packed: &PackedRecord) {
        if let Some(call) = call_of(&packed.record().call_id) {
            self.watch(call).packed.push(packed.clone());
        }
    }

    /// The network lost a datagram of this call.
    pub fn on_lost(&mut self, call: u64) {
        self.watch(call).lost += 1;
    }

    /// The network or a peer failed this call: somebody may wait in vain.
    pub fn disturb(&mut self, call: u64) {
        self.watch(call).is_disturbed = true;
    }

    /// The border itself was away, or its clock jumped: what was in progress may have failed.
    pub fn disturb_open(&mut self, now: Time) {
        for watch in self.calls.values_mut() {
            watch.disturb_open(now);
        }
    }

    /// The border lost all that it kept.
    pub fn on_crash(&mut self, now: Time) {
        self.disturb_open(now);
        for watch in self.calls.values_mut() {
            watch.on_crash();
        }
    }

    /// The wall clock jumped: times of records that are open mean nothing.
    pub fn on_wall_clock_jump(&mut self) {
        for watch in self.calls.values_mut() {
            watch.has_wall_clock_jumped = true;
        }
    }

    /// All that went wrong, once each.
    pub fn into_failures(self) -> Vec<Failure> {
        let mut known = HashSet::new();
        self.failures
            .into_iter()
            .filter(|failure| known.insert((failure.call, failure.what.clone())))
            .collect()
    }
}
