//! Hostile datagrams: copies of real ones under a foreign Call-ID, with bytes changed, cut off, repeated; and forgeries that
//! name a real call.

use std::net::SocketAddr;

use crate::random::Random;
use crate::text::Text;
use crate::topology::{INTRUDER, STRANGER};

/// Makes a forgery out of *bytes*: what belongs to a call, from somebody who has no part in it; `None` when it would be a
/// request of his own, which he may make.
pub fn forge(bytes: &[u8], random: &mut Random) -> Option<(SocketAddr, Vec<u8>)> {
    let text = Text::read(bytes)?;
    let source = if random.chance(0.5) { STRANGER } else { INTRUDER };
    let forged = match text.request_method() {
        // A BYE in the dialog of others, with their token; the CANCEL of others' INVITE; an ACK of theirs.
        Some("BYE" | "CANCEL" | "ACK" | "UPDATE" | "INFO") => bytes.to_vec(),
        Some("INVITE") if text.tag("To").is_some() => bytes.to_vec(),
        Some("INVITE") => String::from_utf8_lossy(bytes).replace("INVITE", "CANCEL").into_bytes(),
        // An answer to a request that he never got, under a branch that he has to guess.
        None => replace(bytes, b"z9hG4bK0", b"z9hG4bK1"),
        Some(_) => return None,
    };
    (forged != bytes || text.request_method().is_some()).then_some((source, forged))
}

/// Makes noise out of *bytes*. It belongs to no call and to no transaction of the run.
pub fn spoil(bytes: &[u8], random: &mut Random) -> Vec<u8> {
    let mut out = replace(bytes, b"call-", b"noise-");
    out = replace(&out, b"z9hG4bK", b"z9hG4bKnoise");
    for _ in 0..random.below(4) {
        let at = usize::try_from(random.below(out.len() as u64)).unwrap_or(0);
        let end = (at + usize::try_from(random.below(40)).unwrap_or(0)).min(out.len());
        match random.below(7) {
            0 => out.truncate(at),
            1 => out.iter_mut().skip(at).take(1).for_each(|byte| *byte ^= 1 << random.below(8)),
            2 => out.insert(
                at,
                [0, b'\r', b'\n', b';', b'<', 0xff][usize::try_from(random.below(6)).unwrap_or(0)],
            ),
            3 => drop(out.drain(at..end)),
            4 => {
                let piece = out.get(at..end).unwrap_or_default().to_vec();
                out.splice(at..at, piece);
            }
            5 => {
                let line = out.iter().position(|byte| *byte == b'\n').map_or(0, |end| end + 1);
                drop(out.drain(..line));
            }
            _ => out.extend_from_slice(b"trailing"),
        }
    }
    out
}

fn replace(bytes: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len() + 64);
    let mut rest = bytes;
    while let Some((first, tail)) = rest.split_first() {
        if let Some(after) = rest.strip_prefix(from) {
            out.extend_from_slice(to);
            rest = after;
        } else {
            out.push(*first);
            rest = tail;
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_forgery_comes_from_somebody_else() {
        let mut random = Random::new(1, 1);
        let invite = b"INVITE sip:b SIP/2.0\r\nCall-ID: call-7@h\r\nCSeq: 1 INVITE\r\n\r\n";
        let (source, forged) = forge(invite, &mut random).unwrap();
        assert!(source == STRANGER || source == INTRUDER);
        assert!(forged.starts_with(b"CANCEL ") && forged.ends_with(b"CSeq: 1 CANCEL\r\n\r\n"));
        assert!(forge(b"MESSAGE sip:b SIP/2.0\r\nCSeq: 1 MESSAGE\r\n\r\n", &mut random).is_none());
    }

    #[test]
    fn noise_belongs_to_no_call() {
        let mut random = Random::new(1, 1);
        for _ in 0..500 {
            let noise = spoil(
                b"BYE sip:b SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK7\r\nCall-ID: call-7@h\r\n\r\n",
                &mut random,
            );
            assert!(!noise.windows(5).any(|window| window == b"call-"));
        }
    }
}
