//! What a run is asked to do.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// What is played.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scenario {
    /// INVITE, 100, 180, ringing, 200, ACK, talking, BYE, 200.
    Call,
    /// A wall of INVITEs that ring until all are up.
    Ringing,
    /// A wall of answered calls.
    Answered,
    /// REGISTER with Path, 200 with Service-Route.
    Register,
    /// MESSAGE of 300 bytes, 200.
    Message,
}

impl Scenario {
    /// Names on the command line.
    pub const NAMES: &[(&str, Self)] = &[
        ("call", Self::Call),
        ("ringing", Self::Ringing),
        ("answered", Self::Answered),
        ("register", Self::Register),
        ("message", Self::Message),
    ];

    /// Do all calls go up before any goes down?
    pub const fn is_wall(self) -> bool {
        matches!(self, Self::Ringing | Self::Answered)
    }

    /// Is it about calls, or about single requests?
    pub const fn has_invite(self) -> bool {
        matches!(self, Self::Call | Self::Ringing | Self::Answered)
    }
}

/// What carries the messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// Datagrams.
    Udp,
    /// A stream.
    Tcp,
    /// A stream under TLS.
    Tls,
}

impl Transport {
    /// Names on the command line.
    pub const NAMES: &[(&str, Self)] = &[("udp", Self::Udp), ("tcp", Self::Tcp), ("tls", Self::Tls)];

    /// As Via writes it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Udp => "UDP",
            Self::Tcp => "TCP",
            Self::Tls => "TLS",
        }
    }
}

/// How a ringing wall ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The UAS answers 486.
    Busy,
    /// The UAC cancels; the UAS answers 487.
    Cancel,
}

impl End {
    /// Names on the command line.
    pub const NAMES: &[(&str, Self)] = &[("busy", Self::Busy), ("cancel", Self::Cancel)];
}

/// How much is played.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Amount {
    /// So many calls.
    Calls(u64),
    /// As many as the rate makes of so long.
    Time(Duration),
}

/// The PEM files of both our ends.
#[derive(Clone, Debug)]
pub struct TlsFiles {
    /// Our chain.
    pub certificate: PathBuf,
    /// Its key.
    pub key: PathBuf,
    /// Whom we believe, as client and as server.
    pub authority: PathBuf,
    /// The DNS name or address that the proxy's certificate must have; without it only its chain is verified.
    pub server_name: Option<String>,
}

/// What the UAS, or the UAC where it says so, must see.
#[derive(Clone, Debug, Default)]
pub struct Expected {
    /// Host of the Request-URI of the first request.
    pub request_uri_host: Option<String>,
    /// Headers that the first request must not have any more.
    pub absent: Vec<String>,
    /// Texts that the first request must have.
    pub contains: Vec<String>,
    /// The UAC's 2xx has a Record-Route that we did not send.
    pub record_route: bool,
    /// Nothing takes part in routing between our ends: Max-Forwards and Route arrive as they were sent.
    pub transparent: bool,
    /// The Call-ID that the UAS sees need not be ours.
    pub call_id_masked: bool,
}

/// All of it.
#[derive(Clone, Debug)]
pub struct Options {
    /// What is played.
    pub scenario: Scenario,
    /// Over what, on both sides.
    pub transport: Transport,
    /// Where the UAC sends to.
    pub proxy: SocketAddr,
    /// The UAC's own address.
    pub uac: SocketAddr,
    /// The UAS's own address.
    pub uas: SocketAddr,
    /// The UAC sends straight to the UAS, whatever `proxy` is.
    pub is_direct: bool,
    /// Calls a second.
    pub rate: f64,
    /// How many.
    pub amount: Amount,
    /// The same load before that, which does not count.
    pub warm: Duration,
    /// From 180 to 200.
    pub ring: Duration,
    /// From ACK to BYE; for a wall, from the last call up to the first one down.
    pub hold: Duration,
    /// How long a call may take over what it has to.
    pub timeout: Duration,
    /// Send again what is not answered (RFC 3261 §17.1, §13.3.1.4).
    pub is_retransmitting: bool,
    /// How a ringing wall ends.
    pub end: End,
    /// Connections of the UAC.
    pub connections: usize,
    /// Of TLS.
    pub tls: Option<TlsFiles>,
    /// The Request-URI; `NUMBER` stands for the digits of the called number.
    pub request_uri: String,
    /// Called numbers, digits only, used in turn.
    pub numbers: Vec<String>,
    /// What must be seen.
    pub expected: Expected,
}

impl Options {
    /// How many calls are played and counted.
    pub fn calls(&self) -> u64 {
        match self.amount {
            Amount::Calls(calls) => calls,
            Amount::Time(time) => self.calls_in(time),
        }
    }

    /// How many calls are played before those.
    pub fn warm_calls(&self) -> u64 {
        self.calls_in(self.warm)
    }

    fn calls_in(&self, time: Duration) -> u64 {
        (self.rate * time.as_secs_f64()).round() as u64
    }
}
