//! What a decision costs in a policy as large as a transit carrier's: `support/big_policy.rs` tells how large.
//!
//! `make bench-core`, or `cargo bench -p ibcf-sip --bench rules`

#![allow(missing_docs)] // criterion_group! writes a function without documentation

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};

#[path = "../tests/support/mod.rs"]
mod support;

use support::big_policy::BigPolicy;

fn a_decision(criterion: &mut Criterion) {
    let policy = BigPolicy::new();
    let message = policy.message();
    criterion.bench_function("rules/invite_1000_rules_2_lists", |bencher| {
        bencher.iter(|| policy.decide(black_box(&message)));
    });
}

criterion_group!(rule_benches, a_decision);
criterion_main!(rule_benches);
