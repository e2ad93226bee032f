//! One run: the node between its two networks, from the first call until nothing is left, on a virtual clock.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::time::Duration;

use ibcf_sip::event::Event;
use ibcf_sip::input::Answer;
use ibcf_sip::output::{Question, QuestionBody};
use ibcf_sip::snapshot::{SnapshotError, Transport};
use ibcf_sip::{Flow, Input, Time};

use crate::agenda::Agenda;
use crate::checker::{Checker, Endpoint, Failure};
use crate::dns;
use crate::ladder::Ladder;
use crate::network::{Conditions, Network};
use crate::node::Node;
use crate::peer::{Agent, Step, Wake, call_of};
use crate::plan::Plan;
use crate::policy::{Bounds, CALL_DURATION_MAX};
use crate::random::Random;
use crate::sabotage::Sabotage;
use crate::stream::Streams;
use crate::text::Text;
use crate::topology::{self, INTRUDER, LISTENERS, STRANGER};
use crate::trouble::{self, Cut};

/// Mean time between two calls.
const GAP_MS: u64 = 50;
/// Share of calls that come ten at once.
const BURSTS: f64 = 0.01;
/// Share of calls beside which a hostile datagram arrives.
const NOISE: f64 = 0.3;
/// When the last agent has done all it will do, no transaction lives longer than this (Timer C and two times 64 × T1).
const TRANSACTION_LIFE: Duration = Duration::from_secs(185 + 2 * 32 + 10);
/// So long after the last call targets are probed; without end nothing would ever be quiet.
const PROBED: Duration = Duration::from_secs(700);
/// When the last call began, the last message is sent no later than this.
const RUN_LIFE: Duration = Duration::from_secs(7_200);
/// One message may lead to so many others at once.
const MESSAGES_MAX: usize = 64;

/// What to run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Setup {
    /// Decides everything.
    pub seed: u64,
    /// How many calls.
    pub calls: u64,
    /// The network; drawn from the seed unless given.
    pub conditions: Option<Conditions>,
    /// Is the run left in peace: nothing but the network fails?
    pub is_calm: bool,
    /// The call whose ladder is kept.
    pub watched: Option<u64>,
    /// How the border is broken on purpose.
    pub sabotage: Option<Sabotage>,
}

impl Setup {
    /// A run that its seed decides.
    pub const fn new(seed: u64, calls: u64) -> Self {
        Self { seed, calls, conditions: None, is_calm: false, watched: None, sabotage: None }
    }
}

/// What came of it.
#[derive(Debug)]
pub struct Report {
    /// What went wrong; empty if all is well.
    pub failures: Vec<Failure>,
    /// The ladder of the watched call.
    pub ladder: Option<String>,
    /// How many messages the border took.
    pub received: u64,
    /// How many it sent.
    pub sent: u64,
    /// The network that was used.
    pub conditions: Conditions,
    /// What else befell the run, with its times.
    pub troubles: Vec<String>,
    /// How the calls ended.
    pub outcomes: BTreeMap<&'static str, u64>,
    /// How long the run was on the virtual clock.
    pub duration: Duration,
    /// A hash of everything that left the border: equal runs have equal ones.
    pub fingerprint: u64,
}

/// One thing that is to happen.
#[derive(Debug)]
pub(crate) enum Happening {
    Start(u64),
    Deliver(Delivery),
    Unreachable { worker: usize, destination: SocketAddr, excerpt: Box<[u8]> },
    Wake { call: u64, place: usize, wake: Wake },
    Answer { worker: usize, answer: Answer },
    Noise,
    Trouble(trouble::Trouble),
    Restart,
    StopProbes,
    Drain,
    Close,
}

/// A message on its way.
#[derive(Clone, Debug)]
pub(crate) struct Delivery {
    pub(crate) source: SocketAddr,
    pub(crate) destination: SocketAddr,
    pub(crate) transport: Transport,
    pub(crate) connection: Option<usize>,
    pub(crate) bytes: Box<[u8]>,
    pub(crate) is_noise: bool,
}

/// A call that began: the caller first, then whoever was called.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) plan: Plan,
    pub(crate) agents: Vec<Agent>,
}

pub(crate) struct World {
    pub(crate) setup: Setup,
    pub(crate) node: Node,
    pub(crate) agenda: Agenda<Happening>,
    pub(crate) network: Network,
    pub(crate) streams: Streams,
    pub(crate) outside: Random,
    pub(crate) dns: dns::Health,
    pub(crate) cuts: Vec<(Cut, Time)>,
    pub(crate) calls: BTreeMap<u64, Call>,
    pub(crate) checker: Checker,
    pub(crate) ladder: Option<Ladder>,
    pub(crate) samples: VecDeque<(SocketAddr, SocketAddr, Box<[u8]>)>,
    pub(crate) troubles: Vec<String>,
    pub(crate) received: u64,
    /// How many workers the node has, when it is up.
    pub(crate) workers: u8,
    sent: u64,
    fingerprint: u64,
    has_panicked: bool,
    /// When everything must be over, whatever befell it.
    end: Time,
    /// Timers of long ago may fire at once.
    pub(crate) is_late: bool,
}

/// Runs *setup* to its end.
///
/// # Errors
///
/// The core refused the simulator's snapshot.
pub fn run(setup: Setup) -> Result<Report, SnapshotError> {
    let conditions = setup.conditions.unwrap_or_else(|| Conditions::draw(&mut Random::new(setup.seed, 1)));
    let mut world = World::new(setup, conditions)?;
    world.plan_all();
    world.go();
    Ok(world.report(conditions))
}

impl World {
    fn new(setup: Setup, conditions: Conditions) -> Result<Self, SnapshotError> {
        let mut random = Random::new(setup.seed, 5);
        let bounds = if setup.is_calm { Bounds::default() } else { Bounds::draw(&mut random) };
        let workers = if random.chance(0.3) { 2 } else { 1 };
        let mut checker = Checker::default();
        checker.may_refuse = bounds.may_refuse();
        checker.has_session_timer = bounds.session_timer;
        checker.may_be_full = bounds.transactions_max.is_some();
        Ok(Self {
            setup,
            node: Node::new(workers, bounds, Random::new(setup.seed, 2))?,
            agenda: Agenda::new(),
            network: Network::new(conditions, Random::new(setup.seed, 3)),
            streams: Streams::default(),
            outside: Random::new(setup.seed, 4),
            dns: dns::Health::Well,
            cuts: Vec::new(),
            calls: BTreeMap::new(),
            checker,
            ladder: None,
            samples: VecDeque::new(),
            troubles: vec![format!("{workers} workers, {bounds:?}")],
            received: 0,
            workers,
            sent: 0,
            fingerprint: 0,
            has_panicked: false,
            end: Time::ZERO,
            is_late: false,
        })
    }

    fn plan_all(&mut self) {
        let mut at_ms = 0;
        let mut burst = 0;
        for call in 0..self.setup.calls {
            if self.outside.chance(BURSTS) {
                burst = 10;
            }
            at_ms += if burst > 0 { 0 } else { self.outside.below(2 * GAP_MS) };
            burst = u64::saturating_sub(burst, 1);
            self.agenda.enter(Duration::from_millis(at_ms), Happening::Start(call));
            if self.outside.chance(NOISE) {
                self.agenda.enter(Duration::from_millis(at_ms), Happening::Noise);
            }
        }
        self.end = Time::from_millis(at_ms) + RUN_LIFE;
        if self.setup.is_calm {
            return;
        }
        self.agenda.enter(Duration::from_millis(at_ms) + PROBED, Happening::StopProbes);
        let mut random = Random::new(self.setup.seed, 6);
        for (after_ms, trouble) in trouble::draw(&mut random, at_ms) {
            self.agenda.enter(Duration::from_millis(after_ms), Happening::Trouble(trouble));
        }
        if random.chance(0.1) {
            self.agenda.enter(Duration::from_millis(at_ms * 9 / 10), Happening::Drain);
        }
        if random.chance(0.05) {
            self.agenda.enter(Duration::from_millis(at_ms + 30_000), Happening::Close);
        }
    }

    /// Lets everything happen that is going to, agents and border in the order of time.
    fn go(&mut self) {
        let mut quiet_since = Time::ZERO;
        while !self.has_panicked {
            let due = self.node.next_due();
            match self.agenda.next_at() {
                Some(at) if due.is_none_or(|(due, _)| at < due) => {
                    if let Some(happening) = self.agenda.take() {
                        self.happen(happening);
                    }
                    quiet_since = self.agenda.now();
                }
                _ => {
                    let Some((due, worker)) = due else { break };
                    self.agenda.move_to(due);
                    self.handle(worker, Input::Tick);
                }
            }
            let is_overdue = self.agenda.now() > self.end || self.agenda.next_at().is_none();
            if is_overdue && self.is_stuck(quiet_since) {
                break;
            }
        }
    }

    fn is_stuck(&mut self, quiet_since: Time) -> bool {
        let quiet = self.agenda.now() - quiet_since;
        let stuck = if self.agenda.now() > self.end {
            "messages go to and fro long after the last call"
        } else if quiet > TRANSACTION_LIFE && !self.node.is_idle() {
            "a transaction is stuck: the border is not idle long after the last message"
        } else if quiet > CALL_DURATION_MAX * 2 {
            "a timer is stuck: the border still waits for something long after the last call"
        } else {
            return false;
        };
        self.checker.fail(None, stuck);
        true
    }

    fn happen(&mut self, happening: Happening) {
        let is_for_border = match &happening {
            Happening::Deliver(delivery) => topology::is_border(delivery.destination),
            Happening::Unreachable { .. } | Happening::Answer { .. } => true,
            _ => false,
        };
        if is_for_border && let Some(until) = self.node.stalled_until(self.agenda.now()) {
            // It waits in the socket's buffer.
            self.agenda.enter(until - self.agenda.now(), happening);
            return;
        }
        match happening {
            Happening::Start(call) => self.start(call),
            Happening::Deliver(delivery) if is_for_border => self.deliver_to_border(&delivery),
            Happening::Deliver(delivery) => self.deliver_to_agent(&delivery),
            Happening::Unreachable { worker, destination, excerpt } => {
                self.handle(worker, Input::Unreachable { destination, excerpt: &excerpt });
            }
            Happening::Wake { call, place, wake } => self.with_agent(call, place, |agent, now, actions| {
                agent.on_wake(wake, now, actions);
            }),
            Happening::Answer { worker, answer } => self.handle(worker, Input::Answer(answer)),
            Happening::Noise => self.make_noise(),
            Happening::Trouble(trouble) => self.befall(trouble),
            Happening::Restart => self.node.restart(self.workers, self.agenda.now()),
            Happening::StopProbes => {
                self.node.stop_probes();
                self.befall(trouble::Trouble::Reload);
            }
            Happening::Drain => {
                self.note_trouble("the node drains");
                self.checker.may_refuse = true;
                self.checker.is_draining = true;
                self.node.set_draining();
                self.tell_all(|| Input::Drain);
            }
            Happening::Close => {
                // What is open gets 503 and its record; a draining node gets no more, and is asked to by its caller.
                self.note_trouble("the node closes");
                self.checker.may_refuse = true;
                self.checker.is_draining = true;
                self.checker.disturb_open(self.agenda.now());
                self.node.set_draining();
                self.tell_all(|| Input::Drain);
                self.tell_all(|| Input::Close);
            }
        }
    }

    /// Tells every worker something.
    pub(crate) fn tell_all(&mut self, input: impl Fn() -> Input<'static>) {
        for worker in 0..self.node.workers() {
            self.handle(worker, input());
        }
    }

    fn start(&mut self, call: u64) {
        let plan = Plan::draw(&mut Random::new(self.setup.seed, 1_000 + call));
        let place = topology::caller(&plan);
        let mut caller = Agent::new(call, place, "c".to_owned(), plan);
        caller.calling.border = Some(topology::border_address(plan.way));
        let mut agents = Vec::with_capacity(3);
        agents.push(caller);
        self.calls.insert(call, Call { plan, agents });
        if self.setup.watched == Some(call) {
            let mut ladder = Ladder::new(place.address);
            for trouble in &self.troubles {
                ladder.remark(self.agenda.now(), trouble);
            }
            ladder.remark(self.agenda.now(), &format!("{plan:?}"));
            self.ladder = Some(ladder);
        }
        self.with_agent(call, 0, |agent, now, actions| agent.on_wake(Wake::Step(Step::Start), now, actions));
    }

    /// Hands *input* to the border and does what it asks for.
    pub(crate) fn handle(&mut self, worker: usize, input: Input<'_>) {
        let now = self.agenda.now();
        let received = if let Input::Message { bytes, .. } = &input { *bytes } else { &[] };
        if self.node.handle(worker, input, now).is_err() || self.panics(received) {
            self.has_panicked = true;
            let call = Text::read(received).and_then(|text| call_of(text.call_id()));
            self.checker
                .fail(call, format!("the border panicked at {:.3} s", (now - Time::ZERO).as_secs_f64()));
            return;
        }
        let outputs = std::mem::take(&mut self.node.outputs);
        let sent_before = self.sent;
        for send in outputs.sends() {
            let bytes = outputs.bytes(send);
            match self.setup.sabotage {
                None => self.on_sent(worker, &send.flow, bytes),
                Some(sabotage) => {
                    for (flow, bytes) in sabotage.edit(send.flow, bytes) {
                        self.on_sent(worker, &flow, &bytes);
                    }
                }
            }
        }
        let sent = usize::try_from(self.sent - sent_before).unwrap_or(usize::MAX);
        if !received.is_empty() && sent > MESSAGES_MAX && !std::mem::take(&mut self.is_late) {
            let call = Text::read(received).and_then(|text| call_of(text.call_id()));
            self.checker.fail(call, format!("one message made {sent} others"));
        }
        for question in &outputs.questions {
            self.ask(worker, question);
        }
        for event in &outputs.events {
            self.note(event);
        }
        self.node.outputs = outputs;
    }

    fn panics(&self, received: &[u8]) -> bool {
        self.setup.sabotage == Some(Sabotage::Panic) && received.starts_with(b"BYE")
    }

    fn on_sent(&mut self, worker: usize, flow: &Flow, bytes: &[u8]) {
        self.sent += 1;
        self.fingerprint = bytes.chunks(8).fold(self.fingerprint, |hash, chunk| {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            (hash ^ u64::from_le_bytes(word)).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(23)
        });
        let Some((own, transport)) = LISTENERS.get(flow.listener.at()) else { return };
        let text = Text::read(bytes);
        let call = text.as_ref().and_then(|text| call_of(text.call_id()));
        if let Some(text) = &text {
            let to = Endpoint { own: *own, remote: flow.remote, is_stream: transport.is_reliable() };
            if text.status().is_some() && [STRANGER, INTRUDER].contains(&flow.remote) {
                // He asked, and is refused.
                if text.status().is_some_and(|status| status < 400) && text.method() != "CANCEL" {
                    self.checker
                        .fail(call, format!("somebody without a part in it was answered: {}", text.start));
                }
            } else {
                self.checker.on_sent(text, bytes, to, self.agenda.now());
            }
        }
        self.transmit_from_border(worker, flow, bytes, call);
    }

    fn ask(&mut self, worker: usize, question: &Question) {
        let QuestionBody::Enum { number, .. } = &question.body else { return };
        if let Some((delay, body)) = self.dns.answer_enum(number, &mut self.outside) {
            let answer = Answer { id: question.id, body };
            self.agenda.enter(delay, Happening::Answer { worker, answer });
        }
    }

    fn note(&mut self, event: &Event) {
        let Event::CallFinished(packed) = event else { return };
        match self.setup.sabotage {
            None => self.checker.on_record(packed),
            Some(sabotage) => {
                for edited in sabotage.edit_record(packed) {
                    self.checker.on_record(&edited);
                }
            }
        }
        let record = packed.record();
        if call_of(&record.call_id).is_some_and(|call| Some(call) == self.setup.watched)
            && let Some(ladder) = &mut self.ladder
        {
            let remark = format!("record: {:?} {} {:?}", record.outcome, record.status, record.reason);
            ladder.remark(self.agenda.now(), &remark);
        }
    }

    fn report(mut self, conditions: Conditions) -> Report {
        if !self.has_panicked {
            for (call, Call { plan, agents }) in &self.calls {
                self.checker.on_call_end(*call, plan, agents);
            }
            self.checker.on_end(&self.node.shared);
        }
        Report {
            outcomes: std::mem::take(&mut self.checker.outcomes),
            failures: self.checker.into_failures(),
            ladder: self.ladder.map(|ladder| ladder.render()),
            received: self.received,
            sent: self.sent,
            conditions,
            troubles: self.troubles,
            duration: self.agenda.now() - Time::ZERO,
            fingerprint: self.fingerprint,
        }
    }
}
