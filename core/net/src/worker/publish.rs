//! Puts questions and events of a worker into the hub.
//!
//! Events alone wait up to [`EVENTS_HELD`]: nobody's call hangs on them, and a wake-up of the interpreter for each costs
//! more than the call itself. Questions never wait.
//!
//! Questions and events that find no room are dropped and counted: a question then ends by its deadline. A charging
//! event waits here instead, and only when there are far too many is one lost: counted, and told by an alarm
//! (invariant 2 and `design.md` §4).

use std::collections::VecDeque;
use std::time::Duration;

use ibcf_sip::event::Event;
use ibcf_sip::output::{MirroredMessage, Question, SampledRequest};
use ibcf_sip::{Now, Outputs, Time};

use crate::counters::NetCounters;
use crate::hub::Hub;

/// How long events may wait for company.
const EVENTS_HELD: Duration = Duration::from_millis(50);
/// So many events go at once, however young they are.
const EVENTS_AT_ONCE: usize = 256;
/// Charging events that may wait in a worker.
pub(crate) const CHARGING_MAX: usize = 100_000;

#[derive(Debug, Default)]
pub(super) struct Publisher {
    questions: Vec<Question>,
    events: Vec<Event>,
    samples: Vec<SampledRequest>,
    mirrored: Vec<MirroredMessage>,
    /// When the oldest of them must go.
    events_due: Option<Time>,
    /// Charging events that found no room, oldest first.
    charging: VecDeque<Event>,
    /// How many were lost since the last alarm that told of it.
    lost: u64,
}

impl Publisher {
    /// Takes what is to be published out of *outputs*.
    pub(super) fn take(&mut self, outputs: &mut Outputs) {
        self.questions.append(&mut outputs.questions);
        self.events.append(&mut outputs.events);
        self.samples.append(&mut outputs.samples);
        self.mirrored.append(&mut outputs.mirrored);
    }

    /// When there is something to publish even if nothing comes to it.
    pub(super) fn next_due(&self) -> Option<Time> {
        self.events_due
    }

    /// Does something wait for room?
    pub(super) fn is_waiting(&self) -> bool {
        !self.charging.is_empty() || self.lost > 0
    }

    /// Puts as much into *hub* as it takes, and wakes whoever listens to it.
    pub(super) fn publish(&mut self, hub: &Hub, counters: &NetCounters, now: Now) {
        for sample in self.samples.drain(..) {
            if !hub.push_sample(sample) {
                counters.dropped_sample.one();
            }
        }
        for message in self.mirrored.drain(..) {
            if !hub.push_mirrored(message) {
                counters.dropped_mirrored.one();
            }
        }
        if !self.is_time(now.time) {
            return;
        }
        self.publish_all(hub, counters, now);
    }

    /// Puts everything into *hub* now: for the last turn of a worker.
    pub(super) fn publish_all(&mut self, hub: &Hub, counters: &NetCounters, now: Now) {
        self.events_due = None;
        for question in self.questions.drain(..) {
            if hub.push_question(question).is_err() {
                counters.dropped_question.one();
            }
        }
        while let Some(event) = self.charging.pop_front() {
            if let Err(event) = hub.push_event(event) {
                self.charging.push_front(event);
                break;
            }
        }
        for event in std::mem::take(&mut self.events) {
            self.publish_event(event, hub, counters);
        }
        if self.lost > 0 {
            let detail = format!(
                "{} charging records did not fit anywhere and are lost: fetch events faster",
                self.lost
            );
            if hub.push_event(Event::Alarm { name: "charging_lost", detail, unix_ms: now.unix_ms }).is_ok() {
                self.lost = 0;
            }
        }
        counters.charging_waiting.set(i64::try_from(self.charging.len()).unwrap_or(i64::MAX));
        hub.signal();
    }

    fn is_time(&mut self, now: Time) -> bool {
        if !self.questions.is_empty() || self.is_waiting() || self.events.len() >= EVENTS_AT_ONCE {
            return true;
        }
        if self.events.is_empty() {
            return false;
        }
        *self.events_due.get_or_insert(now + EVENTS_HELD) <= now
    }

    /// What nobody had room for, when the worker ends.
    pub(super) fn into_left(self) -> Vec<Event> {
        self.charging.into()
    }

    fn publish_event(&mut self, event: Event, hub: &Hub, counters: &NetCounters) {
        let is_charging = matches!(event, Event::CallFinished(_));
        if is_charging && !self.charging.is_empty() {
            self.keep(event, counters); // behind those that wait, so that their order stays
        } else if let Err(event) = hub.push_event(event) {
            if is_charging {
                self.keep(event, counters);
            } else {
                counters.dropped_event.one();
            }
        }
    }

    fn keep(&mut self, event: Event, counters: &NetCounters) {
        if self.charging.len() < CHARGING_MAX {
            self.charging.push_back(event);
        } else {
            counters.lost_charging.one();
            self.lost += 1;
        }
    }
}
