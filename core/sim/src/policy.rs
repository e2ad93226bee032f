//! What the border is told: its peers, its routes and its limits, anew for each generation.

use std::sync::Arc;
use std::time::Duration;

use ibcf_sip::Snapshot;
use ibcf_sip::input::TargetSet;
use ibcf_sip::snapshot::{SnapshotError, document};
use serde_json::{Value, json};

use crate::random::Random;
use crate::topology::{CARRIER_B, CARRIER_C, CARRIER_D, HOME_CORE, LISTENERS, Place};

/// An answered call that nobody ends is closed after this long.
pub const CALL_DURATION_MAX: Duration = Duration::from_secs(600);
/// How long the border waits for ENUM.
pub const ENUM_DEADLINE_MS: u64 = 2_000;
/// How tight the limits of a run are: most runs never meet them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bounds {
    /// Initial requests a second from each peer.
    pub requests_per_second: Option<u32>,
    /// Calls with each peer.
    pub calls_max: Option<u32>,
    /// Transactions of the node.
    pub transactions_max: Option<u32>,
    /// Answered calls of the node.
    pub answered_max: Option<u32>,
    /// Are the targets of carriers probed?
    pub probes: bool,
    /// Does the border care for the session timer of calls with other carriers?
    pub session_timer: bool,
}

impl Bounds {
    /// Draws the bounds of one run.
    pub fn draw(random: &mut Random) -> Self {
        let mut narrow = |low: u32, high: u32| {
            let drawn = low + u32::try_from(random.below(u64::from(high - low))).unwrap_or(0);
            random.chance(0.1).then_some(drawn)
        };
        Self {
            requests_per_second: narrow(15, 40),
            calls_max: narrow(100, 400),
            transactions_max: narrow(300, 900),
            answered_max: narrow(200, 600),
            probes: random.chance(0.3),
            session_timer: random.chance(0.3),
        }
    }

    /// May a limit of these turn away new work?
    pub const fn may_refuse(&self) -> bool {
        self.requests_per_second.is_some()
            || self.calls_max.is_some()
            || self.transactions_max.is_some()
            || self.answered_max.is_some()
    }
}

/// Compiles what the border is told.
///
/// # Errors
///
/// The core refused the document: its format is another one than this simulator writes.
pub fn snapshot(generation: u64, bounds: &Bounds) -> Result<Arc<Snapshot>, SnapshotError> {
    Snapshot::load(document(generation, bounds).to_string().as_bytes()).map(Arc::new)
}

/// Where carrier D was located: its places in one order or the other.
pub fn located(is_reversed: bool) -> TargetSet {
    let targets = targets("carrier_d", &CARRIER_D, is_reversed)
        .into_iter()
        .filter_map(|target| serde_json::from_value::<document::Target>(target).ok())
        .collect();
    TargetSet { peer: "carrier_d".to_owned(), targets }
}

fn document(generation: u64, bounds: &Bounds) -> Value {
    // Every other generation marks otherwise and tries the carriers' targets the other way round.
    let is_other = generation % 2 == 0;
    let mark = if is_other { "other" } else { "sim" };
    let mut limits =
        json!({"call_duration_ms_max": u64::try_from(CALL_DURATION_MAX.as_millis()).unwrap_or(u64::MAX)});
    for (name, bound) in [("transactions_max", bounds.transactions_max), ("calls_max", bounds.answered_max)] {
        if let Some(bound) = bound {
            limits[name] = json!(bound);
        }
    }
    let listeners: Vec<_> = ["home_udp", "peer_udp", "home_tcp", "peer_tcp"]
        .into_iter()
        .zip(LISTENERS)
        .map(|(id, (address, transport))| {
            json!({"id": id, "side": &id[..4], "transport": transport.name(), "address": address})
        })
        .collect();
    let peer = |id: &str, side: &str, sources: &str| {
        json!({
            "id": id, "side": side, "sources": [sources],
            "agreement": if side == "home" { "own" } else { "interconnect" },
            "listeners": [format!("{side}_udp"), format!("{side}_tcp")],
            "limits": {
                "requests_per_second": bounds.requests_per_second,
                "burst": bounds.requests_per_second.map(|rate| rate * 2),
                "calls_max": bounds.calls_max,
            },
        })
    };
    let mut peers = json!([
        peer("home_core", "home", "10.0.1.0/24"),
        peer("carrier_b", "peer", "198.51.100.0/24"),
        peer("carrier_c", "peer", "203.0.113.0/25"),
        peer("carrier_d", "peer", "203.0.113.128/25"),
        peer("carrier_e", "peer", "198.18.0.0/24"),
    ]);
    peers[0]["targets"] = targets("home_core", &HOME_CORE, false).into();
    peers[1]["targets"] = targets("carrier_b", &CARRIER_B, is_other).into();
    peers[2]["targets"] = targets("carrier_c", &CARRIER_C, false).into();
    if bounds.probes {
        for at in 1..4 {
            peers[at]["probe"] = json!({
                "interval_ms": 10_000, "timeout_ms": 2_000, "down_after": 2, "up_after": 1, "accept": "any",
            });
        }
    }
    peers[3]["location"] = json!({"kind": "domain"});
    peers[4]["location"] = json!({"kind": "domain"});
    let mut agreements = json!([agreement("own", true), agreement("interconnect", false)]);
    if bounds.session_timer {
        agreements[1]["session_timer"] = json!({"expires_ms_max": 120_000, "expires_ms_min": 100_000});
    }
    json!({
        "version": 1,
        "generation": generation,
        "node": {"name": "sim", "domain": "a.example"},
        "limits": limits,
        "timers": {"first_response_ms": 4_000},
        "keys": [{"id": 1, "secret": "07".repeat(32)}],
        "listeners": listeners,
        "agreements": agreements,
        "header_rules": [{"id": "outgoing", "rules": [
            {"id": "mark", "messages": "requests", "header": "X-Border", "action": {"kind": "add", "value": mark}},
            {"id": "bare", "header": "X-Unwanted", "action": {"kind": "remove"}},
        ]}],
        "peers": peers,
        "enums": [{"id": "carrier_enum", "deadline_ms": ENUM_DEADLINE_MS, "digits_min": 7}],
        "limiters": [{"id": "ranges", "calls_max": bounds.answered_max.unwrap_or(1_000_000), "by": "called", "digits": 6}],
        "routes": routes(is_other),
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

fn targets(id: &str, places: &[Place], is_reversed: bool) -> Vec<Value> {
    let target = |(at, place): (usize, &Place)| {
        let priority = if is_reversed { places.len() - at } else { at };
        json!({
            "id": format!("{id}_{at}"), "address": place.address, "transport": place.transport.name(), "priority": priority,
        })
    };
    places.iter().enumerate().map(target).collect()
}

fn routes(is_other: bool) -> Value {
    let (b, c) = if is_other { (1, 0) } else { (0, 1) };
    let redirects = if is_other { "recurse" } else { "pass" };
    json!([
        {"id": "ranges", "action": {"kind": "limit", "limiter": "ranges"}},
        {"id": "no_premium", "condition": {"number": {"prefixes": ["+4490"]}},
         "action": {"kind": "reject", "reason": "decide.forbidden"}},
        {"id": "located", "condition": {"direction": "exit", "domains": ["d.example"]},
         "action": {"kind": "route", "to": [{"peer": "carrier_d"}]}},
        {"id": "all_at_once", "condition": {"direction": "exit", "domains": ["all.example"]},
         "action": {"kind": "route", "fork": "parallel", "to": [{"peer": "carrier_b"}, {"peer": "carrier_c"}]}},
        {"id": "look_up", "condition": {"direction": "exit", "schemes": ["tel"]},
         "action": {"kind": "enum", "service": "carrier_enum"}},
        {"id": "no_such_number", "condition": {"enum_outcomes": ["not_found"]},
         "action": {"kind": "reject", "reason": "decide.number_unknown"}},
        {"id": "transit", "condition": {"enum_outcomes": ["failed"]},
         "action": {"kind": "route", "to": [{"peer": "carrier_c"}]}},
        {"id": "out", "condition": {"direction": "exit"},
         "action": {"kind": "route", "redirects": redirects, "to": [{"peer": "carrier_b", "priority": b}, {"peer": "carrier_c", "priority": c}]}},
        {"id": "in", "condition": {"direction": "entry"},
         "action": {"kind": "route", "to": [{"peer": "home_core"}]}},
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_core_accepts_the_document() {
        let narrow = Bounds {
            requests_per_second: Some(1),
            calls_max: Some(2),
            transactions_max: Some(3),
            answered_max: Some(4),
            probes: true,
            session_timer: true,
        };
        assert_eq!(snapshot(3, &Bounds::default()).unwrap().generation, 3);
        assert_eq!(snapshot(4, &narrow).unwrap().limits.calls_max, 4);
        assert_eq!(located(true).targets.len(), CARRIER_D.len());
    }
}
