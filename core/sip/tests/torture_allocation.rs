//! From bytes to index, verdict and typed values without one allocation, once the index is warm (design §5).
//!
//! The counter is the thread's own: what the test harness does beside it does not count.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use ibcf_sip::message::{HeaderId, HeaderIndex, Uri};
use ibcf_sip::parse::{call_id_of, check, parse};
use ibcf_sip::snapshot::Limits;

#[path = "torture/ims.rs"]
mod ims;

/// The system's allocator with a counter before it.
struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
}

fn count() {
    // A thread that is ending has no counter any more, and nothing to prove.
    let _ = ALLOCATIONS.try_with(|count| count.set(count.get() + 1));
}

fn allocations() -> usize {
    ALLOCATIONS.with(Cell::get)
}

// SAFETY: every call goes to the system's allocator unchanged; counting has no effect on memory.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller keeps the contract of `alloc`, and it is handed on as it is.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps the contract of `dealloc`; the pointer came from `System`.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
        // SAFETY: the caller keeps the contract of `realloc`; the pointer came from `System`.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[test]
fn a_warm_index_takes_a_message_without_allocating() {
    let limits = Limits::default();
    let invite = ims::invite();
    let broken = b"INVITE sip:b@h SIP/2.0\r\nnothing right\r\nVia x\n\r\n";
    let mut index = HeaderIndex::default();
    parse(&invite, &limits, &mut index).expect("a message");

    let before = allocations();
    for _ in 0..100 {
        let call_id = call_id_of(&invite);
        let message = parse(&invite, &limits, &mut index).expect("a message");
        assert_eq!(message.header_count(), 28);
        assert!(check(&message, &limits).is_ok());
        assert_eq!(message.call_id().ok(), call_id);
        assert!(message.top_via().is_ok_and(|via| via.branch().is_some()));
        assert!(message.from().is_ok_and(|from| from.tag().is_some()));
        assert!(message.to().is_ok_and(|to| to.tag().is_none()));
        assert!(message.cseq().is_ok_and(|cseq| cseq.number == 102));
        assert_eq!(message.values(HeaderId::Via).count(), 3);
        assert!(
            message
                .request()
                .is_some_and(|request| Uri::parse(request.uri).is_ok_and(|uri| uri.is_user_phone()))
        );
        let message = parse(broken, &limits, &mut index).expect("a message");
        assert!(check(&message, &limits).is_err());
    }
    assert_eq!(allocations() - before, 0);
}
