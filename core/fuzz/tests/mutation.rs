//! No input makes the parser panic, and whatever it lets through keeps its shape.
//!
//! Valid messages are cut at every byte, have every byte replaced, and are mangled at random from fixed seeds. After each
//! change everything that the parser offers is read.

use ibcf_fuzz::exercise;
use ibcf_sip::message::HeaderIndex;

#[path = "../../sip/tests/torture/ims.rs"]
mod ims;

const SHORT: &[u8] = b"BYE sip:b;x=1:p@[2001:db8::1]:5060;lr SIP/2.0\r\nv:SIP/2.0/UDP [::1]:1;branch=z9hG4bK1;received=::2,\r\n SIP / 2.0/TCP h\r\n\
    f : \"A \\\" , <\" <sip:a@h;x>;tag=1;q=\"v;\"\r\nTo: B<tel:+44-1;isub=2>\r\n ;tag=2\r\nCALL-id: c@d\r\ncseq: 7\r\n BYE\r\n\
    Route: <sip:h;lr>,<sip:[::1]:2>\r\nMax-Forwards: 7\r\nl: 2\r\n\r\nokmore";

/// xorshift64*: the same numbers for the same seed, everywhere.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound.max(1) as u64) as usize
    }
}

#[test]
fn the_unchanged_messages_are_accepted() {
    let mut index = HeaderIndex::default();
    assert!(exercise(SHORT, &mut index));
    assert!(exercise(&ims::invite(), &mut index));
}

#[test]
fn a_message_cut_at_any_byte_is_no_harm() {
    let mut index = HeaderIndex::default();
    for message in [SHORT, &ims::invite()] {
        for end in 0..message.len() {
            let accepted = exercise(&message[..end], &mut index);
            // Only octets behind Content-Length may be missing.
            assert!(!accepted || message == SHORT && end >= message.len() - 4, "cut at {end}");
        }
        for start in 0..message.len() {
            exercise(&message[start..], &mut index);
        }
    }
}

#[test]
fn a_header_cut_in_any_state_is_no_harm() {
    // The head ends inside a header, and a blank line follows: every reader meets the end of its value everywhere.
    let mut index = HeaderIndex::default();
    let message = ims::invite();
    let head = message.windows(4).position(|window| window == b"\r\n\r\n").expect("a blank line");
    for message in [&SHORT[..SHORT.len() - 8], &message[..head]] {
        for end in 0..message.len() {
            exercise(&[&message[..end], b"\r\n\r\n"].concat(), &mut index);
        }
    }
}

#[test]
fn any_byte_may_become_any_special_byte() {
    let mut index = HeaderIndex::default();
    let mut message = SHORT.to_vec();
    for at in 0..message.len() {
        let before = message[at];
        for byte in [
            0, b'\n', b'\r', b' ', b'\t', b'"', b'\\', b'<', b'>', b',', b';', b':', b'=', b'@', b'[', b']',
            b'0', b'-', 0x7f, 0x80, 0xff,
        ] {
            message[at] = byte;
            exercise(&message, &mut index);
        }
        message[at] = before;
    }
}

#[test]
fn random_changes_are_no_harm() {
    const PIECES: &[&[u8]] = &[
        b"\r\n",
        b"\r\n ",
        b"\r\n\r\n",
        b"\n",
        b"\r",
        b"\"",
        b"\\",
        b"<",
        b">",
        b",",
        b";",
        b";;",
        b"=",
        b"@",
        b"[",
        b"]",
        b":",
        b"\0",
        b"%00",
        b"SIP/2.0",
        b"Content-Length: 99999999999\r\n",
        b"\r\nl:-1",
        b"\r\nVia:",
        b"\r\nt:",
        b"4294967296",
        b"65536",
        b" ",
        b"\t",
        b"\xff\xfe",
        b"tel:",
        b"urn:",
        b"sip:",
    ];
    let mut index = HeaderIndex::default();
    let mut accepted = 0;
    let invite = ims::invite();
    for seed in 1..=4_000_u64 {
        let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let mut message = if seed % 4 == 0 { invite.clone() } else { SHORT.to_vec() };
        for _ in 0..=random.below(4) {
            let at = random.below(message.len());
            let until = (at + random.below(12)).min(message.len());
            match random.below(5) {
                0 => drop(message.splice(at..at, PIECES[random.below(PIECES.len())].iter().copied())),
                1 => drop(message.drain(at..until)),
                2 => message[at] = random.next() as u8,
                3 => message[at] ^= 1 << random.below(8),
                _ => {
                    let copied = message[at..until].to_vec();
                    let to = random.below(message.len());
                    message.splice(to..to, copied);
                }
            }
            if message.is_empty() {
                break;
            }
        }
        accepted += usize::from(exercise(&message, &mut index));
    }
    assert!(accepted > 200, "the changes must not be so wild that nothing is read: {accepted}");
}

#[test]
fn garbage_is_no_harm() {
    let mut index = HeaderIndex::default();
    let mut random = Random(7);
    for length in 0..2_000 {
        let garbage: Vec<u8> = (0..length).map(|_| random.next() as u8).collect();
        exercise(&garbage, &mut index);
        let printable: Vec<u8> =
            garbage.iter().map(|byte| b" \r\n:;,<>\"\\=@SIP/2.0abi"[usize::from(*byte) % 22]).collect();
        exercise(&printable, &mut index);
        exercise(&[b"OPTIONS sip:h SIP/2.0\r\n", &printable[..], b"\r\n\r\n"].concat(), &mut index);
    }
}
