//! How long the whole core path takes for an initial INVITE: bytes in to bytes out, with ENUM answered from the cache.
//!
//! Everything is on that the policy of a border has: admission with a rate, screening, two look-ups in the rules, ENUM,
//! header rules that drop four headers, charging, trust, a sealed Record-Route token, a new server and client transaction
//! with their timers, the 100 and the forwarded INVITE. What ends the call again is not timed.
//!
//! `cargo bench -p ibcf-sip --bench path`

#![allow(missing_docs)] // criterion_group! writes a function without documentation
#![allow(clippy::disallowed_methods)] // a bench reads the clock: that is what it is for

use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::{Criterion, criterion_group, criterion_main};
use ibcf_sip::input::EnumOutcome;
use ibcf_sip::{Flow, Input};

#[path = "../tests/support/mod.rs"]
mod support;

use support::burst::{border, invite};
use support::{A, B, HOME, World, only, respond};

/// Calls between two rests of the virtual clock, in which the transactions of the calls before run out.
const CALLS_A_ROUND: usize = 1_000;

fn end_call(world: &mut World, sent_invite: &support::Sent) {
    let busy = respond(sent_invite, "486 Busy Here", "tb", &[]);
    world.receive(B, &busy);
}

fn whole_path(criterion: &mut Criterion) {
    let mut world = border();
    let first = invite(0);
    world.receive(A, &first);
    if !world.questions.is_empty() {
        world.answer(EnumOutcome::Found, &["sip:+442079460123@b.example;user=phone"], 86_400_000_000);
    }
    let invites: Vec<String> = (1..=CALLS_A_ROUND).map(invite).collect();
    let source = A.parse().expect("an address");
    criterion.bench_function("path/initial_invite", |bencher| {
        bencher.iter_custom(|iterations| {
            let mut spent = Duration::ZERO;
            for nth in 0..usize::try_from(iterations).expect("a count") {
                let text = &invites[nth % CALLS_A_ROUND];
                world.out.clear();
                let now = world.now();
                let begin = Instant::now();
                let input =
                    Input::Message { flow: Flow::datagram(HOME, source), bytes: black_box(text.as_bytes()) };
                world.border.handle(input, now, &mut world.out);
                spent += begin.elapsed();
                let answers = world.sent();
                end_call(&mut world, only(&answers, "INVITE"));
                if nth % CALLS_A_ROUND == CALLS_A_ROUND - 1 {
                    world.advance(70_000);
                    world.events.clear();
                }
            }
            world.advance(70_000);
            spent
        });
    });
}

criterion_group!(path_benches, whole_path);
criterion_main!(path_benches);
