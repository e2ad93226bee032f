//! An allocator that knows how many bytes of the heap are in use, counted as glibc hands them out.
//!
//! The count is the thread's own: what the test harness does beside it does not count. Include it in a test or example and
//! make it the global allocator with `#[global_allocator]`.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

/// The system's allocator with a count before it.
pub struct Heap;

thread_local! {
    static LIVE: Cell<i64> = const { Cell::new(0) };
}

/// What is in use now: bytes that this thread allocated and nobody freed, less what it freed of other threads.
pub fn live() -> i64 {
    LIVE.with(Cell::get)
}

/// What glibc takes for *size* bytes: a header of 8, whole lines of 16, at least 32 (malloc's chunk, on 64 bits).
#[allow(clippy::cast_possible_wrap)] // a layout is never larger than isize::MAX
const fn chunk(size: usize) -> i64 {
    let whole = (size + 8).next_multiple_of(16);
    if whole < 32 { 32 } else { whole as i64 }
}

fn count(change: i64) {
    // A thread that is ending has no count any more, and nothing to prove.
    let _ = LIVE.try_with(|live| live.set(live.get() + change));
}

// SAFETY: every call goes to the system's allocator unchanged; counting has no effect on memory.
unsafe impl GlobalAlloc for Heap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(chunk(layout.size()));
        // SAFETY: the caller keeps the contract of `alloc`, and it is handed on as it is.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(-chunk(layout.size()));
        // SAFETY: the caller keeps the contract of `dealloc`; the pointer came from `System`.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(chunk(size) - chunk(layout.size()));
        // SAFETY: the caller keeps the contract of `realloc`; the pointer came from `System`.
        unsafe { System.realloc(pointer, layout, size) }
    }
}
