//! One run: the border between its two networks, from the first call until nothing is left, on a virtual clock.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use ibcf_sip::event::Event;
use ibcf_sip::input::Answer;
use ibcf_sip::output::{Question, QuestionBody};
use ibcf_sip::snapshot::{ListenerIndex, SnapshotError};
use ibcf_sip::statistics::Shared;
use ibcf_sip::{Border, BorderConfig, Flow, Input, Now, Outputs, Time};

use crate::checker::{Checker, Failure};
use crate::ladder::Ladder;
use crate::network::{Agenda, Conditions, Fate, Network};
use crate::noise;
use crate::peer::{Actions, Agent, Step, Wake, call_of};
use crate::plan::{Behaviour, Plan};
use crate::policy::{self, CALL_DURATION_MAX, LISTENERS};
use crate::random::Random;
use crate::text::Text;

/// 2026-01-01, for records and tokens.
const EPOCH_MS: u64 = 1_767_225_600_000;
/// Mean time between two calls.
const GAP_MS: u64 = 50;
/// Share of calls beside which a broken datagram arrives.
const NOISE: f64 = 0.3;
/// When the last agent has done all it will do, no transaction lives longer than this (Timer C and two times 64 × T1).
const TRANSACTION_LIFE: Duration = Duration::from_secs(185 + 2 * 32 + 10);
/// How many received datagrams are at hand to be spoilt.
const SAMPLES: usize = 16;

/// What to run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Setup {
    /// Decides everything.
    pub seed: u64,
    /// How many calls.
    pub calls: u64,
    /// The network; drawn from the seed unless given.
    pub conditions: Option<Conditions>,
    /// The call whose ladder is kept.
    pub watched: Option<u64>,
}

/// What came of it.
#[derive(Debug)]
pub struct Report {
    /// What went wrong; empty if all is well.
    pub failures: Vec<Failure>,
    /// The ladder of the watched call.
    pub ladder: Option<String>,
    /// How many datagrams the border took.
    pub received: u64,
    /// How many it sent.
    pub sent: u64,
    /// The network that was used.
    pub conditions: Conditions,
    /// How long the run was on the virtual clock.
    pub duration: Duration,
    /// A hash of everything that left the border: equal runs have equal ones.
    pub fingerprint: u64,
}

#[derive(Debug)]
enum Happening {
    Start(u64),
    Deliver { source: SocketAddr, destination: SocketAddr, bytes: Box<[u8]>, is_noise: bool },
    Unreachable { destination: SocketAddr, excerpt: Box<[u8]> },
    Wake { call: u64, place: usize, wake: Wake },
    Answer(Answer),
    Noise,
    Reload,
}

struct World {
    setup: Setup,
    border: Border,
    outputs: Outputs,
    shared: Arc<Shared>,
    agenda: Agenda<Happening>,
    network: Network,
    outside: Random,
    /// Caller and called of every call that began: the caller first.
    calls: BTreeMap<u64, (Plan, [Agent; 4])>,
    checker: Checker,
    ladder: Option<Ladder>,
    samples: VecDeque<(SocketAddr, SocketAddr, Box<[u8]>)>,
    received: u64,
    sent: u64,
    fingerprint: u64,
    has_panicked: bool,
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
        let shared = Arc::new(Shared::new(1));
        let mut seed = [0; 32];
        let mut random = Random::new(setup.seed, 2);
        for chunk in seed.chunks_mut(8) {
            chunk.copy_from_slice(&random.draw().to_le_bytes());
        }
        let config = BorderConfig {
            worker: 0,
            workers: 1,
            seed,
            listeners: LISTENERS.to_vec(),
            shared: Arc::clone(&shared),
        };
        Ok(Self {
            setup,
            border: Border::new(config, policy::snapshot(1)?),
            outputs: Outputs::default(),
            shared,
            agenda: Agenda::new(),
            network: Network::new(conditions, Random::new(setup.seed, 3)),
            outside: Random::new(setup.seed, 4),
            calls: BTreeMap::new(),
            checker: Checker::new(conditions.loss),
            ladder: None,
            samples: VecDeque::new(),
            received: 0,
            sent: 0,
            fingerprint: 0,
            has_panicked: false,
        })
    }

    fn plan_all(&mut self) {
        let mut at_ms = 0;
        for call in 0..self.setup.calls {
            at_ms += self.outside.below(2 * GAP_MS);
            self.agenda.enter(Duration::from_millis(at_ms), Happening::Start(call));
            if self.outside.chance(NOISE) {
                self.agenda.enter(Duration::from_millis(at_ms), Happening::Noise);
            }
        }
        self.agenda.enter(Duration::from_millis(at_ms / 2), Happening::Reload);
    }

    /// Lets everything happen that is going to, agents and border in the order of time.
    fn go(&mut self) {
        let mut quiet_since = Time::ZERO;
        while !self.has_panicked {
            let due = self.border.next_due();
            match self.agenda.next_at() {
                Some(at) if due.is_none_or(|due| at < due) => {
                    if let Some(happening) = self.agenda.take() {
                        self.happen(happening);
                    }
                    quiet_since = self.agenda.now();
                }
                _ => {
                    let Some(due) = due else { break };
                    self.agenda.move_to(due);
                    self.handle(Input::Tick);
                }
            }
            if self.agenda.next_at().is_none() && self.is_stuck(quiet_since) {
                break;
            }
        }
    }

    fn is_stuck(&mut self, quiet_since: Time) -> bool {
        let quiet = self.agenda.now() - quiet_since;
        if quiet > TRANSACTION_LIFE && !self.border.is_idle() {
            self.checker
                .fail(None, "a transaction is stuck: the border is not idle long after the last message");
            return true;
        }
        if quiet > CALL_DURATION_MAX * 2 {
            self.checker.fail(
                None,
                "a timer is stuck: the border still waits for something long after the last call",
            );
            return true;
        }
        false
    }

    fn happen(&mut self, happening: Happening) {
        match happening {
            Happening::Start(call) => self.start(call),
            Happening::Deliver { source, destination, bytes, is_noise } => {
                match LISTENERS.iter().position(|address| *address == destination) {
                    Some(listener) => self.deliver_to_border(listener, source, &bytes, is_noise),
                    None => self.deliver_to_agent(source, destination, &bytes),
                }
            }
            Happening::Unreachable { destination, excerpt } => {
                self.handle(Input::Unreachable { destination, excerpt: &excerpt });
            }
            Happening::Wake { call, place, wake } => self.with_agent(call, place, |agent, now, actions| {
                agent.on_wake(wake, now, actions);
            }),
            Happening::Answer(answer) => self.handle(Input::Answer(answer)),
            Happening::Noise => self.make_noise(),
            Happening::Reload => {
                // The same policy under a new generation: calls that are up must not notice.
                if let Ok(snapshot) = policy::snapshot(2) {
                    self.handle(Input::Apply(snapshot));
                }
            }
        }
    }

    fn start(&mut self, call: u64) {
        let plan = Plan::draw(&mut Random::new(self.setup.seed, 1_000 + call));
        let [first, second, third] = policy::called_addresses(plan.way);
        let caller = policy::caller_address(plan.way);
        let mut agents = [
            Agent::new(call, caller, "c".to_owned(), plan),
            Agent::new(call, first, "d0".to_owned(), plan),
            Agent::new(call, second, "d1".to_owned(), plan),
            Agent::new(call, third, "d2".to_owned(), plan),
        ];
        agents[0].calling.border = Some(policy::border_address(plan.way));
        for (agent, behaviour) in agents.iter_mut().skip(1).zip(plan.called) {
            agent.answering.behaviour = Some(behaviour);
        }
        self.calls.insert(call, (plan, agents));
        if self.setup.watched == Some(call) {
            let mut ladder = Ladder::new(caller);
            ladder.remark(self.agenda.now(), &format!("{plan:?}"));
            self.ladder = Some(ladder);
        }
        self.with_agent(call, 0, |agent, now, actions| agent.on_wake(Wake::Step(Step::Start), now, actions));
    }

    /// Lets the agent at *place* of *call* do *work*, and does what it asks for.
    fn with_agent(&mut self, call: u64, place: usize, work: impl FnOnce(&mut Agent, Time, &mut Actions)) {
        let now = self.agenda.now();
        let Some(agent) = self.calls.get_mut(&call).and_then(|(_, agents)| agents.get_mut(place)) else {
            return;
        };
        let mut actions = Actions::default();
        work(agent, now, &mut actions);
        let source = agent.address;
        for (after, wake) in actions.wakes {
            self.agenda.enter(after, Happening::Wake { call, place, wake });
        }
        for (destination, bytes) in actions.sends {
            self.transmit(source, destination, &bytes, Some(call));
        }
    }

    fn transmit(&mut self, source: SocketAddr, destination: SocketAddr, bytes: &[u8], call: Option<u64>) {
        let fate = self.network.fate();
        if call.is_some()
            && call == self.setup.watched
            && let Some(ladder) = &mut self.ladder
        {
            ladder.add(self.agenda.now(), source, destination, bytes, fate);
        }
        let Fate { first, second } = fate;
        for delay in [first, second].into_iter().flatten() {
            let bytes = bytes.into();
            self.agenda.enter(delay, Happening::Deliver { source, destination, bytes, is_noise: false });
        }
    }

    fn deliver_to_agent(&mut self, source: SocketAddr, destination: SocketAddr, bytes: &[u8]) {
        let call = Text::read(bytes).and_then(|text| call_of(text.call_id()));
        let Some((call, (plan, agents))) = call.and_then(|call| Some((call, self.calls.get(&call)?))) else {
            return;
        };
        let Some(place) = agents.iter().position(|agent| agent.address == destination) else { return };
        if place.checked_sub(1).and_then(|place| plan.called.get(place)) == Some(&Behaviour::Unreachable) {
            // Routers give back as much of the datagram as they like (RFC 792, RFC 1812 §4.3.2.3).
            let end = usize::try_from(28 + self.outside.below(500)).unwrap_or(0).min(bytes.len());
            let excerpt = bytes.get(..end).unwrap_or_default().into();
            self.agenda.enter(Duration::from_millis(2), Happening::Unreachable { destination, excerpt });
            return;
        }
        self.with_agent(call, place, |agent, now, actions| agent.on_message(bytes, source, now, actions));
    }

    fn deliver_to_border(&mut self, listener: usize, source: SocketAddr, bytes: &[u8], is_noise: bool) {
        self.received += 1;
        if !is_noise {
            if let Some(text) = Text::read(bytes) {
                self.checker.on_received(&text, self.agenda.now());
            }
            if self.outside.chance(0.05) {
                self.samples.truncate(SAMPLES - 1);
                self.samples.push_front((source, LISTENERS[listener], bytes.into()));
            }
        }
        let listener = ListenerIndex(u16::try_from(listener).unwrap_or(0));
        self.handle(Input::Message { flow: Flow::datagram(listener, source), bytes });
    }

    fn make_noise(&mut self) {
        let at = usize::try_from(self.outside.below(SAMPLES as u64)).unwrap_or(0);
        let Some((source, destination, bytes)) = self.samples.get(at).cloned() else { return };
        let source = if self.outside.chance(0.2) { policy::STRANGER } else { source };
        let bytes = noise::spoil(&bytes, &mut self.outside).into();
        self.agenda.enter(Duration::ZERO, Happening::Deliver { source, destination, bytes, is_noise: true });
    }

    /// Hands *input* to the border and does what it asks for.
    fn handle(&mut self, input: Input<'_>) {
        let time = self.agenda.now();
        let now = Now { time, unix_ms: EPOCH_MS + time.as_millis() };
        let mut outputs = std::mem::take(&mut self.outputs);
        outputs.clear();
        let received = if let Input::Message { bytes, .. } = &input { *bytes } else { &[] };
        if catch_unwind(AssertUnwindSafe(|| self.border.handle(input, now, &mut outputs))).is_err() {
            self.has_panicked = true;
            let call = Text::read(received).and_then(|text| call_of(text.call_id()));
            self.checker
                .fail(call, format!("the border panicked at {:.3} s", (time - Time::ZERO).as_secs_f64()));
            return;
        }
        for send in outputs.sends() {
            let bytes = outputs.bytes(send);
            self.sent += 1;
            self.fingerprint = bytes.iter().fold(self.fingerprint, |hash, byte| {
                (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
            });
            let text = Text::read(bytes);
            if let Some(text) = &text {
                self.checker.on_sent(text, bytes);
            }
            let call = text.and_then(|text| call_of(text.call_id()));
            if let Some(source) = LISTENERS.get(send.flow.listener.at()) {
                self.transmit(*source, send.flow.remote, bytes, call);
            }
        }
        for question in &outputs.questions {
            self.ask(question);
        }
        for event in &outputs.events {
            self.note(event);
        }
        self.outputs = outputs;
    }

    fn ask(&mut self, question: &Question) {
        let QuestionBody::Enum { number, .. } = &question.body else { return };
        if let Some((delay, body)) = policy::enum_answer(number, &mut self.outside) {
            self.agenda.enter(delay, Happening::Answer(Answer { id: question.id, body }));
        }
    }

    fn note(&mut self, event: &Event) {
        if let Event::CallFinished(record) = event {
            self.checker.on_record(record);
            if call_of(&record.call_id).is_some_and(|call| Some(call) == self.setup.watched)
                && let Some(ladder) = &mut self.ladder
            {
                let remark = format!("record: {:?} {} {:?}", record.outcome, record.status, record.reason);
                ladder.remark(self.agenda.now(), &remark);
            }
        }
    }

    fn report(mut self, conditions: Conditions) -> Report {
        if !self.has_panicked {
            for (call, (plan, agents)) in &self.calls {
                self.checker.on_call_end(*call, plan, agents);
            }
            self.checker.on_end(&self.shared);
        }
        Report {
            failures: self.checker.into_failures(),
            ladder: self.ladder.map(|ladder| ladder.render()),
            received: self.received,
            sent: self.sent,
            conditions,
            duration: self.agenda.now() - Time::ZERO,
            fingerprint: self.fingerprint,
        }
    }
}
