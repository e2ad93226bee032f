//! Sockets and worker threads: turns bytes into inputs and outputs into bytes, and knows nothing of SIP but the Call-ID.
//!
//! [`Core`] binds a socket for each listener and worker and runs one thread a worker. Each call belongs to the worker
//! that the hash of its Call-ID names; a datagram that the kernel gave to another one is handed over once, through a
//! bounded queue. A worker never waits for anything but its own sockets: what it has to ask or tell lies in a [`Hub`]
//! until somebody fetches it.
//!
//! One turn of a worker: wait until something is there or a timer is due, take a batch from each socket, take what
//! was handed over, let the border handle it all, send everything that came of it in batches, publish questions and
//! events.

mod buffers;
mod clock;
mod core;
mod counters;
mod error;
mod hub;
mod inbox;
mod listener;
mod outbox;
mod panics;
mod socket_watch;
mod statistics;
mod stream;
mod system;
mod tls;
mod worker;

pub use crate::core::{Core, CoreConfig};
pub use error::NetError;
pub use hub::Hub;
pub use system::{ReceiveBatch, Relay, SendBatch, Watch, stamp_arrivals};
pub use tls::check_tls;
