//! Randomness and event counters of the kernel.

use std::fs::File;
use std::io;
use std::os::fd::{FromRawFd, OwnedFd};

/// Returns 32 unforeseeable bytes.
pub(crate) fn random_bytes() -> io::Result<[u8; 32]> {
    let mut bytes = [0_u8; 32];
    // SAFETY: the pointer and the length are those of a local array. Up to 256 bytes come whole or not at all.
    let got = unsafe { libc::getrandom(bytes.as_mut_ptr().cast(), bytes.len(), 0) };
    if usize::try_from(got) == Ok(bytes.len()) { Ok(bytes) } else { Err(io::Error::last_os_error()) }
}

/// Returns a new eventfd: readable once somebody wrote to it, until it is read.
pub(crate) fn event_counter() -> io::Result<File> {
    // SAFETY: takes no pointer.
    let descriptor = unsafe { libc::eventfd(0, libc::EFD_NONBLOCK | libc::EFD_CLOEXEC) };
    if descriptor < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the call just made it; nobody else owns it.
    Ok(File::from(unsafe { OwnedFd::from_raw_fd(descriptor) }))
}
