//! The number of a call as it stands in its Call-ID, tags and branches: 16 hexadecimal digits.

/// Which slot of the table, and the how-manieth call it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Token(u64);

const SERIAL_BITS: u32 = 36;
const DIGITS: &[u8; 16] = b"0123456789abcdef";

impl Token {
    /// How long it is in a message.
    pub(crate) const BYTES: usize = 16;
    /// How long the serial number alone is in a message.
    pub(crate) const SERIAL_BYTES: usize = 10;

    pub(crate) fn new(slot: usize, serial: u64) -> Self {
        Self((slot as u64) << SERIAL_BITS | serial & ((1 << SERIAL_BITS) - 1))
    }

    pub(crate) fn slot(self) -> usize {
        (self.0 >> SERIAL_BITS) as usize
    }

    pub(crate) fn serial(self) -> u64 {
        self.0 & ((1 << SERIAL_BITS) - 1)
    }

    pub(crate) fn to_bytes(self) -> [u8; Self::BYTES] {
        let mut bytes = [0; Self::BYTES];
        for (at, byte) in bytes.iter_mut().enumerate() {
            *byte = DIGITS[(self.0 >> (60 - 4 * at)) as usize & 15];
        }
        bytes
    }

    /// The serial number in decimal, for where only digits may stand.
    pub(crate) fn serial_to_bytes(self) -> [u8; Self::SERIAL_BYTES] {
        let (mut bytes, mut rest) = ([b'0'; Self::SERIAL_BYTES], self.serial());
        for byte in bytes.iter_mut().rev() {
            *byte = b'0' + (rest % 10) as u8;
            rest /= 10;
        }
        bytes
    }

    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        if bytes.len() != Self::BYTES {
            return None;
        }
        let mut value = 0;
        for byte in bytes {
            let digit = match byte {
                b'0'..=b'9' => byte - b'0',
                b'a'..=b'f' => byte - b'a' + 10,
                _ => return None,
            };
            value = value << 4 | u64::from(digit);
        }
        Some(Self(value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_read_as_it_was_written() {
        for (slot, serial) in [(0, 0), (1, 2), (0xfff_ffff, (1 << SERIAL_BITS) - 1), (99_999, 9_999_999_999)]
        {
            let token = Token::new(slot, serial);
            assert_eq!(Token::from_bytes(&token.to_bytes()), Some(token));
            assert_eq!((token.slot(), token.serial()), (slot, serial));
        }
        assert_eq!(Token::new(0, 1_234_567).serial_to_bytes(), *b"0001234567");
        assert_eq!(Token::from_bytes(b"0123"), None);
        assert_eq!(Token::from_bytes(b"0123456789ABCDEF"), None);
    }
}
