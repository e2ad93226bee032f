//! What is kept of one call: who asked what, what left for it, what came back.

use std::net::SocketAddr;
use std::time::Duration;

use ibcf_sip::Time;
use ibcf_sip::event::{Attempt, CallRecord, PackedRecord};

use crate::text::Text;

/// Transactions are absorbed for this long after their final response (64 × T1).
const ABSORBED: Duration = Duration::from_secs(34);

/// The headers of the session timer (RFC 4028), which must cross as they are unless the border cares for it.
const OF_SESSION: [&str; 4] = ["Session-Expires", "Min-SE", "Supported", "Require"];

/// The other end of a message, as the border sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// The border's own address.
    pub own: SocketAddr,
    /// The other one.
    pub remote: SocketAddr,
    /// Is there a connection between them?
    pub is_stream: bool,
}

/// One call.
#[derive(Debug, Default)]
pub(super) struct CallWatch {
    pub(super) seen: Vec<Seen>,
    pub(super) asked: Vec<Asked>,
    pub(super) legs: Vec<Leg>,
    pub(super) answered: Vec<Answered>,
    /// Its records.
    pub(super) packed: Vec<PackedRecord>,
    /// Datagrams that the network lost.
    pub(super) lost: u32,
    /// Something outside failed it.
    pub(super) is_disturbed: bool,
    /// The border crashed while it had no record yet.
    pub(super) is_crashed: bool,
    pub(super) has_wall_clock_jumped: bool,
    /// The border cares for its session timer.
    pub(super) has_session_timer: bool,
}

/// A server transaction of the border.
#[derive(Debug)]
pub(super) struct Seen {
    /// Of branch and method.
    pub(super) key: u64,
    pub(super) method: String,
    pub(super) cseq: u32,
    pub(super) at: Time,
    pub(super) from: Endpoint,
    pub(super) origin: u64,
    pub(super) is_initial: bool,
    /// How often it came.
    pub(super) times: u32,
    /// The first final response.
    pub(super) answer: Option<Final>,
    /// Tags that answered 2xx.
    pub(super) tags: Vec<u64>,
    /// How often a final response left, but for 2xx to an INVITE.
    pub(super) sent: u32,
    /// How often the border was away or its clock jumped meanwhile: it may be answered once more for each, or never.
    pub(super) disturbances: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Final {
    pub(super) status: u16,
    /// A hash of its bytes; 0 for the 2xx to an INVITE, which may differ.
    pub(super) bytes: u64,
    pub(super) at: Time,
    /// The border's own.
    pub(super) is_own: bool,
    /// It says why: it had a context, and so a record.
    pub(super) has_reason: bool,
}

/// A request as it came, the same for all its repetitions.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) origin: u64,
    pub(super) from: Endpoint,
    pub(super) is_in_dialog: bool,
    pub(super) uri: String,
    pub(super) hops: u32,
    /// Lines of Via.
    pub(super) vias: Vec<String>,
    /// Route values that are not the border's.
    pub(super) routes: Vec<String>,
    pub(super) record_routes: Vec<String>,
    pub(super) passing: u64,
}

/// A client transaction of the border.
#[derive(Debug)]
pub(super) struct Leg {
    /// Of branch and method.
    pub(super) key: u64,
    pub(super) to: Endpoint,
    pub(super) has_response: bool,
}

/// A response as it came.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Answered {
    pub(super) origin: u64,
    pub(super) status: u16,
    pub(super) passing: u64,
    pub(super) at: Time,
}

impl Seen {
    pub(super) const fn is_excused(&self) -> bool {
        self.disturbances > 0
    }
}

impl CallWatch {
    pub(super) fn records(&self) -> impl Iterator<Item = CallRecord<'_>> {
        self.packed.iter().map(PackedRecord::record)
    }

    /// The tries at targets that its records name.
    pub(super) fn attempts(&self) -> impl Iterator<Item = Attempt<'_>> {
        self.records().flat_map(|record| record.attempts)
    }

    /// Hash of all header lines but those named, in order and as written, and of the body.
    pub(super) fn passing(&self, text: &Text<'_>, but: &[&str]) -> u64 {
        let of_session: &[&str] = if self.has_session_timer { &OF_SESSION } else { &[] };
        let is_left =
            |name: &str| but.iter().chain(of_session).any(|touched| touched.eq_ignore_ascii_case(name));
        let lines = text.lines().filter(|(name, _)| !is_left(name)).map(|(_, line)| line);
        lines.chain([text.body]).fold(SEED, add)
    }

    pub(super) fn seen_by_key(&mut self, key: u64) -> Option<&mut Seen> {
        self.seen.iter_mut().find(|seen| seen.key == key)
    }

    pub(super) fn asked_by_origin(&self, origin: u64) -> Option<&Asked> {
        self.asked.iter().find(|asked| asked.origin == origin)
    }

    pub(super) fn leg(&mut self, key: u64) -> Option<&mut Leg> {
        self.legs.iter_mut().find(|leg| leg.key == key)
    }

    /// What is in progress may fail now, or be answered anew.
    pub(super) fn disturb_open(&mut self, now: Time) {
        for seen in &mut self.seen {
            if seen.answer.is_none_or(|answer| now < answer.at + ABSORBED) {
                seen.disturbances += 1;
                self.is_disturbed = true;
            }
        }
    }

    /// The border lost what it kept; only what has all its records is over and done with. Of a call that several devices
    /// answered, each is one (CH-17).
    pub(super) fn on_crash(&mut self) {
        let dialogs = self.seen.iter().filter(|seen| seen.is_initial).map(|seen| seen.tags.len()).max();
        self.is_crashed |= self.packed.len() < dialogs.unwrap_or(0).max(1);
    }
}

/// The transaction that a message belongs to (RFC 3261 §17.2.3); an ACK is not told from an INVITE by its `CSeq`.
pub(super) fn transaction_key(text: &Text<'_>, method: &str) -> u64 {
    hash(&[text.branch(), method])
}

/// What a request and its responses are on both sides of the border: who asked, and which number it has. Devices that answered
/// are acknowledged under one number, so an ACK has the tag of its device too.
pub(super) fn origin(text: &Text<'_>, method: &str) -> u64 {
    let to_tag = text.tag("To").filter(|_| method == "ACK");
    let cseq = text.first("CSeq").split(' ').next().unwrap_or_default();
    hash(&[text.tag("From").unwrap_or_default(), to_tag.unwrap_or_default(), cseq, method])
}

const SEED: u64 = 0x243f_6a88_85a3_08d3;

fn add(hash: u64, text: &str) -> u64 {
    text.as_bytes().chunks(8).fold(hash ^ text.len() as u64, |hash, chunk| {
        let mut word = [0; 8];
        word[..chunk.len()].copy_from_slice(chunk);
        let mixed = (hash ^ u64::from_le_bytes(word)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        mixed ^ (mixed >> 29)
    })
}

/// A hash that is never zero.
pub(super) fn hash(parts: &[&str]) -> u64 {
    parts.iter().copied().fold(SEED, add).max(1)
}

pub(super) fn hash_bytes(bytes: &[u8]) -> u64 {
    String::from_utf8_lossy(bytes).as_ref().split_inclusive('\n').fold(SEED, add).max(1)
}
