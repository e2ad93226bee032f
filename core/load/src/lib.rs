//! A call generator that plays the IMS cores on both sides of a border, and validates every message that comes back.
//!
//! UAC and UAS live in one thread, so that what one of them sent is known when the other receives it: [`Load`] binds both,
//! [`Load::run`] plays a scenario and returns a [`Report`]. Calls begin by a schedule that does not wait for answers (an
//! open loop), and what that schedule lags behind is part of the report: a figure with much of it is the generator's.
//!
//! A call has one slot of a table, and the slot's number is in its Call-ID, tags and branches: a message is led to its call
//! without a search. Messages are templates (`templates/*.sip`) with a few holes. Nothing here knows what is tested; it only
//! knows RFC 3261, what it sent, and what it was told to expect.

#![forbid(unsafe_code)]
// Rates are numbers with a fraction, and no run counts or waits beyond 2^52 of anything.
#![allow(clippy::cast_precision_loss, clippy::cast_sign_loss)]

mod agent;
pub mod arguments;
mod call;
mod cause;
mod clock;
mod copied;
mod datagrams;
mod expect;
mod histogram;
mod link;
mod load;
pub mod options;
mod outbox;
mod report;
mod schedule;
mod streams;
mod tally;
mod template;
mod templates;
mod timers;
mod tls;
mod token;
mod uac;
mod uas;

pub use load::{Load, LoadError};
pub use report::Report;
