//! One worker: a thread, its sockets, its border. See the crate's doc for a turn.

mod publish;
#[cfg(test)]
mod scaling;
mod serve;
#[cfg(test)]
mod tests;

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use foldhash::fast::FixedState;
use ibcf_sip::event::Event;
use ibcf_sip::snapshot::ListenerIndex;
use ibcf_sip::statistics::Shared;
use ibcf_sip::{Border, Flow, Input, Now, Outputs, Snapshot, Time};
use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Registry, Token};

use crate::buffers::Buffers;
use crate::clock::Clock;
use crate::counters::NetCounters;
use crate::error::NetError;
use crate::hub::Hub;
use crate::inbox::Inbox;
use crate::listener::ListenerSocket;
use crate::outbox::Outbox;
use crate::panics::Panics;
use crate::stream::{Census, Receiver, Streams};
use crate::system::{BATCH, ReceiveBatch};
use crate::tls::TlsContexts;
pub(crate) use publish::CHARGING_MAX;
use publish::Publisher;
use serve::Serving;

/// Stands for the waker among the tokens of sockets.
pub(crate) const WAKE: Token = Token(usize::MAX);
/// Handed-over datagrams taken a turn, so that the own sockets get theirs.
const HANDED_A_TURN: usize = 256;
/// When something waits for room elsewhere, look again after this long.
const RETRY_AFTER: Duration = Duration::from_millis(10);
/// While sockets have more, the poll (which only costs) is left out so many turns.
const TURNS_WITHOUT_POLL: u32 = 8;
/// Errors taken from a socket's error queue at a time.
const ERRORS_A_TURN: usize = 64;

/// What a worker drives: the border, or what stands in for it in tests.
pub(crate) trait Handler {
    fn handle(&mut self, input: Input<'_>, now: Now, out: &mut Outputs);
    fn next_due(&self) -> Option<Time>;
    fn is_idle(&self) -> bool;
}

impl Handler for Border {
    fn handle(&mut self, input: Input<'_>, now: Now, out: &mut Outputs) {
        Self::handle(self, input, now, out);
    }

    fn next_due(&self) -> Option<Time> {
        Self::next_due(self)
    }

    fn is_idle(&self) -> bool {
        Self::is_idle(self)
    }
}

/// What the workers share.
#[derive(Debug)]
pub(crate) struct Common {
    pub(crate) inboxes: Box<[Inbox]>,
    pub(crate) counters: Box<[NetCounters]>,
    pub(crate) hub: Hub,
    pub(crate) buffers: Buffers,
    pub(crate) panics: Panics,
    pub(crate) clock: Clock,
    /// Names the opener of a connection; `shared` names the owner of a call by the same.
    pub(crate) owners: FixedState,
    pub(crate) shared: Arc<Shared>,
    pub(crate) census: Arc<Census>,
    /// Of the snapshot in force, or about to be.
    pub(crate) tls: Mutex<Arc<TlsContexts>>,
}

impl Common {
    /// What handshakes need now.
    pub(crate) fn tls(&self) -> Arc<TlsContexts> {
        Arc::clone(&self.tls.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// What a worker's thread is given when it starts.
pub(crate) struct Parts {
    pub(crate) index: usize,
    pub(crate) sockets: Vec<ListenerSocket>,
    /// The addresses that they are bound to.
    pub(crate) bound: Arc<[SocketAddr]>,
    pub(crate) poll: Poll,
    /// The same poll's, for connections to come.
    pub(crate) registry: Registry,
    pub(crate) common: Arc<Common>,
}

impl Parts {
    /// Registers the sockets with the poll: for reading only, since each datagram that a receiver took out of our send
    /// buffer would otherwise wake the worker. What finds the buffer full is tried again after [`RETRY_AFTER`].
    pub(crate) fn register(&mut self) -> Result<(), NetError> {
        for (at, socket) in self.sockets.iter().enumerate() {
            self.poll
                .registry()
                .register(&mut SourceFd(&socket.descriptor()), Token(at), Interest::READABLE)
                .map_err(NetError::system("cannot watch a socket"))?;
        }
        Ok(())
    }

    /// Serves until it is told to stop; returns the charging events that nobody had room for.
    pub(crate) fn run<H: Handler>(
        self,
        snapshot: Arc<Snapshot>,
        make: impl Fn(Arc<Snapshot>) -> H,
    ) -> Vec<Event> {
        let listeners = self.sockets.len();
        let worker = Worker {
            streams: Streams::new(
                self.index,
                Arc::clone(&self.common),
                self.registry,
                self.bound,
                Arc::clone(&snapshot),
            ),
            served: Arc::clone(&snapshot),
            serving: Serving::new(self.index, Arc::clone(&self.common), snapshot, make),
            receive: ReceiveBatch::with_stamps(),
            outbox: Outbox::new(listeners),
            publisher: Publisher::default(),
            has_more: vec![false; listeners],
            turns_without_poll: 0,
            ended: self.common.clock.now(),
            events: Events::with_capacity(listeners + 1),
            sockets: self.sockets,
            poll: self.poll,
            common: self.common,
            index: self.index,
        };
        worker.run()
    }
}

struct Worker<H, F> {
    index: usize,
    sockets: Vec<ListenerSocket>,
    poll: Poll,
    common: Arc<Common>,
    serving: Serving<H, F>,
    streams: Streams,
    /// What the connections follow.
    served: Arc<Snapshot>,
    receive: ReceiveBatch,
    outbox: Outbox,
    publisher: Publisher,
    /// Sockets that may hold more: the poll tells once, so they are read until they would block.
    has_more: Vec<bool>,
    turns_without_poll: u32,
    /// When the last turn ended, which is when the next one begins to wait.
    ended: Now,
    events: Events,
}

impl<H: Handler, F: Fn(Arc<Snapshot>) -> H> Worker<H, F> {
    fn run(mut self) -> Vec<Event> {
        loop {
            // The border's own panics are caught where it is called; this is for defects of this crate.
            match catch_unwind(AssertUnwindSafe(|| self.turn())) {
                Ok(true) => {}
                Ok(false) => return self.publisher.into_left(),
                Err(payload) => {
                    self.serving.start_afresh(payload.as_ref(), &[], self.common.clock.now());
                }
            }
        }
    }

    /// One turn; false when it was the last.
    fn turn(&mut self) -> bool {
        self.wait();
        let now = self.common.clock.now();
        self.common.inboxes[self.index].is_idle.store(false, Ordering::Release);
        for at in 0..self.has_more.len() {
            if self.has_more[at] {
                self.receive_from(at, now);
            }
        }
        self.streams.serve(&mut self.serving, now);
        self.serving.wake_owners();
        let goes_on = self.serving.take_inbox(HANDED_A_TURN, now);
        self.follow_snapshot(now);
        for handed in std::mem::take(&mut self.serving.for_streams) {
            self.streams.take(handed, &mut self.serving, now);
        }
        self.serving.tick(now);
        self.streams.tick(&mut self.serving, now);
        self.send(now);
        self.publish(now, goes_on);
        let is_idle = self.serving.is_idle() && self.streams.is_idle();
        self.common.inboxes[self.index].is_idle.store(is_idle, Ordering::Release);
        self.ended = self.common.clock.now();
        let busy = self.ended.time.since(now.time);
        self.counters().busy_nanos.add(u64::try_from(busy.as_nanos()).unwrap_or(u64::MAX));
        goes_on
    }

    /// Lets sockets and connections follow the snapshot that the border serves.
    fn follow_snapshot(&mut self, now: Now) {
        if Arc::ptr_eq(&self.served, self.serving.snapshot()) {
            return;
        }
        self.served = Arc::clone(self.serving.snapshot());
        for (socket, listener) in self.sockets.iter().zip(&self.served.listeners) {
            socket.mark(listener.address, listener.dscp);
        }
        self.streams.apply(Arc::clone(&self.served), now);
    }

    fn counters(&self) -> &NetCounters {
        &self.common.counters[self.index]
    }

    fn wait(&mut self) {
        if self.streams.accepts_again(self.ended) {
            for (has_more, socket) in self.has_more.iter_mut().zip(&self.sockets) {
                *has_more |= matches!(socket, ListenerSocket::Connections(_));
            }
        }
        let has_more = self.has_more.contains(&true);
        if has_more && self.turns_without_poll < TURNS_WITHOUT_POLL {
            self.turns_without_poll += 1;
            return;
        }
        self.turns_without_poll = 0;
        let timeout = if has_more
            || self.serving.has_outputs()
            || self.streams.has_work()
            || !self.common.inboxes[self.index].is_empty()
        {
            Some(Duration::ZERO)
        } else {
            let now = self.ended.time;
            let due = [self.serving.next_due(), self.publisher.next_due(), self.streams.next_due()];
            let due = due.into_iter().flatten().min();
            let due = due.map(|due| due.since(now));
            let is_waiting = self.outbox.is_waiting() || self.publisher.is_waiting();
            if is_waiting { Some(due.unwrap_or(RETRY_AFTER).min(RETRY_AFTER)) } else { due }
        };
        // Interrupted by a signal, or nothing there: either way the turn looks for itself.
        if self.poll.poll(&mut self.events, timeout).is_err() {
            return;
        }
        let mut failing: u64 = 0;
        for event in &self.events {
            let Token(at) = event.token();
            if let Some(has_more) = self.has_more.get_mut(at) {
                *has_more |= event.is_readable() || event.is_error();
                failing |= u64::from(event.is_error()) << at.min(63);
            } else {
                self.streams.on_event(event);
            }
        }
        if failing != 0 {
            let now = self.common.clock.now();
            for at in (0..self.has_more.len()).filter(|at| failing & 1 << (*at).min(63) != 0) {
                self.take_errors(at, now);
            }
        }
    }

    /// Takes one batch from the socket of listener *at*, or accepts its connections.
    fn receive_from(&mut self, at: usize, now: Now) {
        let listener = ListenerIndex(at as u16);
        let socket = match &self.sockets[at] {
            ListenerSocket::Datagrams(socket) => socket,
            ListenerSocket::Connections(socket) => {
                self.has_more[at] = self.streams.accept(listener, socket, now);
                return;
            }
        };
        match self.receive.receive(socket.as_fd()) {
            Ok(count) => {
                // By the clock of the day, as the kernel stamps it: a step of that clock is one odd look among many.
                if let Some(arrival) = self.receive.arrival(0) {
                    let waited = Duration::from_millis(now.unix_ms).saturating_sub(arrival);
                    self.serving.waited(waited, now);
                }
                let mut bytes_received = 0;
                for (source, bytes) in (0..count).filter_map(|datagram| self.receive.get(datagram)) {
                    bytes_received += bytes.len() as u64;
                    self.serving.message(Flow::datagram(listener, source), bytes, now);
                }
                self.counters().received.add(count as u64);
                self.counters().received_bytes.add(bytes_received);
                // A batch that is not full emptied the socket; what came since makes it readable anew.
                self.has_more[at] = count == BATCH;
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => self.has_more[at] = false,
            // The network reported an error about something sent; what it was about is in the error queue.
            Err(_) => self.take_errors(at, now),
        }
    }

    fn take_errors(&mut self, at: usize, now: Now) {
        let ListenerSocket::Datagrams(socket) = &self.sockets[at] else { return };
        let mut excerpt = [0; 1_024];
        for _ in 0..ERRORS_A_TURN {
            match crate::system::receive_error(socket.as_fd(), &mut excerpt) {
                Ok(Some(error)) => {
                    self.common.counters[self.index].network_errors.one();
                    // "Too long" lost one datagram, but the kernel now fragments: the next try arrives.
                    if error.errno != libc::EMSGSIZE {
                        let bytes = excerpt.get(..error.length).unwrap_or_default();
                        self.serving.unreachable(error.destination, bytes, now);
                    }
                }
                Ok(None) => {}
                Err(_) => return,
            }
        }
    }

    /// Sends everything; what fails goes back to the border, which may send something else instead.
    fn send(&mut self, now: Now) {
        // Twice as many rounds as targets that a request may be tried at one after the other.
        for _ in 0..8 {
            let counters = &self.common.counters[self.index];
            self.outbox.flush(&self.serving.outputs, &self.sockets, &self.common.buffers, counters);
            let outputs = std::mem::take(&mut self.serving.outputs);
            self.streams.send_all(&outputs, &mut self.serving, now);
            self.serving.outputs = outputs;
            self.publisher.take(&mut self.serving.outputs);
            self.serving.outputs.clear();
            let undelivered = self.streams.take_undelivered();
            self.serving.wake_owners();
            if self.outbox.failed.is_empty() && undelivered.is_empty() {
                return;
            }
            for failed in undelivered {
                self.serving.unreachable(failed.destination, &failed.bytes, now);
                self.common.buffers.give_back(failed.bytes);
            }
            for failed in std::mem::take(&mut self.outbox.failed) {
                self.serving.own_unreachable(failed.destination, &failed.excerpt, now);
            }
        }
    }

    fn publish(&mut self, now: Now, goes_on: bool) {
        self.publisher.take(&mut self.serving.outputs);
        let common = &self.common;
        let counters = &common.counters[self.index];
        if goes_on {
            self.publisher.publish(&common.hub, counters, now);
        } else {
            self.publisher.publish_all(&common.hub, counters, now);
        }
    }
}
