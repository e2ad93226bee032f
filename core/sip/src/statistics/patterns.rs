//! What patterns found and what followed, by pattern; never by key.

use super::family::{Builder, Family, Kind};
use crate::pattern::{HELD_MAX, PatternView};

pub(super) fn families(patterns: &[PatternView]) -> Vec<Family> {
    let counter = |name, help, labels| Builder::new(name, Kind::Counter, help, labels);
    let gauge = |name, help, labels| Builder::new(name, Kind::Gauge, help, labels);
    let mut found = counter(
        "ibcf_pattern_found_total",
        "How often a pattern was found, by what follows.",
        &["pattern", "action"],
    );
    let mut requests = counter(
        "ibcf_pattern_requests_total",
        "Requests of keys that a pattern holds, by what became of them.",
        &["pattern", "result"],
    );
    let mut put_out = counter(
        "ibcf_pattern_keys_evicted_total",
        "Keys with something in their window that had to make room for others.",
        &["pattern"],
    );
    let mut held = gauge(
        "ibcf_pattern_held",
        "Keys that a pattern was found of and that are not let go yet.",
        &["pattern", "action"],
    );
    let mut held_max =
        gauge("ibcf_pattern_held_limit", "How many keys may be held, of all patterns together.", &[]);
    let mut keys = gauge("ibcf_pattern_keys", "Keys that a pattern has a window for.", &["pattern"]);
    let mut keys_max =
        gauge("ibcf_pattern_keys_limit", "How many keys a pattern may have a window for.", &["pattern"]);
    held_max.add(&[], HELD_MAX as u64);
    for pattern in patterns {
        found.add(&[&pattern.id, pattern.action], pattern.found);
        requests.add(&[&pattern.id, "refused"], pattern.refused);
        requests.add(&[&pattern.id, "passed"], pattern.passed);
        put_out.add(&[&pattern.id], pattern.put_out);
        held.add(&[&pattern.id, pattern.action], pattern.held as u64);
        keys.add(&[&pattern.id], pattern.keys as u64);
        keys_max.add(&[&pattern.id], pattern.keys_max as u64);
    }
    vec![found.0, requests.0, put_out.0, held.0, held_max.0, keys.0, keys_max.0]
}
