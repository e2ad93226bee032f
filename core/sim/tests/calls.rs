//! Twenty thousand calls through the border, on networks from perfect to bad, cut and healed, crashed and restarted: it keeps its
//! promises in every one of them.

use std::time::{SystemTime, UNIX_EPOCH};

use ibcf_sim::network::Conditions;
use ibcf_sim::world::{self, Setup};
use ibcf_sim::{CALLS_PER_RUN, Summary, play, replay, split};

const FIXED_SEED: u64 = 1;
const FIXED_CALLS: u64 = 12_000;
const FRESH_CALLS: u64 = 5_000;

fn assert_faultless(setup: Setup) -> Summary {
    let summary = play(&split(setup)).expect("the core reads the simulator's snapshot");
    assert_eq!(summary.calls, setup.calls);
    assert!(summary.faults.is_empty(), "{}", summary.faults.join("\n"));
    summary
}

#[test]
fn twelve_thousand_calls_keep_the_invariants() {
    let summary = assert_faultless(Setup::new(FIXED_SEED, FIXED_CALLS));
    // A simulation in which nothing happens proves nothing.
    for outcome in ["answered", "failed", "cancelled", "rejected", "lost in a crash", "turned away"] {
        assert!(summary.outcomes.get(outcome).is_some_and(|calls| *calls > 20), "{:?}", summary.outcomes);
    }
}

#[test]
fn seeds_that_nobody_tried_keep_them_too() {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("the clock is past 1970");
    let seed = since.as_secs();
    println!("fresh seed {seed}: make sim SEED={seed} CALLS={FRESH_CALLS}");
    assert_faultless(Setup::new(seed, FRESH_CALLS));
}

#[test]
fn two_thousand_calls_in_peace_leave_no_excuse() {
    assert_faultless(Setup { is_calm: true, ..Setup::new(FIXED_SEED, 2 * CALLS_PER_RUN) });
}

#[test]
fn a_network_that_loses_one_datagram_in_five_leaves_nothing_behind() {
    let conditions = Conditions { loss: 0.2, duplication: 0.2, reordering: 0.3, ..Conditions::PERFECT };
    assert_faultless(Setup { conditions: Some(conditions), ..Setup::new(7, CALLS_PER_RUN) });
}

#[test]
fn the_same_seed_gives_the_same_run() {
    let fingerprint = |seed| world::run(Setup::new(seed, 200)).expect("a run").fingerprint;
    assert_eq!(fingerprint(3), fingerprint(3));
    assert_ne!(fingerprint(3), fingerprint(4));
}

#[test]
fn watching_a_call_changes_nothing_but_draws_its_ladder() {
    let plain = world::run(Setup::new(3, 200)).expect("a run");
    let watched = replay(Setup::new(3, 200), 17).expect("a run");
    assert_eq!(plain.fingerprint, watched.fingerprint);
    let ladder = watched.ladder.expect("the ladder of a call that was played");
    assert!(ladder.contains("(1)"), "{ladder}");
}

#[test]
fn many_calls_are_several_runs_with_seeds_that_follow_each_other() {
    let runs: Vec<_> = split(Setup::new(5, 2_500)).iter().map(|run| (run.seed, run.calls)).collect();
    assert_eq!(runs, [(5, 1_000), (6, 1_000), (7, 500)]);
}
