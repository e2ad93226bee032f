//! What others give to a worker: messages of its calls, what its connections shall carry, answers, orders. Bounded, and the giver wakes it once a batch.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::SyncSender;
use std::sync::{Arc, Mutex, PoisonError};

use crossbeam_queue::ArrayQueue;
use ibcf_sip::input::{Answer, TargetSet};
use ibcf_sip::{ConnectionId, Flow, Snapshot};
use mio::Waker;

use crate::stream::Key;

/// Messages that may wait for their owner, both ways.
pub(crate) const HANDED_MAX: usize = 8_192;
/// Answers that may wait. Questions are bounded by the snapshot; this only has to bridge one turn.
pub(crate) const ANSWERS_MAX: usize = 16_384;

/// What one worker has for another.
#[derive(Debug)]
pub(crate) enum Handed {
    /// A message of a call of theirs.
    Message { flow: Flow, bytes: Vec<u8> },
    /// A message of a call of theirs did not arrive.
    Unreachable { destination: SocketAddr, excerpt: Vec<u8> },
    /// A message for a connection of theirs, or one that they are to open.
    Send { flow: Flow, bytes: Vec<u8>, is_second_try: bool },
    /// A connection of theirs may carry requests to an address.
    Alias { connection: ConnectionId, address: SocketAddr },
    /// What they would open a connection for may use this one.
    PutAlias { key: Key, connection: ConnectionId },
    /// ... and no longer.
    DropAlias { key: Key, connection: ConnectionId },
}

/// What the control plane wants of a worker.
#[derive(Debug)]
pub(crate) enum Order {
    /// Serve this from now on, then say so.
    Apply(Arc<Snapshot>, SyncSender<()>),
    /// These peers were located, then say so.
    Targets(Arc<[TargetSet]>, SyncSender<()>),
    /// Take no new work from now on, then say so.
    Drain(SyncSender<()>),
    Stop,
}

/// The inbox of one worker.
#[derive(Debug)]
pub(crate) struct Inbox {
    pub(crate) handed: ArrayQueue<Handed>,
    pub(crate) answers: ArrayQueue<Answer>,
    orders: Mutex<Vec<Order>>,
    has_orders: AtomicBool,
    /// What the worker says about itself after each turn.
    pub(crate) is_idle: AtomicBool,
    waker: Waker,
}

impl Inbox {
    pub(crate) fn new(waker: Waker) -> Self {
        Self {
            handed: ArrayQueue::new(HANDED_MAX),
            answers: ArrayQueue::new(ANSWERS_MAX),
            orders: Mutex::default(),
            has_orders: AtomicBool::new(false),
            is_idle: AtomicBool::new(true),
            waker,
        }
    }

    /// Ends the worker's wait, now or the next time it would wait.
    pub(crate) fn wake(&self) {
        // The only way to fail is a closed descriptor, and the inbox owns it.
        let _ = self.waker.wake();
    }

    /// Gives an order and wakes the worker. Orders are few and none is lost, so this list has no bound.
    pub(crate) fn order(&self, order: Order) {
        self.orders.lock().unwrap_or_else(PoisonError::into_inner).push(order);
        self.has_orders.store(true, Ordering::Release);
        self.wake();
    }

    /// Takes the orders given so far.
    pub(crate) fn orders(&self) -> Vec<Order> {
        if !self.has_orders.swap(false, Ordering::Acquire) {
            return Vec::new();
        }
        std::mem::take(&mut self.orders.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Does anything wait?
    pub(crate) fn is_empty(&self) -> bool {
        self.handed.is_empty() && self.answers.is_empty() && !self.has_orders.load(Ordering::Acquire)
    }
}
