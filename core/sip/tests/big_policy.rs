//! A policy of 1,000 rules, 1,000,000 prefixes and 1,000,000 numbers decides without allocating, and its tables stay small.

mod support;

use support::big_policy::{BigPolicy, ENTRIES};
use support::counting::{Counting, allocations};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[test]
fn a_decision_allocates_nothing_and_the_tables_take_24_bytes_an_entry() {
    let policy = BigPolicy::new();
    let message = policy.message();
    policy.decide(&message);
    let before = allocations();
    for _ in 0..100 {
        policy.decide(&message);
    }
    assert_eq!(allocations() - before, 0);
    assert!(policy.table_bytes <= 2 * 24 * ENTRIES as usize, "{} bytes", policy.table_bytes);
}
