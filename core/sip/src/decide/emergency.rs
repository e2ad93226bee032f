//! Which calls are for an emergency service: those to `urn:service:sos` (RFC 5031), and to the numbers that the operator names.
//!
//! A number counts as it is dialled, in a tel URI or as the user of a SIP URI, whatever parameters follow: a call for help
//! is better passed once too often. Lists hold global numbers.

use arrayvec::ArrayString;

use super::condition::{Lists, NumberTest};
use super::global_number;
use crate::message::{Uri, UriKind, is_emergency};
use crate::snapshot::SnapshotError;
use crate::snapshot::document::{self, NumberCondition};

/// The emergency numbers of a snapshot.
#[derive(Debug, Default)]
pub struct EmergencyNumbers {
    /// Ascending.
    numbers: Box<[String]>,
    lists: Vec<NumberTest>,
}

impl EmergencyNumbers {
    /// Resolves the section.
    pub fn compile(section: document::Emergency, lists: &Lists) -> Result<Self, SnapshotError> {
        let mut numbers = section.numbers;
        let is_number = |text: &String| {
            let digits = text.strip_prefix('+').unwrap_or(text);
            (1..=15).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit())
        };
        if let Some(at) = numbers.iter().position(|text| !is_number(text)) {
            let problem = format!("\"{}\" is no number of 1 to 15 digits", numbers[at]);
            return Err(SnapshotError::value(format!("emergency.numbers[{at}]"), problem));
        }
        numbers.sort_unstable();
        let asked = NumberCondition { lists: section.lists, ..NumberCondition::default() };
        let lists = NumberTest::of_lists(&asked, lists)
            .map_err(|problem| SnapshotError::value("emergency.lists", problem))?;
        Ok(Self { numbers: numbers.into_boxed_slice(), lists })
    }

    /// Is a request to this URI one for an emergency service?
    pub fn holds(&self, request_uri: &[u8]) -> bool {
        is_emergency(request_uri) || self.is_named(request_uri)
    }

    fn is_named(&self, request_uri: &[u8]) -> bool {
        if self.numbers.is_empty() && self.lists.is_empty() {
            return false;
        }
        let Ok(uri) = Uri::parse(request_uri) else { return false };
        let is_dialled = || {
            dialled(&uri).is_some_and(|number| {
                self.numbers.binary_search_by(|one| one.as_str().cmp(number.as_str())).is_ok()
            })
        };
        let is_listed =
            || global_number(&uri).is_some_and(|number| self.lists.iter().any(|list| list.holds(&number)));
        is_dialled() || (!self.lists.is_empty() && is_listed())
    }
}

/// The digits of a URI, with their `+` if they have one and without visual separators.
fn dialled(uri: &Uri<'_>) -> Option<ArrayString<16>> {
    if !matches!(uri.kind, UriKind::Tel | UriKind::Sip | UriKind::Sips) {
        return None;
    }
    let user = uri.user?.split(|byte| *byte == b';').next()?;
    let mut number = ArrayString::new();
    for byte in user {
        match byte {
            b'-' | b'.' | b'(' | b')' => {}
            b'+' if number.is_empty() => number.push('+'),
            b'0'..=b'9' => number.try_push(char::from(*byte)).ok()?,
            _ => return None,
        }
    }
    Some(number)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::NumberTable;
    use super::*;
    use serde_json::json;

    fn numbers(section: serde_json::Value) -> Result<EmergencyNumbers, SnapshotError> {
        let table = NumberTable::read(b"+4499911,help\n+4416,other\n").expect("a list");
        let lists = Lists::from_iter([("carriers".to_owned(), Arc::new(table))]);
        EmergencyNumbers::compile(serde_json::from_value(section).expect("a section"), &lists)
    }

    #[test]
    fn a_number_counts_however_it_is_written() {
        let named = numbers(json!({"numbers": ["999", "112", "+33112"]})).expect("loads");
        for uri in [
            "urn:service:sos.fire",
            "tel:112;phone-context=+44",
            "sip:112@a.example",
            "sips:1-1-2;phone-context=a.example@a.example;user=phone",
            "tel:+33-112",
        ] {
            assert!(named.holds(uri.as_bytes()), "{uri}");
        }
        for uri in
            ["tel:1120", "tel:+112", "sip:a112@a.example", "sip:112.example", "urn:service:sosa", "x", ""]
        {
            assert!(!named.holds(uri.as_bytes()), "{uri}");
        }
        assert!(!EmergencyNumbers::default().holds(b"tel:112"));
    }

    #[test]
    fn lists_name_global_numbers_by_class() {
        let named = numbers(json!({"lists": [{"list": "carriers", "classes": ["help"]}]})).expect("loads");
        assert!(named.holds(b"tel:+44999111"));
        assert!(!named.holds(b"tel:+44161"));
        assert!(!named.holds(b"tel:112"));
    }

    #[test]
    fn faults_are_refused_with_their_place() {
        for (section, text) in [
            (
                json!({"numbers": ["112", "1a"]}),
                "emergency.numbers[1]: \"1a\" is no number of 1 to 15 digits",
            ),
            (json!({"lists": [{"list": "x"}]}), "emergency.lists: unknown list \"x\""),
        ] {
            assert_eq!(numbers(section).unwrap_err().to_string(), text);
        }
    }
}
