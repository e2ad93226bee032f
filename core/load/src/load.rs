//! A run: binds both ends, turns the wheel, and goes through the parts of a run in their order.

use std::fs;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::time::Duration;

use ibcf_net::Watch;
use ibcf_sip::message::HeaderIndex;
use ibcf_sip::parse::parse;
use ibcf_sip::snapshot::document::Limits;
use serde_json::json;

use crate::agent::Agent;
use crate::clock::{Clock, MILLISECOND, Nanoseconds, of_day};
use crate::datagrams::Datagrams;
use crate::link::Link;
use crate::options::{Options, Transport};
use crate::outbox::Outgoing;
use crate::report::{Report, Span};
use crate::schedule::Schedule;
use crate::streams::Streams;
use crate::tally::Tally;
use crate::tls::TlsEnds;

/// Why a run did not take place.
#[derive(Debug)]
#[non_exhaustive]
pub enum LoadError {
    /// Something that was given cannot be used.
    Use(String),
    /// The system or the network would not.
    System(String),
}

impl std::fmt::Display for LoadError {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (Self::Use(text) | Self::System(text)) = self;
        formatter.write_str(text)
    }
}

impl std::error::Error for LoadError {}

fn system(what: impl std::fmt::Display) -> impl FnOnce(io::Error) -> LoadError {
    move |error| LoadError::System(format!("{what}: {error}"))
}

/// Calls that may begin in one turn; what has come must be read in between.
const BEGUN_MAX: usize = 32;
/// How long connecting and handshakes may take.
const CONNECTING: Nanoseconds = 5_000 * MILLISECOND;
/// The longest wait for nothing at all.
const WAIT_MAX: Duration = Duration::from_millis(50);

/// Both ends, bound.
pub struct Load {
    options: Options,
    uac: Link,
    uas: Link,
    watch: Watch,
    clock: Clock,
    index: HeaderIndex,
    limits: Limits,
}

impl Load {
    /// Binds both ends. Ports of 0 are chosen by the system.
    ///
    /// # Errors
    /// What cannot be bound or read.
    pub fn bind(mut options: Options) -> Result<Self, LoadError> {
        let tls = TlsEnds::read(&options).map_err(LoadError::Use)?;
        let at = |name: &str, address: SocketAddr| format!("--{name} {address}");
        let (uac, uas) = match options.transport {
            Transport::Udp => (
                Datagrams::bind(options.uac).map(Link::Datagrams),
                Datagrams::bind(options.uas).map(Link::Datagrams),
            ),
            Transport::Tcp | Transport::Tls => (
                Streams::new(tls.clone()).map(Link::Streams),
                Streams::listen(options.uas, tls).map(Link::Streams),
            ),
        };
        let uac = uac.map_err(system(at("uac", options.uac)))?;
        let uas = uas.map_err(system(at("uas", options.uas)))?;
        options.uas = uas.address().map_err(system("the UAS"))?;
        if options.is_direct {
            options.proxy = options.uas;
        }
        if let Link::Datagrams(datagrams) = &uac {
            options.uac = datagrams.address().map_err(system("the UAC"))?;
        }
        let watch = Watch::new(&[uac.descriptor(), uas.descriptor()]);
        let (index, limits) = (HeaderIndex::default(), Limits::default());
        Ok(Self { options, uac, uas, watch, clock: Clock::start(), index, limits })
    }

    /// Where the UAS listens.
    pub fn uas(&self) -> SocketAddr {
        self.options.uas
    }

    /// Has the UAC send to *proxy*, which could not be known before [`uas`](Self::uas) was.
    pub fn send_to(&mut self, proxy: SocketAddr) {
        self.options.proxy = proxy;
    }

    /// Plays all of it; events go to *out*, a line each.
    ///
    /// # Errors
    /// Why it could not be played.
    pub fn run(&mut self, out: &mut impl Write) -> Result<Report, LoadError> {
        let run = format!("{:08x}", (of_day() / 1_000) as u32);
        let mut agent = Agent::new(&self.options, &run);
        self.connect(&mut agent)?;
        if self.options.warm_calls() > 0 {
            self.play(&mut agent, self.options.warm_calls(), false)?;
            let warm_failed = agent.tally.warm_failed;
            agent.tally = Tally { warm_failed, ..Tally::new() };
        }
        tell(out, &json!({"event": "measuring"}))?;
        let (begin, cpu) = (of_day(), cpu());
        let last = if self.options.scenario.is_wall() {
            self.play_wall(&mut agent, out)?
        } else {
            self.play(&mut agent, self.options.calls(), true)?
        };
        let span = Span { begin, last, end: of_day(), cpu: self::cpu().saturating_sub(cpu) };
        Ok(Report::new(&self.options, agent.tally, span))
    }

    fn connect(&mut self, agent: &mut Agent) -> Result<(), LoadError> {
        let Options { uac: local, proxy, connections, .. } = self.options;
        let what = || format!("--proxy {proxy}");
        if let Link::Streams(streams) = &mut self.uac {
            for _ in 0..connections {
                streams.connect(local, proxy).map_err(system(what()))?;
            }
        }
        let deadline = self.clock.now() + CONNECTING;
        while let Link::Streams(streams) = &self.uac {
            if streams.are_up().map_err(system(what()))? {
                break;
            }
            if self.clock.now() > deadline {
                return Err(LoadError::System(format!("{}: no connection in time", what())));
            }
            self.turn(agent)?;
            self.watch.wait(Duration::from_millis(1)).map_err(system("waiting"))?;
        }
        Ok(())
    }

    /// Plays *calls* calls to their end; returns when the last one began, by the clock of the day.
    fn play(&mut self, agent: &mut Agent, calls: u64, is_counted: bool) -> Result<Nanoseconds, LoadError> {
        let mut schedule = Schedule::new(self.clock.now(), self.options.rate, calls);
        let mut last = 0;
        while schedule.due().is_some() || agent.calls.count() > 0 {
            if self.begin_due(agent, &mut schedule, is_counted) {
                last = of_day();
            }
            self.turn_or_wait(agent, schedule.due())?;
        }
        Ok(last)
    }

    /// Has a wall of calls go up, stand, and go down.
    fn play_wall(&mut self, agent: &mut Agent, out: &mut impl Write) -> Result<Nanoseconds, LoadError> {
        let calls = self.options.calls();
        let mut schedule = Schedule::new(self.clock.now(), self.options.rate, calls);
        let mut last = 0;
        while schedule.due().is_some() || agent.up + agent.ended < calls {
            if self.begin_due(agent, &mut schedule, true) {
                last = of_day();
            }
            self.turn_or_wait(agent, schedule.due())?;
        }
        tell(out, &json!({"event": "wall", "calls": agent.up}))?;
        let down = self.clock.now() + self.options.hold.as_nanos() as Nanoseconds;
        while self.clock.now() < down {
            self.turn_or_wait(agent, Some(down))?;
        }
        let mut schedule = Schedule::new(down, self.options.rate, calls);
        let mut slot = 0;
        while agent.calls.count() > 0 {
            let now = self.clock.now();
            for _ in 0..BEGUN_MAX {
                if schedule.next(now).is_none() {
                    break;
                }
                if let Some(token) = agent.calls.at(slot) {
                    agent.release(token, now);
                }
                slot += 1;
            }
            self.turn_or_wait(agent, schedule.due())?;
        }
        Ok(last)
    }

    fn begin_due(&mut self, agent: &mut Agent, schedule: &mut Schedule, is_counted: bool) -> bool {
        let now = self.clock.now();
        let mut has_begun = false;
        for _ in 0..BEGUN_MAX {
            let Some(due) = schedule.next(now) else { break };
            agent.begin(due, now, is_counted);
            has_begun = true;
        }
        has_begun
    }

    /// One turn; when nothing has come in it, waits for something, for a timer or for *due*.
    fn turn_or_wait(&mut self, agent: &mut Agent, due: Option<Nanoseconds>) -> Result<(), LoadError> {
        if self.turn(agent)? {
            return Ok(());
        }
        let next = due.into_iter().chain(agent.timers.next_due()).min();
        let left = next.map_or(WAIT_MAX, |next| Duration::from_nanos(next.saturating_sub(self.clock.now())));
        if !left.is_zero() {
            self.watch.wait(left.min(WAIT_MAX)).map_err(system("waiting"))?;
        }
        Ok(())
    }

    /// Does what is due, sends what that gave, takes what has come; returns whether anything has.
    fn turn(&mut self, agent: &mut Agent) -> Result<bool, LoadError> {
        let now = self.clock.now();
        agent.run_timers(now);
        self.flush(agent);
        let Self { uac, uas, index, limits, .. } = self;
        let mut has_come = uac
            .receive(|bytes, received| match parse(bytes, limits, index) {
                Ok(message) => agent.on_response(&message, received, now),
                Err(_) => agent.tally.strays += 1,
            })
            .map_err(system("the UAC's socket"))?;
        has_come |= uas
            .receive(|bytes, received| match parse(bytes, limits, index) {
                Ok(message) => agent.on_request(&message, received, now),
                Err(_) => agent.tally.strays += 1,
            })
            .map_err(system("the UAS's socket"))?;
        self.flush(agent);
        Ok(has_come)
    }

    fn flush(&mut self, agent: &mut Agent) {
        let clock = self.clock;
        let now = |message: Outgoing<'_>| match message.stamp {
            Some(_) => (clock.now(), of_day()),
            None => (0, 0), // nobody asks
        };
        let mut outbox = std::mem::take(&mut agent.from_uac);
        self.uac.flush(&mut outbox, |message, what| agent.sending(message, what, now(message)));
        agent.from_uac = outbox;
        let mut outbox = std::mem::take(&mut agent.from_uas);
        self.uas.flush(&mut outbox, |message, what| agent.sending(message, what, now(message)));
        agent.from_uas = outbox;
    }
}

fn tell(out: &mut impl Write, event: &serde_json::Value) -> Result<(), LoadError> {
    writeln!(out, "{event}").and_then(|()| out.flush()).map_err(system("stdout"))
}

/// What this thread has run for.
fn cpu() -> Nanoseconds {
    let text = fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    text.split_whitespace().next().and_then(|field| field.parse().ok()).unwrap_or_default()
}
