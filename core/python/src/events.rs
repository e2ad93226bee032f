//! What happened, as bytes for Python: events as JSON, and the two lines of each finished call.
//!
//! Everything here runs with the interpreter released, for many calls at once: it is all that Python does not do for a call.

use ibcf_sip::event::{
    CDR_HEAD, CallLineForm, Event, Level, NodeNames, PackedRecord, write_call_line, write_cdr,
};

use crate::error::BoundaryError;

/// About what the two lines of a call take.
const CDR_BYTES: usize = 2_048;
const CALL_LINE_BYTES: usize = 768;

/// Which log lines are wanted.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LogLines {
    pub(crate) unix_ms: u64,
    pub(crate) masked: bool,
    pub(crate) least_level: Level,
}

/// Events, apart by where they go.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    /// All but finished calls, as a JSON array.
    pub(crate) others: Vec<u8>,
    /// The CDR of each finished call from behind its number, a line each.
    pub(crate) cdrs: Vec<u8>,
    /// The log line of each finished call that is wanted.
    pub(crate) log_lines: Vec<u8>,
}

impl Batch {
    /// Writes *events* and forgets them.
    pub(crate) fn write(events: &[Event], names: &NodeNames, lines: LogLines) -> Result<Self, BoundaryError> {
        let form = CallLineForm { unix_ms: lines.unix_ms, node: &names.node, masked: lines.masked };
        let count = finished(events).count();
        let mut batch = Self {
            others: others(events)?,
            cdrs: Vec::with_capacity(count * CDR_BYTES),
            log_lines: Vec::with_capacity(count * CALL_LINE_BYTES),
        };
        for record in finished(events).map(PackedRecord::record) {
            write_cdr(&record, names, &mut batch.cdrs);
            batch.cdrs.push(b'\n');
            if Level::of(&record) >= lines.least_level {
                write_call_line(&record, form, &mut batch.log_lines);
                batch.log_lines.push(b'\n');
            }
        }
        Ok(batch)
    }
}

/// All but finished calls, as a JSON array.
pub(crate) fn others(events: &[Event]) -> Result<Vec<u8>, BoundaryError> {
    let others: Vec<&Event> =
        events.iter().filter(|event| !matches!(event, Event::CallFinished(_))).collect();
    serde_json::to_vec(&others).map_err(BoundaryError::Encode)
}

/// The whole CDRs of the finished calls among *events*, a line each, numbered on from *number*.
pub(crate) fn numbered_cdrs(events: &[Event], names: &NodeNames, number: &mut u64) -> Vec<u8> {
    let mut cdrs = Vec::new();
    for record in finished(events).map(PackedRecord::record) {
        *number += 1;
        cdrs.extend_from_slice(format!("{CDR_HEAD}{number}").as_bytes());
        write_cdr(&record, names, &mut cdrs);
        cdrs.push(b'\n');
    }
    cdrs
}

fn finished(events: &[Event]) -> impl Iterator<Item = &PackedRecord> {
    events.iter().filter_map(|event| match event {
        Event::CallFinished(record) => Some(record),
        _ => None,
    })
}
