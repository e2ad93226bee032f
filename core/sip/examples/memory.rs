//! What a call costs in memory: 100,000 calls that ring, are answered, and end, and once more.
//!
//! `make memory`, or `cargo run --release -p ibcf-sip --example memory -- CALLS`

#![allow(clippy::disallowed_macros)] // a command prints: that is what it is for

#[path = "../tests/support/mod.rs"]
mod support;

use std::process::ExitCode;

use support::burst::{ANSWERED_MAX, Figures, RINGING_MAX, measure};
use support::heap::Heap;

#[global_allocator]
static ALLOCATOR: Heap = Heap;

fn main() -> ExitCode {
    let calls = std::env::args().nth(1).and_then(|calls| calls.parse().ok()).unwrap_or(100_000);
    let figures = measure(calls);
    print(&figures);
    if figures.ringing <= RINGING_MAX && figures.answered <= ANSWERED_MAX {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn print(figures: &Figures) {
    let [ringing, answered, kept] = figures.resident;
    println!("{} calls at a time, INVITE of {} bytes; bytes a call:", figures.calls, figures.message);
    println!("{:<58} {:>6} {:>6} {:>9}", "", "heap", "bound", "resident");
    let row = |name: &str, heap: usize, bound: &str, resident: &str| {
        println!("{name:<58} {heap:>6} {bound:>6} {resident:>9}");
    };
    let bound = |bytes: usize| bytes.to_string();
    row("ringing, beyond its INVITE", figures.ringing, &bound(RINGING_MAX), &ringing.to_string());
    row("just answered, transactions still kept, beyond its INVITE", figures.just_answered, "", "");
    row("answered, transactions over", figures.answered, &bound(ANSWERED_MAX), &answered.to_string());
    row("ended: what tables keep for the next burst", figures.kept, "", &kept.to_string());
    println!("a second burst of the same size added {} bytes in all", figures.grown);
}
