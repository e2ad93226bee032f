//! Stage `forward`: contexts, branches, failover, responses, calls in progress (RFC 3261 §16.6 to §16.10).
//!
//! The files are parts of [`Border`](crate::Border), one noun each: a request arrives in `request`, is decided in
//! `decision`, becomes a branch in `branch`; what comes back passes `response` and leaves in `upstream`.

mod branch;
mod calls;
mod cancel;
mod changed;
mod cleaning;
mod context;
mod decision;
mod dialog;
mod exemption;
mod forking;
mod hook;
mod limit;
mod locate;
mod merged;
mod mirror;
mod next_hop;
mod overload;
mod places;
mod probe;
mod record;
mod redirect;
mod request;
mod response;
mod sample;
mod stream;
mod upstream;
mod variables;
mod watch;

pub(crate) use calls::{CallTable, DialogKey};
pub(crate) use changed::Changed;
pub(crate) use context::{
    Arrival, BestResponse, Branch, CancelBranch, Cancelled, Client, Decision, DialogRoute, Facts,
    RequestContext, Server, Tried,
};
pub(crate) use locate::LocatedHost;
pub(crate) use mirror::Mirror;
pub(crate) use probe::Probers;
