//! The snapshot as a document: what the control plane compiles and hands down, as JSON.
//!
//! Names refer to names; `Snapshot::load` resolves them. Every duration is in milliseconds, every size in bytes.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

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
    pub routes: Vec<Route>,
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
    /// Id of the certificate that it shows; a TLS listener has one.
    #[serde(default)]
    pub tls: Option<String>,
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

fn one() -> u16 {
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
    /// How the length of sessions is bounded; left to the user agents unless set.
    #[serde(default)]
    pub session_timer: Option<SessionTimer>,
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

/// A named list of header rules.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct HeaderRuleSet {
    pub id: String,
    pub rules: Vec<HeaderRule>,
}

/// One edit; rules run in order and each sees what the ones before it did.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct HeaderRule {
    pub id: String,
    #[serde(default)]
    pub messages: Messages,
    /// Only for these methods (of the CSeq); all when empty.
    #[serde(default)]
    pub methods: Vec<String>,
    pub header: String,
    pub action: HeaderAction,
}

/// Which messages a rule is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum Messages {
    #[default]
    Any,
    Requests,
    Responses,
}

/// What a rule does to its header.
#[derive(Clone, Debug, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum HeaderAction {
    /// Puts one more header of that name behind the others.
    Add {
        /// Its value.
        value: String,
    },
    /// Leaves exactly one header of that name.
    Set {
        /// Its value.
        value: String,
    },
    /// Takes out every header of that name.
    Remove,
    /// Replaces in each header of that name every match of a pattern.
    Replace {
        /// What to look for: the text itself, or a regular expression.
        pattern: String,
        /// Is `pattern` a regular expression (crate `regex`: linear time)?
        regex: bool,
        /// What to put there; with `regex`, `$1` and `${name}` are captures.
        with: String,
    },
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

/// One rule of routing. Rules are tried in order; the first whose condition holds decides, except that `Enum` goes on with the next rule.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct Route {
    pub id: String,
    #[serde(default)]
    pub condition: Condition,
    pub action: RouteAction,
}

/// All that is given must hold; a list holds when one of it does; what is absent always holds.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Condition {
    /// Ids of peers that the request came from.
    pub peers: Vec<String>,
    /// Way across the border.
    pub direction: Option<Direction>,
    /// Methods.
    pub methods: Vec<String>,
    /// Beginnings of the global number: `+44`, `+4490`.
    pub number_prefixes: Vec<String>,
    /// Hosts of the Request-URI (as ENUM left it): `a.example`, or `*.a.example` for all below.
    pub domains: Vec<String>,
    /// Schemes of the Request-URI (as ENUM left it).
    pub schemes: Vec<String>,
    /// What the last `Enum` rule led to; never holds before one ran.
    pub enum_outcomes: Vec<crate::input::EnumOutcome>,
}

/// Way across the border (TS 24.229 §5.10.2, §5.10.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// From our core to another network.
    Exit,
    /// From another network.
    Entry,
}

impl Direction {
    /// Returns the name used in records and metric labels.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Exit => "exit",
            Self::Entry => "entry",
        }
    }
}

/// What a matching rule does.
#[derive(Clone, Debug, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum RouteAction {
    /// Look the number up; the Request-URI becomes the first candidate; go on with the next rule.
    Enum {
        /// Id of the enum service.
        service: String,
    },
    /// Send it.
    Route {
        /// Peers to try.
        to: Vec<RoutePeer>,
        /// Statuses after which the next target is tried, besides silence and unreachability.
        #[serde(default = "failover_default")]
        failover_statuses: Vec<u16>,
        /// At most so many targets.
        #[serde(default = "attempts_default")]
        attempts_max: u8,
        /// One peer after the other, or all of one priority at once.
        #[serde(default)]
        fork: Fork,
        /// No target is tried any more when the request is this old; a target that rings goes on ringing.
        #[serde(default)]
        time_budget_ms: Option<u64>,
        /// What becomes of a 3xx.
        #[serde(default)]
        redirects: Redirects,
    },
    /// Refuse it.
    Reject {
        /// Id of the catalogue.
        reason: String,
        /// Another status than the catalogue's.
        #[serde(default)]
        status: Option<u16>,
        /// Another phrase than the catalogue's.
        #[serde(default)]
        phrase: Option<String>,
    },
}

/// How the peers of a route are tried (RFC 3261 §16.6).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fork {
    /// One after the other.
    #[default]
    Serial,
    /// Those of one priority at once, for an INVITE; then those of the next.
    Parallel,
}

/// What becomes of a 3xx (RFC 3261 §16.7 (4), PX-23).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Redirects {
    /// It goes to whoever asked.
    #[default]
    Pass,
    /// Its Contacts are tried, where the policy routes them.
    Recurse,
    /// It becomes a 480 of our own.
    Reject,
}

fn failover_default() -> Vec<u16> {
    vec![430, 503]
}

fn attempts_default() -> u8 {
    4
}

/// A peer on a route.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct RoutePeer {
    pub peer: String,
    /// Lower is tried first.
    #[serde(default)]
    pub priority: u16,
    /// Share among those of equal priority.
    #[serde(default = "one")]
    pub weight: u16,
}
