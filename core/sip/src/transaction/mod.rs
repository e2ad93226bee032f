//! The transaction stage: is it a retransmission, an ACK, a CANCEL, a response of ours?
//!
//! Four machines of RFC 3261 §17 as corrected by RFC 6026 and RFC 4320, the keys by which a request finds its own, and
//! the two structures that hold them: a bounded [`Table`] and a timer [`Wheel`]. A machine owns no bytes, no socket and
//! no clock. It is told what came in and answers what to do; the state table of each machine is the documentation of its
//! module, and the tests read that very table.

mod chunks;
mod effect;
pub mod invite_client;
pub mod invite_server;
mod key;
pub mod non_invite_client;
pub mod non_invite_server;
mod table;
mod timer;
mod wheel;

pub use effect::{ClientEffect, ServerEffect};
pub use invite_client::InviteClientTransaction;
pub use invite_server::InviteServerTransaction;
pub use key::{KeyHasher, ServerKey};
pub use non_invite_client::NonInviteClientTransaction;
pub use non_invite_server::NonInviteServerTransaction;
pub use table::{Full, SlotId, Table};
pub use timer::{Timer, TimerValues, Timers};
pub use wheel::Wheel;

#[cfg(test)]
mod walk;
