//! One border without sockets, threads and clock, as Python sees it: the same code that the workers run.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use ibcf_sip::event::NodeNames;
use ibcf_sip::input::{Answer, TargetSet};
use ibcf_sip::rewrite::peer_tag;
use ibcf_sip::snapshot::ListenerIndex;
use ibcf_sip::statistics::Shared;
use ibcf_sip::trace::Trace;
use ibcf_sip::{Border, BorderConfig, Flow, Input, Now, Snapshot, Time};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::error::BoundaryError;
use crate::events::{numbered_cdrs, others};
use crate::json::to_bytes;
use crate::number_list::{ListArguments, by_id};

/// Written where a listener has port 0 and no socket chose one.
const PORT_UNBOUND: u16 = 5060;
/// Timers that one `advance` may fire: far more than any conversation has, and an end in any case.
const TICKS_MAX: usize = 100_000;

/// One border without sockets.
#[pyclass(frozen, module = "ibcf._core")]
pub(crate) struct Engine {
    listeners: Vec<String>,
    names: NodeNames,
    state: Mutex<State>,
}

struct State {
    border: Border,
    outputs: ibcf_sip::Outputs,
    /// Number of the last CDR.
    last_cdr: u64,
}

/// What came of one call of an engine.
#[pyclass(frozen, get_all, module = "ibcf._core")]
pub(crate) struct Outputs {
    sends: Vec<(String, String, Py<PyBytes>)>,
    questions: Py<PyBytes>,
    events: Py<PyBytes>,
    cdrs: Py<PyBytes>,
    trace: Py<PyBytes>,
}

#[pymethods]
impl Engine {
    #[new]
    #[pyo3(signature = (snapshot, *, lists=ListArguments::new(), seed=0, trace=false))]
    fn new(
        py: Python<'_>,
        snapshot: &[u8],
        lists: ListArguments,
        seed: u64,
        trace: bool,
    ) -> Result<Self, BoundaryError> {
        let lists = by_id(lists);
        let snapshot = py.detach(|| Snapshot::load_with(snapshot, &lists))?;
        let listeners = snapshot.listeners.iter().map(|listener| listener.id.clone()).collect();
        let config = BorderConfig {
            worker: 0,
            workers: 1,
            seed: spread(seed),
            listeners: snapshot.listeners.iter().map(|listener| with_port(listener.address)).collect(),
            shared: Arc::new(Shared::new(1)),
        };
        let node = snapshot.node.name.clone();
        let address = config.listeners.first().map_or_else(|| node.clone(), SocketAddr::to_string);
        let mut outputs = ibcf_sip::Outputs::default();
        if trace {
            outputs.trace = Trace::on();
        }
        let border = Border::new(config, Arc::new(snapshot));
        Ok(Self {
            listeners,
            names: NodeNames { node, address },
            state: Mutex::new(State { border, outputs, last_cdr: 0 }),
        })
    }

    #[pyo3(signature = (listener, source, data, *, now_ms, peer=None))]
    fn receive(
        &self,
        py: Python<'_>,
        listener: &str,
        source: &str,
        data: &[u8],
        now_ms: u64,
        peer: Option<&str>,
    ) -> Result<Outputs, BoundaryError> {
        let at = self.listeners.iter().position(|id| id == listener).ok_or_else(|| {
            BoundaryError::UnknownListener { id: listener.to_owned(), known: self.listeners.join(", ") }
        })?;
        let source: SocketAddr = source.parse().map_err(|_| BoundaryError::Source(source.to_owned()))?;
        self.run(py, |state| {
            let peer = peer.map(peer_tag);
            let flow = Flow { peer, ..Flow::datagram(ListenerIndex(at as u16), source) };
            state.handle(Input::Message { flow, bytes: data }, now_ms);
        })
    }

    #[pyo3(signature = (answers, *, now_ms))]
    fn answer(&self, py: Python<'_>, answers: &[u8], now_ms: u64) -> Result<Outputs, BoundaryError> {
        let answers: Vec<Answer> = serde_json::from_slice(answers).map_err(BoundaryError::Answers)?;
        self.run(py, |state| {
            for answer in answers {
                state.handle(Input::Answer(answer), now_ms);
            }
        })
    }

    #[pyo3(signature = (sets, *, now_ms))]
    fn set_targets(&self, py: Python<'_>, sets: &[u8], now_ms: u64) -> Result<Outputs, BoundaryError> {
        let sets: Vec<TargetSet> = serde_json::from_slice(sets).map_err(BoundaryError::Targets)?;
        self.run(py, |state| {
            for set in sets {
                state.handle(Input::Targets(set), now_ms);
            }
        })
    }

    #[pyo3(signature = (*, now_ms))]
    fn advance(&self, py: Python<'_>, now_ms: u64) -> Result<Outputs, BoundaryError> {
        self.run(py, |state| state.advance(now_ms))
    }
}

impl Engine {
    fn run(&self, py: Python<'_>, work: impl FnOnce(&mut State) + Send) -> Result<Outputs, BoundaryError> {
        let (sends, questions, events, cdrs, trace) = py.detach(|| {
            // A panic of the core is raised in Python; whoever catches it may look at what is there.
            let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            work(&mut state);
            let State { outputs, last_cdr, .. } = &mut *state;
            let events = std::mem::take(&mut outputs.events);
            let cdrs = numbered_cdrs(&events, &self.names, last_cdr);
            let sends: Vec<_> = outputs
                .sends()
                .iter()
                .map(|send| {
                    let listener = self.listeners.get(send.flow.listener.at()).cloned().unwrap_or_default();
                    (listener, send.flow.remote.to_string(), outputs.bytes(send).to_vec())
                })
                .collect();
            let taken =
                (sends, std::mem::take(&mut outputs.questions), others(&events), cdrs, outputs.trace.take());
            outputs.clear();
            taken
        });
        Ok(Outputs {
            sends: sends
                .into_iter()
                .map(|(listener, destination, bytes)| {
                    (listener, destination, PyBytes::new(py, &bytes).unbind())
                })
                .collect(),
            questions: to_bytes(py, &questions)?.unbind(),
            events: PyBytes::new(py, &events?).unbind(),
            cdrs: PyBytes::new(py, &cdrs).unbind(),
            trace: to_bytes(py, &trace)?.unbind(),
        })
    }
}

impl State {
    fn handle(&mut self, input: Input<'_>, now_ms: u64) {
        let now = Now { time: Time::from_millis(now_ms), unix_ms: now_ms };
        self.border.handle(input, now, &mut self.outputs);
    }

    /// Lets every timer fire at its own time, so that what one starts is due when it would be.
    fn advance(&mut self, now_ms: u64) {
        let end = Time::from_millis(now_ms);
        for _ in 0..TICKS_MAX {
            let Some(due) = self.border.next_due().filter(|due| *due <= end) else { break };
            let now = Now { time: due, unix_ms: due.as_millis() };
            self.border.handle(Input::Tick, now, &mut self.outputs);
        }
        self.handle(Input::Tick, now_ms);
    }
}

/// Makes 32 bytes out of a small number.
fn spread(seed: u64) -> [u8; 32] {
    let mut bytes = [0; 32];
    for (at, chunk) in (1_u64..).zip(bytes.chunks_exact_mut(8)) {
        let mixed = seed.wrapping_add(at).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        chunk.copy_from_slice(&(mixed ^ mixed >> 32).to_le_bytes());
    }
    bytes
}

fn with_port(address: SocketAddr) -> SocketAddr {
    let port = if address.port() == 0 { PORT_UNBOUND } else { address.port() };
    SocketAddr::new(address.ip(), port)
}
