//! What a server asks of its clients in the topmost Via of its responses (RFC 7339 §4).

use std::time::Duration;

use super::Via;
use crate::parse::scan;

/// How long feedback counts that does not say it (§4.3).
const VALIDITY: Duration = Duration::from_millis(500);
/// Digits behind the point of `oc-seq`.
const FRACTION_DIGITS: usize = 5;

/// Asks for fewer requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Feedback {
    /// `oc`: percent of the requests that are to be held back.
    pub percent: u8,
    /// `oc-validity`: how long from now on; 0 ends it.
    pub validity: Duration,
    /// `oc-seq` in units of its last digit; higher is newer.
    pub sequence: u64,
}

impl Feedback {
    /// Reads what *via* says. `None` when it asks for nothing: the parameters came back as a client writes them (§5.1), are
    /// broken, or speak of an algorithm that is not the one that all know.
    pub fn read(via: &Via<'_>) -> Option<Self> {
        if !via.has_overload {
            return None;
        }
        let percent = scan::number(via.params.value(b"oc")?).filter(|percent| *percent <= 100)? as u8;
        let algorithm = via.params.value(b"oc-algo").map_or(&b"loss"[..], unquoted);
        if !algorithm.eq_ignore_ascii_case(b"loss") {
            return None;
        }
        let validity = match via.params.value(b"oc-validity") {
            Some(text) => Duration::from_millis(u64::from(scan::number(text)?)),
            None => VALIDITY,
        };
        Some(Self { percent, validity, sequence: sequence(via.params.value(b"oc-seq")?)? })
    }
}

/// `1*12DIGIT "." 1*5DIGIT` in units of 0.00001 (§4.4).
fn sequence(text: &[u8]) -> Option<u64> {
    let (whole, fraction) = scan::split_where(text, |byte| byte == b'.');
    let fraction = fraction.get(1..).unwrap_or_default();
    let is_number = |digits: &[u8]| digits.iter().all(u8::is_ascii_digit);
    let fits = (1..=12).contains(&whole.len()) && fraction.len() <= FRACTION_DIGITS;
    if !fits || !is_number(whole) || !is_number(fraction) {
        return None;
    }
    let padding = std::iter::repeat_n(&b'0', FRACTION_DIGITS.saturating_sub(fraction.len()));
    let digits = whole.iter().chain(fraction).chain(padding);
    Some(digits.fold(0_u64, |value, digit| value.saturating_mul(10).saturating_add(u64::from(digit & 0x0f))))
}

fn unquoted(text: &[u8]) -> &[u8] {
    text.strip_prefix(b"\"").and_then(|text| text.strip_suffix(b"\"")).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(params: &str) -> Option<(u8, u64, u64)> {
        let value = format!("SIP/2.0/UDP h;branch=z{params}");
        let feedback = Feedback::read(&Via::parse(value.as_bytes()).expect("a Via"))?;
        Some((feedback.percent, feedback.validity.as_millis() as u64, feedback.sequence))
    }

    #[test]
    fn feedback_is_read_as_written_and_what_is_none_is_nothing() {
        for (params, expected) in [
            (
                ";oc=35;oc-algo=\"loss\";oc-validity=700;oc-seq=1282321615.078",
                Some((35, 700, 128_232_161_507_800)),
            ),
            (";oc=20;oc-seq=7.1", Some((20, 500, 710_000))),
            (";OC=100;oc-algo=LOSS;oc-validity=0;oc-seq=7.00001", Some((100, 0, 700_001))),
            (";oc;oc-algo=\"loss\"", None),
            ("", None),
            (";oc=101;oc-seq=1.1", None),
            (";oc=-1;oc-seq=1.1", None),
            (";oc=10", None),
            (";oc=10;oc-seq=1234567890123.1", None),
            (";oc=10;oc-seq=1.123456", None),
            (";oc=10;oc-seq=.5", None),
            (";oc=10;oc-seq=x", None),
            (";oc=10;oc-algo=\"rate\";oc-seq=1.1", None),
            (";oc=10;oc-validity=soon;oc-seq=1.1", None),
        ] {
            assert_eq!(read(params), expected, "{params}");
        }
    }
}
