//! The snapshots that the targets run on: small tables, so that every bound is reached, and some of everything.

use std::sync::{Arc, OnceLock};

use ibcf_sip::Snapshot;
use serde_json::{Value, json};

/// Our core.
pub(crate) const HOME: &str = "192.0.2.10:5060";
/// Two other networks, and one that is reached over IPv6.
pub(crate) const PEER: &str = "198.51.100.20:5060";
pub(crate) const SECOND: &str = "203.0.113.30:5060";
pub(crate) const SIXTH: &str = "[2001:db8::20]:5060";
/// A network that talks TLS and is located by its domain.
pub(crate) const FOURTH: &str = "198.51.100.40:5061";
/// Nobody we know.
pub(crate) const STRANGER: &str = "192.0.2.66:5060";

/// How many snapshots there are to change between.
pub(crate) const VARIANTS: usize = 4;

/// The document of one variant. All have the same listeners, as a reload wants it.
pub(crate) fn document(variant: usize) -> Value {
    let methods = [
        "INVITE",
        "ACK",
        "BYE",
        "CANCEL",
        "OPTIONS",
        "PRACK",
        "UPDATE",
        "INFO",
        "MESSAGE",
        "SUBSCRIBE",
        "NOTIFY",
    ];
    let mut document = json!({
        "version": 1, "generation": variant + 1,
        "node": {"name": "ibcf-1", "domain": "ibcf.a.example"},
        "limits": {"transactions_max": 24, "calls_max": 12, "questions_max": 3, "answers_max": 3, "call_duration_ms_max": 600_000},
        "timers": {"first_response_ms": 6_000},
        "keys": [{"id": 1, "secret": "11".repeat(32)}],
        "tls": [{"id": "own", "certificates": "", "private_key": ""}],
        "listeners": [
            {"id": "home_udp", "side": "home", "transport": "udp", "address": "192.0.2.1:5060"},
            {"id": "peer_udp", "side": "peer", "transport": "udp", "address": "198.51.100.1:5060", "advertised": "198.51.100.99:5062"},
            {"id": "peer_udp6", "side": "peer", "transport": "udp", "address": "[2001:db8::1]:5060"},
            {"id": "home_tcp", "side": "home", "transport": "tcp", "address": "192.0.2.1:5060"},
            {"id": "peer_tcp", "side": "peer", "transport": "tcp", "address": "198.51.100.1:5060"},
            {"id": "peer_tls", "side": "peer", "transport": "tls", "address": "198.51.100.1:5061", "tls": "own"},
        ],
        "agreements": [
            {"id": "home", "trusted": true, "methods": methods, "option_tags": ["100rel", "timer"], "reason_header": true},
            {"id": "peering", "trusted": true, "methods": methods, "option_tags": ["100rel", "timer"], "body_bytes_max": 200,
             "charging": {"orig_ioi": "a.example", "term_ioi": "a.example", "removed_parameters": ["icid-generated-at"]},
             "received_rules": ["strip"], "sent_rules": ["mark"]},
            {"id": "distant", "trusted": false, "methods": ["INVITE", "ACK", "BYE", "CANCEL", "MESSAGE"], "header_bytes_max": 1_500},
            {"id": "streams", "trusted": true, "methods": methods, "datagram_bytes_max": 600, "connection_reuse": true,
             "session_timer": {"expires_ms_max": 1_800_000, "expires_ms_min": 90_000}},
        ],
        "header_rules": header_rules(),
        "peers": [
            {"id": "core", "side": "home", "agreement": "home", "listeners": ["home_udp", "home_tcp"], "sources": ["192.0.2.10/32"],
             "targets": [{"id": "core1", "address": HOME}]},
            {"id": "first", "side": "peer", "agreement": "streams", "listeners": ["peer_udp", "peer_tcp"], "sources": ["198.51.100.20/32"],
             "targets": [{"id": "first1", "address": PEER, "weight": 3}, {"id": "first2", "address": "198.51.100.20:5070", "transport": "tcp", "priority": 1}],
             "limits": {"calls_max": 8}, "health": {"quarantine_ms": 5_000, "block_on_503_ms": 1_000}},
            {"id": "second", "side": "peer", "agreement": "distant", "listeners": ["peer_udp"], "sources": ["203.0.113.0/24"],
             "targets": [{"id": "second1", "address": SECOND}], "limits": {"requests_per_second": 4, "burst": 6}},
            {"id": "sixth", "side": "peer", "agreement": "peering", "listeners": ["peer_udp6"], "sources": ["2001:db8::20/128"],
             "targets": [{"id": "sixth1", "address": SIXTH}], "timers": {"t1_ms": 100, "c_ms": 20_000}},
            {"id": "fourth", "side": "peer", "agreement": "streams", "listeners": ["peer_tcp", "peer_tls"], "sources": ["198.51.100.40/32"],
             "location": {"kind": "domain"}, "tls": {"identities": ["d.example"], "authorities": ""}},
        ],
        "enums": [{"id": "numbers", "deadline_ms": 2_000, "digits_min": 7}],
        // Room for all, in few places: keys have to make room for each other.
        "limiters": [{"id": "callers", "calls_max": 1_000_000, "rate": {"count": 1_000_000, "per_ms": 1, "burst": 1_000_000},
                      "by": "calling", "digits": 6, "keys_max": 16}],
        "emergency": {"numbers": ["112"]},
        "routes": [
            {"id": "sos", "condition": {"schemes": ["urn"]}, "action": {"kind": "route", "to": [{"peer": "core"}]}},
            {"id": "callers", "action": {"kind": "limit", "limiter": "callers"}},
            {"id": "barred", "condition": {"number": {"prefixes": ["+4490"]}},
             "action": {"kind": "reject", "reason": "decide.forbidden", "status": 603, "phrase": "No"}},
            {"id": "plus", "condition": {"users": ["^00"]}, "action": {"kind": "rewrite", "number": {"strip": 2, "prefix": "+"}, "form": "tel"}},
            {"id": "ours", "condition": {"schemes": ["sip"]}, "action": {"kind": "rewrite", "user": {"pattern": "^(.)x", "with": "$1"},
             "removed_parameters": ["transport"], "set_parameters": [["user", "phone"]], "calling": {"strip": 1, "prefix": "+"}, "headers": ["mark"]}},
            {"id": "look_up", "condition": {"schemes": ["tel"]}, "action": {"kind": "enum", "service": "numbers"}},
            {"id": "to_b", "condition": {"domains": ["b.example"]},
             "action": {"kind": "route", "failover_statuses": [500, 503], "redirects": "recurse", "time_budget_ms": 60_000,
                        "to": [{"peer": "first", "priority": 1}, {"peer": "second", "priority": 2}, {"peer": "sixth", "priority": 3}]}},
            {"id": "to_d", "condition": {"domains": ["d.example"]}, "action": {"kind": "route", "redirects": "reject", "to": [{"peer": "fourth"}]}},
            {"id": "to_six", "condition": {"domains": ["*.six.example"]},
             "action": {"kind": "route", "fork": "parallel", "redirects": "recurse", "to": [{"peer": "sixth"}, {"peer": "first"}, {"peer": "second", "priority": 1}]}},
            {"id": "to_a", "condition": {"domains": ["a.example"]}, "action": {"kind": "route", "to": [{"peer": "core"}]}},
            {"id": "transit", "condition": {"enum_outcomes": ["not_found", "failed"]}, "action": {"kind": "route", "to": [{"peer": "second"}]}},
        ],
    });
    match variant {
        0 => {}
        1 => {
            // one network is gone, another one moved
            document["peers"].as_array_mut().expect("a list").remove(3);
            document["peers"][1]["targets"] = json!([{"id": "first9", "address": "198.51.100.20:5090"}]);
            document["routes"][6]["action"]["to"] = json!([{"peer": "second"}]);
            document["routes"][8]["action"]["to"] = json!([{"peer": "first"}]);
        }
        2 => {
            // nobody is trusted any more, and strangers hear nothing
            document["agreements"][1]["trusted"] = json!(false);
            document["unknown_source"] = json!({"reject": false});
            document["keys"] =
                json!([{"id": 2, "secret": "22".repeat(32)}, {"id": 1, "secret": "11".repeat(32)}]);
        }
        _ => {
            // the old key is gone, the tables are tight
            document["keys"] = json!([{"id": 2, "secret": "22".repeat(32)}]);
            document["peers"][1]["limits"] = json!({"calls_max": 1, "requests_per_second": 1, "burst": 1});
        }
    }
    document
}

/// The loaded variants.
pub(crate) fn snapshots() -> &'static [Arc<Snapshot>] {
    static SNAPSHOTS: OnceLock<Vec<Arc<Snapshot>>> = OnceLock::new();
    SNAPSHOTS.get_or_init(|| {
        let load =
            |variant| Snapshot::load(document(variant).to_string().as_bytes()).expect("the policy loads");
        (0..VARIANTS).map(|variant| Arc::new(load(variant))).collect()
    })
}

/// Every edit, of headers and of values, with variables.
fn header_rules() -> Value {
    json!([
        {"id": "strip", "rules": [
            {"id": "1", "header": "Subject", "action": {"kind": "remove"}},
            {"id": "2", "header": "User-Agent", "action": {"kind": "replace", "pattern": "^(.*)$", "regex": true, "with": "<$1>"}},
        ]},
        {"id": "mark", "rules": [
            {"id": "1", "header": "X-Network", "action": {"kind": "set", "value": "a"}},
            {"id": "2", "header": "Subject", "messages": "requests", "action": {"kind": "replace", "pattern": "a", "regex": false, "with": ""}},
            {"id": "3", "header": "X-Hop", "methods": ["INVITE"], "action": {"kind": "add", "value": "ibcf"}},
            {"id": "4", "header": "X-Way", "action": {"kind": "set", "value": "${peer.from} <${request.uri}> \"${call.id}\" ${call.calling}"}},
            {"id": "5", "header": "Supported", "values": {"regex": "^1"}, "action": {"kind": "remove"}},
            {"id": "6", "header": "X-History", "values": {"regex": "sip"}, "action": {"kind": "copy", "from": "History-Info"}},
            {"id": "7", "header": "Diversion", "statuses": [[300, 699]], "action": {"kind": "rename", "to": "X-Diversion"}},
            {"id": "8", "header": "Contact", "action": {"kind": "parameter", "in": "uri", "name": "x", "change": {"kind": "set", "value": "${request.user}"}}},
            {"id": "9", "header": "Contact", "action": {"kind": "parameter", "name": "expires", "change": {"kind": "replace", "pattern": "0", "regex": false, "with": "\""}}},
        ]},
    ])
}
