//! The record of a call that is up, in as few bytes as it takes: there may be hundreds of thousands, for hours.
//!
//! One text after the other, each behind its length, in one piece of memory: as a [`CallRecord`] with a string for each field it
//! would take three times as much. The form is only for this process, so it has no version and is never read from outside.

use std::net::{IpAddr, SocketAddr};

use crate::event::{Attempt, CallRecord, Neighbour, Outcome, RecordKind, ReleasedBy};
use crate::reason::{Reason, Source};
use crate::snapshot::Direction;

/// A [`CallRecord`], packed.
#[derive(Debug)]
pub(super) struct KeptRecord(Box<[u8]>);

impl KeptRecord {
    pub(super) fn pack(record: &CallRecord) -> Self {
        let mut out = Vec::with_capacity(1_024);
        record.put(&mut out);
        Self(out.as_slice().into())
    }

    pub(super) fn unpack(&self) -> CallRecord {
        // INVARIANT: the bytes are those that `pack` wrote, and each `take` reads what its `put` writes.
        CallRecord::take(&mut &*self.0).expect("a packed record")
    }
}

/// What can be packed: `take` reads what `put` wrote, and leaves what is behind it.
trait Packed: Sized {
    fn put(&self, out: &mut Vec<u8>);
    fn take(rest: &mut &[u8]) -> Option<Self>;
}

/// Seven bits a byte, the lowest first; the top bit says that more follow.
impl Packed for u64 {
    fn put(&self, out: &mut Vec<u8>) {
        let mut left = *self;
        while left >= 0x80 {
            out.push(left as u8 | 0x80);
            left >>= 7;
        }
        out.push(left as u8);
    }

    fn take(rest: &mut &[u8]) -> Option<Self> {
        let mut value = 0;
        for shift in (0..Self::BITS).step_by(7) {
            let (byte, behind) = rest.split_first()?;
            *rest = behind;
            value |= Self::from(byte & 0x7f) << shift;
            if *byte < 0x80 {
                return Some(value);
            }
        }
        None
    }
}

impl Packed for u16 {
    fn put(&self, out: &mut Vec<u8>) {
        u64::from(*self).put(out);
    }

    fn take(rest: &mut &[u8]) -> Option<Self> {
        u64::take(rest)?.try_into().ok()
    }
}

impl Packed for String {
    fn put(&self, out: &mut Vec<u8>) {
        (self.len() as u64).put(out);
        out.extend_from_slice(self.as_bytes());
    }

    fn take(rest: &mut &[u8]) -> Option<Self> {
        let length = usize::try_from(u64::take(rest)?).ok()?;
        let (text, behind) = rest.split_at_checked(length)?;
        *rest = behind;
        std::str::from_utf8(text).ok().map(str::to_owned)
    }
}

impl Packed for bool {
    fn put(&self, out: &mut Vec<u8>) {
        out.push(u8::from(*self));
    }

    fn take(rest: &mut &[u8]) -> Option<Self> {
        u64::take(rest).map(|value| value != 0)
    }
}

/// The length of the address in bytes, the address, the port. What else a [`SocketAddr`] has is not for records.
impl Packed for SocketAddr {
    fn put(&self, out: &mut Vec<u8>) {
        match self.ip() {
            IpAddr::V4(address) => put_octets(&address.octets(), out),
            IpAddr::V6(address) => put_octets(&address.octets(), out),
        }
        self.port().put(out);
    }

    fn take(rest: &mut &[u8]) -> Option<Self> {
        let length = usize::try_from(u64::take(rest)?).ok()?;
        let (octets, behind) = rest.split_at_checked(length)?;
        *rest = behind;
        let address = match length {
            4 => IpAddr::from(<[u8; 4]>::try_from(octets).ok()?),
            _ => IpAddr::from(<[u8; 16]>::try_from(octets).ok()?),
        };
        Some(Self::new(address, u16::take(rest)?))
    }
}

fn put_octets(octets: &[u8], out: &mut Vec<u8>) {
    out.push(octets.len() as u8);
    out.extend_from_slice(octets);
}

/// A name of a closed list: an id of the catalogue, or a direction.
impl Packed for &'static str {
    fn put(&self, out: &mut Vec<u8>) {
        (*self).to_owned().put(out);
    }

    fn take(rest: &mut &[u8]) -> Option<Self> {
        let text = String::take(rest)?;
        let directions = [Direction::Exit, Direction::Entry].map(Direction::name);
        let known = directions.into_iter().find(|name| *name == text);
        known.or_else(|| Reason::from_id(&text).map(Reason::id))
    }
}

impl<T: Packed> Packed for Option<T> {
    fn put(&self, out: &mut Vec<u8>) {
        out.push(u8::from(self.is_some()));
        if let Some(value) = self {
            value.put(out);
        }
    }

    fn take(rest: &mut &[u8]) -> Option<Self> {
        match u64::take(rest)? {
            0 => Some(None),
            _ => T::take(rest).map(Some),
        }
    }
}

impl<T: Packed> Packed for Vec<T> {
    fn put(&self, out: &mut Vec<u8>) {
        (self.len() as u64).put(out);
        for value in self {
            value.put(out);
        }
    }

    fn take(rest: &mut &[u8]) -> Option<Self> {
        (0..u64::take(rest)?).map(|_| T::take(rest)).collect()
    }
}

/// Packs an enum as the position of its variant. The list must be whole, or it does not compile.
macro_rules! packed_enum {
    ($name:ident: $($variant:ident),+) => {
        impl Packed for $name {
            fn put(&self, out: &mut Vec<u8>) {
                out.push(match self { $(Self::$variant => Self::$variant as u8),+ });
            }

            fn take(rest: &mut &[u8]) -> Option<Self> {
                let at = u64::take(rest)?;
                [$(Self::$variant),+].into_iter().find(|variant| *variant as u64 == at)
            }
        }
    };
}

/// Packs a struct field by field. The list must be whole, or it does not compile.
macro_rules! packed_struct {
    ($name:ident: $($field:ident),+) => {
        impl Packed for $name {
            fn put(&self, out: &mut Vec<u8>) {
                let Self { $($field),+ } = self;
                $($field.put(out);)+
            }

            fn take(rest: &mut &[u8]) -> Option<Self> {
                Some(Self { $($field: Packed::take(rest)?),+ })
            }
        }
    };
}

packed_enum!(RecordKind: Call, Event);
packed_enum!(Outcome: Answered, Failed, Cancelled, Rejected);
packed_enum!(ReleasedBy: Upstream, Downstream, Border);
packed_enum!(Source: Upstream, Downstream, Internal, Policy, Dns);
packed_struct!(Attempt: peer, target, status, phrase, reason);
packed_struct!(Neighbour: trusted, address);
packed_struct!(CallRecord: record, method, call_id, icid, orig_ioi, term_ioi, session_id, peer_in, peer_out, neighbour,
    direction, calling, from, called, request_uri_out, number, enum_class, route, outcome, status, reason, source, attempts, start_ms,
    ring_ms, answer_ms, end_ms, released_by, release_reason, generation);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{NodeNames, write_cdr};

    fn attempt(status: Option<u16>) -> Attempt {
        Attempt {
            peer: "carrier_b".to_owned(),
            target: "b1".to_owned(),
            status,
            phrase: status.map(|_| "Besetzt — später".to_owned()),
            reason: status.is_none().then(|| Reason::Timeout.id()),
        }
    }

    fn full() -> CallRecord {
        let text = |name: &str| Some(name.to_owned());
        CallRecord {
            record: RecordKind::Event,
            method: "MESSAGE".to_owned(),
            call_id: "x".repeat(300),
            icid: text("icid"),
            orig_ioi: text("a.example"),
            term_ioi: text("b.example"),
            session_id: text("ab30317f1a784dc48ff824d0d3715d86"),
            peer_in: "carrier_a".to_owned(),
            peer_out: text("carrier_b"),
            neighbour: Some(Neighbour { trusted: true, address: "192.0.2.1:5060".parse().ok() }),
            direction: "entry",
            calling: vec!["sip:+44@a.example".to_owned(), "tel:+44".to_owned()],
            from: "sip:alice@a.example".to_owned(),
            called: "tel:+49".to_owned(),
            request_uri_out: text("sip:+49@b.example"),
            number: text("+49"),
            enum_class: text("FOUND"),
            route: text("to_b"),
            outcome: Outcome::Rejected,
            status: 699,
            reason: Some(Reason::SessionExpired.id()),
            source: Some(Source::Dns),
            attempts: vec![attempt(None), attempt(Some(503))],
            start_ms: u64::MAX,
            ring_ms: Some(0),
            answer_ms: Some(1_700_000_000_000),
            end_ms: 127,
            released_by: Some(ReleasedBy::Border),
            release_reason: text("Q.850;cause=16"),
            generation: 128,
        }
    }

    fn bare() -> CallRecord {
        CallRecord {
            record: RecordKind::Call,
            direction: "exit",
            outcome: Outcome::Answered,
            icid: None,
            neighbour: None,
            calling: Vec::new(),
            attempts: Vec::new(),
            call_id: String::new(),
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
            assert_eq!(KeptRecord::pack(&record).unpack(), record);
        }
    }

    #[test]
    fn every_name_of_the_catalogue_comes_back() {
        for reason in Reason::ALL {
            let record =
                CallRecord { reason: Some(reason.id()), source: Some(reason.entry().source), ..bare() };
            assert_eq!(KeptRecord::pack(&record).unpack(), record);
        }
    }

    #[test]
    fn a_packed_record_is_hardly_longer_than_its_texts() {
        let record = bare();
        let names = NodeNames { node: String::new(), address: String::new() };
        let mut line = Vec::new();
        write_cdr(&record, &names, &mut line);
        assert!(KeptRecord::pack(&record).0.len() < line.len() / 4);
    }

    #[test]
    fn bytes_that_end_early_are_no_record() {
        let packed = KeptRecord::pack(&full());
        for end in 0..packed.0.len() {
            assert_eq!(CallRecord::take(&mut &packed.0[..end]), None, "{end}");
        }
    }
}
