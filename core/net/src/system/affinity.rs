//! On which CPUs a thread may run (sched_setaffinity(2)).

use std::io;
use std::mem::zeroed;

use libc::{CPU_ISSET, CPU_SET, CPU_SETSIZE, cpu_set_t};

/// Returns the CPUs that this thread may use, in their order.
pub(crate) fn allowed_cpus() -> io::Result<Vec<usize>> {
    // SAFETY: plain old data; all zeros is the empty set.
    let mut set: cpu_set_t = unsafe { zeroed() };
    // SAFETY: the kernel writes at most the given number of bytes, which is the size of the set.
    let done = unsafe { libc::sched_getaffinity(0, size_of::<cpu_set_t>(), &raw mut set) };
    if done != 0 {
        return Err(io::Error::last_os_error());
    }
    let last = usize::try_from(CPU_SETSIZE).unwrap_or(0);
    // SAFETY: every number asked for is below the size of the set.
    Ok((0..last).filter(|cpu| unsafe { CPU_ISSET(*cpu, &set) }).collect())
}

/// Keeps this thread on *cpu*, one of [`allowed_cpus`].
pub(crate) fn stay_on(cpu: usize) -> io::Result<()> {
    if cpu >= usize::try_from(CPU_SETSIZE).unwrap_or(0) {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    // SAFETY: plain old data; all zeros is the empty set.
    let mut set: cpu_set_t = unsafe { zeroed() };
    // SAFETY: the number is below the size of the set.
    unsafe { CPU_SET(cpu, &mut set) };
    // SAFETY: the kernel reads the given number of bytes, which is the size of the set.
    let done = unsafe { libc::sched_setaffinity(0, size_of::<cpu_set_t>(), &raw const set) };
    if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_stays_on_the_cpu_that_it_chose_and_others_stay_free() {
        let all = allowed_cpus().expect("a kernel that tells");
        let last = *all.last().expect("at least one");
        let kept = std::thread::spawn(move || stay_on(last).and_then(|()| allowed_cpus()));
        assert_eq!(kept.join().expect("no panic").expect("it was allowed"), [last]);
        assert_eq!(allowed_cpus().expect("a kernel that tells"), all);
    }

    #[test]
    fn a_cpu_that_is_not_there_is_an_error() {
        assert!(
            std::thread::spawn(|| stay_on(1_023).is_err() && stay_on(1 << 20).is_err())
                .join()
                .expect("no panic")
        );
    }
}
