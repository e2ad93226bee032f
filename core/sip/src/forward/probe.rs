//! Probes: at intervals an OPTIONS to each target of a peer, whose answers say whether calls may go there (GEN-17, LOC-34).
//!
//! Each target is probed by one worker, the one that the hash of its address names, over a Call-ID that leads the answer back
//! to that worker. A probe is a non-INVITE client transaction without a server side; what comes of it goes to
//! [`TargetHealth`](crate::decide::TargetHealth), which counts and decides. Probes go on while the node drains.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use foldhash::fast::FixedState;

use crate::border::{Arm, Border, BranchId, Scope, TimerKey, hex, target_key, tell};
use crate::decide::{Cause, TargetKey};
use crate::flow::Flow;
use crate::message::Method;
use crate::rewrite::{self, peer_tag};
use crate::snapshot::{ListenerIndex, PeerIndex, document};
use crate::statistics::{ProbeResult, Way};
use crate::time::Time;
use crate::trace::Stage;
use crate::transaction::{ClientEffect, NonInviteClientTransaction, SlotId, Table, Timer};

/// The number that marks the branch of a probe: no request has so many branches.
pub(super) const PROBE_BRANCH: u8 = u8::MAX;
/// Targets that one worker may probe.
const PROBERS_MAX: usize = 100_000;

/// The targets that this worker probes.
#[derive(Debug)]
pub(crate) struct Probers {
    probers: Table<Prober>,
    by_target: HashMap<TargetKey, SlotId, FixedState>,
}

#[derive(Debug)]
struct Prober {
    target: TargetKey,
    listener: ListenerIndex,
    settings: document::Probe,
    /// How many probes there were: a late answer to an earlier one is none to this one.
    round: u32,
    call_id: String,
    sent: Option<Sent>,
}

/// A probe under way.
#[derive(Debug)]
struct Sent {
    client: NonInviteClientTransaction,
    bytes: Box<[u8]>,
    at: Time,
}

impl Default for Probers {
    fn default() -> Self {
        Self { probers: Table::new(PROBERS_MAX), by_target: HashMap::default() }
    }
}

impl Probers {
    fn remove(&mut self, id: SlotId) {
        if let Some(prober) = self.probers.remove(id) {
            self.by_target.remove(&prober.target);
        }
    }
}

impl Border {
    /// Probes exactly the targets that the snapshot in force has of every peer.
    pub(crate) fn arrange_probes(&mut self, now: Time) {
        let tags: Vec<u32> = self.probers.by_target.keys().map(|target| target.peer).collect();
        for tag in tags {
            if self.generation.peer_by_tag(tag).is_none() {
                self.stop_probes(tag, |_| true);
            }
        }
        for at in 0..self.generation.snapshot.peers.len() {
            self.arrange_probes_of(PeerIndex(at as u16), now);
        }
    }

    /// The same for one peer: its targets may be others now.
    pub(crate) fn arrange_probes_of(&mut self, peer: PeerIndex, now: Time) {
        let generation = Arc::clone(&self.generation);
        let tag = peer_tag(&generation.snapshot.peer(peer).id);
        let Some(settings) = generation.snapshot.peer(peer).probe else {
            return self.stop_probes(tag, |_| true);
        };
        let targets = self.targets_of(&generation, peer);
        let wanted: HashMap<TargetKey, ListenerIndex, FixedState> = targets
            .iter()
            .map(|target| (target_key(&generation, tag, target), target.listener))
            .filter(|(key, _)| self.probes(key))
            .collect();
        self.stop_probes(tag, |target| !wanted.contains_key(target));
        for (target, listener) in wanted {
            if let Some(known) = self.probers.by_target.get(&target).copied() {
                if let Some(prober) = self.probers.probers.get_mut(known) {
                    (prober.listener, prober.settings) = (listener, settings);
                }
                continue;
            }
            let call_id = self.draw_call_id();
            let prober = Prober { target, listener, settings, round: 0, call_id, sent: None };
            let Ok(id) = self.probers.probers.insert(prober) else { return };
            self.probers.by_target.insert(target, id);
            // Spread over the first interval, so that a node that starts does not ask all its peers at once.
            let first = self.draw_up_to(settings.interval_ms);
            self.wheel.arm(now + Duration::from_millis(first), TimerKey::ProbeDue(id));
        }
    }

    fn stop_probes(&mut self, peer: u32, is_over: impl Fn(&TargetKey) -> bool) {
        let over: Vec<SlotId> = self
            .probers
            .by_target
            .iter()
            .filter(|(target, _)| target.peer == peer && is_over(target))
            .map(|(_, id)| *id)
            .collect();
        for id in over {
            self.probers.remove(id);
        }
    }

    /// Is it this worker that probes *target*?
    fn probes(&self, target: &TargetKey) -> bool {
        let place = format!("{} {} {}", target.peer, target.transport.name(), target.address);
        self.shared.owner_of(place.as_bytes()) == usize::from(self.worker)
    }

    /// A Call-ID whose messages come to this worker.
    fn draw_call_id(&mut self) -> String {
        loop {
            let call_id = hex(&self.draw());
            if self.shared.owner_of(call_id.as_bytes()) == usize::from(self.worker) {
                return call_id;
            }
        }
    }

    fn draw_up_to(&mut self, most: u64) -> u64 {
        u64::from_be_bytes(self.draw()[..8].try_into().unwrap_or_default()) % most.max(1)
    }

    /// It is time for the next probe of a target.
    pub(crate) fn on_probe_due(&mut self, id: SlotId, scope: &mut Scope<'_>) {
        let Some(interval_ms) = self.probers.probers.get(id).map(|prober| prober.settings.interval_ms) else {
            return;
        };
        // Give or take a tenth: probes of many nodes must not fall into step.
        let tenth = interval_ms / 10;
        let after = interval_ms - tenth + self.draw_up_to(2 * tenth);
        self.wheel.arm(scope.now.time + Duration::from_millis(after), TimerKey::ProbeDue(id));
        self.send_probe(id, scope);
    }

    fn send_probe(&mut self, id: SlotId, scope: &mut Scope<'_>) {
        let generation = Arc::clone(&self.generation);
        let Some(prober) = self.probers.probers.get_mut(id) else { return };
        let Some(peer) = generation.peer_by_tag(prober.target.peer) else { return };
        prober.round = prober.round.wrapping_add(1);
        let (target, listener, round) = (prober.target, prober.listener, prober.round);
        let (call_id, settings) = (prober.call_id.clone(), prober.settings);
        let mut branch = Vec::with_capacity(64);
        BranchId::new(&self.hasher, id, PROBE_BRANCH, round).write(&mut branch);
        let snapshot = &generation.snapshot;
        let mut bytes = Vec::with_capacity(512);
        rewrite::write_probe(
            &rewrite::Probe {
                target: (target.transport, target.address),
                own: self.address_of(listener, snapshot),
                domain: &snapshot.node.domain,
                branch: &branch,
                tag: call_id.get(..16).unwrap_or(&call_id),
                call_id: &call_id,
                number: round,
            },
            &mut bytes,
        );
        let mut timers = snapshot.peer(peer).timers;
        timers.first_response = Duration::from_millis(settings.timeout_ms);
        let client = NonInviteClientTransaction::new(
            timers,
            target.transport.is_reliable(),
            &mut Arm { wheel: &mut self.wheel, now: scope.now.time, key: |timer| TimerKey::Probe(id, timer) },
        );
        scope.out.send(hop(listener, &target), &bytes);
        self.shard_in(&generation, peer).request(Way::Sent, Method::Options);
        if let Some(prober) = self.probers.probers.get_mut(id) {
            prober.sent = Some(Sent { client, bytes: bytes.into(), at: scope.now.time });
        }
    }

    /// A response to a probe of ours; `false` when it is none to the one under way.
    pub(crate) fn on_probe_response(&mut self, branch: BranchId, status: u16, scope: &mut Scope<'_>) -> bool {
        let id = branch.slot;
        let Some(prober) = self.probers.probers.get_mut(id).filter(|prober| prober.round == branch.loop_hash)
        else {
            return false;
        };
        let Some(sent) = &mut prober.sent else { return false };
        let key = |timer| TimerKey::Probe(id, timer);
        sent.client.on_response(status, &mut Arm { wheel: &mut self.wheel, now: scope.now.time, key });
        if status < 200 {
            return true;
        }
        let delay_ms = scope.now.time.since(sent.at).as_millis() as u64;
        let is_taken = prober.settings.accept.takes(status);
        let result = if is_taken { ProbeResult::Answered } else { ProbeResult::Refused };
        self.end_probe(id, result, Some(delay_ms), scope);
        true
    }

    pub(crate) fn on_probe_timer(&mut self, id: SlotId, timer: Timer, scope: &mut Scope<'_>) {
        let Some(prober) = self.probers.probers.get_mut(id) else { return };
        let Some(sent) = &mut prober.sent else { return };
        let key = |timer| TimerKey::Probe(id, timer);
        let mut arm = Arm { wheel: &mut self.wheel, now: scope.now.time, key };
        match sent.client.on_timer(timer, &mut arm) {
            ClientEffect::Resend => scope.out.send(hop(prober.listener, &prober.target), &sent.bytes),
            ClientEffect::Timeout => self.end_probe(id, ProbeResult::Timeout, None, scope),
            _ => {}
        }
    }

    /// The network says that a probe cannot be delivered.
    pub(crate) fn on_probe_unreachable(&mut self, branch: BranchId, scope: &mut Scope<'_>) {
        let prober = self.probers.probers.get(branch.slot);
        if prober.is_some_and(|prober| prober.round == branch.loop_hash && prober.sent.is_some()) {
            self.end_probe(branch.slot, ProbeResult::Unreachable, None, scope);
        }
    }

    fn end_probe(&mut self, id: SlotId, result: ProbeResult, delay_ms: Option<u64>, scope: &mut Scope<'_>) {
        let generation = Arc::clone(&self.generation);
        let Some(prober) = self.probers.probers.get_mut(id) else { return };
        prober.sent = None;
        let (target, settings) = (prober.target, prober.settings);
        let Some(peer) = generation.peer_by_tag(target.peer) else { return };
        self.shard_in(&generation, peer).probe(result, delay_ms);
        let of_peer = generation.snapshot.peer(peer);
        scope.step(
            Stage::Forward,
            Some(&of_peer.id),
            "probed",
            || format!("{}: {}", target.address, result.name()),
            Some("RFC 3261 §11"),
        );
        let Some(health) = self.health(&target) else { return };
        let change = if result == ProbeResult::Answered {
            health.on_probe_answer(settings.up_after)
        } else {
            health.on_probe_failure(scope.now.time, of_peer.health.quarantine, settings.down_after)
        };
        if let Some(change) = change {
            tell(health, change, Cause::Probe, scope);
        }
    }
}

fn hop(listener: ListenerIndex, target: &TargetKey) -> Flow {
    Flow { listener, remote: target.address, connection: None, peer: Some(target.peer) }
}
