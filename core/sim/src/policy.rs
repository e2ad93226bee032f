//! The toy world: who has which address, what the border is told about it, and what ENUM knows.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use ibcf_sip::Snapshot;
use ibcf_sip::input::{AnswerBody, EnumOutcome};
use ibcf_sip::snapshot::SnapshotError;
use serde_json::{Value, json};

use crate::plan::Way;
use crate::random::Random;

/// An answered call that nobody ends is closed after this long.
pub const CALL_DURATION_MAX: Duration = Duration::from_secs(600);
/// How long the border waits for ENUM.
const ENUM_DEADLINE_MS: u64 = 2_000;

const fn address(a: u8, b: u8, c: u8, d: u8) -> SocketAddr {
    SocketAddr::new(IpAddr::V4(Ipv4Addr::new(a, b, c, d)), 5060)
}

/// The border's sockets, by the position of their listeners.
pub const LISTENERS: [SocketAddr; 2] = [address(10, 0, 0, 1), address(192, 0, 2, 1)];
const HOME_CORE: [SocketAddr; 3] = [address(10, 0, 1, 1), address(10, 0, 1, 2), address(10, 0, 1, 3)];
/// Two targets of carrier B and one of the transit carrier C.
const CARRIERS: [SocketAddr; 3] =
    [address(198, 51, 100, 1), address(198, 51, 100, 2), address(203, 0, 113, 1)];
const HOME_CALLERS: SocketAddr = address(10, 0, 1, 10);
const CARRIER_CALLERS: SocketAddr = address(198, 51, 100, 10);
/// A sender that the border does not know.
pub const STRANGER: SocketAddr = address(192, 0, 2, 200);

/// Where the caller is.
pub const fn caller_address(way: Way) -> SocketAddr {
    match way {
        Way::Exit => HOME_CALLERS,
        Way::Entry => CARRIER_CALLERS,
    }
}

/// Where the called ones are, in the order in which they are tried.
pub const fn called_addresses(way: Way) -> [SocketAddr; 3] {
    match way {
        Way::Exit => CARRIERS,
        Way::Entry => HOME_CORE,
    }
}

/// Where on the border the caller sends its first request.
pub const fn border_address(way: Way) -> SocketAddr {
    match way {
        Way::Exit => LISTENERS[0],
        Way::Entry => LISTENERS[1],
    }
}

/// Compiles what the border is told.
///
/// # Errors
///
/// The core refused the document: its format is another one than this simulator writes.
pub fn snapshot(generation: u64) -> Result<Arc<Snapshot>, SnapshotError> {
    Snapshot::load(document(generation).to_string().as_bytes()).map(Arc::new)
}

fn document(generation: u64) -> Value {
    json!({
        "version": 1,
        "generation": generation,
        "node": {"name": "sim", "domain": "a.example"},
        "limits": {"call_duration_ms_max": u64::try_from(CALL_DURATION_MAX.as_millis()).unwrap_or(u64::MAX)},
        "timers": {"first_response_ms": 4_000},
        "keys": [{"id": 1, "secret": "07".repeat(32)}],
        "listeners": [
            {"id": "home", "side": "home", "transport": "udp", "address": LISTENERS[0]},
            {"id": "peer", "side": "peer", "transport": "udp", "address": LISTENERS[1]},
        ],
        "agreements": [agreement("own", true), agreement("interconnect", false)],
        "header_rules": [{"id": "outgoing", "rules": [
            {"id": "mark", "messages": "requests", "header": "X-Border", "action": {"kind": "add", "value": "sim"}},
            {"id": "bare", "header": "X-Unknown", "action": {"kind": "remove"}},
        ]}],
        "peers": [
            peer("home_core", "home", "own", "home", &["10.0.1.0/24"], &HOME_CORE),
            peer("carrier_b", "peer", "interconnect", "peer", &["198.51.100.0/24"], &CARRIERS[..2]),
            peer("carrier_c", "peer", "interconnect", "peer", &["203.0.113.0/24"], &CARRIERS[2..]),
        ],
        "enums": [{"id": "carrier_enum", "deadline_ms": ENUM_DEADLINE_MS, "digits_min": 7}],
        "routes": routes(),
    })
}

fn agreement(id: &str, trusted: bool) -> Value {
    json!({
        "id": id,
        "trusted": trusted,
        "methods": ["INVITE", "ACK", "BYE", "CANCEL", "OPTIONS", "MESSAGE", "INFO", "UPDATE", "PRACK"],
        "sent_rules": if trusted { vec![] } else { vec!["outgoing"] },
        "charging": {"orig_ioi": "a.example", "term_ioi": "a.example"},
        "reason_header": true,
    })
}

fn peer(
    id: &str,
    side: &str,
    agreement: &str,
    listener: &str,
    sources: &[&str],
    targets: &[SocketAddr],
) -> Value {
    let targets: Vec<_> = targets
        .iter()
        .enumerate()
        .map(|(at, address)| json!({"id": format!("{id}_{at}"), "address": address, "priority": at}))
        .collect();
    json!({
        "id": id, "side": side, "agreement": agreement, "listeners": [listener], "sources": sources, "targets": targets,
    })
}

fn routes() -> Value {
    json!([
        {"id": "no_premium", "condition": {"number_prefixes": ["+4490"]},
         "action": {"kind": "reject", "reason": "decide.forbidden"}},
        {"id": "look_up", "condition": {"direction": "exit", "schemes": ["tel"]},
         "action": {"kind": "enum", "service": "carrier_enum"}},
        {"id": "no_such_number", "condition": {"enum_outcomes": ["not_found"]},
         "action": {"kind": "reject", "reason": "decide.number_unknown"}},
        {"id": "transit", "condition": {"enum_outcomes": ["failed"]},
         "action": {"kind": "route", "to": [{"peer": "carrier_c"}]}},
        {"id": "out", "condition": {"direction": "exit"},
         "action": {"kind": "route", "to": [{"peer": "carrier_b"}, {"peer": "carrier_c", "priority": 1}]}},
        {"id": "in", "condition": {"direction": "entry"},
         "action": {"kind": "route", "to": [{"peer": "home_core"}]}},
    ])
}

/// Answers an ENUM question: what, and after how long; sometimes too late, sometimes never.
pub fn enum_answer(number: &str, random: &mut Random) -> Option<(Duration, AnswerBody)> {
    let delay = random.millis(1, 400);
    let late = Duration::from_millis(ENUM_DEADLINE_MS + 500);
    let (delay, outcome, class) = if number.starts_with("+441688") {
        (random.chance(0.5).then_some(late)?, EnumOutcome::Found, "FOUND")
    } else if number.starts_with("+441699") {
        (delay, EnumOutcome::NotFound, "NXDOMAIN")
    } else if random.chance(0.05) {
        (delay, EnumOutcome::Failed, "TIMEOUT")
    } else {
        (delay, EnumOutcome::Found, "FOUND")
    };
    let mut candidates = vec![format!("sip:{number}@b.example;user=phone")];
    if random.chance(0.3) {
        candidates.push(format!("sip:{number}@other.example;user=phone"));
    }
    if outcome != EnumOutcome::Found {
        candidates.clear();
    }
    let ttl_ms = random.below(20_000);
    Some((delay, AnswerBody::Enum { outcome, class: class.to_owned(), candidates, ttl_ms }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_core_accepts_the_document() {
        assert_eq!(snapshot(3).unwrap().generation, 3);
    }
}
