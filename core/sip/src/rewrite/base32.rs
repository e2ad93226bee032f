//! Base32 of RFC 4648 §6 in lower case and without padding: fit for a user part and for a host label (TH-21).

const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";

/// Appends *bytes* in base32.
pub(super) fn encode(bytes: &[u8], out: &mut Vec<u8>) {
    let (mut buffer, mut bits) = (0_u32, 0_u32);
    for &byte in bytes {
        buffer = (buffer << 8) | u32::from(byte);
        bits += 8;
        while bits >= 5 {
            bits -= 5;
            out.push(ALPHABET[(buffer >> bits) as usize & 31]);
        }
        buffer &= (1 << bits) - 1;
    }
    if bits > 0 {
        out.push(ALPHABET[(buffer << (5 - bits)) as usize & 31]);
    }
}

/// Fills *out* from exactly as much *text* as it takes; `None` for anything that [`encode`] would not have written.
pub(super) fn decode(text: &[u8], out: &mut [u8]) -> Option<()> {
    if text.len() != (out.len() * 8).div_ceil(5) {
        return None;
    }
    let (mut buffer, mut bits) = (0_u32, 0_u32);
    let mut places = out.iter_mut();
    for &letter in text {
        let digit = match letter {
            b'a'..=b'z' => letter - b'a',
            b'2'..=b'7' => letter - b'2' + 26,
            _ => return None,
        };
        buffer = (buffer << 5) | u32::from(digit);
        bits += 5;
        if bits >= 8 {
            bits -= 8;
            *places.next()? = (buffer >> bits) as u8;
            buffer &= (1 << bits) - 1;
        }
    }
    (buffer == 0).then_some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vectors_of_rfc_4648_in_lower_case() {
        for (plain, coded) in [
            (&b""[..], &b""[..]),
            (b"f", b"my"),
            (b"fo", b"mzxq"),
            (b"foo", b"mzxw6"),
            (b"foob", b"mzxw6yq"),
            (b"fooba", b"mzxw6ytb"),
            (b"foobar", b"mzxw6ytboi"),
        ] {
            let mut out = Vec::new();
            encode(plain, &mut out);
            assert_eq!(out, coded);
            let mut back = vec![0; plain.len()];
            decode(coded, &mut back).unwrap();
            assert_eq!(back, plain);
        }
    }

    #[test]
    fn only_the_canonical_form_is_read() {
        for bad in [&b"MY"[..], b"mz", b"m", b"my=", b"m1", b"mya"] {
            assert_eq!(decode(bad, &mut [0]), None, "{bad:?}");
        }
    }
}
