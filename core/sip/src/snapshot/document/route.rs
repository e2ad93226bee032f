//! Section `routes`: conditions and actions.

use serde::Deserialize;

use super::Condition;

/// One rule of routing. Rules are tried in order; the first whose condition holds decides, except that `Enum`, `Rewrite` and `Tag`
/// go on with the next one, `Hook` may, and `Limit` does while there is room.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct Route {
    pub id: String,
    #[serde(default)]
    pub condition: Condition,
    pub action: RouteAction,
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
    Reject(Refusal),
    /// Say nothing to whoever sent it.
    Drop {},
    /// Change it; go on with the next rule.
    Rewrite(Box<Rewrite>),
    /// Give it a name for its record, the log and the metrics; go on with the next rule.
    Tag {
        /// The name.
        tag: String,
    },
    /// Count it, and refuse it where there is no room; else go on with the next rule.
    Limit {
        /// Id of the limiter.
        limiter: String,
    },
    /// Copy the messages of the call into a trace; go on with the next rule.
    Mirror {},
    /// Ask a function of the operator's; go on with the next rule, unless it says otherwise.
    Hook {
        /// What is called: `module:function`.
        call: String,
        /// How long it may take.
        deadline_ms: u64,
        /// Tags that it may give.
        #[serde(default)]
        tags: Vec<String>,
        /// Without a usable answer: refuse it like this; go on when left out.
        #[serde(default)]
        fallback: Option<Refusal>,
    },
}

/// How a request is refused.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct Refusal {
    /// Id of the catalogue.
    pub reason: String,
    /// Another status than the catalogue's.
    #[serde(default)]
    pub status: Option<u16>,
    /// Another phrase than the catalogue's.
    #[serde(default)]
    pub phrase: Option<String>,
    /// So many seconds the sender should stay away (RFC 3261 §20.33).
    #[serde(default)]
    pub retry_after_s: Option<u32>,
}

/// What is changed in a request, in this order.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Rewrite {
    /// The number in the Request-URI.
    pub number: Option<NumberEdit>,
    /// Its user part, where it matches.
    pub user: Option<TextEdit>,
    /// Another form of the number in it.
    pub form: Option<UriForm>,
    /// Its host; the port goes.
    pub host: Option<String>,
    /// Parameters taken out of it.
    pub removed_parameters: Vec<String>,
    /// Parameters that it gets, with their values; an empty one is a parameter without a value.
    pub set_parameters: Vec<(String, String)>,
    /// The number in P-Asserted-Identity of the request that leaves.
    pub calling: Option<NumberEdit>,
    /// Ids of rule sets for the request that leaves.
    pub headers: Vec<String>,
}

/// Digits that go from the front of a number, with its `+` and separators, and what comes there.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct NumberEdit {
    #[serde(default)]
    pub strip: u8,
    #[serde(default)]
    pub prefix: String,
}

/// A regular expression and what replaces each of its matches.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct TextEdit {
    pub pattern: String,
    pub with: String,
}

/// How a URI says a number (RFC 3261 §19.1.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UriForm {
    /// A tel URI (RFC 3966).
    Tel,
    /// A SIP URI with `user=phone`.
    Sip,
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

pub(crate) fn failover_default() -> Vec<u16> {
    vec![430, 503]
}

pub(crate) fn attempts_default() -> u8 {
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
    #[serde(default = "super::peer::one")]
    pub weight: u16,
}
