//! The simulator: a border between two toy IMS cores, on a virtual clock and a network that loses, repeats and overtakes.
//!
//! A run is decided by its seed alone. [`world::run`] plays it to the end, [`checker`] says what was wrong, and
//! [`replay`] plays it once more to draw the ladder of the call that showed it. Nothing here reads a clock or opens a socket.

#![forbid(unsafe_code)]

pub mod agenda;
pub mod answering;
pub mod calling;
pub mod checker;
pub mod dialog;
pub mod dns;
pub mod ladder;
pub mod network;
pub mod node;
pub mod noise;
pub mod peer;
pub mod plan;
pub mod policy;
pub mod random;
pub mod resend;
pub mod sabotage;
pub mod stream;
pub mod text;
pub mod topology;
pub mod trouble;
mod wire;
pub mod world;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};

use ibcf_sip::snapshot::SnapshotError;

use world::{Report, Setup};

/// How many calls a run has at most; more of them are several runs, with seeds that follow each other.
pub const CALLS_PER_RUN: u64 = 1_000;
/// How many failures of a run are told.
const FAILURES_TOLD: usize = 10;

/// All runs together.
#[derive(Debug, Default)]
pub struct Summary {
    /// Calls played.
    pub calls: u64,
    /// Datagrams that the border took.
    pub received: u64,
    /// Datagrams that it sent.
    pub sent: u64,
    /// How the calls ended.
    pub outcomes: BTreeMap<&'static str, u64>,
    /// What went wrong, told with seed and ladder; empty if all is well.
    pub faults: Vec<String>,
}

impl Summary {
    fn add(&mut self, other: Self) {
        self.calls += other.calls;
        self.received += other.received;
        self.sent += other.sent;
        for (outcome, calls) in other.outcomes {
            *self.outcomes.entry(outcome).or_default() += calls;
        }
        self.faults.extend(other.faults);
    }
}

/// Splits *calls* into runs from *setup*'s seed on.
pub fn split(setup: Setup) -> Vec<Setup> {
    let runs = setup.calls.div_ceil(CALLS_PER_RUN);
    (0..runs)
        .map(|run| Setup {
            seed: setup.seed.wrapping_add(run),
            calls: CALLS_PER_RUN.min(setup.calls - run * CALLS_PER_RUN),
            ..setup
        })
        .collect()
}

/// Plays all *setups*, as many at a time as the machine has cores.
///
/// # Errors
///
/// The core refused the simulator's snapshot.
pub fn play(setups: &[Setup]) -> Result<Summary, SnapshotError> {
    let next = AtomicU64::new(0);
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(setups.len().max(1));
    let work = || {
        let mut summary = Summary::default();
        while let Some(setup) =
            setups.get(usize::try_from(next.fetch_add(1, Ordering::Relaxed)).unwrap_or(usize::MAX))
        {
            let report = world::run(*setup)?;
            summary.add(Summary {
                calls: setup.calls,
                received: report.received,
                sent: report.sent,
                outcomes: report.outcomes.clone(),
                faults: Vec::new(),
            });
            if !report.failures.is_empty() {
                summary.faults.push(tell(*setup, &report)?);
            }
        }
        Ok(summary)
    };
    std::thread::scope(|scope| {
        let handles: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        handles.into_iter().try_fold(Summary::default(), |mut total, handle| {
            // A panic of the simulator itself goes on as it is; one of the border was caught and is a failure.
            let summary = handle.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
            total.add(summary);
            Ok(total)
        })
    })
}

/// Plays *setup* once more and keeps the ladder of *call*.
///
/// # Errors
///
/// The core refused the simulator's snapshot.
pub fn replay(setup: Setup, call: u64) -> Result<Report, SnapshotError> {
    world::run(Setup { watched: Some(call), ..setup })
}

/// Tells what went wrong in a run: the seed, the failures, and the ladder of the first call that showed one.
fn tell(setup: Setup, report: &Report) -> Result<String, SnapshotError> {
    let Setup { seed, calls, .. } = setup;
    let mut out = format!("make sim SEED={seed} CALLS={calls}: network {:?}\n", report.conditions);
    for trouble in &report.troubles {
        let _ = writeln!(out, "  {trouble}");
    }
    for failure in report.failures.iter().take(FAILURES_TOLD) {
        match failure.call {
            Some(call) => {
                let _ = writeln!(out, "  {}: {}", peer::call_id(call), failure.what);
            }
            None => {
                let _ = writeln!(out, "  {}", failure.what);
            }
        }
    }
    if report.failures.len() > FAILURES_TOLD {
        let _ = writeln!(out, "  and {} more", report.failures.len() - FAILURES_TOLD);
    }
    if let Some(call) = report.failures.iter().find_map(|failure| failure.call) {
        let ladder = replay(setup, call)?.ladder.unwrap_or_default();
        let _ = write!(out, "\n{}\n{ladder}", peer::call_id(call));
    }
    Ok(out)
}
