//! A record in one piece of memory: of a call that is up, of which there may be hundreds of thousands for hours, and on its
//! way to whoever writes its lines, on another thread.
//!
//! One text after the other, each behind its length. All of it is text, numbers too, so that no text within has to be looked
//! at again when it is read. The form is only for this process, so it has no version and is never read from outside.

use std::borrow::Cow;
use std::fmt;
use std::net::{IpAddr, SocketAddr};

use smallvec::SmallVec;

use super::call_record::{Attempt, CallRecord, Ending, Neighbour, Outcome, RecordKind, ReleasedBy};
use crate::reason::{Reason, Source};
use crate::snapshot::Direction;

/// A [`CallRecord`], packed.
#[derive(Clone, PartialEq)]
pub struct PackedRecord(Box<str>);

impl PackedRecord {
    /// Packs *record* by way of *scratch*, whose memory is used again: allocated is one piece, as long as it has to be.
    pub fn pack(record: &CallRecord<'_>, scratch: &mut String) -> Self {
        scratch.clear();
        record.put(scratch);
        Self(scratch.as_str().into())
    }

    /// Returns the same record with another end, without reading the rest of it.
    pub(crate) fn ended(&self, ending: &Ending<'_>, scratch: &mut String) -> Self {
        scratch.clear();
        ending.put(scratch);
        let mut rest = &*self.0;
        // INVARIANT: `pack` begins with what an `Ending` has.
        Ending::take(&mut rest).expect("the end of a packed record");
        scratch.push_str(rest);
        Self(scratch.as_str().into())
    }

    /// Returns the record, whose texts are those in here. Nothing is allocated for up to two callers and two attempts.
    #[allow(clippy::missing_panics_doc)] // it never does
    pub fn record(&self) -> CallRecord<'_> {
        // INVARIANT: the text is what `pack` wrote, and each `take` reads what its `put` writes.
        CallRecord::take(&mut &*self.0).expect("a packed record")
    }
}

impl fmt::Debug for PackedRecord {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.record().fmt(formatter)
    }
}

/// What can be packed: `take` reads what `put` wrote, and leaves what is behind it.
trait Packed<'a>: Sized {
    fn put(&self, out: &mut String);
    fn take(rest: &mut &'a str) -> Option<Self>;
}

/// Six bits a character, the lowest first; the bit above them says that more follow.
impl Packed<'_> for u64 {
    fn put(&self, out: &mut String) {
        let mut left = *self;
        while left >= 0x40 {
            out.push(char::from(left as u8 & 0x3f | 0x40));
            left >>= 6;
        }
        out.push(char::from(left as u8));
    }

    #[inline] // hardly any needs a second character
    fn take(rest: &mut &str) -> Option<Self> {
        let mut value = 0;
        for shift in (0..Self::BITS).step_by(6) {
            let byte = Self::from(*rest.as_bytes().first()?);
            *rest = rest.get(1..)?;
            value |= (byte & 0x3f) << shift;
            if byte < 0x40 {
                return Some(value);
            }
        }
        None
    }
}

impl Packed<'_> for u16 {
    fn put(&self, out: &mut String) {
        u64::from(*self).put(out);
    }

    fn take(rest: &mut &str) -> Option<Self> {
        u64::take(rest)?.try_into().ok()
    }
}

impl<'a> Packed<'a> for Cow<'a, str> {
    fn put(&self, out: &mut String) {
        put_text(self, out);
    }

    fn take(rest: &mut &'a str) -> Option<Self> {
        take_text(rest).map(Cow::Borrowed)
    }
}

fn put_text(text: &str, out: &mut String) {
    (text.len() as u64).put(out);
    out.push_str(text);
}

fn take_text<'a>(rest: &mut &'a str) -> Option<&'a str> {
    let length = usize::try_from(u64::take(rest)?).ok()?;
    let (text, behind) = rest.split_at_checked(length)?;
    *rest = behind;
    Some(text)
}

impl Packed<'_> for bool {
    fn put(&self, out: &mut String) {
        u64::from(*self).put(out);
    }

    fn take(rest: &mut &str) -> Option<Self> {
        u64::take(rest).map(|value| value != 0)
    }
}

/// Whether it is of version 6, the address, the port. What else a [`SocketAddr`] has is not for records.
impl Packed<'_> for SocketAddr {
    fn put(&self, out: &mut String) {
        self.is_ipv6().put(out);
        match self.ip() {
            IpAddr::V4(address) => u64::from(address.to_bits()).put(out),
            IpAddr::V6(address) => {
                ((address.to_bits() >> 64) as u64).put(out);
                (address.to_bits() as u64).put(out);
            }
        }
        self.port().put(out);
    }

    fn take(rest: &mut &str) -> Option<Self> {
        let address = if bool::take(rest)? {
            let (high, low) = (u64::take(rest)?, u64::take(rest)?);
            IpAddr::V6((u128::from(high) << 64 | u128::from(low)).into())
        } else {
            IpAddr::V4(u32::try_from(u64::take(rest)?).ok()?.into())
        };
        Some(Self::new(address, u16::take(rest)?))
    }
}

/// A name of a closed list: an id of the catalogue, or a direction.
impl Packed<'_> for &'static str {
    fn put(&self, out: &mut String) {
        put_text(self, out);
    }

    fn take(rest: &mut &str) -> Option<Self> {
        let text = take_text(rest)?;
        let directions = [Direction::Exit, Direction::Entry].map(Direction::name);
        let known = directions.into_iter().find(|name| *name == text);
        known.or_else(|| Reason::from_id(text).map(Reason::id))
    }
}

impl<'a, T: Packed<'a>> Packed<'a> for Option<T> {
    fn put(&self, out: &mut String) {
        self.is_some().put(out);
        if let Some(value) = self {
            value.put(out);
        }
    }

    fn take(rest: &mut &'a str) -> Option<Self> {
        if bool::take(rest)? { T::take(rest).map(Some) } else { Some(None) }
    }
}

impl<'a, T: Packed<'a>> Packed<'a> for SmallVec<[T; 2]> {
    fn put(&self, out: &mut String) {
        (self.len() as u64).put(out);
        for value in self {
            value.put(out);
        }
    }

    fn take(rest: &mut &'a str) -> Option<Self> {
        (0..u64::take(rest)?).map(|_| T::take(rest)).collect()
    }
}

/// Packs an enum as the position of its variant. The list must be whole, or it does not compile.
macro_rules! packed_enum {
    ($name:ident: $($variant:ident),+) => {
        impl Packed<'_> for $name {
            fn put(&self, out: &mut String) {
                let at = match self { $(Self::$variant => Self::$variant as u64),+ };
                at.put(out);
            }

            fn take(rest: &mut &str) -> Option<Self> {
                let at = u64::take(rest)?;
                [$(Self::$variant),+].into_iter().find(|variant| *variant as u64 == at)
            }
        }
    };
}

/// Packs a struct field by field. The list must be whole, or it does not compile.
macro_rules! packed_struct {
    ($name:ty: $($field:ident),+) => {
        impl<'a> Packed<'a> for $name {
            fn put(&self, out: &mut String) {
                let Self { $($field),+ } = self;
                $($field.put(out);)+
            }

            fn take(rest: &mut &'a str) -> Option<Self> {
                Some(Self { $($field: Packed::take(rest)?),+ })
            }
        }
    };
}

packed_enum!(RecordKind: Call, Event);
packed_enum!(Outcome: Answered, Failed, Cancelled, Rejected);
packed_enum!(ReleasedBy: Upstream, Downstream, Border);
packed_enum!(Source: Upstream, Downstream, Internal, Policy, Dns);
packed_struct!(Attempt<'a>: peer, target, status, phrase, cause, reason);
packed_struct!(Neighbour: trusted, address);
packed_struct!(Ending<'a>: end_ms, released_by, release_reason, reason, source);
// Begins with what an `Ending` has, in its order.
packed_struct!(CallRecord<'a>: end_ms, released_by, release_reason, reason, source,
    record, method, call_id, icid, orig_ioi, term_ioi, session_id, peer_in, peer_out, neighbour, direction, calling, from, called,
    request_uri_out, number, enum_class, route, tags, outcome, status, attempts, start_ms, ring_ms, answer_ms, generation);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{NodeNames, write_cdr};
    use smallvec::smallvec;

    fn pack(record: &CallRecord<'_>) -> PackedRecord {
        PackedRecord::pack(record, &mut "of another record".to_owned())
    }

    fn assert_comes_back(record: &CallRecord<'_>) {
        assert_eq!(format!("{:?}", pack(record).record()), format!("{record:?}"));
    }

    fn attempt(status: Option<u16>) -> Attempt<'static> {
        Attempt {
            peer: "carrier_b".into(),
            target: "b1".into(),
            status,
            phrase: status.map(|_| "Besetzt — später".into()),
            cause: status.map(|_| "Q.850;cause=17".into()),
            reason: status.is_none().then(|| Reason::Timeout.id()),
        }
    }

    fn full() -> CallRecord<'static> {
        let text = |text: &'static str| Some(Cow::Borrowed(text));
        CallRecord {
            record: RecordKind::Event,
            method: "MESSAGE".into(),
            call_id: "x".repeat(300).into(),
            icid: text("icid"),
            orig_ioi: text("a.example"),
            term_ioi: text("b.example"),
            session_id: text("ab30317f1a784dc48ff824d0d3715d86"),
            peer_in: "carrier_a".into(),
            peer_out: text("carrier_b"),
            neighbour: Some(Neighbour { trusted: true, address: "192.0.2.1:5060".parse().ok() }),
            direction: "entry",
            calling: smallvec!["sip:+44@a.example".into(), "tel:+44".into(), "sip:x".into()],
            from: "sip:alice@a.example".into(),
            called: "tel:+49".into(),
            request_uri_out: text("sip:+49@b.example"),
            number: text("+49"),
            enum_class: text("FOUND"),
            route: text("to_b"),
            tags: smallvec!["trial".into(), "costly".into(), "third".into()],
            outcome: Outcome::Rejected,
            status: 699,
            reason: Some(Reason::SessionExpired.id()),
            source: Some(Source::Dns),
            attempts: smallvec![attempt(None), attempt(Some(503)), attempt(Some(486))],
            start_ms: u64::MAX,
            ring_ms: Some(0),
            answer_ms: Some(1_700_000_000_000),
            end_ms: 127,
            released_by: Some(ReleasedBy::Border),
            release_reason: text("Q.850;cause=16"),
            generation: 128,
        }
    }

    fn bare() -> CallRecord<'static> {
        CallRecord {
            record: RecordKind::Call,
            direction: "exit",
            outcome: Outcome::Answered,
            icid: None,
            neighbour: None,
            calling: SmallVec::new(),
            attempts: SmallVec::new(),
            call_id: Cow::default(),
            reason: None,
            source: None,
            ring_ms: None,
            released_by: None,
            ..full()
        }
    }

    #[test]
    fn a_packed_record_comes_back_whole() {
        let address = "[2001:db8::1]:65535".parse().ok();
        let far = |address| CallRecord { neighbour: Some(Neighbour { trusted: false, address }), ..bare() };
        for record in [full(), bare(), far(address), far(None)] {
            assert_comes_back(&record);
        }
    }

    #[test]
    fn a_record_gets_another_end_and_keeps_the_rest() {
        let (end_ms, release_reason) =
            (1_800_000_000_000, Some(Cow::Borrowed("SIP;cause=200;text=\"später\"")));
        let (reason, source) = (Some(Reason::NodeStopped.id()), Some(Source::Internal));
        let released_by = Some(ReleasedBy::Downstream);
        for record in [full(), bare()] {
            let packed = pack(&record);
            let ended = CallRecord {
                end_ms,
                released_by,
                release_reason: release_reason.clone(),
                reason,
                source,
                ..record
            };
            let release_reason = release_reason.clone();
            let ending = Ending { end_ms, released_by, release_reason, reason, source };
            assert_eq!(packed.ended(&ending, &mut String::new()), pack(&ended));
        }
    }

    #[test]
    fn every_name_of_the_catalogue_comes_back() {
        for reason in Reason::ALL {
            let record =
                CallRecord { reason: Some(reason.id()), source: Some(reason.entry().source), ..bare() };
            assert_comes_back(&record);
        }
    }

    #[test]
    fn a_packed_record_is_hardly_longer_than_its_texts() {
        let record = bare();
        let names = NodeNames { node: String::new(), address: String::new() };
        let mut line = Vec::new();
        write_cdr(&record, &names, &mut line);
        assert!(pack(&record).0.len() < line.len() / 4);
    }

    #[test]
    fn a_text_that_ends_early_is_no_record() {
        let packed = pack(&full());
        for (end, _) in packed.0.char_indices() {
            assert_eq!(CallRecord::take(&mut &packed.0[..end]), None, "{end}");
        }
    }
}
