//! The few system calls that the standard library does not offer: the only `unsafe` of this crate, behind safe doors.

#![allow(unsafe_code)] // each block states why it is sound

mod address;
mod affinity;
mod batch;
mod error_queue;
mod process;
mod relay;
mod slice;
mod socket_memory;
mod stamps;
mod watch;

pub(crate) use affinity::{allowed_cpus, stay_on};
pub(crate) use batch::BATCH;
pub use batch::{ReceiveBatch, SendBatch};
pub(crate) use error_queue::{enable_error_queue, receive_error};
pub(crate) use process::{event_counter, random_bytes};
pub use relay::Relay;
pub(crate) use slice::run_in_short_slices;
pub(crate) use socket_memory::{SocketMemory, ask_for_buffers, socket_memory};
pub use stamps::stamp_arrivals;
pub use watch::Watch;
