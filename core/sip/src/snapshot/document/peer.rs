//! Section `peers`: who they are, where they are, what they may ask.

use std::net::SocketAddr;

use serde::Deserialize;

use super::{Side, Timers, Transport};

/// How a peer proves who it is (RFC 5922, TS 33.203 §6.5).
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct PeerTls {
    /// SIP domains that its certificate may name, as SAN URI (`sip:` and the domain) or else SAN DNS.
    pub identities: Vec<String>,
    /// The authorities that its chain must lead to, as PEM: those of this peer and no others.
    pub authorities: String,
    /// Revocation lists as PEM; empty when none are used.
    #[serde(default)]
    pub revocations: String,
}

/// Another SIP network element: our own core, or the other operator.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct Peer {
    pub id: String,
    pub side: Side,
    pub agreement: String,
    /// The listeners from which requests to this peer leave, at most one for each transport and address family.
    pub listeners: Vec<String>,
    /// Source networks, `address/length`.
    pub sources: Vec<String>,
    /// Where requests are sent; empty for a peer that is located.
    #[serde(default)]
    pub targets: Vec<Target>,
    /// The domain that it is configured with, for the texts of header rules.
    #[serde(default)]
    pub domain: Option<String>,
    /// How its targets are found when they are not listed here.
    #[serde(default)]
    pub location: Option<Location>,
    /// How it proves who it is; a peer that talks TLS has this.
    #[serde(default)]
    pub tls: Option<PeerTls>,
    #[serde(default)]
    pub limits: PeerLimits,
    #[serde(default)]
    pub timers: Option<Timers>,
    #[serde(default)]
    pub health: PeerHealth,
    /// How its targets are asked whether they are there; not at all unless set.
    #[serde(default)]
    pub probe: Option<Probe>,
    /// The host that the Request-URI of an initial request to it gets.
    #[serde(default)]
    pub request_uri_host: Option<String>,
}

/// What keeps requests away from a target of the peer for a while (LOC-33, LOC-34).
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PeerHealth {
    /// For so long after a request that it left without any response, or that could not be delivered; 0 = never.
    pub quarantine_ms: u64,
    /// The longest Retry-After of a 503 that is honoured; 0 = none is.
    pub retry_after_ms_max: u64,
    /// For so long after a 503 without Retry-After; 0 = not at all (RFC 3261 §21.5.4).
    pub block_on_503_ms: u64,
}

impl Default for PeerHealth {
    fn default() -> Self {
        Self { quarantine_ms: 32_000, retry_after_ms_max: 300_000, block_on_503_ms: 0 }
    }
}

/// OPTIONS to each target of the peer, at intervals (GEN-17).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Probe {
    /// From one to the next, give or take a tenth.
    pub interval_ms: u64,
    /// For so long an answer is waited for.
    pub timeout_ms: u64,
    /// So many failures in a row take a target down.
    pub down_after: u8,
    /// So many answers in a row take it up again.
    pub up_after: u8,
    /// Which answers count.
    pub accept: ProbeAccept,
}

/// Which final responses to a probe show that a target is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProbeAccept {
    /// Every one.
    Any,
    /// Every one but 503, which says that it takes no calls.
    #[serde(rename = "not_503")]
    Not503,
    /// Success only.
    #[serde(rename = "2xx")]
    Success,
}

impl ProbeAccept {
    /// Does *status* count?
    pub const fn takes(self, status: u16) -> bool {
        match self {
            Self::Any => true,
            Self::Not503 => status != 503,
            Self::Success => status < 300,
        }
    }
}

/// How the targets of a peer are found (RFC 3263).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Location {
    /// The control plane looks its domain up and hands the targets in ([`TargetSet`](crate::input::TargetSet)).
    Domain,
    /// The host of each Request-URI is asked for (EX-22).
    RequestUri {
        /// After this long the host counts as unknown.
        deadline_ms: u64,
    },
}

/// Where requests to a peer are sent.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct Target {
    pub id: String,
    pub address: SocketAddr,
    #[serde(default)]
    pub transport: Transport,
    /// Lower is tried first.
    #[serde(default)]
    pub priority: u16,
    /// Share among those of equal priority (RFC 2782).
    #[serde(default = "one")]
    pub weight: u16,
    /// Which server's address it is, where one has several: after one address fails, its address of the other family is
    /// tried before another server (RFC 7984).
    #[serde(default)]
    pub server: Option<u16>,
}

impl Target {
    /// The one place that an address means.
    pub fn literal(address: SocketAddr, transport: Transport) -> Self {
        let id = if transport == Transport::Udp {
            address.to_string()
        } else {
            format!("{address};transport={}", transport.name())
        };
        Self { id, address, transport, priority: 0, weight: one(), server: None }
    }
}

pub(super) fn one() -> u16 {
    1
}

/// What a peer may ask of us.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[allow(missing_docs)]
pub struct PeerLimits {
    /// Initial requests a second from the peer; `None` = no limit.
    pub requests_per_second: Option<u32>,
    /// How many may come at once; the same as the rate unless set.
    pub burst: Option<u32>,
    /// Calls in progress towards the peer and from it together; `None` = no limit.
    pub calls_max: Option<u32>,
    /// Connections to the peer and from it together; `None` = only the node's limit.
    pub connections_max: Option<u32>,
}
