//! What rules with a hook or a `rewrite` changed in an initial request: the Request-URI and the number for the rules behind them
//! and for ENUM, headers when the request is written for a target.
//!
//! Each change has the position of its rule. Where rules are evaluated again, for the next URI of a look-up or for a Contact, what
//! they changed is forgotten first.

use arrayvec::ArrayString;

use crate::border::Scope;
use crate::decide::{HookChanges, NumberKind, Rewrite, global_number, may_be_request_uri, number_kind};
use crate::message::Uri;
use crate::reason::Reason;
use crate::rewrite::HeaderEdit;
use crate::screen::Rejection;
use crate::trace::Stage;

use super::RequestContext;

/// The changes, in the order of their rules.
#[derive(Clone, Debug, Default)]
pub(crate) struct Changed {
    edits: Vec<(usize, HeaderEdit)>,
    request_uris: Vec<(usize, Box<[u8]>)>,
    /// No number where a rule made it a local one.
    numbers: Vec<(usize, Option<ArrayString<17>>)>,
    /// Positions of rules that rewrite what leaves.
    rewrites: Vec<usize>,
}

impl Changed {
    pub(super) fn request_uri(&self) -> Option<&[u8]> {
        self.request_uris.last().map(|(_, uri)| &**uri)
    }

    /// The number that is called, which was *received* before.
    pub(super) fn number<'n>(&'n self, received: Option<&'n ArrayString<17>>) -> Option<&'n ArrayString<17>> {
        self.numbers.last().map_or(received, |(_, number)| number.as_ref())
    }

    pub(super) fn edits(&self) -> &[(usize, HeaderEdit)] {
        &self.edits
    }

    pub(super) fn rewrites(&self) -> &[usize] {
        &self.rewrites
    }

    /// ENUM gave a Request-URI, which takes the place of an earlier one.
    pub(super) fn forget_request_uri(&mut self) {
        self.request_uris.clear();
    }

    /// The rules from *position* on are evaluated again: so is what they changed.
    pub(super) fn forget_from(&mut self, position: usize) {
        self.edits.retain(|(rule, _)| *rule < position);
        self.request_uris.retain(|(rule, _)| *rule < position);
        self.numbers.retain(|(rule, _)| *rule < position);
        self.rewrites.retain(|rule| *rule < position);
    }

    /// Takes what the hook of the rule at *position* said.
    pub(super) fn take_hook(&mut self, position: usize, changes: &HookChanges) {
        self.edits.extend(changes.edits.iter().map(|edit| (position, edit.clone())));
        if let Some(uri) = &changes.request_uri {
            self.take_request_uri(position, uri.as_bytes());
        }
    }

    /// As behind ENUM, a URI without a number leaves the one that was called.
    fn take_request_uri(&mut self, position: usize, uri: &[u8]) {
        self.request_uris.push((position, uri.into()));
        if let Ok(parsed) = Uri::parse(uri)
            && number_kind(&parsed) != NumberKind::None
        {
            self.numbers.push((position, global_number(&parsed)));
        }
    }
}

/// Does what the rule at *position* says.
pub(super) fn rewrite_request(
    context: &mut RequestContext,
    (rule, position): (&str, usize),
    rewrite: &Rewrite,
    scope: &mut Scope<'_>,
) -> Result<(), Rejection> {
    let before = context.request_uri();
    let made = rewrite.uri.as_ref().map_or(Ok(None), |edit| edit.apply(before)).and_then(|made| {
        let bytes_max = context.generation.snapshot.limits.uri_bytes_max;
        match made {
            Some(made) if !may_be_request_uri(&made, bytes_max) => Err("the result may not be a Request-URI"),
            made => Ok(made),
        }
    });
    let text = |uri: &[u8]| String::from_utf8_lossy(uri).into_owned();
    let made = match made {
        Ok(made) => made,
        Err(why) => {
            let detail = || format!("{}: {why}", text(before));
            scope.step(Stage::Decide, Some(rule), "refused", detail, Some("RFC 3261 §19.1"));
            context.decision.rule = Some(position);
            return Err(Rejection::new(Reason::RewriteInvalid));
        }
    };
    if let Some(made) = &made {
        let detail = || format!("{} → {}", text(before), text(made));
        scope.step(Stage::Decide, Some(rule), "rewritten", detail, Some("RFC 3261 §16.6 (2)"));
    }
    let changed = context.decision.changed.get_or_insert_default();
    if let Some(made) = made {
        changed.take_request_uri(position, &made);
    }
    if rewrite.calling.is_some() || !rewrite.headers.is_empty() {
        changed.rewrites.push(position);
    }
    Ok(())
}
