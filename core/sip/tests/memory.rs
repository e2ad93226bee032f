//! What a call may cost in memory, over its life, and that it is given back: `support/burst.rs` tells how it is measured.

mod support;

use support::burst::{ANSWERED_MAX, RINGING_MAX, measure};
use support::heap::Heap;

#[global_allocator]
static ALLOCATOR: Heap = Heap;

#[test]
fn a_ringing_call_and_an_answered_one_stay_within_their_bounds_and_leave_nothing() {
    let figures = measure(2_000);
    assert!(figures.message > 2_400, "{figures:?}");
    assert!(figures.ringing <= RINGING_MAX, "{figures:?}");
    assert!(
        figures.just_answered <= figures.ringing,
        "an answered INVITE needs no more than one that rings: {figures:?}"
    );
    assert!(figures.answered <= ANSWERED_MAX, "{figures:?}");
}
