//! The one way in which values become bytes for Python.

use pyo3::prelude::*;
use pyo3::types::PyBytes;
use serde::Serialize;

use crate::error::BoundaryError;

/// Returns *value* as JSON; the writing is done with the GIL released.
pub(crate) fn to_bytes<'py, T: Serialize + Sync + ?Sized>(
    py: Python<'py>,
    value: &T,
) -> Result<Bound<'py, PyBytes>, BoundaryError> {
    let json = py.detach(|| serde_json::to_vec(value)).map_err(BoundaryError::Encode)?;
    Ok(PyBytes::new(py, &json))
}
