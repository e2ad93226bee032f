//! The Python module `ibcf._core`: the running border ([`Core`](core::Core)), one without sockets
//! ([`Engine`](engine::Engine)), and the catalogue of reasons.
//!
//! What crosses is bytes of JSON (see `ibcf/boundary.py`) and SIP. No Python object is kept by Rust, no worker ever
//! attaches to the interpreter, and whatever may take long runs with the GIL released. `ibcf/_core.pyi` is the documentation.

mod core;
mod engine;
mod error;
mod events;
mod json;
mod number_list;

use pyo3::prelude::*;

/// The Rust core of ibcf.
#[pymodule]
mod _core {
    use ibcf_sip::Snapshot;
    use ibcf_sip::decide::HookVerdict;
    use ibcf_sip::snapshot::document;
    use pyo3::prelude::*;
    use pyo3::types::{PyBytes, PyString};

    #[pymodule_export]
    use crate::core::Core;
    #[pymodule_export]
    use crate::engine::{Engine, Outputs};
    use crate::error::BoundaryError;
    use crate::json::to_bytes;
    #[pymodule_export]
    use crate::number_list::NumberList;
    use crate::number_list::{ListArguments, by_id};

    /// The catalogue of reasons.
    #[pyfunction]
    fn reasons(py: Python<'_>) -> Result<Bound<'_, PyBytes>, BoundaryError> {
        let entries: Vec<_> = ibcf_sip::Reason::ALL.iter().map(|reason| reason.entry()).collect();
        to_bytes(py, &entries)
    }

    /// Loads a snapshot and forgets it.
    #[pyfunction]
    #[pyo3(signature = (snapshot, *, lists=ListArguments::new()))]
    fn check_snapshot(py: Python<'_>, snapshot: &[u8], lists: ListArguments) -> Result<(), BoundaryError> {
        let lists = by_id(lists);
        py.detach(|| Ok(ibcf_net::check_tls(&Snapshot::load_with(snapshot, &lists)?)?))
    }

    /// Says what is wrong with the verdict of a hook, as far as that can be told without the policy.
    #[pyfunction]
    fn hook_fault(verdict: &[u8], uri_bytes_max: usize) -> Option<String> {
        match serde_json::from_slice::<HookVerdict>(verdict) {
            Ok(verdict) => verdict.fault(uri_bytes_max),
            Err(error) => Some(error.to_string()),
        }
    }

    /// Hides telephone numbers; a text that is not Unicode is made so, since a log line must always be writable.
    #[pyfunction]
    fn mask_numbers(text: &Bound<'_, PyString>) -> String {
        ibcf_sip::event::mask_numbers(&text.to_string_lossy())
    }

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        module.add("SNAPSHOT_VERSION", document::VERSION)?;
        module.add("CDR_HEAD", PyBytes::new(module.py(), ibcf_sip::event::CDR_HEAD.as_bytes()))?;
        module.add("__version__", env!("CARGO_PKG_VERSION"))
    }
}
