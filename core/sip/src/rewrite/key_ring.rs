//! The token of a dialog: what an in-dialog request needs, sealed into our Record-Route (design §5).
//!
//! AES-256-GCM over a fixed layout; the key id stands in the token, so that keys can be changed while calls are up: the
//! first key of the ring seals, all open (TH-22). Layout before base32, all numbers big-endian:
//!
//! | bytes | what                                   |
//! |-------|----------------------------------------|
//! | 1     | version of the layout, authenticated   |
//! | 1     | key id, authenticated                  |
//! | 12    | nonce                                  |
//! | 32    | the [`Ticket`], encrypted              |
//! | 16    | authentication tag                     |
//!
//! Nonces come from the caller and must never repeat under one key; drawn at random, a key is good for some 2^32 tokens.

use std::net::{IpAddr, SocketAddr};

use arrayvec::ArrayVec;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};

use super::base32;
use crate::snapshot::SnapshotError;
use crate::snapshot::document::Key;

const VERSION: u8 = 2;
const TICKET_BYTES: usize = 32;
const HEAD_BYTES: usize = 2;
const TAG_BYTES: usize = 16;
const SEALED_BYTES: usize = HEAD_BYTES + NONCE_LEN + TICKET_BYTES + TAG_BYTES;
const SECRET_BYTES: usize = 32;
/// Binds a token to its purpose, should the same keys ever seal something else.
const PURPOSE: &[u8; 12] = b"ibcf dialog\0";

/// How many characters a token has.
pub const TOKEN_LENGTH: usize = (SEALED_BYTES * 8).div_ceil(5);

/// What a token says about its dialog.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ticket {
    /// [`peer_tag`] of the peer that sent the first request.
    pub upstream_peer: u32,
    /// [`peer_tag`] of the peer that it was sent to.
    pub downstream_peer: u32,
    /// Generation of the snapshot that let the dialog begin.
    pub generation: u64,
    /// When it began, in seconds of Unix time.
    pub start_unix_s: u32,
    /// [`host_tag`] of where the first request came from, and [`place_tag`] of where it went: which of a peer's targets
    /// holds the dialog, when nothing in a later request says so in a way that we follow.
    pub upstream_host: u32,
    /// See `upstream_host`.
    pub downstream_place: u32,
    /// For the caller to use: finds the call's record while this node still has it.
    pub call: u32,
}

/// Why a token was not opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TokenError {
    /// Not a token of this version at all.
    #[error("not a token of this border")]
    Malformed,
    /// Sealed with a key that is not, or no longer, in the ring.
    #[error("sealed with a key that is not in the ring")]
    UnknownKey,
    /// Altered on its way, or never ours.
    #[error("altered, or sealed by somebody else")]
    Tampered,
}

/// The keys that seal and open tokens.
pub struct KeyRing {
    keys: Vec<(u8, LessSafeKey)>,
}

impl std::fmt::Debug for KeyRing {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_list().entries(self.keys.iter().map(|(id, _)| id)).finish()
    }
}

impl KeyRing {
    /// Reads the keys of a snapshot.
    ///
    /// # Errors
    ///
    /// No key at all, an id that stands twice, or a secret that is not 32 bytes in hexadecimal. The text never shows it.
    pub fn compile(keys: &[Key]) -> Result<Self, SnapshotError> {
        if keys.is_empty() {
            return Err(SnapshotError::value(
                "keys",
                "at least one key is needed to seal Record-Route tokens",
            ));
        }
        let mut ring = Vec::with_capacity(keys.len());
        for (at, key) in keys.iter().enumerate() {
            if keys.iter().take(at).any(|earlier| earlier.id == key.id) {
                return Err(SnapshotError::value(
                    format!("keys[{at}].id"),
                    format!("{} stands twice", key.id),
                ));
            }
            let secret = read_secret(&key.secret).ok_or_else(|| {
                SnapshotError::value(format!("keys[{at}].secret"), "give 32 bytes as 64 hexadecimal digits")
            })?;
            let unbound = UnboundKey::new(&AES_256_GCM, &secret)
                .map_err(|_| SnapshotError::value(format!("keys[{at}].secret"), "is no AES-256 key"))?;
            ring.push((key.id, LessSafeKey::new(unbound)));
        }
        Ok(Self { keys: ring })
    }

    /// Appends the token of *ticket* ([`TOKEN_LENGTH`] characters). *nonce* must never have been used before.
    ///
    /// # Panics
    ///
    /// Never: a ring has a key, and the ticket fits.
    pub fn seal(&self, nonce: [u8; NONCE_LEN], ticket: &Ticket, out: &mut Vec<u8>) {
        let (id, key) = self.keys.first().expect("INVARIANT: `compile` refuses an empty ring");
        let mut body = ticket.to_bytes();
        let tag = key
            .seal_in_place_separate_tag(Nonce::assume_unique_for_key(nonce), aad(*id), &mut body)
            .expect("INVARIANT: 32 bytes are below the limit of AES-GCM");
        let mut sealed = ArrayVec::<u8, SEALED_BYTES>::new();
        sealed.extend([VERSION, *id].into_iter().chain(nonce).chain(body));
        sealed.extend(tag.as_ref().iter().copied());
        base32::encode(&sealed, out);
    }

    /// Opens a token.
    ///
    /// # Errors
    ///
    /// See [`TokenError`]; nothing of a token that was altered is ever returned.
    pub fn open(&self, token: &[u8]) -> Result<Ticket, TokenError> {
        let mut sealed = [0; SEALED_BYTES];
        base32::decode(token, &mut sealed).ok_or(TokenError::Malformed)?;
        let [version, id, body @ ..] = &mut sealed;
        if *version != VERSION {
            return Err(TokenError::Malformed);
        }
        let (_, key) = self.keys.iter().find(|(known, _)| known == id).ok_or(TokenError::UnknownKey)?;
        let (nonce, body) = body.split_first_chunk_mut::<NONCE_LEN>().ok_or(TokenError::Malformed)?;
        let plain = key
            .open_in_place(Nonce::assume_unique_for_key(*nonce), aad(*id), body)
            .map_err(|_| TokenError::Tampered)?;
        Ticket::from_bytes(plain).ok_or(TokenError::Tampered)
    }
}

impl Ticket {
    fn to_bytes(self) -> [u8; TICKET_BYTES] {
        let mut bytes = ArrayVec::<u8, TICKET_BYTES>::new();
        bytes.extend(self.upstream_peer.to_be_bytes());
        bytes.extend(self.downstream_peer.to_be_bytes());
        bytes.extend(self.generation.to_be_bytes());
        bytes.extend(self.start_unix_s.to_be_bytes());
        bytes.extend(self.upstream_host.to_be_bytes());
        bytes.extend(self.downstream_place.to_be_bytes());
        bytes.extend(self.call.to_be_bytes());
        bytes.into_inner().expect("INVARIANT: the fields add up to TICKET_BYTES")
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (upstream_peer, rest) = bytes.split_first_chunk()?;
        let (downstream_peer, rest) = rest.split_first_chunk()?;
        let (generation, rest) = rest.split_first_chunk()?;
        let (start_unix_s, rest) = rest.split_first_chunk()?;
        let (upstream_host, rest) = rest.split_first_chunk()?;
        let (downstream_place, rest) = rest.split_first_chunk()?;
        Some(Self {
            upstream_peer: u32::from_be_bytes(*upstream_peer),
            downstream_peer: u32::from_be_bytes(*downstream_peer),
            generation: u64::from_be_bytes(*generation),
            start_unix_s: u32::from_be_bytes(*start_unix_s),
            upstream_host: u32::from_be_bytes(*upstream_host),
            downstream_place: u32::from_be_bytes(*downstream_place),
            call: u32::from_be_bytes(rest.try_into().ok()?),
        })
    }
}

/// Returns a short name for a peer that is the same on every node and in every generation (FNV-1a, folded).
///
/// Two ids may share a tag; whoever loads a snapshot must refuse that.
pub fn peer_tag(id: &str) -> u32 {
    tag(id.bytes())
}

/// Returns a short name for a host, the same on every node.
pub fn host_tag(host: IpAddr) -> u32 {
    match host.to_canonical() {
        IpAddr::V4(v4) => tag(v4.octets().into_iter()),
        IpAddr::V6(v6) => tag(v6.octets().into_iter()),
    }
}

/// Returns a short name for a host and port, the same on every node.
pub fn place_tag(place: SocketAddr) -> u32 {
    host_tag(place.ip()) ^ tag(place.port().to_be_bytes().into_iter())
}

fn tag(bytes: impl Iterator<Item = u8>) -> u32 {
    let hash = bytes.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    (hash ^ (hash >> 32)) as u32
}

fn aad(id: u8) -> Aad<[u8; 14]> {
    let mut bytes = [0; 14];
    let (purpose, head) = bytes.split_at_mut(PURPOSE.len());
    purpose.copy_from_slice(PURPOSE);
    head.copy_from_slice(&[VERSION, id]);
    Aad::from(bytes)
}

fn read_secret(text: &str) -> Option<[u8; SECRET_BYTES]> {
    let mut secret = [0; SECRET_BYTES];
    if text.len() != 2 * SECRET_BYTES {
        return None;
    }
    for (byte, pair) in secret.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        *byte = pair.iter().try_fold(0, |value, digit| {
            let digit = char::from(*digit).to_digit(16)?;
            Some((value << 4) | digit as u8)
        })?;
    }
    Some(secret)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TICKET: Ticket = Ticket {
        upstream_peer: 0x0102_0304,
        downstream_peer: 0xa0b0_c0d0,
        generation: u64::MAX - 1,
        start_unix_s: 1_790_000_000,
        upstream_host: 0x81,
        downstream_place: 0x82,
        call: 7,
    };

    fn key(id: u8, digit: &str) -> Key {
        Key { id, secret: digit.repeat(64) }
    }

    fn ring(keys: &[Key]) -> KeyRing {
        KeyRing::compile(keys).unwrap()
    }

    fn token(ring: &KeyRing) -> Vec<u8> {
        let mut token = Vec::new();
        ring.seal([9; 12], &TICKET, &mut token);
        token
    }

    #[test]
    fn a_token_is_short_and_comes_back_whole() {
        let ring = ring(&[key(1, "a")]);
        let token = token(&ring);
        assert_eq!(token.len(), TOKEN_LENGTH);
        assert_eq!(TOKEN_LENGTH, 100);
        assert!(token.iter().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit()));
        assert_eq!(ring.open(&token), Ok(TICKET));
    }

    #[test]
    fn a_token_altered_at_any_bit_is_refused() {
        let ring = ring(&[key(1, "a"), key(2, "b")]);
        let token = token(&ring);
        for at in 0..token.len() {
            for bit in 0..8 {
                let mut forged = token.clone();
                forged[at] ^= 1 << bit;
                assert!(ring.open(&forged).is_err(), "character {at} bit {bit}");
            }
        }
        let mut sealed = [0; SEALED_BYTES];
        base32::decode(&token, &mut sealed).unwrap();
        for bit in 0..SEALED_BYTES * 8 {
            let mut forged = sealed;
            forged[bit / 8] ^= 1 << (bit % 8);
            let mut text = Vec::new();
            base32::encode(&forged, &mut text);
            let expected = match bit / 8 {
                0 => TokenError::Malformed,
                1 if forged[1] != 2 => TokenError::UnknownKey,
                _ => TokenError::Tampered,
            };
            assert_eq!(ring.open(&text), Err(expected), "bit {bit}");
        }
    }

    #[test]
    fn what_is_no_token_is_refused_at_every_length() {
        let ring = ring(&[key(1, "a")]);
        let token = token(&ring);
        for length in 0..token.len() {
            assert_eq!(ring.open(&token[..length]), Err(TokenError::Malformed));
        }
        assert_eq!(ring.open(&[&token[..], b"a"].concat()), Err(TokenError::Malformed));
        assert_eq!(ring.open(&token.to_ascii_uppercase()), Err(TokenError::Malformed));
        assert_eq!(ring.open(b"alice"), Err(TokenError::Malformed));
    }

    #[test]
    fn the_first_key_seals_and_all_open() {
        let old = token(&ring(&[key(1, "a")]));
        let rolled = ring(&[key(2, "b"), key(1, "a")]);
        assert_eq!(rolled.open(&old), Ok(TICKET));
        let new = token(&rolled);
        assert_eq!(ring(&[key(2, "b")]).open(&new), Ok(TICKET));
        assert_eq!(ring(&[key(1, "a")]).open(&new), Err(TokenError::UnknownKey));
        assert_eq!(ring(&[key(2, "c")]).open(&new), Err(TokenError::Tampered));
    }

    #[test]
    fn a_ring_that_cannot_seal_is_refused_and_no_secret_is_shown() {
        let problem = |keys: &[Key]| KeyRing::compile(keys).unwrap_err().to_string();
        assert_eq!(problem(&[]), "keys: at least one key is needed to seal Record-Route tokens");
        assert_eq!(problem(&[key(1, "a"), key(1, "b")]), "keys[1].id: 1 stands twice");
        for secret in ["", "aa", &"g".repeat(64), &"a".repeat(63), &"\u{fc}".repeat(32)] {
            let keys = [Key { id: 1, secret: secret.to_owned() }];
            assert_eq!(problem(&keys), "keys[0].secret: give 32 bytes as 64 hexadecimal digits");
        }
        assert_eq!(format!("{:?}", ring(&[key(3, "a"), key(1, "b")])), "[3, 1]");
    }

    #[test]
    fn the_tag_of_a_peer_never_changes() {
        assert_eq!(peer_tag("carrier_a"), peer_tag("carrier_a"));
        assert_ne!(peer_tag("carrier_a"), peer_tag("carrier_b"));
        assert_eq!(peer_tag(""), 0xcbf2_9ce4 ^ 0x8422_2325);
    }
}
