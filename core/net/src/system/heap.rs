//! How the allocator of the process treats memory that is free.

/// So much may lie free at the top of a worker's heap before it goes back to the system.
#[cfg(target_env = "gnu")]
const KEPT_BYTES: libc::c_int = 64 << 20;
/// A piece of this size is mapped by itself. To be said again, since a threshold that is set ends glibc's own search for both.
#[cfg(target_env = "gnu")]
const MAPPED_BYTES: libc::c_int = 1 << 20;

/// Lets glibc keep what calls use again a moment later. Left alone it gives the top of a thread's heap back to the kernel
/// whenever 128 KiB of it are free, and asks for the same pages again with the next calls.
pub(crate) fn keep_free_memory() {
    #[cfg(target_env = "gnu")]
    // SAFETY: takes no pointer and may be called by any thread at any time; what it is told to change are these two numbers.
    unsafe {
        libc::mallopt(libc::M_TRIM_THRESHOLD, KEPT_BYTES);
        libc::mallopt(libc::M_MMAP_THRESHOLD, MAPPED_BYTES);
    }
}
