//! Waits for descriptors and a moment that is finer than a millisecond.

use std::io::{self, ErrorKind};
use std::os::fd::RawFd;
use std::ptr::null;
use std::time::Duration;

use libc::{POLLIN, nfds_t, pollfd, timespec};

/// A few descriptors that are waited for together.
pub struct Watch {
    polled: Vec<pollfd>,
}

impl Watch {
    /// Watches *descriptors* for something to read. One that is closed meanwhile counts as ready.
    pub fn new(descriptors: &[RawFd]) -> Self {
        let polled = |fd: &RawFd| pollfd { fd: *fd, events: POLLIN, revents: 0 };
        Self { polled: descriptors.iter().map(polled).collect() }
    }

    /// Waits until one of them is ready, a signal comes, or *timeout* is over.
    ///
    /// # Errors
    /// What the system says.
    pub fn wait(&mut self, timeout: Duration) -> io::Result<()> {
        let timeout = timespec {
            tv_sec: i64::try_from(timeout.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: i64::from(timeout.subsec_nanos()),
        };
        // SAFETY: the array and its length belong together, and the timeout lives through the call; no signal mask.
        let ready = unsafe {
            libc::ppoll(self.polled.as_mut_ptr(), self.polled.len() as nfds_t, &raw const timeout, null())
        };
        if ready >= 0 {
            return Ok(());
        }
        let error = io::Error::last_os_error();
        if error.kind() == ErrorKind::Interrupted { Ok(()) } else { Err(error) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::UdpSocket;
    use std::os::fd::AsRawFd;
    use std::time::Instant;

    #[test]
    fn waiting_ends_with_a_datagram_or_with_the_time() {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a port");
        let mut watch = Watch::new(&[socket.as_raw_fd()]);
        let begin = Instant::now();
        watch.wait(Duration::from_micros(300)).expect("waited");
        assert!(begin.elapsed() >= Duration::from_micros(300));
        socket.send_to(b"x", socket.local_addr().expect("bound")).expect("sent");
        let begin = Instant::now();
        watch.wait(Duration::from_secs(30)).expect("waited");
        assert!(begin.elapsed() < Duration::from_secs(20));
    }
}
