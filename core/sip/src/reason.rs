//! The closed catalogue of reasons: why this border refused, failed or ended something.
//!
//! The id is the same in the Reason header, the log, the CDR, the metric label and `explain`.
//! Ids are never renamed. What the *peer* said (its status and reason phrase) stands beside ours, never replaced by it.

use serde::Serialize;

/// Who caused it: a metric label and a CDR field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// The side that sent the request.
    Upstream,
    /// The side that the request was sent to.
    Downstream,
    /// This border.
    Internal,
    /// What the operator configured.
    Policy,
    /// The DNS (ENUM, location).
    Dns,
}

impl Source {
    /// Returns the name used in records, logs and metric labels.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Upstream => "upstream",
            Self::Downstream => "downstream",
            Self::Internal => "internal",
            Self::Policy => "policy",
            Self::Dns => "dns",
        }
    }
}

/// One entry of the catalogue.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Entry {
    /// Stable id, `stage.what`.
    pub id: &'static str,
    /// SIP status answered unless the rule says otherwise.
    pub status: u16,
    /// Reason phrase of that answer.
    pub phrase: &'static str,
    /// Cause for a `Reason: Q.850` header (ITU-T Q.850).
    pub q850: u8,
    /// Whose fault.
    pub source: Source,
    /// What happened, for people.
    pub text: &'static str,
    /// Clause or requirement.
    pub clause: &'static str,
    /// What to do next.
    pub advice: &'static str,
}

macro_rules! catalogue {
    ($($variant:ident { $id:literal, $status:literal $phrase:literal, q850: $q850:literal, $source:ident,
        $text:literal, clause: $clause:literal, advice: $advice:literal })+) => {
        /// A reason of the catalogue.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[allow(missing_docs)] // each is documented by its entry's `text`
        #[repr(u8)]
        pub enum Reason { $($variant),+ }

        impl Reason {
            /// Every reason, in the order of the stages.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// Returns the catalogue entry.
            pub const fn entry(self) -> &'static Entry {
                match self {
                    $(Self::$variant => &Entry {
                        id: $id, status: $status, phrase: $phrase, q850: $q850, source: Source::$source,
                        text: $text, clause: $clause, advice: $advice,
                    }),+
                }
            }
        }
    };
}

catalogue! {
    Malformed { "parse.malformed", 400 "Bad Request", q850: 111, Upstream,
        "the message breaks the grammar of RFC 3261 in a place that the border needs",
        clause: "RFC 3261 §16.3 (1)", advice: "show the sender the header named in the log" }
    BadVersion { "parse.version", 505 "Version Not Supported", q850: 111, Upstream,
        "the SIP version is not 2.0", clause: "RFC 3261 §21.5.6", advice: "correct the sender" }
    TooLarge { "parse.too_large", 513 "Message Too Large", q850: 111, Upstream,
        "the message, a header line or a list is above its limit", clause: "RFC 3261 §21.5.7, SEC-10",
        advice: "raise limits.* if the sender is right" }
    UnknownSource { "admit.unknown_source", 403 "Forbidden", q850: 57, Upstream,
        "the source address belongs to no configured peer", clause: "EN-04", advice: "add the address to the peer's sources, or ignore the scanner" }
    Rate { "admit.rate", 503 "Service Unavailable", q850: 42, Upstream,
        "the peer sends more requests a second than agreed", clause: "SEC-13", advice: "compare with the agreement; raise peers[].limits" }
    Overload { "admit.overload", 503 "Service Unavailable", q850: 42, Internal,
        "a table of this node is full", clause: "RFC 3261 §21.5.4", advice: "add nodes, or raise limits.*" }
    QueueDelay { "admit.queue_delay", 503 "Service Unavailable", q850: 42, Internal,
        "messages wait too long before this node looks at them", clause: "RFC 7339 §5.10.2, OC-07", advice: "add nodes or workers; see ibcf_queue_delay_seconds" }
    Draining { "admit.draining", 503 "Service Unavailable", q850: 41, Internal,
        "this node is going out of service", clause: "RFC 3261 §21.5.4", advice: "none: the peer tries another node" }
    TooManyHops { "screen.max_forwards", 483 "Too Many Hops", q850: 25, Upstream,
        "Max-Forwards is 0", clause: "RFC 3261 §16.3 (3)", advice: "look for a routing loop between the networks" }
    Loop { "screen.loop", 482 "Loop Detected", q850: 25, Upstream,
        "the request came back here unchanged", clause: "RFC 5393 §4.2", advice: "look for routes that point at each other" }
    Merged { "screen.merged", 482 "Loop Detected", q850: 25, Upstream,
        "the request is here already, by another path", clause: "RFC 3261 §8.2.2.2", advice: "look for a network that forks to two addresses of this border" }
    MaxBreadth { "screen.max_breadth", 440 "Max-Breadth Exceeded", q850: 25, Upstream,
        "Max-Breadth is 0: the networks before forked the request too often", clause: "RFC 5393 §5", advice: "look for forks that feed each other" }
    SessionInterval { "screen.session_interval", 422 "Session Interval Too Small", q850: 111, Policy,
        "Session-Expires is shorter than agreed", clause: "RFC 4028 §8.1, PX-60", advice: "none: the caller tries again with our Min-SE" }
    UriScheme { "screen.uri_scheme", 416 "Unsupported URI Scheme", q850: 28, Upstream,
        "the Request-URI is of a scheme that cannot cross", clause: "RFC 3261 §16.3 (2)", advice: "correct the sender" }
    OptionTag { "screen.option_tag", 420 "Bad Extension", q850: 29, Policy,
        "Proxy-Require names an option that is not agreed", clause: "RFC 3261 §16.3 (5), SC-18", advice: "add it to agreements[].option_tags if it is agreed" }
    Method { "screen.method", 405 "Method Not Allowed", q850: 29, Policy,
        "the method is not agreed with this peer", clause: "SC-15, NNI-01", advice: "add it to agreements[].methods if it is agreed" }
    BodySize { "screen.body_size", 413 "Request Entity Too Large", q850: 111, Policy,
        "the body is longer than agreed", clause: "SC-09, SC-10", advice: "raise agreements[].body_size_max if it is agreed" }
    HeaderSize { "screen.header_size", 513 "Message Too Large", q850: 111, Policy,
        "the headers are longer than agreed", clause: "SEC-10", advice: "raise agreements[].header_size_max if it is agreed" }
    Header { "screen.header", 403 "Forbidden", q850: 111, Policy,
        "a header stands in the request that is not agreed", clause: "SC-05, SC-17",
        advice: "the trace names it; add it to agreements[].screening.headers.allow if it is agreed" }
    HeaderLookalike { "screen.header_lookalike", 400 "Bad Request", q850: 111, Policy,
        "the name of a header looks like that of another one", clause: "SEC-12", advice: "the trace names it; treat as an attack, or correct the sender" }
    HeaderRepeated { "screen.header_repeated", 400 "Bad Request", q850: 111, Policy,
        "a header stands more than once that may stand once", clause: "SEC-12", advice: "the trace names it; correct the sender" }
    BodyType { "screen.body_type", 415 "Unsupported Media Type", q850: 79, Policy,
        "a body, or a part of one, is of a type that is not agreed, and has to be understood", clause: "SC-12, SC-13, RFC 5621",
        advice: "the trace names it; add it to agreements[].screening.bodies.allow if it is agreed" }
    BodyParts { "screen.body_parts", 413 "Request Entity Too Large", q850: 111, Policy,
        "the body has more than 10 parts, or more than 3 levels of them", clause: "SEC-10", advice: "correct the sender" }
    BodyMalformed { "screen.body_malformed", 400 "Bad Request", q850: 111, Policy,
        "the parts of the body cannot be told apart for sure", clause: "RFC 2046 §5.1, SEC-12", advice: "treat as an attack, or correct the sender" }
    OptionForbidden { "screen.option_forbidden", 420 "Bad Extension", q850: 29, Policy,
        "Require names an option that may not cross", clause: "RFC 3261 §8.2.2.3, SC-18", advice: "see agreements[].screening.options" }
    CalledNumber { "screen.called_number", 484 "Address Incomplete", q850: 28, Policy,
        "the number that is called is not of the agreed form", clause: "RFC 3966 §5.1, TEL-19", advice: "see what format the peer sends; agreements[].screening.numbers" }
    CallingNumber { "screen.calling_number", 400 "Bad Request", q850: 111, Policy,
        "a number that calls is not of the agreed form", clause: "RFC 3966 §5.1, TEL-19", advice: "see what format the peer sends; agreements[].screening.numbers" }
    Identity { "screen.identity", 400 "Bad Request", q850: 111, Policy,
        "a header that says who calls, by which way or who is charged is malformed", clause: "RFC 3325 §9.1, RFC 8224 §4, RFC 7044 §5, RFC 7315 §5.6",
        advice: "the trace names it; correct the sender" }
    MediaAddress { "screen.media_address", 488 "Not Acceptable Here", q850: 88, Policy,
        "media would go to an address that is not reached from everywhere", clause: "SEC-27", advice: "the trace names it; see agreements[].screening.addresses.allowed" }
    ContactAddress { "screen.contact_address", 403 "Forbidden", q850: 111, Policy,
        "Contact names an address that is not reached from everywhere", clause: "SEC-27, SEC-28", advice: "the trace names it; see agreements[].screening.addresses.allowed" }
    EscapedHeaders { "screen.escaped_headers", 403 "Forbidden", q850: 57, Policy,
        "a URI in Contact or Refer-To carries headers", clause: "RFC 3261 §19.1.5, SEC-29, SEC-31", advice: "treat as an attack unless transfers are agreed" }
    UntrustedOrig { "screen.untrusted_orig", 403 "Forbidden", q850: 57, Upstream,
        "an untrusted peer asked for originating service (Route with `orig`)", clause: "EN-13", advice: "treat as an attack unless the peer should be trusted" }
    OutOfDialog { "screen.out_of_dialog", 481 "Call/Transaction Does Not Exist", q850: 41, Upstream,
        "a request inside a dialog without the Route that this border gave out", clause: "SEC-26, RFC 3261 §12.2.2",
        advice: "look whether the sender kept the Record-Route" }
    Forbidden { "decide.forbidden", 403 "Forbidden", q850: 21, Policy,
        "a route of the policy forbids it", clause: "GEN-04", advice: "see the rule" }
    Dropped { "decide.dropped", 403 "Forbidden", q850: 21, Policy,
        "a route of the policy drops it: the sender is told nothing", clause: "GEN-04", advice: "see the rule" }
    NoRoute { "decide.no_route", 404 "Not Found", q850: 3, Policy,
        "no route of the policy matches", clause: "EX-22", advice: "add a route, or a last one that rejects with a reason of your choice" }
    NumberUnknown { "decide.number_unknown", 404 "Not Found", q850: 1, Dns,
        "ENUM knows no SIP address for the number", clause: "ENUM-47", advice: "check the number with `ibcf enum`" }
    NumberIncomplete { "decide.number_incomplete", 484 "Address Incomplete", q850: 28, Upstream,
        "the number is too short or not an E.164 number", clause: "ENUM-48, TEL-09", advice: "see what format the peer sends" }
    EnumFailed { "decide.enum_failed", 500 "Server Internal Error", q850: 38, Dns,
        "ENUM gave no answer in time or an error", clause: "ENUM-47", advice: "check the ENUM servers with `ibcf enum`" }
    HookFailed { "decide.hook_failed", 500 "Server Internal Error", q850: 41, Policy,
        "a hook of the policy gave no usable answer in time", clause: "GEN-04",
        advice: "see ibcf_hook_calls_total and hook.failed in the log" }
    LocationFailed { "decide.location_failed", 500 "Server Internal Error", q850: 38, Dns,
        "DNS names no server for the host of the Request-URI, or gave no answer in time", clause: "RFC 3263 §4, LOC-36",
        advice: "check the host with `ibcf locate`" }
    RewriteInvalid { "decide.rewrite_invalid", 404 "Not Found", q850: 28, Policy,
        "a rule would have made a Request-URI that is none, or that names no number any more", clause: "RFC 3261 §19.1, TEL-01",
        advice: "see the rule with `ibcf explain`; give it a match that takes only what it can change" }
    PeerCapacity { "decide.peer_capacity", 503 "Service Unavailable", q850: 34, Policy,
        "all peers of the route carry as many calls as agreed", clause: "SEC-13", advice: "raise peers[].limits.calls_max or add a peer to the route" }
    Limit { "decide.limit", 503 "Service Unavailable", q850: 42, Policy,
        "a limiter that a rule names has no room", clause: "SEC-13", advice: "see the rule and its limiter; raise limiters[] if so much is meant to pass" }
    PatternBlocked { "decide.blocked", 403 "Forbidden", q850: 21, Policy,
        "a pattern was found of this number, range or peer, which may not call for a time", clause: "SEC-15, SEC-22 to SEC-24",
        advice: "see `ibcf status`; `ibcf policy unblock` lets it go before its time" }
    PatternThrottled { "decide.throttled", 503 "Service Unavailable", q850: 42, Policy,
        "a pattern was found of this number, range or peer, which may not call so often for a time", clause: "SEC-15, SEC-22 to SEC-24",
        advice: "see `ibcf status`; `ibcf policy unblock` lets it go before its time" }
    TokenInvalid { "rewrite.token_invalid", 403 "Forbidden", q850: 57, Upstream,
        "the Route names this border with a token that it never sealed, or whose key is gone", clause: "SEC-28, TH-20",
        advice: "an attack, or a key that was removed while calls were up" }
    WrongSide { "rewrite.wrong_side", 403 "Forbidden", q850: 57, Upstream,
        "a peer that has no leg in the dialog used its token", clause: "SEC-26", advice: "treat as an attack" }
    NoTransaction { "forward.no_transaction", 481 "Call/Transaction Does Not Exist", q850: 101, Upstream,
        "CANCEL for a request that is not in progress here", clause: "RFC 3261 §16.10", advice: "none" }
    Cancelled { "forward.cancelled", 487 "Request Terminated", q850: 31, Upstream,
        "the caller gave up before an answer", clause: "RFC 3261 §16.10", advice: "none" }
    PeerOverload { "forward.peer_overload", 503 "Service Unavailable", q850: 42, Downstream,
        "every target asked for fewer requests than come", clause: "RFC 7339 §5.10, OC-07", advice: "none: they are overloaded; see ibcf_target_overload_percent" }
    Timeout { "forward.timeout", 408 "Request Timeout", q850: 18, Downstream,
        "no target answered in time", clause: "RFC 3261 §16.8", advice: "check the peer's reachability" }
    TimerC { "forward.timer_c", 408 "Request Timeout", q850: 19, Downstream,
        "the called side rang longer than Timer C", clause: "RFC 3261 §16.8", advice: "raise timers.c if longer ringing is agreed" }
    Unreachable { "forward.unreachable", 500 "Server Internal Error", q850: 38, Downstream,
        "no target of the route could be reached", clause: "RFC 3261 §16.9", advice: "check addresses, network and the peer's listeners" }
    Blocked { "forward.blocked", 500 "Server Internal Error", q850: 42, Downstream,
        "every target that is left asked by 503 with Retry-After to be left alone", clause: "RFC 3261 §21.5.4, LOC-33",
        advice: "ask the peer about its overload; peers[].health.retry_after_max bounds how long it is heeded" }
    RedirectRefused { "forward.redirect_refused", 480 "Temporarily Unavailable", q850: 23, Policy,
        "the called side sent the caller elsewhere, which the route does not allow", clause: "PX-23", advice: "see routes[].redirects" }
    AllTargetsFailed { "forward.all_targets_failed", 500 "Server Internal Error", q850: 41, Downstream,
        "every target answered with a failure that must not be passed on as it is", clause: "RFC 3261 §16.7 (6)", advice: "see the attempts in the CDR" }
    SessionExpired { "forward.session_expired", 408 "Request Timeout", q850: 102, Downstream,
        "neither side refreshed the session or ended it", clause: "RFC 4028 §8.3, PX-60", advice: "look for a lost BYE" }
    NodeStopped { "forward.node_stopped", 503 "Service Unavailable", q850: 41, Internal,
        "the node stopped while the call was up; the call itself may go on through another node", clause: "CH-46",
        advice: "none: expect the BYE in no record of this node" }
    Internal { "forward.internal", 500 "Server Internal Error", q850: 41, Internal,
        "a defect of this border", clause: "", advice: "report it with the saved message" }
}

impl Reason {
    /// Finds a reason by its id.
    pub fn from_id(id: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|reason| reason.entry().id == id)
    }

    /// Returns the id.
    pub const fn id(self) -> &'static str {
        self.entry().id
    }

    /// Returns the stage that owns the reason: the part of the id before the dot.
    pub fn stage(self) -> &'static str {
        self.id().split('.').next().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn ids_are_unique_and_name_a_stage() {
        let ids: HashSet<_> = Reason::ALL.iter().map(|reason| reason.id()).collect();
        assert_eq!(ids.len(), Reason::ALL.len());
        for reason in Reason::ALL {
            assert_eq!(Reason::from_id(reason.id()), Some(*reason));
            assert!(["parse", "admit", "screen", "decide", "rewrite", "forward"].contains(&reason.stage()));
            assert!((400..700).contains(&reason.entry().status));
        }
    }
}
