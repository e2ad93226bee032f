//! A list of numbers or prefixes as Python hands it to a snapshot: read once, shared by every snapshot that names it.

use std::collections::HashMap;
use std::sync::Arc;

use ibcf_sip::decide::{Lists, NumberTable};
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use serde::Serialize;

use crate::error::BoundaryError;
use crate::json::to_bytes;

/// Lists by their ids.
pub(crate) type ListArguments = HashMap<String, Py<NumberList>>;

/// A list of numbers or prefixes.
#[pyclass(frozen, module = "ibcf._core")]
pub(crate) struct NumberList(Arc<NumberTable>);

/// What is wrong with a list.
#[derive(Serialize)]
struct Faults {
    count: usize,
    faults: Vec<Fault>,
}

#[derive(Serialize)]
struct Fault {
    line: usize,
    column: usize,
    problem: String,
}

#[pymethods]
impl NumberList {
    #[new]
    fn new(py: Python<'_>, text: &[u8]) -> Result<Self, BoundaryError> {
        let table = py.detach(|| NumberTable::read(text)).map_err(|found| {
            let line = |fault: ibcf_sip::decide::ListFault| Fault {
                line: fault.line,
                column: fault.column,
                problem: fault.problem,
            };
            let faults = found.faults.into_iter().map(line).collect();
            BoundaryError::List(
                serde_json::to_string(&Faults { count: found.count, faults }).unwrap_or_default(),
            )
        })?;
        Ok(Self(Arc::new(table)))
    }

    fn __len__(&self) -> usize {
        self.0.len()
    }

    fn classes(&self) -> Vec<String> {
        self.0.classes().to_vec()
    }

    fn memory(&self) -> usize {
        self.0.bytes()
    }

    fn longest<'py>(&self, py: Python<'py>, number: &str) -> Result<Bound<'py, PyBytes>, BoundaryError> {
        to_bytes(py, &self.0.longest(number).map(|entry| (entry.digits, entry.class)))
    }
}

/// Gets the tables out of the arguments of a call.
pub(crate) fn by_id(lists: ListArguments) -> Lists {
    lists.into_iter().map(|(id, list)| (id, Arc::clone(&list.get().0))).collect()
}
