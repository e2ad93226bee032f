//! Bodies that may cross (SC-09 to SC-14): types by agreement, the parts of a multipart by type and handling (RFC 5621), sizes.
//!
//! | a type that is not agreed | `by_handling` | `remove` | `refuse` |
//! |---|---|---|---|
//! | handling=required, or not said (RFC 3261 §20.11) | 415 | removed | 415 |
//! | handling=optional, or one choice of multipart/alternative | removed | removed | 415 |
//!
//! A part that is removed takes its boundary along, and what refers to it by its Content-ID: a value of a header, or another part
//! in the same way as one that is not agreed. A multipart of which nothing is left goes whole, and so does multipart/related
//! without its root. What cannot be told apart for sure is 400.

use std::ops::Range;

use smallvec::SmallVec;

use crate::message::multipart::{self, MediaType, is_of_type};
use crate::message::{HeaderId, Message, elements};
use crate::parse::scan;
use crate::reason::Reason;
use crate::rewrite::Draft;
use crate::snapshot::SnapshotError;
use crate::snapshot::document::{Act, BodyScreening, Unagreed};

use super::{Rejection, Removed, keep_values};

/// What every network takes (TS 29.165 §6.1.4).
const ALWAYS: [&str; 4] =
    ["application/sdp", "multipart/mixed", "multipart/related", "multipart/alternative"];
/// SEC-10.
const PARTS_MAX: usize = 10;
const NESTING_MAX: usize = 3;

/// What goes with a body.
const OF_BODY: [HeaderId; 6] = [
    HeaderId::ContentType,
    HeaderId::ContentDisposition,
    HeaderId::ContentEncoding,
    HeaderId::ContentLanguage,
    HeaderId::ContentId,
    HeaderId::MimeVersion,
];

/// Headers that may name a part by `cid:` (RFC 2392) and mean nothing without it.
const REFERRING: [HeaderId; 5] = [
    HeaderId::AlertInfo,
    HeaderId::CallInfo,
    HeaderId::ErrorInfo,
    HeaderId::Geolocation,
    HeaderId::ReferredBy,
];

/// What is agreed on bodies.
#[derive(Debug)]
pub(super) struct Bodies {
    allow: Option<Vec<String>>,
    otherwise: Unagreed,
    oversized: Act,
    bytes_max: usize,
    /// The value of Accept in a 415.
    accept: String,
}

/// What has to go.
#[derive(Debug, Default)]
struct Cutting<'m> {
    /// Pieces of the body, in order; none inside another one.
    ranges: SmallVec<[Range<usize>; 4]>,
    /// Content-IDs of what is in them.
    ids: SmallVec<[&'m [u8]; 4]>,
}

impl Bodies {
    pub(super) fn compile(
        document: &BodyScreening,
        bytes_max: Option<usize>,
        place: &str,
    ) -> Result<Self, SnapshotError> {
        let agreed = document.allow.as_deref().unwrap_or_default();
        if let Some(name) = agreed.iter().find(|name| !name.contains('/')) {
            return Err(SnapshotError::value(
                format!("{place}.allow"),
                format!("\"{name}\" is no type of a body"),
            ));
        }
        let accept: Vec<&str> = ALWAYS.into_iter().chain(agreed.iter().map(String::as_str)).collect();
        Ok(Self {
            allow: document.allow.clone(),
            otherwise: document.otherwise,
            oversized: document.oversized,
            bytes_max: bytes_max.unwrap_or(usize::MAX),
            accept: accept.join(", "),
        })
    }

    /// Is a body that is too long removed instead of refused (SC-09)?
    pub(super) fn removes_oversized(&self) -> bool {
        self.oversized == Act::Remove
    }

    /// Refuses a request for its body.
    pub(super) fn check(&self, message: &Message<'_>) -> Result<(), Rejection> {
        let cutting = self.look(message, true)?;
        let refer_to = message.first(HeaderId::ReferTo);
        if refer_to.is_some_and(|header| refers_to(header.value, &cutting.ids)) {
            return Err(self.unsupported(b"the body that Refer-To names"));
        }
        Ok(())
    }

    /// Takes out of a message what may not stand in its body, and what refers to that.
    pub(super) fn clean(&self, draft: &mut Draft<'_>, may_refuse: bool, removed: &mut Removed<'_>) {
        let message = draft.message();
        let Ok(cutting) = self.look(&message, may_refuse) else { return };
        let body = message.body();
        let clause = "SC-13, SC-14";
        match cutting.ranges.as_slice() {
            [] => return,
            [all] if *all == (0..body.len()) => {
                draft.set_body(|_| ());
                for id in OF_BODY {
                    draft.remove_all(id);
                }
                removed.thing(clause, || format!("the body, {} bytes", body.len()));
            }
            ranges => {
                draft.set_body(|out| {
                    let mut from = 0;
                    for range in ranges {
                        out.extend_from_slice(body.get(from..range.start).unwrap_or_default());
                        from = range.end;
                    }
                    out.extend_from_slice(body.get(from..).unwrap_or_default());
                });
                let count = ranges.len();
                removed.thing(clause, || format!("{count} part(s) of the body"));
            }
        }
        for id in REFERRING {
            keep_values(draft, id, |value| !refers_to(value, &cutting.ids), removed, "SC-14");
        }
    }

    fn look<'m>(&self, message: &Message<'m>, may_refuse: bool) -> Result<Cutting<'m>, Rejection> {
        let body = message.body();
        if body.is_empty() {
            return Ok(Cutting::default());
        }
        let mut cutting = Cutting::default();
        if self.removes_oversized() && body.len() > self.bytes_max {
            cutting.ranges.push(0..body.len());
            cutting.ids.extend(message.first(HeaderId::ContentId).map(|header| bare(header.value)));
        }
        if self.allow.is_none() || !cutting.ranges.is_empty() {
            return Ok(cutting);
        }
        // What refers to a part that goes, goes too, until nothing more does.
        for _ in 0..=PARTS_MAX {
            let mut walk = Walk {
                bodies: self,
                body,
                may_refuse,
                banned: &cutting.ids,
                parts: SmallVec::new(),
                ranges: SmallVec::new(),
            };
            walk.message(message)?;
            let is_gone = |part: &Range<usize>| {
                walk.ranges.iter().any(|gone| gone.start <= part.start && part.end <= gone.end)
            };
            let ids: SmallVec<_> =
                walk.parts.iter().filter(|(_, part)| is_gone(part)).filter_map(|(id, _)| *id).collect();
            let is_settled = ids.len() == cutting.ids.len();
            cutting = Cutting { ranges: walk.ranges, ids };
            if is_settled {
                break;
            }
        }
        Ok(cutting)
    }

    fn is_agreed(&self, name: &[u8]) -> bool {
        let agreed = self.allow.as_deref().unwrap_or_default();
        is_of_type(name, ALWAYS[0]) || agreed.iter().any(|pattern| is_of_type(name, pattern))
    }

    fn unsupported(&self, what: &[u8]) -> Rejection {
        Rejection::new(Reason::BodyType).with_header("Accept", self.accept.clone().into_bytes()).because(what)
    }
}

/// A body or a part of one.
struct Entity<'m> {
    kind: Option<MediaType<'m>>,
    is_optional: bool,
    is_encoded: bool,
    /// Its bytes, in the body of the message.
    at: Range<usize>,
}

/// A part: its Content-ID, and where it is in the body of the message.
type Placed<'m> = (Option<&'m [u8]>, Range<usize>);

/// One walk over a body.
struct Walk<'w, 'm> {
    bodies: &'w Bodies,
    body: &'m [u8],
    may_refuse: bool,
    /// Content-IDs that nothing may refer to.
    banned: &'w [&'m [u8]],
    /// Every part.
    parts: SmallVec<[Placed<'m>; 4]>,
    /// What goes.
    ranges: SmallVec<[Range<usize>; 4]>,
}

impl<'m> Walk<'_, 'm> {
    fn message(&mut self, message: &Message<'m>) -> Result<(), Rejection> {
        let value = |id| message.first(id).map(|header| header.value);
        let whole = 0..self.body.len();
        self.parts.push((value(HeaderId::ContentId).map(bare), whole.clone()));
        let told_twice = [HeaderId::ContentType, HeaderId::ContentDisposition, HeaderId::ContentEncoding];
        let stays = if told_twice.iter().any(|id| message.count(*id) > 1) {
            self.give_up(Reason::BodyMalformed)?
        } else {
            let entity = Entity {
                kind: value(HeaderId::ContentType).map(MediaType::of),
                is_optional: value(HeaderId::ContentDisposition).is_some_and(is_optional),
                is_encoded: value(HeaderId::ContentEncoding).is_some_and(is_encoded),
                at: whole.clone(),
            };
            self.entity(&entity, 0, false)?
        };
        if !stays {
            self.ranges.clear();
            self.ranges.push(whole);
        }
        Ok(())
    }

    /// Does it stay? With *`is_choice`* another one may be taken instead.
    fn entity(&mut self, entity: &Entity<'m>, depth: usize, is_choice: bool) -> Result<bool, Rejection> {
        let Some(kind) = entity.kind else { return self.not_agreed(entity, b"no Content-Type", is_choice) };
        if ALWAYS[1..].iter().any(|pattern| is_of_type(kind.name, pattern)) {
            let mark = self.ranges.len();
            let stays = self.multipart(entity, kind, depth, is_choice);
            if !matches!(stays, Ok(true)) {
                self.ranges.truncate(mark);
            }
            return stays;
        }
        let text = self.body.get(entity.at.clone()).unwrap_or_default();
        if !self.bodies.is_agreed(kind.name) {
            return self.not_agreed(entity, kind.name, is_choice);
        }
        // A response without its session description would be worth nothing: then the reference is the lesser evil.
        let is_needed = !self.may_refuse && is_of_type(kind.name, ALWAYS[0]);
        if !is_needed && refers_to(text, self.banned) {
            return self.not_agreed(entity, b"a reference to a part that may not cross", is_choice);
        }
        Ok(true)
    }

    fn multipart(
        &mut self,
        entity: &Entity<'m>,
        kind: MediaType<'m>,
        depth: usize,
        is_choice: bool,
    ) -> Result<bool, Rejection> {
        if depth >= NESTING_MAX {
            return self.give_up(Reason::BodyParts);
        }
        if entity.is_encoded {
            // RFC 3261 §8.2.3: nobody can see what is in it.
            let stays = self.not_agreed(entity, b"an encoded multipart", is_choice);
            return stays.map_err(|rejection| rejection.with_header("Accept-Encoding", b"identity".to_vec()));
        }
        let body = self.body.get(entity.at.clone()).unwrap_or_default();
        let Some(boundary) = kind.boundary() else { return self.give_up(Reason::BodyMalformed) };
        let cut = multipart::cut(body, boundary);
        if cut.fault.is_some() {
            return self.give_up(Reason::BodyMalformed);
        }
        let is_alternative = is_of_type(kind.name, ALWAYS[3]);
        let root = is_of_type(kind.name, ALWAYS[2]).then(|| kind.params.value(b"start").map(bare));
        let mut has_some = false;
        for (nth, piece) in cut.pieces.into_iter().enumerate() {
            if self.parts.len() > PARTS_MAX {
                return self.give_up(Reason::BodyParts);
            }
            let part = multipart::Part::of(body.get(piece.content.clone()).unwrap_or_default());
            if part.is_doubtful() {
                return self.give_up(Reason::BodyMalformed);
            }
            let base = entity.at.start;
            let whole = base + piece.whole.start..base + piece.whole.end;
            let end = base + piece.content.end;
            let id = part.header(b"content-id").map(bare);
            self.parts.push((id, whole.clone()));
            let inner = Entity {
                kind: Some(part.media_type()),
                is_optional: part.header(b"content-disposition").is_some_and(is_optional),
                is_encoded: part.header(b"content-encoding").is_some_and(is_encoded)
                    || part.header(b"content-transfer-encoding").is_some_and(is_transfer_encoded),
                at: end - part.body.len()..end,
            };
            let stays = match self.entity(&inner, depth + 1, is_alternative) {
                // What holds something that it needs cannot be used itself.
                Err(rejection) if rejection.reason == Reason::BodyType && self.may_go(entity, is_choice) => {
                    return Ok(false);
                }
                stays => stays?,
            };
            if !stays {
                self.ranges.push(whole);
                let is_root = root.is_some_and(|start| start.map_or(nth == 0, |start| id == Some(start)));
                if is_root {
                    return Ok(false);
                }
            }
            has_some |= stays;
        }
        if !has_some && is_alternative {
            return self.not_agreed(entity, kind.name, is_choice);
        }
        Ok(has_some)
    }

    fn may_go(&self, entity: &Entity<'_>, is_choice: bool) -> bool {
        match self.bodies.otherwise {
            Unagreed::Remove => true,
            Unagreed::ByHandling if entity.is_optional || is_choice => true,
            _ => !self.may_refuse,
        }
    }

    fn not_agreed(&self, entity: &Entity<'_>, what: &[u8], is_choice: bool) -> Result<bool, Rejection> {
        if self.may_go(entity, is_choice) { Ok(false) } else { Err(self.bodies.unsupported(what)) }
    }

    fn give_up(&self, reason: Reason) -> Result<bool, Rejection> {
        if self.may_refuse { Err(Rejection::new(reason)) } else { Ok(false) }
    }
}

fn is_optional(disposition: &[u8]) -> bool {
    let handling = MediaType::of(disposition).params.value(b"handling");
    handling.is_some_and(|handling| handling.eq_ignore_ascii_case(b"optional"))
}

fn is_encoded(encoding: &[u8]) -> bool {
    elements(encoding).any(|one| !one.is_empty() && !one.eq_ignore_ascii_case(b"identity"))
}

/// RFC 2045 §6.4: the only ones that a multipart may have, since its bytes are its parts.
fn is_transfer_encoded(encoding: &[u8]) -> bool {
    ![&b"7bit"[..], b"8bit", b"binary"].into_iter().any(|plain| encoding.eq_ignore_ascii_case(plain))
}

/// A Content-ID without its brackets.
fn bare(id: &[u8]) -> &[u8] {
    id.strip_prefix(b"<").and_then(|id| id.strip_suffix(b">")).unwrap_or(id)
}

/// Is one of *ids* named by a `cid:` URI (RFC 2392) or parameter in the text?
fn refers_to(text: &[u8], ids: &[&[u8]]) -> bool {
    if ids.is_empty() {
        return false;
    }
    memchr::memchr2_iter(b':', b'=', text).any(|at| {
        let is_cid = at.checked_sub(3).and_then(|from| text.get(from..at));
        if !is_cid.is_some_and(|scheme| scheme.eq_ignore_ascii_case(b"cid")) {
            return false;
        }
        let named = scan::trim_start(text.get(at + 1..).unwrap_or_default());
        let named = named.strip_prefix(b"\"").unwrap_or(named);
        let named = named.strip_prefix(b"<").unwrap_or(named);
        ids.iter().any(|id| begins_with_id(named, id))
    })
}

/// Does the text begin with *id*, written with escapes or without, and end there?
fn begins_with_id(text: &[u8], id: &[u8]) -> bool {
    let mut rest = text;
    for byte in id {
        rest = match rest {
            [first, behind @ ..] if first == byte => behind,
            [b'%', high, low, behind @ ..]
                if hexadecimal(*high)
                    .zip(hexadecimal(*low))
                    .is_some_and(|(high, low)| high << 4 | low == *byte) =>
            {
                behind
            }
            _ => return false,
        };
    }
    rest.first().is_none_or(|byte| scan::is_lws(*byte) || b"\"'<>;,)&".contains(byte))
}

fn hexadecimal(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).map(|value| value as u8)
}

#[cfg(test)]
mod tests;
