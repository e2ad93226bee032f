//! Requests of keys that a pattern was found of: refused, or passed at a rate.

use std::sync::Arc;

use crate::admit::Rate;
use crate::border::{Border, Scope};
use crate::message::Message;
use crate::pattern::{View, Watched};
use crate::reason::Reason;
use crate::screen::Rejection;
use crate::snapshot::KeyKind;
use crate::trace::Stage;

use super::RequestContext;

impl Border {
    /// Refuses what a pattern holds, of the requests with *tag* or of all. Costs a look at one number while nothing is held.
    pub(super) fn check_watchlist(
        &mut self,
        context: &RequestContext,
        tag: Option<&str>,
        message: Option<&Message<'_>>,
        scope: &mut Scope<'_>,
    ) -> Result<(), Rejection> {
        if let Some(newer) = self.shared.detectors.lists.newer_than(&mut self.watchlist_version) {
            self.watchlist = newer;
        }
        if self.watchlist.is_empty() || context.exemption.is_some() {
            return Ok(());
        }
        let list = Arc::clone(&self.watchlist);
        for view in list.views(tag) {
            if let Some(watched) = self.watched(context, view, message, scope) {
                self.pass_watched(watched, scope)?;
            }
        }
        Ok(())
    }

    /// What is said of the key that the request has for *view*.
    fn watched<'v>(
        &mut self,
        context: &RequestContext,
        view: &'v View,
        message: Option<&Message<'_>>,
        scope: &Scope<'_>,
    ) -> Option<&'v Watched> {
        let number = self.key_of(context, view.by, view.digits, message);
        let key = match view.by {
            KeyKind::Peer => &*context.generation.snapshot.peer(context.upstream).id,
            _ => std::str::from_utf8(&number).unwrap_or_default(),
        };
        let watched = view.find(key, scope.now.unix_ms)?;
        let method = context.method();
        watched.methods.iter().any(|one| one.as_bytes() == method.as_bytes()).then_some(watched)
    }

    fn pass_watched(&self, watched: &Watched, scope: &mut Scope<'_>) -> Result<(), Rejection> {
        let passes =
            |(rate, bucket): &(Rate, Arc<crate::admit::TokenBucket>)| bucket.take(*rate, scope.now.time);
        let is_passed = watched.rate.as_ref().is_some_and(passes);
        if let Some(shard) = watched.counts.get(usize::from(self.worker)) {
            if is_passed { shard.passed.one() } else { shard.refused.one() }
        }
        if is_passed {
            return Ok(());
        }
        let reason = if watched.rate.is_some() { Reason::PatternThrottled } else { Reason::PatternBlocked };
        let text = || reason.entry().text.to_owned();
        scope.step(Stage::Decide, Some(&watched.pattern), "held", text, Some("SEC-22"));
        Err(Rejection::answering(reason, watched.status))
    }
}
