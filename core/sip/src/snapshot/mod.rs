//! The compiled configuration and policy, as the control plane handed it down: immutable, shared by all workers.
//!
//! [`Document`](document::Document) is the JSON form with names; [`Snapshot`] has every name resolved to an index and
//! every pattern compiled. A document with a fault is refused whole, and the snapshot in force goes on serving.

pub mod document;
mod limiter;
mod pattern;
mod peer;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use foldhash::fast::FixedState;

pub use document::{
    Direction, KeyKind, Limits, Location, ProbeAccept, Redirects, Side, Transport, UnknownSource,
};
pub use limiter::Limiter;
pub(crate) use limiter::first_digits;
pub use pattern::{Pattern, PatternAction};
pub use peer::{Peer, PeerHealth};

use crate::admit::SourceTable;
use crate::decide::{EmergencyNumbers, Lists, RouteTable};
use crate::rewrite::{HeaderRules, KeyRing, peer_tag};
use crate::screen::Screening;

macro_rules! index {
    ($($(#[$doc:meta])* $name:ident)+) => {
        $($(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub u16);

        impl $name {
            /// Returns the position in its table.
            pub const fn at(self) -> usize {
                self.0 as usize
            }
        })+
    };
}

index! {
    /// Position of a listener in [`Snapshot::listeners`]; listeners keep theirs for the life of the process.
    ListenerIndex
    /// Position of a peer in [`Snapshot::peers`], in this generation only.
    PeerIndex
    /// Position of a header rule set in [`Snapshot::header_rules`].
    RuleSetIndex
    /// Position of an ENUM service in [`Snapshot::enums`].
    EnumIndex
    /// Position of a limiter in [`Snapshot::limiters`].
    LimiterIndex
}

/// Why a document was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SnapshotError {
    /// Not the JSON that this version reads.
    #[error("snapshot: {0}")]
    Syntax(String),
    /// A document of another version.
    #[error("snapshot version {found}: this core reads {}", document::VERSION)]
    Version {
        /// The version it has.
        found: u32,
    },
    /// A name that stands for nothing.
    #[error("{place}: unknown {kind} \"{name}\"")]
    Unknown {
        /// Where in the document.
        place: String,
        /// What kind of thing is missing.
        kind: &'static str,
        /// The name.
        name: String,
    },
    /// A value that cannot be used.
    #[error("{place}: {problem}")]
    Value {
        /// Where in the document.
        place: String,
        /// What is wrong with it.
        problem: String,
    },
}

impl SnapshotError {
    /// Returns the error for a value that cannot be used.
    pub fn value(place: impl Into<String>, problem: impl std::fmt::Display) -> Self {
        Self::Value { place: place.into(), problem: problem.to_string() }
    }
}

/// Finds indices by name while a document is loaded.
#[derive(Debug, Default)]
pub struct Names {
    /// Peers by id.
    pub peers: HashMap<String, PeerIndex, FixedState>,
    /// Listeners by id.
    pub listeners: HashMap<String, ListenerIndex, FixedState>,
    /// Agreements by id, as positions.
    pub agreements: HashMap<String, usize, FixedState>,
    /// Header rule sets by id.
    pub rule_sets: HashMap<String, RuleSetIndex, FixedState>,
    /// Certificates of ours by id, as positions.
    pub tls: HashMap<String, usize, FixedState>,
    /// ENUM services by id.
    pub enums: HashMap<String, EnumIndex, FixedState>,
    /// Limiters by id.
    pub limiters: HashMap<String, LimiterIndex, FixedState>,
}

impl Names {
    /// Looks *name* up in *map*, or tells that *place* names an unknown *kind*.
    pub fn find<T: Copy>(
        map: &HashMap<String, T, FixedState>,
        name: &str,
        kind: &'static str,
        place: &str,
    ) -> Result<T, SnapshotError> {
        map.get(name).copied().ok_or_else(|| SnapshotError::Unknown {
            place: place.to_owned(),
            kind,
            name: name.to_owned(),
        })
    }
}

/// The whole of it.
#[derive(Debug)]
#[allow(missing_docs)] // documented at their types
pub struct Snapshot {
    pub generation: u64,
    pub node: document::Node,
    pub limits: Limits,
    pub unknown_source: UnknownSource,
    pub keys: KeyRing,
    pub tls: Vec<document::TlsIdentity>,
    pub listeners: Vec<Listener>,
    pub peers: Vec<Peer>,
    pub agreements: Vec<Agreement>,
    pub header_rules: Vec<HeaderRules>,
    pub enums: Vec<EnumService>,
    pub limiters: Vec<Limiter>,
    pub emergency: EmergencyNumbers,
    pub patterns: Vec<Pattern>,
    pub routes: RouteTable,
    pub sources: SourceTable,
}

/// See [`document::Listener`].
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub struct Listener {
    pub id: String,
    pub side: Side,
    pub transport: Transport,
    pub address: SocketAddr,
    pub advertised: Option<SocketAddr>,
    pub dscp: Option<u8>,
    pub receive_buffer_bytes: u32,
    pub send_buffer_bytes: u32,
    /// Position in [`Snapshot::tls`].
    pub tls: Option<usize>,
}

/// See [`document::Target`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Target {
    pub id: String,
    pub address: SocketAddr,
    pub priority: u16,
    pub weight: u16,
    pub server: Option<u16>,
    /// The listener of the peer that has the target's transport and address family.
    pub listener: ListenerIndex,
}

/// See [`document::Agreement`].
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub struct Agreement {
    pub id: String,
    pub trusted: bool,
    pub methods: Vec<String>,
    /// The value of an Allow header that lists `methods`.
    pub allow: String,
    pub option_tags: Vec<String>,
    pub body_bytes_max: Option<usize>,
    pub header_bytes_max: Option<usize>,
    pub datagram_bytes_max: Option<usize>,
    pub connection_reuse: bool,
    pub overload_control: Option<document::OverloadControl>,
    pub charging: document::Charging,
    pub received_rules: Vec<RuleSetIndex>,
    pub sent_rules: Vec<RuleSetIndex>,
    pub reason_header: bool,
    pub warning_header: bool,
    pub session_timer: Option<SessionTimer>,
    pub screening: Option<Arc<Screening>>,
    pub resource_priorities: Vec<String>,
}

/// See [`document::SessionTimer`]; in seconds, as the headers have it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionTimer {
    /// Our Min-SE.
    pub min_s: u32,
    /// The longest Session-Expires.
    pub max_s: u32,
}

/// See [`document::EnumService`].
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub struct EnumService {
    pub id: String,
    pub deadline: Duration,
    pub digits_min: u8,
    pub candidates_max: u8,
}

impl Snapshot {
    /// Reads a document (JSON) that names no lists, and resolves it.
    pub fn load(json: &[u8]) -> Result<Self, SnapshotError> {
        Self::load_with(json, &Lists::default())
    }

    /// Reads a document and resolves it; *lists* are those that its rules name. They are shared, so a reload costs nothing for
    /// a list that stayed.
    pub fn load_with(json: &[u8], lists: &Lists) -> Result<Self, SnapshotError> {
        let document: document::Document =
            serde_json::from_slice(json).map_err(|error| SnapshotError::Syntax(error.to_string()))?;
        Self::resolve(document, lists)
    }

    fn resolve(document: document::Document, lists: &Lists) -> Result<Self, SnapshotError> {
        if document.version != document::VERSION {
            return Err(SnapshotError::Version { found: document.version });
        }
        let names = names(&document)?;
        check_peer_tags(&document.peers)?;
        let limits = check_limits(document.limits)?;
        let agreements = document
            .agreements
            .iter()
            .enumerate()
            .map(|(at, agreement)| resolve_agreement(at, agreement, &names))
            .collect::<Result<_, _>>()?;
        let sources = SourceTable::compile(&document.peers)?;
        let listeners = document
            .listeners
            .into_iter()
            .enumerate()
            .map(|(at, listener)| resolve_listener(at, listener, &names))
            .collect::<Result<Vec<_>, _>>()?;
        let peers = document
            .peers
            .into_iter()
            .enumerate()
            .map(|(at, peer)| peer::resolve(at, peer, document.timers, &names, &listeners))
            .collect::<Result<_, _>>()?;
        Ok(Self {
            generation: document.generation,
            node: document.node,
            limits,
            unknown_source: document.unknown_source,
            keys: KeyRing::compile(&document.keys)?,
            tls: document.tls,
            listeners,
            peers,
            agreements,
            header_rules: document.header_rules.iter().map(HeaderRules::compile).collect::<Result<_, _>>()?,
            enums: document.enums.into_iter().map(resolve_enum).collect(),
            limiters: document
                .limiters
                .into_iter()
                .enumerate()
                .map(|(at, limiter)| limiter::resolve(at, limiter))
                .collect::<Result<_, _>>()?,
            emergency: EmergencyNumbers::compile(document.emergency, lists)?,
            patterns: document
                .patterns
                .into_iter()
                .enumerate()
                .map(|(at, pattern)| pattern::resolve(at, pattern))
                .collect::<Result<_, _>>()?,
            routes: RouteTable::compile(&document.routes, &names, lists)?,
            sources,
        })
    }

    /// The peer at *index*. Indices are only kept together with the snapshot they belong to.
    pub fn peer(&self, index: PeerIndex) -> &Peer {
        &self.peers[index.at()]
    }

    /// The listener from which *peer* is reached by *transport* at *address*: the one of its own with both.
    pub fn listener_towards(
        &self,
        peer: PeerIndex,
        transport: Transport,
        address: SocketAddr,
    ) -> Option<ListenerIndex> {
        find_listener(&self.peer(peer).listeners, &self.listeners, transport, address)
    }

    /// Resolves targets that the control plane located; those that no listener of the peer can reach are left out.
    pub fn located(&self, peer: PeerIndex, targets: &[document::Target]) -> Arc<[Arc<Target>]> {
        let resolve = |target: &document::Target| {
            let listener = self.listener_towards(peer, target.transport, target.address)?;
            Some(Arc::new(resolve_target(target, listener)))
        };
        targets.iter().filter_map(resolve).collect()
    }

    /// The transport of a listener.
    pub fn transport(&self, listener: ListenerIndex) -> Transport {
        self.listeners.get(listener.at()).map_or(Transport::Udp, |listener| listener.transport)
    }

    /// The agreement with the peer at *index*.
    pub fn agreement(&self, index: PeerIndex) -> &Agreement {
        &self.agreements[self.peer(index).agreement]
    }
}

fn names(document: &document::Document) -> Result<Names, SnapshotError> {
    fn table<'a, T>(
        place: &str,
        ids: impl Iterator<Item = &'a String>,
        index: impl Fn(u16) -> T,
    ) -> Result<HashMap<String, T, FixedState>, SnapshotError> {
        let mut map = HashMap::default();
        for (at, id) in ids.enumerate() {
            let position =
                u16::try_from(at).map_err(|_| SnapshotError::value(place, "more than 65,536 entries"))?;
            if map.insert(id.clone(), index(position)).is_some() {
                return Err(SnapshotError::value(
                    format!("{place}[{at}].id"),
                    format!("\"{id}\" stands twice"),
                ));
            }
        }
        Ok(map)
    }
    Ok(Names {
        peers: table("peers", document.peers.iter().map(|peer| &peer.id), PeerIndex)?,
        listeners: table("listeners", document.listeners.iter().map(|listener| &listener.id), ListenerIndex)?,
        agreements: table(
            "agreements",
            document.agreements.iter().map(|agreement| &agreement.id),
            usize::from,
        )?,
        tls: table("tls", document.tls.iter().map(|identity| &identity.id), usize::from)?,
        rule_sets: table("header_rules", document.header_rules.iter().map(|set| &set.id), RuleSetIndex)?,
        enums: table("enums", document.enums.iter().map(|service| &service.id), EnumIndex)?,
        limiters: table("limiters", document.limiters.iter().map(|limiter| &limiter.id), LimiterIndex)?,
    })
}

/// Tokens name peers by a hash of their id: two with the same would take each other's dialogs.
fn check_peer_tags(peers: &[document::Peer]) -> Result<(), SnapshotError> {
    let mut tags: HashMap<u32, &str, FixedState> = HashMap::default();
    for (at, peer) in peers.iter().enumerate() {
        if let Some(other) = tags.insert(peer_tag(&peer.id), &peer.id) {
            let problem = format!("\"{}\" and \"{other}\" have the same hash: rename one of them", peer.id);
            return Err(SnapshotError::value(format!("peers[{at}].id"), problem));
        }
    }
    Ok(())
}

fn check_limits(limits: Limits) -> Result<Limits, SnapshotError> {
    if limits.message_bytes_max > 65_535 {
        return Err(SnapshotError::value("limits.message_bytes_max", "at most 65535"));
    }
    if limits.headers_max > 1_000 {
        return Err(SnapshotError::value("limits.headers_max", "at most 1000"));
    }
    Ok(limits)
}

fn resolve_listener(
    at: usize,
    listener: document::Listener,
    names: &Names,
) -> Result<Listener, SnapshotError> {
    let place = format!("listeners[{at}].tls");
    let tls = match (&listener.tls, listener.transport) {
        (Some(id), Transport::Tls) => Some(Names::find(&names.tls, id, "certificate", &place)?),
        (None, Transport::Tls) => {
            return Err(SnapshotError::value(place, "missing: a TLS listener shows a certificate"));
        }
        (Some(_), _) => return Err(SnapshotError::value(place, "only a TLS listener has a certificate")),
        (None, _) => None,
    };
    if listener.dscp.is_some_and(|dscp| dscp > 63) {
        return Err(SnapshotError::value(format!("listeners[{at}].dscp"), "at most 63"));
    }
    Ok(Listener {
        id: listener.id,
        side: listener.side,
        transport: listener.transport,
        address: listener.address,
        advertised: listener.advertised,
        dscp: listener.dscp,
        receive_buffer_bytes: listener.receive_buffer_bytes,
        send_buffer_bytes: listener.send_buffer_bytes,
        tls,
    })
}

fn find_listener(
    of_peer: &[ListenerIndex],
    listeners: &[Listener],
    transport: Transport,
    address: SocketAddr,
) -> Option<ListenerIndex> {
    of_peer.iter().copied().find(|index| {
        listeners.get(index.at()).is_some_and(|listener| {
            listener.transport == transport && listener.address.is_ipv4() == address.is_ipv4()
        })
    })
}

fn resolve_target(target: &document::Target, listener: ListenerIndex) -> Target {
    Target {
        id: target.id.clone(),
        address: target.address,
        priority: target.priority,
        weight: target.weight,
        server: target.server,
        listener,
    }
}

fn resolve_enum(service: document::EnumService) -> EnumService {
    EnumService {
        id: service.id,
        deadline: Duration::from_millis(service.deadline_ms),
        digits_min: service.digits_min,
        candidates_max: service.candidates_max.max(1),
    }
}

fn resolve_agreement(
    at: usize,
    agreement: &document::Agreement,
    names: &Names,
) -> Result<Agreement, SnapshotError> {
    let rule_sets = |key: &str, ids: &[String]| {
        ids.iter()
            .map(|id| {
                Names::find(&names.rule_sets, id, "header rule set", &format!("agreements[{at}].{key}"))
            })
            .collect::<Result<Vec<_>, _>>()
    };
    if !agreement.trusted && !agreement.resource_priorities.is_empty() {
        let place = format!("agreements[{at}].resource_priorities");
        return Err(SnapshotError::value(place, "only of a trusted network"));
    }
    Ok(Agreement {
        id: agreement.id.clone(),
        trusted: agreement.trusted,
        methods: agreement.methods.clone(),
        allow: agreement.methods.join(", "),
        option_tags: agreement.option_tags.clone(),
        body_bytes_max: agreement.body_bytes_max,
        header_bytes_max: agreement.header_bytes_max,
        datagram_bytes_max: agreement.datagram_bytes_max,
        connection_reuse: agreement.connection_reuse,
        overload_control: agreement.overload_control,
        charging: agreement.charging.clone(),
        received_rules: rule_sets("received_rules", &agreement.received_rules)?,
        sent_rules: rule_sets("sent_rules", &agreement.sent_rules)?,
        reason_header: agreement.reason_header,
        warning_header: agreement.warning_header,
        session_timer: resolve_session_timer(at, agreement.session_timer)?,
        screening: resolve_screening(at, agreement)?,
        resource_priorities: agreement.resource_priorities.clone(),
    })
}

fn resolve_screening(
    at: usize,
    agreement: &document::Agreement,
) -> Result<Option<Arc<Screening>>, SnapshotError> {
    let place = format!("agreements[{at}].screening");
    let screening = agreement.screening.as_ref();
    let compile = |screening| Screening::compile(screening, agreement.body_bytes_max, &place);
    screening.map(|screening| compile(screening).map(Arc::new)).transpose()
}

/// RFC 4028 §4: 90 seconds is the least that an interval may be; the header counts in seconds.
fn resolve_session_timer(
    at: usize,
    timer: Option<document::SessionTimer>,
) -> Result<Option<SessionTimer>, SnapshotError> {
    let Some(timer) = timer else { return Ok(None) };
    let place = |key: &str| format!("agreements[{at}].session_timer.{key}");
    let seconds = |key: &str, millis: u64| {
        u32::try_from(millis / 1000).map_err(|_| SnapshotError::value(place(key), "less than 2^32 seconds"))
    };
    let (min_s, max_s) =
        (seconds("expires_ms_min", timer.expires_ms_min)?, seconds("expires_ms_max", timer.expires_ms_max)?);
    if min_s < 90 {
        return Err(SnapshotError::value(place("expires_ms_min"), "at least 90 seconds"));
    }
    if max_s < min_s {
        return Err(SnapshotError::value(place("expires_ms_max"), "no less than expires_ms_min"));
    }
    Ok(Some(SessionTimer { min_s, max_s }))
}
