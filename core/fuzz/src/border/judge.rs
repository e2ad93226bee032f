//! What must hold of everything that leaves the border, whatever came in (invariants 1 and 2 of the design).
//!
//! - A request goes to a configured peer only, a response only to where something came from; each is a SIP message, and all but
//!   the refusals of broken requests pass the check that what comes in has to pass.
//! - One message that comes in makes a bounded number of messages.
//! - A server transaction gets one final response, an INVITE in addition any number of 2xx after a first.
//! - When traffic stopped, no transaction, call, question or timer is left, and each INVITE that got a transaction its record.

use std::collections::HashMap;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::Ordering;
use std::time::Duration;

use ibcf_sip::event::{Event, RecordKind};
use ibcf_sip::message::{HeaderId, HeaderIndex, Message, Method};
use ibcf_sip::parse::{MESSAGE_BYTES_MAX, check, parse};
use ibcf_sip::snapshot::Limits;
use ibcf_sip::statistics::Shared;
use ibcf_sip::{Border, Flow, Outputs, Time};

use super::side::is_stream;

/// One message makes at most so many: all branches called off, each with what it waits for.
const SENDS_MAX: usize = 24;
/// One INVITE may set up so many calls (the far side forks).
const CALLS_MAX: usize = 8;
/// Why the border did something.
pub(super) enum Cause<'a> {
    Message { bytes: &'a [u8], source: SocketAddr, has_begun: bool },
    Other,
}

impl fmt::Debug for Cause<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Message { bytes, source, has_begun } => {
                write!(formatter, "from {source}, begun {has_begun}:\n{}", String::from_utf8_lossy(bytes))
            }
            Self::Other => formatter.write_str("no message"),
        }
    }
}

/// What was answered to one transaction.
#[derive(Debug)]
struct Answer {
    /// A retransmission of this gets the same answer until then.
    request: Vec<u8>,
    kept_until: Time,
    status: u16,
    bytes: Vec<u8>,
}

/// Which transaction a response is for, seen from outside: where it goes, its top Via, CSeq, Call-ID and From.
type Key = (SocketAddr, [Vec<u8>; 4]);

#[derive(Debug, Default)]
pub(super) struct Judge {
    index: HeaderIndex,
    answers: HashMap<Key, Answer>,
    /// INVITEs that began a transaction.
    invites: usize,
    records: usize,
}

impl Judge {
    pub(super) fn on_outputs(&mut self, out: &Outputs, cause: &Cause<'_>, now: Time) {
        let records = out.events.iter().filter(
            |event| matches!(event, Event::CallFinished(packed) if packed.record().record == RecordKind::Call),
        );
        self.records += records.count();
        if let Cause::Message { bytes, source, has_begun } = cause {
            assert!(out.sends().len() <= SENDS_MAX, "{} messages for one", out.sends().len());
            self.on_received(bytes, *source, *has_begun);
        }
        for send in out.sends() {
            self.on_sent(out.bytes(send), send.flow, cause, now);
        }
    }

    /// A request that begins a transaction, or an ACK that may end one, makes room for another answer.
    fn on_received(&mut self, bytes: &[u8], source: SocketAddr, has_begun: bool) {
        let Ok(message) = parse(bytes, &wide(), &mut self.index) else { return };
        let Some(request) = message.request() else { return };
        if has_begun && request.method == Method::Invite && message.to().is_ok_and(|to| to.tag().is_none()) {
            self.invites += 1;
        }
        let is_ack = request.method == Method::Ack;
        let Some((_, received)) = key_of(&message, source) else { return };
        let [_, _, call, _] = &received;
        self.answers.retain(|(address, known), _| {
            address.ip() != source.ip() || !(is_ack && known[2] == *call || has_begun && *known == received)
        });
    }

    /// From now on a retransmission may be that of a peer that is gone: a stranger's, refused without state.
    pub(super) fn on_reload(&mut self) {
        self.answers.values_mut().for_each(|answer| answer.request.clear());
    }

    fn on_sent(&mut self, bytes: &[u8], flow: Flow, cause: &Cause<'_>, now: Time) {
        if bytes.len() > MESSAGE_BYTES_MAX {
            return; // what no datagram holds: the socket refuses it
        }
        let mut index = std::mem::take(&mut self.index);
        let text = || format!("to {}:\n{}\ncause: {cause:?}", flow.remote, String::from_utf8_lossy(bytes));
        let message = parse(bytes, &wide(), &mut index).unwrap_or_else(|error| panic!("{error}: {}", text()));
        match message.status() {
            None => {
                assert!(is_of_a_peer(flow.remote.ip()), "a request to a stranger {}", text());
                check(&message, &wide()).unwrap_or_else(|fault| panic!("{fault}: {}", text()));
            }
            Some(status) => {
                let was_checked = status.code < 300;
                if let (true, Err(fault)) = (was_checked, check(&message, &wide())) {
                    panic!("{fault}: {}", text());
                }
                if status.code >= 200 {
                    self.on_final(&message, status.code, flow, cause, now);
                }
            }
        }
        self.index = index;
    }

    fn on_final(&mut self, message: &Message<'_>, status: u16, flow: Flow, cause: &Cause<'_>, now: Time) {
        let Some(key) = key_of(message, flow.remote) else { return };
        let is_invite = message.cseq().is_ok_and(|cseq| cseq.method == Method::Invite);
        let (request, has_begun) = match cause {
            Cause::Message { bytes, has_begun, .. } if !bytes.starts_with(b"SIP/") => {
                (bytes.to_vec(), *has_begun)
            }
            _ => (Vec::new(), true),
        };
        match self.answers.get(&key) {
            None if has_begun => {
                // The peer that is reached over IPv6 has a T1 of 100 ms; on a stream nothing is sent twice.
                let t1 = match (is_stream(flow), flow.remote.is_ipv6()) {
                    (true, _) => 0,
                    (false, true) => 100,
                    (false, false) => 500,
                };
                let life = 64 * Duration::from_millis(t1);
                let bytes = message.bytes().to_vec();
                self.answers.insert(key, Answer { request, kept_until: now + life, status, bytes });
            }
            // Refused without a transaction, or so before it got one: not the answer of one.
            None => {}
            Some(first) => {
                let is_other_request =
                    !request.is_empty() && (first.request != request || first.kept_until <= now);
                let is_allowed = first.bytes == message.bytes()
                    || (is_invite && first.status < 300 && status < 300)
                    || is_other_request;
                assert!(
                    is_allowed,
                    "a second final response:\n{}\nafter\n{}\ncause: {cause:?}",
                    String::from_utf8_lossy(message.bytes()),
                    String::from_utf8_lossy(&first.bytes)
                );
            }
        }
    }

    pub(super) fn on_end(&self, border: &Border, shared: &Shared) {
        assert!(border.next_due().is_none(), "timers without end");
        assert!(border.is_idle(), "a request without a final response is stuck");
        assert_eq!(border.transactions(), 0, "a transaction is stuck");
        // The shards themselves: families are made for a scrape, and would take more time than the calls.
        let own = shared.worker(0);
        let gauges = [
            ("invite transactions", &own.invite_transactions),
            ("other transactions", &own.non_invite_transactions),
            ("calls", &own.calls),
            ("timers", &own.timers),
            ("questions", &own.questions_open),
        ];
        for (name, gauge) in gauges {
            assert_eq!(gauge.get(), 0, "{name} are left behind");
        }
        for peer in ["core", "first", "second", "sixth", "fourth"] {
            let places = shared.peer(peer).calls.load(Ordering::Relaxed);
            assert_eq!(places, 0, "places for calls of {peer} were not given back");
        }
        assert!(
            (self.invites..=self.invites * CALLS_MAX).contains(&self.records),
            "{} records of {} INVITEs",
            self.records,
            self.invites
        );
    }
}

fn key_of(message: &Message<'_>, destination: SocketAddr) -> Option<Key> {
    let via = message.top_via().ok()?;
    let via = [via.host, b" ", via.branch()?, &via.port.unwrap_or_default().to_be_bytes()].concat();
    let header = |id| message.first(id).map(|header| header.value.to_vec()).unwrap_or_default();
    Some((destination, [via, header(HeaderId::CSeq), header(HeaderId::CallId), header(HeaderId::From)]))
}

/// What the border adds may take a message over the limits of what comes in.
fn wide() -> Limits {
    let most = MESSAGE_BYTES_MAX;
    Limits {
        header_line_bytes_max: most,
        headers_max: most,
        vias_max: most,
        routes_max: most,
        uri_bytes_max: most,
        ..Limits::default()
    }
}

fn is_of_a_peer(ip: IpAddr) -> bool {
    let text = ip.to_string();
    text.starts_with("203.0.113.")
        || ["192.0.2.10", "198.51.100.20", "198.51.100.40", "2001:db8::20"].contains(&text.as_str())
}
