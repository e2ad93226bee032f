//! By what a request finds its server transaction (RFC 3261 §17.2.3).
//!
//! | request                                     | what must be equal                                                        |
//! |---------------------------------------------|---------------------------------------------------------------------------|
//! | branch begins with `z9hG4bK`                | branch, sent-by, method (an ACK counts as INVITE)                         |
//! | INVITE, ACK and CANCEL of an RFC 2543 sender | Request-URI, From tag, Call-ID, `CSeq` number, top Via, method (ACK as INVITE) |
//! | other requests of an RFC 2543 sender        | the same and the To tag                                                   |
//!
//! And the peer that sent it: the Via of one peer is there to be read for every peer that its request was sent to, and none
//! of those may cancel or acknowledge in its name.
//!
//! The parts are hashed under a secret of this process, so that nobody can choose two requests that meet in one key, nor many
//! that meet in one place of a table. 128 bits make an accidental meeting a thing not to plan for.
//!
//! Of an RFC 2543 INVITE the To tag is left out: its ACK carries the tag of our response, and what the tag could tell apart
//! (a re-INVITE from its INVITE) differs in the `CSeq` number already.

use std::hash::Hasher;

use arrayvec::ArrayVec;
use siphasher::sip128::{Hasher128, SipHasher13};

use crate::message::{HeaderError, HeaderId, Message, Method, Via};

/// How a branch begins that is unique by itself (§8.1.1.7).
const MAGIC_COOKIE: &[u8] = b"z9hG4bK";

/// The secret under which keys are made.
#[derive(Clone)]
pub struct KeyHasher(SipHasher13);

impl KeyHasher {
    /// Takes the secret of this process.
    pub fn new(seed: [u8; 16]) -> Self {
        Self(SipHasher13::new_with_key(&seed))
    }

    /// Hashes *parts*; where one ends and the next begins counts.
    pub fn hash128(&self, parts: &[&[u8]]) -> u128 {
        let mut hasher = self.begin();
        for part in parts {
            hasher.part(part);
        }
        hasher.finish()
    }

    fn begin(&self) -> PartHasher {
        PartHasher { hasher: self.0, gathered: ArrayVec::new() }
    }
}

impl std::fmt::Debug for KeyHasher {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("KeyHasher(***)")
    }
}

/// Parts are gathered and hashed together: most hashes are of a few short ones.
struct PartHasher {
    hasher: SipHasher13,
    gathered: ArrayVec<u8, 256>,
}

impl PartHasher {
    fn part(&mut self, part: &[u8]) {
        self.number(part.len() as u64);
        self.write(part);
    }

    /// Hashes *part* as if it were in lower case.
    fn part_ignoring_case(&mut self, part: &[u8]) {
        self.number(part.len() as u64);
        let mut buffer = [0; 64];
        for chunk in part.chunks(buffer.len()) {
            let lower = &mut buffer[..chunk.len()];
            lower.copy_from_slice(chunk);
            lower.make_ascii_lowercase();
            self.write(lower);
        }
    }

    fn number(&mut self, number: u64) {
        self.write(&number.to_le_bytes());
    }

    fn write(&mut self, bytes: &[u8]) {
        if self.gathered.try_extend_from_slice(bytes).is_err() {
            self.hasher.write(&self.gathered);
            self.gathered.clear();
            self.hasher.write(bytes);
        }
    }

    fn finish(mut self) -> u128 {
        self.hasher.write(&self.gathered);
        self.hasher.finish128().into()
    }
}

/// Names the server transaction that a request begins, repeats, acknowledges or cancels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServerKey(pub [u64; 2]);

impl ServerKey {
    /// The key of the transaction that *request* of the peer *sender* belongs to. An ACK belongs to that of its INVITE, a CANCEL to its own.
    ///
    /// # Errors
    ///
    /// The header that is missing or malformed; never after [`crate::parse::check`] let the request through.
    pub fn of(request: &Message<'_>, sender: &str, hasher: &KeyHasher) -> Result<Self, HeaderError> {
        let method = match request.request() {
            Some(line) if line.method == Method::Ack => Method::Invite,
            Some(line) => line.method,
            // A response belongs to no server transaction; what its CSeq says is the best that can be said.
            None => request.cseq()?.method,
        };
        Self::of_method(request, method, sender, hasher)
    }

    /// The key of the INVITE that *cancel* of the peer *sender* is for (§9.2).
    ///
    /// # Errors
    ///
    /// As for [`Self::of`].
    pub fn cancel_target(
        cancel: &Message<'_>,
        sender: &str,
        hasher: &KeyHasher,
    ) -> Result<Self, HeaderError> {
        Self::of_method(cancel, Method::Invite, sender, hasher)
    }

    fn of_method(
        request: &Message<'_>,
        method: Method<'_>,
        sender: &str,
        hasher: &KeyHasher,
    ) -> Result<Self, HeaderError> {
        let via = request.top_via()?;
        let mut key = hasher.begin();
        key.part(sender.as_bytes());
        key.part(method.as_bytes());
        match via.branch() {
            Some(branch) if is_unique(branch) => {
                key.part(branch);
                sent_by(&via, &mut key);
            }
            _ => rfc_2543(request, method, &mut key)?,
        }
        let key = key.finish();
        // In halves: a map of 16-byte lines would hold 8 bytes of nothing behind each key.
        Ok(Self([(key >> 64) as u64, key as u64]))
    }
}

/// Tells whether *branch* was made to be unique. The bare cookie was not: every request of that sender would be one.
fn is_unique(branch: &[u8]) -> bool {
    branch
        .split_at_checked(MAGIC_COOKIE.len())
        .is_some_and(|(cookie, rest)| cookie.eq_ignore_ascii_case(MAGIC_COOKIE) && !rest.is_empty())
}

fn sent_by(via: &Via<'_>, key: &mut PartHasher) {
    let default = if via.transport.eq_ignore_ascii_case(b"TLS") { 5061 } else { 5060 };
    key.part_ignoring_case(via.host);
    key.number(via.port.unwrap_or(default).into());
}

fn rfc_2543(request: &Message<'_>, method: Method<'_>, key: &mut PartHasher) -> Result<(), HeaderError> {
    // Marks the second kind, so that no RFC 2543 request can be made to meet one with a branch.
    key.part(b"RFC 2543");
    key.part(request.request().map_or(&[], |line| line.uri));
    key.part(request.call_id()?);
    key.part(request.from()?.tag().unwrap_or_default());
    key.number(request.cseq()?.number.into());
    key.part(request.values(HeaderId::Via).next().map_or(&[], |via| via.value));
    if !matches!(method, Method::Invite | Method::Cancel) {
        key.part(request.to()?.tag().unwrap_or_default());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::HeaderIndex;
    use crate::parse::parse;
    use crate::snapshot::Limits;

    const SEED: [u8; 16] = *b"sixteen  secrets";
    const SENDER: &str = "carrier_a";

    fn request(method: &str, via: &str, to: &str, cseq: u32) -> String {
        format!(
            "{method} sip:bob@b.example SIP/2.0\r\nVia: {via}\r\nFrom: <sip:a@a.example>;tag=f\r\nTo: {to}\r\n\
             Call-ID: c1@a.example\r\nCSeq: {cseq} {method}\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n"
        )
    }

    fn with<T>(text: &str, use_it: impl FnOnce(&Message<'_>) -> T) -> T {
        let mut index = HeaderIndex::default();
        let message = parse(text.as_bytes(), &Limits::default(), &mut index).expect("a well-formed request");
        use_it(&message)
    }

    fn key(method: &str, via: &str, to: &str, cseq: u32) -> ServerKey {
        let text = request(method, via, to, cseq);
        with(&text, |message| ServerKey::of(message, SENDER, &KeyHasher::new(SEED)).unwrap())
    }

    fn target(via: &str) -> ServerKey {
        let text = request("CANCEL", via, "<sip:b@b.example>", 1);
        with(&text, |message| ServerKey::cancel_target(message, SENDER, &KeyHasher::new(SEED)).unwrap())
    }

    const VIA: &str = "SIP/2.0/UDP a.example:5070;branch=z9hG4bKx";
    const OLD_VIA: &str = "SIP/2.0/UDP a.example:5070";
    const BOB: &str = "<sip:b@b.example>";
    const TAGGED_BOB: &str = "<sip:b@b.example>;tag=t";

    #[test]
    fn a_repeated_request_and_its_ack_find_the_same_transaction() {
        let invite = key("INVITE", VIA, BOB, 1);
        assert_eq!(invite, key("INVITE", VIA, BOB, 1));
        assert_eq!(invite, key("ACK", VIA, TAGGED_BOB, 1));
        assert_eq!(invite, target(VIA));
        assert_ne!(invite, key("CANCEL", VIA, BOB, 1));
        assert_ne!(key("BYE", VIA, BOB, 1), key("INFO", VIA, BOB, 1));
    }

    #[test]
    fn branch_and_sent_by_tell_transactions_apart_and_nothing_else() {
        let invite = key("INVITE", VIA, BOB, 1);
        assert_ne!(invite, key("INVITE", "SIP/2.0/UDP a.example:5070;branch=z9hG4bKy", BOB, 1));
        assert_ne!(invite, key("INVITE", "SIP/2.0/UDP a.example:5071;branch=z9hG4bKx", BOB, 1));
        assert_ne!(invite, key("INVITE", "SIP/2.0/UDP b.example:5070;branch=z9hG4bKx", BOB, 1));
        assert_eq!(invite, key("INVITE", "SIP/2.0/UDP A.Example:5070;rport;branch=z9hG4bKx", TAGGED_BOB, 2));
    }

    #[test]
    fn the_default_port_may_be_left_out() {
        let bare = key("OPTIONS", "SIP/2.0/UDP a.example;branch=z9hG4bKx", BOB, 1);
        assert_eq!(bare, key("OPTIONS", "SIP/2.0/UDP a.example:5060;branch=z9hG4bKx", BOB, 1));
        assert_ne!(bare, key("OPTIONS", "SIP/2.0/TLS a.example;branch=z9hG4bKx", BOB, 1));
    }

    #[test]
    fn without_the_cookie_the_whole_request_counts() {
        let invite = key("INVITE", OLD_VIA, BOB, 1);
        assert_eq!(invite, key("INVITE", OLD_VIA, BOB, 1));
        assert_eq!(invite, key("ACK", OLD_VIA, TAGGED_BOB, 1));
        assert_eq!(invite, target(OLD_VIA));
        assert_ne!(invite, key("INVITE", OLD_VIA, BOB, 2));
        assert_ne!(invite, key("INVITE", "SIP/2.0/UDP a.example:5070;branch=1", BOB, 1));
        assert_ne!(key("BYE", OLD_VIA, BOB, 3), key("BYE", OLD_VIA, TAGGED_BOB, 3));
    }

    #[test]
    fn the_bare_cookie_is_no_branch() {
        let bare = "SIP/2.0/UDP a.example:5070;branch=z9hG4bK";
        assert_ne!(key("INVITE", bare, BOB, 1), key("INVITE", bare, BOB, 2));
        assert_eq!(key("INVITE", bare, BOB, 1), key("ACK", bare, TAGGED_BOB, 1));
    }

    #[test]
    fn another_peer_has_other_keys() {
        let text = request("INVITE", VIA, BOB, 1);
        let other =
            |message: &Message<'_>| ServerKey::of(message, "carrier_b", &KeyHasher::new(SEED)).unwrap();
        assert_ne!(key("INVITE", VIA, BOB, 1), with(&text, other));
    }

    #[test]
    fn another_process_has_other_keys() {
        let text = request("INVITE", VIA, BOB, 1);
        let other = with(&text, |message| ServerKey::of(message, SENDER, &KeyHasher::new([1; 16])).unwrap());
        assert_ne!(key("INVITE", VIA, BOB, 1), other);
    }

    #[test]
    fn the_borders_between_parts_count() {
        let hasher = KeyHasher::new(SEED);
        assert_ne!(hasher.hash128(&[b"ab", b"c"]), hasher.hash128(&[b"a", b"bc"]));
        assert_eq!(hasher.hash128(&[b"ab", b"c"]), hasher.hash128(&[b"ab", b"c"]));
        assert_eq!(format!("{hasher:?}"), "KeyHasher(***)");
    }
}
