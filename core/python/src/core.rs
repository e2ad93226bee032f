//! The running border as Python sees it.

use std::time::{SystemTime, UNIX_EPOCH};

use ibcf_net::CoreConfig;
use ibcf_sip::Snapshot;
use ibcf_sip::event::{Level, NodeNames};
use ibcf_sip::input::{Answer, TargetSet};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::error::BoundaryError;
use crate::events::{Batch, LogLines};
use crate::json::to_bytes;
use crate::number_list::{ListArguments, by_id};

/// The running border: worker threads and sockets.
#[pyclass(frozen, module = "ibcf._core")]
pub(crate) struct Core {
    inner: ibcf_net::Core,
    /// Those of the first snapshot: neither changes without a restart.
    names: NodeNames,
}

/// Events as JSON, CDRs, log lines.
type EventBytes<'py> = (Bound<'py, PyBytes>, Bound<'py, PyBytes>, Bound<'py, PyBytes>);

#[pymethods]
impl Core {
    #[new]
    #[pyo3(signature = (snapshot, *, lists=ListArguments::new(), workers=1, pin_workers=false))]
    fn new(
        py: Python<'_>,
        snapshot: &[u8],
        lists: ListArguments,
        workers: usize,
        pin_workers: bool,
    ) -> Result<Self, BoundaryError> {
        let lists = by_id(lists);
        py.detach(|| {
            let snapshot = Snapshot::load_with(snapshot, &lists)?;
            let node = snapshot.node.name.clone();
            let config = CoreConfig { workers, pin_workers, ..CoreConfig::default() };
            let inner = ibcf_net::Core::new(snapshot, config)?;
            let address =
                inner.listeners().first().map_or_else(|| node.clone(), |(_, address)| address.to_string());
            Ok(Self { inner, names: NodeNames { node, address } })
        })
    }

    fn start(&self, py: Python<'_>) -> Result<(), BoundaryError> {
        Ok(py.detach(|| self.inner.start())?)
    }

    fn listeners(&self) -> Vec<(String, String)> {
        self.inner.listeners().iter().map(|(id, address)| (id.clone(), address.to_string())).collect()
    }

    #[pyo3(signature = (snapshot, *, lists=ListArguments::new()))]
    fn apply(&self, py: Python<'_>, snapshot: &[u8], lists: ListArguments) -> Result<(), BoundaryError> {
        let lists = by_id(lists);
        py.detach(|| Ok(self.inner.apply(Snapshot::load_with(snapshot, &lists)?)?))
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

    #[pyo3(signature = (share))]
    fn sample(&self, share: u16) {
        self.inner.sample(share);
    }

    #[pyo3(signature = (limit=64))]
    fn samples<'py>(&self, py: Python<'py>, limit: usize) -> Result<Bound<'py, PyBytes>, BoundaryError> {
        let samples = py.detach(|| self.inner.samples(limit));
        to_bytes(py, &samples)
    }

    #[pyo3(signature = (limit=256))]
    fn mirrored<'py>(&self, py: Python<'py>, limit: usize) -> Result<Bound<'py, PyBytes>, BoundaryError> {
        let messages = py.detach(|| self.inner.mirrored(limit));
        to_bytes(py, &messages)
    }

    #[pyo3(signature = (limit=1024, *, masked=true, level="info"))]
    fn events<'py>(
        &self,
        py: Python<'py>,
        limit: usize,
        masked: bool,
        level: &str,
    ) -> Result<EventBytes<'py>, BoundaryError> {
        let least_level = Level::from_name(level).ok_or_else(|| BoundaryError::Level(level.to_owned()))?;
        let batch = py.detach(|| {
            let events = self.inner.events(limit);
            Batch::write(&events, &self.names, LogLines { unix_ms: unix_ms(), masked, least_level })
        })?;
        Ok((
            PyBytes::new(py, &batch.others),
            PyBytes::new(py, &batch.cdrs),
            PyBytes::new(py, &batch.log_lines),
        ))
    }

    fn statistics<'py>(&self, py: Python<'py>) -> Result<Bound<'py, PyBytes>, BoundaryError> {
        let families = py.detach(|| self.inner.statistics());
        to_bytes(py, &families)
    }

    fn held<'py>(&self, py: Python<'py>) -> Result<Bound<'py, PyBytes>, BoundaryError> {
        let held = py.detach(|| self.inner.held());
        to_bytes(py, &held)
    }

    #[pyo3(signature = (pattern=None, key=None))]
    fn lift<'py>(
        &self,
        py: Python<'py>,
        pattern: Option<&str>,
        key: Option<&str>,
    ) -> Result<Bound<'py, PyBytes>, BoundaryError> {
        let told = py.detach(|| self.inner.lift(pattern, key));
        to_bytes(py, &told)
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

fn unix_ms() -> u64 {
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since_1970.as_millis()).unwrap_or(u64::MAX)
}
