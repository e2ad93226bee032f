//! The snapshot as a document: what the control plane compiles and hands down, as JSON.
//!
//! Names refer to names; `Snapshot::load` resolves them. Every duration is in milliseconds, every size in bytes.

mod condition;
mod header_rules;
mod limiter;
mod pattern;
mod peer;
mod route;
mod screening;

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

pub use condition::{
    Condition, Direction, HeaderCondition, HeaderTest, ListCondition, NumberCondition, TimeCondition,
};
pub use header_rules::{
    HeaderAction, HeaderRule, HeaderRuleSet, Messages, ParameterChange, ParameterPlace, ValueTest,
};
pub use limiter::{KeyKind, Limiter, LimiterRate};
pub use pattern::{Counted, Distinct, Pattern, PatternAction};
pub use peer::{Location, Peer, PeerHealth, PeerLimits, PeerTls, Probe, ProbeAccept, Target};
pub use route::{
    Fork, NumberEdit, Redirects, Refusal, Rewrite, Route, RouteAction, RoutePeer, TextEdit, UriForm,
};
pub(crate) use route::{attempts_default, failover_default};
pub use screening::{
    Act, AddressScreening, BodyScreening, HeaderScreening, NumberForm, NumberScreening, OptionScreening,
    Screening, Unagreed,
};

/// The format that this core reads. A document with another number is refused.
pub const VERSION: u32 = 1;

/// The whole document.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)] // the sections are documented at their types
pub struct Document {
    pub version: u32,
    pub generation: u64,
    pub node: Node,
    #[serde(default)]
    pub limits: Limits,
    #[serde(default)]
    pub timers: Timers,
    #[serde(default)]
    pub unknown_source: UnknownSource,
    pub keys: Vec<Key>,
    #[serde(default)]
    pub tls: Vec<TlsIdentity>,
    pub listeners: Vec<Listener>,
    pub agreements: Vec<Agreement>,
    #[serde(default)]
    pub header_rules: Vec<HeaderRuleSet>,
    pub peers: Vec<Peer>,
    #[serde(default)]
    pub enums: Vec<EnumService>,
    #[serde(default)]
    pub limiters: Vec<Limiter>,
    #[serde(default)]
    pub emergency: Emergency,
    #[serde(default)]
    pub patterns: Vec<Pattern>,
    pub routes: Vec<Route>,
}

/// Calls to these are emergency calls, as those to `urn:service:sos` are.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Emergency {
    /// Digits as they are dialled, with or without `+`.
    pub numbers: Vec<String>,
    /// Lists of global numbers.
    pub lists: Vec<ListCondition>,
}

/// Who this node is.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Node {
    /// Name for logs, records and `icid-generated-at`.
    pub name: String,
    /// Domain of the home network; a Request-URI or Route that names it is ours.
    pub domain: String,
}

/// The bounds of one node. Tables are split evenly between its workers.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[allow(missing_docs)] // the names say it; defaults from SEC-10
pub struct Limits {
    pub message_bytes_max: usize,
    pub header_line_bytes_max: usize,
    pub headers_max: usize,
    pub vias_max: usize,
    pub routes_max: usize,
    pub uri_bytes_max: usize,
    pub transactions_max: usize,
    pub calls_max: usize,
    pub questions_max: usize,
    pub answers_max: usize,
    /// Hosts whose servers are kept (RFC 3263).
    pub locations_max: usize,
    /// Targets whose health is watched, over those that are configured or located for a peer.
    pub targets_max: usize,
    /// An answered call without a session timer is closed by the audit after this long.
    pub call_duration_ms_max: u64,
    /// Connections of all peers together, half-open ones included.
    pub connections_max: usize,
    /// Bytes that may wait to be written to one connection; one that reads slower is closed.
    pub connection_queue_bytes_max: usize,
    /// A connection on which nothing passed for this long is closed.
    pub connection_idle_ms_max: u64,
    /// How long connecting, a TLS handshake, and the arrival of one message may each take.
    pub connection_step_ms_max: u64,
    /// Above it some of the new work is refused.
    pub queue_delay_ms_max: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            message_bytes_max: 65_535,
            header_line_bytes_max: 8_192,
            headers_max: 200,
            vias_max: 70,
            routes_max: 30,
            uri_bytes_max: 2_048,
            transactions_max: 200_000,
            calls_max: 400_000,
            questions_max: 8_192,
            answers_max: 200_000,
            locations_max: 20_000,
            targets_max: 20_000,
            call_duration_ms_max: 12 * 3600 * 1000,
            connections_max: 10_000,
            connection_queue_bytes_max: 1 << 20,
            connection_idle_ms_max: 600_000,
            connection_step_ms_max: 10_000,
            queue_delay_ms_max: 100,
        }
    }
}

/// Timers of RFC 3261 (TS 29.165 table 6.3.1: NNI-10).
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[allow(missing_docs)]
pub struct Timers {
    pub t1_ms: u64,
    pub t2_ms: u64,
    pub t4_ms: u64,
    /// Timer C: more than three minutes (RFC 3261 §16.6 (11)).
    pub c_ms: u64,
    /// How long a target may stay silent before the next one is tried; 64 × T1 unless set (Timers B and F).
    pub first_response_ms: Option<u64>,
}

impl Default for Timers {
    fn default() -> Self {
        Self { t1_ms: 500, t2_ms: 4_000, t4_ms: 5_000, c_ms: 185_000, first_response_ms: None }
    }
}

/// What an unknown sender gets.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct UnknownSource {
    /// Answer 403 at all?
    pub reject: bool,
    /// At most this many answers a second, then silence.
    pub answers_per_second: u32,
}

impl Default for UnknownSource {
    fn default() -> Self {
        Self { reject: true, answers_per_second: 10 }
    }
}

/// A key that seals Record-Route tokens: the first seals, all open.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Key {
    /// Stands in the token.
    pub id: u8,
    /// 32 bytes in hexadecimal.
    pub secret: String,
}

impl std::fmt::Debug for Key {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Key {{ id: {}, secret: *** }}", self.id)
    }
}

/// Which of the two networks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// Our own core.
    Home,
    /// The other operator.
    Peer,
}

/// How messages travel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Transport {
    /// RFC 3261 §18 over UDP.
    #[default]
    Udp,
    /// RFC 3261 §18 over TCP.
    Tcp,
    /// RFC 3261 §26 over TLS, with certificates on both sides (TS 33.203 §6.5).
    Tls,
}

impl Transport {
    /// Returns the name used in Via (RFC 3261 §20.42).
    pub const fn via_name(self) -> &'static [u8] {
        match self {
            Self::Udp => b"UDP",
            Self::Tcp => b"TCP",
            Self::Tls => b"TLS",
        }
    }

    /// Returns the value of a `transport` parameter (RFC 3261 §19.1.1), which is also that of metric labels.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Udp => "udp",
            Self::Tcp => "tcp",
            Self::Tls => "tls",
        }
    }

    /// Finds the transport that a `transport` parameter names.
    pub fn from_name(name: &[u8]) -> Option<Self> {
        [Self::Udp, Self::Tcp, Self::Tls]
            .into_iter()
            .find(|transport| transport.name().as_bytes().eq_ignore_ascii_case(name))
    }

    /// Does it deliver whole and in order, or say that it does not? Then no request is sent twice (RFC 3261 §17.1.1.1).
    pub const fn is_reliable(self) -> bool {
        !matches!(self, Self::Udp)
    }

    /// The port that stands for none (RFC 3261 §19.1.2).
    pub const fn default_port(self) -> u16 {
        if matches!(self, Self::Tls) { 5061 } else { 5060 }
    }
}

/// A socket on which the border receives and from which it sends.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct Listener {
    pub id: String,
    pub side: Side,
    pub transport: Transport,
    /// Address to bind; port 0 lets the system choose.
    pub address: SocketAddr,
    /// Address written into Via and Record-Route; the bound one unless set.
    #[serde(default)]
    pub advertised: Option<SocketAddr>,
    /// Differentiated services code point of what it sends (RFC 2474); the system's default unless set.
    #[serde(default)]
    pub dscp: Option<u8>,
    /// What the system is asked to hold for a socket of it, each way; only datagrams wait there for us.
    #[serde(default = "socket_buffer_bytes")]
    pub receive_buffer_bytes: u32,
    #[serde(default = "socket_buffer_bytes")]
    pub send_buffer_bytes: u32,
    /// Id of the certificate that it shows; a TLS listener has one.
    #[serde(default)]
    pub tls: Option<String>,
}

/// What the configuration asks for when nobody says otherwise (`ibcf/config/listeners.py`).
fn socket_buffer_bytes() -> u32 {
    4 << 20
}

/// A certificate of ours with its key.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct TlsIdentity {
    pub id: String,
    /// The chain as PEM, our own certificate first.
    pub certificates: String,
    /// The private key as PEM (PKCS#8, PKCS#1 or SEC1).
    pub private_key: String,
}

impl std::fmt::Debug for TlsIdentity {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "TlsIdentity {{ id: {}, private_key: *** }}", self.id)
    }
}

/// What the two operators agreed on (TS 29.165 Annex C).
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct Agreement {
    pub id: String,
    /// Is the other network in our trust domain (RFC 3325, EX-21)?
    pub trusted: bool,
    /// Methods that may come from the peer.
    pub methods: Vec<String>,
    /// Option tags that the peer may put into Proxy-Require.
    #[serde(default)]
    pub option_tags: Vec<String>,
    #[serde(default)]
    pub body_bytes_max: Option<usize>,
    #[serde(default)]
    pub header_bytes_max: Option<usize>,
    /// A longer request goes by TCP instead of UDP, where the peer has a listener for it (GEN-09, RFC 3261 §18.1.1).
    #[serde(default = "datagram_default")]
    pub datagram_bytes_max: Option<usize>,
    /// May requests to the peer leave on connections that it opened (RFC 5923)?
    #[serde(default)]
    pub connection_reuse: bool,
    /// How the two networks ask each other for fewer requests; not at all unless set.
    #[serde(default)]
    pub overload_control: Option<OverloadControl>,
    #[serde(default)]
    pub charging: Charging,
    /// Ids of rule sets for messages received from the peer, in order.
    #[serde(default)]
    pub received_rules: Vec<String>,
    /// Ids of rule sets for messages sent to the peer, in order.
    #[serde(default)]
    pub sent_rules: Vec<String>,
    /// May our reason stand in a Reason header of responses to this peer?
    #[serde(default)]
    pub reason_header: bool,
    /// Our reason stands in a Warning header of responses to the peer.
    #[serde(default)]
    pub warning_header: bool,
    /// How the length of sessions is bounded; left to the user agents unless set.
    #[serde(default)]
    pub session_timer: Option<SessionTimer>,
    /// Values of Resource-Priority (RFC 4412), or namespaces, that the peer may ask for: they pass every limit.
    #[serde(default)]
    pub resource_priorities: Vec<String>,
    /// What may stand in a message; everything unless set.
    #[serde(default)]
    pub screening: Option<Screening>,
}

/// How a server asks its clients for fewer requests (RFC 7339, TS 29.165 §21).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OverloadControl {
    /// So many percent fewer.
    Loss,
}

/// What the border sees to as a proxy that cares for the session timer (RFC 4028 §8, PX-60, EX-23).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SessionTimer {
    /// The longest Session-Expires that passes, and what is asked for where there is none.
    pub expires_ms_max: u64,
    /// The shortest, our Min-SE.
    pub expires_ms_min: u64,
}

#[allow(clippy::unnecessary_wraps)] // the default of an optional field
fn datagram_default() -> Option<usize> {
    Some(1_300)
}

/// P-Charging-Vector towards the peer (TS 24.229 §4.5.4, CH-01 to CH-09).
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[allow(missing_docs)]
pub struct Charging {
    /// Written as `orig-ioi` into requests sent to the peer.
    pub orig_ioi: Option<String>,
    /// Written as `term-ioi` into responses sent to the peer.
    pub term_ioi: Option<String>,
    /// Parameters taken out of what is sent to the peer.
    pub removed_parameters: Vec<String>,
}

/// A place to look numbers up. Servers, apexes and zone files are the control plane's business.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct EnumService {
    pub id: String,
    /// After this long the resolution counts as failed.
    pub deadline_ms: u64,
    /// Numbers with fewer digits are never asked for (ENUM-04).
    #[serde(default)]
    pub digits_min: u8,
    /// How many candidate URIs may be tried one after the other (ENUM-17).
    #[serde(default = "three")]
    pub candidates_max: u8,
}

fn three() -> u8 {
    3
}
