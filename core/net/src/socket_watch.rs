//! Looks after the sockets of datagram listeners while workers use them: asks the kernel for their buffers, and tells what
//! it gave and what it dropped.
//!
//! It holds the sockets a second time and asks the kernel when somebody scrapes, so no message pays for it.

#![allow(clippy::cast_precision_loss)] // sizes and counts stay far below 2^53

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use ibcf_sip::snapshot::Listener;
use ibcf_sip::statistics::{Family, Kind};

use crate::error::NetError;
use crate::statistics::family;
use crate::system::{SocketMemory, ask_for_buffers, socket_memory};

/// The sockets of the datagram listeners.
#[derive(Debug)]
pub(crate) struct SocketWatch {
    /// None once the border stopped: the ports are to be free then.
    sockets: Mutex<Vec<WatchedSockets>>,
}

#[derive(Debug)]
struct WatchedSockets {
    /// Position of the listener in the snapshot.
    at: usize,
    listener: String,
    receive_bytes_asked: AtomicU32,
    send_bytes_asked: AtomicU32,
    /// One a worker.
    sockets: Vec<OwnedFd>,
}

impl SocketWatch {
    /// Watches the *sockets* of each datagram listener, which come with its position.
    pub(crate) fn new<'s>(
        listeners: &[Listener],
        sockets: impl Iterator<Item = (usize, Vec<BorrowedFd<'s>>)>,
    ) -> Result<Self, NetError> {
        let mut watched = Vec::new();
        for (at, sockets) in sockets {
            let Some(listener) = listeners.get(at).filter(|_| !sockets.is_empty()) else { continue };
            let again: Result<Vec<_>, _> = sockets.iter().map(BorrowedFd::try_clone_to_owned).collect();
            watched.push(WatchedSockets {
                at,
                listener: listener.id.clone(),
                receive_bytes_asked: AtomicU32::default(),
                send_bytes_asked: AtomicU32::default(),
                sockets: again.map_err(NetError::system("cannot watch a socket"))?,
            });
        }
        let watch = Self { sockets: Mutex::new(watched) };
        watch.apply(listeners);
        Ok(watch)
    }

    /// Asks the system for what *listeners* say from now on; they are those that are bound.
    pub(crate) fn apply(&self, listeners: &[Listener]) {
        for watched in self.lock().iter() {
            let Some(listener) = listeners.get(watched.at) else { continue };
            let (receive_bytes, send_bytes) = (listener.receive_buffer_bytes, listener.send_buffer_bytes);
            watched.receive_bytes_asked.store(receive_bytes, Ordering::Relaxed);
            watched.send_bytes_asked.store(send_bytes, Ordering::Relaxed);
            for socket in &watched.sockets {
                // Best effort: with small buffers the border works, it only drops sooner. The metrics tell.
                let _ = ask_for_buffers(socket.as_fd(), receive_bytes, send_bytes);
            }
        }
    }

    /// Lets the sockets go.
    pub(crate) fn close(&self) {
        self.lock().clear();
    }

    /// What the kernel gave and dropped, as metrics.
    pub(crate) fn families(&self) -> [Family; 3] {
        let (mut given, mut asked, mut drops) = (Vec::new(), Vec::new(), Vec::new());
        for watched in self.lock().iter() {
            let memory = watched.memory();
            let labels = |direction: &str| vec![watched.listener.clone(), direction.to_owned()];
            given.push((labels("receive"), f64::from(memory.receive_bytes)));
            given.push((labels("send"), f64::from(memory.send_bytes)));
            let read = |asked: &AtomicU32| f64::from(asked.load(Ordering::Relaxed));
            asked.push((labels("receive"), read(&watched.receive_bytes_asked)));
            asked.push((labels("send"), read(&watched.send_bytes_asked)));
            drops.push((vec![watched.listener.clone()], memory.drops as f64));
        }
        let buffers = &["listener", "direction"];
        [
            family(
                "ibcf_socket_buffer_bytes",
                Kind::Gauge,
                "What the system holds for each socket of the listener (the least, where its workers got different shares).",
                buffers,
                given,
            ),
            family(
                "ibcf_socket_buffer_asked_bytes",
                Kind::Gauge,
                "What the configuration asks the system to hold for each socket of the listener.",
                buffers,
                asked,
            ),
            family(
                "ibcf_socket_receive_drops_total",
                Kind::Counter,
                "Datagrams that came and were dropped by the system, because the socket of a worker was full.",
                &["listener"],
                drops,
            ),
        ]
    }

    fn lock(&self) -> MutexGuard<'_, Vec<WatchedSockets>> {
        self.sockets.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The least that any of several sockets got, and what all of them dropped.
#[derive(Default)]
struct Together {
    receive_bytes: u32,
    send_bytes: u32,
    drops: u64,
}

impl WatchedSockets {
    fn memory(&self) -> Together {
        let all: Vec<SocketMemory> =
            self.sockets.iter().filter_map(|socket| socket_memory(socket.as_fd()).ok()).collect();
        let least = |read: fn(&SocketMemory) -> u32| all.iter().map(read).min().unwrap_or(0);
        Together {
            receive_bytes: least(|memory| memory.receive_bytes),
            send_bytes: least(|memory| memory.send_bytes),
            drops: all.iter().map(|memory| u64::from(memory.drops)).sum(),
        }
    }
}
