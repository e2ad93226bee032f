//! Every error that crosses to Python, and the one place that turns it into an exception of `ibcf.errors`.

use ibcf_net::NetError;
use ibcf_sip::snapshot::SnapshotError;
use pyo3::PyErr;

mod exceptions {
    //! Defined in Python, so that nobody needs the compiled module to catch them.

    pyo3::import_exception!(ibcf.errors, CoreError);
    pyo3::import_exception!(ibcf.errors, ListRefusedError);
    pyo3::import_exception!(ibcf.errors, ListenError);
    pyo3::import_exception!(ibcf.errors, SnapshotRefusedError);
}

/// What may go wrong at the boundary.
#[derive(Debug)]
pub(crate) enum BoundaryError {
    /// A snapshot that cannot be loaded.
    Snapshot(SnapshotError),
    /// Sockets and threads.
    Net(NetError),
    /// Answers that are not the JSON that the core reads.
    Answers(serde_json::Error),
    /// Target sets that are not the JSON that the core reads.
    Targets(serde_json::Error),
    /// A list of numbers with lines that are wrong, as JSON.
    List(String),
    /// A value that cannot be written as JSON: a defect.
    Encode(serde_json::Error),
    /// A listener that the snapshot does not have.
    UnknownListener { id: String, known: String },
    /// Not `address:port`.
    Source(String),
    /// No level of the log.
    Level(String),
}

impl From<SnapshotError> for BoundaryError {
    fn from(error: SnapshotError) -> Self {
        Self::Snapshot(error)
    }
}

impl From<NetError> for BoundaryError {
    fn from(error: NetError) -> Self {
        match error {
            NetError::Snapshot(error) => Self::Snapshot(error),
            error => Self::Net(error),
        }
    }
}

impl From<BoundaryError> for PyErr {
    fn from(error: BoundaryError) -> Self {
        use exceptions::{CoreError, ListRefusedError, ListenError, SnapshotRefusedError};
        match error {
            BoundaryError::Snapshot(error) => SnapshotRefusedError::new_err(error.to_string()),
            BoundaryError::Net(error @ (NetError::Listen { .. } | NetError::ListenersChanged { .. })) => {
                ListenError::new_err(error.to_string())
            }
            BoundaryError::Net(error) => CoreError::new_err(error.to_string()),
            BoundaryError::Answers(error) => CoreError::new_err(format!("answers: {error}")),
            BoundaryError::Targets(error) => CoreError::new_err(format!("target sets: {error}")),
            BoundaryError::List(faults) => ListRefusedError::new_err(faults),
            BoundaryError::Encode(error) => CoreError::new_err(format!("cannot be written as JSON: {error}")),
            BoundaryError::UnknownListener { id, known } => {
                CoreError::new_err(format!("unknown listener \"{id}\" (known: {known})"))
            }
            BoundaryError::Source(text) => CoreError::new_err(format!(
                "\"{text}\" is no source: give address:port, such as 127.0.0.1:5060"
            )),
            BoundaryError::Level(text) => {
                CoreError::new_err(format!("\"{text}\" is no level (known: debug, info, warning, error)"))
            }
        }
    }
}
