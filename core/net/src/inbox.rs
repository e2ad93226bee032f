//! What others give to a worker: datagrams of its calls, answers, orders. Bounded, and the giver wakes it once a batch.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::SyncSender;
use std::sync::{Arc, Mutex, PoisonError};

use crossbeam_queue::ArrayQueue;
use ibcf_sip::Snapshot;
use ibcf_sip::input::{Answer, TargetSet};
use ibcf_sip::snapshot::ListenerIndex;
use mio::Waker;

/// Datagrams that may wait for their owner.
const HANDED_MAX: usize = 8_192;
/// Answers that may wait. Questions are bounded by the snapshot; this only has to bridge one turn.
const ANSWERS_MAX: usize = 16_384;

/// What one worker received for another.
#[derive(Debug)]
pub(crate) enum Handed {
    Datagram { listener: ListenerIndex, source: SocketAddr, bytes: Vec<u8> },
    Unreachable { destination: SocketAddr, excerpt: Vec<u8> },
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
