//! Sends what the border decided: grouped by listener, in order, as many datagrams a call as the kernel takes.
//!
//! A socket whose buffer is full keeps its datagrams waiting, up to a bound, and new ones queue up behind them. What the
//! kernel refuses for good comes back as [`Failed`], which the border takes as unreachable.

use std::collections::VecDeque;
use std::io::{self, ErrorKind};
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::AsFd;

use ibcf_sip::Outputs;

use crate::buffers::Buffers;
use crate::counters::NetCounters;
use crate::listener::ListenerSocket;
use crate::system::SendBatch;

/// Datagrams that may wait for one socket.
pub(crate) const WAITING_MAX: usize = 4_096;
/// An error may belong to a datagram sent earlier; it is cleared by being reported, so the send is tried again so often.
const RETRIES_MAX: u32 = 3;
/// How much of a datagram the border needs to know which one it was.
const EXCERPT_BYTES: usize = 1_024;

/// A datagram that the kernel did not take.
#[derive(Debug)]
pub(crate) struct Failed {
    pub(crate) destination: SocketAddr,
    pub(crate) excerpt: Vec<u8>,
}

/// The sending half of a worker.
pub(crate) struct Outbox {
    batch: SendBatch,
    waiting: Vec<VecDeque<(SocketAddr, Vec<u8>)>>,
    order: Vec<usize>,
    pub(crate) failed: Vec<Failed>,
}

impl Outbox {
    pub(crate) fn new(listeners: usize) -> Self {
        Self {
            batch: SendBatch::new(),
            waiting: (0..listeners).map(|_| VecDeque::new()).collect(),
            order: Vec::new(),
            failed: Vec::new(),
        }
    }

    /// Does something wait for room in a socket?
    pub(crate) fn is_waiting(&self) -> bool {
        self.waiting.iter().any(|queue| !queue.is_empty())
    }

    /// Sends everything in *outputs*, and what waited before it.
    pub(crate) fn flush(
        &mut self,
        outputs: &Outputs,
        sockets: &[ListenerSocket],
        buffers: &Buffers,
        counters: &NetCounters,
    ) {
        let sends = outputs.sends();
        for (at, (socket, waiting)) in sockets.iter().zip(&mut self.waiting).enumerate() {
            let ListenerSocket::Datagrams(socket) = socket else { continue };
            self.order.clear();
            self.order.extend((0..sends.len()).filter(|send| sends[*send].flow.listener.at() == at));
            let mut out = Sender { batch: &mut self.batch, socket, counters, failed: &mut self.failed };
            if !waiting.is_empty() {
                let gone =
                    out.send(waiting.len(), |at| waiting.get(at).map(|(to, bytes)| (*to, bytes.as_slice())));
                waiting.drain(..gone).for_each(|(_, bytes)| buffers.give_back(bytes));
            }
            let datagram = |at: usize| {
                let send = sends.get(*self.order.get(at)?)?;
                Some((send.flow.remote, outputs.bytes(send)))
            };
            let gone = if waiting.is_empty() { out.send(self.order.len(), datagram) } else { 0 };
            for (destination, bytes) in (gone..self.order.len()).filter_map(datagram) {
                keep_or_drop(waiting, destination, bytes, buffers, counters);
            }
        }
        let waiting = self.waiting.iter().map(VecDeque::len).sum::<usize>();
        counters.send_waiting.set(i64::try_from(waiting).unwrap_or(i64::MAX));
    }
}

/// Keeps a datagram for when its socket has room; with [`WAITING_MAX`] there already it is lost like any datagram, and counted.
fn keep_or_drop(
    waiting: &mut VecDeque<(SocketAddr, Vec<u8>)>,
    destination: SocketAddr,
    bytes: &[u8],
    buffers: &Buffers,
    counters: &NetCounters,
) {
    if waiting.len() < WAITING_MAX {
        waiting.push_back((destination, buffers.copy(bytes)));
    } else {
        counters.dropped_send.one();
    }
}

struct Sender<'w> {
    batch: &'w mut SendBatch,
    socket: &'w UdpSocket,
    counters: &'w NetCounters,
    failed: &'w mut Vec<Failed>,
}

impl Sender<'_> {
    /// Sends datagrams 0 to *count* and returns how many are done with: sent, or failed for good.
    fn send<'d>(
        &mut self,
        count: usize,
        datagram: impl Fn(usize) -> Option<(SocketAddr, &'d [u8])>,
    ) -> usize {
        let (mut done, mut retries) = (0, 0);
        while done < count {
            match self.batch.send(self.socket.as_fd(), (done..count).map_while(&datagram)) {
                Ok(0) => break,
                Ok(sent) => {
                    let bytes: usize =
                        (done..done + sent).filter_map(|at| datagram(at).map(|(_, bytes)| bytes.len())).sum();
                    self.counters.sent.add(sent as u64);
                    self.counters.sent_bytes.add(bytes as u64);
                    done += sent;
                    retries = 0;
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if may_be_of_another(&error) && retries < RETRIES_MAX => retries += 1,
                Err(error) => {
                    self.counters.send_failed.one();
                    // Out of memory or of device queue: lost like any datagram; the transaction sends it again.
                    if error.raw_os_error() != Some(libc::ENOBUFS)
                        && let Some((destination, bytes)) = datagram(done)
                    {
                        let excerpt = bytes.get(..EXCERPT_BYTES).unwrap_or(bytes).to_vec();
                        self.failed.push(Failed { destination, excerpt });
                    }
                    done += 1;
                    retries = 0;
                }
            }
        }
        done
    }
}

/// Can *error* be what the network reported about an earlier datagram of the same socket?
fn may_be_of_another(error: &io::Error) -> bool {
    let asynchronous = [
        libc::ECONNREFUSED,
        libc::EHOSTUNREACH,
        libc::ENETUNREACH,
        libc::EPROTO,
        libc::EHOSTDOWN,
        libc::EOPNOTSUPP,
    ];
    error.kind() == ErrorKind::Interrupted
        || error.raw_os_error().is_some_and(|errno| asynchronous.contains(&errno))
}

#[cfg(test)]
mod tests {
    use super::*;
    use ibcf_sip::Flow;
    use ibcf_sip::snapshot::ListenerIndex;

    fn socket() -> UdpSocket {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a port");
        socket.set_nonblocking(true).expect("an option");
        socket
    }

    use ListenerSocket::Datagrams;

    #[test]
    fn each_listener_sends_its_own_in_order() {
        let (first, second, there) = (socket(), socket(), socket());
        let to = there.local_addr().expect("bound");
        let sources = [first.local_addr().expect("bound"), second.local_addr().expect("bound")];
        let mut outputs = Outputs::default();
        for at in 0..100_u16 {
            outputs.send(Flow::datagram(ListenerIndex(at % 2), to), &[at as u8]);
        }
        let mut outbox = Outbox::new(2);
        let counters = NetCounters::default();
        outbox.flush(&outputs, &[Datagrams(first), Datagrams(second)], &Buffers::new(), &counters);
        let mut got = [Vec::new(), Vec::new()];
        let mut buffer = [0; 10];
        for _ in 0..100 {
            let (_, source) = there.recv_from(&mut buffer).expect("loopback delivers at once");
            got[usize::from(source == sources[1])].push(buffer[0]);
        }
        assert_eq!(got[0], (0..100).step_by(2).collect::<Vec<u8>>());
        assert_eq!(got[1], (1..100).step_by(2).collect::<Vec<u8>>());
        assert_eq!((counters.sent.get(), counters.sent_bytes.get()), (100, 100));
    }

    #[test]
    fn what_cannot_be_sent_fails_alone() {
        let (here, there) = (socket(), socket());
        let to = there.local_addr().expect("bound");
        let mut outputs = Outputs::default();
        outputs.send(Flow::datagram(ListenerIndex(0), to), b"one");
        outputs.send(Flow::datagram(ListenerIndex(0), to), &vec![0; 65_530]); // longer than IPv4 can carry
        outputs.send(
            Flow::datagram(ListenerIndex(0), "[::1]:5060".parse().expect("an address")),
            b"of another family",
        );
        outputs.send(Flow::datagram(ListenerIndex(0), to), b"two");
        let mut outbox = Outbox::new(1);
        let counters = NetCounters::default();
        outbox.flush(&outputs, &[Datagrams(here)], &Buffers::new(), &counters);
        let mut buffer = [0; 10];
        for expected in [b"one", b"two"] {
            let (length, _) = there.recv_from(&mut buffer).expect("loopback delivers at once");
            assert_eq!(&buffer[..length], expected);
        }
        assert_eq!(outbox.failed.len(), 2);
        assert_eq!(outbox.failed[0].excerpt.len(), EXCERPT_BYTES);
        assert_eq!((counters.sent.get(), counters.send_failed.get()), (2, 2));
    }

    #[test]
    fn what_waits_for_a_full_socket_is_bounded_and_the_rest_is_counted() {
        let (buffers, counters) = (Buffers::new(), NetCounters::default());
        let mut waiting = VecDeque::new();
        let to = "127.0.0.1:5060".parse().expect("an address");
        for at in 0..WAITING_MAX + 3 {
            keep_or_drop(&mut waiting, to, at.to_string().as_bytes(), &buffers, &counters);
        }
        assert_eq!((waiting.len(), counters.dropped_send.get()), (WAITING_MAX, 3));
        let [first, last] = [waiting.front(), waiting.back()].map(|kept| kept.expect("kept").1.clone());
        assert_eq!(
            (first, last),
            (b"0".to_vec(), (WAITING_MAX - 1).to_string().into_bytes()),
            "the oldest stay"
        );
    }

    #[test]
    fn what_waited_goes_before_what_is_new() {
        let (here, there) = (socket(), socket());
        let to = there.local_addr().expect("bound");
        let mut outbox = Outbox::new(1);
        outbox.waiting[0].push_back((to, b"waited".to_vec()));
        let mut outputs = Outputs::default();
        outputs.send(Flow::datagram(ListenerIndex(0), to), b"new");
        assert!(outbox.is_waiting());
        outbox.flush(&outputs, &[Datagrams(here)], &Buffers::new(), &NetCounters::default());
        assert!(!outbox.is_waiting());
        let mut buffer = [0; 10];
        for expected in [b"waited".as_slice(), b"new"] {
            let (length, _) = there.recv_from(&mut buffer).expect("loopback delivers at once");
            assert_eq!(&buffer[..length], expected);
        }
    }
}
