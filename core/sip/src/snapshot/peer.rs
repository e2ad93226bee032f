//! Section `peers`, resolved: who they are, where they are, what they may ask.

use std::sync::Arc;
use std::time::Duration;

use super::{
    Direction, Listener, ListenerIndex, Location, Names, Side, SnapshotError, Target, Transport, document,
    find_listener, resolve_target,
};
use crate::message::Uri;
use crate::transaction::TimerValues;

/// See [`document::Peer`].
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub struct Peer {
    pub id: String,
    pub side: Side,
    /// Position in [`super::Snapshot::agreements`].
    pub agreement: usize,
    /// At most one for each transport and address family.
    pub listeners: Vec<ListenerIndex>,
    pub targets: Arc<[Arc<Target>]>,
    pub domain: Option<String>,
    pub location: Option<Location>,
    pub tls: Option<document::PeerTls>,
    pub limits: document::PeerLimits,
    pub timers: TimerValues,
    pub health: PeerHealth,
    pub probe: Option<document::Probe>,
    pub request_uri_host: Option<String>,
}

/// See [`document::PeerHealth`].
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs)]
pub struct PeerHealth {
    pub quarantine: Duration,
    pub retry_after_max: Duration,
    pub block_on_503: Duration,
}

impl From<document::PeerHealth> for PeerHealth {
    fn from(document: document::PeerHealth) -> Self {
        Self {
            quarantine: Duration::from_millis(document.quarantine_ms),
            retry_after_max: Duration::from_millis(document.retry_after_ms_max),
            block_on_503: Duration::from_millis(document.block_on_503_ms),
        }
    }
}

impl Peer {
    /// Which way a request from this peer crosses the border.
    pub const fn direction(&self) -> Direction {
        match self.side {
            Side::Home => Direction::Exit,
            Side::Peer => Direction::Entry,
        }
    }
}

pub(super) fn resolve(
    at: usize,
    peer: document::Peer,
    timers: document::Timers,
    names: &Names,
    listeners: &[Listener],
) -> Result<Peer, SnapshotError> {
    let place = |key: &str| format!("peers[{at}].{key}");
    let own = resolve_peer_listeners(&peer, names, listeners, &place)?;
    let mut targets = Vec::with_capacity(peer.targets.len());
    for (number, target) in peer.targets.iter().enumerate() {
        let listener = find_listener(&own, listeners, target.transport, target.address).ok_or_else(|| {
            let family = if target.address.is_ipv4() { "IPv4" } else { "IPv6" };
            let problem = format!("no listener of the peer is {} over {family}", target.transport.name());
            SnapshotError::value(place(&format!("targets[{number}]")), problem)
        })?;
        targets.push(Arc::new(resolve_target(target, listener)));
    }
    Ok(Peer {
        agreement: Names::find(&names.agreements, &peer.agreement, "agreement", &place("agreement"))?,
        listeners: own,
        timers: TimerValues::from(peer.timers.unwrap_or(timers)),
        id: peer.id,
        side: peer.side,
        targets: targets.into(),
        domain: peer.domain,
        location: peer.location,
        tls: peer.tls,
        limits: peer.limits,
        health: peer.health.into(),
        probe: check_probe(peer.probe, &place)?,
        request_uri_host: check_host(peer.request_uri_host, &place)?,
    })
}

fn check_host(
    host: Option<String>,
    place: &impl Fn(&str) -> String,
) -> Result<Option<String>, SnapshotError> {
    let is_host = |host: &String| {
        Uri::parse(format!("sip:{host}").as_bytes()).is_ok_and(|uri| uri.host == host.as_bytes())
    };
    match host {
        Some(host) if !is_host(&host) => Err(SnapshotError::value(place("request_uri_host"), "is no host")),
        host => Ok(host),
    }
}

fn check_probe(
    probe: Option<document::Probe>,
    place: &impl Fn(&str) -> String,
) -> Result<Option<document::Probe>, SnapshotError> {
    let Some(probe) = probe else { return Ok(None) };
    if probe.timeout_ms == 0 || probe.timeout_ms >= probe.interval_ms {
        return Err(SnapshotError::value(place("probe.timeout"), "between 0 and the interval"));
    }
    if probe.interval_ms < 1_000 {
        return Err(SnapshotError::value(place("probe.interval"), "at least one second"));
    }
    if probe.down_after == 0 || probe.up_after == 0 {
        return Err(SnapshotError::value(place("probe"), "down_after and up_after are at least 1"));
    }
    Ok(Some(probe))
}

fn resolve_peer_listeners(
    peer: &document::Peer,
    names: &Names,
    listeners: &[Listener],
    place: &impl Fn(&str) -> String,
) -> Result<Vec<ListenerIndex>, SnapshotError> {
    let mut own: Vec<ListenerIndex> = Vec::with_capacity(peer.listeners.len());
    for (number, id) in peer.listeners.iter().enumerate() {
        let place = place(&format!("listeners[{number}]"));
        let index = Names::find(&names.listeners, id, "listener", &place)?;
        let Some(listener) = listeners.get(index.at()) else { continue };
        if find_listener(&own, listeners, listener.transport, listener.address).is_some() {
            let problem = "another listener of the peer has the same transport and address family";
            return Err(SnapshotError::value(place, problem));
        }
        if listener.transport == Transport::Tls && peer.tls.is_none() {
            return Err(SnapshotError::value(place, "a peer that talks TLS needs a tls section of its own"));
        }
        own.push(index);
    }
    if own.is_empty() {
        return Err(SnapshotError::value(place("listeners"), "at least one"));
    }
    Ok(own)
}
