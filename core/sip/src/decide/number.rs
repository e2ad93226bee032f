//! The number in a Request-URI (RFC 3966; in a SIP URI only with `user=phone`, TEL-07).
//!
//! Only a global number is a number to this border: `00` and national forms are converted by an explicit rule or not at
//! all (TEL-19).

use arrayvec::ArrayString;

use super::prefixes::DIGITS_MAX;
use crate::message::uri::{Uri, UriKind};
use crate::message::{HeaderId, Message, NameAddr};

/// What kind of number a URI holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NumberKind {
    /// `+` and 1 to 15 digits.
    Global,
    /// A number that means something only within a context: no `+`, or more digits than E.164 allows, or other characters.
    Local,
    /// No number at all: a name, a service URN.
    None,
}

/// Returns the global number in *uri*: `+` and 1 to 15 digits, without visual separators and parameters (TEL-01, ENUM-01).
///
/// `None` for a local number, one with more than 15 digits (TEL-16), and what is no number.
pub fn global_number(uri: &Uri<'_>) -> Option<ArrayString<17>> {
    let subscriber = subscriber(uri)?;
    let (first, rest) = subscriber.split_first()?;
    if *first != b'+' {
        return None;
    }
    let mut number = ArrayString::new();
    number.push('+');
    for byte in rest {
        match byte {
            b'-' | b'.' | b'(' | b')' => {}
            b'0'..=b'9' if number.len() <= DIGITS_MAX => number.push(char::from(*byte)),
            _ => return None,
        }
    }
    (number.len() > 1).then_some(number)
}

/// Returns the global number of the caller: of the first P-Asserted-Identity that has one, if whoever sent the request is
/// *trusted* (RFC 3325 §5), else of From.
pub fn calling_number(message: &Message<'_>, trusted: bool) -> Option<ArrayString<17>> {
    let number_of = |address: NameAddr<'_>| global_number(&Uri::parse(address.uri).ok()?);
    let mut asserted = trusted.then(|| message.values(HeaderId::PAssertedIdentity)).into_iter().flatten();
    asserted
        .find_map(|value| number_of(NameAddr::parse(value.value).ok()?))
        .or_else(|| message.from().ok().and_then(number_of))
}

/// Returns what kind of number *uri* holds.
pub fn number_kind(uri: &Uri<'_>) -> NumberKind {
    match subscriber(uri) {
        None | Some(b"") => NumberKind::None,
        Some(_) if global_number(uri).is_some() => NumberKind::Global,
        Some(_) => NumberKind::Local,
    }
}

/// Was the number already looked up for portability (`npdi`, RFC 4694 §4)? Then it is not looked up again (ENUM-06).
///
/// In a SIP URI only the parameters of the user part count (TEL-08).
pub fn is_dipped(uri: &Uri<'_>) -> bool {
    match uri.kind {
        UriKind::Tel => uri.params.get(b"npdi").is_some(),
        _ => uri.user.is_some_and(|user| {
            user.split(|byte| *byte == b';').skip(1).any(|param| {
                let name = param.split(|byte| *byte == b'=').next().unwrap_or_default();
                name.eq_ignore_ascii_case(b"npdi")
            })
        }),
    }
}

/// The subscriber part as written, when the URI is a telephone number.
fn subscriber<'a>(uri: &Uri<'a>) -> Option<&'a [u8]> {
    let user = match uri.kind {
        UriKind::Tel => uri.user?,
        UriKind::Sip | UriKind::Sips if uri.is_user_phone() => uri.user?,
        _ => return None,
    };
    user.split(|byte| *byte == b';').next()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(text: &str) -> Option<String> {
        let uri = Uri::parse(text.as_bytes()).ok()?; // some of what is no number is no URI either
        global_number(&uri).map(|number| number.as_str().to_owned())
    }

    #[test]
    fn separators_and_parameters_are_left_out() {
        for text in [
            "tel:+441632960083",
            "tel:+44-(1632)-960.083;ext=9",
            "sip:+44-1632-960083@a.example;user=phone",
            "sip:+441632960083;npdi;rn=+441@a.example;user=phone",
            "sips:+441632960083@[2001:db8::1]:5061;user=phone",
        ] {
            assert_eq!(number(text).as_deref(), Some("+441632960083"), "{text}");
        }
    }

    #[test]
    fn what_is_not_a_global_number_is_none() {
        for text in [
            "tel:7042;phone-context=example.com",
            "tel:+",
            "tel:+1201555O123",
            "tel:+12*3",
            "tel:++1201",
            "tel:+1234567890123456",
            "sip:+12015550123@a.example",
            "sip:00441632960083@a.example;user=phone",
            "sip:alice@a.example;user=phone",
            "sip:a.example",
            "urn:service:sos",
        ] {
            assert_eq!(number(text), None, "{text}");
        }
        assert_eq!(
            number("tel:+123456789012345").as_deref(),
            Some("+123456789012345"),
            "15 digits are allowed"
        );
        assert_eq!(number("tel:+1").as_deref(), Some("+1"));
    }

    #[test]
    fn the_kind_tells_local_numbers_from_names() {
        let kind = |text: &str| number_kind(&Uri::parse(text.as_bytes()).expect("a URI"));
        assert_eq!(kind("tel:+1201"), NumberKind::Global);
        assert_eq!(kind("tel:7042;phone-context=example.com"), NumberKind::Local);
        assert_eq!(kind("sip:7042@a.example;user=phone"), NumberKind::Local);
        assert_eq!(kind("sip:+1201@a.example"), NumberKind::None);
        assert_eq!(kind("urn:service:sos"), NumberKind::None);
    }

    #[test]
    fn npdi_counts_only_where_number_parameters_belong() {
        let dipped = |text: &str| is_dipped(&Uri::parse(text.as_bytes()).expect("a URI"));
        assert!(dipped("tel:+1202;npdi;rn=+1203"));
        assert!(dipped("sip:+1202;NPDI@a.example;user=phone"));
        assert!(!dipped("sip:+1202@a.example;user=phone;npdi"));
        assert!(!dipped("tel:+1202"));
    }
}
