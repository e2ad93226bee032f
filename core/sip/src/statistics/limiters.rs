//! What limiters count, by limiter; never by key.

use super::family::{Builder, Family, Kind};
use crate::admit::{LimitResult, LimiterView};
use crate::time::Time;

pub(super) fn families(limiters: &[LimiterView], now: Time) -> Vec<Family> {
    let mut requests = Builder::new(
        "ibcf_limiter_requests_total",
        Kind::Counter,
        "Requests that a limiter was asked about, by what became of them.",
        &["limiter", "result"],
    );
    let mut shared = Builder::new(
        "ibcf_limiter_shared_total",
        Kind::Counter,
        "Requests that a limiter counted together, since their keys found no place of their own.",
        &["limiter"],
    );
    let gauge = |name, help| Builder::new(name, Kind::Gauge, help, &["limiter"]);
    let mut calls = gauge("ibcf_limiter_calls", "Calls in progress that a limiter counts.");
    let mut keys = gauge("ibcf_limiter_keys", "Keys that a limiter counts something of.");
    let mut keys_max = gauge("ibcf_limiter_keys_limit", "Keys that can have a place of their own.");
    for limiter in limiters {
        let (statistics, table) = (&limiter.statistics, &limiter.table);
        for (result, name) in LimitResult::ALL {
            requests.add(&[statistics.id(), name], statistics.results(result));
        }
        shared.add(&[statistics.id()], statistics.shared());
        calls.add(&[statistics.id()], table.calls());
        keys.add(&[statistics.id()], table.keys(now) as u64);
        keys_max.add(&[statistics.id()], table.keys_max() as u64);
    }
    vec![requests.0, shared.0, calls.0, keys.0, keys_max.0]
}
