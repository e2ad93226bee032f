//! Identifiers that we make: Via branches, To tags, nonces, ICIDs.
//!
//! A branch leads straight back to its context (slot, generation, number) and carries a keyed check, so that a response
//! that nobody was asked for cannot be made to fit. It also holds the loop-detection part of RFC 5393 §4.2.1.

use super::Border;
use crate::transaction::{KeyHasher, SlotId};

const COOKIE: &[u8] = b"z9hG4bK";
/// The cookie and two digits for each of the 21 bytes.
const BRANCH_LENGTH: usize = COOKIE.len() + 42;
const HEX: &[u8; 16] = b"0123456789abcdef";
/// A branch that belongs to no context: a request forwarded without state.
const STATELESS: SlotId = SlotId { index: u32::MAX, generation: u32::MAX };

/// What stands in the branch parameter of our Via.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BranchId {
    pub(crate) slot: SlotId,
    pub(crate) number: u8,
    /// Hash of what routing depends on (RFC 5393 §4.2.1).
    pub(crate) loop_hash: u32,
    check: u64,
}

impl BranchId {
    pub(crate) fn new(hasher: &KeyHasher, slot: SlotId, number: u8, loop_hash: u32) -> Self {
        let fields = fields(slot, number, loop_hash);
        Self { slot, number, loop_hash, check: hasher.hash128(&[b"branch", &fields]) as u64 }
    }

    /// The branch of a request forwarded without state: the same for each retransmission (RFC 3261 §16.11).
    pub(crate) fn stateless(hasher: &KeyHasher, received_branch: &[u8], loop_hash: u32) -> Self {
        let fields = fields(STATELESS, 0, loop_hash);
        Self {
            slot: STATELESS,
            number: 0,
            loop_hash,
            check: hasher.hash128(&[b"stateless", &fields, received_branch]) as u64,
        }
    }

    pub(crate) fn write(self, out: &mut Vec<u8>) {
        let mut bytes = [0; 21];
        bytes[..13].copy_from_slice(&fields(self.slot, self.number, self.loop_hash));
        bytes[13..].copy_from_slice(&self.check.to_be_bytes());
        let mut text = [0; BRANCH_LENGTH];
        let (cookie, digits) = text.split_at_mut(COOKIE.len());
        cookie.copy_from_slice(COOKIE);
        for (pair, byte) in digits.chunks_exact_mut(2).zip(bytes) {
            pair.copy_from_slice(&[HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]]);
        }
        out.extend_from_slice(&text);
    }

    /// Can a branch of ours stand somewhere in *text*? `false` is sure, and costs little.
    pub(crate) fn may_be_in(text: &[u8]) -> bool {
        let has_form = |at: usize| {
            let branch = text.get(at..at + BRANCH_LENGTH).and_then(|branch| branch.strip_prefix(COOKIE));
            branch.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
        };
        memchr::memchr_iter(COOKIE[0], text).any(has_form)
    }

    /// Reads a branch; `None` when it is not one of ours.
    pub(crate) fn read(hasher: &KeyHasher, branch: &[u8]) -> Option<Self> {
        let hex: &[u8; 42] = branch.strip_prefix(COOKIE)?.try_into().ok()?;
        let mut bytes = [0_u8; 21];
        for (byte, pair) in bytes.iter_mut().zip(hex.chunks_exact(2)) {
            *byte = pair.iter().try_fold(0_u8, |value, digit| Some(value << 4 | hex_value(*digit)?))?;
        }
        let index = u32::from_be_bytes(bytes[0..4].try_into().ok()?);
        let generation = u32::from_be_bytes(bytes[4..8].try_into().ok()?);
        let loop_hash = u32::from_be_bytes(bytes[9..13].try_into().ok()?);
        let check = u64::from_be_bytes(bytes[13..21].try_into().ok()?);
        let found = Self::new(hasher, SlotId { index, generation }, bytes[8], loop_hash);
        (found.check == check).then_some(found)
    }
}

const fn hex_value(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

fn fields(slot: SlotId, number: u8, loop_hash: u32) -> [u8; 13] {
    let mut fields = [0; 13];
    fields[0..4].copy_from_slice(&slot.index.to_be_bytes());
    fields[4..8].copy_from_slice(&slot.generation.to_be_bytes());
    fields[8] = number;
    fields[9..13].copy_from_slice(&loop_hash.to_be_bytes());
    fields
}

impl Border {
    /// Draws 128 bits that nobody without the seed can foretell.
    pub(crate) fn draw(&mut self) -> [u8; 16] {
        self.draws += 1;
        self.hasher.hash128(&[b"draw", &self.draws.to_be_bytes()]).to_be_bytes()
    }

    /// Draws the nonce of a token: 96 bits, so that no two are the same under one key, over restarts and nodes.
    pub(crate) fn draw_nonce(&mut self) -> [u8; 12] {
        let mut nonce = [0; 12];
        nonce.copy_from_slice(&self.draw()[..12]);
        nonce
    }

    /// Makes an `icid-value`: unique over networks and time (CH-02).
    pub(crate) fn draw_icid(&mut self) -> String {
        hex(&self.draw())
    }
}

/// The 16 digits of *number* in lower-case hexadecimal.
pub(crate) fn hex_digits(number: u64) -> [u8; 16] {
    std::array::from_fn(|at| HEX[(number >> (60 - 4 * at)) as usize & 15])
}

/// Lower-case hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .flat_map(|byte| [HEX[usize::from(byte >> 4)] as char, HEX[usize::from(byte & 15)] as char])
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_branch_comes_back_whole_and_only_with_its_check() {
        let hasher = KeyHasher::new([7; 16]);
        let id = BranchId::new(&hasher, SlotId { index: 9, generation: 3 }, 1, 0xdead_beef);
        let mut text = Vec::new();
        id.write(&mut text);
        assert_eq!(BranchId::read(&hasher, &text), Some(id));
        let via = |branch: &[u8]| [b"SIP/2.0/UDP z.example;branch=", branch, b";rport"].concat();
        assert!(BranchId::may_be_in(&via(&text)) && BranchId::may_be_in(&text));
        assert!(!BranchId::may_be_in(&via(&text[..48])) && !BranchId::may_be_in(&via(b"z9hG4bK3a9f.1")));
        for at in 0..text.len() {
            let mut forged = text.clone();
            forged[at] = if forged[at] == b'0' { b'1' } else { b'0' };
            assert_eq!(BranchId::read(&hasher, &forged), None, "byte {at}");
        }
        assert_eq!(BranchId::read(&KeyHasher::new([8; 16]), &text), None);
        assert_eq!(BranchId::read(&hasher, b"z9hG4bKshort"), None);
    }
}
