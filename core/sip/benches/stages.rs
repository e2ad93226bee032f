//! How long each stage of an initial INVITE takes: `support/stages.rs` tells what each of them is.
//!
//! `make bench-core`, or `cargo bench -p ibcf-sip --bench stages`

#![allow(missing_docs)] // criterion_group! writes a function without documentation

use criterion::{Criterion, criterion_group, criterion_main};

#[path = "../tests/support/mod.rs"]
mod support;

use support::stages::{STAGES, Stages};

fn each_stage(criterion: &mut Criterion) {
    let mut stages = Stages::new();
    let mut group = criterion.benchmark_group("stages");
    for (name, stage) in STAGES {
        group.bench_function(name, |bencher| bencher.iter(|| stage(&mut stages)));
    }
    group.finish();
}

criterion_group!(stage_benches, each_stage);
criterion_main!(stage_benches);
