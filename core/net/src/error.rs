//! Why the core cannot start or do what it was told: all faults of the operator or of the machine.

use std::io;
use std::net::SocketAddr;

use ibcf_sip::snapshot::SnapshotError;

/// What went wrong.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NetError {
    /// The snapshot was refused; the one in force goes on serving.
    #[error(transparent)]
    Snapshot(#[from] SnapshotError),
    /// An address cannot be bound.
    #[error("listener \"{listener}\" cannot bind {address}: {cause}")]
    Listen {
        /// Id of the listener.
        listener: String,
        /// The address it was to have.
        address: SocketAddr,
        /// What the system says.
        #[source]
        cause: io::Error,
    },
    /// A snapshot for the running core has other listeners.
    #[error("listeners of a running border cannot change ({what}): restart it")]
    ListenersChanged {
        /// The first difference.
        what: String,
    },
    /// More workers than can be told apart.
    #[error("workers: {workers} is not 1 to {}", crate::core::WORKERS_MAX)]
    Workers {
        /// How many were asked for.
        workers: usize,
    },
    /// The border was stopped, or is started already.
    #[error("{0}")]
    State(&'static str),
    /// A worker did not do in time what it was told; it may be stuck.
    #[error("worker {worker} did not carry out an order in time: look at its alarms")]
    Stuck {
        /// Which one.
        worker: usize,
    },
    /// The system refused something else (threads, descriptors).
    #[error("{what}: {cause}")]
    System {
        /// What was tried.
        what: &'static str,
        /// What the system says.
        #[source]
        cause: io::Error,
    },
}

impl NetError {
    pub(crate) fn system(what: &'static str) -> impl Fn(io::Error) -> Self {
        move |cause| Self::System { what, cause }
    }
}
