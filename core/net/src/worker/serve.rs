//! The border of a worker: which inputs it gets, and what happens when it panics.

use std::any::Any;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use ibcf_sip::event::Event;
use ibcf_sip::input::TargetSet;
use ibcf_sip::parse::{Fault, call_id_of};
use ibcf_sip::{Flow, Input, Now, Outputs, Snapshot, Time};

use super::{Common, Handler};
use crate::inbox::{Handed, Order};
use crate::stream::Receiver;

pub(super) struct Serving<H, F> {
    worker: usize,
    common: Arc<Common>,
    snapshot: Arc<Snapshot>,
    make: F,
    handler: H,
    is_draining: bool,
    /// The last set of each peer that was located, for a border that starts afresh.
    located: HashMap<String, TargetSet>,
    /// Workers that were handed something and not woken yet, one bit each.
    to_wake: u64,
    pub(super) outputs: Outputs,
    /// What others handed over that is for connections.
    pub(super) for_streams: Vec<Handed>,
}

impl<H: Handler, F: Fn(Arc<Snapshot>) -> H> Serving<H, F> {
    pub(super) fn new(worker: usize, common: Arc<Common>, snapshot: Arc<Snapshot>, make: F) -> Self {
        let handler = make(Arc::clone(&snapshot));
        let outputs = Outputs::default();
        Self {
            worker,
            common,
            snapshot,
            make,
            handler,
            is_draining: false,
            located: HashMap::new(),
            to_wake: 0,
            outputs,
            for_streams: Vec::new(),
        }
    }

    pub(super) fn snapshot(&self) -> &Arc<Snapshot> {
        &self.snapshot
    }

    pub(super) fn next_due(&self) -> Option<Time> {
        self.handler.next_due()
    }

    pub(super) fn is_idle(&self) -> bool {
        self.handler.is_idle()
    }

    /// Is there something that no turn sent or published yet?
    pub(super) fn has_outputs(&self) -> bool {
        !self.outputs.sends().is_empty() || !self.outputs.events.is_empty()
    }

    /// Tells the owner of the call that a message did not arrive; without its Call-ID, everybody.
    pub(super) fn unreachable(&mut self, destination: SocketAddr, excerpt: &[u8], now: Now) {
        let owner = self.owner(excerpt);
        for worker in 0..self.common.inboxes.len() {
            if owner.is_some_and(|owner| owner != worker) {
                continue;
            }
            if worker == self.worker {
                self.own_unreachable(destination, excerpt, now);
            } else {
                let excerpt = self.common.buffers.copy(excerpt);
                self.hand_over_or_drop(worker, Handed::Unreachable { destination, excerpt });
            }
        }
    }

    /// Tells the own border that a message did not arrive.
    pub(super) fn own_unreachable(&mut self, destination: SocketAddr, excerpt: &[u8], now: Now) {
        self.handle(Input::Unreachable { destination, excerpt }, excerpt, now);
    }

    /// Tells the own border how long the message that comes next waited.
    pub(super) fn waited(&mut self, delay: Duration, now: Now) {
        self.handle(Input::QueueDelay(delay), &[], now);
    }

    /// Wakes everybody who was handed something, once.
    pub(super) fn wake_owners(&mut self) {
        for worker in 0..self.common.inboxes.len() {
            if self.to_wake & 1 << worker != 0 {
                self.common.inboxes[worker].wake();
            }
        }
        self.to_wake = 0;
    }

    /// Handles what others put into the inbox; false when the worker is to stop.
    pub(super) fn take_inbox(&mut self, handed_max: usize, now: Now) -> bool {
        let common = Arc::clone(&self.common);
        let inbox = &common.inboxes[self.worker];
        for handed in std::iter::from_fn(|| inbox.handed.pop()).take(handed_max) {
            let bytes = match handed {
                Handed::Message { flow, bytes } => {
                    self.handle(Input::Message { flow, bytes: &bytes }, &bytes, now);
                    bytes
                }
                Handed::Unreachable { destination, excerpt } => {
                    self.own_unreachable(destination, &excerpt, now);
                    excerpt
                }
                for_streams => {
                    self.for_streams.push(for_streams);
                    continue;
                }
            };
            common.buffers.give_back(bytes);
        }
        for answer in std::iter::from_fn(|| inbox.answers.pop()).take(inbox.answers.capacity()) {
            self.handle(Input::Answer(answer), &[], now);
        }
        let mut goes_on = true;
        for order in inbox.orders() {
            match order {
                Order::Apply(snapshot, done) => {
                    self.located.retain(|id, _| snapshot.peers.iter().any(|peer| peer.id == *id));
                    self.snapshot = Arc::clone(&snapshot);
                    self.handle(Input::Apply(snapshot), &[], now);
                    let _ = done.send(()); // nobody listens any more when the caller gave up
                }
                Order::Targets(sets, done) => {
                    for set in sets.iter() {
                        self.located.insert(set.peer.clone(), set.clone());
                        self.handle(Input::Targets(set.clone()), &[], now);
                    }
                    let _ = done.send(());
                }
                Order::Drain(done) => {
                    self.is_draining = true;
                    self.handle(Input::Drain, &[], now);
                    let _ = done.send(());
                }
                Order::Stop => {
                    self.handle(Input::Close, &[], now);
                    goes_on = false;
                }
            }
        }
        goes_on
    }

    /// Lets timers fire that are due and that no input fired.
    pub(super) fn tick(&mut self, now: Now) {
        if self.handler.next_due().is_some_and(|due| due <= now.time) {
            self.handle(Input::Tick, &[], now);
        }
    }

    /// Puts a new border in the place of one that panicked over *bytes*: its tables may be half changed.
    pub(super) fn start_afresh(&mut self, payload: &(dyn Any + Send), bytes: &[u8], now: Now) {
        self.common.counters[self.worker].panics.one();
        let alarm = self.common.panics.keep(self.worker, payload, bytes, now.unix_ms);
        self.outputs.events.push(alarm);
        // What the old one still holds ends with a record, if it is not too broken for that.
        let (handler, outputs) = (&mut self.handler, &mut self.outputs);
        let _ = catch_unwind(AssertUnwindSafe(|| handler.handle(Input::Close, now, outputs)));
        self.handler = (self.make)(Arc::clone(&self.snapshot));
        for set in self.located.values() {
            self.handler.handle(Input::Targets(set.clone()), now, &mut self.outputs);
        }
        if self.is_draining {
            self.handler.handle(Input::Drain, now, &mut self.outputs);
        }
    }

    fn handle(&mut self, input: Input<'_>, bytes: &[u8], now: Now) {
        let (handler, outputs) = (&mut self.handler, &mut self.outputs);
        // Sound to go on after: the border is thrown away, and outputs hold whole datagrams at any time.
        if let Err(payload) = catch_unwind(AssertUnwindSafe(|| handler.handle(input, now, outputs))) {
            self.start_afresh(payload.as_ref(), bytes, now);
        }
    }

    fn owner(&self, bytes: &[u8]) -> Option<usize> {
        if self.common.inboxes.len() == 1 {
            return Some(0);
        }
        Some(self.common.shared.owner_of(call_id_of(bytes)?))
    }

    fn hand_over_or_drop(&mut self, owner: usize, handed: Handed) {
        if let Err(Handed::Message { bytes, .. } | Handed::Unreachable { excerpt: bytes, .. }) =
            self.hand_over(owner, handed)
        {
            self.common.buffers.give_back(bytes);
        }
    }
}

impl<H: Handler, F: Fn(Arc<Snapshot>) -> H> Receiver for Serving<H, F> {
    /// Handles a message of an own socket, or hands it to the owner of its call.
    fn message(&mut self, flow: Flow, bytes: &[u8], now: Now) {
        match self.owner(bytes) {
            Some(owner) if owner != self.worker => {
                let bytes = self.common.buffers.copy(bytes);
                self.hand_over_or_drop(owner, Handed::Message { flow, bytes });
            }
            // What has no Call-ID belongs to nobody: answered or dropped here, without state.
            _ => self.handle(Input::Message { flow, bytes }, bytes, now),
        }
    }

    /// Nothing comes of it but an answer without state, so it is handled where it came.
    fn broken(&mut self, flow: Flow, head: &[u8], fault: Fault, now: Now) {
        self.handle(Input::Broken { flow, head, fault }, head, now);
    }

    fn alarm(&mut self, name: &'static str, detail: String, now: Now) {
        self.outputs.events.push(Event::Alarm { name, detail, unix_ms: now.unix_ms });
    }

    fn hand_over(&mut self, worker: usize, handed: Handed) -> Result<(), Handed> {
        let counters = &self.common.counters[self.worker];
        self.to_wake |= 1 << worker;
        let result = self.common.inboxes[worker].handed.push(handed);
        match result {
            Ok(()) => counters.handed_over.one(),
            Err(_) => counters.dropped_handover.one(),
        }
        result
    }
}
