//! How long the whole core path takes, bytes in to bytes out: a call at each level of policy, and each of its messages.
//!
//! `support/calls.rs` tells what a call and a level are. Timed is `Border::handle` and nothing else. The cost of reading the
//! clock twice is in it: some 50 ns a message.
//!
//! `make bench-core`, or `cargo bench -p ibcf-sip --bench path`

#![allow(missing_docs)] // criterion_group! writes a function without documentation
#![allow(clippy::disallowed_methods)] // a bench reads the clock: that is what it is for

use std::time::{Duration, Instant};

use criterion::{Criterion, SamplingMode, criterion_group, criterion_main};
use ibcf_sip::{Border, Input, Now, Outputs};

#[path = "../tests/support/mod.rs"]
mod support;

use support::calls::{Calls, Kind, Level, Meter};

/// Calls that are in the tables at a time.
const CALLS_A_ROUND: usize = 1_000;
/// What is timed is a small part of what runs, so little of it has to do.
const MEASURED: Duration = Duration::from_millis(300);
const WARM_UP: Duration = Duration::from_millis(30);
const SAMPLES: usize = 10;

/// Times one kind of input, or all.
struct Stopwatch {
    kind: Option<Kind>,
    spent: Duration,
}

impl Meter for Stopwatch {
    fn handle(&mut self, kind: Kind, border: &mut Border, input: Input<'_>, now: Now, out: &mut Outputs) {
        let begin = Instant::now();
        border.handle(input, now, out);
        if self.kind.is_none_or(|timed| timed == kind) {
            self.spent += begin.elapsed();
        }
    }
}

/// How long *iterations* calls take, or what they take for inputs of *kind*.
fn time(calls: &mut Calls, kind: Option<Kind>, iterations: u64) -> Duration {
    let mut watch = Stopwatch { kind, spent: Duration::ZERO };
    let mut left = usize::try_from(iterations).expect("a count");
    while left > 0 {
        let round = left.min(CALLS_A_ROUND);
        calls.round(round, &mut watch);
        left -= round;
    }
    watch.spent
}

fn whole_path(criterion: &mut Criterion) {
    for level in Level::ALL {
        let mut calls = Calls::new(level, CALLS_A_ROUND);
        let mut group = criterion.benchmark_group(format!("path/{}", level.name()));
        group.sampling_mode(SamplingMode::Flat).sample_size(SAMPLES);
        group.warm_up_time(WARM_UP).measurement_time(MEASURED);
        let mut bench = |name: &str, kind: Option<Kind>| {
            group.bench_function(name, |bencher| {
                bencher.iter_custom(|iterations| time(&mut calls, kind, iterations));
            });
        };
        bench("call", None);
        for kind in Kind::ALL {
            bench(kind.name(), Some(kind));
        }
        group.finish();
    }
}

criterion_group!(path_benches, whole_path);
criterion_main!(path_benches);
