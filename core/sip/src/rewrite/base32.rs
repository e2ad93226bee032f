//! Base32 of RFC 4648 §6 in lower case and without padding: fit for a user part and for a host label (TH-21).

const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";

/// What no letter of the alphabet stands for.
const NO_DIGIT: u8 = 0x80;
static DIGITS: [u8; 256] = digits();

const fn digits() -> [u8; 256] {
    let mut digits = [NO_DIGIT; 256];
    let mut digit = 0;
    while digit < ALPHABET.len() {
        digits[ALPHABET[digit] as usize] = digit as u8;
        digit += 1;
    }
    digits
}

/// Appends *bytes* in base32: five at a time are eight letters.
pub(super) fn encode(bytes: &[u8], out: &mut Vec<u8>) {
    for group in bytes.chunks(5) {
        let mut padded = [0; 8];
        padded[3..3 + group.len()].copy_from_slice(group);
        let value = u64::from_be_bytes(padded);
        let letters: [u8; 8] = std::array::from_fn(|at| ALPHABET[(value >> (35 - 5 * at)) as usize & 31]);
        out.extend_from_slice(&letters[..(group.len() * 8).div_ceil(5)]);
    }
}

/// Fills *out* from exactly as much *text* as it takes; `None` for anything that [`encode`] would not have written.
pub(super) fn decode(text: &[u8], out: &mut [u8]) -> Option<()> {
    if text.len() != (out.len() * 8).div_ceil(5) {
        return None;
    }
    let mut seen = 0;
    for (letters, place) in text.chunks(8).zip(out.chunks_mut(5)) {
        let mut value = 0;
        for at in 0..8 {
            let digit = letters.get(at).map_or(0, |letter| DIGITS[usize::from(*letter)]);
            seen |= digit;
            value = value << 5 | u64::from(digit & 31);
        }
        let bytes = value.to_be_bytes();
        let (wanted, padding) = bytes[3..].split_at(place.len());
        place.copy_from_slice(wanted);
        seen |= padding.iter().fold(0, |any, byte| if *byte == 0 { any } else { NO_DIGIT });
    }
    (seen & NO_DIGIT == 0).then_some(())
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
