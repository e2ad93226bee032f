//! A hook of the operator's: what a rule says about it, what it may answer, and whether that is fit for use.
//!
//! What a hook answers is somebody else's word, as what DNS answers is: everything in it is looked at before any of it counts.

use std::time::Duration;

use serde::Deserialize;

use super::action::RouteChoice;
use crate::message::{Uri, UriKind};
use crate::reason::Reason;
use crate::rewrite::HeaderEdit;
use crate::screen::Rejection;

/// Edits that one hook may ask for.
pub const EDITS_MAX: usize = 32;
/// Characters of a phrase, as for a rule that refuses.
const PHRASE_CHARS_MAX: usize = 100;
/// A day, as for a rule that refuses.
const RETRY_AFTER_S_MAX: u32 = 86_400;

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

/// How a request is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Why, from the catalogue.
    pub reason: Reason,
    /// Status to answer.
    pub status: u16,
    /// Its phrase.
    pub phrase: String,
    /// How many seconds the sender should stay away.
    pub retry_after_s: Option<u32>,
}

impl Refusal {
    /// Returns what is answered.
    pub fn rejection(&self) -> Rejection {
        let rejection = Rejection::with_status(self.reason, self.status, &self.phrase);
        match self.retry_after_s {
            Some(seconds) => rejection.with_header("Retry-After", seconds.to_string().into_bytes()),
            None => rejection,
        }
    }
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
    Reject {
        /// Id of the catalogue.
        reason: String,
        /// Another status than the catalogue's.
        #[serde(default)]
        status: Option<u16>,
        /// Another phrase than the catalogue's.
        #[serde(default)]
        phrase: Option<String>,
        /// So many seconds the sender should stay away (RFC 3261 §20.33).
        #[serde(default)]
        retry_after_s: Option<u32>,
    },
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
            Self::Reject { .. } => self.refusal().err(),
        }
    }

    /// How the request is refused, if it is.
    pub fn refusal(&self) -> Result<Option<Refusal>, String> {
        let Self::Reject { reason, status, phrase, retry_after_s } = self else { return Ok(None) };
        let found =
            Reason::from_id(reason).ok_or_else(|| format!("\"{reason}\" is no reason of the catalogue"))?;
        let entry = found.entry();
        let status = status.unwrap_or(entry.status);
        if !(400..700).contains(&status) {
            return Err(format!("status {status} is not 400 to 699"));
        }
        let phrase = phrase.clone().unwrap_or_else(|| entry.phrase.to_owned());
        if phrase.chars().any(char::is_control) || !(1..=PHRASE_CHARS_MAX).contains(&phrase.chars().count()) {
            return Err(format!("the phrase is not a line of 1 to {PHRASE_CHARS_MAX} characters"));
        }
        if retry_after_s.is_some_and(|seconds| !(1..=RETRY_AFTER_S_MAX).contains(&seconds)) {
            return Err("retry_after is not 1 second to 1 day".to_owned());
        }
        Ok(Some(Refusal { reason: found, status, phrase, retry_after_s: *retry_after_s }))
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
