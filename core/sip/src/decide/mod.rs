//! Decides where a request goes: the number in it, ENUM, the ordered routes, the targets of a peer.
//!
//! Everything here reads the compiled snapshot and what the outside world answered before. What it does not know it
//! asks for ([`Questions`]) and goes on when the answer is there ([`AnswerCache`]); it never waits and never resolves
//! a name itself. The request is not touched: `rewrite` does what was decided.

mod action;
mod answers;
mod condition;
mod domains;
mod emergency;
mod health;
mod hook;
pub mod number;
mod number_table;
mod prefixes;
mod questions;
mod refusal;
mod restriction;
mod rules;
mod targets;

pub use action::{Rewrite, RouteChoice};
pub use answers::{AnswerCache, CachedAnswer, Eviction};
pub(crate) use condition::has_priority;
pub use condition::{Lists, place_of_call};
pub use emergency::EmergencyNumbers;
pub use health::{Cause, Change, HealthTable, TargetHealth, TargetKey, TargetState};
pub use hook::{EDITS_MAX, Hook, HookChanges, HookVerdict, may_be_request_uri};
pub use number::{NumberKind, calling_number, global_number, is_dipped, number_kind};
pub use number_table::{Entry, FAULTS_MAX, ListFault, ListFaults, NumberTable};
pub use questions::{Asked, Questions, worker_of};
pub use refusal::Refusal;
pub use rules::{Facts, RouteTable, Verdict};
pub use targets::{Planned, Target, located_targets, target_set};
