//! The running border as Python sees it.

use ibcf_net::CoreConfig;
use ibcf_sip::Snapshot;
use ibcf_sip::input::{Answer, TargetSet};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::error::BoundaryError;
use crate::json::to_bytes;

/// The running border: worker threads and sockets.
#[pyclass(frozen, module = "ibcf._core")]
pub(crate) struct Core {
    inner: ibcf_net::Core,
}

#[pymethods]
impl Core {
    #[new]
    #[pyo3(signature = (snapshot, *, workers=1, pin_workers=false))]
    fn new(
        py: Python<'_>,
        snapshot: &[u8],
        workers: usize,
        pin_workers: bool,
    ) -> Result<Self, BoundaryError> {
        py.detach(|| {
            let snapshot = Snapshot::load(snapshot)?;
            let inner =
                ibcf_net::Core::new(snapshot, CoreConfig { workers, pin_workers, ..CoreConfig::default() })?;
            Ok(Self { inner })
        })
    }

    fn start(&self, py: Python<'_>) -> Result<(), BoundaryError> {
        Ok(py.detach(|| self.inner.start())?)
    }

    fn listeners(&self) -> Vec<(String, String)> {
        self.inner.listeners().iter().map(|(id, address)| (id.clone(), address.to_string())).collect()
    }

    fn apply(&self, py: Python<'_>, snapshot: &[u8]) -> Result<(), BoundaryError> {
        py.detach(|| Ok(self.inner.apply(Snapshot::load(snapshot)?)?))
    }

    fn set_targets(&self, py: Python<'_>, sets: &[u8]) -> Result<(), BoundaryError> {
        py.detach(|| {
            let sets: Vec<TargetSet> = serde_json::from_slice(sets).map_err(BoundaryError::Targets)?;
            Ok(self.inner.set_targets(sets)?)
        })
    }

    fn fileno(&self) -> i32 {
        self.inner.descriptor()
    }

    #[pyo3(signature = (limit=256))]
    fn questions<'py>(&self, py: Python<'py>, limit: usize) -> Result<Bound<'py, PyBytes>, BoundaryError> {
        to_bytes(py, &self.inner.questions(limit))
    }

    fn answer(&self, py: Python<'_>, answers: &[u8]) -> Result<(), BoundaryError> {
        py.detach(|| {
            let answers: Vec<Answer> = serde_json::from_slice(answers).map_err(BoundaryError::Answers)?;
            self.inner.answer(answers);
            Ok(())
        })
    }

    #[pyo3(signature = (limit=1024))]
    fn events<'py>(&self, py: Python<'py>, limit: usize) -> Result<Bound<'py, PyBytes>, BoundaryError> {
        to_bytes(py, &self.inner.events(limit))
    }

    fn statistics<'py>(&self, py: Python<'py>) -> Result<Bound<'py, PyBytes>, BoundaryError> {
        let families = py.detach(|| self.inner.statistics());
        to_bytes(py, &families)
    }

    fn drain(&self, py: Python<'_>) -> Result<(), BoundaryError> {
        Ok(py.detach(|| self.inner.drain())?)
    }

    fn is_idle(&self, py: Python<'_>) -> bool {
        py.detach(|| self.inner.is_idle())
    }

    fn stop(&self, py: Python<'_>) {
        py.detach(|| self.inner.stop());
    }
}
