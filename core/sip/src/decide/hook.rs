//! A hook of the operator's: what a rule says about it, what it may answer, and whether that is fit for use.
//!
//! What a hook answers is somebody else's word, as what DNS answers is: everything in it is looked at before any of it counts.

use std::time::Duration;

use serde::Deserialize;

use super::action::RouteChoice;
use super::refusal::Refusal;
use crate::message::{Uri, UriKind};
use crate::rewrite::HeaderEdit;
use crate::snapshot::document;

/// Edits that one hook may ask for.
pub const EDITS_MAX: usize = 32;
/// What a rule says about its hook.
#[derive(Debug, PartialEq, Eq)]
pub struct Hook {
    /// What is called: `module:function`.
    pub call: String,
    /// How long it may take.
    pub deadline: Duration,
    /// Tags that it may give: their names and numbers.
    pub tags: Vec<(String, u16)>,
    /// What becomes of the request without a usable answer; it goes on with the next rule when there is none.
    pub fallback: Option<Refusal>,
    /// How a peer is tried that it names.
    pub choice: RouteChoice,
}

/// What a hook answers.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(tag = "verdict", rename_all = "snake_case", deny_unknown_fields)]
pub enum HookVerdict {
    /// The next rule follows.
    Continue {
        /// What is otherwise from now on.
        #[serde(default)]
        changes: HookChanges,
    },
    /// It goes to this peer.
    Route {
        /// The peer's id.
        peer: String,
        /// What is otherwise from now on.
        #[serde(default)]
        changes: HookChanges,
    },
    /// It is refused.
    Reject(document::Refusal),
    /// There is no usable answer: what the rule has for that case follows at once.
    Failed,
}

/// What a hook wants otherwise.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HookChanges {
    /// Headers of the request that leaves.
    #[serde(default)]
    pub edits: Vec<HeaderEdit>,
    /// The new Request-URI.
    #[serde(default)]
    pub request_uri: Option<String>,
    /// A name for record, log and counter, of those that the rule lists.
    #[serde(default)]
    pub tag: Option<String>,
}

impl HookVerdict {
    /// Says what is wrong with it, as far as that can be told without the policy; *`uri_bytes_max`* is that of the limits.
    pub fn fault(&self, uri_bytes_max: usize) -> Option<String> {
        match self {
            Self::Failed => None,
            Self::Continue { changes } | Self::Route { changes, .. } => changes.fault(uri_bytes_max),
            Self::Reject(refusal) => Refusal::compile(refusal).err().map(|(_, problem)| problem),
        }
    }
}

impl HookChanges {
    fn fault(&self, uri_bytes_max: usize) -> Option<String> {
        if self.edits.len() > EDITS_MAX {
            return Some(format!("{} edits, more than {EDITS_MAX}", self.edits.len()));
        }
        if let Some(uri) = &self.request_uri
            && !may_be_request_uri(uri.as_bytes(), uri_bytes_max)
        {
            return Some("request_uri may not be a Request-URI".to_owned());
        }
        self.edits.iter().find_map(HeaderEdit::fault)
    }
}

/// May what somebody else wrote become the Request-URI?
///
/// Headers may not stand there (RFC 3261 §19.1.1 table 1): a next hop could take them for headers of the request.
pub fn may_be_request_uri(uri: &[u8], bytes_max: usize) -> bool {
    uri.len() <= bytes_max
        && Uri::parse(uri).is_ok_and(|uri| {
            uri.kind != UriKind::Other && uri.headers.is_none() && !uri.params.has(b"method")
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn fault(verdict: Value) -> Option<String> {
        serde_json::from_value::<HookVerdict>(verdict).expect("a verdict").fault(256)
    }

    #[test]
    fn what_is_fit_for_use_has_no_fault() {
        for verdict in [
            json!({"verdict": "failed"}),
            json!({"verdict": "continue"}),
            json!({"verdict": "route", "peer": "carrier_b", "changes": {"request_uri": "sip:+441@b.example"}}),
            json!({"verdict": "continue", "changes": {"tag": "roamer", "edits": [
                {"kind": "set", "header": "X-Roaming", "value": "yes"}, {"kind": "remove", "header": "Subject"}]}}),
            json!({"verdict": "reject", "reason": "decide.forbidden", "status": 603, "phrase": "Décliné", "retry_after_s": 60}),
        ] {
            assert_eq!(fault(verdict.clone()), None, "{verdict}");
        }
    }

    #[test]
    fn nonsense_is_named() {
        let edit = |edit: Value| json!({"verdict": "continue", "changes": {"edits": [edit]}});
        let many = vec![json!({"kind": "remove", "header": "Subject"}); EDITS_MAX + 1];
        for (verdict, expected) in [
            (json!({"verdict": "reject", "reason": "decide.nothing"}), "no reason of the catalogue"),
            (json!({"verdict": "reject", "reason": "decide.forbidden", "status": 200}), "not 400 to 699"),
            (json!({"verdict": "reject", "reason": "decide.forbidden", "phrase": "a\r\nb"}), "not a line"),
            (json!({"verdict": "reject", "reason": "decide.forbidden", "phrase": ""}), "not a line"),
            (json!({"verdict": "reject", "reason": "decide.forbidden", "retry_after_s": 0}), "not 1 second"),
            (json!({"verdict": "continue", "changes": {"request_uri": "sip:a?Via=x"}}), "may not be"),
            (json!({"verdict": "continue", "changes": {"request_uri": "no uri"}}), "may not be"),
            (json!({"verdict": "continue", "changes": {"edits": many}}), "33 edits"),
            (edit(json!({"kind": "set", "header": "Via", "value": "x"})), "Via"),
            (edit(json!({"kind": "remove", "header": "from"})), "From"),
            (edit(json!({"kind": "add", "header": "X:Y", "value": "x"})), "not a header name"),
            (edit(json!({"kind": "add", "header": "X-Y", "value": "a\r\nVia: x"})), "one header line"),
        ] {
            let found = fault(verdict.clone()).unwrap_or_default();
            assert!(found.contains(expected), "{verdict}: {found}");
        }
    }
}
