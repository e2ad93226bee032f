//! The few system calls that the standard library does not offer: the only `unsafe` of this crate, behind safe doors.

#![allow(unsafe_code)] // each block states why it is sound

mod address;
mod batch;
mod error_queue;
mod process;
mod socket_memory;

pub(crate) use batch::{BATCH, ReceiveBatch, SendBatch};
pub(crate) use error_queue::{enable_error_queue, receive_error};
pub(crate) use process::{event_counter, random_bytes};
pub(crate) use socket_memory::{SocketMemory, ask_for_buffers, socket_memory};
