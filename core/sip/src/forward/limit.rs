//! What limiters say of a request: the key that it is counted by, and its places until it is over.

use std::net::IpAddr;

use arrayvec::ArrayVec;

use crate::admit::{LimitResult, NoRoom};
use crate::border::{Border, Scope};
use crate::decide;
use crate::message::Message;
use crate::parse;
use crate::screen::Rejection;
use crate::snapshot::{KeyKind, Limiter, LimiterIndex, first_digits};
use crate::trace::Stage;

use super::RequestContext;

/// An address, or a number with its `+`: whatever is not a name.
type KeyBytes = ArrayVec<u8, 17>;

impl Border {
    /// Counts the request by the limiter at *index*, once however often its rules hold.
    pub(super) fn limit(
        &mut self,
        context: &mut RequestContext,
        index: LimiterIndex,
        message: Option<&Message<'_>>,
        scope: &mut Scope<'_>,
    ) -> Result<(), Rejection> {
        if context.decision.counted.contains(&index) {
            return Ok(());
        }
        context.decision.counted.push(index);
        let generation = std::sync::Arc::clone(&context.generation);
        let limiter = &generation.snapshot.limiters[index.at()];
        let state = generation.limiter(index);
        let worker = usize::from(self.worker);
        if let Some(exemption) = context.exemption {
            state.statistics().count(worker, LimitResult::Exempt);
            let text = || exemption.text().to_owned();
            scope.step(Stage::Decide, Some(&limiter.id), "exempt", text, Some(exemption.clause()));
            return Ok(());
        }
        let key = self.key_of(context, limiter.by, limiter.digits, message);
        let key = match limiter.by {
            KeyKind::Peer => generation.snapshot.peer(context.upstream).id.as_bytes(),
            _ => key.as_slice(),
        };
        let taken = state.take(limiter, key, context.is_invite(), worker, scope.now.time);
        let result = if taken.is_ok() { LimitResult::Passed } else { LimitResult::Refused };
        state.statistics().count(worker, result);
        let text = || trace_text(limiter, key, taken.as_ref().err().copied());
        match result {
            LimitResult::Refused => {
                scope.step(Stage::Decide, Some(&limiter.id), "full", text, Some("SEC-13"));
            }
            _ => scope.step(Stage::Decide, Some(&limiter.id), "counted", text, Some("SEC-13")),
        }
        context.limiter_places.extend(taken.map_err(|_| limiter.rejection())?);
        Ok(())
    }

    /// By what the request is counted; nothing where it does not have it, so all those are counted together.
    pub(super) fn key_of(
        &mut self,
        context: &RequestContext,
        by: KeyKind,
        digits: Option<u8>,
        message: Option<&Message<'_>>,
    ) -> KeyBytes {
        let number = match by {
            KeyKind::All | KeyKind::Peer => return KeyBytes::new(),
            KeyKind::Source => return address_bytes(context.arrival.flow.remote.ip()),
            KeyKind::Called => context.decision.number_now().copied(),
            KeyKind::Calling => self.calling_number(context, message),
        };
        let number = number.as_deref().map_or("", |number| first_digits(number, digits));
        number.bytes().collect()
    }

    /// The global number that calls, from *message* or what is kept of it.
    fn calling_number(
        &mut self,
        context: &RequestContext,
        message: Option<&Message<'_>>,
    ) -> Option<arrayvec::ArrayString<17>> {
        let trusted = context.generation.snapshot.agreement(context.upstream).trusted;
        if let Some(message) = message {
            return decide::calling_number(message, trusted);
        }
        let mut index = self.stored_index.take().unwrap_or_default();
        let kept = parse::parse_kept(&context.request, &mut index).ok();
        let number = kept.and_then(|message| decide::calling_number(&message, trusted));
        self.stored_index = Some(index);
        number
    }
}

/// IPv4-mapped IPv6 addresses count as the IPv4 address inside (PX-72).
fn address_bytes(address: IpAddr) -> KeyBytes {
    match address.to_canonical() {
        IpAddr::V4(address) => address.octets().into_iter().collect(),
        IpAddr::V6(address) => address.octets().into_iter().collect(),
    }
}

fn trace_text(limiter: &Limiter, key: &[u8], no_room: Option<NoRoom>) -> String {
    let whose = match limiter.by {
        KeyKind::All => String::new(),
        KeyKind::Source => " by source".to_owned(),
        by if key.is_empty() => format!(" of no number {}", by.name()),
        by => format!(" of {} {}", by.name(), String::from_utf8_lossy(key)),
    };
    let why = match no_room {
        None => "",
        Some(NoRoom::Rate) => ": too many in that time",
        Some(NoRoom::Calls) => ": too many calls",
    };
    format!("{}{whose}{why}", limiter.text)
}
