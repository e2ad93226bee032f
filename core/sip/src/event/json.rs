//! The JSON of a line, member after member, straight into its bytes: nothing is allocated for a field.

use std::borrow::Cow;
use std::io::Write;
use std::net::SocketAddr;

const MS_A_SECOND: u64 = 1_000;
const SECONDS_A_DAY: u64 = 86_400;

/// What a member may be.
pub(super) trait Value {
    fn write(self, out: &mut Vec<u8>);
}

/// Writes members behind a first one, in their order: `,"key":value`. What is not known is `null`.
macro_rules! members {
    ($out:expr; $($key:literal: $value:expr),+ $(,)?) => {$(
        $out.extend_from_slice(concat!(",\"", $key, "\":").as_bytes());
        $crate::event::json::Value::write($value, $out);
    )+};
}

/// Writes members behind a first one, in their order; what is not known is left out.
macro_rules! known_members {
    ($out:expr; $($key:literal: $value:expr),+ $(,)?) => {$(
        if let Some(value) = $value {
            $crate::event::json::members!($out; $key: value);
        }
    )+};
}

pub(super) use {known_members, members};

impl Value for &str {
    fn write(self, out: &mut Vec<u8>) {
        out.push(b'"');
        let start = out.len();
        out.extend_from_slice(self.as_bytes());
        escape_from(out, start);
        out.push(b'"');
    }
}

impl Value for &Cow<'_, str> {
    fn write(self, out: &mut Vec<u8>) {
        self.as_ref().write(out);
    }
}

impl Value for u64 {
    fn write(self, out: &mut Vec<u8>) {
        let mut digits = [0; 20];
        let mut at = digits.len();
        let mut left = self;
        loop {
            at -= 1;
            digits[at] = b'0' + (left % 10) as u8;
            left /= 10;
            if left == 0 {
                break;
            }
        }
        out.extend_from_slice(&digits[at..]);
    }
}

impl Value for u16 {
    fn write(self, out: &mut Vec<u8>) {
        u64::from(self).write(out);
    }
}

impl Value for bool {
    fn write(self, out: &mut Vec<u8>) {
        out.extend_from_slice(if self { b"true" } else { b"false" });
    }
}

impl Value for SocketAddr {
    fn write(self, out: &mut Vec<u8>) {
        let SocketAddr::V4(address) = self else {
            // Nothing in an address needs an escape, and a vector takes all that it is given.
            let _ = write!(out, "\"{self}\"");
            return;
        };
        let octets = address.ip().octets();
        for (before, octet) in [b'"', b'.', b'.', b'.'].into_iter().zip(octets) {
            out.push(before);
            u64::from(octet).write(out);
        }
        out.push(b':');
        address.port().write(out);
        out.push(b'"');
    }
}

impl<T: Value> Value for Option<T> {
    fn write(self, out: &mut Vec<u8>) {
        match self {
            Some(value) => value.write(out),
            None => out.extend_from_slice(b"null"),
        }
    }
}

/// The values of an iterator, as an array.
pub(super) struct Array<I>(pub(super) I);

impl<I: IntoIterator<Item: Value>> Value for Array<I> {
    fn write(self, out: &mut Vec<u8>) {
        out.push(b'[');
        for (at, value) in self.0.into_iter().enumerate() {
            if at > 0 {
                out.push(b',');
            }
            value.write(out);
        }
        out.push(b']');
    }
}

/// The time between two moments in milliseconds, as a number of seconds with a fraction; negative when a clock was set back.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seconds {
    from_ms: u64,
    to_ms: u64,
}

impl Seconds {
    /// The time between two moments that are both known.
    pub(super) fn between(from_ms: Option<u64>, to_ms: Option<u64>) -> Option<Self> {
        Some(Self { from_ms: from_ms?, to_ms: to_ms? })
    }
}

impl Value for Seconds {
    fn write(self, out: &mut Vec<u8>) {
        if self.to_ms < self.from_ms {
            out.push(b'-');
        }
        let length_ms = self.to_ms.abs_diff(self.from_ms);
        (length_ms / MS_A_SECOND).write(out);
        out.push(b'.');
        let fraction = digits::<3>(length_ms % MS_A_SECOND);
        let used = fraction.iter().rposition(|digit| *digit != b'0').unwrap_or(0);
        out.extend_from_slice(&fraction[..=used]);
    }
}

/// A moment in milliseconds since 1970, as `2026-11-23T04:14:00.000Z`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stamp(pub(super) u64);

impl Value for Stamp {
    fn write(self, out: &mut Vec<u8>) {
        let seconds = self.0 / MS_A_SECOND;
        let (year, month, day) = civil_date(seconds / SECONDS_A_DAY);
        let second = seconds % SECONDS_A_DAY;
        out.push(b'"');
        if year < 10_000 {
            out.extend_from_slice(&digits::<4>(year));
        } else {
            year.write(out);
        }
        let parts = [
            (b'-', month),
            (b'-', day),
            (b'T', second / 3_600),
            (b':', second / 60 % 60),
            (b':', second % 60),
        ];
        for (before, part) in parts {
            let [tens, ones] = digits::<2>(part);
            out.extend_from_slice(&[before, tens, ones]);
        }
        let [hundreds, tens, ones] = digits::<3>(self.0 % MS_A_SECOND);
        out.extend_from_slice(&[b'.', hundreds, tens, ones, b'Z', b'"']);
    }
}

/// Year, month and day of a day since 1970-01-01 in the Gregorian calendar.
///
/// Counted in eras of 400 years that begin on a first of March, so that the leap day is the last of its year.
fn civil_date(days_since_1970: u64) -> (u64, u64, u64) {
    const DAYS_TO_1970: u64 = 719_468; // since 0000-03-01
    const DAYS_AN_ERA: u64 = 146_097;
    let days = days_since_1970 + DAYS_TO_1970;
    let (era, day_of_era) = (days / DAYS_AN_ERA, days % DAYS_AN_ERA);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let (month, is_next_year) =
        if month_from_march < 10 { (month_from_march + 3, 0) } else { (month_from_march - 9, 1) };
    (era * 400 + year_of_era + is_next_year, month, day)
}

/// The last `N` digits of *number*, with zeros in front.
fn digits<const N: usize>(mut number: u64) -> [u8; N] {
    let mut out = [b'0'; N];
    for digit in out.iter_mut().rev() {
        *digit += (number % 10) as u8;
        number /= 10;
    }
    out
}

/// Makes the text from *start* on what may stand in a JSON string.
pub(super) fn escape_from(out: &mut Vec<u8>, start: usize) {
    // All of it is looked at, without a branch a byte: hardly any text has something to escape.
    let found = out[start..].iter().fold(0, |found, byte| {
        found | u8::from(*byte < 0x20) | u8::from(*byte == b'"') | u8::from(*byte == b'\\')
    });
    if found == 0 {
        return;
    }
    let text = out.split_off(start);
    for byte in text {
        match byte {
            b'"' | b'\\' => out.extend_from_slice(&[b'\\', byte]),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            0x08 => out.extend_from_slice(b"\\b"),
            0x0c => out.extend_from_slice(b"\\f"),
            0..0x20 => {
                let _ = write!(out, "\\u{byte:04x}"); // a vector takes all that it is given
            }
            _ => out.push(byte),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(value: impl Value) -> String {
        let mut out = Vec::new();
        value.write(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn every_character_of_a_text_comes_back() {
        let text: String = (0..0x250).filter_map(char::from_u32).chain("—€𝄞".chars()).collect();
        assert_eq!(written(text.as_str()), serde_json::to_string(&text).unwrap());
        assert_eq!(serde_json::from_str::<String>(&written(text.as_str())).unwrap(), text);
        assert_eq!(written(""), "\"\"");
    }

    #[test]
    fn numbers_and_what_is_not_known_are_json() {
        for number in [0, 9, 10, 699, u64::MAX] {
            assert_eq!(written(number), number.to_string());
        }
        assert_eq!(written(None::<u64>), "null");
        assert_eq!(written(Array([1_u16, 2])), "[1,2]");
        assert_eq!(written(Array(Vec::<u16>::new())), "[]");
        assert_eq!(written("192.0.2.10:65535".parse::<SocketAddr>().unwrap()), "\"192.0.2.10:65535\"");
        assert_eq!(written("[2001:db8::1]:5060".parse::<SocketAddr>().unwrap()), "\"[2001:db8::1]:5060\"");
    }

    #[test]
    fn seconds_have_a_fraction_of_the_digits_they_need() {
        let cases = [
            (0, 0, "0.0"),
            (1_000, 2_000, "1.0"),
            (0, 5, "0.005"),
            (0, 10_250, "10.25"),
            (0, 1_100, "1.1"),
            (0, 120_000, "120.0"),
            (500, 0, "-0.5"),
            (2_001, 0, "-2.001"),
        ];
        for (from, to, text) in cases {
            assert_eq!(written(Seconds::between(Some(from), Some(to))), text);
        }
        assert_eq!(written(Seconds::between(None, Some(1))), "null");
        assert_eq!(written(Seconds::between(Some(1), None)), "null");
    }

    #[test]
    fn times_are_those_of_the_calendar() {
        let cases = [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_399_999, "2000-02-28T23:59:59.999Z"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z"),
            (951_868_800_000, "2000-03-01T00:00:00.000Z"),
            (1_709_164_800_000, "2024-02-29T00:00:00.000Z"),
            (1_795_407_240_007, "2026-11-23T04:14:00.007Z"),
            (4_102_444_799_999, "2099-12-31T23:59:59.999Z"),
            (4_107_542_400_000, "2100-03-01T00:00:00.000Z"),
            (253_402_300_799_999, "9999-12-31T23:59:59.999Z"),
            (253_402_300_800_000, "10000-01-01T00:00:00.000Z"),
        ];
        for (unix_ms, text) in cases {
            assert_eq!(written(Stamp(unix_ms)), format!("\"{text}\""));
        }
        assert!(written(Stamp(u64::MAX)).ends_with("Z\""));
    }

    #[test]
    fn every_day_follows_the_one_before_it() {
        let lengths = |year: u64| {
            let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
            [31, if is_leap { 29 } else { 28 }, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
        };
        let mut days = 0;
        for year in 1970..2500 {
            for (month, length) in (1..).zip(lengths(year)) {
                for day in 1..=length {
                    assert_eq!(civil_date(days), (year, month, day));
                    days += 1;
                }
            }
        }
    }
}
