//! How long a thread runs at a time.

use std::io;

/// The shortest that the kernel grants (`sched(7)`).
const SLICE_NANOS: u64 = 100_000;

/// Asks the kernel to run the calling thread in short slices, which also lets it go at once before one that runs in longer
/// slices when it wakes up (EEVDF, Linux 6.12; older kernels change nothing). Policy and niceness stay.
///
/// # Errors
///
/// What the kernel has against it.
pub(crate) fn run_in_short_slices() -> io::Result<()> {
    // SAFETY: takes no pointer; 0 is the calling thread. -1 may be a niceness, so there is no error to tell from it.
    let niceness = unsafe { libc::getpriority(libc::PRIO_PROCESS, 0) };
    let wanted = libc::sched_attr {
        size: size_of::<libc::sched_attr>() as u32,
        sched_policy: libc::SCHED_OTHER as u32,
        sched_flags: 0,
        sched_nice: niceness,
        sched_priority: 0,
        sched_runtime: SLICE_NANOS,
        sched_deadline: 0,
        sched_period: 0,
    };
    // SAFETY: the kernel reads `size` bytes of `wanted`, which lives until the call is over, and writes nothing.
    let result = unsafe { libc::syscall(libc::SYS_sched_setattr, 0, &raw const wanted, 0) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn policy_and_niceness_stay() {
        std::thread::spawn(|| {
            // SAFETY: neither takes a pointer; 0 is the calling thread.
            let before = unsafe { (libc::sched_getscheduler(0), libc::getpriority(libc::PRIO_PROCESS, 0)) };
            run_in_short_slices().expect("granted");
            // SAFETY: as above.
            let after = unsafe { (libc::sched_getscheduler(0), libc::getpriority(libc::PRIO_PROCESS, 0)) };
            assert_eq!(before, after);
        })
        .join()
        .expect("the thread ends");
    }
}
