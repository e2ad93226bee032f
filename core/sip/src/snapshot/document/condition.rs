//! When a rule holds: the matchers of the policy, as the control plane hands them down.

use serde::{Deserialize, Serialize};

use super::{Side, Transport};

/// All that is given must hold; a list holds when one of it does; what is absent always holds.
///
/// A matcher that looks at what a request does not have (a number, a body, a header) does not hold.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Condition {
    /// Ids of peers that the request came from.
    pub peers: Vec<String>,
    /// Side that it came from.
    pub side: Option<Side>,
    /// Way across the border.
    pub direction: Option<Direction>,
    /// Ids of listeners that it came to.
    pub listeners: Vec<String>,
    /// Transports that it came over.
    pub transports: Vec<Transport>,
    /// Is its sender in our trust domain?
    pub trusted: Option<bool>,
    /// Methods.
    pub methods: Vec<String>,
    /// Schemes of the Request-URI (as ENUM left it).
    pub schemes: Vec<String>,
    /// Hosts of the Request-URI (as ENUM left it): `a.example`, or `*.a.example` for all below.
    pub domains: Vec<String>,
    /// Regular expressions, one of which matches the user part of the Request-URI (as ENUM left it).
    pub users: Vec<String>,
    /// What is asked of the called number, the global one of the Request-URI as it was received.
    pub number: NumberCondition,
    /// What is asked of the calling number: of the first P-Asserted-Identity that has one, if its sender is trusted, else of
    /// From.
    pub calling: NumberCondition,
    /// Headers; all of them must hold.
    pub headers: Vec<HeaderCondition>,
    /// Types of the body, or of a part of it: `application/sdp`, `application/*`.
    pub body_types: Vec<String>,
    /// Media of the session description: `audio`, `video`.
    pub media: Vec<String>,
    /// Codecs of the session description by their encoding name: `AMR-WB` (RFC 8866 §6.6).
    pub codecs: Vec<String>,
    /// Option tags in Require, Proxy-Require or Supported.
    pub option_tags: Vec<String>,
    /// Values of Resource-Priority (RFC 4412), or namespaces: `ets.0`, `wps`.
    pub resource_priorities: Vec<String>,
    /// Is it for an emergency service (`urn:service:sos`, RFC 5031)?
    pub emergency: Option<bool>,
    /// What the last `Enum` rule led to; never holds before one ran.
    pub enum_outcomes: Vec<crate::input::EnumOutcome>,
    /// Scenarios of the `iotl` parameter of the Request-URI (RFC 7549): `homeA-homeB`.
    pub iotls: Vec<String>,
    /// Times of the week.
    pub times: Vec<TimeCondition>,
    /// So many of ten thousand calls, the same ones however often they are asked about.
    pub share: Option<u16>,
    /// All of these hold.
    pub all: Vec<Self>,
    /// One of these holds.
    pub any: Vec<Self>,
    /// This does not hold.
    pub not: Option<Box<Self>>,
}

/// What is asked of a global number (`+` and digits).
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct NumberCondition {
    /// Beginnings: `+44`, `+4490`.
    pub prefixes: Vec<String>,
    /// From and to, both in it and with as many digits: `+441632960000`, `+441632960999`.
    pub ranges: Vec<(String, String)>,
    /// Least and greatest count of digits.
    pub digits: Option<(u8, u8)>,
    /// Lists.
    pub lists: Vec<ListCondition>,
}

/// Membership of a list of numbers or prefixes.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ListCondition {
    /// Id of the list.
    pub list: String,
    /// Classes, one of which the longest entry must have; any when empty.
    #[serde(default)]
    pub classes: Vec<String>,
}

/// What is asked of a header.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HeaderCondition {
    /// Its name.
    pub header: String,
    /// A parameter of its values, instead of the values themselves.
    #[serde(default)]
    pub parameter: Option<String>,
    /// What must be there.
    pub test: HeaderTest,
}

/// What is asked of a header or of a parameter; of several values one has to pass.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HeaderTest {
    /// It is there, or it is not.
    Present(bool),
    /// It is one of these, without regard to case.
    Equals(Vec<String>),
    /// This regular expression matches somewhere in it.
    Regex(String),
}

/// A time of the week, in a time zone.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TimeCondition {
    /// Bit *n*: a day of the week, from Monday.
    pub days: u8,
    /// Minutes of the day: from the first, up to but without the second. A second that is not later is of the next day.
    pub minutes: (u16, u16),
    /// How many seconds the zone is ahead of UTC, from when on (seconds since 1970), ascending. Before the first: UTC.
    pub offsets: Vec<(i64, i32)>,
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
