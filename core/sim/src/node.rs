//! The node under test: the borders of its workers, what they share, its clocks, and its deaths.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use ibcf_sip::snapshot::SnapshotError;
use ibcf_sip::statistics::Shared;
use ibcf_sip::{Border, BorderConfig, Input, Now, Outputs, Snapshot, Time, parse};

use crate::policy::{self, Bounds};
use crate::random::Random;
use crate::topology::LISTENERS;

/// 2026-01-01, for records and tokens.
const EPOCH_MS: u64 = 1_767_225_600_000;

/// The node.
pub struct Node {
    /// What the workers share; new after a crash.
    pub shared: Arc<Shared>,
    /// What the last input led to.
    pub outputs: Outputs,
    borders: Vec<Border>,
    bounds: Bounds,
    random: Random,
    generation: u64,
    snapshot: Arc<Snapshot>,
    is_located_reversed: bool,
    is_draining: bool,
    /// How far its monotonic clock is ahead of the world's.
    ahead: Duration,
    /// How far its wall clock is ahead of the true one, in milliseconds.
    wall_ms: i64,
    /// It is not there until then.
    down_until: Option<Time>,
    /// It does nothing until then.
    stalled_until: Time,
}

/// The border panicked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Panicked;

impl Node {
    /// Starts a node with so many workers.
    ///
    /// # Errors
    ///
    /// The core refused the simulator's snapshot.
    pub fn new(workers: u8, bounds: Bounds, random: Random) -> Result<Self, SnapshotError> {
        let mut node = Self {
            shared: Arc::new(Shared::new(usize::from(workers))),
            outputs: Outputs::default(),
            borders: Vec::new(),
            bounds,
            random,
            generation: 1,
            snapshot: policy::snapshot(1, &bounds)?,
            is_located_reversed: false,
            is_draining: false,
            ahead: Duration::ZERO,
            wall_ms: 0,
            down_until: None,
            stalled_until: Time::ZERO,
        };
        node.start(workers, Time::ZERO);
        Ok(node)
    }

    /// Starts the workers with the snapshot in force and seeds that nobody used.
    fn start(&mut self, workers: u8, now: Time) {
        self.shared = Arc::new(Shared::new(usize::from(workers)));
        self.borders.clear();
        for worker in 0..workers {
            let mut seed = [0; 32];
            for chunk in seed.chunks_mut(8) {
                chunk.copy_from_slice(&self.random.draw().to_le_bytes());
            }
            let config = BorderConfig {
                worker,
                workers,
                seed,
                listeners: LISTENERS.iter().map(|(address, _)| *address).collect(),
                shared: Arc::clone(&self.shared),
            };
            let mut border = Border::new(config, Arc::clone(&self.snapshot));
            let now = self.clock(now);
            self.outputs.clear();
            border.handle(Input::Targets(policy::located(self.is_located_reversed)), now, &mut self.outputs);
            if self.is_draining {
                border.handle(Input::Drain, now, &mut self.outputs);
            }
            self.borders.push(border);
        }
    }

    /// The worker that a message belongs to.
    pub fn worker_of(&self, bytes: &[u8]) -> usize {
        parse::call_id_of(bytes).map_or(0, |call_id| self.shared.owner_of(call_id))
    }

    /// Hands *input* to a worker; what it leads to is in `outputs`.
    ///
    /// # Errors
    ///
    /// The border panicked.
    pub fn handle(&mut self, worker: usize, input: Input<'_>, now: Time) -> Result<(), Panicked> {
        let now = self.clock(now);
        self.outputs.clear();
        let Some(border) = self.borders.get_mut(worker) else { return Ok(()) };
        let outputs = &mut self.outputs;
        catch_unwind(AssertUnwindSafe(|| border.handle(input, now, outputs))).map_err(|_| Panicked)
    }

    fn clock(&self, now: Time) -> Now {
        let true_ms = i64::try_from(EPOCH_MS + now.as_millis()).unwrap_or(i64::MAX);
        let unix_ms = u64::try_from(true_ms.saturating_add(self.wall_ms)).unwrap_or(0);
        Now { time: now + self.ahead, unix_ms }
    }

    /// Which worker's timer is due next, and when in the time of the world.
    pub fn next_due(&self) -> Option<(Time, usize)> {
        let due = self.borders.iter().enumerate().filter_map(|(at, border)| {
            let due = border.next_due()?;
            let world = Time::from_nanos(due.as_nanos().saturating_sub(self.ahead.as_nanos() as u64));
            Some((world.max(self.stalled_until), at))
        });
        due.min()
    }

    /// No worker has a request without its final response.
    pub fn is_idle(&self) -> bool {
        self.borders.iter().all(Border::is_idle)
    }

    /// How many workers it has.
    pub fn workers(&self) -> usize {
        self.borders.len()
    }

    /// Is it there at all?
    pub const fn is_down(&self) -> bool {
        self.down_until.is_some()
    }

    /// Until when it does nothing, if it is stalled.
    pub fn stalled_until(&self, now: Time) -> Option<Time> {
        (self.stalled_until > now).then_some(self.stalled_until)
    }

    /// It does nothing for so long.
    pub fn stall(&mut self, now: Time, length: Duration) {
        self.stalled_until = now + length;
    }

    /// Its monotonic clock goes ahead at once.
    pub fn jump(&mut self, ahead: Duration) {
        self.ahead += ahead;
    }

    /// Its wall clock is set.
    pub const fn set_wall_clock(&mut self, by_ms: i64) {
        self.wall_ms += by_ms;
    }

    /// Dies, and is away until *until*.
    pub fn crash(&mut self, until: Time) {
        self.borders.clear();
        self.down_until = Some(until);
    }

    /// Comes back, if it is time: with the snapshot in force and its keys.
    pub fn restart(&mut self, workers: u8, now: Time) {
        if self.down_until.is_some_and(|until| until <= now) {
            self.down_until = None;
            self.start(workers, now);
        }
    }

    /// Writes the next generation of the policy, to be applied; a node that is down starts with it.
    ///
    /// # Errors
    ///
    /// The core refused the simulator's snapshot.
    pub fn next_snapshot(&mut self) -> Result<Arc<Snapshot>, SnapshotError> {
        self.generation += 1;
        self.snapshot = policy::snapshot(self.generation, &self.bounds)?;
        Ok(Arc::clone(&self.snapshot))
    }

    /// Probes no target any more, from the next snapshot on.
    pub const fn stop_probes(&mut self) {
        self.bounds.probes = false;
    }

    /// Remembers where carrier D was located, for the next start.
    pub const fn set_located(&mut self, is_reversed: bool) {
        self.is_located_reversed = is_reversed;
    }

    /// Remembers that it drains, for the next start.
    pub const fn set_draining(&mut self) {
        self.is_draining = true;
    }
}
