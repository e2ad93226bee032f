//! What lies between agents and border: the datagrams and streams of the virtual network, and what befalls them.

use std::net::SocketAddr;
use std::time::Duration;

use ibcf_sip::snapshot::Transport;
use ibcf_sip::{Flow, Input, Time};

use crate::network::Fate;
use crate::noise;
use crate::peer::{Actions, Agent, call_of};
use crate::plan::Behaviour;
use crate::stream::Towards;
use crate::text::Text;
use crate::topology::{self, LISTENERS};
use crate::trouble::Trouble;
use crate::world::{Delivery, Happening, World};

/// How many received messages are at hand to be spoilt.
const SAMPLES: usize = 16;
/// Share of hostile datagrams that name a real call.
const FORGERIES: f64 = 0.4;

impl World {
    /// Lets the agent at *place* of *call* do *work*, and does what it asks for.
    pub(crate) fn with_agent(
        &mut self,
        call: u64,
        place: usize,
        work: impl FnOnce(&mut Agent, Time, &mut Actions),
    ) {
        let now = self.agenda.now();
        let Some(agent) = self.calls.get_mut(&call).and_then(|call| call.agents.get_mut(place)) else {
            return;
        };
        let mut actions = Actions::default();
        work(agent, now, &mut actions);
        let (core, transport) = (agent.place.address, agent.place.transport);
        for (after, wake) in actions.wakes {
            self.agenda.enter(after, Happening::Wake { call, place, wake });
        }
        for (destination, bytes) in actions.sends {
            self.transmit_from_agent(core, destination, transport, bytes.into(), call);
        }
    }

    fn transmit_from_agent(
        &mut self,
        core: SocketAddr,
        destination: SocketAddr,
        transport: Transport,
        bytes: Box<[u8]>,
        call: u64,
    ) {
        let Some(listener) = topology::listener(destination, transport) else {
            self.checker.fail(Some(call), format!("an agent was led to send to {destination}"));
            return;
        };
        if transport == Transport::Udp {
            let delivery =
                Delivery { source: core, destination, transport, connection: None, bytes, is_noise: false };
            self.transmit_datagram(core, delivery, Some(call));
            return;
        }
        let connection = self.streams.to_border(core, listener);
        let source = self.streams.flow(connection).map_or(core, |flow| flow.remote);
        let connection = Some(connection);
        let delivery = Delivery { source, destination, transport, connection, bytes, is_noise: false };
        self.transmit_on_stream(core, Towards::Border, delivery, Some(call));
    }

    /// Sends what the border wants sent.
    pub(crate) fn transmit_from_border(
        &mut self,
        worker: usize,
        flow: &Flow,
        bytes: &[u8],
        call: Option<u64>,
    ) {
        let Some((source, transport)) = LISTENERS.get(flow.listener.at()).copied() else { return };
        let delivery = Delivery {
            source,
            destination: flow.remote,
            transport,
            connection: None,
            bytes: bytes.into(),
            is_noise: false,
        };
        if transport == Transport::Udp {
            self.transmit_datagram(flow.remote, delivery, call);
            return;
        }
        let connection = self.streams.to_core(flow);
        let core = self.streams.core(connection).unwrap_or(flow.remote);
        if !topology::places().any(|place| place.address == core && place.transport == transport) {
            // Nobody listens there.
            self.unreachable(worker, flow.remote, bytes);
            return;
        }
        let delivery = Delivery { connection: Some(connection), ..delivery };
        self.transmit_on_stream(core, Towards::Core, delivery, call);
    }

    fn transmit_datagram(&mut self, core: SocketAddr, delivery: Delivery, call: Option<u64>) {
        let is_cut = self.cut_until(core).is_some();
        let fate = if is_cut { Fate { first: None, second: None } } else { self.network.fate() };
        if let Some(call) = call.filter(|_| fate.first.is_none() && fate.second.is_none()) {
            self.checker.on_lost(call);
            if is_cut {
                self.checker.disturb(call);
            }
        }
        self.draw_row(&delivery, fate, call);
        if let Some(delay) = fate.second {
            self.agenda.enter(delay, Happening::Deliver(delivery.clone()));
        }
        if let Some(delay) = fate.first {
            self.agenda.enter(delay, Happening::Deliver(delivery));
        }
    }

    fn transmit_on_stream(
        &mut self,
        core: SocketAddr,
        towards: Towards,
        delivery: Delivery,
        call: Option<u64>,
    ) {
        let now = self.agenda.now();
        let mut delay = self.network.delay();
        if let Some(until) = self.cut_until(core) {
            // The transport repeats it until it comes through.
            delay += until - now;
            if let Some(call) = call {
                self.checker.disturb(call);
            }
        }
        if let Some(connection) = delivery.connection {
            delay = self.streams.delay(connection, towards, now, delay);
        }
        self.draw_row(&delivery, Fate { first: Some(delay), second: None }, call);
        self.agenda.enter(delay, Happening::Deliver(delivery));
    }

    fn draw_row(&mut self, delivery: &Delivery, fate: Fate, call: Option<u64>) {
        if call.is_some()
            && call == self.setup.watched
            && let Some(ladder) = &mut self.ladder
        {
            let Delivery { source, destination, bytes, .. } = delivery;
            ladder.add(self.agenda.now(), *source, *destination, bytes, fate);
        }
    }

    fn cut_until(&mut self, core: SocketAddr) -> Option<Time> {
        let now = self.agenda.now();
        self.cuts.retain(|(_, until)| *until > now);
        self.cuts.iter().filter(|(cut, _)| cut.is(core)).map(|(_, until)| *until).max()
    }

    fn unreachable(&mut self, worker: usize, destination: SocketAddr, bytes: &[u8]) {
        let excerpt = bytes.into();
        self.agenda.enter(Duration::from_millis(2), Happening::Unreachable { worker, destination, excerpt });
    }

    /// A message that arrives on a connection that broke meanwhile is lost; sometimes its sender is told.
    fn is_lost_with_its_connection(&mut self, delivery: &Delivery) -> bool {
        let Some(connection) = delivery.connection.filter(|at| !self.streams.is_open(*at)) else {
            return false;
        };
        if let Some(call) = Text::read(&delivery.bytes).and_then(|text| call_of(text.call_id())) {
            self.checker.disturb(call);
        }
        if !topology::is_border(delivery.destination) && self.outside.chance(0.5) {
            let worker = self.node.worker_of(&delivery.bytes);
            let core = self.streams.core(connection).unwrap_or(delivery.destination);
            self.unreachable(worker, core, &delivery.bytes);
        }
        true
    }

    pub(crate) fn deliver_to_agent(&mut self, delivery: &Delivery) {
        if self.is_lost_with_its_connection(delivery) {
            return;
        }
        let core = delivery.connection.and_then(|at| self.streams.core(at)).unwrap_or(delivery.destination);
        let bytes = &delivery.bytes;
        let Some(text) = Text::read(bytes) else { return };
        let Some(number) = call_of(text.call_id()) else { return self.answer_probe(delivery, core, &text) };
        let Some(call) = self.calls.get_mut(&number) else { return };
        let known = call.agents.iter().position(|agent| agent.place.address == core);
        let place = known.or_else(|| {
            let (at, place) =
                topology::called(&call.plan).enumerate().find(|(_, place)| place.address == core)?;
            let mut agent = Agent::new(number, place, format!("d{at}"), call.plan);
            agent.answering.behaviour = call.plan.called.get(at).copied();
            call.agents.push(agent);
            Some(call.agents.len() - 1)
        });
        let Some(place) = place else {
            // A target that this call was not meant to reach: the toy core has no such user.
            return;
        };
        let behaviour = call.agents.get(place).and_then(|agent| agent.answering.behaviour);
        if behaviour == Some(Behaviour::Unreachable) {
            // Routers give back as much of the datagram as they like (RFC 792, RFC 1812 §4.3.2.3).
            let end = usize::try_from(28 + self.outside.below(500)).unwrap_or(0).min(bytes.len());
            let end = if delivery.connection.is_some() { bytes.len() } else { end };
            let worker = self.node.worker_of(bytes);
            self.unreachable(worker, delivery.destination, bytes.get(..end).unwrap_or_default());
            return;
        }
        let source = delivery.source;
        self.with_agent(number, place, |agent, now, actions| {
            agent.on_message(&text, bytes, source, now, actions);
        });
    }

    /// A core answers an OPTIONS that belongs to no call (RFC 3261 §11), as long as it is somebody whom the border meant.
    fn answer_probe(&mut self, delivery: &Delivery, core: SocketAddr, text: &Text<'_>) {
        let place = topology::places().find(|place| place.address == core);
        let Some(place) = place.filter(|_| text.request_method() == Some("OPTIONS")) else { return };
        let mut out = "SIP/2.0 200 OK".to_owned();
        for (name, line) in text.lines() {
            if ["Via", "From", "To", "Call-ID", "CSeq"].contains(&name) {
                out.push_str("\r\n");
                out.push_str(line);
            }
            if name == "To" {
                out.push_str(";tag=core");
            }
        }
        out.push_str("\r\nContent-Length: 0\r\n\r\n");
        let answer = Delivery {
            source: if delivery.connection.is_some() { delivery.destination } else { core },
            destination: delivery.source,
            transport: place.transport,
            bytes: out.into_bytes().into(),
            is_noise: true,
            ..delivery.clone()
        };
        if answer.connection.is_some() {
            self.transmit_on_stream(core, Towards::Border, answer, None);
        } else {
            self.transmit_datagram(core, answer, None);
        }
    }

    pub(crate) fn deliver_to_border(&mut self, delivery: &Delivery) {
        let Delivery { source, destination, transport, bytes, .. } = delivery;
        if self.is_lost_with_its_connection(delivery) {
            return;
        }
        let text = Text::read(bytes).filter(|_| !delivery.is_noise);
        if self.node.is_down() {
            if let Some(call) = text.and_then(|text| call_of(text.call_id())) {
                self.checker.on_lost(call);
                if delivery.connection.is_some() {
                    self.checker.disturb(call);
                }
            }
            return;
        }
        let Some(listener) = topology::listener(*destination, *transport) else { return };
        self.received += 1;
        if let Some(text) = text {
            let from = crate::checker::Endpoint {
                own: *destination,
                remote: *source,
                is_stream: transport.is_reliable(),
            };
            self.checker.on_received(&text, from, self.agenda.now());
            if *transport == Transport::Udp && self.outside.chance(0.05) {
                self.samples.truncate(SAMPLES - 1);
                self.samples.push_front((*source, *destination, bytes.clone()));
            }
        }
        let flow = delivery.connection.and_then(|at| self.streams.flow(at));
        let flow = flow.unwrap_or(Flow::datagram(listener, *source));
        let worker = self.node.worker_of(bytes);
        self.handle(worker, Input::Message { flow, bytes });
    }

    pub(crate) fn make_noise(&mut self) {
        let at = usize::try_from(self.outside.below(SAMPLES as u64)).unwrap_or(0);
        let Some((source, destination, bytes)) = self.samples.get(at).cloned() else { return };
        let (source, bytes) = if self.outside.chance(FORGERIES) {
            let Some(forged) = noise::forge(&bytes, &mut self.outside) else { return };
            forged
        } else {
            let source = if self.outside.chance(0.2) { topology::STRANGER } else { source };
            (source, noise::spoil(&bytes, &mut self.outside))
        };
        let delivery = Delivery {
            source,
            destination,
            transport: Transport::Udp,
            connection: None,
            bytes: bytes.into(),
            is_noise: true,
        };
        self.agenda.enter(Duration::ZERO, Happening::Deliver(delivery));
    }

    /// Writes down what befell the run, for the report and the ladder.
    pub(crate) fn note_trouble(&mut self, what: &str) {
        let now = self.agenda.now();
        let seconds = (now - Time::ZERO).as_secs_f64();
        self.troubles.push(format!("{seconds:.3} s: {what}"));
        if let Some(ladder) = &mut self.ladder {
            ladder.remark(now, what);
        }
    }

    pub(crate) fn befall(&mut self, trouble: Trouble) {
        self.note_trouble(&format!("{trouble:?}"));
        let now = self.agenda.now();
        match trouble {
            Trouble::Partition { who, for_ms } => self.cuts.push((who, now + Duration::from_millis(for_ms))),
            Trouble::PeerRestart(address) => {
                self.streams.break_all(|core| core == address);
                for (number, call) in &mut self.calls {
                    for agent in call.agents.iter_mut().filter(|agent| agent.place.address == address) {
                        agent.forget();
                        self.checker.disturb(*number);
                    }
                }
            }
            Trouble::Crash { down_ms } => {
                self.checker.on_crash(now);
                self.streams.break_all(|_| true);
                let down = Duration::from_millis(down_ms);
                self.node.crash(now + down);
                self.agenda.enter(down, Happening::Restart);
            }
            Trouble::Reload => {
                if let Ok(snapshot) = self.node.next_snapshot() {
                    self.tell_all(|| Input::Apply(snapshot.clone()));
                }
            }
            Trouble::Located { is_reversed } => {
                self.node.set_located(is_reversed);
                self.tell_all(|| Input::Targets(crate::policy::located(is_reversed)));
            }
            Trouble::Dns(health) => self.dns = health,
            Trouble::WallClock { by_ms } => {
                self.checker.on_wall_clock_jump();
                self.node.set_wall_clock(by_ms);
            }
            Trouble::Jump { ahead_ms } => {
                self.checker.disturb_open(now);
                self.is_late = true;
                self.node.jump(Duration::from_millis(ahead_ms));
            }
            Trouble::Stall { for_ms } => {
                self.checker.disturb_open(now);
                self.is_late = true;
                self.node.stall(now, Duration::from_millis(for_ms));
            }
            Trouble::Break(who) => self.streams.break_all(|core| who.is_none_or(|who| who == core)),
        }
    }
}
