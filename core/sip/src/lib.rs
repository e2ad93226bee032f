//! The SIP border, sans-IO.
//!
//! [`Border::handle`] takes one [`Input`] and the time, and fills [`Outputs`]: messages to send, questions that only the
//! outside world can answer, events for charging and logs. Nothing here opens a socket, reads a clock, draws a random
//! number or knows Python. The modules stand in the order of the life of a message:
//!
//! `parse` → `admit` → `transaction` → `screen` → `decide` → `rewrite` → `forward` (`transport` is the crate `ibcf-net`).

#![forbid(unsafe_code)]

pub mod message;
pub mod parse;

pub mod admit;

pub mod transaction;

pub mod screen;

pub mod decide;

pub mod rewrite;

pub mod forward;

mod border;
pub mod event;
pub mod flow;
pub mod input;
pub mod output;
pub mod pattern;
pub mod reason;
pub mod snapshot;
pub mod statistics;
pub mod time;
pub mod trace;

pub use border::{Border, BorderConfig};
pub use flow::{ConnectionId, Flow};
pub use input::Input;
pub use output::Outputs;
pub use reason::Reason;
pub use snapshot::Snapshot;
pub use time::{Now, Time};
