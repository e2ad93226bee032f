//! What two workers carry against one, when every message arrives at the first of them: calls without a socket.
//!
//! A round of calls is played once against borders with known seeds, and what they were handed is kept. Workers that start
//! with the same seeds can then be given the same again, as fast as they take it: each thread is a worker's turn without its
//! sockets (batch, hand-over, inbox, wake-up; the border's outputs are thrown away), and nothing but that is timed. The clock
//! stands still within a round, so that the borders draw what they drew before; timers fire between rounds. Messages lie in the
//! cache of the worker at which they arrive, as they do when the kernel has just copied them.

use std::cell::Cell;
use std::hint::{black_box, spin_loop};
use std::rc::Rc;
use std::sync::atomic::AtomicUsize;
use std::thread;
use std::time::Instant;

use ibcf_sip::BorderConfig;
use ibcf_sip::parse::call_id_of;
use mio::Waker;
use support::calls::{Calls, Kind, Level, Meter};
use support::{BORDER_HOME, BORDER_PEER, World, load};

use super::*;
use crate::system::BATCH;

#[path = "../../../sip/tests/support/mod.rs"]
mod support;

/// Calls of a round: enough to fall to both workers alike, few enough for the caches and the inbox.
const CALLS: usize = 400;
const ROUNDS: usize = 50;

/// Which worker's socket gets the messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Arrival {
    /// All of them that of the first: one peer, one address, one port.
    AtOne,
    /// Each that of its owner: nothing is handed over, so this is what the machine can give.
    AtOwner,
}

struct Round {
    now: Now,
    messages: Vec<Message>,
    /// When timers fire behind it.
    ticks: Vec<Now>,
}

struct Message {
    owner: usize,
    flow: Flow,
    bytes: Vec<u8>,
}

/// What the borders of so many workers were handed.
struct Script {
    workers: usize,
    snapshot: Arc<Snapshot>,
    rounds: Vec<Round>,
}

impl Script {
    fn play(workers: usize, calls: usize, rounds: usize) -> Self {
        let snapshot = Arc::new(load(&Level::L2.policy()));
        let shared = shared(workers);
        let mut borders: Vec<Border> =
            (0..workers).map(|worker| Border::new(config(worker, &shared), Arc::clone(&snapshot))).collect();
        let world = World {
            border: borders.remove(0),
            shared: Arc::clone(&shared),
            out: Outputs::default(),
            ms: 1_000,
            events: Vec::new(),
            questions: Vec::new(),
        };
        let mut recorder = Recorder { others: borders, shared, calls, ended: calls, rounds: Vec::new() };
        let mut all = Calls::at(world, Level::L2, 0);
        (0..rounds).for_each(|_| all.round(calls, &mut recorder));
        Self { workers, snapshot, rounds: recorder.rounds }
    }
}

/// Gives each input to the border of its owner, and keeps it.
struct Recorder {
    others: Vec<Border>,
    shared: Arc<Shared>,
    calls: usize,
    /// Calls of the round that ended.
    ended: usize,
    rounds: Vec<Round>,
}

impl Meter for Recorder {
    fn handle(&mut self, kind: Kind, border: &mut Border, input: Input<'_>, now: Now, out: &mut Outputs) {
        let is_over = self.ended == self.calls;
        let (flow, bytes) = match input {
            Input::Message { flow, bytes } => (flow, bytes),
            _ if is_over => return self.tick(border, now, out),
            _ => return,
        };
        if is_over {
            self.tick(border, now, out);
            self.rounds.push(Round { now, messages: Vec::new(), ticks: Vec::new() });
            self.ended = 0;
        }
        self.ended += usize::from(kind == Kind::ByeAnswer);
        let owner = self.shared.owner_of(call_id_of(bytes).expect("a Call-ID"));
        let round = self.rounds.last_mut().expect("one began");
        round.messages.push(Message { owner, flow, bytes: bytes.to_vec() });
        let border = if owner == 0 { border } else { &mut self.others[owner - 1] };
        out.clear();
        border.handle(Input::Message { flow, bytes }, round.now, out);
    }
}

impl Recorder {
    fn tick(&mut self, border: &mut Border, now: Now, out: &mut Outputs) {
        border.handle(Input::Tick, now, out);
        self.others.iter_mut().for_each(|border| border.handle(Input::Tick, now, out));
        if let Some(round) = self.rounds.last_mut() {
            round.ticks.push(now);
        }
    }
}

/// What came of it.
#[derive(Debug)]
struct Replayed {
    /// How long each round took.
    rounds: Vec<Duration>,
    records: usize,
    handed_over: u64,
}

fn replay(script: &Script, arrival: Arrival) -> Replayed {
    let (common, polls) = common(script);
    let start = Start { workers: script.workers, arrived: AtomicUsize::new(0) };
    let ran: Vec<(Vec<Duration>, usize)> = thread::scope(|scope| {
        let threads: Vec<_> = polls
            .into_iter()
            .enumerate()
            .map(|(worker, poll)| {
                let (common, start) = (Arc::clone(&common), &start);
                // Told apart in a profile.
                let name = format!("{worker} of {} {arrival:?}", script.workers);
                let run = move || Replay::new(worker, arrival, common, script, poll).run(script, start);
                thread::Builder::new().name(name).spawn_scoped(scope, run).expect("a thread")
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().expect("no panic")).collect()
    });
    assert!(common.counters.iter().all(|counters| counters.dropped_handover.get() == 0), "all had room");
    assert!(common.counters.iter().all(|counters| counters.panics.get() == 0));
    Replayed {
        rounds: ran[0].0.clone(),
        records: ran.iter().map(|(_, records)| records).sum(),
        handed_over: common.counters.iter().map(|counters| counters.handed_over.get()).sum(),
    }
}

/// Lets all workers go on when the last of them is there. They spin, since a wake-up takes as long as some calls.
struct Start {
    workers: usize,
    arrived: AtomicUsize,
}

impl Start {
    fn wait(&self) {
        let nth = self.arrived.fetch_add(1, Ordering::AcqRel);
        let all = (nth / self.workers + 1) * self.workers;
        while self.arrived.load(Ordering::Acquire) < all {
            spin_loop();
        }
    }
}

/// One worker's thread.
struct Replay<F> {
    worker: usize,
    arrival: Arrival,
    common: Arc<Common>,
    serving: Serving<Counted, F>,
    handled: Rc<Cell<usize>>,
    records: usize,
    poll: Poll,
    events: Events,
}

impl Replay<()> {
    fn new(
        worker: usize,
        arrival: Arrival,
        common: Arc<Common>,
        script: &Script,
        poll: Poll,
    ) -> Replay<impl Fn(Arc<Snapshot>) -> Counted> {
        let handled = Rc::new(Cell::new(0));
        let (shared, count) = (Arc::clone(&common.shared), Rc::clone(&handled));
        let make = move |snapshot| Counted {
            border: Border::new(config(worker, &shared), snapshot),
            handled: Rc::clone(&count),
        };
        let serving = Serving::new(worker, Arc::clone(&common), Arc::clone(&script.snapshot), make);
        Replay {
            worker,
            arrival,
            common,
            serving,
            handled,
            records: 0,
            poll,
            events: Events::with_capacity(2),
        }
    }
}

impl<F: Fn(Arc<Snapshot>) -> Counted> Replay<F> {
    fn run(mut self, script: &Script, start: &Start) -> (Vec<Duration>, usize) {
        let mut spent = Vec::with_capacity(script.rounds.len());
        for round in &script.rounds {
            let arrives = |message: &&Message| match self.arrival {
                Arrival::AtOne => self.worker == 0,
                Arrival::AtOwner => self.worker == message.owner,
            };
            let arrivals: Vec<&Message> = round.messages.iter().filter(arrives).collect();
            let own = round.messages.iter().filter(|message| message.owner == self.worker).count();
            self.handled.set(0);
            black_box(arrivals.iter().flat_map(|message| &message.bytes).fold(0, |sum, byte| sum ^ byte));
            start.wait();
            let begin = Instant::now();
            self.serve(&arrivals, own, round.now);
            start.wait();
            spent.push(begin.elapsed());
            for now in &round.ticks {
                self.serving.tick(*now);
                self.discard();
            }
        }
        (spent, self.records)
    }

    /// Turns of a worker until it has taken what arrived, and handled what is its own.
    fn serve(&mut self, arrivals: &[&Message], own: usize, now: Now) {
        let mut batches = arrivals.chunks(BATCH);
        loop {
            match batches.next() {
                Some(batch) => {
                    for message in batch {
                        self.serving.message(message.flow, &message.bytes, now);
                    }
                    self.serving.wake_owners();
                }
                None if self.handled.get() == own => return,
                None if self.common.inboxes[self.worker].is_empty() => {
                    self.poll.poll(&mut self.events, None).expect("an epoll");
                }
                None => {}
            }
            self.serving.take_inbox(HANDED_A_TURN, now);
            self.discard();
        }
    }

    fn discard(&mut self) {
        self.records += self.serving.outputs.events.len();
        self.serving.outputs.clear();
    }
}

/// A border that counts the messages that it handled.
struct Counted {
    border: Border,
    handled: Rc<Cell<usize>>,
}

impl Handler for Counted {
    fn handle(&mut self, input: Input<'_>, now: Now, out: &mut Outputs) {
        if matches!(input, Input::Message { .. }) {
            self.handled.set(self.handled.get() + 1);
        }
        self.border.handle(input, now, out);
    }

    fn next_due(&self) -> Option<Time> {
        self.border.next_due()
    }

    fn is_idle(&self) -> bool {
        self.border.is_idle()
    }
}

fn shared(workers: usize) -> Arc<Shared> {
    Arc::new(Shared::with_owners(workers, FixedState::with_seed(1)))
}

fn config(worker: usize, shared: &Arc<Shared>) -> BorderConfig {
    let listeners = [BORDER_HOME, BORDER_PEER].map(|address| address.parse().expect("an address"));
    BorderConfig {
        worker: worker as u8,
        workers: shared.workers() as u8,
        seed: [7 + worker as u8; 32],
        listeners: listeners.to_vec(),
        shared: Arc::clone(shared),
    }
}

fn common(script: &Script) -> (Arc<Common>, Vec<Poll>) {
    let polls: Vec<Poll> = (0..script.workers).map(|_| Poll::new().expect("an epoll")).collect();
    let inbox = |poll: &Poll| Inbox::new(Waker::new(poll.registry(), WAKE).expect("a waker"));
    let common = Common {
        inboxes: polls.iter().map(inbox).collect(),
        counters: polls.iter().map(|_| NetCounters::default()).collect(),
        hub: Hub::new(1, 1).expect("an eventfd"),
        buffers: Buffers::new(),
        panics: Panics::default(),
        clock: Clock::new(),
        owners: FixedState::with_seed(1),
        shared: shared(script.workers),
        census: Arc::new(Census::new(1)),
        tls: Mutex::new(Arc::new(TlsContexts::build(&script.snapshot).expect("no TLS"))),
    };
    (Arc::new(common), polls)
}

#[test]
fn both_workers_carry_the_calls_of_one_peer_and_every_call_has_its_record() {
    let (one, two) = (Script::play(1, 40, 3), Script::play(2, 40, 3));
    let messages = two.rounds.iter().flat_map(|round| &round.messages);
    let of_second = messages.filter(|message| message.owner == 1).count() as u64;
    for (script, arrival, handed_over) in
        [(&one, Arrival::AtOne, 0), (&two, Arrival::AtOne, of_second), (&two, Arrival::AtOwner, 0)]
    {
        let replayed = replay(script, arrival);
        assert_eq!((replayed.records, replayed.handed_over), (3 * 40, handed_over), "{arrival:?}");
    }
    assert!(of_second > 0);
}

#[test]
#[ignore = "a measurement: make bench-core"]
fn measure() {
    let (one, two) = (Script::play(1, CALLS, ROUNDS), Script::play(2, CALLS, ROUNDS));
    let rate = |script: &Script, arrival| {
        let mut rounds = replay(script, arrival).rounds;
        rounds.sort_unstable();
        f64::from(CALLS as u32) / rounds[ROUNDS / 2].as_secs_f64()
    };
    let alone = rate(&one, Arrival::AtOne);
    println!("{ROUNDS} rounds of {CALLS} calls at L2, without sockets; the median round:");
    println!("{:<58} {alone:>7.0} calls/s", "one worker");
    for (name, arrival) in [
        ("two workers, every message arrives at one", Arrival::AtOne),
        ("two workers, each message at its owner (the machine's best)", Arrival::AtOwner),
    ] {
        let both = rate(&two, arrival);
        println!("{name:<58} {both:>7.0} calls/s  {:.2} times one", both / alone);
    }
}
