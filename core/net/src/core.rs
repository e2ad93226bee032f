//! The running border: sockets, workers, and what the control plane may do with them.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::os::fd::RawFd;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use foldhash::fast::FixedState;

use ibcf_sip::decide::worker_of;
use ibcf_sip::event::Event;
use ibcf_sip::input::{Answer, TargetSet};
use ibcf_sip::output::{MirroredMessage, Question, SampledRequest};
use ibcf_sip::pattern::HeldView;
use ibcf_sip::snapshot::{Listener, Transport};
use ibcf_sip::statistics::{Family, Shared};
use ibcf_sip::{Border, BorderConfig, Snapshot};
use mio::{Poll, Waker};

use crate::buffers::Buffers;
use crate::clock::Clock;
use crate::counters::NetCounters;
use crate::error::NetError;
use crate::hub::Hub;
use crate::inbox::{Inbox, Order};
use crate::listener::{Bound, ListenerSocket, bind};
use crate::panics::Panics;
use crate::socket_watch::SocketWatch;
use crate::statistics::net_families;
use crate::stream::Census;
use crate::system::{allowed_cpus, random_bytes, run_in_short_slices, stay_on};
use crate::tls::TlsContexts;
use crate::worker::{Common, Handler, Parts, WAKE};

/// So many workers can be told apart in a wake-up mask.
pub(crate) const WORKERS_MAX: usize = 64;
/// Events that may wait for the control plane.
const EVENTS_MAX: usize = 65_536;
/// How long a worker may take to carry out an order.
const ORDER_WITHIN: Duration = Duration::from_secs(5);

/// How to run.
#[derive(Clone, Copy, Debug)]
pub struct CoreConfig {
    /// Worker threads: one for each processor core that is to carry traffic.
    pub workers: usize,
    /// Events that may wait for the control plane.
    pub events_max: usize,
    /// Keeps each worker on a CPU of its own, as far as there are so many.
    pub pin_workers: bool,
}

impl Default for CoreConfig {
    fn default() -> Self {
        Self { workers: 1, events_max: EVENTS_MAX, pin_workers: false }
    }
}

/// The running border. All methods may be called from any thread.
#[derive(Debug)]
pub struct Core {
    listeners: Vec<(String, SocketAddr)>,
    datagram_listeners: usize,
    pin_workers: bool,
    watch: SocketWatch,
    common: Arc<Common>,
    state: Mutex<State>,
    /// Charging events that found no room before the workers ended.
    left: Mutex<VecDeque<Event>>,
    answers_dropped: AtomicU64,
}

struct State {
    snapshot: Arc<Snapshot>,
    phase: Phase,
}

enum Phase {
    Bound(Vec<Parts>),
    Running(Vec<JoinHandle<Vec<Event>>>),
    Stopped,
}

impl std::fmt::Debug for State {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let phase = match &self.phase {
            Phase::Bound(_) => "bound",
            Phase::Running(_) => "running",
            Phase::Stopped => "stopped",
        };
        formatter
            .debug_struct("State")
            .field("generation", &self.snapshot.generation)
            .field("phase", &phase)
            .finish()
    }
}

impl Core {
    /// Binds the listeners of *snapshot*. Datagrams wait in the sockets until [`Self::start`].
    pub fn new(snapshot: Snapshot, config: CoreConfig) -> Result<Self, NetError> {
        let workers = config.workers;
        if !(1..=WORKERS_MAX).contains(&workers) {
            return Err(NetError::Workers { workers });
        }
        let tls = Arc::new(TlsContexts::build(&snapshot)?);
        let mut bound: Vec<Bound> =
            snapshot.listeners.iter().map(|listener| bind(listener, workers)).collect::<Result<_, _>>()?;
        let watch = SocketWatch::new(
            &snapshot.listeners,
            bound
                .iter()
                .map(|listener| listener.sockets.iter().filter_map(ListenerSocket::datagrams).collect())
                .enumerate(),
        )?;
        let listeners = bound.iter().map(|listener| (listener.id.clone(), listener.address)).collect();
        let is_datagrams = |listener: &&Listener| listener.transport == Transport::Udp;
        let datagram_listeners = snapshot.listeners.iter().filter(is_datagrams).count();
        let mut polls = Vec::with_capacity(workers);
        let mut inboxes = Vec::with_capacity(workers);
        for _ in 0..workers {
            let poll = Poll::new().map_err(NetError::system("cannot make an epoll"))?;
            let waker = Waker::new(poll.registry(), WAKE).map_err(NetError::system("cannot make a waker"))?;
            inboxes.push(Inbox::new(waker));
            polls.push(poll);
        }
        let seed = random_bytes().map_err(NetError::system("no randomness"))?;
        let owners = FixedState::with_seed(
            seed.iter().fold(0_u64, |seed, byte| seed.rotate_left(8) ^ u64::from(*byte)),
        );
        let common = Arc::new(Common {
            inboxes: inboxes.into(),
            counters: (0..workers).map(|_| NetCounters::default()).collect(),
            hub: Hub::new(snapshot.limits.questions_max, config.events_max)?,
            buffers: Buffers::new(),
            panics: Panics::default(),
            clock: Clock::new(),
            owners: owners.clone(),
            shared: Arc::new(Shared::with_owners(workers, owners)),
            census: Arc::new(Census::new(snapshot.limits.connections_max)),
            tls: Mutex::new(tls),
        });
        let addresses: Arc<[SocketAddr]> = bound.iter().map(|listener| listener.address).collect();
        let mut parts = Vec::with_capacity(workers);
        for (index, poll) in polls.into_iter().enumerate() {
            let sockets = bound.iter_mut().filter_map(|listener| listener.sockets.pop()).collect();
            let (common, bound) = (Arc::clone(&common), Arc::clone(&addresses));
            let registry = poll.registry().try_clone().map_err(NetError::system("cannot share an epoll"))?;
            let mut part = Parts { index, sockets, bound, poll, registry, common };
            part.register()?;
            parts.push(part);
        }
        Ok(Self {
            datagram_listeners,
            pin_workers: config.pin_workers,
            watch,
            listeners,
            common,
            state: Mutex::new(State { snapshot: Arc::new(snapshot), phase: Phase::Bound(parts) }),
            left: Mutex::default(),
            answers_dropped: AtomicU64::new(0),
        })
    }

    /// Starts the workers.
    pub fn start(&self) -> Result<(), NetError> {
        self.start_with(Border::new)
    }

    /// Starts workers that drive what *make* makes.
    pub(crate) fn start_with<H: Handler + 'static>(
        &self,
        make: impl Fn(BorderConfig, Arc<Snapshot>) -> H + Clone + Send + 'static,
    ) -> Result<(), NetError> {
        let mut state = self.state();
        let parts = match std::mem::replace(&mut state.phase, Phase::Stopped) {
            Phase::Bound(parts) => parts,
            phase @ Phase::Running(_) => {
                state.phase = phase;
                return Err(NetError::State("the border is running already"));
            }
            Phase::Stopped => return Err(NetError::State("the border was stopped: make a new one")),
        };
        let workers = parts.len();
        let cpus = if self.pin_workers {
            allowed_cpus().map_err(NetError::system("cannot tell which CPUs there are"))?
        } else {
            Vec::new()
        };
        let mut threads = Vec::with_capacity(workers);
        for part in parts {
            let worker = part.index;
            let (snapshot, shared, make) =
                (Arc::clone(&state.snapshot), Arc::clone(&self.common.shared), make.clone());
            let listeners: Vec<_> = self.listeners.iter().map(|(_, address)| *address).collect();
            let clock = self.common.clock;
            let config = move || BorderConfig {
                worker: worker as u8,
                workers: workers as u8,
                seed: fresh_seed(worker, clock),
                listeners: listeners.clone(),
                shared: Arc::clone(&shared),
            };
            let cpu = worker.checked_rem(cpus.len()).and_then(|at| cpus.get(at)).copied();
            let thread = std::thread::Builder::new().name(format!("ibcf-worker-{worker}")).spawn(move || {
                if let Some(cpu) = cpu {
                    // Best effort: it was ours a moment ago, and elsewhere the worker serves as well.
                    let _ = stay_on(cpu);
                }
                // Best effort too: so that a message waits for no slice of another thread on the same CPU.
                let _ = run_in_short_slices();
                part.run(snapshot, |snapshot| make(config(), snapshot))
            });
            match thread {
                Ok(thread) => threads.push(thread),
                Err(cause) => {
                    self.join(threads);
                    return Err(NetError::system("cannot start a worker")(cause));
                }
            }
        }
        state.phase = Phase::Running(threads);
        Ok(())
    }

    /// Ids and bound addresses of the listeners.
    pub fn listeners(&self) -> &[(String, SocketAddr)] {
        &self.listeners
    }

    /// Makes *snapshot* the one in force; returns when every worker serves it. The listeners must be the same.
    pub fn apply(&self, snapshot: Snapshot) -> Result<(), NetError> {
        let mut state = self.state();
        check_listeners(&state.snapshot, &snapshot)?;
        if matches!(state.phase, Phase::Stopped) {
            return Err(NetError::State("the border was stopped: make a new one"));
        }
        let tls = Arc::new(TlsContexts::build(&snapshot)?);
        *self.common.tls.lock().unwrap_or_else(PoisonError::into_inner) = tls;
        self.common.census.set_max(snapshot.limits.connections_max);
        state.snapshot = Arc::new(snapshot);
        let next = &state.snapshot;
        self.watch.apply(&next.listeners);
        self.order_all(&state.phase, |done| Order::Apply(Arc::clone(next), done))
    }

    /// Tells every worker where these peers were located; has no effect before [`Self::start`].
    pub fn set_targets(&self, sets: Vec<TargetSet>) -> Result<(), NetError> {
        let sets: Arc<[TargetSet]> = sets.into();
        self.order_all(&self.state().phase, |done| Order::Targets(Arc::clone(&sets), done))
    }

    /// The hub's descriptor: readable when questions or events wait.
    pub fn descriptor(&self) -> RawFd {
        self.common.hub.descriptor()
    }

    /// Takes up to *limit* questions.
    pub fn questions(&self, limit: usize) -> Vec<Question> {
        self.common.hub.questions(limit)
    }

    /// From now on so many of 10,000 requests that begin something are kept for [`Self::samples`]; none with 0.
    pub fn sample(&self, share: u16) {
        self.common.shared.sample(share);
    }

    /// Takes up to *limit* sampled requests. Nothing tells that there are some: come from time to time.
    pub fn samples(&self, limit: usize) -> Vec<SampledRequest> {
        self.common.hub.samples(limit)
    }

    /// Takes up to *limit* copies of messages for the trace. Nothing tells that there are some: come from time to time.
    pub fn mirrored(&self, limit: usize) -> Vec<MirroredMessage> {
        self.common.hub.mirrored(limit)
    }

    /// Takes up to *limit* events. After [`Self::stop`], call it until it returns none: records may still be there.
    pub fn events(&self, limit: usize) -> Vec<Event> {
        let mut events = self.common.hub.events(limit);
        if events.len() < limit {
            let mut left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
            let count = left.len().min(limit - events.len());
            events.extend(left.drain(..count));
        }
        // What patterns tell comes on top: it is bounded by what was fetched and by what they hold.
        let told = self.common.shared.detectors.observe(&events, self.common.clock.now().unix_ms);
        events.extend(told);
        events
    }

    /// What patterns hold now.
    pub fn held(&self) -> Vec<HeldView> {
        self.common.shared.detectors.held()
    }

    /// Lets go what patterns hold: of one or of all, one key or all; returns what there is to tell.
    pub fn lift(&self, pattern: Option<&str>, key: Option<&str>) -> Vec<Event> {
        self.common.shared.detectors.lift(pattern, key, self.common.clock.now().unix_ms)
    }

    /// Gives answers to the workers that asked. One that nobody asked for, or that finds no room, is counted.
    pub fn answer(&self, answers: impl IntoIterator<Item = Answer>) {
        let mut to_wake = 0_u64;
        for answer in answers {
            let worker = usize::from(worker_of(answer.id));
            let taken =
                self.common.inboxes.get(worker).is_some_and(|inbox| inbox.answers.push(answer).is_ok());
            if taken {
                to_wake |= 1 << worker;
            } else {
                self.answers_dropped.fetch_add(1, Ordering::Relaxed);
            }
        }
        for (worker, inbox) in self.common.inboxes.iter().enumerate() {
            if to_wake & 1 << worker != 0 {
                inbox.wake();
            }
        }
    }

    /// Everything counted so far.
    pub fn statistics(&self) -> Vec<Family> {
        let mut families = self.common.shared.families(self.common.clock.now().time);
        let dropped = self.answers_dropped.load(Ordering::Relaxed);
        families.extend(net_families(&self.common, self.datagram_listeners, dropped));
        families.extend(self.watch.families());
        families
    }

    /// Takes no new work from now on; what is in progress goes on. Returns when every worker knows; has no effect before [`Self::start`].
    pub fn drain(&self) -> Result<(), NetError> {
        self.order_all(&self.state().phase, Order::Drain)
    }

    /// Is no transaction in progress, and nothing waiting to be handled?
    pub fn is_idle(&self) -> bool {
        match self.state().phase {
            Phase::Running(_) => {}
            Phase::Bound(_) | Phase::Stopped => return true,
        }
        self.common.inboxes.iter().all(|inbox| inbox.is_empty() && inbox.is_idle.load(Ordering::Acquire))
    }

    /// Ends the workers and closes the sockets; returns when they are gone. More than once does no harm.
    pub fn stop(&self) {
        let phase = std::mem::replace(&mut self.state().phase, Phase::Stopped);
        if let Phase::Running(threads) = phase {
            self.join(threads);
        }
        self.watch.close();
    }

    /// Gives every running worker an order, and waits until all have carried it out.
    fn order_all(&self, phase: &Phase, order: impl Fn(SyncSender<()>) -> Order) -> Result<(), NetError> {
        let Phase::Running(_) = phase else { return Ok(()) };
        let give = |inbox: &Inbox| {
            let (done, carried_out) = sync_channel(1);
            inbox.order(order(done));
            carried_out
        };
        let waiting: Vec<_> = self.common.inboxes.iter().map(give).collect();
        for (worker, carried_out) in waiting.iter().enumerate() {
            carried_out.recv_timeout(ORDER_WITHIN).map_err(|_| NetError::Stuck { worker })?;
        }
        Ok(())
    }

    fn join(&self, threads: Vec<JoinHandle<Vec<Event>>>) {
        self.common.inboxes.iter().for_each(|inbox| inbox.order(Order::Stop));
        for thread in threads {
            let left = thread.join().unwrap_or_default(); // a worker catches its panics, so there is always a list
            self.left.lock().unwrap_or_else(PoisonError::into_inner).extend(left);
        }
        self.common.hub.signal();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[cfg(test)]
    pub(crate) fn common(&self) -> &Common {
        &self.common
    }
}

impl Drop for Core {
    fn drop(&mut self) {
        self.stop();
    }
}

/// A seed for a border that starts now. Borders that started before must not have had the same: their identifiers would repeat.
fn fresh_seed(worker: usize, clock: Clock) -> [u8; 32] {
    random_bytes().unwrap_or_else(|_| {
        // The kernel gave randomness when the core started, so this does not happen; time and place still tell borders apart.
        let now = clock.now();
        let mut seed = [0; 32];
        let parts = [now.time.as_nanos(), now.unix_ms, worker as u64, u64::from(std::process::id())];
        for (chunk, part) in seed.chunks_exact_mut(8).zip(parts) {
            chunk.copy_from_slice(&part.to_ne_bytes());
        }
        seed
    })
}

fn check_listeners(current: &Snapshot, next: &Snapshot) -> Result<(), NetError> {
    let changed = |what: String| Err(NetError::ListenersChanged { what });
    for (old, new) in current.listeners.iter().zip(&next.listeners) {
        if old.id != new.id {
            return changed(format!("\"{}\" where \"{}\" was", new.id, old.id));
        }
        if (old.address, old.advertised, old.side, old.transport)
            != (new.address, new.advertised, new.side, new.transport)
        {
            return changed(format!("\"{}\" is not what it was", new.id));
        }
    }
    if current.listeners.len() != next.listeners.len() {
        return changed(format!("{} instead of {}", next.listeners.len(), current.listeners.len()));
    }
    Ok(())
}
