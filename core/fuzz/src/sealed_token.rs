//! `sealed_token`: what is not ours never opens, what is ours comes back whole, also through the URI that carries it.

use std::sync::OnceLock;

use ibcf_sip::message::{NameAddr, Uri};
use ibcf_sip::rewrite::{KeyRing, TOKEN_LENGTH, Ticket, TokenError, token_of, write_record_route};
use ibcf_sip::snapshot::Transport;
use ibcf_sip::snapshot::document::Key;

use crate::bytes::Bytes;

/// Two keys, and another ring with a key of the same id.
fn rings() -> &'static [KeyRing; 2] {
    static RINGS: OnceLock<[KeyRing; 2]> = OnceLock::new();
    let key = |id, digits: &str| Key { id, secret: digits.repeat(32) };
    RINGS.get_or_init(|| {
        let compile = |keys: &[Key]| KeyRing::compile(keys).expect("good keys");
        [compile(&[key(1, "1a"), key(2, "2b")]), compile(&[key(1, "c3")])]
    })
}

/// The target `sealed_token`: the whole input as a token and as a URI, then its bytes as the fields of a ticket.
///
/// # Panics
///
/// When a foreign token opens, or one of ours does not.
pub fn sealed_token(bytes: &[u8]) {
    for ring in rings() {
        assert!(ring.open(bytes).is_err(), "a token that nobody sealed was opened");
        if let Some(token) = Uri::parse(bytes).ok().as_ref().and_then(token_of) {
            assert!(ring.open(token).is_err(), "a token that nobody sealed was opened");
        }
    }
    let mut bytes = Bytes(bytes);
    let mut word = || u32::from(bytes.number()) << 16 | u32::from(bytes.number());
    let ticket = Ticket {
        upstream_peer: word(),
        downstream_peer: word(),
        generation: u64::from(word()) << 32 | u64::from(word()),
        start_unix_s: word(),
        upstream_host: word(),
        downstream_place: word(),
        call: word(),
    };
    let mut nonce = [0; 12];
    nonce.fill_with(|| bytes.byte());
    round_trip(&ticket, nonce, &mut bytes);
}

fn round_trip(ticket: &Ticket, nonce: [u8; 12], bytes: &mut Bytes<'_>) {
    let [ring, foreign] = rings();
    let mut token = Vec::new();
    ring.seal(nonce, ticket, &mut token);
    assert_eq!(token.len(), TOKEN_LENGTH);
    let mut uri = Vec::new();
    let address = if bytes.byte() & 1 == 0 { "192.0.2.1:5060" } else { "[2001:db8::1]:5061" };
    write_record_route(
        &mut uri,
        Some(|out: &mut Vec<u8>| out.extend_from_slice(&token)),
        (Transport::Udp, address.parse().expect("an address")),
    );
    let read = NameAddr::parse(&uri).and_then(|value| Uri::parse(value.uri)).expect("our own URI");
    assert_eq!(token_of(&read), Some(&token[..]));
    assert_eq!(ring.open(&token), Ok(*ticket));
    assert_eq!(foreign.open(&token), Err(TokenError::Tampered));

    // Changed, cut or made longer as the bytes say.
    let mut forged = token.clone();
    while !bytes.is_empty() {
        let at = usize::from(bytes.byte());
        match bytes.byte() % 4 {
            0 => forged.truncate(at),
            1 => forged.insert(at.min(forged.len()), bytes.byte()),
            _ => {
                if let Some(byte) = forged.get_mut(at) {
                    *byte ^= bytes.byte();
                }
            }
        }
    }
    assert_eq!(ring.open(&forged).is_ok(), forged == token, "{}", String::from_utf8_lossy(&forged));
}
