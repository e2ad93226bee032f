//! Broken datagrams: copies of real ones under a foreign Call-ID, with bytes changed, cut off, repeated.

use crate::random::Random;

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
