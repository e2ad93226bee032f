//! Decides where a request goes: the number in it, ENUM, the ordered routes, the targets of a peer.
//!
//! Everything here reads the compiled snapshot and what the outside world answered before. What it does not know it
//! asks for ([`Questions`]) and goes on when the answer is there ([`AnswerCache`]); it never waits and never resolves
//! a name itself. The request is not touched: `rewrite` does what was decided.

mod answers;
mod conditions;
mod domains;
mod health;
pub mod number;
mod prefixes;
mod questions;
mod rules;
mod targets;

pub use answers::{AnswerCache, CachedAnswer, Eviction};
pub use health::{Cause, Change, HealthTable, TargetHealth, TargetKey, TargetState};
pub use number::{NumberKind, global_number, is_dipped, number_kind};
pub use questions::{Asked, Questions, worker_of};
pub use rules::{Facts, RouteChoice, RouteTable, Verdict};
pub use targets::{Planned, Target, located_targets, target_set};
