//! What the border answers, and what of the answers it passes on (RFC 3261 §16.7).

use std::time::Duration;

use ibcf_sip::Time;

use super::requests::are_same_vias;
use super::watch::{Answered, CallWatch, Endpoint, Final, hash, hash_bytes, origin, transaction_key};
use crate::text::Text;

/// The headers of responses that the toy agreements, trust or RFC 3261 §16.7 are about.
const TOUCHED: [&str; 3] = ["Via", "P-Charging-Vector", "P-Asserted-Identity"];
/// No 100 answers a non-INVITE before (RFC 4320 §4.1).
const TRYING_DELAY: Duration = Duration::from_millis(3_400);
/// So long at least an INVITE is kept behind its failure (Timer I, RFC 3261 §17.2.1).
const INVITE_KEPT: Duration = Duration::from_secs(5);

impl CallWatch {
    pub(super) fn on_response_received(&mut self, text: &Text<'_>, status: u16, now: Time) {
        if let Some(leg) = self.leg(transaction_key(text, text.method())) {
            leg.has_response = true;
        }
        let answered = Answered {
            origin: origin(text, text.method()),
            status,
            passing: self.passing(text, &TOUCHED),
            at: now,
        };
        let is_known = |known: &Answered| Answered { at: known.at, ..answered } == *known;
        if !self.answered.iter().any(is_known) {
            self.answered.push(answered);
        }
    }

    pub(super) fn on_response_sent(
        &mut self,
        text: &Text<'_>,
        status: u16,
        bytes: &[u8],
        to: Endpoint,
        now: Time,
    ) -> Result<(), String> {
        let method = text.method();
        let is_own = !is_from_agent(text);
        self.judge_source(text, status, is_own)?;
        let Some(seen) = self.seen_by_key(transaction_key(text, method)) else {
            return Err(format!("a response to a {method} that never came: {}", text.start));
        };
        if seen.from.remote.ip() != to.remote.ip() {
            return Err(format!("the answer to a {method} went to {}, who did not ask", to.remote));
        }
        let (at, origin, is_invite) = (seen.at, seen.origin, method == "INVITE");
        if status == 100 && !is_invite && now < at + TRYING_DELAY && !seen.is_excused() {
            return Err(format!("a 100 answered a {method} at once (RFC 4320 §4.1)"));
        }
        if status >= 200 {
            seen.on_final(text, status, bytes, is_own, now)?;
            if to.is_stream && seen.sent > seen.times && !seen.is_excused() {
                return Err(format!("the answer to a {method} was sent twice over one stream"));
            }
        }
        let asked = self.asked_by_origin(origin);
        let vias: Vec<_> = text.all("Via").collect();
        if asked.is_some_and(|asked| !are_same_vias(&vias, &asked.vias)) {
            return Err(format!("the answer to a {method} does not have the Vias of the request: {vias:?}"));
        }
        Ok(())
    }

    /// Who said it: the border may not say some things, and may not pass on others.
    fn judge_source(&self, text: &Text<'_>, status: u16, is_own: bool) -> Result<(), String> {
        let method = text.method();
        if is_own {
            let is_late = status == 408 && method != "INVITE";
            return if is_late { Err(format!("a 408 answered a {method} (RFC 4320 §4.2)")) } else { Ok(()) };
        }
        if status == 503 {
            return Err(format!("a 503 was passed on (RFC 3261 §16.7 (6)): {method}"));
        }
        let origin = origin(text, method);
        let of_status =
            self.answered.iter().filter(|answered| answered.status == status && answered.origin == origin);
        let passing = self.passing(text, &TOUCHED);
        match of_status.map(|answered| answered.passing == passing).max() {
            Some(true) => Ok(()),
            Some(false) => Err(format!("a {status} to a {method} did not cross byte for byte")),
            None => Err(format!("a {status} to a {method} that nobody gave")),
        }
    }
}

impl super::watch::Seen {
    fn on_final(
        &mut self,
        text: &Text<'_>,
        status: u16,
        bytes: &[u8],
        is_own: bool,
        now: Time,
    ) -> Result<(), String> {
        let is_success = self.method == "INVITE" && status < 300;
        if is_success {
            let tag = hash(&[text.tag("To").unwrap_or_default()]);
            if !self.tags.contains(&tag) {
                self.tags.push(tag);
            }
        } else {
            self.sent += 1;
        }
        let has_reason = !text.first("Reason").is_empty();
        let bytes = if is_success { 0 } else { hash_bytes(bytes) };
        let Some(first) = self.answer else {
            self.answer = Some(Final { status, bytes, at: now, is_own, has_reason });
            return Ok(());
        };
        let is_same = (first.status, first.bytes) == (status, bytes) || (is_success && first.bytes == 0);
        // A CANCEL has no transaction of its own at the border: when its INVITE is gone, nothing is left that it could be for.
        let is_late_cancel = self.method == "CANCEL" && status == 481 && now >= first.at + INVITE_KEPT;
        if is_same || self.is_excused() || is_late_cancel {
            return Ok(());
        }
        Err(format!("a second final response to one {}: {}, then {status}", self.method, first.status))
    }
}

/// Was it given by an agent, and not by the border? Every agent writes headers that the border has no reason to write.
fn is_from_agent(text: &Text<'_>) -> bool {
    ["X-Order", "Subject"].iter().any(|name| text.all(name).next().is_some())
}
