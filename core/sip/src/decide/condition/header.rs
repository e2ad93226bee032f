//! What is asked of headers: present or not, equal to, matched by a regular expression; the whole value or a parameter.

use regex::bytes::{Regex, RegexBuilder};

use crate::message::{HeaderId, Message, NameAddr, Params, elements};
use crate::snapshot::document::{HeaderCondition, HeaderTest};

/// Compiled size of one regular expression: one that needs more could stall a worker while it is made.
const REGEX_BYTES_MAX: usize = 256 * 1024;

/// One question about a header.
#[derive(Debug)]
pub(in crate::decide) struct HeaderMatcher {
    id: HeaderId,
    name: String,
    parameter: Option<String>,
    test: Test,
}

#[derive(Debug)]
enum Test {
    Present(bool),
    Equals(Box<[String]>),
    Regex(Regex),
}

impl HeaderMatcher {
    /// Compiles a condition, or says what is wrong with it.
    pub(super) fn compile(condition: &HeaderCondition) -> Result<Self, String> {
        let name = condition.header.clone();
        if name.is_empty() || !crate::parse::scan::is_token(name.as_bytes()) {
            return Err(format!("\"{name}\" is no name of a header"));
        }
        let test = match &condition.test {
            HeaderTest::Present(is_there) => Test::Present(*is_there),
            HeaderTest::Equals(values) => Test::Equals(values.as_slice().into()),
            HeaderTest::Regex(pattern) => Test::Regex(compile_regex(pattern)?),
        };
        let id = HeaderId::from_name(name.as_bytes());
        Ok(Self { id, name, parameter: condition.parameter.clone(), test })
    }

    /// Does it hold for a message?
    pub(super) fn holds(&self, message: &Message<'_>) -> bool {
        let mut values =
            message.by_name(self.name.as_bytes()).flat_map(|header| values_of(self.id, header.value));
        match &self.parameter {
            None => self.passes(&mut values),
            Some(name) => self.passes(&mut values.filter_map(|value| parameter_of(value, name.as_bytes()))),
        }
    }

    fn passes<'m>(&self, values: &mut impl Iterator<Item = &'m [u8]>) -> bool {
        match &self.test {
            Test::Present(is_wanted) => values.next().is_some() == *is_wanted,
            Test::Equals(wanted) => {
                values.any(|value| wanted.iter().any(|wanted| wanted.as_bytes().eq_ignore_ascii_case(value)))
            }
            Test::Regex(regex) => values.any(|value| regex.is_match(value)),
        }
    }

    /// Says in words why it does not hold.
    pub(super) fn refusal(&self) -> String {
        let of = self.parameter.as_ref().map_or_else(String::new, |name| format!(" parameter {name} of"));
        match &self.test {
            Test::Present(true) => format!("no{of} {}", self.name),
            Test::Present(false) => format!("there is{of} {}", self.name),
            Test::Equals(_) => format!("none of the values is that of{of} {}", self.name),
            Test::Regex(regex) => format!("{} does not match{of} {}", regex.as_str(), self.name),
        }
    }
}

/// Compiles an expression of the crate `regex`: linear in the text, bounded in size.
pub(super) fn compile_regex(pattern: &str) -> Result<Regex, String> {
    RegexBuilder::new(pattern)
        .size_limit(REGEX_BYTES_MAX)
        .build()
        .map_err(|error| format!("regular expression {pattern}: {error}"))
}

/// The values of a header line: what commas part, in headers that are lists of addresses, tokens or tags; else all of it.
fn values_of(id: HeaderId, value: &[u8]) -> impl Iterator<Item = &[u8]> {
    let is_whole = matches!(id, HeaderId::Other | HeaderId::Date | HeaderId::Subject | HeaderId::UserAgent);
    let (whole, list) = if is_whole { (Some(value), &[][..]) } else { (None, value) };
    whole.into_iter().chain(elements(list))
}

/// The value of a parameter; of one without a value, nothing, which is there.
fn parameter_of<'v>(value: &'v [u8], name: &[u8]) -> Option<&'v [u8]> {
    let params = if let Ok(address) = NameAddr::parse(value) {
        address.params
    } else {
        let at = memchr::memchr(b';', value)?;
        Params(value.get(at..)?)
    };
    params.get(name).map(|param| param.value.unwrap_or_default())
}
