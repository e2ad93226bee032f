//! Workers on CPUs of their own, as the kernel tells of the threads of this process.

use std::fs;

use ibcf_net::{Core, CoreConfig};
use ibcf_sip::Snapshot;

/// The CPUs that each worker may use, by the name of its thread.
fn workers() -> Vec<(String, String)> {
    let mut found = Vec::new();
    for task in fs::read_dir("/proc/self/task").expect("Linux").flatten() {
        let read = |file: &str| fs::read_to_string(task.path().join(file)).unwrap_or_default();
        let status = read("status");
        let allowed = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:")).unwrap_or("");
        if read("comm").starts_with("ibcf-worker-") {
            found.push((read("comm").trim().to_owned(), allowed.trim().to_owned()));
        }
    }
    found.sort();
    found
}

/// How many CPUs there are in a list like `0-3,8`.
fn count(list: &str) -> usize {
    let in_range = |range: &str| {
        let (low, high) = range.split_once('-').unwrap_or((range, range));
        high.parse::<usize>().expect("a number") - low.parse::<usize>().expect("a number") + 1
    };
    list.split(',').map(in_range).sum()
}

fn core(pin_workers: bool) -> Core {
    let document = serde_json::json!({
        "version": 1, "generation": 1, "node": {"name": "n", "domain": "a.example"},
        "keys": [{"id": 1, "secret": "00".repeat(32)}],
        "unknown_source": {"reject": false, "answers_per_second": 0},
        "listeners": [{"id": "peer_udp", "side": "peer", "transport": "udp", "address": "127.0.0.1:0"}],
        "agreements": [], "peers": [], "routes": [],
    });
    let snapshot = Snapshot::load(document.to_string().as_bytes()).expect("a good snapshot");
    let core =
        Core::new(snapshot, CoreConfig { workers: 3, pin_workers, ..CoreConfig::default() }).expect("bound");
    core.start().expect("started");
    core.drain().expect("every worker took its first turn, so it is where it stays");
    core
}

#[test]
fn each_worker_stays_on_one_cpu_and_only_when_that_was_asked_for() {
    let status = fs::read_to_string("/proc/self/status").expect("Linux");
    let all = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:")).expect("told").trim();
    let free = core(false);
    assert_eq!(workers(), [0, 1, 2].map(|worker| (format!("ibcf-worker-{worker}"), all.to_owned())));
    drop(free);

    let pinned = core(true);
    let places: Vec<_> = workers().into_iter().map(|(_, cpu)| cpu).collect();
    assert!(places.iter().all(|cpu| cpu.parse::<usize>().is_ok()), "{places:?}");
    let mut different = places.clone();
    different.sort();
    different.dedup();
    assert_eq!(different.len(), count(all).min(3), "{places:?}");
    drop(pinned);
}
